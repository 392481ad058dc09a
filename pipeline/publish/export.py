"""A state as files for other programs: Parquet, CSV, Excel, SQLite, DuckDB.

No cell may be taken for a formula: the texts come from a web page, and `=HYPERLINK(…)` in a note would run in Excel.
Rows are handed on block by block, so a large state needs no more memory than a small one.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from pipeline.errors import BmaProgressError, damaged_table
from pipeline.publish.sql import duckdb_or_why_not
from pipeline.schema.columns import TABLES, Table, arrow_schema
from pipeline.schema.relations import RELATIONS
from pipeline.store.archive import Archive
from pipeline.store.data_package import write_data_package
from pipeline.store.parquet import write_parquet

FORMATS: Final = ("parquet", "csv", "xlsx", "sqlite", "duckdb")
EXCEL_CELL: Final = 32_767
"""Excel holds no longer text in a cell."""
EXCEL_ROWS: Final = 1_048_575
"""Excel holds no more rows below a heading."""
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
"""What tells Excel that a CSV file is UTF-8."""

_BLOCK: Final = 2_000
_EXCEL_BEGINS: Final = 1900  # the first year of Excel's calendar
_FORMULA: Final = r"^\s*[=+\-@'＝＋－＠]|^[\t\r\n]"
_PLAIN: Final = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean,
                 pa.types.is_date, pa.types.is_timestamp, pa.types.is_decimal, pa.types.is_null)  # fmt: skip
_APOSTROPHES: Final = (
    "in the CSV files a text that begins like a formula has an apostrophe before it, and one that begins with an apostrophe"
    " has one more: take the first apostrophe of a text away to have it as it was"
)


def export_state(
    store: Archive, when: str, out: Path, form: str = "parquet", *, contacts: bool = True
) -> tuple[str, list[str]]:
    """Write all tables as they stood at `when` into the new folder `out`; returns the harvest's id and what to know.

    The folder comes into being whole, by one rename. contacts: false leaves the table of personal data empty.
    Raises StoreError for an unknown time, BmaProgressError where a library is not installed or `out` cannot be written.
    """
    id_ = store.resolve(when)
    if form == "xlsx":
        _xlsxwriter()
    if form == "duckdb":
        duckdb_or_why_not()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BmaProgressError(f"{out} is not an empty folder; name a new one")
    staged = out.parent / f".{out.name}-{os.getpid()}.partial"
    try:
        staged.mkdir(parents=True)
        with tempfile.TemporaryDirectory(prefix="bma-progress-export-") as spare:
            tables = _Tables(store.state_folder(id_, Path(spare)), contacts=contacts)
            notes = _WRITERS[form](tables, id_, staged)
        if form in ("parquet", "csv"):
            write_data_package(staged, id_, store.portal, form=form)
        staged.replace(out)
    except OSError as error:
        if error.errno is None:  # Arrow's own, about a file of the store
            raise damaged_table(error) from None
        raise BmaProgressError(f"{out} cannot be written ({error.strerror}); name another folder") from None
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return id_, notes


class _Tables:
    """The tables of one state in a folder of Parquet files."""

    def __init__(self, folder: Path, *, contacts: bool) -> None:
        self._folder, self._contacts = folder, contacts

    def copy(self, name: str, out: Path) -> None:
        if self._withheld(name):
            write_parquet(arrow_schema(name).empty_table(), out / f"{name}.parquet", name)
        else:
            shutil.copyfile(self._folder / f"{name}.parquet", out / f"{name}.parquet")

    def number(self, name: str) -> int:
        return 0 if self._withheld(name) else int(pq.read_metadata(self._folder / f"{name}.parquet").num_rows)

    def blocks(self, name: str) -> Iterator[pa.Table]:
        """The rows block by block, days as days; at least one block, so that the columns are known."""
        yield plain_days(arrow_schema(name).empty_table(), name)
        if not self._withheld(name):
            with pq.ParquetFile(self._folder / f"{name}.parquet") as file:
                for batch in file.iter_batches(_BLOCK):
                    yield plain_days(pa.Table.from_batches([batch]), name)

    def rows(self, name: str) -> Iterator[tuple[Any, ...]]:
        for block in self.blocks(name):
            yield from zip(*(column.to_pylist() for column in block.columns), strict=True)

    def _withheld(self, name: str) -> bool:
        return name == "contacts" and not self._contacts


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


def write_csv(rows: pa.Table | pa.RecordBatchReader, file: IO[bytes]) -> None:
    """Write rows as CSV in UTF-8: null is empty, texts are in quotes and guarded, instants end in Z (UTC)."""
    blocks = (
        (pa.Table.from_batches([batch], rows.schema) for batch in rows) if not isinstance(rows, pa.Table) else [rows]
    )
    first = True
    for block in blocks:
        _write_block(block, file, header=first)
        first = False
    if first:
        _write_block(rows.schema.empty_table(), file, header=True)


def _write_block(block: pa.Table, file: IO[bytes], *, header: bool) -> None:
    for place, field in enumerate(block.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz:
            block = block.set_column(place, field.name, _instants(block.column(place)))
        elif not any(is_plain(field.type) for is_plain in _PLAIN):  # a query can make lists and intervals; CSV has none
            texts = [None if value is None else str(value) for value in block.column(place).to_pylist()]
            block = block.set_column(place, field.name, pa.array(texts, pa.string()))
    names = guarded(pa.table({"name": pa.array(block.column_names, pa.string())})).column(0).to_pylist()
    pacsv.write_csv(guarded(block).rename_columns(names), file, pacsv.WriteOptions(include_header=header))


def _instants(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Instants as ISO 8601 in UTC, to the second where they are whole seconds."""
    seconds = column.cast(pa.timestamp("s", "UTC"), safe=False)
    whole = pc.all(pc.equal(seconds.cast(column.type), column), min_count=0).as_py()
    return pc.strftime(seconds if whole else column, format="%Y-%m-%dT%H:%M:%SZ")


