"""Flows run for a command, in its process: Prefect's server, progress, and the result as a value."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from flows.execute import execute_harvest
from flows.prefect_ import environment as prefect_setup
from flows.prefect_.errors import prefect_failures, require_prefect
from flows.prefect_.server import server_for_workers
from flows.progress import TerminalControl
from pipeline.errors import BmaProgressError
from pipeline.harvest.request import HarvestRequest
from pipeline.harvest.result import HarvestResult
from pipeline.settings import Settings
from pipeline.store.lock import check_free
from pipeline.store.writer import create_store

if TYPE_CHECKING:
    from flows.replay import Findings
    from flows.run_control import HarvestOutcome


def harvest_for_command(request: HarvestRequest) -> HarvestResult:
    """Run one harvest, as the setting `orchestrator` says; returns its result, published or held back.

    Raises BmaProgressError where it could not run, in one sentence.
    """
    settings, _ = request.load()  # a wrong request is refused before anything starts
    if settings.orchestrator == "none":
        with TerminalControl() as control:
            outcome = execute_harvest(request, control)
    else:
        outcome = _harvest_by_flow(request, settings)
    for warning in outcome.warnings:
        click.echo(f"bma-progress: {warning}", err=True)
    if outcome.result is None:
        raise BmaProgressError(outcome.message)
    return outcome.result


def _harvest_by_flow(request: HarvestRequest, settings: Settings) -> "HarvestOutcome":
    require_prefect()
    check_free(create_store(settings.data, settings.portal).root)
    home = prefect_setup.prepare(settings.data)
    if settings.runner == "local" and prefect_setup.uses_own_server() and "flows.harvest" not in sys.modules:
        how_long = "some seconds" if (home / "prefect.db").exists() else "about half a minute, the first time"
        click.echo(f"starting Prefect's server for this run ({how_long}) …", err=True)
    with server_for_workers(settings, home):
        from flows.harvest import harvest_outcome

        with TerminalControl() as control, control.active():
            return asyncio.run(harvest_outcome(request))


def run_backfill(
    requests: list[HarvestRequest], home: Path, hosts_at_once: int
) -> "list[tuple[Settings, HarvestOutcome]]":
    """Harvest several portals as one flow of flows; returns how each ended, in the order of the requests.

    home: the folder beside which Prefect keeps its state. Raises BmaProgressError where none could begin.
    """
    require_prefect()
    settings = [request.load()[0] for request in requests]
    for one in settings:
        check_free(create_store(one.data, one.portal).root)
    with server_for_workers(settings[0], prefect_setup.prepare(home)):
        from flows.backfill import backfill

        async def run() -> "list[HarvestOutcome]":
            state = await backfill(requests, hosts_at_once, return_state=True)
            return cast("list[HarvestOutcome]", await state.aresult(raise_on_failure=False))

        with prefect_failures(), TerminalControl() as control, control.active():
            outcomes = asyncio.run(run())
    return list(zip(settings, outcomes, strict=True))


def run_replay(store: Path | str, since: str | None, settings: Settings) -> "Findings":
    """What today's parser reads differently, by the workers of a Dask cluster; store: folder or address."""
    require_prefect()
    home = prefect_setup.prepare(settings.data)
    with server_for_workers(settings, home):
        try:
            from flows.replay import replay
        except ImportError:
            raise BmaProgressError("the dask runner needs more packages: pip install 'bma-progress[dask]'") from None
        with prefect_failures():
            found: Findings = replay(str(store), since, settings.dask_address)
    return found
