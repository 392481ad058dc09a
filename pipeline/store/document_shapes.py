"""The shapes of a store's JSON documents: one from elsewhere could hold anything, and is damage where it does.

Only what is read is named here; a newer version may add names.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from pipeline.store.layout import HARVEST_ID, PACK

LARGEST: Final = 64 << 20
"""Bytes of the largest document that is read."""

_FILE: Final = re.compile(r"[A-Za-z0-9_]+\.[a-z0-9.]+", re.ASCII)

Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _id(value: Any) -> bool:
    return isinstance(value, str) and bool(HARVEST_ID.fullmatch(value))


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _none_or(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _map_of(check: Check, names: re.Pattern[str] | None = None) -> Check:
    """A check of an object: each value, and each name."""

    def is_map(value: Any) -> bool:
        return isinstance(value, dict) and all(
            (names is None or names.fullmatch(name)) and check(one) for name, one in value.items()
        )

    return is_map


def _object(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """A check of an object with certain names."""

    def is_object(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and value.keys() >= required.keys()
            and all(check(value[name]) for name, check in required.items())
            and all(check(value[name]) for name, check in (optional or {}).items() if name in value)
        )

    return is_object


def _any_object(value: Any) -> bool:
    return isinstance(value, dict)


_COUNTS: Final = _map_of(_count)
_HASHED: Final = _object({"sha256": _text}, {"bytes": _count, "rows": _count})

is_manifest: Final = _object(
    {
        "files": _map_of(_HASHED, _FILE),
        "published": _flag,
        "previous": _none_or(_id),
        "held_back": _none_or(_text),
        "cause": _text,
        "parser_version": _text,
        "portal": _text,
        "rows": _COUNTS,
        "outcomes": _COUNTS,
        "changes": _COUNTS,
    },
    {
        "schema_version": _text,
        "report": _none_or(_any_object),
        "withheld": _texts,
        "run_sha256": _none_or(_text),
        "due_at": _none_or(_text),
        "page_hashes_sha256": _none_or(_text),
        "previous_manifest_sha256": _none_or(_text),
        "snapshot": _none_or(
            _object({"files": _map_of(_text, _FILE), "pyarrow": _text, "schema_version": _text}),
        ),
    },
)
"""Whether a document is a harvest's `manifest.json`."""

is_snapshot: Final = _object({"harvest_id": _id, "schema_version": _text, "files": _map_of(_HASHED, _FILE)})
"""Whether a document is a `snapshot.json`."""

is_head: Final = _object(
    {"harvest_id": _none_or(_id)},
    {"harvests": _map_of(_flag, HARVEST_ID), "packs": _map_of(lambda _: True, PACK), "portal": _text},
)
"""Whether a document is a `head.json`."""

is_anchor: Final = _object(
    {"line": _text, "stamped_at": _none_or(_text), "authority": _none_or(_text), "command": _flag, "problems": _texts}
)
"""Whether a document is an `anchor.json`."""