def _parquet(tables: _Tables, id_: str, out: Path) -> list[str]:
    for name in TABLES:
        tables.copy(name, out)
    return []


def _csv(tables: _Tables, id_: str, out: Path) -> list[str]:
    for name in TABLES:
        with (out / f"{name}.csv").open("wb") as file:
            file.write(BYTE_ORDER_MARK)
            first = True
            for block in tables.blocks(name):
                _write_block(block, file, header=first)
                first = False
    return [_APOSTROPHES]


def _xlsxwriter() -> Any:
    try:
        import xlsxwriter
    except ImportError:
        raise BmaProgressError("this needs XlsxWriter; get it with: pip install 'bma-progress[excel]'") from None
    return xlsxwriter


def _xlsx(tables: _Tables, id_: str, out: Path) -> list[str]:
    for name in TABLES:
        if (number := tables.number(name)) > EXCEL_ROWS:
            raise BmaProgressError(f"{name} has {number:,} rows, more than Excel holds; take --format csv or duckdb")
    notes: list[str] = []
    book = _xlsxwriter().Workbook(out / f"bma-progress-{id_}.xlsx", {"constant_memory": True, "remove_timezone": True})
    styles = {"date": book.add_format({"num_format": "yyyy-mm-dd"}),
              "instant": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})}  # fmt: skip
    heading = book.add_format({"bold": True})
    for name, table in TABLES.items():
        sheet = book.add_worksheet(name)
        sheet.freeze_panes(1, len(table.key))
        for place, column in enumerate(table.columns):
            sheet.write_string(0, place, column.name, heading)
        cut = 0
        for number, row in enumerate(tables.rows(name), 1):
            for place, (column, value) in enumerate(zip(table.columns, row, strict=True)):
                if value is None:
                    continue
                if isinstance(value, date):
                    if value.year < _EXCEL_BEGINS:
                        sheet.write_string(number, place, value.isoformat())
                    else:
                        sheet.write_datetime(number, place, value, styles[column.type])
                elif isinstance(value, str):  # write_string never makes a formula or a link
                    cut += len(value) > EXCEL_CELL
                    sheet.write_string(number, place, value[:EXCEL_CELL])
                else:
                    sheet.write_number(number, place, value)
        if cut:
            notes.append(f"{name}: {cut:,} texts are longer than Excel holds and were cut; the other formats have all")
    book.close()
    return notes


def _sqlite(tables: _Tables, id_: str, out: Path) -> list[str]:
    """Days and instants (UTC) become ISO texts, which SQLite's own date functions read."""
    types = {"int": "INTEGER", "float": "REAL"}
    connection = sqlite3.connect(out / f"bma-progress-{id_}.sqlite")
    with connection:
        for name, table in TABLES.items():
            columns = [
                f'"{column.name}" {types.get(column.type, "TEXT")}{" NOT NULL" if column.required else ""}'
                for column in table.columns
            ]
            connection.execute(f'CREATE TABLE "{name}" ({", ".join(columns + _keys(table))})')
            places = ", ".join("?" * len(table.columns))
            texts = (tuple(map(_sqlite_value, row)) for row in tables.rows(name))
            connection.executemany(f'INSERT INTO "{name}" VALUES ({places})', texts)  # noqa: S608
    connection.close()
    return []


def _keys(table: Table) -> list[str]:
    """The table's key and the tables it leans on, as constraints."""
    quoted = ", ".join(f'"{column}"' for column in table.key)
    foreign = []
    for one in RELATIONS:
        if one.child == table.name:
            columns = ", ".join(f'"{column}"' for column in one.columns)
            foreign.append(f'FOREIGN KEY ({columns}) REFERENCES "{one.parent}" ({columns})')
    return [f"PRIMARY KEY ({quoted})", *foreign]


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ")
    return value.isoformat() if isinstance(value, date) else value


def _duckdb(tables: _Tables, id_: str, out: Path) -> list[str]:
    connection = duckdb_or_why_not().connect(out / f"bma-progress-{id_}.duckdb")
    for name, table in TABLES.items():
        for number, block in enumerate(tables.blocks(name)):
            connection.register("rows_to_write", block)
            what = "INSERT INTO" if number else "CREATE TABLE"
            connection.execute(f'{what} "{name}" {"" if number else "AS "}FROM rows_to_write')
            connection.unregister("rows_to_write")
        comments = [(f'TABLE "{name}"', table.description)]
        comments += [(f'COLUMN "{name}"."{column.name}"', column.description) for column in table.columns]
        for what, text in comments:
            quoted = text.replace("'", "''")
            connection.execute(f"COMMENT ON {what} IS '{quoted}'")
    connection.close()
    return []


_WRITERS: Final[dict[str, Callable[[_Tables, str, Path], list[str]]]] = {
    "parquet": _parquet,
    "csv": _csv,
    "xlsx": _xlsx,
    "sqlite": _sqlite,
    "duckdb": _duckdb,
}
