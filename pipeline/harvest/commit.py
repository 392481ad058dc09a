"""A harvest from its spool into the store: stage every file, hash it, and commit with one rename."""

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from parsers import PARSER_VERSION
from pipeline.compare.changes import SCHEMA as CHANGES_SCHEMA
from pipeline.compare.states import compare_states
from pipeline.errors import StoreError
from pipeline.harvest.page_status import PageRow, next_page_row
from pipeline.harvest.spool import SpooledPage
from pipeline.schema.codes import code_of_page
from pipeline.schema.columns import RECORD_TABLES, arrow_schemas, schema_version
from pipeline.store.archive import Archive
from pipeline.store.durable import canonical_json, file_sha256, sync_file, sync_folder
from pipeline.store.layout import FORMAT, MANIFEST
from pipeline.store.parquet import TableFiles, check_rows, version_schemas, write_parquet
from pipeline.store.state import State
from pipeline.store.writer import StoreWriter

BODIES_SCHEMA: Final = pa.schema(
    [
        pa.field("page_sha256", pa.string(), metadata={"description": "SHA-256 of the bytes as served."}),
        pa.field("page_key", pa.string()),
        pa.field("url", pa.string()),
        pa.field("http_status", pa.int32()),
        pa.field("headers", pa.string(), metadata={"description": "The headers that matter, as JSON."}),
        pa.field("fetched_at", pa.timestamp("us", tz="UTC")),
        pa.field("encoding", pa.string(), metadata={"description": "full, or zstd-patch against base_sha256."}),
        pa.field("base_sha256", pa.string()),
        pa.field("base_harvest_id", pa.string()),
        pa.field("body", pa.binary()),
    ]
)
_ROWS_IN_GROUP: Final = {"bodies": 100, "projects": 500, "kpis": 500, "kpi_quarters": 1_000, "pages": 4_000}
_KEPT: Final = ("page_key", "kind", "project_code", "kpi_code", "outcome", "verdict", "error")
_LEAN: Final = ("facts_sha256", "etag", "last_modified")
_WORTH_A_PATCH: Final = 0.5  # of the whole page's compressed size


@dataclass(slots=True)
class Staged:
    """A harvest whose files lie in the staging folder, not committed yet.

    pages: of each page's row what coverage and bounds are made of

    rows: rows of each table in the new state; rows_before: in the state published now
    """

    store: StoreWriter
    harvest_id: str
    folder: Path
    pages: list[PageRow]
    previous: Mapping[str, PageRow]
    rows: dict[str, int] = field(default_factory=dict)
    rows_before: dict[str, int] = field(default_factory=dict)
    snapshot: Path | None = None
    changes: Counter[str] = field(default_factory=Counter)

    @property
    def outcomes(self) -> Counter[str]:
        """How many pages had which outcome."""
        return Counter(page["outcome"] for page in self.pages)


def known_pages(store: Archive) -> dict[str, PageRow]:
    """The pages of the last published harvest, by key, with all hashes."""
    latest = store.latest_id()
    if latest is None:
        return {}
    return {row["page_key"]: row for row in State(store, latest).table("pages").to_pylist()}


def stage(
    store: StoreWriter,
    harvest_id: str,
    fetched: Iterator[SpooledPage],
    previous: Mapping[str, PageRow],
    *,
    publish_contacts: bool = True,
    cause: str = "portal",
) -> Staged:
    """Write a harvest's files and the state it leads to into the staging folder.

    fetched: the spool's pages, by key; previous: the pages of the last published harvest
    """
    folder = store.root / "tmp" / harvest_id
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    staged = Staged(store, harvest_id, folder, [], previous)
    versions = _NewVersions(store, harvest_id)
    with TableFiles(folder, _harvest_schemas(), _ROWS_IN_GROUP) as files:
        for row, page in _rows(fetched, previous, harvest_id):
            staged.pages.append({name: row[name] for name in _KEPT})
            files.add(versions.rows(row, page, previous.get(row["page_key"])))
    _build_state(staged, publish_contacts=publish_contacts, cause=cause)
    return staged


