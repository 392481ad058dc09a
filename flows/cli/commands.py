"""The command line. Each command imports what it needs when it runs: `--help` and `parse` never wait for Prefect."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import BmaProgressError, damaged_table, first_line, refused_by_machine

if TYPE_CHECKING:
    from pipeline.compare.diff import Comparison
    from pipeline.harvest.request import HarvestRequest
    from pipeline.settings import Settings

EPILOG = "Every setting is also an environment variable BMA_PROGRESS_… and a key of bma-progress.toml."
MAX_PAGE_BYTES = 16_000_000
"""No page of the portal comes near this size (the largest seen has some 100 kB)."""

HARVEST_STATUS = "Exit status: 0 published, 1 held back (what was published before stands), 2 could not run."
PARSE_STATUS = "Exit status: 0 all pages are ok, 1 some are not, 2 a file could not be read."


_portal_option = click.option("--portal", help="Address of the portal.")


class _Place(click.ParamType[Path]):
    """A store's place: a folder, or an address in object storage, of which the mirror's folder is taken."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        from pipeline.location import local_folder

        return local_folder(value)


_runner_option = click.option(
    "--runner",
    type=click.Choice(["local", "dask"]),
    help="Where the work is done: this process (local), or Dask workers.",
)
_dask_option = click.option(
    "--dask-address", help="The Dask scheduler, tcp://HOST:PORT; without it, processes of this machine."
)
_data_option = click.option(
    "--data", type=_Place(), help="Folder of the store, or an address such as s3://bucket/folder."
)


