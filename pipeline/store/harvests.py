"""Reads the committed harvests of a store: their ids and manifests, and which of their files are as committed.

Which there are is known from head.json and the names in harvests/, so that no manifest is opened to list them.
"""

import os
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from pipeline.errors import StoreDamagedError, StoreError, no_harvest_yet
from pipeline.store.document_shapes import is_head, is_manifest
from pipeline.store.durable import is_unaltered, read_document, unseal
from pipeline.store.layout import HARVEST_ID, HEAD, MANIFEST, PACK, Folder, harvest_id_at
from pipeline.store.packs import harvest_folder, pack_name, pack_of, packed_ids
from pipeline.store.points_in_time import When, end_of


class Harvests:
    """The harvests under `root/harvests`, plain or in packs. Nothing here writes, or reads a table."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    # --- harvests -----------------------------------------------------------------------------------------------

    def harvest_ids(self, *, published_only: bool = False) -> list[str]:
        """All committed harvests, oldest first."""
        ids, listed = committed_harvests(self.root)
        if not published_only:
            return ids
        return [id_ for id_ in ids if (listed[id_] if id_ in listed else self.manifest(id_)["published"])]

    def check_chain(self) -> None:
        """Raise StoreDamagedError where a harvest is missing: one that another followed, or that head.json names."""
        # read before the harvests: a writer may be adding one
        newest, listed = read_head(self.root).get("harvest_id"), listed_harvests(self.root).published
        ids = self.harvest_ids()
        if newest is not None and newest not in ids:
            raise newest_is_damaged(self.root, newest)
        if lost := listed.keys() - ids:
            later = [id_ for id_ in ids if id_ > max(lost)]
            raise self._is_missing(max(lost), later[0]) if later else newest_is_damaged(self.root, max(lost))
        for before, id_ in zip((None, *ids), ids, strict=False):
            if id_ in listed and (before is None or before in listed):
                continue  # checked when head.json was written
            if (followed := self.manifest(id_)["previous"]) != before:
                raise self._is_missing(followed, id_)

    def _is_missing(self, harvest_id: str, follower: str) -> StoreDamagedError:
        return StoreDamagedError(
            f"harvest {harvest_id}, which {follower} followed, is missing in {self.root}; restore it from a copy of the store"
        )

    def manifest(self, harvest_id: str) -> dict[str, Any]:
        """The manifest of a harvest. Raises StoreDamagedError."""
        return _read_manifest(self.root / "harvests", harvest_id)

    def harvest_folder(self, harvest_id: str) -> Folder:
        """Where a harvest's files are: its folder, or its place in the pack of its month."""
        return harvest_folder(self.root / "harvests", harvest_id)

    def file(self, harvest_id: str, name: str) -> Folder | None:
        """A harvest's Parquet file, checked against its manifest; None where an older version wrote no such file.

        Raises StoreDamagedError where it is missing or has other bytes than were committed.
        """
        return checked_file(self.root / "harvests", harvest_id, name)

    def held_back_note(self, harvest_id: str) -> str | None:
        """What anyone who asks for a harvest should know where it was held back; None where it was published."""
        reason = self.manifest(harvest_id)["held_back"]
        return f"harvest {harvest_id} was held back and never published: {reason}" if reason else None

    def withheld(self, harvest_id: str) -> frozenset[str]:
        """The tables that were left empty when a harvest was published, as the settings of that night said.

        Older versions did not write it down: a table of contacts without a row, beside projects, says so.
        """
        manifest = self.manifest(harvest_id)
        rows = manifest["rows"]
        older = ["contacts"] if rows.get("projects") and not rows.get("contacts") else []
        return frozenset(manifest.get("withheld", older))

    def published_before(self, harvest_id: str) -> str | None:
        """The last published harvest before another, or None."""
        return max((id_ for id_ in self.harvest_ids(published_only=True) if id_ < harvest_id), default=None)

    def resolve(self, when: When) -> str:
        """A harvest's id from an id, a day (the last harvest on or before it, Bangkok time), an instant, `latest` or `previous`.

        A `datetime` without a time zone is Bangkok time, and at midnight the whole day. Raises StoreError where the store
        has no such harvest, and for Buddhist years and days to come.
        """
        self.check_chain()
        published = self.harvest_ids(published_only=True)
        if not published and not self.harvest_ids():
            raise no_harvest_yet(self.root)
        text = when.strip() if isinstance(when, str) else ""
        if text in ("latest", "previous"):
            place = -1 if text == "latest" else -2
            if len(published) < -place:
                raise StoreError(f"{self.root} holds {len(published)} published harvest(s), so there is no {text} one")
            return published[place]
        if HARVEST_ID.fullmatch(text):
            ids = self.harvest_ids()
            if text in ids:
                return text
            raise StoreError(f"{self.root} holds no harvest {text}; the newest is {ids[-1]}")
        end = harvest_id_at(end_of(when))
        before = [id_ for id_ in published if id_ < end]
        if not before:
            first = published[0] if published else "none"
            zone = " Bangkok time" if isinstance(when, datetime) and when.tzinfo is None else ""
            raise StoreError(f"no harvest was published on or before {text or when}{zone}; the first one is {first}")
        return before[-1]


