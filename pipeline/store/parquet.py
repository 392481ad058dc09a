"""Parser rows to Arrow tables and Parquet files: one schema, one order, the same bytes for the same content."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import StoreError
from pipeline.schema.columns import RECORD_TABLES, TABLES, arrow_schemas

ROW_GROUP: Final = 10_000  # small enough that one project is read in milliseconds (measured)
_ROWS_IN_GROUP: Final = {"bodies": 100, "projects": 500, "kpis": 500, "kpi_quarters": 1_000, "pages": 4_000}
"""Rows of a harvest's file kept in memory before they are written, where it is not the usual number."""
_USUAL_ROWS_IN_GROUP: Final = 5_000
_BODY_PAGE: Final = 8 << 20  # neighbouring pages of a portal share their template: compress them together
_NO_DICTIONARY: Final = frozenset(("page_sha256", "facts_sha256", "body", "base_sha256"))
_LOOKED_UP: Final = frozenset(("page_key", "project_code", "kpi_code", "agency_code"))
"""Columns by which rows of a harvest's files are looked up; of no other column the files note the range of values."""


BODIES_SCHEMA: Final = pa.schema(
    [
        pa.field("page_sha256", pa.string(), metadata={"description": "SHA-256 of the bytes as served."}),
        pa.field("page_key", pa.string()),
        pa.field("url", pa.string()),
        pa.field("http_status", pa.int32()),
        pa.field("headers", pa.string(), metadata={"description": "The headers that matter, as JSON."}),
        pa.field("fetched_at", pa.timestamp("us", tz="UTC")),
        pa.field("encoding", pa.string(), metadata={"description": "full, or zstd-patch against base_sha256."}),
        pa.field("base_sha256", pa.string()),
        pa.field("base_harvest_id", pa.string()),
        pa.field("body", pa.binary()),
    ]
)
_ORIGIN: Final = (pa.field("page_key", pa.string()), pa.field("version_harvest_id", pa.string()))


@cache
def version_schemas() -> Mapping[str, pa.Schema]:
    """The schemas of a harvest's tables of records: the facts, their page, the harvest that saw them first."""
    facts = arrow_schemas(facts_only=True)
    return {name: pa.schema([*facts[name], *_ORIGIN]) for name in RECORD_TABLES}


def harvest_schemas() -> dict[str, pa.Schema]:
    """The schemas of the files that one harvest adds, but for its changes."""
    facts = arrow_schemas(facts_only=True)
    return {**version_schemas(), "pages": facts["pages"], "findings": facts["findings"], "bodies": BODIES_SCHEMA}


@cache
def _declared() -> Mapping[str, tuple[frozenset[str], Callable[[Mapping[str, Any]], Any]]]:
    """Of each table of records: its columns, and what takes the key from a row."""
    facts = arrow_schemas(facts_only=True)
    origin = [field.name for field in _ORIGIN]
    return {name: (frozenset([*facts[name].names, *origin]), itemgetter(*TABLES[name].key)) for name in RECORD_TABLES}


