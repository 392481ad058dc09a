"""A store opened for reading: its harvests, and every table as it stood at any of them."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import StoreDamagedError, StoreError, refused_by_machine
from pipeline.location import place_of
from pipeline.schema.columns import TABLES, schema_version
from pipeline.store.durable import unreadable
from pipeline.store.harvests import Harvests
from pipeline.store.layout import FORMAT, SNAPSHOT, ids_in
from pipeline.store.state import State


class Archive(Harvests):
    """One store, opened for reading. `pipeline.store.writer` opens it for writing.

    portal: the address of the portal whose pages it holds

    Raises StoreError where the folder is no store or was written by a newer version.
    """

    def __init__(self, root: str | Path) -> None:
        super().__init__(root)
        file = self.root / "store.json"
        try:
            about = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise StoreError(
                f"{root} holds no store; run `bma-progress harvest --data {root}` first, or name another folder"
            ) from None
        except (OSError, ValueError) as error:
            raise refused_by_machine(error, file) or unreadable(file) from None
        if not isinstance(about, dict) or not isinstance(about.get("portal"), str):
            raise unreadable(file)
        if about.get("format") != FORMAT:
            raise StoreError(
                f"{root} was written by a newer bma-progress (format {about.get('format')}); upgrade to read it"
            )
        self.portal: str = about["portal"]

    @property
    def place(self) -> str:
        """Where the store is, as a person named it: its folder, or its address in object storage."""
        return place_of(self.root)

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of all tables."""
        return tuple(TABLES)

    def latest_id(self) -> str | None:
        """The harvest that `latest` shows, or None."""
        try:
            return (self.root / "latest").readlink().name
        except OSError:
            return None

    def published_id(self) -> str | None:
        """The same, also in a copy that lost the link `latest`, as on a system without such links."""
        return self.latest_id() or next(iter(self.harvest_ids(published_only=True)[-1:]), None)

    # --- tables ---------------------------------------------------------------------------------------------------

    def arrow(self, name: str, when: str | date = "latest") -> pa.Table:
        """One table as it stood at `when`, as Arrow.

        Raises StoreError for an unknown table or time, StoreDamagedError where its file cannot be read.
        """
        id_ = self._known(name, when)
        if (file := self._snapshot_file(name, id_)) is None:
            return State(self, id_).table(name)
        with _table_file(file):
            return pq.read_table(file)

    def number_of_rows(self, name: str, when: str = "latest") -> int:
        """How many rows a table had at `when`; of a snapshot without reading them. Raises like `arrow`."""
        id_ = self._known(name, when)
        if (file := self._snapshot_file(name, id_)) is None:
            return len(self.arrow(name, id_))
        with _table_file(file):
            return int(pq.read_metadata(file).num_rows)

    def _known(self, name: str, when: str | date) -> str:
        if name not in TABLES:
            raise StoreError(f"{name!r} is no table; there are {', '.join(TABLES)}")
        return self.resolve(when)

    def _snapshot_file(self, name: str, harvest_id: str) -> Path | None:
        folder = self.snapshot(harvest_id)
        file = folder / f"{name}.parquet" if folder else None
        return file if file and file.is_file() else None

    # --- whole states ---------------------------------------------------------------------------------------------

    def snapshot(self, harvest_id: str) -> Path | None:
        """The derived snapshot of a harvest, where it is kept and has the columns of this version."""
        folder = self.root / "snapshots" / harvest_id
        return folder if has_current_columns(folder) else None

    def nearest_snapshot(self, harvest_id: str) -> str | None:
        """The newest snapshot at or before a harvest, from which its state is quickest made."""
        return max((id_ for id_ in ids_in(self.root / "snapshots") if id_ <= harvest_id), default=None)

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
            State(self, id_, base=self.nearest_snapshot(id_)).write(out)
        return id_


def has_current_columns(snapshot: Path) -> bool:
    """Whether a snapshot is there and was written with the columns of this version."""
    try:
        written_by: str = json.loads((snapshot / SNAPSHOT).read_bytes())["schema_version"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return written_by == schema_version()


@contextmanager
def _table_file(file: Path) -> Iterator[None]:
    """Turn errors of damaged snapshot files into one sentence."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise refused_by_machine(error, file) or StoreDamagedError(
            f"{file} cannot be read; `bma-progress verify` names all that is damaged"
        ) from None
