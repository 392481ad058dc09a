"""Replay: stored pages read again with today's parser, to separate its changes from the portal's."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from itertools import groupby, tee
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from parsers import PARSER_VERSION
from parsers.thai import BANGKOK
from pipeline.compare.changes import SCHEMA
from pipeline.compare.compare import compare
from pipeline.compare.states import unknown_columns
from pipeline.harvest.commit import commit
from pipeline.harvest.page_status import PageRow, is_in_force
from pipeline.harvest.plan import known_pages
from pipeline.harvest.reading import parse_guarded, read_page
from pipeline.harvest.spool import SpooledPage
from pipeline.harvest.staging import Staged, stage
from pipeline.progress import counted
from pipeline.schema.codes import code_of_page
from pipeline.schema.columns import RECORD_TABLES
from pipeline.settings import Settings
from pipeline.store.archive import Archive
from pipeline.store.layout import harvest_id_at
from pipeline.store.parquet import version_rows, write_parquet
from pipeline.store.points_in_time import end_of
from pipeline.store.state import FAMILIES, LivePage, State
from pipeline.store.stored_pages import damaged_page
from pipeline.store.writer import StoreWriter

Reader = Callable[[Archive, Iterable[Sequence[PageRow]]], Iterator[list[SpooledPage]]]
"""Reads chunks of stored pages again: the pages of each chunk, chunk by chunk."""

_UNREADABLE: Final = "today's parser reads no record in the stored page"
_CHUNK: Final = 500  # pages read at once: some 25 MB of rows where all of them differ


def read_again(store: Archive, row: Mapping[str, Any]) -> SpooledPage:
    """The stored page of a row of `pages`, as today's parser reads it.

    Nothing is requested: its times are those of the portal's answer. Raises StoreDamagedError for altered bytes.
    """
    harvest_id, sha256 = row["record_body_harvest_id"], row["record_sha256"]
    body, record = store.body(harvest_id, sha256), store.body_record(harvest_id, sha256)
    try:
        headers = dict(orjson.loads(record["headers"]))
    except (ValueError, TypeError):
        raise damaged_page(harvest_id, sha256) from None
    stored = SpooledPage(
        page_key=row["page_key"],
        kind=row["kind"],
        code=_code(row),
        url=row["url"],
        final_url=row.get("final_url"),
        http_status=record["http_status"],
        headers=headers,
        fetched_at=row["checked_at"],
        attempts=0,
        sha256=sha256,
    )
    parsed = parse_guarded(body, row["url"], stored.headers.get("content-type"), record["fetched_at"])
    page = read_page(stored, body, parsed)
    return replace(page, error=_UNREADABLE if page.tables is None else None)


def read_chunk(store: Archive, rows: Sequence[PageRow]) -> list[SpooledPage]:
    """Stored pages as today's parser reads them; without the rows of those whose facts are the same.

    Raises StoreDamagedError for altered bytes.
    """
    pages = []
    for row in rows:
        page = read_again(store, row)
        pages.append(replace(page, tables=None) if page.facts_sha256 == row["facts_sha256"] else page)
    return pages


def read_here(store: Archive, chunks: Iterable[Sequence[PageRow]]) -> Iterator[list[SpooledPage]]:
    """Read chunk by chunk, in this process."""
    for rows in chunks:
        yield read_chunk(store, rows)


def parser_changes(
    store: Archive, since: str | None = None, reader: Reader = read_here
) -> tuple[pa.Table, int, list[str]]:
    """What today's parser reads differently: the differences, pages read, keys of pages it cannot read.

    since: look at all versions of the harvests from that one on; without it at the versions in force
    reader: reads the pages of chunks as `read_chunk` does, in their order
    Returns a table of `pipeline.compare.changes.SCHEMA` with the cause `parser`, by harvest of the version, table and key.
    Nothing is written.
    """
    chunks, to_read = tee(_chunks(store, since))
    parts: dict[str, list[pa.Table]] = {}
    read, unreadable = 0, []
    for (id_, rows), pages in zip(chunks, reader(store, (rows for _, rows in to_read)), strict=True):
        read += len(pages)
        unreadable += [f"{id_}: {page.page_key}" for page in pages if page.error]
        again = {page.page_key: page for page in pages if not page.error and page.tables is not None}
        if differ := [row for row in rows if row["page_key"] in again]:
            parts.setdefault(id_, []).append(_compare_version(store, id_, differ, again))
    sorted_parts = [
        pa.concat_tables(found).sort_by([("table", "ascending"), ("key", "ascending")]) for found in parts.values()
    ]
    return pa.concat_tables([SCHEMA.empty_table(), *sorted_parts]), read, unreadable


def _chunks(store: Archive, since: str | None) -> Iterator[tuple[str, list[PageRow]]]:
    """The versions to be read again, some hundred at a time: harvest, rows of `pages`; a record's pages together."""
    if since is None:
        wanted: dict[str, list[PageRow]] = {}
        for row in store.state(store.resolve("latest")).live.to_pylist():
            wanted.setdefault(row["version_harvest_id"], []).append(row)
        yield from counted(list(_split(sorted(wanted.items()))), "groups of pages read again")
    else:
        ids = counted(_since(store, since), "harvests read again")
        yield from _split((id_, _of_harvest(store, id_)) for id_ in ids)


