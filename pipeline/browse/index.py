"""The index that the browser's pages are answered from: one SQLite file, derived from a store and never part of it.

It lies in this user's cache folder. It names the store's head line and the version of its layout; an index that names
others, or that SQLite finds damaged, is made again. Nights that it already holds are not read again.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
import threading
import time
import weakref
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from functools import lru_cache
from heapq import merge
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.browse.word_index import add_words
from pipeline.compare.classify import severity_of
from pipeline.compare.diff import withhold_contacts
from pipeline.errors import StoreError
from pipeline.location import user_folder
from pipeline.schema.columns import TABLES
from pipeline.schema.page_kinds import OWNER_OF_KIND
from pipeline.store.archive import Archive
from pipeline.store.head_line import head_line
from pipeline.store.layout import MANIFEST, harvest_day, harvest_start
from pipeline.store.parquet_files import opened, read_columns
from pipeline.store.verify_bytes import sha256_or_none

_LAYOUT: Final = "10"
"""Version of the tables below: an index of another version is made again."""

_TABLES: Final = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE nights (harvest_id TEXT PRIMARY KEY, manifest_sha256 TEXT, day TEXT, started_at TEXT, published INTEGER,
  held_back TEXT, cause TEXT, outcomes TEXT);
CREATE TABLE looks (page_key TEXT, harvest_id TEXT, code TEXT, kind TEXT, outcome TEXT, page_sha256 TEXT,
  body_harvest_id TEXT, fetched_at TEXT, url TEXT, ended INTEGER, PRIMARY KEY (page_key, harvest_id)) WITHOUT ROWID;
CREATE INDEX looks_by_code ON looks (code, harvest_id);
CREATE TABLE bodies (page_sha256 TEXT PRIMARY KEY, harvest_id TEXT, page_key TEXT, url TEXT, fetched_at TEXT) WITHOUT ROWID;
CREATE TABLE changes (harvest_id TEXT, change_no INTEGER, day TEXT, "table" TEXT, key TEXT, project_code TEXT, kpi_code TEXT,
  agency_code TEXT, change TEXT, "column" TEXT, before TEXT, after TEXT, meaning TEXT, detail TEXT, cause TEXT, severity TEXT,
  own INTEGER, PRIMARY KEY (harvest_id DESC, change_no)) WITHOUT ROWID;
CREATE INDEX changes_by_night ON changes (own, harvest_id DESC);
CREATE INDEX changes_by_project ON changes (project_code, harvest_id DESC) WHERE project_code IS NOT NULL;
CREATE INDEX changes_by_kpi ON changes (kpi_code, harvest_id DESC) WHERE kpi_code IS NOT NULL;
CREATE INDEX changes_by_agency ON changes (own, agency_code, harvest_id DESC, change_no, meaning, severity);
CREATE INDEX changes_by_meaning ON changes (own, meaning, harvest_id DESC);
CREATE INDEX changes_by_severity ON changes (own, severity, harvest_id DESC);
"""
_LATEST: Final = """
DROP TABLE IF EXISTS records; DROP TABLE IF EXISTS documents; DROP TABLE IF EXISTS flags; DROP TABLE IF EXISTS agencies;
DROP TABLE IF EXISTS supports; DROP TABLE IF EXISTS severities;
CREATE TABLE records (code TEXT PRIMARY KEY, kind TEXT, name TEXT, agency_code TEXT, agency_name TEXT, fiscal_year_be INTEGER,
  progress REAL, planned REAL, variance REAL, last_report TEXT, silent_days INTEGER, rewritten INTEGER, flags INTEGER,
  ended INTEGER, changes INTEGER) WITHOUT ROWID;
CREATE INDEX records_by_agency ON records (agency_code, kind);
CREATE INDEX records_by_rewrites ON records (rewritten DESC, flags DESC, code);
CREATE INDEX records_by_flags ON records (flags DESC, rewritten DESC, code);
CREATE INDEX records_by_variance ON records (variance, code);
CREATE INDEX records_by_silence ON records (silent_days DESC, code, progress);
CREATE INDEX records_ended ON records (ended, code);
CREATE TABLE documents (code TEXT, "table" TEXT, rows BLOB, PRIMARY KEY (code, "table")) WITHOUT ROWID;
CREATE TABLE flags (rule TEXT, project_code TEXT, flag_no INTEGER, severity TEXT, harvest_id TEXT, evidence TEXT, printed TEXT,
  PRIMARY KEY (rule, project_code, flag_no)) WITHOUT ROWID;
CREATE TABLE supports (kpi_code TEXT, project_code TEXT, PRIMARY KEY (kpi_code, project_code)) WITHOUT ROWID;
CREATE INDEX flags_by_project ON flags (project_code);
CREATE INDEX flags_by_severity ON flags
  (CASE severity WHEN 'critical' THEN 0 WHEN 'major' THEN 1 ELSE 2 END, rule, project_code, flag_no);
CREATE TABLE agencies (agency_code TEXT PRIMARY KEY, name_th TEXT, name_en TEXT, kind TEXT) WITHOUT ROWID;
CREATE TABLE severities (harvest_id TEXT, severity TEXT, number INTEGER, PRIMARY KEY (harvest_id, severity)) WITHOUT ROWID;
"""
_ARROW_TYPES: Final = {"TEXT": pa.string(), "INTEGER": pa.int64(), "REAL": pa.float64()}
_A_DAY: Final = 86_400
"""Seconds after which a half-made index is one of a process that was killed."""
_KEPT: Final = 2
"""Index files that are kept: this state's, and the one before, which a running reader may still ask."""
_COPIED: Final = {
    "red_flags": ("flags", ("rule", "project_code", "flag_no", "severity", "harvest_id", "evidence", "printed")),
    "project_kpis": ("supports", ("kpi_code", "project_code")),
    "agencies": ("agencies", ("agency_code", "name_th", "name_en", "kind")),
}
"""Published tables that are copied: to which table, and which columns."""


