"""Export a state as files for other programs: Parquet, CSV, Excel, SQLite, DuckDB.

Rows are read and written block by block, so a large state needs no more memory than a small one.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from pipeline.compare.csv_files import BYTE_ORDER_MARK, write_csv
from pipeline.errors import damaged_table, not_writable
from pipeline.progress import counted
from pipeline.publish.extras import import_duckdb
from pipeline.schema.columns import TABLES, Table, arrow_schema
from pipeline.schema.relations import RELATIONS
from pipeline.store.archive import Archive
from pipeline.store.data_package import INDEX, index_of, write_data_package
from pipeline.store.durable import new_folder
from pipeline.store.parquet import write_parquet
from pipeline.store.parquet_files import number_of_rows, opened

_BLOCK: Final = 2_000
_APOSTROPHES: Final = (
    "in the CSV files a text that begins like a formula has an apostrophe before it, and one that begins with an apostrophe"
    " has one more: remove the first apostrophe of a text to get the original"
)


def export_state(
    store: Archive, when: str, out: Path, form: str = "parquet", *, contacts: bool = True
) -> tuple[str, list[str]]:
    """Write all tables as of `when` into the new folder `out`. Returns the harvest's id, and notes for the user.

    The folder appears complete, by one rename. contacts: false leaves the table of personal data empty.
    Raises StoreError for an unknown time, BmaProgressError where a library is not installed or `out` cannot be written.
    """
    id_ = store.resolve(when)
    if form == "xlsx":  # fail before anything is written
        from pipeline.publish.excel import xlsxwriter

        xlsxwriter()
    if form == "duckdb":
        import_duckdb()
    try:
        with new_folder(out) as staged, tempfile.TemporaryDirectory(prefix="bma-progress-export-") as spare:
            tables = _Tables(store, store.state_folder(id_, Path(spare)), contacts=contacts)
            notes = WRITERS[form](tables, id_, staged)
            if form in ("parquet", "csv"):
                write_data_package(staged, id_, store.portal, form=form)
            if form == "parquet":
                (staged / INDEX).write_bytes(index_of(staged, id_, store.portal))
    except OSError as error:
        if error.errno is None:  # from Arrow, about a damaged file of the store
            raise damaged_table(error) from None
        raise not_writable(out, error) from None
    held_back = store.held_back_note(id_)
    return id_, [*([held_back] if held_back else []), *notes]


class _Tables:
    """The tables of one state in a folder of Parquet files."""

    def __init__(self, archive: Archive, folder: Path, *, contacts: bool) -> None:
        self.archive = archive
        self._folder, self._contacts = folder, contacts

    def copy(self, name: str, out: Path) -> None:
        if self._withheld(name):
            write_parquet(arrow_schema(name).empty_table(), out / f"{name}.parquet", name)
        else:
            shutil.copyfile(self._folder / f"{name}.parquet", out / f"{name}.parquet")

    def number(self, name: str) -> int:
        return 0 if self._withheld(name) else number_of_rows(self._folder / f"{name}.parquet")

    def blocks(self, name: str) -> Iterator[pa.Table]:
        """The rows block by block, days as dates. The first block is empty: it gives the columns of a table without rows."""
        yield _with_dates(arrow_schema(name).empty_table(), name)
        if not self._withheld(name):
            with opened(self._folder / f"{name}.parquet") as file:
                for batch in file.iter_batches(_BLOCK):
                    yield _with_dates(pa.Table.from_batches([batch]), name)

    def rows(self, name: str) -> Iterator[tuple[Any, ...]]:
        for block in self.blocks(name):
            yield from zip(*(column.to_pylist() for column in block.columns), strict=True)

    def _withheld(self, name: str) -> bool:
        return name == "contacts" and not self._contacts


def _with_dates(table: pa.Table, name: str) -> pa.Table:
    """The table with its days as dates; in our Parquet files they are timestamps at midnight."""
    for place, column in enumerate(TABLES[name].columns):
        if column.type == "date":
            table = table.set_column(place, column.name, table.column(place).cast(pa.date32()))
    return table


def _parquet(tables: _Tables, id_: str, out: Path) -> list[str]:
    for name in counted(TABLES, "tables written"):
        tables.copy(name, out)
    return []


def _csv(tables: _Tables, id_: str, out: Path) -> list[str]:
    for name in counted(TABLES, "tables written"):
        with (out / f"{name}.csv").open("wb") as file:
            file.write(BYTE_ORDER_MARK)
            write_csv(tables.blocks(name), file)
    return [_APOSTROPHES]


def _sqlite(tables: _Tables, id_: str, out: Path) -> list[str]:
    """Days and instants (UTC) become ISO texts, which SQLite's date functions read."""
    types = {"int": "INTEGER", "bool": "INTEGER", "float": "REAL"}
    import sqlite3

    with closing(sqlite3.connect(out / f"bma-progress-{id_}.sqlite")) as connection, connection:
        for name, table in counted(TABLES.items(), "tables written"):
            columns = [
                f'"{column.name}" {types.get(column.type, "TEXT")}{" NOT NULL" if column.required else ""}'
                for column in table.columns
            ]
            connection.execute(f'CREATE TABLE "{name}" ({", ".join(columns + _keys(table))})')
            places = ", ".join("?" * len(table.columns))
            texts = (tuple(map(_sqlite_value, row)) for row in tables.rows(name))
            connection.executemany(f'INSERT INTO "{name}" VALUES ({places})', texts)  # noqa: S608 - names of ours
    return []


def _keys(table: Table) -> list[str]:
    """The primary key and the foreign keys of a table."""
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
    connection = import_duckdb().connect(out / f"bma-progress-{id_}.duckdb")
    for name, table in counted(TABLES.items(), "tables written"):
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


def _excel(tables: _Tables, harvest_id: str, out: Path) -> list[str]:
    from pipeline.publish.excel import write_excel

    return write_excel(tables, harvest_id, out)


WRITERS: Final[dict[str, Callable[[_Tables, str, Path], list[str]]]] = {
    "parquet": _parquet,
    "csv": _csv,
    "xlsx": _excel,
    "sqlite": _sqlite,
    "duckdb": _duckdb,
}
"""Format → the function that writes all tables into a folder and returns notes for the user."""
