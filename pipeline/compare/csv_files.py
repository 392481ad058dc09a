"""Tables as CSV that no spreadsheet runs: a text that looks like a formula has an apostrophe before it.

The texts come from a web page, and `=HYPERLINK(…)` in a note would run in Excel. Every CSV is written here.
"""

from collections.abc import Iterable
from typing import IO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from pipeline.plain_text import UNSAFE

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
"""What tells Excel that a CSV file is UTF-8."""

_FORMULA: Final = r"^[\s\pZ]*[=+\-@'＝＋－＠]|^[\t\r\n]"
_UNSAFE: Final = f"[{UNSAFE}]"
_CSV_TYPES: Final = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_floating,
                     pa.types.is_boolean, pa.types.is_date, pa.types.is_timestamp, pa.types.is_decimal,
                     pa.types.is_null)  # fmt: skip
"""The types that Arrow writes to CSV; lists and intervals, which a query can make, are not among them."""


def write_csv(blocks: Iterable[pa.Table], file: IO[bytes]) -> None:
    """Write tables of one schema as one CSV in UTF-8: null is empty, texts are quoted and guarded, instants end in Z (UTC).

    blocks: at least one, which may be empty: its columns are the header
    """
    for number, block in enumerate(blocks):
        _write_block(block, file, header=number == 0)


def _write_block(block: pa.Table, file: IO[bytes], *, header: bool) -> None:
    for place, field in enumerate(block.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz:
            block = block.set_column(place, field.name, _instants(block.column(place)))
        elif not any(is_type(field.type) for is_type in _CSV_TYPES):
            texts = [None if value is None else str(value) for value in block.column(place).to_pylist()]
            block = block.set_column(place, field.name, pa.array(texts, pa.string()))
    names = _plain(pa.table({"name": pa.array(block.column_names, pa.string())})).column(0).to_pylist()
    pacsv.write_csv(_plain(block).rename_columns(names), file, pacsv.WriteOptions(include_header=header))


def _plain(table: pa.Table) -> pa.Table:
    """The table guarded, with `�` for letters that would command a terminal: a CSV may go there too."""
    for place, field in enumerate(table.schema):
        if _is_text(field.type):
            plain = pc.replace_substring_regex(table.column(place), _UNSAFE, "�")
            table = table.set_column(place, field.name, plain)
    return guarded(table)


def guarded(table: pa.Table) -> pa.Table:
    """The table with an apostrophe before every text that a spreadsheet would take for a formula.

    A text that begins with an apostrophe gets one more: removing one apostrophe from each gives the exact texts again.
    """
    for place, field in enumerate(table.schema):
        if _is_text(field.type):
            texts = table.column(place)
            risky = pc.fill_null(pc.match_substring_regex(texts, _FORMULA), False)
            marked = pc.binary_join_element_wise(pa.scalar("'", texts.type), texts, pa.scalar("", texts.type))
            table = table.set_column(place, field.name, pc.if_else(risky, marked, texts))
    return table


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _instants(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Instants as ISO 8601 in UTC; without fractions where all are whole seconds."""
    seconds = column.cast(pa.timestamp("s", "UTC"), safe=False)
    whole = pc.all(pc.equal(seconds.cast(column.type), column), min_count=0).as_py()
    return pc.strftime(seconds if whole else column, format="%Y-%m-%dT%H:%M:%SZ")