class Index:
    """One index file, opened for reading; each thread has a connection of its own. The file is never written again.

    file: the SQLite file; key: names its content, for ETags
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._own = threading.local()
        self._opened: list[sqlite3.Connection] = []
        weakref.finalize(self, _close, self._opened)  # when no request uses this index any more
        self.known_rows = lru_cache(maxsize=512)(self.rows)
        """`rows`, cached: for queries that cost much and are asked often. The rows must not be changed."""
        self.document = lru_cache(maxsize=2)(self._document)
        """Code → the latest rows of a record, by table; empty where it ended. The rows must not be changed."""
        about = {row["name"]: row["value"] for row in self.rows("SELECT name, value FROM about")}
        self.key: str = about["head"]
        self.harvest_id: str = about["harvest_id"]

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """The rows of a query, as dicts."""
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = _connect(self.file)
            self._opened.append(connection)
        return [dict(row) for row in connection.execute(query, values)]

    def row(self, query: str, *values: Any) -> dict[str, Any] | None:
        """The first row of a query, or None."""
        return next(iter(self.rows(query, *values)), None)

    def schema(self, table: str) -> pa.Schema:
        """The columns of a table as they leave in a file, whichever rows are chosen. table: a name of ours"""
        columns = self.known_rows("SELECT name, type FROM pragma_table_info(?)", table)
        return pa.schema([(column["name"], _ARROW_TYPES[column["type"]]) for column in columns])

    def part(self, code: str, table: str) -> list[dict[str, Any]]:
        """The latest rows of one record in one table."""
        found = self.row('SELECT rows FROM documents WHERE code = ? AND "table" = ?', code, table)
        rows: list[dict[str, Any]] = orjson.loads(zlib.decompress(found["rows"])) if found else []
        return rows

    def _document(self, code: str) -> dict[str, list[dict[str, Any]]]:
        found = self.rows('SELECT "table", rows FROM documents WHERE code = ?', code)
        return {row["table"]: orjson.loads(zlib.decompress(row["rows"])) for row in found}


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection


def _close(connections: list[sqlite3.Connection]) -> None:
    for connection in connections:
        connection.close()


def index_folder(archive: Archive) -> Path:
    """Where this user's indexes of a store are kept; made where it is missing, for nobody else to read."""
    name = hashlib.sha256(str(archive.place).encode()).hexdigest()[:16]
    folder = user_folder("XDG_CACHE_HOME", ".cache") / f"browse-{name}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"{folder} cannot be made ({error.strerror}); name another folder in XDG_CACHE_HOME") from None
    if not _is_ours(folder):
        raise StoreError(f"{folder} is a link or another user's; remove it, or name another folder in XDG_CACHE_HOME")
    return folder