class _Commands(click.Group):
    """The commands; where whoever reads their output has had enough, they end well."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # before click makes it a failure
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(0) from None


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=EPILOG
)
@click.version_option(package_name="bma-progress", prog_name="bma-progress")
def cli() -> None:
    """Harvest the project-progress portal of the Bangkok Metropolitan Administration into Parquet tables."""


@cli.command(epilog=PARSE_STATUS)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--url", help="Where the page came from; a page that shows another record is then suspect.")
def parse(files: Sequence[Path], url: str | None) -> None:
    """Parse saved pages: one JSON document a line for each FILE (`-` is standard input).

    No network, no store. A document holds the page's kind, verdict, tables, findings and the lines no rule read.
    """
    import orjson

    from parsers import parse_page

    status = 0
    for file in files:
        try:
            body = _read_page_file(file)
        except BmaProgressError as error:
            _complain(str(error))
            status = 2
            continue
        page = parse_page(body, url=url)
        click.echo(orjson.dumps(page.document(_readable(file))).decode())
        if page.verdict != "ok":
            file = Path(_readable(file))
            reasons = [finding for finding in page.findings if finding["severity"] == "error"]
            reason = f" ({reasons[0]['message']} {reasons[0]['printed'] or ''})".replace(" )", ")") if reasons else ""
            _complain(f"{file}: the page is {page.verdict.replace('_', ' ')}{reason}")
            status = max(status, 1)
    sys.exit(status)


@cli.command(epilog=HARVEST_STATUS + " " + EPILOG)
@_portal_option
@_data_option
@click.option(
    "--pages",
    "pages_file",
    type=click.Path(path_type=Path),
    help="Only these: project or KPI codes or URLs, one a line.",
)
@click.option("--agencies", help="Only these agencies: codes of 8 or 4 digits, separated by commas.")
@click.option("--sample", type=click.IntRange(min=1), help="At most so many pages with records.")
@click.option(
    "--probe", multiple=True, metavar="AGENCY:FROM-TO", help="Also try a range of serials, such as 50240000:3500-3600."
)
@click.option("--resume/--fresh", default=True, help="Go on with an unfinished harvest (the default), or discard it.")
@click.option("--rate", type=float, help="Requests a second; robots.txt may ask for fewer.")
@click.option("--concurrency", type=int, help="Requests under way at once.")
@click.option("--no-robots", is_flag=True, help="Do not read robots.txt: only with the portal's consent.")
@_runner_option
@_dask_option
@click.option("--dry-run", is_flag=True, help="Say what would be fetched, and fetch nothing.")
def harvest(
    portal: str | None,
    data: Path | None,
    pages_file: Path | None,
    agencies: str | None,
    sample: int | None,
    probe: tuple[str, ...],
    resume: bool,
    rate: float | None,
    concurrency: int | None,
    no_robots: bool,
    runner: str | None,
    dask_address: str | None,
    dry_run: bool,
) -> None:
    """One harvest: discover, fetch, parse, check, commit, publish.

    Killed at any moment, the next start goes on where it was and fetches nothing again that was kept.
    """
    from pipeline.harvest.portal import read_pages_file
    from pipeline.harvest.request import HarvestRequest
    from pipeline.settings import load_settings

    given = {
        "portal": portal,
        "data": data,
        "rate": rate,
        "concurrency": concurrency,
        "robots": False if no_robots else None,
        "runner": runner,
        "dask_address": dask_address,
    }
    settings = load_settings(**given)
    _check_runner(settings, dask_address)
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
        _say_plan(request)
        return
    from flows.run import run_harvest_flow
    from pipeline.harvest.run_report import report_text

    result = run_harvest_flow(request)
    click.echo(report_text(result, settings.portal), nl=False)
    sys.exit(0 if result.published else 1)


@cli.command(epilog="Exit status: 0 all published, 1 some held back, 2 some could not run.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--hosts", default=4, show_default=True, type=click.IntRange(min=1), help="Hosts harvested at once.")
def backfill(file: Path, hosts: int) -> None:
    """Harvest several portals, each into its own store, as one Prefect flow of flows.

    FILE is TOML with one [[harvest]] table a portal: portal, data, and whatever else is to differ, such as rate, agencies
    or sample. Portals on one host take turns, so that it sees one rate.
    """
    from flows.run import run_backfill
    from pipeline.harvest.backfill import read_backfill

    status = 0
    for settings, result, failure in run_backfill(read_backfill(file), file.resolve(), hosts):
        where = f"{settings.data} ({settings.portal})"
        if result is None:
            _complain(f"{where}: could not run: {failure or 'it ended without a word; see runs/ in the store'}")
            status = 2
            continue
        told = ", ".join(f"{count:,} {outcome.replace('_', ' ')}" for outcome, count in sorted(result.outcomes.items()))
        state = "published" if result.published else f"HELD BACK: {result.held_back}"
        click.echo(f"{where}: harvest {result.harvest_id} {state}: {told}")
        status = max(status, 0 if result.published else 1)
    sys.exit(status)


def _check_runner(settings: "Settings", dask_address: str | None) -> None:
    if dask_address and settings.runner != "dask":
        raise click.UsageError("--dask-address is for the dask runner; add --runner dask")


def _say_plan(request: "HarvestRequest") -> None:
    """What a harvest would fetch first; links found on the way lead further."""
    from collections import Counter

    from pipeline.harvest.run import plan

    settings, scope = request.load()
    counts: Counter[tuple[str, str]] = Counter()
    for source, ref in plan(settings, scope):
        counts[source, ref.kind] += 1
        click.echo(ref.url)
    for (source, kind), count in counts.items():
        click.echo(f"{count:,} pages of kind {kind} ({source})", err=True)
    seconds = sum(counts.values()) / settings.rate
    total = f"{sum(counts.values()):,} pages, {seconds / 60:,.0f} minutes at {settings.rate:g} requests a second"
    click.echo(f"{total}, and the pages they link to", err=True)


@cli.command(epilog=EPILOG)
@_portal_option
@_data_option
@click.option("--cron", default="0 2 * * *", show_default=True, help="When to harvest: five fields, Bangkok time.")
@click.option(
    "--port",
    default=4200,
    show_default=True,
    type=click.IntRange(1, 65_535),
    help="Of the embedded Prefect server on this machine.",
)
def serve(portal: str | None, data: Path | None, cron: str, port: int) -> None:
    """Harvest every night, by a Prefect deployment, until stopped.

    Uses the Prefect server that PREFECT_API_URL names, or an embedded one. A night that was missed is made good once.
    """
    from flows.serve import serve as serve_harvests
    from pipeline.harvest.request import HarvestRequest

    given = {name: str(value) for name, value in (("portal", portal), ("data", data)) if value is not None}
    serve_harvests(HarvestRequest(settings=given), cron, port)


@cli.command()
@_data_option
def demo(data: Path | None) -> None:
    """Harvest three nights of a small portal on this machine, compare them, and say where everything lies."""
    from flows.run import run_demo

    run_demo(data or Path("data/demo"))


@cli.command(
    epilog="Exit status: 0 the last night is good; 1 it was held back, failed, or what is published is too old; 2 trouble."
)
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--late-hours", type=float, help="How old the last published harvest may be; else as the setting says.")
@click.option(
    "--notify", is_flag=True, help="Also notify the webhook and the command of the settings, once for each event."
)
@_data_option
def status(style: str, late_hours: float | None, notify: bool, data: Path | None) -> None:
    """The last harvest, its coverage and its complaints; how stale the data is."""
    from pipeline.operate.notify import event_of, send_event, sent_log
    from pipeline.operate.status import condition, status_document, status_view
    from pipeline.settings import load_settings
    from pipeline.terminal import show

    store = _store(data)
    settings = load_settings(late_hours=late_hours)
    found = condition(store, settings.late_hours)
    if style == "json":
        import orjson

        click.echo(orjson.dumps(status_document(store, found), option=orjson.OPT_INDENT_2).decode())
    else:
        show(status_view(store, found))
    if notify and (event := event_of(store, found)):
        if not settings.notify_webhook and not settings.notify_command:
            raise BmaProgressError(
                "there is nobody to notify; set notify_command, or BMA_PROGRESS_NOTIFY_WEBHOOK in the environment"
            )
        for problem in send_event(event, settings, sent_log(store.root), once=True):
            _complain(problem)
    if not found.is_good:
        sys.exit(1)


_SIDES = (
    "A and B are each a harvest's id, a day (the last harvest on or before it), latest or previous; or a folder: of exported"
    " Parquet files, or of a store, as it is or with a night, such as data/dp1@2026-11-20."
)


@cli.command(epilog="Exit status: 0 no difference, 1 differences, 2 trouble.", help=f"Compare two states.\n\n{_SIDES}")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@_data_option
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "json", "csv", "parquet", "html"]),
    default="table",
    show_default=True,
    help="html is the page that `report` writes.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file instead of standard output.")
def diff(before: str, after: str, data: Path | None, style: str, out: Path | None) -> None:
    """Compare two states."""
    from pipeline.compare.formats import changes_on_terminal, format_changes
    from pipeline.terminal import show

    comparison = _compare(before, after, data, contacts=style != "html")
    if style == "parquet" and not out:
        raise BmaProgressError("a Parquet file goes to a file; name one with --out")
    if not out and style == "table" and sys.stdout.isatty():
        show(changes_on_terminal(comparison.changes))
    else:
        content = _report_page(comparison) if style == "html" else format_changes(comparison.changes, style)
        _write(out, content) if out else click.echo(content.decode(), nl=False)
    for left_out in comparison.uncompared if style != "html" else ():
        number = f"{left_out.number:,} " if left_out.number > 1 else ""
        _complain(f"not fully compared, {left_out.snapshot}: {number}{left_out.what}: {left_out.why}")
    sys.exit(1 if len(comparison.changes) else 0)


def _report_page(comparison: "Comparison", silent_days: int | None = None) -> bytes:
    from pipeline.publish.report import SILENT_DAYS, report_html

    return report_html(comparison, silent_days=SILENT_DAYS if silent_days is None else silent_days).encode()


@cli.command(
    epilog="Exit status: 0 the report is written, 2 trouble.",
    help=f"The audit report of two states as one HTML file: A and B, by default previous and latest.\n\n{_SIDES}",
)
@click.argument("sides", metavar="[A B]", nargs=-1)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The file to write.")
@click.option(
    "--silent",
    "silent_days",
    type=click.IntRange(min=1),
    help="List the projects not reported for more than so many days; 90 where not given.",
)
@_data_option
def report(sides: tuple[str, ...], out: Path, silent_days: int | None, data: Path | None) -> None:
    """Write the audit report."""
    if len(sides) not in (0, 2):
        raise click.UsageError("name both states, A and B, or neither: previous and latest are then compared")
    before, after = sides or ("previous", "latest")
    comparison = _compare(before, after, data, contacts=False)
    _write(out, _report_page(comparison, silent_days))
    number = len(comparison.changes)
    told = "no difference" if not number else f"{number:,} {'difference' if number == 1 else 'differences'}"
    click.echo(f"{out}: {told} between {comparison.before.title} and {comparison.after.title}")


def _compare(before: str, after: str, data: Path | None, *, contacts: bool = True) -> "Comparison":
    from pipeline.compare.diff import compare_snapshots
    from pipeline.compare.inputs import open_snapshot
    from pipeline.settings import load_settings

    settings = load_settings()
    sides = [open_snapshot(text, lambda: _store(data)) for text in (before, after)]
    return compare_snapshots(*sides, contacts=contacts and settings.publish_contacts)


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise BmaProgressError(f"{file} cannot be written ({error.strerror}); choose another file") from None


@cli.command()
@click.argument("when")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New folder for the files.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "csv", "xlsx", "sqlite", "duckdb"]),
    default="parquet",
    show_default=True,
)
@_data_option
def export(when: str, out: Path, form: str, data: Path | None) -> None:
    """Write the full tables as they stood at WHEN: a harvest's id, a day, latest or previous."""
    from pipeline.publish.export import export_state
    from pipeline.settings import load_settings

    harvest_id, notes = export_state(_store(data), when, out, form, contacts=load_settings().publish_contacts)
    click.echo(f"{out} holds the tables as of harvest {harvest_id}")
    for note in notes:
        _complain(note)


