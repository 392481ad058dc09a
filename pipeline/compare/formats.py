"""Changes as text, JSON, CSV or Parquet."""

import csv
import io
import json
from collections import Counter
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.compare.classify import MEANINGS, WHOLE_RECORD, meaning_order, severity_of
from pipeline.compare.text_diff import changed_words, is_text_change
from pipeline.terminal import aligned, one_line

_LONGEST: Final = 48  # letters of a value in the text format
_MOST_IN_TABLE: Final = 5_000  # changes; rich needs a second for as many
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What makes a spreadsheet take a cell for a formula; some also take the full-width signs."""
_HEADINGS: Final = ("meaning", "table", "key", "column", "change", "detail")
_COLOURS: Final = {"critical": "red", "major": "yellow", "normal": "green", "parser": "dim"}
_MARKS: Final = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}


def format_changes(changes: pa.Table, style: str) -> bytes:
    """The changes as `table` (aligned text), `json`, `csv` or `parquet`.

    Except in `table`, `words` says which words of a changed text changed: in JSON as pairs of operation and text, else as
    one text with [-removed words-] and {+added words+}.
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
    return _plain_text(changes).encode()


def changes_on_terminal(changes: pa.Table) -> RenderableType:
    """The text format for a terminal: coloured by severity and fitted to its width, unless there are very many changes."""
    rows = _listed(changes)
    if not rows or len(rows) > _MOST_IN_TABLE:
        return Text(_plain_text(changes), end="")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in _HEADINGS:
        table.add_column(heading, overflow="fold")
    for row in rows:
        colour = _COLOURS.get(severity_of(row["meaning"], row["detail"], row["cause"]), "")
        table.add_row(*(Text(cell) for cell in _cells(row)), style=colour)
    return Group(table, Text(f"\n{_summary(changes)}", end=""))


def marked_words(before: str, after: str, *, with_same: bool = True) -> str:
    """A changed text as one, with [-removed words-] and {+added words+}; with_same: also the words that stayed."""
    pieces = [piece for piece in changed_words(before, after) if with_same or piece.operation != "same"]
    return ("" if with_same else " ").join(_MARKS[piece.operation].format(piece.text) for piece in pieces)


def _with_words(row: dict[str, Any], *, marked: bool) -> dict[str, Any]:
    words: Any = None
    if is_text_change(row):
        texts = row["before"], row["after"]
        words = marked_words(*texts) if marked else [list(piece) for piece in changed_words(*texts)]
    key = row["key"] if marked else json.loads(row["key"])
    return {**row, "key": key, "words": words}


def _csv(changes: pa.Table) -> bytes:
    """CSV that a spreadsheet opens safely: UTF-8 with its byte order mark, and no cell that is a formula."""
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


def _listed(changes: pa.Table) -> list[dict[str, Any]]:
    """The changes of the text format, most severe first; of a new or removed record only its own line."""
    rows = [
        row for row in changes.to_pylist() if not (row["meaning"] in WHOLE_RECORD and row["detail"] == "part_of_record")
    ]
    return sorted(rows, key=meaning_order)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    before, after = one_line(row["before"], _LONGEST), one_line(row["after"], _LONGEST)
    changed = f"{before} → {after}" if row["column"] else one_line(row["after"] or row["before"], _LONGEST)
    key = "/".join(str(part) for part in json.loads(row["key"]).values())
    notes = [row["detail"] or "", "our parser, not the portal" if row["cause"] == "parser" else ""]
    return (
        row["meaning"],
        row["table"],
        one_line(key, _LONGEST),
        row["column"] or row["change"],
        changed,
        "; ".join(filter(None, notes)),
    )


def _plain_text(changes: pa.Table) -> str:
    if not len(changes):
        return "No difference.\n"
    return f"{aligned([_HEADINGS, *map(_cells, _listed(changes))])}\n{_summary(changes)}"


def _summary(changes: pa.Table) -> str:
    """Counts by meaning, agency and column, over all rows."""
    rows = changes.to_pylist()
    meanings = Counter(row["meaning"] for row in sorted(rows, key=meaning_order))
    agencies = Counter(row["agency_code"] for row in rows)
    columns = Counter(f"{row['table']}.{row['column'] or row['change']}" for row in rows)
    return "\n".join(
        [
            f"{len(rows):,} {'difference' if len(rows) == 1 else 'differences'}:",
            *(f"  {count:>6,} {meaning:<16} {MEANINGS.get(meaning, '')}" for meaning, count in meanings.items()),
            "",
            "By agency: " + ", ".join(f"{agency} {count:,}" for agency, count in agencies.most_common()),
            "By column: " + ", ".join(f"{column} {count:,}" for column, count in columns.most_common()),
            "",
        ]
    )
