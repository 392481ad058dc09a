"""A harvest's files, written into the staging folder: what is new in it, the state it leads to, and what changed."""

import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import zstandard

from pipeline.compare.changes import SCHEMA as CHANGES_SCHEMA
from pipeline.compare.states import compare_states
from pipeline.errors import MissingPageError
from pipeline.harvest.oddities import Oddities
from pipeline.harvest.page_status import PageRow, next_page_row, progress_differs
from pipeline.harvest.spool import SpooledPage
from pipeline.schema.codes import code_of_page
from pipeline.schema.columns import RECORD_TABLES
from pipeline.store.archive import Archive
from pipeline.store.durable import canonical_json
from pipeline.store.parquet import HarvestFiles, write_parquet
from pipeline.store.state import State
from pipeline.store.writer import StoreWriter

_CHECKED_COLUMNS: Final = ("page_key", "kind", "project_code", "kpi_code", "outcome", "verdict", "error")
_WORTH_A_PATCH: Final = 0.5  # of the whole page's compressed size


@dataclass(slots=True)
class Staged:
    """A harvest whose files lie in the staging folder, not committed yet.

    pages: of each page's row what coverage and bounds are made of; outcomes: how many pages had which outcome
    rows: number of rows of each table in the new state; rows_before: in the state published now, without tables that one
    of the two withholds; withheld: tables that the new state leaves empty, as the settings say
    rows_added: number of rows of each file of the harvest; stored: hashes of the pages whose bytes it stores
    oddities: what was not read in the pages
    """

    store: StoreWriter
    harvest_id: str
    folder: Path
    pages: list[PageRow]
    previous: Mapping[str, PageRow]
    stored: set[str]
    rows: dict[str, int] = field(default_factory=dict)
    rows_before: dict[str, int] = field(default_factory=dict)
    withheld: frozenset[str] = frozenset()
    rows_added: dict[str, int] = field(default_factory=dict)
    snapshot: Path | None = None
    outcomes: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    oddities: Oddities = field(default_factory=Oddities)


def stage(
    store: StoreWriter,
    harvest_id: str,
    fetched: Iterator[SpooledPage],
    previous: Mapping[str, PageRow],
    *,
    publish_contacts: bool = True,
    cause: str = "portal",
    suspect_nights: int | None = None,
) -> Staged:
    """Write a harvest's files and the state it leads to into the staging folder.

    fetched: the spool's pages, by key; previous: the pages of the last published harvest
    suspect_nights: see `next_page_row`
    """
    folder = store.root / "tmp" / harvest_id
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stored: set[str] = set()
    versions = _NewVersions(store, harvest_id, stored)
    staged = Staged(store, harvest_id, folder, [], previous, stored)
    with HarvestFiles(folder) as files:
        progress: dict[str, float] = {}
        for row, page in _page_rows(fetched, previous, harvest_id, suspect_nights):
            differs = progress_differs(row, progress)
            if page is not None:
                staged.oddities.count(page, row["unclaimed"])
            staged.pages.append({name: row[name] for name in _CHECKED_COLUMNS})
            staged.outcomes[row["outcome"]] += 1
            added = versions.rows(row, page, previous.get(row["page_key"]))
            if differs:
                findings = added.setdefault("findings", [])
                findings.append({**differs, "harvest_id": harvest_id, "finding_no": len(findings) + 1})
            for body in added.get("bodies", ()):
                stored.add(body["page_sha256"])
            files.add(added)
    staged.rows_added = files.rows
    _build_state(staged, publish_contacts=publish_contacts, cause=cause)
    return staged


def _page_rows(
    fetched: Iterator[SpooledPage], previous: Mapping[str, PageRow], harvest_id: str, suspect_nights: int | None
) -> Iterator[tuple[PageRow, SpooledPage | None]]:
    """Merge known and fetched pages, both in order of key: each page once, with its row in this harvest."""
    keys = iter(sorted(previous))
    key = next(keys, None)
    for page in fetched:
        if page.kind == "start":  # it leads to other pages and holds no record
            continue
        while key is not None and key < page.page_key:
            yield next_page_row(previous[key], None, harvest_id), None
            key = next(keys, None)
        if key == page.page_key:
            key = next(keys, None)
        yield next_page_row(previous.get(page.page_key), page, harvest_id, suspect_nights), page
    while key is not None:
        yield next_page_row(previous[key], None, harvest_id), None
        key = next(keys, None)