def _split(versions: Iterable[tuple[str, list[PageRow]]]) -> Iterator[tuple[str, list[PageRow]]]:
    for id_, rows in versions:
        rows.sort(key=lambda row: (_code(row), row["page_key"]))
        chunk: list[PageRow] = []
        for _, record in groupby(rows, key=_code):
            chunk += record
            if len(chunk) >= _CHUNK:
                yield id_, chunk
                chunk = []
        if chunk:
            yield id_, chunk


def _of_harvest(store: Archive, id_: str) -> list[PageRow]:
    pages = State(store, id_).pages
    rows: list[PageRow] = pages.filter(pc.equal(pages["version_harvest_id"], id_)).to_pylist()
    return rows


def _code(row: Mapping[str, Any]) -> str:
    return code_of_page(row["page_key"])


def _since(store: Archive, when: str) -> list[str]:
    """All harvests from a harvest or a day (Bangkok time) on."""
    try:
        first = harvest_id_at(datetime.combine(date.fromisoformat(when), time(), BANGKOK))
        end_of(when)  # refuses years of the Buddhist era and days to come
    except (ValueError, OverflowError):
        first = store.resolve(when)
    return [id_ for id_ in store.harvest_ids() if id_ >= first]


def _compare_version(store: Archive, id_: str, rows: list[PageRow], again: Mapping[str, SpooledPage]) -> pa.Table:
    before = State(store, id_)
    with tempfile.TemporaryDirectory() as folder:
        for name in RECORD_TABLES:
            found = [
                {**values, "page_key": row["page_key"], "version_harvest_id": id_}
                for row in rows
                for values in (again[row["page_key"]].tables or {}).get(name, ())
            ]
            write_parquet(version_rows(name, found), Path(folder) / f"{name}.parquet", name)
        write_parquet(before.pages, Path(folder) / "pages.parquet", "pages")
        after = State(store, id_, staged=Path(folder))
        parts = []
        for owner, names in FAMILIES.items():
            keys = {row["page_key"] for row in rows}
            family = {code: chosen for code, pages in _versions(before, owner, id_).items() if (chosen := pages & keys)}
            looked_at = {code: [LivePage(key, id_, 0) for key in sorted(chosen)] for code, chosen in family.items()}
            parts.append(
                compare(
                    before.rows(owner, names, looked_at),
                    after.rows(owner, names, looked_at),
                    cause="parser",
                    not_compared=unknown_columns(
                        before, names, [page for pages in looked_at.values() for page in pages]
                    ),
                )
            )
    return pa.concat_tables(parts)


def _versions(state: State, owner: str, id_: str) -> dict[str, set[str]]:
    """The pages of a family whose version is of this harvest, by code."""
    return {
        code: {page.page_key for page in pages if page.version_harvest_id == id_}
        for code, pages in state.family(owner).items()
    }


def needs_replay(store: Archive, known: Mapping[str, PageRow]) -> bool:
    """True where another parser last read some record in force, and no replay by today's was tried yet."""
    if all(row["parser_version"] == PARSER_VERSION for row in known.values() if is_in_force(row)):
        return False
    manifests = map(store.manifest, reversed(store.harvest_ids()))  # as a rule one of the last
    return not any((one["cause"], one["parser_version"]) == ("parser", PARSER_VERSION) for one in manifests)


def publish_replay(store: StoreWriter, settings: Settings, harvest_id: str) -> Staged:
    """Read every record in force again and commit the result as a harvest whose cause is the parser.

    It is held back where a record can no longer be read. Nothing is fetched: the rows keep the times and bytes of the
    portal's answers.
    """
    known = known_pages(store)
    # the pages as if the last harvest had brought the bytes of the record
    stored = {
        key: {**row, "page_sha256": row["record_sha256"], "body_harvest_id": row["record_body_harvest_id"]}
        if is_in_force(row)
        else row
        for key, row in known.items()
    }
    staged = stage(
        store,
        harvest_id,
        _read_all(store, stored),
        stored,
        publish_contacts=settings.publish_contacts,
        cause="parser",
    )
    lost = sorted(page["page_key"] for page in staged.pages if page["outcome"] in ("failed", "blocked"))
    held_back = f"{len(lost):,} stored pages hold no record for today's parser, such as {lost[0]}" if lost else None
    commit(staged, held_back=held_back, report={"parser_version": PARSER_VERSION, "lost": lost[:20]}, cause="parser")
    store.prune_snapshots(settings.keep_snapshots)
    return staged


def _read_all(store: Archive, known: Mapping[str, PageRow]) -> Iterator[SpooledPage]:
    for key in counted(sorted(known), "stored pages read again"):
        if is_in_force(known[key]):
            yield read_again(store, known[key])
