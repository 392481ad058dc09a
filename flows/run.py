"""Running harvests for a person: the embedded Prefect server, progress on a terminal, Ctrl-C, the demonstration."""

import asyncio
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, get_args

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from flows.prefect_ import environment as prefect_setup
from flows.prefect_.server import server_for_workers
from pipeline.compare.diff import states_differ
from pipeline.compare.formats import format_changes
from pipeline.errors import BmaProgressError
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.fetched import ErrorKind
from pipeline.harvest.request import HarvestRequest
from pipeline.harvest.run import HarvestResult, HarvestRun
from pipeline.settings import Settings
from pipeline.store.archive import Archive
from pipeline.store.layout import beside
from pipeline.store.lock import check_free
from pipeline.store.writer import create_store

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

    from flows.replay import Findings

    Ended = tuple[Settings, HarvestResult | None, str | None]


def run_harvest_flow(request: HarvestRequest) -> HarvestResult:
    """Run one harvest as a Prefect flow; returns its result, published or held back.

    Raises BmaProgressError where it could not run, in one sentence.
    """
    settings, _ = request.load()  # a wrong wish is told before anything is waited for
    check_free(create_store(settings.data, settings.portal).root)
    home = prefect_setup.prepare(settings.data)
    if settings.runner == "local" and prefect_setup.uses_own_server() and "flows.harvest" not in sys.modules:
        how_long = "some seconds" if (home / "prefect.db").exists() else "about half a minute, the first time"
        click.echo(f"starting Prefect's server for this run ({how_long}) …", err=True)
    with server_for_workers(settings, home):
        from flows import harvest as flow_module

        async def run() -> "State[Any]":
            state: State[Any] = await flow_module.harvest(request, return_state=True)
            return state

        with _Progress() as progress:
            flow_module.listen(settings.data, progress.show)
            state = asyncio.run(run())
    for warning in flow_module.WARNINGS.pop(flow_module.store_key(settings.data), ()):
        click.echo(f"bma-progress: {warning}", err=True)
    result = flow_module.RESULTS.pop(flow_module.store_key(settings.data), None)
    if result is None:
        raise BmaProgressError(state.message or f"the harvest ended in the state {state.name}; see runs/ in the store")
    return result


def run_backfill(requests: list[HarvestRequest], home: Path, hosts_at_once: int) -> "Iterator[Ended]":
    """Harvest several portals as one flow of flows; yields how each ended, in the order asked for.

    home: the folder beside which Prefect keeps its state. Raises BmaProgressError where none could be begun.
    """
    settings = [request.load()[0] for request in requests]
    for one in settings:
        check_free(create_store(one.data, one.portal).root)
    with server_for_workers(settings[0], prefect_setup.prepare(home)):
        from flows import harvest as flow_module
        from flows.backfill import backfill

        async def run() -> None:
            await backfill(requests, hosts_at_once, return_state=True)

        with _Progress() as progress:
            for one in settings:
                flow_module.listen(one.data, progress.show)
            asyncio.run(run())
    for one in settings:
        key = flow_module.store_key(one.data)
        yield one, flow_module.RESULTS.pop(key, None), flow_module.FAILURES.pop(key, None)


def run_replay(store: Path | str, since: str | None, settings: Settings) -> "Findings":
    """What today's parser reads otherwise, by the workers of a Dask cluster; store: folder or address."""
    home = prefect_setup.prepare(settings.data)
    with server_for_workers(settings, home):
        try:
            from flows.replay import replay
        except ImportError:
            raise BmaProgressError("the dask runner needs more packages: pip install 'bma-progress[dask]'") from None
        found: Findings = replay(str(store), since, settings.dask_address)
    return found


class _Progress:
    """A live line on a terminal, plain lines otherwise; the first Ctrl-C stops after the pages in hand."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._terminal = console.is_terminal
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.1f}/s, {task.fields[failed]} failed"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not self._terminal,
        )
        self._task = self._bar.add_task("fetching", total=None, rate=0.0, failed=0)
        self._nights: dict[Path, HarvestRun] = {}
        self._began = self._told = time.monotonic()

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._stop)
        self._bar.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.__exit__(*error)
        signal.signal(signal.SIGINT, self._before)

    def show(self, night: HarvestRun) -> None:
        """Take note of one more page done."""
        if not self._nights:
            self._began = time.monotonic()
        self._nights[night.folder] = night
        now = time.monotonic()
        if now - self._told < (0.25 if self._terminal else 30):
            return
        self._told = now
        counts: Counter[str] = sum((each.counts for each in self._nights.values()), Counter())
        done = counts.total()
        failed = sum(counts[kind] for kind in get_args(ErrorKind))
        left = sum(each.spool.counts()["pending"] for each in self._nights.values() if each.is_open)
        rate = done / max(now - self._began, 0.001)
        self._bar.update(self._task, completed=done, total=done + left, rate=rate, failed=failed)
        if not self._terminal:
            click.echo(f"{done:,} pages fetched, {left:,} left, {failed:,} failed, {rate:.1f}/s", err=True)

    def _stop(self, number: int, frame: object) -> None:
        if not self._nights or any(night.stop_requested for night in self._nights.values()):
            raise KeyboardInterrupt
        for night in self._nights.values():
            night.stop_requested = True
        click.echo("\nstopping after the pages in hand (Ctrl-C again: at once) …", err=True)


def run_demo(data: Path) -> None:
    """Three nights of the embedded portal, told in a person's words."""
    mark = beside(data, "is-a-demo")
    if (data / "store.json").exists():
        if not mark.exists():
            raise BmaProgressError(f"{data} holds a store that is no demo's; name another folder with --data")
        check_free(Archive(data).root)
        shutil.rmtree(data)
    elif data.exists() and any(data.iterdir()):
        raise BmaProgressError(f"{data} is not empty and holds no store; name another folder with --data")
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    with DemoPortal() as portal:
        click.echo(f"An embedded portal answers at {portal.url} with the pages of fixtures_html/.")
        for night in (1, 2, 3):
            portal.night = night
            # our own server on this machine: no need to be slow
            request = HarvestRequest(settings={"portal": portal.url, "data": str(data), "rate": 500.0})
            result = run_harvest_flow(request)
            if not result.published:
                raise BmaProgressError(f"night {night} was held back: {result.held_back}")
            told = ", ".join(
                f"{count} {outcome.replace('_', ' ')}" for outcome, count in sorted(result.outcomes.items())
            )
            click.echo(
                f"Night {night}: harvest {result.harvest_id} fetched {sum(result.outcomes.values())} pages: {told}."
            )
    store = Archive(data)
    ids = store.harvest_ids()
    click.echo(f"\nThe tables, in {data}/latest/:")
    for table in store.tables:
        click.echo(f"  {table + '.parquet':<30} {len(store.arrow(table)):>6,} rows")
    click.echo(f"\nWhat changed from the first night ({ids[0]}) to the last ({ids[-1]}):\n")
    click.echo(format_changes(states_differ(store, ids[0], ids[-1]), "table").decode(), nl=False)
    click.echo("\nIn a notebook:\n")
    click.echo(f'  import pandas as pd; pd.read_parquet("{data}/latest/projects.parquet")')
    click.echo(
        f"\nAnd then:\n\n  bma-progress report {ids[0]} {ids[-1]} --out report.html --data {data}\n"
        f"  bma-progress history 24000000-3051 --data {data}\n  bma-progress verify --deep --data {data}"
    )
