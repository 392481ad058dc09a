"""Commands that read one page or one state: parse, status, export, sql, dictionary."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli.completion import nights, queries
from flows.cli.options import OUT_FILE, SettingOption, data_option, documents_option
from flows.cli.output import readable, remark
from flows.cli.stores import named_catalog, named_store
from pipeline.errors import BmaProgressError, not_writable
from pipeline.plain_text import complain, say, say_json, say_utf8

if TYPE_CHECKING:
    from pipeline.operate.status import Condition
    from pipeline.settings import Settings
    from pipeline.store.catalog import Catalog

MAX_PAGE_BYTES = 16_000_000
"""No page of the portal comes near this size (the largest seen has some 100 kB)."""


@click.command(epilog="Exit status: 0 all pages are ok, 1 some are not, 2 a file could not be read.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--url", help="Where the page came from; a page that shows another record is then suspect.")
def parse(files: Sequence[Path], url: str | None) -> None:
    """Parse saved pages: one JSON document a line for each FILE (`-` is standard input).

    No network, no store. A document holds the page's kind, verdict, tables, findings and the lines no rule read.
    """
    import orjson

    from pipeline.harvest.bounded_parser import CostlyPageError, parse_bounded

    status = 0
    for file in files:
        try:
            page = parse_bounded(_read_page_file(file), url=url)
        except BmaProgressError as error:
            complain(str(error))
            status = 2
            continue
        except CostlyPageError as error:
            complain(f"{readable(file)}: {error}")
            status = 2
            continue
        say_json(orjson.dumps(page.document(readable(file))))
        if page.verdict != "ok":
            file = Path(readable(file))
            reasons = [finding for finding in page.findings if finding["severity"] == "error"]
            reason = f" ({reasons[0]['message']} {reasons[0]['printed'] or ''})".replace(" )", ")") if reasons else ""
            complain(f"{file}: the page is {page.verdict.replace('_', ' ')}{reason}")
            status = max(status, 1)
    sys.exit(status)


def _read_page_file(file: Path) -> bytes:
    if str(file) == "-":
        if sys.stdin is None:
            raise BmaProgressError("standard input is closed; pipe a page into it, or name a file")
        body = sys.stdin.buffer.read(MAX_PAGE_BYTES + 1)
    else:
        try:
            with file.open("rb") as stream:
                body = stream.read(MAX_PAGE_BYTES + 1)
        except IsADirectoryError:
            raise BmaProgressError(
                f"{file} is a directory; name the saved pages in it, for example {file}/*.html"
            ) from None
        except FileNotFoundError:
            raise BmaProgressError(f"{file} does not exist; check the name") from None
        except OSError as error:
            raise BmaProgressError(f"{file} cannot be read ({error.strerror}); check its permissions") from None
    if len(body) > MAX_PAGE_BYTES:
        raise BmaProgressError(
            f"{file} is larger than {MAX_PAGE_BYTES // 1_000_000} MB, so it is no page of the portal; give one saved page a file"
        )
    return body


@click.command(
    epilog="Exit status: 0 the last harvest is good; 1 it was held back, failed, is too old or damaged; 2 trouble."
)
@click.option("--format", "style", type=click.Choice(["text", "json", "prometheus"]), default="text")
@click.option("--late-hours", cls=SettingOption, type=float, help="How old the last published harvest may be.")
@click.option("--notify", is_flag=True, help="Also notify every way that the settings name, once for each event.")
@click.option("-v", "--verbose", is_flag=True, help="All of the newest report: coverage by agency, oddities, failures.")
@documents_option
def status(style: str, late_hours: float | None, notify: bool, verbose: bool, data: Path | None) -> None:
    """The last harvest, its coverage and its complaints; how stale the data is."""
    from pipeline.operate.status import condition, status_document, status_metrics, status_view
    from pipeline.settings import load_settings
    from pipeline.terminal import show_fields

    store = named_catalog(data)
    settings = load_settings(late_hours=late_hours)
    found = condition(store, settings.late_hours)
    if style == "json":
        import orjson

        say_json(orjson.dumps(status_document(store, found), option=orjson.OPT_INDENT_2))
    elif style == "prometheus":
        say_utf8(status_metrics(store, found))
    else:
        show_fields(status_view(store, found, verbose=verbose))
    if notify:
        _notify(store, found, settings)
    if not found.is_good:
        sys.exit(1)


def _notify(store: "Catalog", found: "Condition", settings: "Settings") -> None:
    from pipeline.operate.notify import event_of, send_event, sent_log, ways_of

    event = event_of(store, found)
    if event is None:
        return
    if not ways_of(settings):
        raise BmaProgressError(
            "no notification is set up; set notify_command or notify_urls, or BMA_PROGRESS_NOTIFY_WEBHOOK in the environment"
        )
    for problem in send_event(event, settings, sent_log(store.root), once=True):
        complain(problem)


@click.command()
@click.argument("when", shell_complete=nights)
@click.option("--out", required=True, type=OUT_FILE, help="New folder for the files.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "csv", "xlsx", "sqlite", "duckdb"]),
    default="parquet",
)
@data_option
def export(when: str, out: Path, form: str, data: Path | None) -> None:
    """Write the full tables as they stood at WHEN: a harvest's id, a day, latest or previous."""
    from pipeline.publish.export import export_state
    from pipeline.settings import load_settings

    harvest_id, notes = export_state(named_store(data), when, out, form, contacts=load_settings().publish_contacts)
    say(f"{out} holds the tables as of harvest {harvest_id}")
    for note in notes:
        remark(note)


