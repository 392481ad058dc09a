"""Reads Parquet files, after a look at the footer: a file from elsewhere may unfold without an end.

What is read must follow from the bytes that are there. A table of 400,000 projects has some 18 bytes a row of `pages`, a
fraction of a byte where the rows are derived, and its texts shrink to a tenth; a forged one repeats a row for nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow.fs import LocalFileSystem

from parsers.findings import MOST_OF_A_RULE
from pipeline.errors import StoreDamagedError, damaged_table, first_line
from pipeline.schema.columns import PAGE_LEVEL_TABLES, TABLES, arrow_schemas
from pipeline.store.layout import Folder
from pipeline.store.packs import mapped

_LARGE: Final = 64 << 20  # bytes; less fits into any memory
_DENSEST: Final = 100  # the pages of one portal share their template and shrink to a tenth; texts to a third
_FEW: Final = 50_000  # rows; fewer cost nobody anything
_ROWS_PER_BYTE: Final = 4.0  # derived months of 10,000 equal plans have 1.2
_PAGES_PER_BYTE: Final = 0.5  # times and hashes cannot be repeated; 0.06 were seen
_ONE_A_PAGE: Final = frozenset(("pages", "bodies", *PAGE_LEVEL_TABLES))
_ROWS_OF_A_PAGE: Final = (100, 20_000)
"""The most rows that some pages can have in a table: so many each, and so many besides, as one page of 2 MB prints."""
_FINDINGS_OF_A_PAGE: Final = (2 * MOST_OF_A_RULE, 20_000)
"""The same of its findings: no page was seen on which more than one rule repeats itself without an end."""
_RECORDS_OF_A_PAGE: Final = (2, 1_000)
"""The same in a table of one row a page, with room for some damage that is to be named row by row."""
_FORMAT: Final = ds.ParquetFileFormat()
_DISK: Final = LocalFileSystem()


def opened(file: Folder) -> pq.ParquetFile:
    """A table's file of a store, for reading. Raises StoreDamagedError where it would cost more than any of this program."""
    stored = pq.ParquetFile(file if isinstance(file, Path) else mapped(file))
    _check_cost(file, stored.metadata)
    return stored


def _check_cost(file: Folder, metadata: pq.FileMetaData) -> None:
    """Raise StoreDamagedError where a file has more rows, or a column more bytes, than its size on disk can honestly hold."""
    if metadata.num_rows > _FEW:
        bytes_ = file.stat().st_size if isinstance(file, Path) else mapped(file).size()
        is_of_pages = file.name.partition(".")[0] in _ONE_A_PAGE
        if metadata.num_rows > _FEW + bytes_ * (_PAGES_PER_BYTE if is_of_pages else _ROWS_PER_BYTE):
            raise StoreDamagedError(
                f"{file}: {metadata.num_rows:,} rows in {bytes_:,} bytes are more than a table of this program holds; "
                "it is not read"
            )
    groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
    if sum(group.total_byte_size for group in groups) <= _LARGE:
        return
    for place in range(metadata.num_columns):
        columns = [group.column(place) for group in groups]
        size = sum(column.total_uncompressed_size for column in columns)
        kept = sum(column.total_compressed_size for column in columns)
        if size > max(_LARGE, _DENSEST * kept):
            raise StoreDamagedError(
                f"{file}: the column {columns[0].path_in_schema} unfolds from {kept} bytes to {size}, which no table of "
                "this program does; it is not read"
            )


def read_columns(file: Folder, columns: Sequence[str] | None = None) -> pa.Table:
    """A file's rows, whole. columns: only these, in this order"""
    with opened(file) as stored:
        if lacking := set(columns or ()) - set(stored.schema_arrow.names):
            raise damaged_table(f"{file} has no column {', '.join(sorted(lacking))}")
        table = stored.read(columns)
    return table if columns is None else table.select(columns)


def read_as(
    file: Folder | None, schema: pa.Schema, chosen: ds.Expression | None = None, *, most: int | None = None
) -> pa.Table:
    """Read a file's rows by today's schema: what an older version did not write yet is null; no file is no row.

    most: how many rows may be chosen; more are counted, not read

    Raises OSError for a file that is not there, StoreDamagedError for one that holds more than it can.
    """
    if file is None:
        return schema.empty_table()
    # a dataset would open the file once more
    stored = _FORMAT.make_fragment(*((str(file), _DISK) if isinstance(file, Path) else (mapped(file),)))
    if not stored.metadata.num_rows:
        return schema.empty_table()
    _check_cost(file, stored.metadata)
    there = [name for name in schema.names if name in stored.physical_schema.names]
    # no reading ahead: only one block of rows has to fit into memory
    reading = {"filter": chosen, "batch_readahead": 1, "fragment_readahead": 1}
    if most is not None and stored.metadata.num_rows > most and (rows := stored.count_rows(**reading)) > most:
        raise StoreDamagedError(f"{file}: {rows:,} rows of pages that can have {most:,}; it is not read")
    table = stored.to_table(columns=there, **reading)
    for place, column in enumerate(schema):
        if column.name not in there:
            table = table.add_column(place, column, pa.nulls(len(table), column.type))
    try:
        return table.cast(schema)
    except ValueError as error:  # another type, or nothing where a value must be
        raise damaged_table(f"{file}: {first_line(error)}") from None


@lru_cache(maxsize=256)
def missing_columns(file: Folder, name: str) -> frozenset[tuple[str, str]]:
    """Table and column of what a committed file of a table has no column for, because it was written before it."""
    stored = column_names(file)
    return frozenset((name, column) for column in arrow_schemas(facts_only=True)[name].names if column not in stored)


def read_records(files: Mapping[str, Folder | None], page_keys: Iterable[str]) -> dict[str, pa.Table]:
    """The facts of some pages from a harvest's files of tables, by table, each row with its page_key."""
    keys, facts = sorted(page_keys), arrow_schemas(facts_only=True)
    return {
        name: read_rows_of_pages(file, name, facts[name].append(pa.field("page_key", pa.string())), keys)
        for name, file in files.items()
    }


def read_rows_of_pages(file: Folder | None, name: str, schema: pa.Schema, keys: Sequence[str]) -> pa.Table:
    """The rows of some pages, in order of their keys, from a harvest's file of a table."""
    page_key = ds.field("page_key")  # the range lets whole row groups be skipped, the list then chooses
    between = (page_key >= keys[0]) & (page_key <= keys[-1])
    chosen = between & page_key.isin(pa.array(keys, pa.string()))
    each, besides = _ROWS_OF_A_PAGE if len(TABLES[name].key) > 1 else _RECORDS_OF_A_PAGE
    if name == "findings":
        each, besides = _FINDINGS_OF_A_PAGE
    return read_as(file, schema, chosen, most=each * len(keys) + besides)


def column_names(file: Folder) -> list[str]:
    """The names of a file's columns."""
    with opened(file) as stored:
        return list(stored.schema_arrow.names)


def number_of_rows(file: Folder) -> int:
    """How many rows a file has, as its footer says."""
    with opened(file) as stored:
        return int(stored.metadata.num_rows)


def numbers_of_rows(files: Iterable[Path]) -> dict[str, int]:
    """How many rows each file has, by the name of its table."""
    return {file.stem: number_of_rows(file) for file in files}


def check_files(folder: Path) -> None:
    """The same check of all tables in a folder, before another program reads them."""
    for file in folder.glob("*.parquet"):
        opened(file).close()
