"""The command that looks at a portal before the first harvest: probe."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli.options import OUT_FILE, portal_option
from pipeline.plain_text import say, say_json

if TYPE_CHECKING:
    from pipeline.harvest.probe_result import Probe, ProbedPage

_LINES = 5  # findings, and unclaimed lines, that are printed of a page; the JSON has all


@click.command(
    epilog="Exit status: 0 a harvest may follow, 1 something has to be looked at first, 2 the portal could not be asked."
)
@portal_option
@click.option("--count", type=click.IntRange(1, 500), default=20, help="Pages with records to look at.")
@click.option("--out", type=OUT_FILE, help="Folder that keeps the bytes of the pages for `parse`, and probe.json.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text")
def probe(portal: str | None, count: int, out: Path | None, style: str) -> None:
    """A first look at a portal: it harvests nothing, and no store is written.

    Reads robots.txt, the start page and some lists, and COUNT pages of different kinds and agencies. Says of each what the
    parser makes of it, and what to do next. Takes a minute or two at one request a second.
    """
    import asyncio

    import orjson

    from pipeline.harvest.probe import probe as look
    from pipeline.settings import load_settings

    result = asyncio.run(look(load_settings(portal=portal), count, out))
    if style == "json":
        say_json(orjson.dumps(result.document(), option=orjson.OPT_INDENT_2))
    else:
        _show(result)
    sys.exit(0 if result.is_good else 1)


def _show(result: "Probe") -> None:
    from pipeline.terminal import one_line

    say(f"A look at {result.portal}, {result.seconds:,.0f} s:\n")
    for sentence in result.robots:
        say(sentence)
    for title, pages in (("Menus", result.menus), ("Lists", result.lists), ("Pages", result.pages)):
        say(f"\n{title}")
        for page in pages:
            _show_page(page)
    found = ", ".join(f"{number:,} {kind.replace('_', ' ')}" for kind, number in sorted(result.found.items()))
    say(f"\nMenus and lists lead to: {found or 'nothing'}.\n\nWhat to do next")
    for sentence in result.advice:
        say(f"  - {one_line(sentence, 400)}")


def _show_page(page: "ProbedPage") -> None:
    from pipeline.terminal import one_line

    verdict = page.error or (page.verdict or "read").replace("_", " ")
    status = "-" if page.http_status is None else str(page.http_status)
    links = ", ".join(f"{number:,} {kind.replace('_', ' ')}" for kind, number in sorted(page.links.items()))
    facts = [
        f"{status} {one_line(verdict, 100)}",
        f"{page.bytes:,} bytes, {page.encoding or '-'}, {page.seconds:.2f} s",
    ]
    facts += [f"leads to {links}"] if links and page.kind in ("start", "result_list") else []
    facts += [f"year {page.fiscal_year_be}"] if page.fiscal_year_be else []
    facts += [page.file] if page.file else []
    say(f"  {page.url}\n    {'; '.join(facts)}")
    for finding in page.findings[:_LINES]:
        say(f"    {finding['severity']}: {finding['rule']}: {one_line(finding['printed'], 80)}")
    if page.verdict == "not_found":
        return
    for line in page.unclaimed[:_LINES]:
        say(f"    unclaimed: {one_line(line, 80)}")
    more = max(0, len(page.findings) - _LINES), max(0, len(page.unclaimed) - _LINES)
    if any(more):
        say(f"    … and {more[0]:,} findings and {more[1]:,} unclaimed lines more")
