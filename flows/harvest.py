"""The harvest as a Prefect flow: order, batches, and what Prefect shows. Import it only where a flow runs."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect import flow, get_run_logger, task
from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, StateType
from prefect.context import FlowRunContext

from flows.notifications import notify_finished
from flows.prefect_.artifacts import publish_artifacts
from flows.prefect_.errors import PrefectFailedError, prefect_failures
from flows.prefect_.flow_runs import crash_orphaned_runs, harvest_since_due, name_flow_run
from flows.prefect_.notifications import with_secrets
from flows.prefect_.task_retries import is_worth_a_retry
from flows.run_control import HarvestOutcome, RunControl, active_control
from pipeline.errors import BmaProgressError, error_text, first_line, refused_by_machine
from pipeline.harvest.request import HarvestRequest
from pipeline.harvest.result import HarvestResult
from pipeline.harvest.run import HarvestRun
from pipeline.settings import Settings
from pipeline.store.writer import create_store, open_writer

if TYPE_CHECKING:
    from flows.dask.cluster import Cluster


@task(
    name="fetch batch",
    task_run_name="batch {number}",
    cache_policy=NO_CACHE,
    retries=1,
    retry_condition_fn=is_worth_a_retry,
    persist_result=False,
)
async def fetch_batch(run: HarvestRun, number: int, on_page: Callable[[], None]) -> dict[str, int]:
    """Fetch, parse and keep the next batch of pages; what was kept before a retry is not fetched again."""
    return dict(await run.fetch_batch(run.next_batch(), on_page))


@task(name="commit", cache_policy=NO_CACHE, persist_result=False)
def commit_harvest(run: HarvestRun) -> HarvestResult:
    """Check, commit and publish what was fetched."""
    return run.finish()


@flow(name="harvest", validate_parameters=True, persist_result=False)
async def harvest(request: HarvestRequest) -> State[HarvestOutcome]:
    """One harvest: discover, fetch in batches, parse, check, commit, publish.

    The state is Completed when the harvest is published, and else a failure with a name of its own: HeldBack when it must
    not replace the last one, CouldNotRun when nothing could be done, Interrupted after a stop. A scheduled run that starts
    after another harvest has begun since it was due ends as Skipped, so that a machine that slept through several runs
    makes up for them with one. The data of the state is a HarvestOutcome.
    """
    settings, _ = request.load()
    started: list[HarvestRun] = []
    try:
        outcome = await _harvest(request, started.append)
    except Exception as error:
        known = error if isinstance(error, BmaProgressError) else refused_by_machine(error, settings.data)
        message = str(known or f"a defect of the program ({type(error).__name__})")
        outcome = HarvestOutcome("CouldNotRun", message)
        if known is None:
            await _notify(settings, outcome, started)
            raise
    problems = await _notify(settings, outcome, started)
    for problem in problems:
        get_run_logger().warning(problem)
    state_type = StateType.COMPLETED if outcome.state in ("Completed", "Skipped") else StateType.FAILED
    data = replace(outcome, warnings=tuple(problems))
    return State(type=state_type, name=outcome.state, message=outcome.message, data=data)


async def _notify(settings: Settings, outcome: HarvestOutcome, started: list[HarvestRun]) -> list[str]:
    settings, problems = await with_secrets(settings)
    harvest_id = started[0].harvest_id if started else None
    return problems + await asyncio.to_thread(notify_finished, settings, outcome, harvest_id)


async def harvest_outcome(request: HarvestRequest) -> HarvestOutcome:
    """Run the flow in this process; returns how it ended, whatever failed."""
    try:
        with prefect_failures():
            state: State[Any] = await harvest(request, return_state=True)
            data = await state.aresult(raise_on_failure=False)
    except PrefectFailedError as error:
        return HarvestOutcome("CouldNotRun", str(error))
    if isinstance(data, HarvestOutcome):
        return data
    return HarvestOutcome(
        "CouldNotRun",
        f"the harvest failed by a defect of the program ({first_line(data)}); report it with its log in runs/",
    )


async def _harvest(request: HarvestRequest, on_start: Callable[[HarvestRun], None]) -> HarvestOutcome:
    settings, scope = request.load()
    with open_writer(create_store(settings.data, settings.portal).root) as store:
        with prefect_failures():
            await crash_orphaned_runs(store)
        if since := harvest_since_due(store):
            return HarvestOutcome("Skipped", f"{since} has begun since this run was due")
        run = HarvestRun.begin(settings, store, scope, resume=request.resume)
        on_start(run)
        try:
            return await _fetch_and_commit(run)
        except Exception as error:
            with suppress(OSError):  # the log cannot be written to a full disk either
                run.log("failed", reason=str(error) or type(error).__name__)
            raise
        finally:
            run.close()


async def _fetch_and_commit(run: HarvestRun) -> HarvestOutcome:
    control = active_control()
    with prefect_failures():
        await name_flow_run(run)
    with control.stops(run), _cluster(run) as cluster:
        async with run.connect(cluster.limiter if cluster else None):
            await _fetch_all(run, control, cluster)
    if run.stop_requested:
        left = run.spool.counts()["pending"]
        return HarvestOutcome("Interrupted", f"stopped with {left:,} pages left; the same command goes on from there")
    result = commit_harvest(run)
    unshown = ""
    try:
        await publish_artifacts(run, result)
    except Exception as error:  # noqa: BLE001 - the harvest is committed, whether or not Prefect can show it
        unshown = f" (not all of it could be shown here: {error_text(error)})"
    if result.published:
        return HarvestOutcome("Completed", f"published {result.harvest_id}{unshown}", result)
    return HarvestOutcome("HeldBack", f"{result.held_back}{unshown}", result)


async def _fetch_all(run: HarvestRun, control: RunControl, cluster: "Cluster | None") -> None:
    progress: UUID | None = None

    async def show_progress() -> None:
        nonlocal progress
        control.on_progress(run)
        counts = run.spool.counts()
        share = 100 * (1 - counts["pending"] / counts.total())
        with prefect_failures():
            if progress is None:
                progress = await acreate_progress_artifact(progress=share, description="pages fetched")
            else:
                await aupdate_progress_artifact(artifact_id=progress, progress=share)

    number = 0
    while run.next_pass():
        if cluster:
            await cluster.fetch(show_progress)
            continue
        while run.has_pages_left:
            number += 1
            await fetch_batch(run, number, lambda: control.on_progress(run))
            await show_progress()


@contextmanager
def _cluster(run: HarvestRun) -> "Iterator[Cluster | None]":
    """The Dask cluster where batches run, if the settings or the flow's own task runner name one."""
    context = FlowRunContext.get()
    given = context.task_runner if context and type(context.task_runner).__name__ == "DaskTaskRunner" else None
    if given is None and run.settings.runner == "local":
        yield None
        return
    try:
        from flows.dask.cluster import Cluster, dask_runner
    except ImportError:
        raise BmaProgressError("the dask runner needs more packages: pip install 'bma-progress[dask]'") from None
    if given is not None:
        yield Cluster(given, run)  # type: ignore[arg-type]
        return
    with dask_runner(run.settings.dask_address) as runner:
        yield Cluster(runner, run)
