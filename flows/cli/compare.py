"""Commands that compare states: diff, report, history."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click

from flows.cli.completion import codes, nights
from flows.cli.options import OUT_FILE, data_option
from flows.cli.output import remark, write_file
from flows.cli.stores import named_store
from pipeline.errors import BmaProgressError
from pipeline.plain_text import complain, say, say_bytes, say_json

if TYPE_CHECKING:
    from pipeline.compare.diff import Comparison

_STATES: Final = (
    "A and B are each a harvest's id, a day (the last harvest on or before it), latest or previous; or a folder: of exported"
    " Parquet files, or of a store, as it is or as of a harvest, such as data/dp1@2026-11-20."
)


@click.command(
    epilog="Exit status: 0 no difference, 1 differences, 2 trouble.", help=f"Compare two states.\n\n{_STATES}"
)
@click.argument("before", metavar="A", shell_complete=nights)
@click.argument("after", metavar="B", shell_complete=nights)
@data_option
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json", "csv", "parquet", "html"]),
    default="table",
    help="html is the page that `report` writes.",
)
@click.option("--out", type=OUT_FILE, help="Write to this file instead of standard output.")
@click.option("--meaning", "meanings", multiple=True, help="Only this meaning or detail; may be repeated.")
@click.option(
    "--agency", "agencies", multiple=True, help="Only this agency, by 8 digits or the first 4; may be repeated."
)
@click.option("--code", "codes", multiple=True, help="Only this project or indicator; may be repeated.")
@click.option("--summary", is_flag=True, help="Only counts, as table or json.")
@click.option("--limit", type=click.IntRange(min=1), help="Only so many differences, the most severe ones.")
def diff(
    before: str,
    after: str,
    data: Path | None,
    style: str,
    out: Path | None,
    meanings: tuple[str, ...],
    agencies: tuple[str, ...],
    codes: tuple[str, ...],
    summary: bool,
    limit: int | None,
) -> None:
    """Compare two states."""
    from pipeline.compare.formats import changes_on_terminal, format_changes, format_summary
    from pipeline.compare.selection import most_severe, select
    from pipeline.terminal import show, terminal_width

    comparison = _compare(before, after, data, contacts=style != "html")
    if style == "parquet" and not out:
        raise BmaProgressError("a Parquet file goes to a file; name one with --out")
    if summary and style not in ("table", "json"):
        raise BmaProgressError(f"counts come as table or json, not as {style}; leave out --summary or --format")
    comparison.changes = select(comparison.changes, meanings=meanings, agencies=agencies, codes=codes)
    number = len(comparison.changes)
    if limit and not summary:
        comparison.changes = most_severe(comparison.changes, limit)
    on_terminal = not out and style == "table" and not summary and sys.stdout.isatty()
    content = b""
    if not on_terminal:
        changes = comparison.changes
        content = (
            format_summary(changes, style)
            if summary
            else format_changes(changes, style)
            if style != "html"
            else _one_page(comparison)
        )
    if out:
        write_file(out, content)
    _say_what_was_compared(comparison)
    if on_terminal:
        show(changes_on_terminal(comparison.changes, terminal_width()))
    elif not out:
        _print(content, style)
    if len(comparison.changes) < number:
        remark(f"shown are the {len(comparison.changes):,} most severe of {number:,} differences")
    for left_out in comparison.uncompared if style != "html" else ():
        several = f"{left_out.number:,} " if left_out.number > 1 else ""
        remark(f"not fully compared, {left_out.snapshot}: {several}{left_out.what}: {left_out.why}")
    sys.exit(1 if number else 0)


def _print(content: bytes, style: str) -> None:
    if style == "table":
        say(content.decode(), nl=False)
    elif style == "json":
        say_json(content)
    else:
        say_bytes(content)


def _say_what_was_compared(comparison: "Comparison") -> None:
    before, after = comparison.before, comparison.after
    if before.title == after.title:
        complain(f"both sides are {before.title}: nothing can differ")
    else:
        remark(f"compared A, {before.title}, with B, {after.title}")


@click.command(
    epilog="Exit status: 0 the report is written, 2 trouble.",
    help=f"The audit report of two states: A and B, by default previous and latest.\n\n{_STATES}",
)
@click.argument("states", metavar="[A B]", nargs=-1, shell_complete=nights)
@click.option(
    "--out",
    required=True,
    type=OUT_FILE,
    help="The file to write: HTML, with further pages beside it where there are many changes; or PDF, by its name.",
)
@click.option(
    "--silent",
    "silent_days",
    show_default="90",
    type=click.IntRange(min=1),
    help="List the projects not reported for more than so many days.",
)
@click.option("--lang", type=click.Choice(["th", "en"]), default="th", help="Its language.")
@data_option
def report(
    states: tuple[str, ...], out: Path, silent_days: int | None, lang: Literal["th", "en"], data: Path | None
) -> None:
    """Write the audit report."""
    if len(states) not in (0, 2):
        raise click.UsageError("name both states, A and B, or neither: previous and latest are then compared")
    before, after = states or ("previous", "latest")
    comparison = _compare(before, after, data, contacts=False)
    written = _write_report(comparison, out, silent_days, lang)
    number = len(comparison.changes)
    differences = "no difference" if not number else f"{number:,} {'difference' if number == 1 else 'differences'}"
    pages = f" on {written} pages, the others beside it" if written > 1 else ""
    say(f"{out}: {differences} between {comparison.before.title} and {comparison.after.title}{pages}")


def _one_page(comparison: "Comparison") -> bytes:
    from pipeline.publish.report import report_html  # its templates take time to load, and most comparisons need none

    return report_html(comparison).encode()


def _write_report(comparison: "Comparison", out: Path, silent_days: int | None, lang: Literal["th", "en"]) -> int:
    """Write the report as HTML or, where the file's name says so, as PDF; returns how many files."""
    from pipeline.publish.pdf import pdf_of
    from pipeline.publish.report import first_page, report_pages
    from pipeline.schema.project_overview import SILENT_DAYS

    days = SILENT_DAYS if silent_days is None else silent_days
    if out.suffix.lower() == ".pdf":
        html, left_out = first_page(comparison, silent_days=days, lang=lang)
        write_file(out, pdf_of(html))
        if left_out:
            remark(f"{out} leaves out the {left_out:,} least severe changes; a report written as .html has them all")
        return 1
    written = 0
    for name, html in report_pages(comparison, out.name, silent_days=days, lang=lang):
        write_file(out.parent / name, html.encode())
        written += 1
    return written


def _compare(before: str, after: str, data: Path | None, *, contacts: bool = True) -> "Comparison":
    from pipeline.compare.diff import compare_snapshots
    from pipeline.compare.inputs import open_snapshot
    from pipeline.settings import load_settings

    settings = load_settings()
    snapshots = [open_snapshot(text, lambda: named_store(data)) for text in (before, after)]
    return compare_snapshots(*snapshots, contacts=contacts and settings.publish_contacts)


@click.command()
@click.argument("code", shell_complete=codes)
@data_option
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table")
def history(code: str, data: Path | None, style: str) -> None:
    """Every version of one project or KPI, with what changed."""
    from pipeline.compare.timeline import timeline_json, timeline_text
    from pipeline.settings import load_settings

    write = timeline_json if style == "json" else timeline_text
    text = write(named_store(data), code, contacts=load_settings().publish_contacts)
    if style == "json":
        say_json(text.encode())
    else:
        say(text, nl=False)
