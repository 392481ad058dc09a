"""Batches on a Dask cluster: one rate for the portal, kept by the scheduler for all machines.

Import it only where the Dask runner is wanted; it needs the extra `dask`, on the scheduler and on all workers too.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import distributed
from distributed.diagnostics.plugin import SchedulerPlugin

from pipeline.errors import BmaProgressError, error_text
from pipeline.harvest.batches import Batch, BatchFiles, for_one_worker, process_batch, software
from pipeline.harvest.client_state import ClientState
from pipeline.harvest.rate_limit import Limiter
from pipeline.harvest.run import HarvestRun
from pipeline.plain_text import complain

_PATIENCE: Final = 8.0  # seconds for an answer of the scheduler, and of all workers
_HANDLER: Final = "bma_progress_slot"
_WORKER_TIMEOUT: Final = 300.0  # seconds without any worker, as when all machines of a cluster restart
_STOP_CHECK: Final = 0.5  # seconds between two checks of whether a stop was requested


@contextmanager
def cluster_client(address: str | None) -> Iterator[distributed.Client]:
    """A client of a cluster, or without an address of processes of this machine for the harvest's time.

    Raises BmaProgressError where no scheduler answers, and where a worker has other software than this process.
    """
    if address and not address.startswith("tls://"):
        complain(f"{address} has no TLS: anyone who reaches it can have its workers run code")
    with ExitStack() as stack:
        cluster = address or stack.enter_context(distributed.LocalCluster(**_here()))  # type: ignore[no-untyped-call]
        try:
            client = distributed.Client(cluster, set_as_default=False, timeout=_PATIENCE)  # type: ignore[no-untyped-call]
        except OSError as error:
            raise BmaProgressError(f"no Dask scheduler answers at {address} ({error}); start it first") from None
        stack.enter_context(client)
        client.sync(_check_workers, client)  # type: ignore[no-untyped-call]
        yield client


async def _check_workers(client: "distributed.Client") -> None:
    """Raise BmaProgressError where a worker lacks this package or has another version of it.

    One that does not answer in time is busy or gone: each batch asks again, see `check_software`.
    """
    asked = "(__import__('importlib.metadata').metadata.version('bma-progress'), __import__('parsers').PARSER_VERSION)"

    async def answer_of(worker: str) -> Any:
        # without this package a worker could not read a function of ours
        answers = client._run(eval, asked, workers=[worker], on_error="return")
        return (await asyncio.wait_for(answers, _PATIENCE))[worker]

    workers = list(await client.scheduler.ncores())  # type: ignore[union-attr]
    answers = await asyncio.gather(*map(answer_of, workers), return_exceptions=True)
    wanted = software()
    for worker, answer in zip(workers, answers, strict=True):
        if isinstance(answer, TimeoutError):
            continue
        if isinstance(answer, BaseException):
            raise BmaProgressError(
                f"the worker {worker} cannot run bma-progress ({error_text(answer)}); install {wanted[0]} there too"
            )
        if tuple(answer) != wanted:
            raise BmaProgressError(
                f"the worker {worker} has bma-progress {answer[0]} with parser {answer[1]}, not {wanted[0]} with parser "
                f"{wanted[1]}; install the same everywhere"
            )


def _here() -> dict[str, Any]:
    """The workers of this machine, where no scheduler is named."""
    return {
        "n_workers": max(2, len(os.sched_getaffinity(0))),
        "threads_per_worker": 1,
        "host": "127.0.0.1",
        # without certificates any user of this machine could have the workers run code
        "security": distributed.Security.temporary(),  # type: ignore[no-untyped-call]
        "dashboard_address": "127.0.0.1:0",  # any free port, on this machine alone
    }


class RateKeeper(SchedulerPlugin):
    """The next free slot of each host, kept by the scheduler for all harvests of the cluster."""

    name = "bma-progress-rate"
    idempotent = True

    def __init__(self) -> None:
        self._next: dict[str, float] = {}

    async def start(self, scheduler: "distributed.Scheduler") -> None:
        """Register the handler that answers workers and coordinators."""
        scheduler.handlers[_HANDLER] = self.ask

    async def ask(self, host: str, what: str, seconds: float) -> float:
        """Answer for `rate_limit.Limiter`. what: `due`, `take` or `pause`; seconds: the length of the slot or pause"""
        now = time.monotonic()
        wait = self._next.get(host, 0.0) - now
        if what == "pause":
            self._next[host] = max(self._next.get(host, 0.0), now + seconds)
        elif what == "take" and wait <= 0:
            self._next[host] = now + seconds
            return 0.0
        return wait


class SchedulerLimiter:
    """The limiter of one host, kept by the scheduler; for workers and the coordinator."""

    interval = 1.0

    def __init__(self, owner: "distributed.Client | distributed.Worker", portal: str) -> None:
        self._scheduler: Any = owner.scheduler
        self._loop: asyncio.AbstractEventLoop = owner.loop.asyncio_loop  # type: ignore[union-attr]
        self._host = urlsplit(portal).netloc

    async def due(self) -> float:
        """Seconds until the next slot."""
        return await self._ask("due")

    async def take(self) -> float:
        """Take the slot, or return the seconds to wait."""
        return await self._ask("take", self.interval)

    async def pause(self, seconds: float) -> None:
        """Give out no slot before so many seconds have passed."""
        await self._ask("pause", seconds)

    def close(self) -> None:
        """Nothing to close."""

    async def _ask(self, what: str, seconds: float = 0.0) -> float:
        call = getattr(self._scheduler, _HANDLER)(host=self._host, what=what, seconds=seconds)
        try:
            answer: float = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, self._loop))
        except OSError as error:  # not a failure of the portal
            raise BmaProgressError(f"the Dask scheduler does not answer ({error}); what was fetched is kept") from None
        return answer


def fetch_batch_elsewhere(batch: Batch) -> ClientState:
    """Fetch, parse and keep a batch in the run's folder; what an earlier execution kept is not fetched again."""
    limiter = SchedulerLimiter(distributed.get_worker(), batch.options.settings.portal)
    return asyncio.run(process_batch(batch, limiter))


