"""The table of changes: one row for each difference between two states."""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

import pyarrow as pa

from pipeline.compare.classify import WHOLE_RECORD, Meaning, meaning_of_row, severity_of
from pipeline.schema.codes import agency_of_code
from pipeline.schema.columns import TABLES
from pipeline.schema.row_text import row_of_text

SCHEMA: Final = pa.schema(
    [
        (name, pa.string())
        for name in (
            *("table", "key", "agency_code", "project_code", "kpi_code"),
            *("change", "column", "before", "after", "meaning", "detail", "cause"),
        )
    ]
)
"""Columns of the table of changes. `key` is a JSON object; an added or removed row is one JSON object in `after` or `before`."""

Row = dict[str, Any]


class Difference(NamedTuple):
    """One difference between two states. Its values are still Python objects, not text.

    change: `added`, `removed` or `changed`; column: None where the whole row was added or removed
    """

    table: str
    key: dict[str, Any]
    change: str
    column: str | None
    before: Any
    after: Any
    meaning: Meaning


def row_key(table: str, row: Row) -> dict[str, Any]:
    """The key of a row. A removed item has a negative number while lists are compared; its key has the printed one."""
    return {column: abs(row[column]) if column == "item_no" else row[column] for column in TABLES[table].key}


def whole_row(table: str, row: Row, change: str, meaning: Meaning | None = None) -> Difference:
    """The difference of an added or removed row. meaning: None where the row alone determines it."""
    values = {column: value for column, value in row.items() if column not in TABLES[table].key and value is not None}
    before, after = (None, values) if change == "added" else (values, None)
    return Difference(
        table, row_key(table, row), change, None, before, after, meaning or meaning_of_row(table, change, row)
    )


def changes_table(differences: Iterable[Difference], cause: str) -> pa.Table:
    """The differences as a table of `SCHEMA`, in their order. cause: `portal` or `parser`"""
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    for difference in differences:
        key = difference.key
        columns["table"].append(difference.table)
        columns["key"].append(json.dumps(key, ensure_ascii=False))
        columns["project_code"].append(key.get("project_code"))
        columns["kpi_code"].append(key.get("kpi_code"))
        columns["agency_code"].append(_agency_of(key))
        columns["change"].append(difference.change)
        columns["column"].append(difference.column)
        columns["before"].append(_as_text(difference.before))
        columns["after"].append(_as_text(difference.after))
        columns["meaning"].append(difference.meaning.meaning)
        columns["detail"].append(difference.meaning.detail)
        columns["cause"].append(cause)
    return pa.table(columns, schema=SCHEMA)


def record_of(row: Mapping[str, Any]) -> str:
    """The record of a row of changes: the code of a project or indicator, the number of one of the city's, or list and agency.

    The key of the record's page ends with it. Empty for what is said of the whole portal.
    """
    if code := row["project_code"] or row["kpi_code"]:
        return str(code)
    key = row_of_text(row["key"])
    return f"{key['list_name']}/{key.get('agency_code')}" if "list_name" in key else str(key.get("indicator_no", ""))


def mark_no_proof(changes: pa.Table, codes: Collection[str], detail: str, *, filled_only: bool = False) -> pa.Table:
    """The changes with those of some records taken for no proof of anything: their two versions cannot be held together.

    codes: of those records; detail: why. A page that lacks parts looks like one from which they were removed, and the whole
        page that follows like one to which they were added late. What nobody is asked about stays: a new report, progress
        that rose.
    filled_only: only values of the project's own row that came or went, as they do with the page that alone prints them
    """
    if not codes:
        return changes
    rows = changes.to_pylist()
    for row in rows:
        if filled_only and not _is_filled(row):
            continue
        if _accuses(row) and record_of(row).rpartition("/")[2] in codes:
            row["meaning"], row["detail"] = "other", detail
    return pa.Table.from_pylist(rows, schema=changes.schema)


def _is_filled(row: Mapping[str, Any]) -> bool:
    """True for a value of a project's own row that was null on one side."""
    return row["table"] == "projects" and None in (row["before"], row["after"])


def _accuses(row: Mapping[str, Any]) -> bool:
    """True where somebody may be asked why a record that stays was changed."""
    is_normal = severity_of(row["meaning"], row["detail"]) == "normal"
    return not is_normal and row["meaning"] not in WHOLE_RECORD and row["table"] != "contacts"


def _agency_of(key: Mapping[str, Any]) -> str | None:
    code = key.get("agency_code") or key.get("project_code") or key.get("kpi_code")
    return agency_of_code(str(code)) if code else None


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict):
        return json.dumps({column: _as_json(item) for column, item in value.items()}, ensure_ascii=False)
    return str(_as_json(value))


def _as_json(value: Any) -> Any:
    """Whole numbers without a decimal point, dates in ISO format."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    return value.strftime("%Y-%m-%d") if hasattr(value, "strftime") else value
