"""The harvest as a Prefect flow. Import it only where a flow runs.

The flow shows a harvest that runs on its own, in a thread of this process or in another process: nothing that happens to
Prefect reaches it. Where somebody else runs the harvest, `follow` names the queue with what it says; else the flow runs it.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, StateType
from prefect.context import FlowRunContext
from prefect.runtime import deployment

from flows.events import BatchBegun, BatchDone, Begun, CommitBegun, Ended, Event, Listener
from flows.journal import journal_line, write_journal
from flows.prefect_.artifacts import Progress, publish_artifacts
from flows.prefect_.flow_runs import due_time, harvest_since_due, show_begun
from flows.prefect_.secret_blocks import with_secrets
from flows.run_control import HarvestOutcome, RunControl
from pipeline.errors import BmaProgressError, error_text
from pipeline.harvest.request import HarvestRequest
from pipeline.settings import Settings

Events = asyncio.Queue[Event]


@task(name="fetch batch", task_run_name="batch {number}", cache_policy=NO_CACHE, persist_result=False)
async def fetch_batch(events: Events, number: int) -> Event:
    """A batch of pages is fetched, parsed and saved; returns what ended it."""
    return await events.get()


@task(name="commit", cache_policy=NO_CACHE, persist_result=False)
async def commit_harvest(events: Events) -> Event:
    """What was fetched is checked, committed and published; returns what ended that."""
    return await events.get()


@flow(name="harvest", validate_parameters=True, persist_result=False)
async def harvest(request: HarvestRequest) -> State[HarvestOutcome]:
    """One harvest: discover, fetch in batches, parse, check, commit, publish.

    The state is Completed when the harvest is published, and else a failure with a name of its own: HeldBack when it must
    not replace the last one, CouldNotRun when nothing could be done, Interrupted after a stop. A scheduled run that starts
    after another harvest has begun since it was due ends as Skipped, so that a machine that slept through several runs
    makes up for them with one. The data of the state is a HarvestOutcome.
    """
    if followed := _followed.get():
        return _state(await _show(followed[0]))
    try:
        if deployment.id:  # a run of a service, which somebody else may have started
            request.check_narrows()
        request = _with_task_runner(request)
        settings, _ = request.load()
    except BmaProgressError as error:
        return _not_begun(HarvestOutcome("CouldNotRun", str(error)), "the portal")
    request = replace(request, due=due_time())
    from pipeline.store.writer import create_store

    if since := harvest_since_due(create_store(settings.data, settings.portal)):
        skipped = HarvestOutcome("Skipped", f"{since} has begun since this run was due")
        return _not_begun(skipped, settings.portal)
    async with harvests_in_thread([request], 1) as (events,):
        return _state(await _show(events))


@contextmanager
def follow(events: Sequence[Events]) -> Iterator[None]:
    """Have the flows called inside show harvests that run elsewhere. events: what each of them says"""
    token = _followed.set(events)
    try:
        yield
    finally:
        _followed.reset(token)


def followed() -> Sequence[Events] | None:
    """What the harvests say that run elsewhere; None where a flow is to run them itself."""
    return _followed.get()


_followed: ContextVar[Sequence[Events] | None] = ContextVar("events of harvests elsewhere", default=None)


async def _show(events: Events) -> HarvestOutcome:
    """Show a harvest until its end; returns how it ended. What cannot be shown is left out."""
    progress = Progress()
    begun: Begun | None = None
    while True:
        event = await events.get()
        if isinstance(event, BatchBegun):
            event = await fetch_batch(events, event.number)
        if isinstance(event, CommitBegun):
            event = await commit_harvest(events)
        if isinstance(event, Ended):
            break
        with _left_out():
            if isinstance(event, Begun):
                begun = event
                await show_begun(begun)
            elif isinstance(event, BatchDone):
                await progress.show(event.percent)
    if begun and event.outcome.result:
        with _left_out():
            await publish_artifacts(begun.portal, event.outcome.result, event.changes)
    return event.outcome


@contextmanager
def _left_out() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever happens to Prefect, the harvest goes on
        get_run_logger().warning("not shown: %s", error_text(error))


def _not_begun(outcome: HarvestOutcome, portal: str) -> State[HarvestOutcome]:
    write_journal(replace(outcome, line=journal_line(portal, outcome, None)))
    return _state(outcome)


def _state(outcome: HarvestOutcome) -> State[HarvestOutcome]:
    state_type = StateType.COMPLETED if outcome.state in ("Completed", "Skipped") else StateType.FAILED
    if outcome.state == "Killed":
        state_type = StateType.CRASHED
    return State(type=state_type, name=outcome.state, message=outcome.message, data=outcome)


class _Here(Listener):
    """Sends the events of a harvest in this thread to the flow, in another's event loop; writes its end to the journal."""

    def __init__(self, secrets: tuple[Settings, list[str]]) -> None:
        self.events: Events = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._secrets = secrets

    def on_event(self, event: Event) -> None:
        """Put it into the queue, unless the flow has ended already."""
        if isinstance(event, Ended):
            write_journal(event.outcome)
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.events.put_nowait, event)

    def with_secrets(self, settings: Settings) -> tuple[Settings, list[str]]:
        """The settings as they were read when the flow began."""
        return self._secrets


@asynccontextmanager
async def harvests_in_thread(requests: list[HarvestRequest], hosts_at_once: int) -> AsyncIterator[list[Events]]:
    """Run harvests in a thread, which goes on to their end; SIGTERM stops them. Gives what each of them says."""
    listeners = [_Here(await with_secrets(request.load()[0])) for request in requests]
    from flows.execute import execute_harvests  # a flow that only shows a harvest needs no parser and no tables

    control = RunControl()
    work = partial(execute_harvests, requests, hosts_at_once, control, listeners)
    # no daemon: the process waits for it, whatever becomes of the flow
    thread = threading.Thread(target=lambda: asyncio.run(work()), name="harvest")
    with control.sigterm():
        thread.start()
        yield [listener.events for listener in listeners]


def _with_task_runner(request: HarvestRequest) -> HarvestRequest:
    """The request with the Dask cluster that the flow's own task runner names (`harvest.with_options(task_runner=…)`)."""
    context = FlowRunContext.get()
    runner: Any = context.task_runner if context else None
    if type(runner).__name__ != "DaskTaskRunner":
        return request
    chosen = {"runner": "dask", "dask_address": runner.address or ""}
    return replace(request, settings=request.settings | chosen)