@cli.command()
@click.argument("query", required=False)
@click.option("--when", default="latest", show_default=True, help="A harvest's id, a day, latest or previous.")
@click.option("--format", "form", type=click.Choice(["table", "csv"]), default="table", show_default=True)
@_data_option
def sql(query: str | None, when: str, form: str, data: Path | None) -> None:
    """Ask the tables as they stood at WHEN in SQL (DuckDB): one QUERY, or without one a session.

    `projects` is the table as of WHEN, `previous.projects` as of the harvest before, `"20261122T190000Z".projects` as
    of that one. The tables can only be read, and a query reaches no other file and no network. A session takes statements
    that end in a semicolon, from the keyboard or a pipe; `exit` or Ctrl-D ends it. In CSV a text that begins like a
    formula, or with an apostrophe, has an apostrophe before it.
    """
    from pipeline.publish.sql import Session, read_statements
    from pipeline.publish.sql_prompt import line_reader
    from pipeline.settings import load_settings

    failed = False
    with Session(_store(data), when, contacts=load_settings().publish_contacts) as session:
        if query is not None:
            session.answer(query, form, sys.stdout.buffer)
            return
        with line_reader() as read_line:
            for statement in read_statements(read_line):
                try:
                    session.answer(statement, form, sys.stdout.buffer)
                except BmaProgressError as error:  # the session goes on after an error
                    _complain(str(error))
                    failed = True
    sys.exit(2 if failed and not sys.stdin.isatty() else 0)


