"""Commands that harvest: harvest, backfill, serve, demo."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli.options import (
    EPILOG,
    AdvancedCommand,
    AdvancedOption,
    AdvancedSettingOption,
    SettingOption,
    check_runner,
    dask_option,
    data_option,
    demo_data_option,
    orchestrator_option,
    portal_option,
    runner_option,
)
from flows.cli.output import counts_text
from flows.startup import import_httpx_without_its_command
from pipeline.plain_text import complain, say

if TYPE_CHECKING:
    from pipeline.harvest.request import HarvestRequest


@click.command(
    cls=AdvancedCommand,
    epilog=f"Exit status: 0 published, 1 held back (what was published before stays), 2 could not run. {EPILOG}",
)
@portal_option
@data_option
@click.option(
    "--pages",
    "pages_file",
    type=click.Path(path_type=Path),
    help="Only these: project or KPI codes or URLs, one a line.",
)
@click.option("--agencies", help="Only these agencies: codes of 8 or 4 digits, separated by commas.")
@click.option("--sample", type=click.IntRange(min=1), help="At most so many pages with records.")
@click.option("--resume/--fresh", default=True, help="Go on with an unfinished harvest (the default), or discard it.")
@click.option("--rate", cls=SettingOption, type=float, help="Requests a second; robots.txt may ask for fewer.")
@click.option("--dry-run", is_flag=True, help="Show what would be fetched, and fetch nothing but robots.txt.")
@click.option(
    "--probe",
    cls=AdvancedOption,
    multiple=True,
    metavar="AGENCY:FROM-TO",
    help="Also try a range of serials, such as 50240000:3500-3600.",
)
@click.option(
    "--sweep",
    cls=AdvancedOption,
    multiple=True,
    metavar="AGENCY:FROM-TO",
    help="Ask for serials over many nights, such as 50010000:1-7200; city:1-300 for the city's indicators.",
)
@click.option("--concurrency", cls=AdvancedSettingOption, type=int, help="Requests under way at once.")
@click.option(
    "--no-robots", cls=AdvancedOption, is_flag=True, help="Do not read robots.txt: only with the portal's consent."
)
@orchestrator_option
@runner_option
@dask_option
def harvest(
    portal: str | None,
    data: Path | None,
    pages_file: Path | None,
    agencies: str | None,
    sample: int | None,
    probe: tuple[str, ...],
    sweep: tuple[str, ...],
    resume: bool,
    rate: float | None,
    concurrency: int | None,
    no_robots: bool,
    orchestrator: str | None,
    runner: str | None,
    dask_address: str | None,
    dry_run: bool,
) -> None:
    """One harvest: discover, fetch, parse, check, commit, publish.

    After a kill at any moment the next start goes on where it was and fetches nothing again that was kept.
    """
    from pipeline.harvest.portal import read_pages_file
    from pipeline.harvest.request import HarvestRequest
    from pipeline.operate.notify import unencrypted
    from pipeline.settings import load_settings

    given = {
        "portal": portal,
        "data": data,
        "rate": rate,
        "concurrency": concurrency,
        "sweep": sweep or None,
        "robots": False if no_robots else None,
        "orchestrator": orchestrator,
        "runner": runner,
        "dask_address": dask_address,
    }
    settings = load_settings(**given)
    check_runner(settings.runner, dask_address)
    chosen = {
        name: str(value) if isinstance(value, Path) else value for name, value in given.items() if value is not None
    }
    request = HarvestRequest(
        settings=chosen,
        pages=tuple(ref.url for ref in read_pages_file(pages_file, settings.portal)) if pages_file else (),
        agencies=tuple(code for code in (agencies or "").split(",") if code.strip()),
        sample=sample,
        probe=probe,
        resume=resume,
    )
    if dry_run:
        _show_plan(request)
        return
    if not settings.contact:
        complain(
            "no contact is set: the portal's people cannot reach you, and may block what they do not know; set contact to an "
            "e-mail or web address"
        )
    for sentence in unencrypted(settings):
        complain(sentence)
    import_httpx_without_its_command()
    from flows.run import harvest_runner
    from pipeline.harvest.run_report import report_text

    settings, _ = request.load()  # a wrong request is refused before anything starts
    with harvest_runner([settings]) as harvests:
        result, line = harvests.harvest(request)
    say(report_text(result, settings.portal) + line)
    sys.exit(0 if result.published else 1)


def _show_plan(request: "HarvestRequest") -> None:
    """What a harvest would fetch first; links found on the way lead further."""
    import asyncio
    from collections import Counter

    from pipeline.harvest.dry_run import dry_run

    settings, scope = request.load()
    planned = asyncio.run(dry_run(settings, scope, resume=request.resume))
    for _, ref in planned.pages:
        say(ref.url)
    for sentence in planned.words:
        say(sentence, err=True)
    for (source, kind), count in Counter((source, ref.kind) for source, ref in planned.pages).items():
        say(f"{count:,} pages of kind {kind} ({source})", err=True)
    if planned.more:
        say(f"{planned.more:,} pages with records that are found on the way", err=True)
    total = len(planned.pages) + planned.more
    how_long = f"{planned.seconds / 60:,.0f} minutes at one request every {planned.interval:.3g} s"
    more = "" if scope.pages or scope.sample else ", and the pages they link to"
    say(f"{total:,} pages, {how_long}{more}", err=True)


@click.command(epilog="Exit status: 0 all published, 1 some held back, 2 some could not run.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--hosts", default=4, type=click.IntRange(min=1), help="Hosts harvested at once.")
def backfill(file: Path, hosts: int) -> None:
    """Harvest several portals, each into its own store, as one flow of flows.

    FILE is TOML with one [[harvest]] table a portal: portal, data, and whatever else is to differ, such as rate, agencies
    or sample. Portals on one host take turns, so that it sees one rate.
    """
    from flows.run import harvest_runner
    from pipeline.harvest.backfill import read_backfill

    status = 0
    requests = read_backfill(file)
    several = [request.load()[0] for request in requests]
    with harvest_runner(several) as harvests:
        outcomes = harvests.backfill(requests, hosts)
    for settings, outcome in zip(several, outcomes, strict=True):
        where = f"{settings.data} ({settings.portal})"
        result = outcome.result
        if result is None:
            complain(f"{where}: could not run: {outcome.message}")
            status = 2
            continue
        state = "published" if result.published else f"HELD BACK: {result.held_back}"
        say(f"{where}: harvest {result.harvest_id} {state}: {counts_text(result.outcomes)}")
        status = max(status, 0 if result.published else 1)
    sys.exit(status)


@click.command(epilog=f"Exit status: 0 stopped, 2 could not run. {EPILOG}")
@portal_option
@data_option
@click.option("--cron", default="0 2 * * *", help="When to harvest: five fields, Bangkok time.")
@click.option(
    "--port",
    default=4200,
    type=click.IntRange(1, 65_535),
    help="Of the embedded Prefect server on this machine.",
)
def serve(portal: str | None, data: Path | None, cron: str, port: int) -> None:
    """Harvest every night, by a Prefect deployment, until stopped.

    Uses the Prefect server that PREFECT_API_URL names, or an embedded one. Harvests that were missed are made up for once.
    """
    from flows.serve import serve as serve_harvests
    from pipeline.harvest.request import HarvestRequest

    given = {name: str(value) for name, value in (("portal", portal), ("data", data)) if value is not None}
    serve_harvests(HarvestRequest(settings=given), cron, port)


@click.command()
@demo_data_option
def demo(data: Path) -> None:
    """Harvest three nights of a small portal on this machine, compare them, and show where everything is."""
    from flows.cli.demo import run_demo

    run_demo(data)