def _is_ours(folder: Path) -> bool:
    """Whether a folder is this user's, and nobody else but root owns the one above and could put another in its place."""
    if folder.is_symlink() or not hasattr(os, "getuid"):
        return not folder.is_symlink()
    above, user = folder.parent, os.getuid()
    return folder.stat().st_uid == user and {above.stat().st_uid, above.lstat().st_uid} <= {user, 0}


def open_index(archive: Archive, *, contacts: bool, words: bool = True) -> Index:
    """The index of a store as it is now, made or brought up to date where needed.

    contacts: false leaves out what contact lines say; words: false leaves out what a search needs, half of the work
    Raises StoreError for a store without a published harvest.
    """
    file, head, latest = wanted_index(archive, contacts=contacts, words=words)
    if not _is_usable(file, head):
        _make(archive, file, head, latest, contacts=contacts, words=words)
        killed = [one for one in file.parent.glob("new-*") if time.time() - one.stat().st_mtime > _A_DAY]
        for old in (*_indexes(file)[_KEPT:], *killed):
            with suppress(OSError):
                old.unlink()
    return Index(file)


class WantedIndex(NamedTuple):
    """The index of a store as it is now: its file, which may not be there yet, its key, the harvest that it shows."""

    file: Path
    key: str
    harvest_id: str


def wanted_index(archive: Archive, *, contacts: bool, words: bool = True) -> WantedIndex:
    """Which index a store as it is now needs. Raises StoreError where no harvest is published."""
    latest = archive.published_id()
    if latest is None:
        raise StoreError(f"{archive.place} has no published harvest yet; run `bma-progress harvest` first")
    kind = f"{'contacts' if contacts else 'withheld'}{'' if words else '_wordless'}"
    head = f"{head_line(archive).manifest_sha256}-{latest}-{_LAYOUT}-{kind}"
    # a file of its own for each state: who reads an older one goes on reading it
    file = index_folder(archive) / f"{kind}-{hashlib.sha256(head.encode()).hexdigest()[:16]}.sqlite"
    return WantedIndex(file, head, latest)