@cli.command()
@click.argument("code")
@_data_option
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
def history(code: str, data: Path | None, style: str) -> None:
    """Every version of one project or KPI, with what changed."""
    from pipeline.compare.timeline import timeline_json, timeline_text
    from pipeline.settings import load_settings

    tell = timeline_json if style == "json" else timeline_text
    click.echo(tell(_store(data), code, contacts=load_settings().publish_contacts), nl=False)


@cli.command()
@click.argument("code")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New folder for the bundle.")
@_data_option
def evidence(code: str, out: Path, data: Path | None) -> None:
    """A bundle that proves itself: stored pages, a WARC, rows, hashes (`sha256sum -c SHA256SUMS`)."""
    from pipeline.store.evidence import write_evidence

    pages = write_evidence(_store(data), code, out)
    click.echo(f"{out} holds {pages} pages of {code}; check it with: cd {out} && sha256sum -c SHA256SUMS")


@cli.command(epilog="Exit status: 0 whole, 1 damaged, 2 trouble.")
@click.option("--deep", is_flag=True, help="Also parse the stored pages again and compare with the rows.")
@_data_option
def verify(deep: bool, data: Path | None) -> None:
    """Check every file of the store against the manifests and their chain."""
    from pipeline.location import mirrored_url
    from pipeline.store.verify import verify_remote, verify_store

    store_folder: str | Path = _place(data or _settings_data())
    url = mirrored_url(data or _settings_data())
    problems = verify_remote(url, deep=deep) if url else verify_store(Path(store_folder), deep=deep)
    for problem in problems:
        click.echo(f"{problem.where}: {problem.what}; {problem.what_to_do}")
    if problems:
        _complain(f"{store_folder} is damaged in {len(problems)} place(s)")
        sys.exit(1)
    click.echo(f"{store_folder} is whole")