def commit(
    staged: Staged,
    *,
    held_back: str | None,
    report: Mapping[str, Any],
    run_sha256: str | None = None,
    cause: str = "portal",
) -> None:
    """Commit a staged harvest with one rename, and publish it unless it is held back.

    held_back: why it must not replace the last one, or None; run_sha256: the hash of the run's own list of hashes
    """
    store, harvest_id, folder = staged.store, staged.harvest_id, staged.folder
    target = store.root / "harvests" / harvest_id
    ids = store.harvest_ids()
    if ids and harvest_id <= ids[-1]:
        raise StoreError(f"a harvest {harvest_id} cannot follow {ids[-1]}; check this machine's clock")
    files = sorted(folder.iterdir())
    for file in files:
        sync_file(file)
    manifest = {
        "format": FORMAT,
        "harvest_id": harvest_id,
        "previous": ids[-1] if ids else None,
        "previous_manifest_sha256": file_sha256(store.harvest_folder(ids[-1]) / MANIFEST) if ids else None,
        "portal": store.portal,
        "published": held_back is None,
        "held_back": held_back,
        "cause": cause,
        "parser_version": PARSER_VERSION,
        "schema_version": schema_version(),
        "committed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "outcomes": dict(sorted(staged.outcomes.items())),
        "rows": staged.rows,
        "changes": dict(sorted(staged.changes.items())),
        "report": report,
        "run_sha256": run_sha256,
        "files": {
            file.name: {
                "bytes": file.stat().st_size,
                "sha256": file_sha256(file),
                "rows": pq.ParquetFile(file).metadata.num_rows,
            }
            for file in files
        },
    }
    content = canonical_json(manifest)
    (folder / MANIFEST).write_bytes(content)
    sync_file(folder / MANIFEST)
    sync_folder(folder)
    folder.rename(target)  # the commit
    sync_folder(store.root / "harvests")
    store.write_head()
    if held_back is None:
        store.publish(harvest_id, staged.snapshot)
    elif staged.snapshot is not None:
        shutil.rmtree(staged.snapshot)


def _rows(
    fetched: Iterator[SpooledPage], previous: Mapping[str, PageRow], harvest_id: str
) -> Iterator[tuple[PageRow, SpooledPage | None]]:
    """Each known or fetched page once, by key, with tonight's row."""
    keys = iter(sorted(previous))
    key = next(keys, None)
    for page in fetched:
        while key is not None and key < page.page_key:
            yield next_page_row(previous[key], None, harvest_id), None
            key = next(keys, None)
        if key == page.page_key:
            key = next(keys, None)
        yield next_page_row(previous.get(page.page_key), page, harvest_id), page
    while key is not None:
        yield next_page_row(previous[key], None, harvest_id), None
        key = next(keys, None)


def _harvest_schemas() -> dict[str, pa.Schema]:
    """The schemas of the files that one harvest adds, but for its changes."""
    published = arrow_schemas()
    runs = {name: published[name].remove_metadata() for name in ("pages", "findings")}
    return {**version_schemas(), **runs, "bodies": BODIES_SCHEMA}


