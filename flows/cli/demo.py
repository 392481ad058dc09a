"""The demonstration: three harvests of the demo portal on this machine, compared."""

import shutil
from pathlib import Path

from flows.cli.output import counts_text
from flows.run import HarvestRunner, check_orchestrator, harvest_runner
from pipeline.compare.diff import states_differ
from pipeline.compare.formats import format_changes
from pipeline.errors import BmaProgressError
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.request import HarvestRequest
from pipeline.plain_text import say
from pipeline.settings import load_settings
from pipeline.store.archive import Archive
from pipeline.store.layout import beside
from pipeline.store.lock import check_free


def run_demo(data: Path) -> None:
    """Harvest three nights of the demo portal and show what changed. Raises BmaProgressError."""
    check_orchestrator(load_settings())
    _make_room(data)
    with DemoPortal() as portal:
        say(f"A small portal answers at {portal.url} with the pages of fixtures_html/.")
        # the demo portal runs on this machine: no need to be slow
        request = HarvestRequest(settings={"portal": portal.url, "data": str(data), "rate": 500.0})
        with harvest_runner([request.load()[0]]) as runner:
            for portal.night in (1, 2, 3):
                _harvest_night(runner, request, portal.night)
    _show_store(Archive(data), data)


def _harvest_night(runner: HarvestRunner, request: HarvestRequest, night: int) -> None:
    result, _ = runner.harvest(request)
    if not result.published:
        raise BmaProgressError(f"night {night} was held back: {result.held_back}")
    # skipped: pages that the portal never had are requested on one day of the week
    fetched = {outcome: count for outcome, count in result.outcomes.items() if outcome != "skipped"}
    say(f"Night {night}: harvest {result.harvest_id} fetched {sum(fetched.values())} pages: {counts_text(fetched)}.")


def _make_room(data: Path) -> None:
    """Delete the store of an earlier demonstration; any other content is refused."""
    mark = beside(data, "is-a-demo")
    if (data / "store.json").exists():
        if not mark.exists():
            raise BmaProgressError(f"{data} holds a store that is no demo's; name another folder with --data")
        check_free(data)
        shutil.rmtree(data)
    elif data.exists() and any(data.iterdir()):
        raise BmaProgressError(f"{data} is not empty and holds no store; name another folder with --data")
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()


def _show_store(store: Archive, data: Path) -> None:
    first, *_, last = store.harvest_ids()
    say(f"\nThe tables, in {data}/latest/:")
    for table in store.tables:
        say(f"  {table + '.parquet':<30} {len(store.arrow(table)):>6,} rows")
    say(f"\nWhat changed from the first night ({first}) to the last ({last}):\n")
    say(format_changes(states_differ(store, first, last), "table").decode(), nl=False)
    say("\nIn a notebook:\n")
    say(f'  import pandas as pd; pd.read_parquet("{data}/latest/projects.parquet")')
    say(
        f"\nAnd then:\n\n  bma-progress report {first} {last} --out report.html --data {data}\n"
        f"  bma-progress browse --data {data}\n  bma-progress history 24000000-3051 --data {data}\n"
        f"  bma-progress verify --deep --data {data}"
    )
