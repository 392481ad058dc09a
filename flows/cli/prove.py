"""Commands that check, prove or rewrite a store: verify, head, evidence, replay, compact, migrate, set-aside."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from flows.cli.completion import codes
from flows.cli.options import (
    OUT_FILE,
    AdvancedCommand,
    AdvancedOption,
    check_runner,
    dask_option,
    data_option,
    documents_option,
    runner_option,
)
from flows.cli.output import write_file
from flows.cli.stores import named_catalog, named_store, store_place
from pipeline.errors import BmaProgressError, StoreDamagedError
from pipeline.plain_text import complain, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.harvest.verify_rows import RowCheck
    from pipeline.settings import Settings
    from pipeline.store.archive import Archive
    from pipeline.store.head_line import HeadLine
    from pipeline.store.kept_lines import KeptLine
    from pipeline.store.verify_bytes import VerifyProblem


timestamp_ca_option = click.option(
    "--timestamp-ca",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Certificates (PEM) of trusted time-stamp authorities, instead of the system's.",
)


@click.command(cls=AdvancedCommand, epilog="Exit status: 0 whole, 1 damaged, 2 trouble.")
@click.option("--deep", is_flag=True, help="Also compare every row, finding and change with the stored pages.")
@click.option(
    "--expect", metavar="LINE-OR-FILE", help="Also check that the history of a line of `head` is in the store."
)
@timestamp_ca_option
@click.option(
    "--allowed-signers",
    cls=AdvancedOption,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also check the SSH signatures of the line (see `man ssh-keygen`).",
)
@documents_option
def verify(
    deep: bool, expect: str | None, timestamp_ca: Path | None, allowed_signers: Path | None, data: Path | None
) -> None:
    """Check every file of the store against the manifests and their chain."""
    from pipeline.store.kept_lines import read_lines

    place, lines = store_place(data), read_lines(expect) if expect else []
    rows = _row_check() if deep else None
    if isinstance(place, str):
        from pipeline.store.verify_remote import verify_remote

        problems = verify_remote(place, deep=deep, rows=rows)
    else:
        from pipeline.store.verify import verify_store

        problems = verify_store(place, deep=deep, rows=rows)
    contained: list[str] = []
    if lines:
        missing, contained = _compare(data, lines, timestamp_ca, allowed_signers)
        problems += missing
    for problem in problems:
        say(f"{problem.where}: {problem.what}; {problem.what_to_do}")
    if rows is not None and (remark := rows.remark()):
        say(remark)
    for sentence in contained:
        say(sentence)
    if damaged := sum(problem.is_damage for problem in problems):
        complain(f"{place} is damaged in {damaged} place(s)")
        sys.exit(1)
    say(f"{place} is whole")
    if isinstance(place, Path):
        say(_about_latest(place, deep=deep))


def _row_check() -> "RowCheck":
    from flows.startup import import_arrow_without_pandas

    import_arrow_without_pandas()
    from pipeline.harvest.verify_rows import RowCheck  # with the parser, which bytes are checked without

    return RowCheck()


def _compare(
    data: Path | None, lines: "Sequence[KeptLine]", timestamp_ca: Path | None, allowed_signers: Path | None
) -> "tuple[list[VerifyProblem], list[str]]":
    from flows.cli.expect import compare_with_lines
    from pipeline.settings import load_settings
    from pipeline.store.verify_bytes import RESTORE, VerifyProblem

    try:
        catalog = named_catalog(data)
    except StoreDamagedError as error:
        return [VerifyProblem("--expect", str(error), RESTORE)], []
    return compare_with_lines(catalog, lines, timestamp_ca or load_settings().timestamp_ca, allowed_signers)


def _about_latest(folder: Path, *, deep: bool) -> str:
    """What a check that found no damage says of `latest`."""
    from pipeline.store.catalog import Catalog

    catalog = Catalog(folder)
    latest = catalog.latest_id()
    if latest is None:
        return "latest: nothing is published"
    if deep and _has_snapshot(folder, latest):
        return f"latest shows harvest {latest}: the rows that harvests/ derive"
    if catalog.is_proven(latest):
        return f"latest shows harvest {latest}: the bytes that its manifest names"
    return f"latest shows harvest {latest}: no manifest names its bytes; `verify --deep` compares them with harvests/"


def _has_snapshot(folder: Path, harvest_id: str) -> bool:
    from pipeline.store.archive import Archive

    return Archive(folder).snapshot(harvest_id) is not None


@click.command(cls=AdvancedCommand)
@documents_option
@click.option("--timestamp", metavar="URL", help="Have the line stamped by this RFC 3161 time-stamp authority.")
@timestamp_ca_option
@click.option(
    "--sign",
    cls=AdvancedOption,
    type=click.Path(path_type=Path),
    metavar="KEY",
    help="Sign the line with this SSH key, by the system's ssh-keygen.",
)
@click.option("--out", type=OUT_FILE, help="Write the line, and what proves it, to this file instead.")
def head(
    data: Path | None, timestamp: str | None, timestamp_ca: Path | None, sign: Path | None, out: Path | None
) -> None:
    """The line that proves the history so far: keep it elsewhere, and give it to `verify --expect` later."""
    from pipeline.store.head_line import head_line

    line = head_line(named_catalog(data))
    content = f"{line}\n"
    if timestamp is not None:
        content += _stamp(line, timestamp, timestamp_ca)
    if sign is not None:
        from pipeline.store import signatures

        content += signatures.sign(line.content, sign)
    if out is None:
        say(content, nl=False)
    else:
        write_file(out, content.encode())


def _stamp(line: "HeadLine", address: str, ca: Path | None) -> str:
    from pipeline.operate.anchor import ask_for_timestamp
    from pipeline.setting_values import is_web_address
    from pipeline.settings import load_settings
    from pipeline.store.kept_lines import stamp_block

    if not is_web_address(address):
        raise BmaProgressError(f"{address!r} is no address; give one such as http://timestamp.example.org")
    stamp, stamped, remark = ask_for_timestamp(line, address, ca or load_settings().timestamp_ca)
    if remark:
        complain(remark)
    elif stamped:
        say(f"stamped by {stamped.authority} at {stamped.at:%Y-%m-%d %H:%M:%S} UTC", err=True)
    return stamp_block(stamp)


@click.command()
@click.argument("code", shell_complete=codes)
@click.option("--out", required=True, type=OUT_FILE, help="New folder for the bundle.")
@data_option
def evidence(code: str, out: Path, data: Path | None) -> None:
    """A bundle that proves itself: stored pages, a WARC, rows, hashes (`sha256sum -c SHA256SUMS`)."""
    from flows.startup import hidden

    with hidden("fsspec"):  # which warcio would load for archives at other places: a tenth of a second
        from pipeline.publish.evidence import write_evidence

    pages = write_evidence(named_store(data), code, out)
    say(f"{out} holds {pages} pages of {code}; check it with: sh {out}/check.sh")


@click.command()
@data_option
def compact(data: Path | None) -> None:
    """Put the harvests of each month that is over into one file, byte for byte: fewer files, the same answers."""
    from pipeline.store.packs import packed_ids
    from pipeline.store.writer import open_writer

    with open_writer(named_store(data).root) as writer:
        packs = writer.compact()
    for pack in packs:
        say(f"{pack} holds {len(packed_ids(pack)):,} harvests")
    if not packs:
        say("every month that is over is packed already")


@click.command()
@data_option
def migrate(data: Path | None) -> None:
    """Write the snapshots, and `latest`, with the columns of this version; the harvests stay as they are."""
    from pipeline.store.writer import open_writer

    with open_writer(named_store(data).root) as writer:
        migrated = writer.migrate()
    for id_ in migrated:
        say(f"snapshot {id_} has this version's columns now")
    if not migrated:
        say("every snapshot has this version's columns already")


@click.command()
@click.argument("harvest_id", metavar="HARVEST")
@data_option
def set_aside(harvest_id: str, data: Path | None) -> None:
    """Take a harvest that a wrong clock dated in the future, and all after it, out of the store; kept beside it."""
    from pipeline.store.writer import open_writer

    if isinstance(store_place(data), str):
        raise BmaProgressError("a store in object storage is not set right by this command; restore a copy of it")
    with open_writer(named_store(data).root) as writer:
        place, moved = writer.set_aside(harvest_id)
    say(f"{', '.join(moved)}: kept in {place}; the store ends with {writer.harvest_ids()[-1]}")
    say("A line of `head` that was kept since then no longer fits: write down why.")


@click.command(
    cls=AdvancedCommand,
    epilog="Exit status: 0 no difference, or published; 1 today's parser reads something differently, or held back; 2 trouble.",
)
@click.option("--since", metavar="WHEN", help="All versions of the harvests from then on; else the versions in force.")
@click.option("--publish", is_flag=True, help="Commit the state as today's parser reads it, as a harvest of its own.")
@data_option
@runner_option
@dask_option
def replay(since: str | None, publish: bool, data: Path | None, runner: str | None, dask_address: str | None) -> None:
    """Parse the stored pages again, and show what the parser, not the portal, changed. Nothing is fetched."""
    from pipeline.settings import load_settings

    store = named_store(data)
    settings = load_settings(data=store.root, portal=store.portal, runner=runner, dask_address=dask_address)
    check_runner(settings.runner, dask_address)
    if not publish:
        _show_parser_changes(store, since, settings)
    if since:
        raise BmaProgressError("--publish is about the state in force; leave out --since")
    _publish_replay(store, settings)


def _show_parser_changes(store: "Archive", since: str | None, settings: "Settings") -> NoReturn:
    from pipeline.compare.formats import format_changes
    from pipeline.harvest.replay import parser_changes

    if settings.runner == "dask":
        from flows.run import run_replay

        changes, read, unreadable = run_replay(store_place(store.root), since, settings)
    else:
        changes, read, unreadable = parser_changes(store, since)
    say(format_changes(changes, "table").decode(), nl=False)
    say(f"{read:,} stored pages were read again.", err=True)
    for page in unreadable:
        complain(f"{page}: today's parser reads no record in the stored page")
    sys.exit(1 if len(changes) or unreadable else 0)


def _publish_replay(store: "Archive", settings: "Settings") -> NoReturn:
    from pipeline.harvest.replay import publish_replay
    from pipeline.harvest.run_folder import new_harvest_id
    from pipeline.store.writer import open_writer

    store.resolve("latest")
    with open_writer(store.root) as writer:
        harvest_id = new_harvest_id(writer)
        publish_replay(writer, settings, harvest_id)
    manifest = store.manifest(harvest_id)
    changes = ", ".join(f"{count:,} {meaning}" for meaning, count in manifest["changes"].items()) or "no difference"
    state = "published" if manifest["published"] else f"HELD BACK: {manifest['held_back']}"
    say(f"Harvest {harvest_id} (cause: parser): {state}. {changes}.")
    sys.exit(0 if manifest["published"] else 1)
