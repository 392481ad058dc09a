"""Running harvests for a person: the embedded Prefect server, progress on a terminal, Ctrl-C, the demonstration."""

import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from flows import prefect_setup
from pipeline.harvest import HarvestResult, Night
from pipeline.request import HarvestRequest


def run_harvest(request: dict[str, Any], data: Path) -> tuple[HarvestResult | None, str]:
    """Run one harvest as a Prefect flow; returns its result, or None and a sentence that says why there is none.

    Raises BmaProgressError where it could not run.
    """
    HarvestRequest(**request).load()  # a wrong wish is told before anything is waited for
    home = prefect_setup.prepare(data)
    if prefect_setup.uses_own_server() and "flows.harvest" not in sys.modules:
        fresh = not (home / "prefect.db").exists()
        click.echo(f"starting Prefect's server for this run ({'about half a minute, the first time' if fresh else 'some seconds'}) …", err=True)
    from flows import harvest as flow_module

    with _progress(data) as show:
        flow_module.listen(data, show)
        state = asyncio.run(flow_module.harvest(HarvestRequest(**request), return_state=True))
    result = flow_module.RESULTS.pop(str(data.resolve()), None)
    if result is None and state.is_failed():
        asyncio.run(_raise(state))
    return result, state.message or "the harvest did not end"


async def _raise(state: Any) -> None:
    await state.aresult(raise_on_failure=True)


@contextmanager
def _progress(data: Path) -> Iterator[Any]:
    """A live line on a terminal, plain lines otherwise; the first Ctrl-C stops after the pages in hand."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    nights: list[Night] = []
    last = [time.monotonic()]
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failures]} failed"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    task = bar.add_task("fetching", total=None, failures=0)

    def show(night: Night, pages: int) -> None:
        if night not in nights:
            nights.append(night)
        done = sum(night.counts.values())
        failed = night.counts["transport"] + night.counts["status"]
        if console.is_terminal:
            total = done + night.spool.counts()["pending"] if done % 25 == 1 else None
            bar.update(task, completed=done, failures=failed, **({"total": total} if total else {}))
        elif time.monotonic() - last[0] > 30:
            last[0] = time.monotonic()
            left = night.spool.counts()["pending"]
            click.echo(f"{done:,} pages fetched, {left:,} left, {failed:,} failed", err=True)

    def stop(number: int, frame: object) -> None:
        if not nights or nights[-1].stop_requested:
            raise KeyboardInterrupt
        nights[-1].stop_requested = True
        click.echo("\nstopping after the pages in hand; the same command goes on from there (Ctrl-C again: at once)", err=True)

    before = signal.signal(signal.SIGINT, stop)
    try:
        with bar:
            yield show
    finally:
        signal.signal(signal.SIGINT, before)


def run_demo(data: Path) -> None:
    """Three nights of the embedded portal, told in a person's words."""
    import shutil

    from pipeline.difference import render, states_differ
    from pipeline.embedded_portal import EmbeddedPortal
    from pipeline.errors import BmaProgressError
    from pipeline.store import open_store

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
            request = {"settings": {"portal": portal.url, "data": str(data), "rate": 500.0, "concurrency": 4}}
            result, message = run_harvest(request, data)
            if result is None or not result.published:
                raise BmaProgressError(f"night {night} was not published: {result.held_back if result else message}")
            told = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in sorted(result.outcomes.items()))
            click.echo(f"Night {night}: harvest {result.harvest_id} fetched {sum(result.outcomes.values())} pages: {told}.")
    store = open_store(data)
    ids = store.harvest_ids()
    click.echo(f"\nThe tables, in {data}/latest/:")
    for table in store.tables:
        click.echo(f"  {table + '.parquet':<30} {len(store.arrow(table)):>6,} rows")
    click.echo(f"\nWhat changed from the first night ({ids[0]}) to the last ({ids[-1]}):\n")
    click.echo(render(states_differ(store, ids[0], ids[-1]), "table").decode(), nl=False)
    click.echo("\nIn a notebook:\n")
    click.echo(f'  import pandas as pd; pd.read_parquet("{data}/latest/projects.parquet")')
    click.echo(f"\nAnd then:\n\n  bma-progress history 24000000-3051 --data {data}\n  bma-progress verify --deep --data {data}")
    sys.stdout.flush()
