"""What differs between any two nights, as rows that the list of changes can show."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

import pyarrow as pa

from parsers.thai import clean
from pipeline.browse import queries
from pipeline.compare.classify import severity_of
from pipeline.compare.diff import compare_snapshots
from pipeline.compare.inputs import StoreSnapshot
from pipeline.errors import StoreError
from pipeline.store.archive import Archive

_MOST: Final = 20_000  # rows of two nights that are compared on request


def compared(archive: Archive, filters: Mapping[str, str], page: int | None, *, contacts: bool) -> queries.Rows:
    """One page, or all, of what differs between the nights `from` and `to`; filters: as of `queries.changes`.

    Raises StoreError where it is too much for a page.
    """
    wanted = {name: filters[name] for name in ("meaning", "severity") if name in filters}
    words = [spelling.lower() for spelling in queries.spellings(clean(filters.get("q", "")))]
    agency, code = (queries.typed_code(filters, name) for name in ("agency", "code"))
    found = _comparison(archive, filters["from"], filters["to"], contacts=contacts)
    chosen = [
        row
        for row in found.rows
        if all(row[name] == value for name, value in wanted.items())
        and (row["agency_code"] or "").startswith(agency)
        and code in ("", row["project_code"], row["kpi_code"], _earlier_code(row))
        and any(word in f"{row['before'] or ''}\n{row['after'] or ''}".lower() for word in words)
    ]
    return queries.part_of(chosen, page)._replace(schema=found.schema)


class _Comparison(NamedTuple):
    """What differs between two nights, the most severe first. schema: of the rows as a file"""

    rows: list[dict[str, Any]]
    schema: pa.Schema


@lru_cache(maxsize=4)
def _comparison(archive: Archive, before: str, after: str, *, contacts: bool) -> _Comparison:
    snapshots = (StoreSnapshot(archive, before), StoreSnapshot(archive, after))
    table = compare_snapshots(*snapshots, contacts=contacts).changes
    if len(table) > _MOST:
        raise StoreError(
            f"these two nights differ in {len(table):,} rows; use `bma-progress diff {before} {after} --format parquet`"
        )
    rows = [
        {
            **row,
            "harvest_id": after,
            "change_no": None,
            "severity": severity_of(row["meaning"], row["detail"], row["cause"]),
        }
        for row in table.to_pylist()
        if row["detail"] != "part_of_record"
    ]
    added = [("harvest_id", pa.string()), ("change_no", pa.int64()), ("severity", pa.string())]
    schema = pa.schema([*zip(table.schema.names, table.schema.types, strict=True), *added])
    return _Comparison(sorted(rows, key=queries.change_order), schema)


def _earlier_code(row: Mapping[str, Any]) -> str | None:
    """The earlier code of a record that got another one."""
    return row["before"] if row["detail"] == "recoded" else None
