"""The nightly harvest as a Prefect flow: order, batches, and what Prefect shows. Import it only where a flow runs."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect import flow, get_client, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import State, StateType
from prefect.context import get_run_context
from prefect.states import Cancelled, Completed, Crashed

from pipeline.harvest import HarvestResult, Night
from pipeline.request import HarvestRequest
from pipeline.run_report import report_text
from pipeline.store import Store

_NIGHTS: dict[str, Night] = {}
"""The harvests under way in this process, by id: a batch needs the night's one client."""

_LISTENERS: dict[str, Callable[[Night, int], None]] = {}
"""Who wants to be told of pages done (night, pages), by the store's folder."""

RESULTS: dict[str, HarvestResult] = {}
"""Results of the harvests of this process, by the store's folder."""


def listen(store: Path, listener: Callable[[Night, int], None]) -> None:
    """Have a listener told of every page done in the harvests of a store."""
    _LISTENERS[str(store.resolve())] = listener


@task(name="fetch batch", task_run_name="batch {number}", cache_policy=NO_CACHE, retries=1, persist_result=False)
async def fetch_batch(harvest_id: str, number: int, pages: int) -> dict[str, int]:
    """Fetch, parse and keep the next batch of pages; what was kept before a retry is not fetched again."""
    night = _NIGHTS[harvest_id]
    listener = _LISTENERS.get(str(night.store.root.resolve()), lambda night, pages: None)
    batch = night.next_batch()
    counts = await night.fetch_batch(batch, lambda: listener(night, 1))
    return dict(counts)


@task(name="commit", cache_policy=NO_CACHE, persist_result=False)
def commit_night(harvest_id: str) -> bool:
    """Check, commit and publish what was fetched; returns whether it was published."""
    night = _NIGHTS[harvest_id]
    result = night.finish()
    RESULTS[str(night.store.root.resolve())] = result
    return result.published


@flow(name="harvest", validate_parameters=True, persist_result=False)
async def harvest(request: HarvestRequest) -> State[Any]:
    """One harvest: discover, fetch in batches, parse, check, commit, publish.

    Ends Completed when it is published, in the state HeldBack (a failure) when it is not, Interrupted after a stop.
    """
    settings, scope = request.load()
    store = Store.create(settings.data, settings.portal)
    with store.writer():
        await _sweep_zombies(store)
        night = Night.begin(settings, store, scope, resume=request.resume)
        _NIGHTS[night.harvest_id] = night
        try:
            await _name_run(settings.portal, night.harvest_id)
            async with night.connect():
                await _fetch_all(night)
            if night.stop_requested:
                left = night.spool.counts()["pending"]
                return Cancelled(message=f"stopped with {left} pages left; the next start goes on from there")
            await _in_thread(commit_night, night.harvest_id)
            result = RESULTS[str(store.root.resolve())]
            await _show(result, settings.portal)
            if result.published:
                return Completed(message=f"published {result.harvest_id}")
            return State(type=StateType.FAILED, name="HeldBack", message=result.held_back)
        finally:
            night.close()
            _NIGHTS.pop(night.harvest_id, None)


async def _fetch_all(night: Night) -> None:
    number = 0
    for second_pass in (False, True):
        if second_pass and not night.spool.retry_failed():
            return
        while batch := night.next_batch():
            number += 1
            await fetch_batch(night.harvest_id, number, len(batch))


async def _in_thread(work: Any, *arguments: Any) -> Any:
    # a synchronous task called from an asynchronous flow runs here; committing is one task, nothing else waits
    return work(*arguments)


async def _name_run(portal: str, harvest_id: str) -> None:
    context = get_run_context()
    async with get_client() as client:
        name = f"{portal.split('//')[-1]} {harvest_id}"
        await client.update_flow_run(context.flow_run.id, name=name)  # type: ignore[union-attr]


async def _sweep_zombies(store: Store) -> None:
    """Mark runs of this store that a kill left Running as crashed: we hold the store's lock, so none of them lives."""
    tag = _tag(store)
    context = get_run_context()
    mine = context.flow_run  # type: ignore[union-attr]
    async with get_client() as client:
        await client.update_flow_run(mine.id, tags=[*mine.tags, tag])
        running = FlowRunFilter.model_validate(
            {"tags": {"all_": [tag]}, "state": {"type": {"any_": ["RUNNING", "PENDING"]}}}
        )
        for run in await client.read_flow_runs(flow_run_filter=running):
            if run.id != mine.id:
                get_run_logger().warning("the run %s was killed; it is marked as crashed", run.name)
                await client.set_flow_run_state(run.id, Crashed(message="its process ended without a word"), force=True)


def _tag(store: Store) -> str:
    return "store-" + hashlib.sha256(str(store.root.resolve()).encode()).hexdigest()[:12]


async def _show(result: HarvestResult, portal: str) -> None:
    """The coverage and the report as artifacts of the run."""
    rows = [
        {name: getattr(group, name) for name in ("kind", "agency_code", "expected", "fetched", "ok", "suspect", "failed")}
        for group in result.coverage
        if group.expected or group.ok or group.failed
    ]
    await create_table_artifact(table=rows, key="coverage", description=f"Coverage of {result.harvest_id}")  # type: ignore[misc]
    text = f"```\n{report_text(result, portal)}```"
    await create_markdown_artifact(markdown=text, key="report", description=f"Report of {result.harvest_id}")  # type: ignore[misc]