def _indexes(file: Path) -> list[Path]:
    """The indexes that lie beside one and hold as much, newest first."""
    pattern = f"{file.name.split('-')[0]}-*.sqlite"
    return sorted(file.parent.glob(pattern), key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _is_usable(file: Path, head: str | None) -> bool:
    """Whether a file is a whole index; head: whether it is also one of exactly this state."""
    try:
        with closing(_connect(file)) as connection:
            about = dict(connection.execute("SELECT name, value FROM about").fetchall())
            whole = connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
    except (sqlite3.Error, OSError):
        return False
    return whole and about.get("layout") == _LAYOUT and head in (None, about.get("head"))


def _make(archive: Archive, file: Path, head: str, latest: str, *, contacts: bool, words: bool) -> None:
    """Write the index beside the old one and put it in its place by one rename."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix="new-")
    os.close(descriptor)
    new = Path(name)
    try:
        older = next((one for one in _indexes(file) if _is_usable(one, None)), None)
        known = _known_nights(archive, older) if older else frozenset()
        if older and known:
            shutil.copyfile(older, new)
        with closing(sqlite3.connect(new)) as connection:
            connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
            if not known:
                connection.executescript(_TABLES)
            _add_nights(connection, archive, known, latest)
            connection.executescript(_LATEST)
            _add_latest(connection, archive, latest, contacts=contacts)
            if words:
                add_words(connection)
            about = {"head": head, "harvest_id": latest, "layout": _LAYOUT}
            connection.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", about.items())
            connection.execute("ANALYZE")
            connection.commit()
        new.replace(file)
    finally:
        with suppress(FileNotFoundError):
            new.unlink()


def _known_nights(archive: Archive, file: Path) -> frozenset[str]:
    """The nights of the index in place that the store still holds as they were; empty where it cannot be extended."""
    with closing(_connect(file)) as connection:
        known = dict(connection.execute("SELECT harvest_id, manifest_sha256 FROM nights").fetchall())
    ids = archive.harvest_ids()
    if ids[: len(known)] != sorted(known) or any(_manifest_sha256(archive, id_) != known[id_] for id_ in known):
        return frozenset()
    return frozenset(known)


def _manifest_sha256(archive: Archive, harvest_id: str) -> str | None:
    return sha256_or_none(archive.harvest_folder(harvest_id) / MANIFEST)


# --- nights: what never changes once it was committed ------------------------------------------------------------------


def _add_nights(connection: sqlite3.Connection, archive: Archive, known: frozenset[str], latest: str) -> None:
    last = dict(
        connection.execute("SELECT page_key, outcome FROM (SELECT * FROM looks ORDER BY harvest_id)").fetchall()
    )
    for id_ in archive.harvest_ids():
        if id_ in known:
            continue
        manifest = archive.manifest(id_)
        if manifest["published"] and id_ > latest:
            break  # committed a moment ago, and not yet what `latest` shows
        night = (
            *(id_, _manifest_sha256(archive, id_), str(harvest_day(id_)), harvest_start(id_).isoformat()),
            *(int(manifest["published"]), manifest["held_back"], manifest["cause"], json.dumps(manifest["outcomes"])),
        )
        _insert(connection, "nights", [night])
        _insert(connection, "looks", _looks(archive, id_, last))
        file = archive.file(id_, "bodies")
        if file is not None:
            names = ["page_sha256", "page_key", "url", "fetched_at"]
            bodies = read_columns(file, names).to_pylist()
            _insert(
                connection,
                "bodies",
                ((row["page_sha256"], id_, row["page_key"], row["url"], _instant(row["fetched_at"])) for row in bodies),
            )


def _looks(archive: Archive, harvest_id: str, last: dict[str, str]) -> Iterator[tuple[Any, ...]]:
    """The looks of one night at pages that brought something new: a version, or another outcome than before.

    A page that shows no project or indicator, such as a list, has its key in place of a code.
    """
    file = archive.file(harvest_id, "pages")
    if file is None:
        return
    names = "page_key kind project_code kpi_code outcome page_sha256 body_harvest_id fetched_at url ended_at".split()
    pages = read_columns(file, names)
    known = pc.is_in(pages["kind"], pa.array(OWNER_OF_KIND))
    looked = pc.not_equal(pages["outcome"], "skipped")
    for row in pages.filter(pc.and_(known, looked)).to_pylist():
        before, last[row["page_key"]] = last.get(row["page_key"]), row["outcome"]
        other_outcome = row["outcome"] != "unchanged" and before not in (row["outcome"], None)
        if row["outcome"] not in ("new", "changed") and not other_outcome:
            continue
        yield (
            *(row["page_key"], harvest_id, row["project_code"] or row["kpi_code"] or row["page_key"]),
            *(row["kind"], row["outcome"]),
            *(row["page_sha256"], row["body_harvest_id"], _instant(row["fetched_at"]), row["url"]),
            int(row["ended_at"] is not None),
        )


# --- the latest state --------------------------------------------------------------------------------------------------


def _add_latest(connection: sqlite3.Connection, archive: Archive, latest: str, *, contacts: bool) -> None:
    _add_changes(connection, archive, latest, contacts=contacts)
    for kind in ("project_code", "kpi_code"):
        names = [
            name for name, declared in TABLES.items() if declared.key[0] == kind and (contacts or name != "contacts")
        ]
        for code, tables in _by_record(archive, names, kind, latest):
            for name, rows in tables:
                packed = zlib.compress(orjson.dumps(rows, default=str), 1)
                connection.execute("INSERT OR IGNORE INTO documents VALUES (?, ?, ?)", (code, name, packed))
    for name, (table, columns) in _COPIED.items():
        _insert(connection, table, (tuple(row[column] for column in columns) for row in _rows(archive, name, latest)))
    _add_records(connection, archive, latest)


def _by_record(
    archive: Archive, names: Iterable[str], key: str, latest: str
) -> Iterator[tuple[str, list[tuple[str, list[dict[str, Any]]]]]]:
    """Each record's rows by table, record after record; every table is in the order of its key."""

    def stream(name: str) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
        for code, rows in groupby(_rows(archive, name, latest), itemgetter(key)):
            yield code, name, list(rows)

    streams = [stream(name) for name in names]
    for code, parts in groupby(merge(*streams, key=itemgetter(0)), itemgetter(0)):
        yield code, [(name, rows) for _, name, rows in parts]


def _add_changes(connection: sqlite3.Connection, archive: Archive, latest: str, *, contacts: bool) -> None:
    newest = connection.execute("SELECT max(harvest_id) FROM changes").fetchone()[0] or ""
    table = archive.arrow("changes", latest)
    table = table.filter(pc.greater(table["harvest_id"], newest))
    table = table if contacts else withhold_contacts(table)
    for batch in table.to_batches(5_000):
        add_changes(connection, batch.to_pylist())
    connection.execute(
        "INSERT INTO severities SELECT harvest_id, severity, count(*) FROM changes WHERE own GROUP BY 1, 2"
    )


def add_changes(connection: sqlite3.Connection, changes: Iterable[Mapping[str, Any]]) -> None:
    """Add rows of the table `changes`."""
    _insert(connection, "changes", (_change(row) for row in changes))


def _change(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """A row of `changes`; own: whether lists show it, since it follows from no other."""
    return (
        *(row["harvest_id"], row["change_no"], str(row["harvest_date"])[:10], row["table"], row["key"]),
        *(row["project_code"], row["kpi_code"], row["agency_code"], row["change"], row["column"]),
        *(row["before"], row["after"], row["meaning"], row["detail"], row["cause"]),
        *(severity_of(row["meaning"], row["detail"], row["cause"]), int(row["detail"] != "part_of_record")),
    )


def _add_records(connection: sqlite3.Connection, archive: Archive, latest: str) -> None:
    for row in _rows(archive, "project_overview", latest):
        last = str(row["last_report_date"])[:10] if row["last_report_date"] is not None else None
        values = (
            *(
                row["project_code"],
                "project",
                row["name"],
                row["agency_code"],
                row["agency_name"],
                row["fiscal_year_be"],
            ),
            *(row["progress_percent"], row["planned_percent"], row["variance_percent"], last, row["days_since_report"]),
            *(row["times_rewritten"], row["red_flags"], 0),
        )
        _insert(connection, "records", [(*values, 0)])
    names = dict(connection.execute("SELECT agency_code, name_th FROM agencies").fetchall())
    for row in _rows(archive, "kpis", latest):
        agency = row["agency_code"]
        values = (row["kpi_code"], "kpi", row["name"], agency, names.get(agency), *[None] * 6, 0, 0, 0)
        _insert(connection, "records", [(*values, 0)])
    gone = connection.execute(
        "SELECT DISTINCT code, CASE WHEN length(code) > 10 THEN 'project' ELSE 'kpi' END FROM looks "
        "WHERE outcome IN ('new', 'changed') AND code != page_key AND code NOT IN (SELECT code FROM records)"
    ).fetchall()
    for code, kind in gone:
        agency = code.split("-")[0].ljust(8, "0")
        name = _last_name(connection, code)
        values = (code, kind, name, agency, names.get(agency), *[None] * 6, 0, 0, 1)
        _insert(connection, "records", [(*values, 0)])
    connection.execute(
        "UPDATE records SET changes = (SELECT count(*) FROM changes WHERE project_code = code AND own) "
        "+ (SELECT count(*) FROM changes WHERE kpi_code = code AND project_code IS NULL AND own)"
    )


def _last_name(connection: sqlite3.Connection, code: str) -> str | None:
    """The title of a record that ended, from the change that says so."""
    found = connection.execute(
        "SELECT before FROM changes WHERE (project_code = ? OR kpi_code = ?) AND change = 'removed' "
        "AND \"table\" IN ('projects', 'kpis') ORDER BY harvest_id DESC LIMIT 1",
        (code, code),
    ).fetchone()
    with suppress(TypeError, ValueError):
        name = json.loads(found[0])["name"]
        return str(name)
    return None


def _rows(archive: Archive, name: str, harvest_id: str) -> Iterator[dict[str, Any]]:
    """The rows of a published table, a thousand in memory at a time."""
    file = archive.snapshot_file(name, harvest_id)
    if file is None:
        batches: Any = archive.arrow(name, harvest_id).to_batches(5_000)
        yield from (row for batch in batches for row in batch.to_pylist())
        return
    with opened(file) as parquet:
        for batch in parquet.iter_batches(1_000):
            yield from pa.RecordBatch.to_pylist(batch)


def _instant(value: Any) -> str | None:
    return None if value is None else value.isoformat()


def _insert(connection: sqlite3.Connection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Insert rows; one whose key is there already is left out. table: a constant of this module"""
    rows = iter(rows)
    for first in rows:
        query = f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * len(first))})"  # noqa: S608 - names of ours
        connection.executemany(query, chain([first], rows))
