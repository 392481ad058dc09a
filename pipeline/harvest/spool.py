"""The resumable spool of a harvest: one SQLite file. A kill costs at most the pages of the last tenth of a second."""

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson
import zstandard

from pipeline.harvest.portal import PageRef

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS frontier (
    number INTEGER PRIMARY KEY, page_key TEXT UNIQUE NOT NULL, kind TEXT NOT NULL, code TEXT NOT NULL,
    url TEXT NOT NULL, source TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'pending'
);
CREATE INDEX IF NOT EXISTS frontier_state ON frontier (state, number);
CREATE TABLE IF NOT EXISTS pages (page_key TEXT PRIMARY KEY, about TEXT NOT NULL, body BLOB, parsed BLOB);
"""

COMMIT_INTERVAL: Final = 0.1
"""Seconds that a saved page waits for others, to be committed with them: a commit a page cost a tenth of a page's CPU."""

UNTIL_NEXT_START: Final = ("robots", "certificate")
"""Kinds of errors that another pass does not change, but another start may: it reads rules and certificates anew."""

_FINAL_ERRORS: Final = (*UNTIL_NEXT_START, "too_costly")
"""Kinds of errors that another pass does not change."""


@dataclass(slots=True)
class SpooledPage:
    """One page as fetched (and parsed) in this harvest.

    body: the entity bytes; empty where nothing came or the page was not modified
    tables: the rows of the record that its address promises, by table; None where there is none, and where the bytes are
        those already known: they are not parsed again, and there is no verdict
    unclaimed: printed lines of a record's page that no rule read
    url, final_url: as requested; and where the answer came from, where a redirect led elsewhere
    """

    page_key: str
    kind: str
    code: str
    url: str
    http_status: int | None
    headers: Mapping[str, str]
    fetched_at: datetime
    attempts: int
    sha256: str | None
    error: str | None = None
    error_kind: str | None = None
    final_url: str | None = None
    not_modified: bool = False
    body: bytes = b""
    verdict: str | None = None
    facts_sha256: str | None = None
    encoding: str | None = None
    evaluation_quarter: int | None = None
    parser_version: str | None = None
    size: int = 0
    tables: Mapping[str, list[dict[str, Any]]] | None = None
    findings: list[dict[str, Any]] = field(default_factory=list)
    unclaimed: list[str] = field(default_factory=list)

    @property
    def result(self) -> str:
        """The result for the page, in a word."""
        return self.error_kind or self.verdict or ("not_modified" if self.not_modified else "unchanged")

    @property
    def has_no_record(self) -> bool:
        """True where the portal says that there is no such record, or shows an empty one."""
        return self.error is None and (self.http_status in (404, 410) or self.verdict in ("not_found", "empty"))