def check_rows(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Raise StoreError where a page's rows of records have other columns than declared, or two of a table have one key."""
    declared = _declared()
    for name, rows in tables.items():
        if name not in declared:
            continue
        expected, key_of = declared[name]
        for row in rows:
            if row.keys() != expected:
                odd = ", ".join(sorted(row.keys() ^ expected))
                raise StoreError(
                    f"a row of {name} and the dictionary of columns disagree about {odd}; correct pipeline/schema/columns.py"
                )
        keys = list(map(key_of, rows))
        if len(set(keys)) < len(keys):
            twice = next(key for key, number in Counter(keys).items() if number > 1)
            raise StoreError(f"two rows of {name} have the key {twice}; the parser must keep keys apart")


def version_rows(name: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as the parser gives them (days as ISO strings), with page_key and version_harvest_id, by page and key."""
    in_order = sorted(rows, key=itemgetter("page_key", *TABLES[name].key))
    return to_table(in_order, version_schemas()[name])


def to_table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows as a table of the schema, whose columns each of them has; days may be ISO strings."""
    fields = [pa.field(name, _kind_of(rows, name, kind)) for name, kind in zip(schema.names, schema.types, strict=True)]
    columns = pa.array(rows, pa.struct(fields)).flatten()  # one pass over the rows, in C++
    arrays = [
        values if values.type == kind else values.cast(kind) for values, kind in zip(columns, schema.types, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _kind_of(rows: Sequence[Mapping[str, Any]], name: str, kind: pa.DataType) -> pa.DataType:
    """What the values of a column are to be read as: text where they are days as ISO strings."""
    if not pa.types.is_timestamp(kind):
        return kind
    known = next((row[name] for row in rows if row[name] is not None), None)
    return pa.string() if isinstance(known, str) else kind


def parquet_writers(
    files: ExitStack, folder: Path, schemas: Mapping[str, pa.Schema], *, lean: bool = False
) -> dict[str, pq.ParquetWriter]:
    """A writer for the file of each table, by name; each table written is a row group.

    files: closes them; lean: see `_writer`
    """
    return {
        name: files.enter_context(_writer(folder / f"{name}.parquet", name, schema, lean=lean))
        for name, schema in schemas.items()
    }


def _writer(path: Path, name: str, schema: pa.Schema, *, lean: bool) -> pq.ParquetWriter:
    """A writer of one file with the settings measured best for this data.

    lean: as a file of a harvest, without what describes its columns, half of the bytes of a usual night; the published
        tables have the descriptions
    """
    numbers = [field.name for field in schema if lean and name == "pages" and _is_number_of_its_own(field)]
    return pq.ParquetWriter(
        path,
        pa.schema([field.remove_metadata() for field in schema]) if lean else schema,
        compression="zstd",
        compression_level=3,
        use_dictionary=[column for column in schema.names if column not in _NO_DICTIONARY and column not in numbers],
        column_encoding=dict.fromkeys(numbers, "DELTA_BINARY_PACKED") or None,
        write_statistics=[column for column in schema.names if (column in _LOOKED_UP if lean else column != "body")],
        store_schema=not lean,
        data_page_size=_BODY_PAGE if name == "bodies" else None,
    )


def _is_number_of_its_own(field: pa.Field) -> bool:
    """Whether every page has another value, near to its neighbours': an instant, or how many bytes it has."""
    return bool(pa.types.is_timestamp(field.type)) or field.name == "bytes"


def write_parquet(table: pa.Table, path: Path, name: str, *, lean: bool = False) -> None:
    """Write one whole table as one file. lean: as one of a harvest"""
    with _writer(path, name, table.schema, lean=lean) as file:
        file.write_table(table.replace_schema_metadata() if lean else table, row_group_size=ROW_GROUP)


class HarvestFiles:
    """The Parquet files that one harvest adds but for its changes: they grow page by page, one row group at a time.

    Use it as a context manager. Each table gets a file, with rows or without.

    rows: how many rows each file has so far
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._schemas = harvest_schemas()
        self.rows = dict.fromkeys(self._schemas, 0)
        self._files = ExitStack()
        self._waiting: dict[str, list[Mapping[str, Any]]] = {name: [] for name in self._schemas}

    def __enter__(self) -> Self:
        with self._files:  # closes what is open where one of them cannot be opened
            self._writers = parquet_writers(self._files, self._folder, self._schemas, lean=True)
            self._files = self._files.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                for name in self._schemas:
                    self._write(name)
        finally:
            self._files.__exit__(kind, error, trace)

    def add(self, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Add the rows of one page, by table. Raises StoreError where the parser's rows are not as declared."""
        check_rows(rows)
        for name, new in rows.items():
            waiting = self._waiting[name]
            waiting += new
            if len(waiting) >= _ROWS_IN_GROUP.get(name, _USUAL_ROWS_IN_GROUP):
                self._write(name)

    def _write(self, name: str) -> None:
        rows, self._waiting[name] = self._waiting[name], []
        if rows:
            table = version_rows(name, rows) if name in RECORD_TABLES else to_table(rows, self._schemas[name])
            self._writers[name].write_table(table)
            self.rows[name] += len(rows)
