"""Which harvests a store holds: from head.json and the names in harvests/, so that no manifest is opened to list them."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from pipeline.store.document_shapes import is_head
from pipeline.store.durable import read_document, unseal
from pipeline.store.layout import HEAD, ids_in, packs_in
from pipeline.store.packs import pack_name, packed_ids


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