@cli.command()
@_data_option
def compact(data: Path | None) -> None:
    """Put the harvests of each month that is over into one file, byte for byte: fewer files, the same answers."""
    from pipeline.store.packs import packed_ids
    from pipeline.store.writer import open_writer

    with open_writer(_store(data).root) as writer:
        made = writer.compact()
    for pack in made:
        click.echo(f"{pack} holds {len(packed_ids(pack)):,} harvests")
    if not made:
        click.echo("no month is over that is not packed yet")


@cli.command()
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder for the pages: Markdown (two) and HTML."
)
@click.option("--like", metavar="CODE", help="Take examples from this project or indicator where it has some.")
@_data_option
def dictionary(out: Path, like: str | None, data: Path | None) -> None:
    """The data dictionary as pages in English and Thai: tables, columns, relations, oddities of the portal.

    With examples from the store's rows, where there is one; columns that hold personal data have none.
    """
    from pipeline.errors import StoreError
    from pipeline.publish.dictionary import examples_of, write_dictionary

    try:
        examples = examples_of(_store(data), like)
    except StoreError as error:
        examples = {}
        _complain(f"the pages have no examples: {error}")
    try:
        files = write_dictionary(out, examples)
    except OSError as error:
        raise BmaProgressError(f"{out} cannot be written ({error.strerror}); name another folder") from None
    for file in files:
        click.echo(str(file))


@cli.command()
@_data_option
def migrate(data: Path | None) -> None:
    """Write the snapshots, and `latest`, with the columns of this version; the harvests stay as they are."""
    from pipeline.store.writer import open_writer

    with open_writer(_store(data).root) as writer:
        done = writer.migrate()
    for id_ in done:
        click.echo(f"snapshot {id_} has this version's columns now")
    if not done:
        click.echo("every snapshot has this version's columns already")


