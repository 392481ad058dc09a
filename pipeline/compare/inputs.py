"""The inputs of a comparison: a harvest of a store, or a folder of exported tables."""

import filecmp
import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.compare.state_pair import Rows
from pipeline.errors import StoreDamagedError, StoreError, first_line
from pipeline.location import is_url
from pipeline.schema.columns import RECORD_TABLES, TABLES, arrow_schema, page_columns
from pipeline.store.archive import Archive
from pipeline.store.layout import BANGKOK, HARVEST_ID, harvest_day
from pipeline.store.state import State
from pipeline.store.writer import open_archive

DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


class Snapshot(Protocol):
    """One state of the portal to compare. title: its name in reports"""

    title: str

    @property
    def portal(self) -> str | None:
        """The portal's address, where known."""

    @property
    def harvest_id(self) -> str | None:
        """Its harvest, where known."""

    @property
    def day(self) -> date | None:
        """The day of the state, in Bangkok."""

    @property
    def tables(self) -> Mapping[str, Rows]:
        """The tables of records that it has."""

    @property
    def pages(self) -> pa.Table | None:
        """The table `pages`, where it has one."""

    @property
    def missing_columns(self) -> Mapping[str, tuple[str, ...]]:
        """Table → columns that its file lacks; known once `tables` was read."""

    @property
    def held_back(self) -> str | None:
        """Why its harvest was not published; None where it was."""


class StoreSnapshot:
    """One harvest of a store."""

    def __init__(self, store: Archive, harvest_id: str) -> None:
        self.store = store
        self.harvest_id: str | None = harvest_id
        self.title = f"{store.root}, harvest {harvest_id}"
        self.portal: str | None = store.portal
        self.missing_columns: Mapping[str, tuple[str, ...]] = {}

    @cached_property
    def state(self) -> State:
        """The state after the harvest."""
        return State(self.store, self._id)

    @cached_property
    def tables(self) -> Mapping[str, Rows]:
        """All tables of records, from the stored snapshot where there is one."""
        return {name: self._rows(name) for name in RECORD_TABLES}

    def _rows(self, name: str) -> Rows:
        file = self.store.snapshot_file(name, self._id)
        return self.state.table(name) if file is None else ParquetRows(file, name)

    @property
    def pages(self) -> pa.Table | None:
        """The pages of the harvest."""
        return self.state.table("pages")

    @property
    def day(self) -> date | None:
        """The day the harvest began."""
        return harvest_day(self._id)

    @property
    def held_back(self) -> str | None:
        """The reason in the manifest."""
        reason: str | None = self.store.manifest(self._id)["held_back"]
        return reason

    @property
    def _id(self) -> str:
        assert self.harvest_id is not None  # noqa: S101 - the constructor sets it
        return self.harvest_id


class FolderSnapshot:
    """A folder of exported Parquet files: `bma-progress export`, a snapshot, or a copy of one.

    Raises StoreError where it has none of our tables or a table lacks a key column, StoreDamagedError where a file cannot
    be read.
    """

    def __init__(self, folder: Path) -> None:
        given, folder = folder, folder.resolve()  # all tables of one harvest, even if `latest` changes meanwhile
        self._files = {name: folder / f"{name}.parquet" for name in TABLES if (folder / f"{name}.parquet").is_file()}
        if not any(name in RECORD_TABLES for name in self._files):
            raise StoreError(f"{given} holds no exported tables; name a folder made by `bma-progress export`")
        self.title = str(given)
        self.missing_columns: dict[str, tuple[str, ...]] = {}
        self.held_back: str | None = None

    @cached_property
    def tables(self) -> Mapping[str, Rows]:
        """The tables of records that the folder has."""
        return {name: self._open(name) for name in RECORD_TABLES if name in self._files}

    @cached_property
    def pages(self) -> pa.Table | None:
        """The pages, where the folder has them."""
        return self._open("pages").select(arrow_schema("pages").names) if "pages" in self._files else None

    @cached_property
    def harvest_id(self) -> str | None:
        """The exported harvest, from the table of pages."""
        ids = pc.max(self.pages["harvest_id"]).as_py() if self.pages is not None and len(self.pages) else None
        return ids if ids and HARVEST_ID.fullmatch(ids) else None

    @cached_property
    def portal(self) -> str | None:
        """The portal's address, from the first page's."""
        if self.pages is None or not len(self.pages):
            return None
        found = re.match(r"https?://[^/?#]+", self.pages["url"][0].as_py() or "")
        return found[0] if found else None

    @cached_property
    def day(self) -> date | None:
        """The day of the harvest; without the table of pages, the last day a project was confirmed."""
        if self.harvest_id:
            return harvest_day(self.harvest_id)
        if "projects" not in self._files:
            return None
        checked = pc.max(self._open("projects").select(["checked_at"])["checked_at"]).as_py()
        return checked.astimezone(BANGKOK).date() if checked else None

    def _open(self, name: str) -> "ParquetRows":
        rows = ParquetRows(self._files[name], name)
        if rows.missing:
            self.missing_columns[name] = rows.missing
        if lost := [column for column in TABLES[name].key if column in rows.missing]:
            raise StoreError(
                f"{rows.file} lacks the key column {lost[0]}, so its rows cannot be told apart; export it again"
            )
        return rows


