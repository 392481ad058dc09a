"""A state as files for other programs: Parquet, CSV, Excel, SQLite, DuckDB.

No cell may be taken for a formula: the texts come from a web page, and `=HYPERLINK(…)` in a note would run in Excel.
"""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from pipeline.data_package import write_data_package
from pipeline.errors import BmaProgressError
from pipeline.fields import TABLES
from pipeline.sql import duckdb_or_why_not

if TYPE_CHECKING:
    from pipeline.store import Store

FORMATS: Final = ("parquet", "csv", "xlsx", "sqlite", "duckdb")
EXCEL_CELL: Final = 32_767
"""Excel holds no longer text in a cell."""
EXCEL_ROWS: Final = 1_048_575
"""Excel holds no more rows below a heading."""

_FORMULA: Final = r"^\s*[=+\-@'＝＋－＠]|^[\t\r\n]"


def export_state(store: "Store", when: str, out: Path, form: str = "parquet") -> tuple[str, list[str]]:
    """Write all tables as they stood at `when` into the new folder `out`; returns the harvest's id and what to know.

    Raises StoreError for an unknown time, BmaProgressError where the library for a form is not installed.
    """
    id_ = store.resolve(when)
    if form == "xlsx":
        _xlsxwriter()
    if form == "duckdb":
        duckdb_or_why_not()
    out.mkdir(parents=True, exist_ok=True)
    if form == "parquet":
        store.export(id_, out)
        write_data_package(out, id_, store.portal)
        return id_, []
    notes = _WRITERS[form](store, id_, out)
    if form == "csv":
        write_data_package(out, id_, store.portal, form="csv")
    return id_, notes


def plain_days(table: pa.Table, name: str) -> pa.Table:
    """The table with its days as days; in our Parquet files they are midnights."""
    for place, column in enumerate(TABLES[name].columns):
        if column.type == "date":
            table = table.set_column(place, column.name, table.column(place).cast(pa.date32()))
    return table


def guarded(table: pa.Table) -> pa.Table:
    """The table with an apostrophe before every text that a spreadsheet would take for a formula.

    A text that begins with an apostrophe gets one more, so taking one away from each gives the texts back exactly.
    """
    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            texts = table.column(place)
            risky = pc.fill_null(pc.match_substring_regex(texts, _FORMULA), False)
            marked = pc.binary_join_element_wise(pa.scalar("'", texts.type), texts, pa.scalar("", texts.type))
            table = table.set_column(place, field.name, pc.if_else(risky, marked, texts))
    return table


def write_csv(table: pa.Table, file: Any) -> None:
    """Write UTF-8 with the byte order mark that tells Excel so; null is empty, texts are in quotes and guarded."""
    file.write(b"\xef\xbb\xbf")
    pacsv.write_csv(guarded(table), file)


def _csv(store: "Store", id_: str, out: Path) -> list[str]:
    for name in TABLES:
        with (out / f"{name}.csv").open("wb") as file:
            write_csv(plain_days(store.arrow(name, id_), name), file)
    return [
        "a text that begins like a formula has an apostrophe before it; one that begins with an apostrophe, one more"
    ]


def _xlsxwriter() -> Any:
    try:
        import xlsxwriter
    except ImportError:
        raise BmaProgressError("this needs XlsxWriter; get it with: pip install 'bma-progress[excel]'") from None
    return xlsxwriter


def _xlsx(store: "Store", id_: str, out: Path) -> list[str]:
    notes: list[str] = []
    book = _xlsxwriter().Workbook(
        out / f"bma-progress-{id_}.xlsx", {"constant_memory": True, "remove_timezone": True, "nan_inf_to_errors": True}
    )
    styles = {"date": book.add_format({"num_format": "yyyy-mm-dd"}),
              "instant": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})}  # fmt: skip
    heading = book.add_format({"bold": True})
    for name, table in TABLES.items():
        rows = store.arrow(name, id_)
        if len(rows) > EXCEL_ROWS:
            book.close()
            raise BmaProgressError(f"{name} has {len(rows):,} rows, more than Excel holds; take --format csv or duckdb")
        sheet = book.add_worksheet(name)
        sheet.freeze_panes(1, len(table.key))
        for place, column in enumerate(table.columns):
            sheet.write_string(0, place, column.name, heading)
        cut = 0
        for number, row in enumerate(_rows(rows), 1):
            for place, (column, value) in enumerate(zip(table.columns, row, strict=True)):
                if value is None:
                    continue
                if column.type == "string":  # write_string never makes a formula or a link
                    cut += len(value) > EXCEL_CELL
                    sheet.write_string(number, place, value[:EXCEL_CELL])
                elif isinstance(value, datetime):
                    sheet.write_datetime(number, place, value, styles[column.type])
                else:
                    sheet.write_number(number, place, value)
        if cut:
            notes.append(f"{name}: {cut:,} texts are longer than Excel holds and were cut; the other formats have all")
    book.close()
    return notes


def _sqlite(store: "Store", id_: str, out: Path) -> list[str]:
    """Days and instants become ISO texts, which SQLite's own date functions read."""
    types = {"int": "INTEGER", "float": "REAL"}
    connection = sqlite3.connect(out / f"bma-progress-{id_}.sqlite")
    with connection:
        for name, table in TABLES.items():
            columns = ", ".join(
                f'"{column.name}" {types.get(column.type, "TEXT")}{" NOT NULL" if column.required else ""}'
                for column in table.columns
            )
            key = ", ".join(f'"{column}"' for column in table.key)
            connection.execute(f'CREATE TABLE "{name}" ({columns}, PRIMARY KEY ({key}))')
            places = ", ".join("?" * len(table.columns))
            rows = _rows(plain_days(store.arrow(name, id_), name))
            texts = (tuple(v.isoformat(" ") if isinstance(v, datetime) else str(v) if hasattr(v, "year") else v
                           for v in row) for row in rows)  # fmt: skip
            connection.executemany(f'INSERT INTO "{name}" VALUES ({places})', texts)  # noqa: S608
    connection.close()
    return []


def _duckdb(store: "Store", id_: str, out: Path) -> list[str]:
    connection = duckdb_or_why_not().connect(out / f"bma-progress-{id_}.duckdb")
    for name, table in TABLES.items():
        connection.register("rows_to_write", plain_days(store.arrow(name, id_), name))
        connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM rows_to_write')  # noqa: S608
        connection.unregister("rows_to_write")
        for column in table.columns:
            text = column.description.replace("'", "''")
            connection.execute(f"""COMMENT ON COLUMN "{name}"."{column.name}" IS '{text}'""")
    connection.close()
    return []


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """The rows, block by block: a whole table as Python objects would not fit into a small machine's memory."""
    for batch in table.to_batches(max_chunksize=2_000):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


_WRITERS: Final[dict[str, Callable[["Store", str, Path], list[str]]]] = {
    "csv": _csv,
    "xlsx": _xlsx,
    "sqlite": _sqlite,
    "duckdb": _duckdb,
}
