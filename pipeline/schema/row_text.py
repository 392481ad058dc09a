"""Rows and keys that a table holds as JSON texts, as `changes` does."""

from typing import Any

import orjson


def row_of_text(text: str | None) -> dict[str, Any]:
    """The values of a row by column; empty where the text is no row: withheld, or written by anybody."""
    try:
        values = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return {}
    return values if isinstance(values, dict) else {}