class _NewVersions:
    """What is new in one harvest: the rows that each page adds to its files."""

    def __init__(self, store: Archive, harvest_id: str) -> None:
        self._store = store
        self._harvest_id = harvest_id
        self._stored: set[str] = set()

    def rows(self, row: PageRow, page: SpooledPage | None, previous: PageRow | None) -> dict[str, list[dict[str, Any]]]:
        """The rows that one page adds, by table: its row of `pages`, and what is new about it."""
        added: dict[str, list[dict[str, Any]]] = {"pages": [_lean(row, self._harvest_id)]}
        if page is None:
            return added
        if row["version_harvest_id"] == self._harvest_id and page.tables is not None:
            check_rows(page.tables)
            origin = {"page_key": page.page_key, "version_harvest_id": self._harvest_id}
            added |= {name: [{**values, **origin} for values in rows] for name, rows in page.tables.items()}
        place = {"harvest_id": self._harvest_id, "page_key": page.page_key}
        added["findings"] = [
            {**finding, **place, "finding_no": number} for number, finding in enumerate(page.findings, 1)
        ]
        if page.body and row["body_harvest_id"] == self._harvest_id and page.sha256 not in self._stored:
            self._stored.add(page.sha256 or "")
            added["bodies"] = [self._body(row, page, previous)]
        return added

    def _body(self, row: PageRow, page: SpooledPage, previous: PageRow | None) -> dict[str, Any]:
        """The page's bytes: whole where they are new, else as a patch against the record's bytes stored before."""
        stored: dict[str, Any] = {
            "page_sha256": page.sha256,
            "page_key": page.page_key,
            "url": page.url,
            "http_status": page.http_status,
            "headers": canonical_json(dict(page.headers)).decode(),
            "fetched_at": page.fetched_at,
            "encoding": "full",
            "base_sha256": None,
            "base_harvest_id": None,
            "body": page.body,
        }
        if previous is None or not previous["record_sha256"]:
            return stored
        base_id, base_sha256 = self._base(previous)
        base = self._store.body(base_id, base_sha256)
        dictionary = zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        patch = zstandard.ZstdCompressor(level=3, dict_data=dictionary).compress(page.body)
        if len(patch) > _WORTH_A_PATCH * len(zstandard.ZstdCompressor(level=3).compress(page.body)):
            return stored
        patched = {"encoding": "zstd-patch", "base_sha256": base_sha256, "base_harvest_id": base_id, "body": patch}
        return {**stored, **patched}

    def _base(self, previous: PageRow) -> tuple[str, str]:
        """The stored whole page that a patch can stand on: one hop, never a chain."""
        id_, sha256 = previous["record_body_harvest_id"], previous["record_sha256"]
        record = self._store.body_record(id_, sha256)
        return (record["base_harvest_id"], record["base_sha256"]) if record["base_sha256"] else (id_, sha256)


def _lean(row: PageRow, harvest_id: str) -> PageRow:
    """The row without what stands with the harvest that first saw the version or the bytes; see `state.fill_pages`."""
    known = {} if row["version_harvest_id"] == harvest_id else dict.fromkeys(_LEAN)
    if row["record_sha256"] is not None and row["record_sha256"] == row["page_sha256"]:
        known |= {"record_sha256": None, "record_body_harvest_id": None}
    if row["body_harvest_id"] not in (None, harvest_id):  # a hash is two thirds of an unchanged page's row
        known["page_sha256"] = None
    return {**row, **known} if known else row


def _build_state(staged: Staged, *, publish_contacts: bool, cause: str) -> None:
    """The state this harvest leads to, and what differs from the one published now."""
    store = staged.store
    base = store.latest_id()
    leave_out = frozenset() if publish_contacts else frozenset(("contacts",))
    new = State(store, staged.harvest_id, base=base, staged=staged.folder)
    snapshot = store.root / "tmp" / f"snapshot-{staged.harvest_id}"
    shutil.rmtree(snapshot, ignore_errors=True)
    snapshot.mkdir()
    staged.rows = new.write(snapshot, leave_out=leave_out)
    staged.snapshot = snapshot
    changes = CHANGES_SCHEMA.empty_table()
    if base is not None:
        files = {name: store.root / "snapshots" / base / f"{name}.parquet" for name in RECORD_TABLES}
        staged.rows_before = {
            name: pq.ParquetFile(file).metadata.num_rows for name, file in files.items() if file.is_file()
        }
        changes = compare_states(State(store, base), new, gone_before=_gone(staged.previous), cause=cause)
    staged.changes = Counter(changes["meaning"].to_pylist())
    write_parquet(changes, staged.folder / "changes.parquet", "changes")


def _gone(previous: Mapping[str, PageRow]) -> frozenset[str]:
    return frozenset(code_of_page(key) for key, row in previous.items() if row["ended_at"] is not None)