@click.command()
@click.argument("query", nargs=-1, shell_complete=queries)
@click.option(
    "--when",
    default="latest",
    shell_complete=nights,
    help="A harvest's id, a day, latest or previous.",
)
@click.option("--format", "form", type=click.Choice(["table", "csv"]), default="table")
@data_option
def sql(query: tuple[str, ...], when: str, form: str, data: Path | None) -> None:
    """Query the tables as they stood at WHEN in SQL (DuckDB): one QUERY, or without one a session.

    `projects` is the table as of WHEN, `previous.projects` as of the harvest before, `"20261122T190000Z".projects` as
    of that one. The tables can only be read, and a query reaches no other file and no network. A session takes statements
    that end in a semicolon, from the keyboard or a pipe; `exit` or Ctrl-D ends it. In CSV a text that begins like a
    formula, or with an apostrophe, has an apostrophe before it.
    """
    if not query and sys.stdin is None:
        raise BmaProgressError("standard input is closed; name a query, or pipe statements into it")
    from pipeline.publish.sql import Session, read_statements
    from pipeline.publish.sql_prompt import line_reader
    from pipeline.settings import load_settings

    failed = False
    with Session(named_store(data), when, contacts=load_settings().publish_contacts, note=remark) as session:
        if query:  # a text in quotes, or words as tab completion writes them
            session.answer(" ".join(query), form, sys.stdout.buffer)
            return
        with line_reader() as read_line:
            for statement in read_statements(read_line):
                try:
                    session.answer(statement, form, sys.stdout.buffer)
                except BmaProgressError as error:  # the session goes on after an error
                    complain(str(error))
                    failed = True
    sys.exit(2 if failed and not sys.stdin.isatty() else 0)


@click.command()
@click.option("--out", type=OUT_FILE, required=True, help="Folder for the pages: Markdown (two) and HTML.")
@click.option("--like", metavar="CODE", help="Take examples from this project or indicator where it has some.")
@data_option
def dictionary(out: Path, like: str | None, data: Path | None) -> None:
    """The data dictionary as pages in English and Thai: tables, columns, relations, oddities of the portal.

    With examples from the store's rows, where there is one; columns that hold personal data have none.
    """
    from pipeline.errors import StoreError
    from pipeline.publish.dictionary import examples_of, write_dictionary

    try:
        examples = examples_of(named_store(data), like)
    except StoreError as error:
        examples = {}
        remark(f"the pages have no examples: {error}")
    try:
        files = write_dictionary(out, examples)
    except OSError as error:
        raise not_writable(out, error) from None
    for file in files:
        say(str(file))
