"""Parser rows to Arrow tables and Parquet files: one schema, one order, the same bytes for the same content."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from pipeline.errors import StoreError
from pipeline.schema.columns import RECORD_TABLES, TABLES, arrow_schemas
from pipeline.store.layout import Folder
from pipeline.store.packs import parquet_source

_ROW_GROUP: Final = 10_000  # small enough that one project is read in milliseconds (measured)
_ROWS_IN_GROUP: Final = 5_000  # of a file that grows page by page
_BODY_PAGE: Final = 8 << 20  # neighbouring pages of a portal share their template: compress them together
_NO_DICTIONARY: Final = frozenset(("page_sha256", "facts_sha256", "body", "base_sha256"))


@cache
def version_schemas() -> Mapping[str, pa.Schema]:
    """The schemas of a harvest's tables of records: the facts, their page, the harvest that saw them first."""
    added = (pa.field("page_key", pa.string()), pa.field("version_harvest_id", pa.string()))
    facts = arrow_schemas(facts_only=True)
    return {name: pa.schema([*facts[name], *added]) for name in RECORD_TABLES}


def check_rows(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Raise StoreError where a row of a page has other columns than declared, or two rows of a table have one key."""
    schemas = arrow_schemas(facts_only=True)
    for name, rows in tables.items():
        expected, key = frozenset(schemas[name].names), TABLES[name].key
        seen = set()
        for row in rows:
            if row.keys() != expected:
                odd = ", ".join(sorted(row.keys() ^ expected))
                raise StoreError(
                    f"a row of {name} and the dictionary of columns disagree about {odd}; correct pipeline/schema/columns.py"
                )
            identity = tuple([row[column] for column in key])
            if identity in seen:
                raise StoreError(f"two rows of {name} have the key {identity}; the parser must keep keys apart")
            seen.add(identity)


def version_rows(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as the parser gives them (days as ISO strings), with page_key and version_harvest_id, by page and key."""
    key = ("page_key", *TABLES[name].key)
    rows = sorted(rows, key=lambda row: tuple(row[column] for column in key))
    return to_table(rows, version_schemas()[name])


def to_table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows as a table of the schema; days may be ISO strings."""
    arrays = [_array([row[field.name] for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        values = [datetime.fromisoformat(value) if isinstance(value, str) else value for value in values]
    return pa.array(values, kind)


def read_as(file: Folder | None, schema: pa.Schema, chosen: ds.Expression | None = None) -> pa.Table:
    """Read a file's rows by today's schema: what an older version did not write yet is null; no file is no row.

    Raises OSError for a file that is not there.
    """
    if file is None:
        return schema.empty_table()
    if isinstance(file, Path):
        stored = ds.dataset(file)
        there = [name for name in schema.names if name in stored.schema.names]
        # no reading ahead: only one block of rows has to fit into memory
        table = stored.to_table(columns=there, filter=chosen, batch_readahead=1, fragment_readahead=1)
    else:
        source = parquet_source(file)
        there = [name for name in schema.names if name in pq.read_schema(source).names]
        table = pq.read_table(source, columns=there, filters=chosen)
    for place, column in enumerate(schema):
        if column.name not in there:
            table = table.add_column(place, column, pa.nulls(len(table), column.type))
    return table.cast(schema)


@lru_cache(maxsize=256)
def missing_columns(file: Folder, name: str) -> frozenset[tuple[str, str]]:
    """Table and column of what a committed file of a table has no column for, because it was written before it."""
    stored = pq.read_schema(parquet_source(file)).names
    return frozenset((name, column) for column in arrow_schemas(facts_only=True)[name].names if column not in stored)


def read_records(files: Mapping[str, Folder | None], page_keys: Iterable[str]) -> dict[str, pa.Table]:
    """The facts of some pages from a harvest's files of tables, by table, each row with its page_key."""
    keys = sorted(page_keys)
    page_key = ds.field("page_key")  # the range lets whole row groups be skipped, the list then chooses
    between = (page_key >= keys[0]) & (page_key <= keys[-1])
    chosen = between & page_key.isin(pa.array(keys, pa.string()))
    facts = arrow_schemas(facts_only=True)
    return {
        name: read_as(file, facts[name].append(pa.field("page_key", pa.string())), chosen)
        for name, file in files.items()
    }


def parquet_writer(path: Path, name: str, schema: pa.Schema | None = None) -> pq.ParquetWriter:
    """A writer of one file with the settings measured best for this data; each table written is a row group."""
    schema = schema or arrow_schemas()[name]
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=3,
        use_dictionary=[column for column in schema.names if column not in _NO_DICTIONARY],
        write_statistics=[column for column in schema.names if column != "body"],
        data_page_size=_BODY_PAGE if name == "bodies" else None,
    )


def write_parquet(table: pa.Table, path: Path, name: str) -> None:
    """Write one whole table as one file."""
    with parquet_writer(path, name, table.schema) as writer:
        writer.write_table(table, row_group_size=_ROW_GROUP)


class TableFiles:
    """The Parquet files of a folder that grow page by page, one row group at a time; use it as a context manager.

    schemas: of the tables, each of which gets a file, with rows or without
    rows_in_group: rows kept in memory before they are written, where it is not the usual number
    """

    def __init__(self, folder: Path, schemas: Mapping[str, pa.Schema], rows_in_group: Mapping[str, int]) -> None:
        self._folder = folder
        self._schemas = schemas
        self._rows_in_group = rows_in_group
        self._files = ExitStack()
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._waiting: dict[str, list[Mapping[str, Any]]] = {name: [] for name in schemas}

    def __enter__(self) -> Self:
        for name, schema in self._schemas.items():
            writer = parquet_writer(self._folder / f"{name}.parquet", name, schema)
            self._writers[name] = self._files.enter_context(writer)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._files:
            if kind is None:
                for name in self._schemas:
                    self._write(name)

    def add(self, rows: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
        """Add rows of one page, by table."""
        for name, new in rows.items():
            waiting = self._waiting[name]
            waiting += new
            if len(waiting) >= self._rows_in_group.get(name, _ROWS_IN_GROUP):
                self._write(name)

    def _write(self, name: str) -> None:
        rows, self._waiting[name] = self._waiting[name], []
        if rows:
            table = version_rows(name, rows) if name in RECORD_TABLES else to_table(rows, self._schemas[name])
            self._writers[name].write_table(table)