class ParquetRows:
    """The rows of one exported file. Columns are read only on request.

    missing: declared columns that the file lacks; they read as null. Raises StoreDamagedError.
    """

    def __init__(self, file: Path, name: str) -> None:
        self.file = file
        self._name = name
        self._schema = arrow_schema(name)
        wanted = page_columns(name) or tuple(self._schema.names)
        try:
            metadata = pq.read_metadata(file)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from None
        self.number = int(metadata.num_rows)
        self._there = frozenset(metadata.schema.to_arrow_schema().names)
        self.missing = tuple(column for column in wanted if column not in self._there)

    def select(self, names: list[str], /) -> pa.Table:
        """Some columns, in this order."""
        schema = pa.schema([pa.field(name, self._schema.field(name).type) for name in names])
        there = [name for name in names if name in self._there]
        try:
            table = pq.read_table(self.file, columns=there) if there else None
            columns = [
                table[name].cast(field.type)
                if table is not None and name in there
                else pa.nulls(self.number, field.type)
                for name, field in zip(names, schema, strict=True)
            ]
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from None
        return pa.Table.from_arrays(columns, schema=schema)

    def has_bytes_of(self, other: "ParquetRows") -> bool:
        """True where both files hold the same bytes, and so the same rows."""
        try:
            return filecmp.cmp(self.file, other.file, shallow=False)
        except OSError as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> StoreDamagedError:
        return StoreDamagedError(
            f"{self.file} cannot be read as the table {self._name} ({first_line(error)}); export it again"
        )


def number_of_rows(rows: Rows) -> int:
    """How many rows a table has."""
    return rows.number if isinstance(rows, ParquetRows) else len(rows.select([]))


def open_snapshot(text: str, default: Callable[[], Archive]) -> Snapshot:
    """The snapshot that a user names.

    text: a harvest's id, a day, `latest` or `previous` of the default store; a folder of exported tables; the folder of a
        store or its address in object storage, alone for its latest state or with `@` and a day: `data/dp1@2026-11-20`
    default: returns the default store; called only where the text names no store

    Raises StoreError where there is no such snapshot.
    """
    if text in ("latest", "previous") or HARVEST_ID.fullmatch(text) or DAY.fullmatch(text):
        store = default()
        return StoreSnapshot(store, store.resolve(text))
    folder, _, when = text.rpartition("@") if "@" in text and not Path(text).is_dir() else (text, "", "latest")
    path = Path(folder)
    if is_url(folder) or (path / "store.json").is_file():
        store = open_archive(folder)
        return StoreSnapshot(store, store.resolve(when))
    if path.is_dir():
        return FolderSnapshot(path)
    raise StoreError(
        f"{text!r} is no harvest's id, no day such as 2026-11-22, neither latest nor previous, and no folder"
    )
