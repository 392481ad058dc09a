"""Parser rows to Arrow tables and Parquet files: one schema, one order, the same bytes for the same content."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from pipeline.errors import StoreError
from pipeline.schema.columns import TABLES, arrow_schema, page_columns
from pipeline.store.packs import Folder, parquet_source

_ROW_GROUP: Final = 10_000  # small enough that one project is read in milliseconds (measured)
_BODY_PAGE: Final = 8 << 20  # neighbouring pages of a portal share their template: compress them together
_NO_DICTIONARY: Final = frozenset(("page_sha256", "facts_sha256", "body", "base_sha256"))


@cache
def version_schema(name: str) -> pa.Schema:
    """The schema of a table in a harvest: the facts, the page they stood on, the harvest that saw them first."""
    schema = arrow_schema(name, facts_only=True)
    return schema.append(pa.field("page_key", pa.string())).append(pa.field("version_harvest_id", pa.string()))


def check_rows(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Raise StoreError where a parser's row has other columns than declared, or two rows of a page have one key."""
    expected, key = frozenset(page_columns(name)), TABLES[name].key
    seen = set()
    for row in rows:
        if row.keys() != expected:
            odd = ", ".join(sorted(row.keys() ^ expected))
            raise StoreError(
                f"a row of {name} and the dictionary of columns disagree about {odd}; mend pipeline/schema/columns.py"
            )
        identity = tuple(row[column] for column in key)
        if identity in seen:
            raise StoreError(f"two rows of {name} have the key {identity}; the parser must keep keys apart")
        seen.add(identity)


def version_rows(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as the parser gives them (days as ISO strings), with page_key and version_harvest_id, by page and key."""
    key = ("page_key", *TABLES[name].key)
    rows = sorted(rows, key=lambda row: tuple(row[column] for column in key))
    return to_table(rows, version_schema(name))


def to_table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows as a table of the schema; days may be ISO strings."""
    arrays = [_array([row[field.name] for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        values = [datetime.fromisoformat(value) if isinstance(value, str) else value for value in values]
    return pa.array(values, kind)


def read_as(file: Folder, schema: pa.Schema, chosen: ds.Expression | None = None) -> pa.Table:
    """Read a file's rows by today's schema: what an older version did not write yet is null, or no row at all."""
    if not file.is_file():
        return schema.empty_table()
    if isinstance(file, Path):
        stored = ds.dataset(file)
        there = [name for name in schema.names if name in stored.schema.names]
        # no reading ahead: a block of rows is what fits into memory, not what lies behind it
        table = stored.to_table(columns=there, filter=chosen, batch_readahead=1, fragment_readahead=1)
    else:
        source = parquet_source(file)
        there = [name for name in schema.names if name in pq.read_schema(source).names]
        table = pq.read_table(source, columns=there, filters=chosen)
    for place, column in enumerate(schema):
        if column.name not in there:
            table = table.add_column(place, column, pa.nulls(len(table), column.type))
    return table.cast(schema)


def parquet_writer(path: Path, name: str, schema: pa.Schema | None = None) -> pq.ParquetWriter:
    """A writer of one file with the settings measured best for this data; each table written is a row group."""
    schema = schema or arrow_schema(name)
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
