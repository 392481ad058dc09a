"""Running harvests for a person: the embedded Prefect server, progress on a terminal, Ctrl-C, the demonstration."""

import asyncio
import shutil
import signal
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, get_args
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from flows import prefect_setup
from flows.server import prefect_server
from pipeline.client import ErrorKind
from pipeline.difference import states_differ
from pipeline.embedded_portal import EmbeddedPortal
from pipeline.errors import BmaProgressError
from pipeline.harvest import HarvestResult, Night
from pipeline.render import render
from pipeline.request import HarvestRequest
from pipeline.settings import Settings
from pipeline.store import Store

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State


def run_harvest(request: HarvestRequest) -> HarvestResult:
    """Run one harvest as a Prefect flow; returns its result, published or held back.

    Raises BmaProgressError where it could not run, in one sentence.
    """
    settings, _ = request.load()  # a wrong wish is told before anything is waited for
    Store.create(settings.data, settings.portal).check_free()
    home = prefect_setup.prepare(settings.data)
    if settings.runner == "local" and prefect_setup.uses_own_server() and "flows.harvest" not in sys.modules:
        how_long = "some seconds" if (home / "prefect.db").exists() else "about half a minute, the first time"
        click.echo(f"starting Prefect's server for this run ({how_long}) …", err=True)
    with _server_for_workers(settings, home):
        from flows import harvest as flow_module

        async def run() -> "State[Any]":
            state: State[Any] = await flow_module.harvest(request, return_state=True)
            return state

        with _Progress() as progress:
            flow_module.listen(settings.data, progress.show)
            state = asyncio.run(run())
    result = flow_module.RESULTS.pop(flow_module.store_key(settings.data), None)
    if result is None:
        raise BmaProgressError(state.message or f"the harvest ended in the state {state.name}; see runs/ in the store")
    return result


def _server_for_workers(settings: Settings, home: Path) -> AbstractContextManager[object]:
    """Prefect's server, where workers of a cluster have to reach it: the one for a single flow is not for others."""
    if settings.runner == "local":
        return nullcontext()
    host = urlsplit(settings.dask_address if "//" in settings.dask_address else f"//{settings.dask_address}").hostname
    if prefect_setup.uses_own_server() and host not in (None, "localhost", "127.0.0.1", "::1"):
        raise BmaProgressError(
            f"workers at {settings.dask_address} cannot reach a Prefect server on this machine's loopback; start one that "
            "they can reach and name it with PREFECT_API_URL"
        )
    return prefect_server(home)


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
        self._night: Night | None = None
        self._began = self._told = time.monotonic()

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._stop)
        self._bar.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.__exit__(*error)
        signal.signal(signal.SIGINT, self._before)

    def show(self, night: Night) -> None:
        """Take note of one more page done."""
        if self._night is None:
            self._night, self._began = night, time.monotonic()
        now = time.monotonic()
        if now - self._told < (0.25 if self._terminal else 30):
            return
        self._told = now
        done = night.counts.total()
        failed = sum(night.counts[kind] for kind in get_args(ErrorKind))
        left = night.spool.counts()["pending"]
        rate = done / max(now - self._began, 0.001)
        self._bar.update(self._task, completed=done, total=done + left, rate=rate, failed=failed)
        if not self._terminal:
            click.echo(f"{done:,} pages fetched, {left:,} left, {failed:,} failed, {rate:.1f}/s", err=True)

    def _stop(self, number: int, frame: object) -> None:
        if self._night is None or self._night.stop_requested:
            raise KeyboardInterrupt
        self._night.stop_requested = True
        click.echo("\nstopping after the pages in hand (Ctrl-C again: at once) …", err=True)


def run_demo(data: Path) -> None:
    """Three nights of the embedded portal, told in a person's words."""
    if (data / "store.json").exists():
        if '"portal": "http://127.0.0.1:' not in (data / "store.json").read_text(encoding="utf-8"):
            raise BmaProgressError(f"{data} holds the store of a real portal; name another folder with --data")
        shutil.rmtree(data)
    elif data.exists() and any(data.iterdir()):
        raise BmaProgressError(f"{data} is not empty and holds no store; name another folder with --data")
    with EmbeddedPortal() as portal:
        click.echo(f"An embedded portal answers at {portal.url} with the pages of fixtures_html/.")
        for night in (1, 2, 3):
            portal.night = night
            # our own server on this machine: no need to be slow
            request = HarvestRequest(settings={"portal": portal.url, "data": str(data), "rate": 500.0})
            result = run_harvest(request)
            if not result.published:
                raise BmaProgressError(f"night {night} was held back: {result.held_back}")
            told = ", ".join(
                f"{count} {outcome.replace('_', ' ')}" for outcome, count in sorted(result.outcomes.items())
            )
            click.echo(
                f"Night {night}: harvest {result.harvest_id} fetched {sum(result.outcomes.values())} pages: {told}."
            )
    store = Store(data)
    ids = store.harvest_ids()
    click.echo(f"\nThe tables, in {data}/latest/:")
    for table in store.tables:
        click.echo(f"  {table + '.parquet':<30} {len(store.arrow(table)):>6,} rows")
    click.echo(f"\nWhat changed from the first night ({ids[0]}) to the last ({ids[-1]}):\n")
    click.echo(render(states_differ(store, ids[0], ids[-1]), "table").decode(), nl=False)
    click.echo("\nIn a notebook:\n")
    click.echo(f'  import pandas as pd; pd.read_parquet("{data}/latest/projects.parquet")')
    click.echo(
        f"\nAnd then:\n\n  bma-progress report {ids[0]} {ids[-1]} --out report.html --data {data}\n"
        f"  bma-progress history 24000000-3051 --data {data}\n  bma-progress verify --deep --data {data}"
    )
