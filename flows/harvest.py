"""The nightly harvest as a Prefect flow: order, batches, and what Prefect shows. Import it only where a flow runs."""

import hashlib
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect import flow, get_run_logger, task
from prefect.artifacts import acreate_progress_artifact
from prefect.artifacts import aupdate_progress_artifact as update_progress
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import State, StateType
from prefect.context import FlowRunContext
from prefect.runtime import deployment, flow_run
from prefect.states import Completed, Crashed

from flows.prefect_.artifacts import show
from flows.prefect_.notifications import notify_finished
from flows.prefect_.task_retries import is_worth_a_retry
from pipeline.errors import BmaProgressError, refused_by_machine
from pipeline.harvest.request import HarvestRequest
from pipeline.harvest.run import HarvestResult, HarvestRun
from pipeline.store.archive import Archive
from pipeline.store.layout import harvest_start
from pipeline.store.writer import create_store, open_writer

if TYPE_CHECKING:
    from flows.dask.cluster import Cluster

Listener = Callable[[HarvestRun], None]

_NIGHTS: dict[str, HarvestRun] = {}
"""The harvests under way in this process, by their run's folder: a batch needs the night's one client."""

_LISTENERS: dict[str, Listener] = {}
"""Who wants to be told of each page done, by the store's folder."""

RESULTS: dict[str, HarvestResult] = {}
"""Results of the harvests of this process, by the store's folder."""


WARNINGS: dict[str, list[str]] = {}
"""What else an operator has to know of the harvests of this process, by the store's folder."""

FAILURES: dict[str, str] = {}
"""Why harvests of this process could not be run, by the store's folder."""


def store_key(folder: Path) -> str:
    """The one name of a store's folder."""
    return str(folder.resolve())


def listen(store: Path, listener: Listener) -> None:
    """Have a listener told of every page done in the harvests of a store."""
    _LISTENERS[store_key(store)] = listener


@task(
    name="fetch batch",
    task_run_name="batch {number}",
    cache_policy=NO_CACHE,
    retries=1,
    retry_condition_fn=is_worth_a_retry,
    persist_result=False,
)
async def fetch_batch(run: str, number: int) -> dict[str, int]:
    """Fetch, parse and keep the next batch of pages; what was kept before a retry is not fetched again."""
    night = _NIGHTS[run]
    return dict(await night.fetch_batch(night.next_batch(), lambda: _tell(night)))


def _tell(night: HarvestRun) -> None:
    if listener := _LISTENERS.get(store_key(night.store.root)):
        listener(night)


@task(name="commit", cache_policy=NO_CACHE, persist_result=False)
def commit_night(run: str) -> bool:
    """Check, commit and publish what was fetched; returns whether it was published."""
    night = _NIGHTS[run]
    result = night.finish()
    RESULTS[store_key(night.store.root)] = result
    return result.published


@flow(name="harvest", validate_parameters=True, persist_result=False)
async def harvest(request: HarvestRequest) -> State[Any]:
    """One harvest: discover, fetch in batches, parse, check, commit, publish.

    Ends Completed when it is published. Else it ends in a failure of its own name: HeldBack when the night must not
    replace the last one, CouldNotRun when nothing could be done, Interrupted after a stop. A run of a schedule that comes so
    late that a harvest has begun since it was due ends as Skipped: of the nights that a machine slept through, one is made
    good.
    """
    settings, scope = request.load()
    harvest_id: str | None = None
    try:
        root = create_store(settings.data, settings.portal).root
        with open_writer(root) as store:
            await _crash_orphaned_runs(store)
            if since := _harvest_since_due(store):
                return Completed(name="Skipped", message=f"{since} has begun since this run was due")
            night = HarvestRun.begin(settings, store, scope, resume=request.resume)
            harvest_id = night.harvest_id
            try:
                state = await _harvest(night)
            except Exception as error:
                with suppress(OSError):  # a full disk takes no line of a log either
                    night.log("failed", reason=str(error) or type(error).__name__)
                raise
            finally:
                night.close()
    except Exception as error:
        known = error if isinstance(error, BmaProgressError) else refused_by_machine(error, settings.data)
        state = _failed("CouldNotRun", str(known or f"an error of the program: {type(error).__name__}"))
        if known is None:
            await notify_finished(settings, state, harvest_id)
            raise
        FAILURES[store_key(settings.data)] = str(known)
    for problem in await notify_finished(settings, state, harvest_id):
        get_run_logger().warning(problem)
        WARNINGS.setdefault(store_key(settings.data), []).append(problem)
    return state