@cli.command(
    epilog="Exit status: 0 nothing to tell, or published; 1 today's parser reads otherwise, or held back; 2 trouble."
)
@click.option("--since", metavar="WHEN", help="All versions of the harvests from then on; else the versions in force.")
@click.option("--publish", is_flag=True, help="Commit the state as today's parser reads it, as a harvest of its own.")
@_runner_option
@_dask_option
@_data_option
def replay(since: str | None, publish: bool, runner: str | None, dask_address: str | None, data: Path | None) -> None:
    """Parse the stored pages again, and tell what the parser, not the portal, changed. Nothing is fetched."""
    from pipeline.compare.formats import format_changes
    from pipeline.harvest.replay import parser_changes, publish_replay
    from pipeline.settings import load_settings

    store = _store(data)
    if publish:
        from pipeline.harvest.run import new_harvest_id
        from pipeline.store.writer import open_writer

        if since:
            raise BmaProgressError("--publish is about the state in force; leave --since out")
        store.resolve("latest")
        with open_writer(store.root) as writer:
            harvest_id = new_harvest_id(writer)
            publish_replay(writer, load_settings(data=store.root, portal=store.portal), harvest_id)
        manifest = store.manifest(harvest_id)
        told = ", ".join(f"{count:,} {meaning}" for meaning, count in manifest["changes"].items()) or "no difference"
        state = "published" if manifest["published"] else f"HELD BACK: {manifest['held_back']}"
        click.echo(f"Harvest {harvest_id} (cause: parser): {state}. {told}.")
        sys.exit(0 if manifest["published"] else 1)
    settings = load_settings(data=store.root, portal=store.portal, runner=runner, dask_address=dask_address)
    _check_runner(settings, dask_address)
    if settings.runner == "dask":
        from flows.run import run_replay

        changes, read, unreadable = run_replay(_place(store.root), since, settings)
    else:
        changes, read, unreadable = parser_changes(store, since)
    click.echo(format_changes(changes, "table").decode(), nl=False)
    click.echo(f"{read:,} stored pages were read again.", err=True)
    for page in unreadable:
        _complain(f"{page}: today's parser reads no record in the stored page")
    sys.exit(1 if len(changes) or unreadable else 0)


def _settings_data() -> Path:
    from pipeline.settings import load_settings

    return load_settings().data


def _place(folder: Path) -> str | Path:
    """A folder, or the address it mirrors."""
    from pipeline.location import mirrored_url

    return mirrored_url(folder) or folder


def _store(data: Path | None) -> Any:
    from pipeline.store.writer import open_archive

    return open_archive(_place(data or _settings_data()))


def _readable(file: Path) -> str:
    """A file's name as text; bytes that are none in it become U+FFFD."""
    return os.fsencode(file).decode("utf-8", "replace")


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


def _complain(sentence: str) -> None:
    click.echo(f"bma-progress: {sentence}", err=True)


def main(arguments: Sequence[str] | None = None) -> Any:
    """Run the command line; a user's mistake ends in one sentence on standard error and exit status 2."""
    try:
        return cli.main(args=arguments, standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "bma-progress"
        _complain(f"{error.format_message().rstrip('.')}; see `{command} --help`")
    except click.ClickException as error:
        _complain(error.format_message())
    except BmaProgressError as error:
        _complain(str(error))
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted")
        sys.exit(130)
    except Exception as error:
        if refused := refused_by_machine(error, Path.cwd()):
            _complain(str(refused))
            sys.exit(2)
        if _is_prefects(error):
            _complain(
                f"Prefect could not go on ({first_line(error)}); see that its server answers and its disk has room, then start "
                "again: what was kept stands"
            )
            sys.exit(2)
        if not _is_unreadable_table(error):
            raise
        _complain(str(damaged_table(first_line(error))))
    except BaseException as error:
        if type(error).__name__ != "TerminationSignal":  # of Prefect, where a stop came before the harvest had begun
            raise
        _complain("interrupted")
        sys.exit(143)
    sys.exit(2)


def _is_prefects(error: Exception) -> bool:
    """Whether Prefect, or the way to its server, failed; the portal's own failures never come this far."""
    http = sys.modules.get("httpx")
    return (http is not None and isinstance(error, http.TransportError)) or _innermost(error).startswith("prefect.")


def _innermost(error: Exception) -> str:
    """The module in which an error was raised."""
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    return str(place.tb_frame.f_globals.get("__name__", "")) if place else ""


def _is_unreadable_table(error: Exception) -> bool:
    """Whether a Parquet file was not what it should be; nothing of Arrow is imported to find out."""
    arrow = sys.modules.get("pyarrow")
    return arrow is not None and isinstance(error, arrow.ArrowException)
