"""Parser rows to Arrow tables and Parquet files: one schema, one order, the same bytes for the same content."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import StoreError
from pipeline.fields import TABLES, arrow_schema, page_columns

ORIGIN_COLUMNS: Final = (pa.field("page_key", pa.string()), pa.field("version_harvest_id", pa.string()))
"""What the rows of a harvest carry beside their facts: the page they stood on, the harvest that saw them."""

# Rows in a group: about a thousand projects' worth, so that one project is read in milliseconds (measured).
_ROW_GROUPS: Final = {
    "projects": 1_000,
    "progress_reports": 12_000,
    "plan_steps": 8_000,
    "project_kpis": 2_000,
    "project_kpi_quarters": 8_000,
    "project_strategies": 5_000,
    "bodies": 100,
}
_NO_DICTIONARY: Final = frozenset(("page_sha256", "facts_sha256", "body", "base_sha256"))


def rows_table(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as the parser gives them (days as ISO strings) to a table of the declared page columns, sorted by key.

    Raises StoreError where a row has other columns than declared, or two rows have the same key.
    """
    columns = page_columns(name)
    expected = set(columns)
    rows = list(rows)
    for row in rows:
        if row.keys() != expected:
            odd = sorted(row.keys() ^ expected)
            raise StoreError(f"a row of {name} and the dictionary of columns disagree about {', '.join(odd)}; mend pipeline/fields.py")
    key = TABLES[name].key
    rows.sort(key=lambda row: tuple(row[column] for column in key))
    for one, other in zip(rows, rows[1:], strict=False):
        if all(one[column] == other[column] for column in key):
            identity = ", ".join(str(one[column]) for column in key)
            raise StoreError(f"two rows of {name} have the key {identity}; the parser must keep keys apart")
    schema = arrow_schema(name, facts_only=True)
    arrays = [_array([row[field.name] for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        values = [datetime.fromisoformat(value) if isinstance(value, str) else value for value in values]
    return pa.array(values, kind)


def with_origin(table: pa.Table, page_keys: list[str], harvest_id: str) -> pa.Table:
    """Add the columns of origin to the rows of a harvest."""
    table = table.append_column(ORIGIN_COLUMNS[0], pa.array(page_keys, pa.string()))
    return table.append_column(ORIGIN_COLUMNS[1], pa.array([harvest_id] * len(table), pa.string()))


def write_parquet(table: pa.Table, path: Path, name: str) -> None:
    """Write one file with the settings measured best for this data: zstd level 3, small row groups."""
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=3,
        row_group_size=_ROW_GROUPS.get(name, 10_000),
        use_dictionary=[column for column in table.column_names if column not in _NO_DICTIONARY],
        write_statistics=[column for column in table.column_names if column != "body"],
        data_page_size=8 << 20 if name == "bodies" else None,
        store_schema=True,
    )
