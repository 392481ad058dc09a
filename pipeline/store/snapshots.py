"""Snapshots, the derived states of a store: writes, publishes (`latest`), rewrites and prunes them.

Only the writer of a store may call what is here: see `pipeline.store.writer`.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as pq

from pipeline.schema.columns import schema_version
from pipeline.store.archive import Archive, has_current_columns
from pipeline.store.data_package import write_data_package
from pipeline.store.durable import file_sha256, seal, sync_file, sync_folder, write_durably
from pipeline.store.layout import BANGKOK, SNAPSHOT, harvest_start, ids_in
from pipeline.store.state import State


def publish(archive: Archive, harvest_id: str, built: Path | None = None) -> None:
    """Make a committed harvest the one that `latest` shows.

    built: its state, already written in the staging folder; built here where it is not
    """
    target = archive.root / "snapshots" / harvest_id
    if not target.is_dir():
        if built is None:
            built = archive.root / "tmp" / f"snapshot-{harvest_id}"
            built.mkdir(parents=True)
            State(archive, harvest_id, base=archive.nearest_snapshot(harvest_id)).write(built)
        finish_snapshot(built, harvest_id, archive.portal)
        built.rename(target)
        sync_folder(archive.root / "snapshots")
    _point_latest(archive.root, Path("snapshots") / harvest_id)


def finish_snapshot(folder: Path, harvest_id: str, portal: str) -> None:
    """Write a snapshot's data package and its own list of hashes, and force everything to disk."""
    package = write_data_package(folder, harvest_id, portal)
    files = sorted([*folder.glob("*.parquet"), package])
    for file in files:
        sync_file(file)
    write_durably(folder / SNAPSHOT, snapshot_document(files, harvest_id))


def snapshot_document(files: Iterable[Path], harvest_id: str) -> bytes:
    """What `snapshot.json` says of a snapshot's files."""
    content = {
        "harvest_id": harvest_id,
        "schema_version": schema_version(),
        "files": {file.name: {"bytes": file.stat().st_size, "sha256": file_sha256(file)} for file in files},
    }
    return seal(content, "snapshot_sha256")


def withheld_tables(snapshot: Path) -> frozenset[str]:
    """The tables that a snapshot leaves empty because the settings withhold them."""
    contacts = snapshot / "contacts.parquet"
    is_empty = contacts.is_file() and pq.read_metadata(contacts).num_rows == 0
    return frozenset(("contacts",)) if is_empty else frozenset()


def migrate(archive: Archive) -> list[str]:
    """Rewrite the snapshots that a version with other columns wrote; returns their ids.

    harvests/ are never rewritten: what they lack reads as null.
    """
    folders = [archive.root / "snapshots" / id_ for id_ in ids_in(archive.root / "snapshots")]
    outdated = [folder for folder in folders if not has_current_columns(folder)]
    for folder in outdated:
        _rebuild(archive, folder)
    return [folder.name for folder in outdated]


def _rebuild(archive: Archive, folder: Path) -> None:
    built, old = archive.root / "tmp" / folder.name, archive.root / "tmp" / f"old-{folder.name}"
    built.mkdir()
    State(archive, folder.name).write(built, leave_out=withheld_tables(folder))
    finish_snapshot(built, folder.name, archive.portal)
    shown = archive.latest_id() == folder.name
    if shown:
        _point_latest(archive.root, Path("tmp") / folder.name)  # so that `latest` is whole at every moment
    folder.rename(old)
    if shown:
        shutil.copytree(built, folder)
        _point_latest(archive.root, Path("snapshots") / folder.name)
        shutil.rmtree(built)
    else:
        built.rename(folder)
    shutil.rmtree(old)


def _point_latest(root: Path, target: Path) -> None:
    link = root / "tmp" / "latest"
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    link.replace(root / "latest")
    sync_folder(root)


def prune_snapshots(archive: Archive, keep: int) -> list[str]:
    """Drop snapshots older than the last `keep` that are not the first of a month; returns their ids."""
    ids = ids_in(archive.root / "snapshots")
    months: dict[str, str] = {}
    for id_ in archive.harvest_ids(published_only=True):
        months.setdefault(f"{harvest_start(id_).astimezone(BANGKOK):%Y-%m}", id_)
    kept = {*ids[-keep:], *months.values(), archive.latest_id()}
    gone = [id_ for id_ in ids if id_ not in kept]
    for id_ in gone:
        doomed = archive.root / "tmp" / f"pruned-{id_}"
        (archive.root / "snapshots" / id_).rename(doomed)  # a half-deleted snapshot must not be taken for a whole one
        shutil.rmtree(doomed)
    return gone
