"""Harvests run for a command, in its process: with progress, and reported to Prefect where that is wanted."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flows.events import Listener
from flows.execute import execute_harvests
from flows.prefect_.errors import require_prefect
from flows.prefect_.reporter import PrefectReporter
from flows.run_control import HarvestOutcome
from flows.terminal_control import TerminalControl
from pipeline.errors import BmaProgressError, dask_is_missing
from pipeline.harvest.request import HarvestRequest
from pipeline.harvest.result import HarvestResult
from pipeline.plain_text import complain
from pipeline.settings import Settings
from pipeline.store.lock import check_free
from pipeline.store.writer import create_store

if TYPE_CHECKING:
    from flows.dask.replay import Findings


class HarvestRunner:
    """Runs the harvests of a command, and reports them to Prefect where there is a reporter."""

    def __init__(self, reporter: PrefectReporter | None) -> None:
        self._reporter = reporter

    def harvest(self, request: HarvestRequest) -> tuple[HarvestResult, str]:
        """Run one harvest; returns its result, published or held back, and its line for the journal.

        Raises BmaProgressError where it could not run, in one sentence.
        """
        (outcome,) = self._run("harvest", [request], 1)
        for warning in outcome.warnings:
            complain(warning)
        if outcome.result is None:
            raise BmaProgressError(outcome.message)
        return outcome.result, outcome.line

    def backfill(self, requests: list[HarvestRequest], hosts_at_once: int) -> list[HarvestOutcome]:
        """Harvest several portals; returns how each ended, in the order of the requests."""
        return self._run("backfill", requests, hosts_at_once)

    def _run(self, flow: str, requests: list[HarvestRequest], hosts_at_once: int) -> list[HarvestOutcome]:
        reporter = self._reporter
        listeners = reporter.open(flow, requests, hosts_at_once) if reporter else [Listener() for _ in requests]
        with TerminalControl() as control:
            outcomes = asyncio.run(execute_harvests(requests, hosts_at_once, control, listeners))
        if reporter:
            reporter.stopped = any(outcome.state == "Interrupted" for outcome in outcomes)
        return outcomes


def check_orchestrator(settings: Settings) -> None:
    """Raise BmaProgressError where Prefect is wanted and not installed."""
    if settings.orchestrator == "prefect":
        require_prefect()


@contextmanager
def harvest_runner(settings: list[Settings]) -> Iterator[HarvestRunner]:
    """Gives what runs the harvests of one command; at the end it waits until Prefect shows them.

    settings: of each store that is written to. Raises StoreBusyError where another process writes to one, and
    BmaProgressError where Prefect is wanted and not installed.
    """
    first = settings[0]
    check_orchestrator(first)
    for one in settings:
        check_free(create_store(one.data, one.portal).root)
    if first.orchestrator == "none":
        yield HarvestRunner(None)
    else:
        with PrefectReporter(first, complain) as reporter:
            yield HarvestRunner(reporter)


def run_replay(store: Path | str, since: str | None, settings: Settings) -> "Findings":
    """What today's parser reads differently, by the workers of a Dask cluster; store: folder or address."""
    try:
        from flows.dask.replay import replay
    except ImportError:
        raise dask_is_missing() from None
    place = store if isinstance(store, str) and "://" in store else Path(store).resolve()  # workers have other folders
    return replay(str(place), since, settings.dask_address)
