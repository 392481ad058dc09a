"""Snapshots, the derived states of a store: writes, publishes (`latest`), rewrites and prunes them.

Only the writer of a store may call what is here: see `pipeline.store.writer`.
"""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from pipeline.progress import counted
from pipeline.schema.columns import schema_version
from pipeline.store.archive import Archive, has_current_columns
from pipeline.store.data_package import INDEX, index_of, write_data_package
from pipeline.store.durable import FileHashes, put_in_place, remove, seal, sync_and_hash, write_durably
from pipeline.store.harvests import ids_in
from pipeline.store.layout import SNAPSHOT, harvest_day
from pipeline.store.state import State


class BuiltState(NamedTuple):
    """A state whose tables are written and on disk: its folder, its files' bytes and hashes, the tables' rows."""

    folder: Path
    files: FileHashes
    rows: Mapping[str, int]


def build_state(state: State, folder: Path) -> BuiltState:
    """Write a state into an empty folder, and force it to disk."""
    rows = state.write(folder)
    return BuiltState(folder, sync_and_hash(folder.glob("*.parquet")), rows)


def publish(archive: Archive, harvest_id: str, built: BuiltState | None = None) -> None:
    """Make a committed harvest the one that `latest` shows.

    built: its state, already written in the staging folder; built here where it is not, and no whole snapshot is there
    """
    if built is not None or not archive.has_whole_snapshot(harvest_id):
        _write_snapshot(archive, harvest_id, built)
    _show(archive, harvest_id)


def _write_snapshot(archive: Archive, harvest_id: str, built: BuiltState | None = None) -> None:
    """Put a snapshot in its place in one step; built: its tables, where they are written already."""
    if built is None:
        folder = archive.root / "tmp" / f"snapshot-{harvest_id}"
        remove(folder)
        folder.mkdir()
        built = build_state(archive.state(harvest_id), folder)
    finish_snapshot(built, harvest_id, archive.portal)
    put_in_place(built.folder, archive.root / "snapshots" / harvest_id)


def _show(archive: Archive, harvest_id: str) -> None:
    """Have `latest` show a snapshot: by a link, or where the file system has none by a folder with the same files."""
    snapshot, new, latest = Path("snapshots") / harvest_id, archive.root / "tmp" / "latest", archive.root / "latest"
    remove(new)
    try:
        new.symlink_to(snapshot)
    except (OSError, NotImplementedError):
        shutil.copytree(archive.root / snapshot, new, copy_function=_link_or_copy)
    put_in_place(new, latest)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def finish_snapshot(built: BuiltState, harvest_id: str, portal: str) -> None:
    """Write a snapshot's data package, its index and its own list of hashes, and force them to disk."""
    folder, tables, rows = built
    package, index = write_data_package(folder, harvest_id, portal), folder / INDEX
    index.write_bytes(index_of(folder, harvest_id, portal, tables, rows))
    write_durably(folder / SNAPSHOT, snapshot_document([package, index], harvest_id, tables))


def add_to_snapshot(archive: Archive, harvest_id: str, name: str, content: bytes) -> None:
    """Write a further file into a snapshot, and into its list of hashes."""
    folder = archive.root / "snapshots" / harvest_id
    files = json.loads((folder / SNAPSHOT).read_bytes())["files"]
    write_durably(folder / name, content, archive.root / "tmp")
    write_durably(folder / SNAPSHOT, snapshot_document([folder / name], harvest_id, files), archive.root / "tmp")


def snapshot_document(files: Iterable[Path], harvest_id: str, hashed: FileHashes | None = None) -> bytes:
    """What `snapshot.json` says of a snapshot's files, which are forced to disk; hashed: those of which that was done before"""
    hashes = {**(hashed or {}), **sync_and_hash(files)}
    content = {"harvest_id": harvest_id, "schema_version": schema_version(), "files": hashes}
    return seal(content, "snapshot_sha256")


def migrate(archive: Archive) -> list[str]:
    """Rewrite the snapshots that a version with other columns wrote; returns their ids.

    harvests/ are never rewritten: what they lack reads as null.
    """
    ids = ids_in(archive.root / "snapshots")
    outdated = [id_ for id_ in ids if not has_current_columns(archive.root / "snapshots" / id_)]
    for id_ in counted(outdated, "snapshots written"):
        _write_snapshot(archive, id_)
    if archive.latest_id() in outdated:
        _show(archive, str(archive.latest_id()))
    return outdated


def prune_snapshots(archive: Archive, keep: int) -> list[str]:
    """Drop snapshots older than the last `keep` that are not the first of a month; returns their ids.

    The one shown before is always kept, for anyone who is reading it at this moment.
    """
    ids = ids_in(archive.root / "snapshots")
    published, there = archive.harvest_ids(published_only=True), frozenset(ids)
    firsts = {
        id_
        for before, id_ in zip(("", *published), published, strict=False)
        if id_ in there and not (before and _month(before) == _month(id_))
    }
    kept = {*ids[-max(keep, 2) :], *firsts, archive.latest_id()}
    gone = [id_ for id_ in ids if id_ not in kept]
    for id_ in gone:
        doomed = archive.root / "tmp" / f"pruned-{id_}"
        (archive.root / "snapshots" / id_).rename(doomed)  # a half-deleted snapshot must not be taken for a whole one
        shutil.rmtree(doomed)
    return gone


def _month(harvest_id: str) -> tuple[int, int]:
    """Year and month of a harvest, Bangkok time."""
    day = harvest_day(harvest_id)
    return day.year, day.month