def _harvest_since_due(store: Archive) -> str | None:
    """The harvest that has begun since this run of a schedule was due, if one has."""
    ids = store.harvest_ids()
    due = flow_run.scheduled_start_time
    if not ids or not deployment.id or due is None:
        return None
    return ids[-1] if due < harvest_start(ids[-1]) <= datetime.now(UTC) else None


def _run(night: HarvestRun) -> str:
    return str(night.folder)


async def _harvest(night: HarvestRun) -> State[Any]:
    _NIGHTS[_run(night)] = night
    try:
        await _name_run(night)
        with _graceful_shutdown(), _cluster(night) as cluster:
            async with night.connect(cluster.clock if cluster else None):
                await _fetch_all(night, cluster)
        if night.stop_requested:
            left = night.spool.counts()["pending"]
            message = f"stopped with {left:,} pages left; the same command goes on from there"
            FAILURES[store_key(night.store.root)] = message
            return _failed("Interrupted", message)
        commit_night(_run(night))
    finally:
        _NIGHTS.pop(_run(night), None)
    result = RESULTS[store_key(night.store.root)]
    unshown = ""
    try:
        await show(night, result)
    except Exception as error:  # noqa: BLE001 - the night is committed, whatever becomes of its screens
        unshown = f" (not all of it could be shown here: {' '.join(str(error).split())[:200]})"
    if result.published:
        return Completed(message=f"published {result.harvest_id}{unshown}")
    return _failed("HeldBack", f"{result.held_back}{unshown}")


@contextmanager
def _graceful_shutdown() -> Iterator[None]:
    """The first SIGTERM stops this process's harvests after the pages in hand; the next is Prefect's, and stops at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)

    def stop(*_: object) -> None:
        for night in _NIGHTS.values():
            night.stop_requested = True
        signal.signal(signal.SIGTERM, before)

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


async def _fetch_all(night: HarvestRun, cluster: "Cluster | None") -> None:
    progress: UUID | None = None

    async def show_progress() -> None:
        nonlocal progress
        _tell(night)
        counts = night.spool.counts()
        share = 100 * (1 - counts["pending"] / counts.total())
        if progress is None:
            progress = await acreate_progress_artifact(progress=share, description="pages fetched")
        else:
            await update_progress(artifact_id=progress, progress=share)

    number = 0
    _tell(night)  # so that a stop can be asked for from the first page on
    while night.next_pass():
        if cluster:
            await cluster.fetch(show_progress)
            continue
        while night.has_pages_left:
            number += 1
            await fetch_batch(_run(night), number)
            await show_progress()


@contextmanager
def _cluster(night: HarvestRun) -> "Iterator[Cluster | None]":
    """The Dask cluster where batches run, if the settings or the flow's own task runner name one."""
    context = FlowRunContext.get()
    given = context.task_runner if context and type(context.task_runner).__name__ == "DaskTaskRunner" else None
    if given is None and night.settings.runner == "local":
        yield None
        return
    try:
        from flows.dask.cluster import Cluster, dask_runner
    except ImportError:
        raise BmaProgressError("the dask runner needs more packages: pip install 'bma-progress[dask]'") from None
    if given is not None:
        yield Cluster(given, night)  # type: ignore[arg-type]
        return
    with dask_runner(night.settings.dask_address) as runner:
        yield Cluster(runner, night)


def _failed(name: str, message: str) -> State[Any]:
    return State(type=StateType.FAILED, name=name, message=message)


async def _name_run(night: HarvestRun) -> None:
    """Name the run by portal and night."""
    async with get_client() as client:
        name = f"{night.settings.portal.split('//')[-1]} {night.harvest_id}"
        await client.update_flow_run(UUID(str(flow_run.id)), name=name)


async def _crash_orphaned_runs(store: Archive) -> None:
    """Mark runs of this store that a kill left Running as crashed: we hold the store's lock, so none of them lives."""
    tag = "store-" + hashlib.sha256(store_key(store.root).encode()).hexdigest()[:12]
    own = UUID(str(flow_run.id))
    async with get_client() as client:
        await client.update_flow_run(own, tags={*flow_run.tags, tag})
        running = FlowRunFilter.model_validate(
            {"tags": {"all_": [tag]}, "state": {"type": {"any_": ["RUNNING", "PENDING"]}}}
        )
        for run in await client.read_flow_runs(flow_run_filter=running):
            if run.id != own:
                await client.set_flow_run_state(run.id, Crashed(message="its process ended without a word"), force=True)