class Spool:
    """The pages of a harvest under way: what is to be fetched, and what was fetched.

    size: how many pages were found so far
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._db = sqlite3.connect(path, isolation_level=None, timeout=60)
        # WAL with NORMAL: no kill of the process loses a page; a power cut may cost the last few, which are fetched
        # again. FULL would wait for the disk at every page (805 pages a second measured, 1,643 so).
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        self.size = int(self._db.execute("SELECT count(*) FROM frontier").fetchone()[0])
        self._is_closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._failure: sqlite3.Error | None = None
        # two thirds of the CPU of level 1, a ninth more bytes
        self._compress = zstandard.ZstdCompressor(level=-1).compress
        self._decompress = zstandard.ZstdDecompressor().decompress

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Commit and close the file. A failure that was raised already is not raised again."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self._failure is None:
                self.commit()
        finally:
            self._db.close()

    def commit(self) -> None:
        """Commit what was saved. Raises sqlite3.Error, also where a commit that came due by itself has failed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._failure is not None:
            raise self._failure
        if self._db.in_transaction:
            self._db.execute("COMMIT")

    def _commit_when_due(self) -> None:
        """Have what was just saved committed within COMMIT_INTERVAL; at once where no event loop runs."""
        if self._timer is not None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.commit()
        else:
            self._timer = loop.call_later(COMMIT_INTERVAL, self._commit_as_due)

    def _commit_as_due(self) -> None:
        try:
            self.commit()
        except sqlite3.Error as error:  # nobody would see it here: the next call raises it
            self._failure = error

    def _begin(self) -> None:
        if self._failure is not None:
            raise self._failure
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")

    # --- facts of the run ------------------------------------------------------------------------------------------

    def set_meta(self, **values: Any) -> None:
        """Save facts of the run: portal, start, scope."""
        self._set_meta(values)

    def _set_meta(self, values: Mapping[str, Any]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)", [(name, json.dumps(value)) for name, value in values.items()]
        )

    def meta(self) -> dict[str, Any]:
        """The facts of the run."""
        return {name: json.loads(value) for name, value in self._db.execute("SELECT name, value FROM meta")}

    # --- what is to be fetched ------------------------------------------------------------------------------------

    def begin(self, found: Iterable[tuple[str, PageRef]], about: Mapping[str, Any]) -> int:
        """Plan a harvest: the pages to begin with, each with its source, and facts of the run, all or nothing.

        Returns how many pages there are.
        """
        self._begin()
        self._set_meta(about)
        self.add(found)
        return self.size

    def add(self, found: Iterable[tuple[str, PageRef]]) -> None:
        """Add pages to be fetched, each with its source; a page that is known already stays as it is."""
        self._begin()
        self._insert([(ref.page_key, ref.kind, ref.code, ref.url, source) for source, ref in found])
        self.commit()

    def _insert(self, rows: list[tuple[str, str, str, str, str]]) -> None:
        sql = "INSERT OR IGNORE INTO frontier (page_key, kind, code, url, source) VALUES (?, ?, ?, ?, ?)"
        if rows:
            self.size += self._db.executemany(sql, rows).rowcount

    def pending(self, limit: int | None = None) -> list[tuple[PageRef, str]]:
        """Pages still to be fetched, in the order they were found: reference and source.

        The source is how a page was found: start, list, known, probe, asked or link.
        """
        rows = self._db.execute(
            "SELECT page_key, kind, code, url, source FROM frontier WHERE state = 'pending' ORDER BY number LIMIT ?",
            (-1 if limit is None else limit,),
        )
        return [(PageRef(*ref), source) for *ref, source in rows]

    def is_pending(self, page_key: str) -> bool:
        """True while a page is still to be fetched."""
        query = "SELECT 1 FROM frontier WHERE page_key = ? AND state = 'pending'"
        return self._db.execute(query, (page_key,)).fetchone() is not None

    def retry_failed(self) -> int:
        """Make the failed pages pending once more, for another pass; returns how many."""
        return self._db.execute("UPDATE frontier SET state = 'pending' WHERE state = 'failed'").rowcount

    def ask_again(self, keys: Iterable[str]) -> None:
        """Make pages pending once more."""
        self._begin()
        self._db.executemany("UPDATE frontier SET state = 'pending' WHERE page_key = ?", [(key,) for key in keys])
        self.commit()

    def keep(self, page_key: str) -> None:
        """Leave a page that was asked for again as it was fetched before."""
        self._begin()
        self._db.execute("UPDATE frontier SET state = 'done' WHERE page_key = ?", (page_key,))
        self._commit_when_due()

    def counts(self) -> Counter[str]:
        """How many pages are pending, done, failed."""
        return Counter(dict(self._db.execute("SELECT state, count(*) FROM frontier GROUP BY state")))

    def records(self) -> int:
        """How many pages that can hold a record were fetched."""
        query = "SELECT count(*) FROM frontier WHERE state != 'pending' AND kind NOT IN ('result_list', 'start')"
        return int(self._db.execute(query).fetchone()[0])

    def planned(self) -> Iterator[tuple[PageRef, str, str]]:
        """All pages this harvest was to fetch: reference, source, state; by key."""
        for *ref, source, state in self._db.execute(
            "SELECT page_key, kind, code, url, source, state FROM frontier ORDER BY page_key"
        ):
            yield PageRef(*ref), source, state

    def sources(self) -> dict[str, str]:
        """How each page that this harvest was to fetch was found, by its key; see `pending`."""
        return dict(self._db.execute("SELECT page_key, source FROM frontier ORDER BY page_key"))

    # --- what was fetched -----------------------------------------------------------------------------------------

    def put(self, page: SpooledPage, found: Iterable[PageRef] = ()) -> None:
        """Save one page and the pages its links lead to, both or neither; see COMMIT_INTERVAL."""
        about = {
            name: getattr(page, name)
            for name in SpooledPage.__dataclass_fields__
            if name not in ("body", "tables", "findings", "unclaimed", "page_key")
        }
        parsed = orjson.dumps({"tables": page.tables, "findings": page.findings, "unclaimed": page.unclaimed})
        failed = page.error is not None and page.error_kind not in _FINAL_ERRORS
        self._begin()
        self._db.execute(
            "INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?)",
            (
                page.page_key,
                orjson.dumps(about).decode(),
                self._compress(page.body) if page.body else None,
                self._compress(parsed) if page.tables is not None or page.findings else None,
            ),
        )
        self._db.execute(
            "UPDATE frontier SET state = ? WHERE page_key = ?", ("failed" if failed else "done", page.page_key)
        )
        self._insert([(ref.page_key, ref.kind, ref.code, ref.url, "link") for ref in found])
        self._commit_when_due()

    def pages(
        self, *, with_body: bool = True, with_rows: bool = True, unless_missing: Collection[str] = ()
    ) -> Iterator[SpooledPage]:
        """All pages fetched, by key, one at a time in memory.

        unless_missing: keys of pages that are left out where the portal has no such record
        """
        cursor = self._db.cursor()
        columns = f"page_key, about, {'body' if with_body else 'NULL'}, {'parsed' if with_rows else 'NULL'}"
        for row in cursor.execute(f"SELECT {columns} FROM pages ORDER BY page_key"):  # noqa: S608 - own words only
            page = self._page(*row)
            if not (page.page_key in unless_missing and page.has_no_record):
                yield page

    def why_nothing_came(self) -> str | None:
        """None where any page was answered; else the most common error, or an empty text without one."""
        errors: Counter[str] = Counter()
        for page in self.pages(with_body=False, with_rows=False):
            if page.sha256 or page.not_modified:
                return None
            errors[page.error or ""] += 1
        return max(errors, key=lambda error: (error != "", errors[error]), default="")

    def get(self, page_key: str) -> SpooledPage | None:
        """One page, or None."""
        row = self._db.execute("SELECT * FROM pages WHERE page_key = ?", (page_key,)).fetchone()
        return self._page(*row) if row else None

    def _page(self, page_key: str, about: str, body: bytes | None, parsed: bytes | None) -> SpooledPage:
        values = orjson.loads(about)
        values["fetched_at"] = datetime.fromisoformat(values["fetched_at"])
        rows = orjson.loads(self._decompress(parsed)) if parsed else {"tables": None, "findings": []}
        return SpooledPage(page_key=page_key, body=self._decompress(body) if body else b"", **rows, **values)