class _NewVersions:
    """What is new in one harvest: the rows that each page adds to its files.

    stored: hashes of the pages whose bytes were added so far
    """

    def __init__(self, store: Archive, harvest_id: str, stored: Collection[str]) -> None:
        self._store = store
        self._harvest_id = harvest_id
        self._stored = stored

    def rows(self, row: PageRow, page: SpooledPage | None, previous: PageRow | None) -> dict[str, list[dict[str, Any]]]:
        """The rows that one page adds, by table: its row of `pages`, and what is new about it."""
        added: dict[str, list[dict[str, Any]]] = {"pages": [_without_repeats(row, self._harvest_id)]}
        if page is None:
            return added
        tables = page.tables if row["version_harvest_id"] == self._harvest_id else None
        if tables is not None:
            origin = {"page_key": page.page_key, "version_harvest_id": self._harvest_id}
            added |= {name: [{**values, **origin} for values in rows] for name, rows in tables.items()}
        place = {"harvest_id": self._harvest_id, "page_key": page.page_key}
        added["findings"] = [
            {**finding, **place, "finding_no": number} for number, finding in enumerate(page.findings, 1)
        ]
        if row["body_harvest_id"] == self._harvest_id and row["page_sha256"] not in self._stored:
            added["bodies"] = [self._body(row, page, previous)]
        return added

    def _body(self, row: PageRow, page: SpooledPage, previous: PageRow | None) -> dict[str, Any]:
        """The page's bytes: whole where they are new, else as a patch against the record's bytes stored before."""
        stored: dict[str, Any] = {
            "page_sha256": page.sha256,
            "page_key": page.page_key,
            "url": page.final_url or page.url,
            "http_status": page.http_status,
            "headers": canonical_json(dict(page.headers)).decode(),
            "fetched_at": page.fetched_at,
            "encoding": "full",
            "base_sha256": None,
            "base_harvest_id": None,
            "body": page.body,
        }
        base = self._base(previous) if previous is not None and previous["record_sha256"] else None
        if base is None:
            return stored
        dictionary = zstandard.ZstdCompressionDict(base["body"], dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        patch = zstandard.ZstdCompressor(level=3, dict_data=dictionary).compress(page.body)
        if len(patch) > _WORTH_A_PATCH * len(zstandard.ZstdCompressor(level=3).compress(page.body)):
            return stored
        return {**stored, **base, "encoding": "zstd-patch", "body": patch}

    def _base(self, previous: PageRow) -> dict[str, Any] | None:
        """The stored whole page that a patch is made against: never another patch. None where its bytes are lost."""
        try:
            id_, sha256 = self._store.whole_page(previous["record_body_harvest_id"], previous["record_sha256"])
            return {"base_harvest_id": id_, "base_sha256": sha256, "body": self._store.body(id_, sha256)}
        except MissingPageError:
            return None


def _without_repeats(row: PageRow, harvest_id: str) -> PageRow:
    """The row without what the harvest that first saw the version or the bytes holds; see `State._fill`."""
    known: PageRow = {} if row["version_harvest_id"] == harvest_id else {"facts_sha256": None}
    if row["record_sha256"] is not None and row["record_sha256"] == row["page_sha256"]:
        known |= {"record_sha256": None, "record_body_harvest_id": None}
    if row["body_harvest_id"] not in (None, harvest_id):  # the hash is two thirds of an unchanged page's row
        known["page_sha256"] = None
    return {**row, **known} if known else row


def _build_state(staged: Staged, *, publish_contacts: bool, cause: str) -> None:
    """The state this harvest leads to, and what differs from the one published now."""
    store = staged.store
    before = store.latest_id()
    staged.withheld = frozenset() if publish_contacts else frozenset(("contacts",))
    new = State(store, staged.harvest_id, base=store.base_for(staged.harvest_id), staged=staged.folder)
    changes = CHANGES_SCHEMA.empty_table()
    if before is not None:
        withheld = staged.withheld | store.withheld(before)
        rows = store.manifest(before)["rows"]
        staged.rows_before = {name: rows[name] for name in RECORD_TABLES if name in rows and name not in withheld}
        changes = compare_states(store.state(before), new, gone_before=_gone(staged.previous), cause=cause)
    staged.changes = Counter(changes["meaning"].to_pylist())
    write_parquet(changes, staged.folder / "changes.parquet", "changes", lean=True)
    staged.rows_added["changes"] = len(changes)
    del changes
    snapshot = store.root / "tmp" / f"snapshot-{staged.harvest_id}"
    shutil.rmtree(snapshot, ignore_errors=True)
    snapshot.mkdir()
    staged.rows = new.write(snapshot, leave_out=staged.withheld)  # its tables include this harvest's changes
    staged.snapshot = snapshot


def _gone(previous: Mapping[str, PageRow]) -> frozenset[str]:
    return frozenset(code_of_page(key) for key, row in previous.items() if row["ended_at"] is not None)
