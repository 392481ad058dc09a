"""Replay on a Dask cluster, as a Prefect flow. Import it only where the flow runs."""

import pickle
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect_dask.task_runners import PrefectDaskFuture

from flows.dask.cluster import dask_runner, workers_of
from flows.prefect_.task_retries import is_worth_a_retry
from pipeline.errors import BmaProgressError, error_text
from pipeline.harvest.batches import check_software, software
from pipeline.harvest.page_status import PageRow
from pipeline.harvest.replay import parser_changes, read_chunk
from pipeline.harvest.spool import SpooledPage
from pipeline.store.archive import Archive
from pipeline.store.writer import open_archive

Findings = tuple[pa.Table, int, list[str]]
"""What `pipeline.harvest.replay.parser_changes` returns."""


@task(
    name="read stored pages",
    task_run_name="pages {number}",
    cache_policy=NO_CACHE,
    retries=1,
    retry_condition_fn=is_worth_a_retry,
    persist_result=False,
)
def read_on_worker(number: int, store: str, pickled: bytes) -> list[SpooledPage]:
    """Read a chunk of stored pages with this worker's parser, which must be the same as the coordinator's.

    pickled: the rows of `pages`, and the software they are to be read with
    """
    rows, wanted = pickle.loads(pickled)  # noqa: S301 - from our coordinator, by the way Dask itself sends tasks
    check_software(wanted)
    return read_chunk(open_archive(store), rows)


@flow(name="replay", validate_parameters=False, persist_result=False)
def replay(store: str, since: str | None, dask_address: str) -> Findings:
    """What today's parser reads differently from the stored rows, read by all workers of a cluster.

    store: its folder, on a file system that all workers share, or its address in object storage
    """
    with dask_runner(dask_address) as runner:
        ahead = 2 * max(1, len(workers_of(runner)))  # each worker finds its next chunk waiting

        def read(_: Archive, chunks: Iterable[Sequence[PageRow]]) -> Iterator[list[SpooledPage]]:
            waiting: deque[PrefectDaskFuture[list[SpooledPage]]] = deque()
            for number, rows in enumerate(chunks, 1):
                parameters = {"number": number, "store": store, "pickled": pickle.dumps((list(rows), software()))}
                waiting.append(runner.submit(read_on_worker, parameters))
                if len(waiting) >= ahead:
                    yield _result_of(waiting.popleft())
            while waiting:
                yield _result_of(waiting.popleft())

        return parser_changes(open_archive(store), since, read)


def _result_of(future: "PrefectDaskFuture[list[SpooledPage]]") -> list[SpooledPage]:
    try:
        return future.result()
    except BmaProgressError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever Dask says of work it lost
        raise BmaProgressError(
            f"stored pages could not be read on the cluster ({error_text(error)}); nothing was changed, try again"
        ) from None