def ids_in(folder: Path) -> list[str]:
    """The harvests that have a plain folder or snapshot in `folder`, oldest first. Raises StoreDamagedError for a link."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        found = {entry.name: entry.is_symlink() for entry in entries if HARVEST_ID.fullmatch(entry.name)}
    if linked := [name for name, is_link in found.items() if is_link]:
        raise StoreDamagedError(
            f"{folder / linked[0]} is a link, which no harvest is; restore it from a copy of the store"
        )
    return sorted(found)


def packs_in(folder: Path) -> list[Path]:
    """The packs of harvests in `folder`, oldest first."""
    return sorted(path for path in folder.glob("*.zip") if PACK.fullmatch(path.name))


class Listed(NamedTuple):
    """What head.json lists. published: id of a harvest → whether it was published; packs: their names and hashes"""

    published: Mapping[str, bool]
    packs: Mapping[str, str]


NOT_LISTED: Final = Listed({}, {})
"""Where head.json is lost or altered, or an older version wrote it."""


def listed_harvests(root: Path) -> Listed:
    """The harvests and packs in head.json, or NOT_LISTED."""
    file = root / HEAD
    try:
        about = file.stat()
    except OSError:
        return NOT_LISTED
    return _read_listed(file, (about.st_mtime_ns, about.st_size, about.st_ino))


@lru_cache(maxsize=8)
def _read_listed(file: Path, version: tuple[int, int, int]) -> Listed:
    """version: what changes with the file's content"""
    try:
        head, whole = unseal(read_document(file), "head_sha256")
        return Listed(head["harvests"], dict(head["packs"])) if whole and is_head(head) else NOT_LISTED
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return NOT_LISTED


def read_head(root: Path) -> dict[str, Any]:
    """What head.json says; empty where it is lost or damaged."""
    try:
        head: dict[str, Any] = orjson.loads(read_document(root / HEAD))
    except (OSError, orjson.JSONDecodeError):
        return {}
    return head if is_head(head) else {}


def committed_harvests(root: Path) -> tuple[list[str], Mapping[str, bool]]:
    """All committed harvests, oldest first, and which of them head.json lists, and whether they were published.

    Raises StoreDamagedError for a pack that cannot be read.
    """
    listed = listed_harvests(root)  # before the folders: a writer may be adding a harvest
    folder = root / "harvests"
    ids = set(ids_in(folder))
    if there := packs_in(folder):
        names = {pack.name for pack in there}
        ids.update(id_ for id_ in listed.published if pack_name(id_) in names)
        for pack in there:
            if pack.name not in listed.packs:
                ids.update(packed_ids(pack))
    return sorted(ids), listed.published


def newest_is_damaged(root: Path, harvest_id: str) -> StoreDamagedError:
    """The error of a store whose newest harvest is not there as it was committed."""
    return StoreDamagedError(
        f"harvest {harvest_id}, the last that was committed to {root}, is missing or altered; restore it from a "
        "copy of the store before another harvest hides that"
    )


def _read_manifest(harvests: Path, harvest_id: str) -> dict[str, Any]:
    for file in (harvests / harvest_id / MANIFEST, pack_of(harvests, harvest_id)):
        with suppress(OSError):
            about = file.stat()
            return _parse_manifest(harvests, harvest_id, (about.st_mtime_ns, about.st_size, about.st_ino))
    return _parse_manifest(harvests, harvest_id, None)


@lru_cache(maxsize=4096)
def _parse_manifest(harvests: Path, harvest_id: str, version: tuple[int, int, int] | None) -> dict[str, Any]:
    """Read a manifest; version: what changes with its content."""
    file = harvest_folder(harvests, harvest_id) / MANIFEST
    try:
        manifest: dict[str, Any] = orjson.loads(read_document(file))
    except (OSError, KeyError, orjson.JSONDecodeError, zipfile.BadZipFile):
        manifest = {}
    if not is_manifest(manifest):
        raise StoreDamagedError(f"{file} cannot be read; run `bma-progress verify`")
    return manifest


def checked_file(harvests: Path, harvest_id: str, name: str) -> Folder | None:
    """A file of a harvest; see `Harvests.file`. harvests: the folder of all"""
    about = _read_manifest(harvests, harvest_id)["files"].get(f"{name}.parquet")
    if about is None:
        return None
    file = harvest_folder(harvests, harvest_id) / f"{name}.parquet"
    if not is_unaltered(file, about["sha256"]):
        raise StoreDamagedError(f"{file} is missing or is not what was committed; restore it from a copy of the store")
    return file
