"""The inputs of a comparison: a harvest of a store, or a folder of exported tables."""

import re
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from parsers.thai import BANGKOK
from pipeline.compare.state_pair import Rows
from pipeline.compare.table_file import TableFile
from pipeline.errors import StoreError
from pipeline.location import is_url
from pipeline.schema.columns import RECORD_TABLES, TABLES
from pipeline.store.archive import Archive
from pipeline.store.layout import HARVEST_ID, harvest_day
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
    def tables(self) -> Mapping[str, TableFile]:
        """The tables of records that it has."""

    @property
    def pages(self) -> Rows | None:
        """The table `pages`, where it has one."""

    def derived(self, name: str, columns: Sequence[str]) -> pa.Table | None:
        """Some columns of a derived table; None where the snapshot has not all of them."""

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
        return self.store.state(self._id)

    @cached_property
    def tables(self) -> Mapping[str, TableFile]:
        """All tables of records, from the stored snapshot where there is one."""
        files = {name: self.store.snapshot_file(name, self._id) for name in RECORD_TABLES}
        return {name: TableFile(file or self._written / f"{name}.parquet", name) for name, file in files.items()}

    @cached_property
    def _written(self) -> Path:
        """A folder with the state's tables, as long as this object lives."""
        folder = Path(tempfile.mkdtemp(prefix="bma-progress-diff-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.state.write(folder)
        return folder

    @property
    def pages(self) -> Rows | None:
        """The pages of the harvest."""
        pages: Rows = self.state.table("pages")
        return pages

    def derived(self, name: str, columns: Sequence[str]) -> pa.Table | None:
        """Some columns of a derived table."""
        return self.store.arrow(name, self._id, columns=columns)

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
    def tables(self) -> Mapping[str, TableFile]:
        """The tables of records that the folder has."""
        return {name: self._open(name) for name in RECORD_TABLES if name in self._files}

    @cached_property
    def pages(self) -> TableFile | None:
        """The pages, where the folder has them."""
        return self._open("pages") if "pages" in self._files else None

    @cached_property
    def harvest_id(self) -> str | None:
        """The exported harvest, from the table of pages."""
        ids = pc.max(self.pages.select(["harvest_id"])["harvest_id"]).as_py() if self.pages is not None else None
        return ids if ids and HARVEST_ID.fullmatch(ids) else None

    @cached_property
    def portal(self) -> str | None:
        """The portal's address, from the first page's."""
        if self.pages is None or not self.pages.number:
            return None
        found = re.match(r"https?://[^/?#]+", self.pages.select(["url"])["url"][0].as_py() or "")
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

    def derived(self, name: str, columns: Sequence[str]) -> pa.Table | None:
        """Some columns of a derived table, where the folder has them."""
        rows = TableFile(self._files[name], name) if name in self._files else None
        return None if rows is None or set(columns) & set(rows.missing) else rows.select(list(columns))

    def _open(self, name: str) -> TableFile:
        rows = TableFile(self._files[name], name)
        if rows.missing:
            self.missing_columns[name] = rows.missing
        if lost := [column for column in TABLES[name].key if column in rows.missing]:
            raise StoreError(
                f"{rows.file} lacks the key column {lost[0]}, so its rows cannot be told apart; export it again"
            )
        return rows


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
