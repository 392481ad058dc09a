"""Replay of stored pages on a Dask cluster. Import it only where that is wanted; it needs the extra `dask`."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from flows.dask.cluster import cluster_client
from pipeline.errors import BmaProgressError, error_text
from pipeline.harvest.batches import check_software, software
from pipeline.harvest.page_status import PageRow
from pipeline.harvest.replay import parser_changes, read_chunk
from pipeline.harvest.spool import SpooledPage
from pipeline.store.archive import Archive
from pipeline.store.writer import open_archive

Findings = tuple[pa.Table, int, list[str]]
"""What `pipeline.harvest.replay.parser_changes` returns."""


def read_on_worker(store: str, rows: list[PageRow], wanted: tuple[str, str]) -> list[SpooledPage]:
    """Read a chunk of stored pages with this worker's parser, which must be the same as the coordinator's.

    rows: of `pages`; wanted: the software they are to be read with
    """
    check_software(wanted)
    return read_chunk(open_archive(store), rows)


def replay(store: str, since: str | None, dask_address: str) -> Findings:
    """What today's parser reads differently from the stored rows, read by all workers of a cluster.

    store: its folder, on a file system that all workers share, or its address in object storage
    """
    with cluster_client(dask_address) as client:
        ahead = 2 * max(1, len(client.nthreads()))  # type: ignore[no-untyped-call]  # each worker finds its next chunk waiting

        def read(_: Archive, chunks: Iterable[Sequence[PageRow]]) -> Iterator[list[SpooledPage]]:
            waiting: deque[Any] = deque()
            for rows in chunks:
                waiting.append(client.submit(read_on_worker, store, list(rows), software(), pure=False, retries=1))
                if len(waiting) >= ahead:
                    yield _result_of(waiting.popleft())
            while waiting:
                yield _result_of(waiting.popleft())

        return parser_changes(open_archive(store), since, read)


def _result_of(future: Any) -> list[SpooledPage]:
    try:
        pages: list[SpooledPage] = future.result()
    except BmaProgressError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever Dask says of work it lost
        raise BmaProgressError(
            f"stored pages could not be read on the cluster ({error_text(error)}); nothing was changed, try again"
        ) from None
    return pages
