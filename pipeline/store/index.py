"""Which harvests a store holds: from head.json and the names in harvests/, so that no manifest is opened to list them."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from pipeline.store.document_shapes import is_head
from pipeline.store.durable import read_document, unseal
from pipeline.store.layout import HEAD, ids_in
from pipeline.store.packs import pack_of, packed_ids, packs


class Listed(NamedTuple):
    """What head.json lists. published: id of a harvest → whether it was published; packs: the names of the packs"""

    published: Mapping[str, bool]
    packs: frozenset[str]


_NOTHING: Final = Listed({}, frozenset())


def listed_harvests(root: Path) -> Listed:
    """The harvests and packs in head.json; none where it is lost or altered, or an older version wrote it."""
    file = root / HEAD
    try:
        about = file.stat()
    except OSError:
        return _NOTHING
    return _read_listed(file, (about.st_mtime_ns, about.st_size, about.st_ino))


@lru_cache(maxsize=8)
def _read_listed(file: Path, version: tuple[int, int, int]) -> Listed:
    """version: what changes with the file's content"""
    try:
        head, whole = unseal(read_document(file), "head_sha256")
        return Listed(head["harvests"], frozenset(head["packs"])) if whole and is_head(head) else _NOTHING
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return _NOTHING


def read_head(root: Path) -> dict[str, Any]:
    """What head.json says; empty where it is lost or damaged."""
    try:
        head: dict[str, Any] = orjson.loads(read_document(root / HEAD))
    except (OSError, orjson.JSONDecodeError):
        return {}
    return head if is_head(head) else {}


def committed_ids(root: Path) -> list[str]:
    """All committed harvests, oldest first. Raises StoreDamagedError for a pack that cannot be read."""
    listed = listed_harvests(root)  # before the folders: a writer may be adding a harvest
    folder = root / "harvests"
    ids = set(ids_in(folder))
    there = {pack.name: pack for pack in packs(folder)}
    ids.update(id_ for id_ in listed.published if pack_of(folder, id_).name in there)
    for name in there.keys() - listed.packs:
        ids.update(packed_ids(there[name]))
    return sorted(ids)
