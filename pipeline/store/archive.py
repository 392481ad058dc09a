"""A store opened for reading: its harvests, and every table as it stood at any of them."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from pipeline.errors import StoreDamagedError, StoreError, refused_by_machine
from pipeline.schema.columns import TABLES, schema_version
from pipeline.store.catalog import read_snapshot
from pipeline.store.durable import is_unaltered
from pipeline.store.harvests import ids_in
from pipeline.store.parquet_files import check_files, number_of_rows, read_columns
from pipeline.store.points_in_time import When
from pipeline.store.state import State
from pipeline.store.stored_pages import StoredPages


class Archive(StoredPages):
    """One store, opened for reading; see `Catalog`. `pipeline.store.writer` opens it for writing."""

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of all tables."""
        return tuple(TABLES)

    # --- tables ---------------------------------------------------------------------------------------------------

    def arrow(self, name: str, when: When = "latest", *, columns: Sequence[str] | None = None) -> pa.Table:
        """One table as it stood at `when`, as Arrow. columns: only these, in this order

        Raises StoreError for an unknown table, column or time, StoreDamagedError where its file cannot be read.
        """
        id_ = self._known(name, when)
        chosen = None if columns is None else _known_columns(name, columns)
        if (file := self.snapshot_file(name, id_)) is None:
            table = self.state(id_).table(name)
            return table if chosen is None else table.select(chosen)
        with _table_file(file):
            return read_columns(file, chosen)

    def number_of_rows(self, name: str, when: str = "latest") -> int:
        """How many rows a table had at `when`; of a snapshot without reading them. Raises like `arrow`."""
        id_ = self._known(name, when)
        if (file := self.snapshot_file(name, id_)) is None:
            return len(self.arrow(name, id_))
        with _table_file(file):
            return number_of_rows(file)

    def _known(self, name: str, when: When) -> str:
        if not isinstance(name, str) or name not in TABLES:
            raise StoreError(f"{name!r} is no table; there are {', '.join(TABLES)}")
        return self.resolve(when)

    def snapshot_file(self, name: str, harvest_id: str) -> Path | None:
        """The file of a table in the snapshot of a harvest, checked; None where no snapshot of this version has one.

        Raises StoreDamagedError where it is missing or altered.
        """
        if not self._has_current_snapshot(harvest_id):
            return None
        file, hashes = self._snapshot(harvest_id) / f"{name}.parquet", self._snapshot_hashes(harvest_id)
        if hashes and file.name not in hashes:
            return None
        if not hashes or not is_unaltered(file, hashes[file.name]):
            raise _damaged(file)
        return file

    # --- whole states ---------------------------------------------------------------------------------------------

    def snapshot(self, harvest_id: str) -> Path | None:
        """The derived snapshot of a harvest, checked, where it is kept and has the columns of this version.

        Raises StoreDamagedError where a file of it is missing or altered.
        """
        folder = self._snapshot(harvest_id)
        if not self._has_current_snapshot(harvest_id):
            return None
        if not self.has_whole_snapshot(harvest_id):
            raise _damaged(folder)
        check_files(folder)  # other programs than this module read them
        return folder

    def _has_current_snapshot(self, harvest_id: str) -> bool:
        """Whether a snapshot is kept, and not one of an older version's columns."""
        folder = self._snapshot(harvest_id)
        return folder.is_dir() and (has_current_columns(folder) or read_snapshot(folder) is None)

    def has_whole_snapshot(self, harvest_id: str) -> bool:
        """Whether the snapshot of a harvest is kept, and every file of it has the bytes that were written."""
        hashes = self._snapshot_hashes(harvest_id)
        return bool(hashes) and _are_unaltered(self._snapshot(harvest_id), hashes)

    def shows(self, harvest_id: str) -> bool:
        """Whether `latest` shows a harvest, whole."""
        latest = self.root / "latest"
        if self.latest_id() != harvest_id or not self.has_whole_snapshot(harvest_id):
            return False
        return latest.is_symlink() or _are_unaltered(latest, self._snapshot_hashes(harvest_id))

    def base_for(self, harvest_id: str) -> str | None:
        """The harvest at or before another from whose snapshot a state is quickest made: one with proven bytes.

        Proven are the bytes that the harvest's own manifest names. All others are only derived, and never built on.
        """
        snapshots = ids_in(self.root / "snapshots")
        committed = set(self.harvest_ids()) if snapshots else ()
        for id_ in reversed(snapshots):
            if id_ <= harvest_id and id_ in committed and self.is_proven(id_) and self._is_base(id_):
                return id_
        return None

    def _is_base(self, harvest_id: str) -> bool:
        return has_current_columns(self._snapshot(harvest_id)) and self.has_whole_snapshot(harvest_id)

    def state(self, harvest_id: str) -> State:
        """All tables as of a harvest, from the nearest snapshot before it."""
        return State(self, harvest_id, base=self.base_for(harvest_id))

    def state_folder(self, harvest_id: str, spare: Path) -> Path:
        """A folder with every table as of a harvest: its snapshot, or `spare`, into which they are then written."""
        if snapshot := self.snapshot(harvest_id):
            return snapshot
        self.export(harvest_id, spare)
        return spare

    def export(self, when: str, out: Path) -> str:
        """Write all tables as they stood at `when` into the folder `out`; returns the harvest's id."""
        id_ = self.resolve(when)
        out.mkdir(parents=True, exist_ok=True)
        if snapshot := self.snapshot(id_):
            for file in snapshot.glob("*.parquet"):
                shutil.copyfile(file, out / file.name)
        else:
            self.state(id_).write(out)
        return id_


def _known_columns(name: str, columns: Sequence[str]) -> list[str]:
    known = [column.name for column in TABLES[name].columns]
    if isinstance(columns, str):
        raise StoreError(f"columns is a list of names, such as [{columns!r}]")
    for column in columns:
        if column not in known:
            raise StoreError(f"{column!r} is no column of {name}; there are {', '.join(known)}")
    return list(columns)


def has_current_columns(snapshot: Path) -> bool:
    """Whether a snapshot is there and was written with the columns of this version."""
    about = read_snapshot(snapshot)
    return about is not None and about["schema_version"] == schema_version()


def _are_unaltered(folder: Path, hashes: Mapping[str, str]) -> bool:
    return all(is_unaltered(folder / name, sha256) for name, sha256 in hashes.items())


def _damaged(place: Path) -> StoreDamagedError:
    return StoreDamagedError(
        f"{place} is missing or altered; the next harvest makes the published snapshot anew, and `bma-progress verify` names "
        "all that is damaged"
    )


@contextmanager
def _table_file(file: Path) -> Iterator[None]:
    """Turn errors of damaged snapshot files into one sentence."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise refused_by_machine(error, file) or StoreDamagedError(
            f"{file} cannot be read; `bma-progress verify` names all that is damaged"
        ) from None
