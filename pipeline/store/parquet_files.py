"""Opens Parquet files by one function, which looks at the footer first: a file from elsewhere may unfold without an end.

What is read must follow from the bytes that are there. A table of 400,000 projects has some 18 bytes a row of `pages`, a
fraction of a byte where the rows are derived, and its texts shrink to a tenth; a forged one repeats a row for nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import StoreDamagedError, damaged_table
from pipeline.schema.columns import PAGE_LEVEL_TABLES
from pipeline.store.layout import Folder
from pipeline.store.packs import parquet_source

_LARGE: Final = 64 << 20  # bytes; less fits into any memory
_DENSEST: Final = 100  # the pages of one portal share their template and shrink to a tenth; texts to a third
_FEW: Final = 50_000  # rows; fewer cost nobody anything
_ROWS_PER_BYTE: Final = 4.0  # derived months of 10,000 equal plans have 1.2
_PAGES_PER_BYTE: Final = 0.5  # times and hashes cannot be repeated; 0.06 were seen
_ONE_A_PAGE: Final = frozenset(("pages", "bodies", *PAGE_LEVEL_TABLES))


def opened(file: Folder) -> pq.ParquetFile:
    """A table's file of a store, for reading. Raises StoreDamagedError where it would cost more than any of this program."""
    stored = pq.ParquetFile(parquet_source(file))
    check_cost(file, stored.metadata)
    return stored


def check_cost(file: Folder, metadata: pq.FileMetaData) -> None:
    """Raise StoreDamagedError where a file has more rows, or a column more bytes, than its size on disk can honestly hold."""
    if metadata.num_rows > _FEW:
        source = parquet_source(file)
        bytes_ = source.stat().st_size if isinstance(source, Path) else source.size()
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


def column_names(file: Folder) -> list[str]:
    """The names of a file's columns."""
    with opened(file) as stored:
        return list(stored.schema_arrow.names)


def number_of_rows(file: Folder) -> int:
    """How many rows a file has, as its footer says."""
    with opened(file) as stored:
        return int(stored.metadata.num_rows)


def check_files(folder: Path) -> None:
    """The same check of all tables in a folder, before another program reads them."""
    for file in folder.glob("*.parquet"):
        opened(file).close()