class Cluster:
    """The workers of a harvest, seen from the process that commits it."""

    def __init__(self, client: "distributed.Client", run: HarvestRun) -> None:
        self._client = client
        self._client.register_plugin(RateKeeper())
        self._where = f"the Dask scheduler at {self._client.scheduler_info()['address']}"
        self._run = run
        self._number = 0
        self._seen_worker = time.monotonic()
        self.limiter: Limiter = SchedulerLimiter(self._client, run.settings.portal)

    async def fetch(self, on_pages: Callable[[], None]) -> None:
        """One pass over the pages; what workers keep is collected batch by batch. on_pages: called after each."""
        run = self._run
        if run.client is None:
            raise RuntimeError("a pass needs the run's client: `HarvestRun.fetch_all` opens it")
        client_state = await run.client.state()
        submitted: dict[asyncio.Task[ClientState], Batch] = {}
        with BatchFiles(run.folder) as files:
            try:
                while True:
                    slots = await self._slots()
                    fetching = {task.ref.page_key for batch in submitted.values() for task in batch.tasks}
                    while len(submitted) < slots and (tasks := run.next_batch(fetching)):
                        self._number += 1
                        fresh = (await run.client.state()).joined(client_state)
                        options = for_one_worker(run.options, max(1, run.settings.concurrency // slots))
                        batch = Batch(self._number, str(run.folder.resolve()), files.name, tuple(tasks), options, fresh)
                        fetching |= {task.ref.page_key for task in tasks}
                        submitted[asyncio.create_task(self._run_batch(batch))] = batch
                    if not submitted:
                        return
                    done, _ = await asyncio.wait(submitted, timeout=_STOP_CHECK, return_when=asyncio.FIRST_COMPLETED)
                    if run.stop_requested:
                        files.withdraw()
                    for task in done:
                        client_state = client_state.joined(self._collect(submitted.pop(task), task.result()))
                        on_pages()
            finally:
                files.withdraw()
                if submitted:  # after an error: what the others are fetching is kept too
                    await asyncio.wait(submitted, timeout=1 if run.stop_requested else run.settings.page_timeout)
                run.collect()

    async def _run_batch(self, batch: Batch) -> ClientState:
        """Run a batch on a worker, and where that fails once more, on whichever is free."""
        why: Exception | None = None
        for _ in range(2):
            future = self._client.submit(fetch_batch_elsewhere, batch, pure=False)
            try:
                state: ClientState = await asyncio.to_thread(future.result)
            except BmaProgressError:
                raise
            except (distributed.KilledWorker, distributed.CancelledError, OSError) as error:
                raise BmaProgressError(
                    f"batch {batch.number} was lost on {self._where} ({error_text(error)}); what was fetched "
                    "is kept and the next start goes on from there"
                ) from None
            except Exception as error:  # noqa: BLE001 - a defect on the worker, or its disk
                why = error
                continue
            return state
        raise BmaProgressError(f"batch {batch.number} failed twice on {self._where} ({why}); the log there says why")

    def _collect(self, batch: Batch, state: ClientState) -> ClientState:
        kept = self._run.collect(batch.name)
        if not kept and not self._run.stop_requested:
            raise BmaProgressError(f"batch {batch.number} came back from {self._where} without a page")
        return state

    async def _slots(self) -> int:
        """How many batches may be under way: one a worker, and never more than requests at once."""
        workers = len(await asyncio.to_thread(self._client.nthreads))
        if workers:
            self._seen_worker = time.monotonic()
        elif time.monotonic() - self._seen_worker > _WORKER_TIMEOUT:
            raise BmaProgressError(
                f"{self._where} has had no worker for {_WORKER_TIMEOUT:g} s; start some with `dask worker`: what was fetched is "
                "kept and the next start goes on from there"
            )
        return max(1, min(workers, self._run.settings.concurrency))
