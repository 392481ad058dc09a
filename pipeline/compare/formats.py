"""Changes as text, JSON, CSV or Parquet."""

import io
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from rich.cells import cell_len

from pipeline.compare.classify import MEANINGS, meaning_order, severity_of
from pipeline.compare.csv_files import BYTE_ORDER_MARK, write_csv
from pipeline.compare.text_diff import MARKS, changed_words, excerpt, is_text_change
from pipeline.schema.row_text import row_of_text
from pipeline.terminal import aligned, clipped, one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

_LONGEST: Final = 90  # columns of a changed value in the text format
_LONGEST_KEY: Final = 48
_NARROWEST: Final = 30  # columns of a changed value in a table on a terminal
_MOST_IN_TABLE: Final = 5_000  # changes; rich needs a second for as many
_HEADINGS: Final = ("meaning", "table", "key", "column", "change", "detail")
_CHANGE: Final = _HEADINGS.index("change")
_COLOURS: Final = {"critical": "red", "major": "yellow", "normal": "green", "parser": "dim"}


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
        sink = pa.BufferOutputStream()
        pq.write_table(_with_words_column(changes), sink, compression="zstd")
        return bytes(sink.getvalue())
    return _plain_text(changes).encode()


def changes_on_terminal(changes: pa.Table, width: int) -> "RenderableType":
    """The text format for a terminal: coloured by severity and fitted to its width, unless there are very many changes.

    width: columns of the terminal; where they are too few for a table, each change takes two lines
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    rows = _listed(changes)
    if not rows or len(rows) > _MOST_IN_TABLE:
        return Text(_plain_text(changes), end="")
    cells = [_HEADINGS, *(_cells(row, _LONGEST) for row in rows)]
    others = sum(max(cell_len(row[place]) for row in cells) + 2 for place in range(len(_HEADINGS)) if place != _CHANGE)
    styles = [_COLOURS.get(severity_of(row["meaning"], row["detail"], row["cause"]), "") for row in rows]
    if width - others < _NARROWEST:
        lines = Text()
        for row, style in zip(rows, styles, strict=True):
            *about, change, detail = _cells(row, width - 4)
            lines.append(clipped("  ".join(filter(None, [*about, detail])), width - 1) + "\n", style=style)
            lines.append(f"    {change}\n")
        return Group(lines, Text(_summary(changes), end=""))
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in _HEADINGS:
        table.add_column(heading, no_wrap=True)
    for row, style in zip(rows, styles, strict=True):
        table.add_row(*(Text(cell) for cell in _cells(row, width - others)), style=style)
    return Group(table, Text(f"\n{_summary(changes)}", end=""))


def marked_words(before: str, after: str) -> str:
    """A changed text as one, with [-removed words-] and {+added words+}."""
    return "".join(MARKS[piece.operation].format(piece.text) for piece in changed_words(before, after))


def _with_words(row: dict[str, Any], *, marked: bool) -> dict[str, Any]:
    words: Any = None
    if is_text_change(row):
        texts = row["before"], row["after"]
        words = marked_words(*texts) if marked else [list(piece) for piece in changed_words(*texts)]
    key = row["key"] if marked else row_of_text(row["key"])
    return {**row, "key": key, "words": words}


def _csv(changes: pa.Table) -> bytes:
    """CSV that a spreadsheet opens safely: UTF-8 with its byte order mark, and no cell that is a formula."""
    out = io.BytesIO(BYTE_ORDER_MARK)
    out.seek(0, io.SEEK_END)
    write_csv([_with_words_column(changes)], out)
    return out.getvalue()


def _with_words_column(changes: pa.Table) -> pa.Table:
    """The table of changes with a column `words`, marked."""
    words = [_with_words(row, marked=True)["words"] for row in changes.to_pylist()]
    return changes.append_column("words", pa.array(words, pa.string()))


def _listed(changes: pa.Table) -> list[dict[str, Any]]:
    """The changes of the text format, most severe first; of a new or removed record only its own line."""
    rows = [row for row in changes.to_pylist() if row["detail"] != "part_of_record"]
    return sorted(rows, key=meaning_order)


def _cells(row: dict[str, Any], longest: int) -> tuple[str, ...]:
    """The cells of one line, in the order of _HEADINGS. longest: columns of the changed value"""
    changed = excerpt(row, longest) if row["column"] else one_line(_values(row["after"] or row["before"]), longest)
    key = "/".join(str(part) for part in row_of_text(row["key"]).values())
    notes = [row["detail"] or "", "our parser, not the portal" if row["cause"] == "parser" else ""]
    return (
        row["meaning"],
        row["table"],
        one_line(key, _LONGEST_KEY),
        row["column"] or row["change"],
        changed,
        "; ".join(filter(None, notes)),
    )


def _values(whole_row: str | None) -> str | None:
    """The values of an added or removed row, the first ones first: the rest of a line is cut."""
    return ", ".join(f"{name} {value}" for name, value in row_of_text(whole_row).items()) or whole_row


def _plain_text(changes: pa.Table) -> str:
    if not len(changes):
        return "No difference.\n"
    return f"{aligned([_HEADINGS, *(_cells(row, _LONGEST) for row in _listed(changes))])}\n{_summary(changes)}"


def format_summary(changes: pa.Table, style: str) -> bytes:
    """Only how many changes there are, by meaning, agency and column; style: `table` or `json`"""
    if style == "table":
        return (_summary(changes) if len(changes) else "No difference.\n").encode()
    rows = changes.to_pylist()
    by = {f"by_{name}": dict(counts) for name, counts in _counts(rows).items()}
    return (json.dumps({"differences": len(rows), **by}, ensure_ascii=False, indent=1) + "\n").encode()


def _counts(rows: list[dict[str, Any]]) -> dict[str, Counter[str]]:
    """Counts by meaning, most severe first, and by agency and column; what is said of the whole portal has no agency."""
    return {
        "meaning": Counter(row["meaning"] for row in sorted(rows, key=meaning_order)),
        "agency": Counter(row["agency_code"] or "all" for row in rows),
        "column": Counter(f"{row['table']}.{row['column'] or row['change']}" for row in rows),
    }


def _summary(changes: pa.Table) -> str:
    """Counts by meaning, agency and column, over all rows."""
    rows = changes.to_pylist()
    meanings, agencies, columns = _counts(rows).values()
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
