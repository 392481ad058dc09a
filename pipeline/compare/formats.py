"""Differences written for people and programs: text, JSON, CSV, Parquet."""

import csv
import io
import json
import unicodedata
from collections import Counter
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.compare.classify import MEANINGS, REPORT_TEXTS, TEXTS, WHOLE_RECORD

_WIDTH: Final = 48
_GRAVITY: Final = {meaning: place for place, meaning in enumerate(MEANINGS)}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What makes a spreadsheet take a cell for a formula; the full-width signs do in some of them."""


def render(changes: pa.Table, style: str) -> bytes:
    """The differences as `table` (text), `json`, `csv` or `parquet`.

    Where both values are texts, `words` says which words changed: in JSON as pairs of operation and text, elsewhere as
    one text with [-words gone-] and {+words come+}.
    """
    if style == "json":
        rows = [_with_words(row, marked=False) for row in changes.to_pylist()]
        return (json.dumps(rows, ensure_ascii=False, indent=1) + "\n").encode()
    if style == "csv":
        return _csv(changes)
    if style == "parquet":
        words = [_with_words(row, marked=True)["words"] for row in changes.to_pylist()]
        sink = pa.BufferOutputStream()
        pq.write_table(changes.append_column("words", pa.array(words, pa.string())), sink, compression="zstd")
        return bytes(sink.getvalue())
    return _text(changes).encode()


def is_text(row: dict[str, Any]) -> bool:
    """Whether a difference is between two texts, so that its words can be told apart."""
    return row["column"] in TEXTS | REPORT_TEXTS and row["before"] is not None and row["after"] is not None


def _with_words(row: dict[str, Any], *, marked: bool) -> dict[str, Any]:
    words: Any = None
    if is_text(row):
        from pipeline.compare.text_diff import changed_words

        pieces = changed_words(row["before"], row["after"])
        words = "".join(_mark(*piece) for piece in pieces) if marked else [list(piece) for piece in pieces]
    key = row["key"] if marked else json.loads(row["key"])
    return {**row, "key": key, "words": words}


def _mark(operation: str, text: str) -> str:
    return {"same": text, "removed": f"[-{text}-]", "added": f"{{+{text}+}}"}[operation]


def _csv(changes: pa.Table) -> bytes:
    """CSV that a spreadsheet opens safely: UTF-8 with its mark, and no cell taken for a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*changes.column_names, "words"])
    for row in changes.to_pylist():
        writer.writerow([safe_cell(value) for value in _with_words(row, marked=True).values()])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def safe_cell(value: str | None) -> str:
    """A text that no spreadsheet takes for a formula."""
    text = value or ""
    return f"'{text}" if text.startswith(_FORMULA) else text


def by_severity(row: dict[str, Any]) -> tuple[int, str, str]:
    """Sort key: the gravest meaning first, then by agency and key."""
    return _GRAVITY.get(row["meaning"], len(_GRAVITY)), row["agency_code"] or "", row["key"]


def _text(changes: pa.Table) -> str:
    if not len(changes):
        return "No difference.\n"
    rows = sorted(changes.to_pylist(), key=by_severity)
    lines = []
    for row in rows:
        if row["meaning"] in WHOLE_RECORD and row["detail"] == "part_of_record":
            continue  # the record's own line says it
        key = "/".join(str(part) for part in json.loads(row["key"]).values())
        what = row["column"] or row["change"]
        change = (
            f"{_short(row['before'])} → {_short(row['after'])}"
            if row["column"]
            else _short(row["after"] or row["before"])
        )
        notes = [row["detail"] or "", "our parser, not the portal" if row["cause"] == "parser" else ""]
        detail = f" ({'; '.join(filter(None, notes))})" if any(notes) else ""
        lines.append(f"  {row['meaning']:<16} {row['table']:<20} {_short(key):<28} {what}: {change}{detail}")
    meanings = Counter(row["meaning"] for row in rows)
    agencies = Counter(row["agency_code"] for row in rows)
    columns = Counter(f"{row['table']}.{row['column'] or row['change']}" for row in rows)
    lines += ["", f"{len(rows):,} {'difference' if len(rows) == 1 else 'differences'}:"]
    for meaning, count in sorted(meanings.items(), key=lambda item: _GRAVITY.get(item[0], len(_GRAVITY))):
        lines.append(f"  {count:>6,} {meaning:<16} {MEANINGS.get(meaning, '')}")
    lines += ["", "By agency: " + ", ".join(f"{agency} {count:,}" for agency, count in agencies.most_common())]
    lines += ["By column: " + ", ".join(f"{column} {count:,}" for column, count in columns.most_common())]
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """A text that a terminal prints and does not obey: control and direction characters shown as �."""
    return "".join("�" if unicodedata.category(letter) in ("Cc", "Cf", "Cs") else letter for letter in text)


def _short(value: str | None) -> str:
    if value is None:
        return "(nothing)"
    text = plain(" ".join(value.split()))
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
