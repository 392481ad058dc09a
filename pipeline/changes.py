"""Two states of the tables → what differs, one row a difference, with its meaning for an audit.

Rows are paired by key, except progress reports: their index shifts when an old one is inserted or removed, so they are
aligned within each project by day and content. Nothing of the run (lineage) is compared: two states whose facts are
equal have no difference, whatever the pages' bytes.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.fields import TABLES, page_columns

MEANINGS: Final[dict[str, str]] = {
    "new_report": "a progress report newer than all others: normal",
    "report_inserted": "a progress report was put between or below older ones: history rewritten",
    "report_edited": "a progress report that stood before says something else: history rewritten",
    "report_removed": "a progress report that stood before is gone: history rewritten",
    "progress_up": "the project's progress rose",
    "progress_down": "the project's progress fell",
    "plan_moved": "a step's dates or weight changed, or a step came or went",
    "target_moved": "an indicator's target changed",
    "result_restated": "the result of a past quarter, already reported, changed",
    "text_edited": "a text changed",
    "project_new": "a record that was not known before",
    "project_gone": "a record that the portal no longer shows",
    "project_back": "a record that was gone and is shown again",
    "contact_changed": "the contact line changed",
    "other": "any other change",
}
"""Every meaning a difference can have, in the words the reports use."""

SCHEMA: Final = pa.schema(
    [
        (name, pa.string())
        for name in (
            *("table", "key", "agency_code", "project_code", "kpi_code"),
            *("change", "column", "before", "after", "meaning", "cause"),
        )
    ]
)
COMPARED: Final = tuple(name for name in TABLES if name not in ("pages", "findings", "changes"))

_TEXTS: Final = frozenset(
    "name name_en rationale objectives targets description definition summary narrative strategy heading report".split()
)
_OWNERS: Final = {"project_code": "projects", "kpi_code": "kpis"}


class Difference(NamedTuple):
    """One difference between two states; the columns of `SCHEMA`."""

    table: str
    key: dict[str, Any]
    change: str
    column: str | None
    before: Any
    after: Any
    meaning: str


def compare(
    before: Mapping[str, pa.Table],
    after: Mapping[str, pa.Table],
    *,
    known_earlier: Iterable[str] = (),
    cause: str = "portal",
) -> pa.Table:
    """Compare two states; returns a table of `SCHEMA`, sorted by table and key.

    before, after: table name → rows by the dictionary of columns; a missing table is an empty one
    known_earlier: codes of projects and indicators that stood in states before `before`; such a record that is new in
        `after` is *back*
    cause: `portal`, or `parser` where both states come from the same bytes
    """
    differences = list(_differences(before, after, frozenset(known_earlier)))
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
        columns["before"].append(_text(difference.before))
        columns["after"].append(_text(difference.after))
        columns["meaning"].append(difference.meaning)
        columns["cause"].append(cause)
    return pa.table(columns, schema=SCHEMA)


def _differences(
    before: Mapping[str, pa.Table], after: Mapping[str, pa.Table], known_earlier: frozenset[str]
) -> Iterator[Difference]:
    record_meaning: dict[tuple[str, str], str] = {}  # (owner column, code) → project_new, project_gone, project_back
    for owner, table in _OWNERS.items():
        codes_before, codes_after = _codes(before.get(table), owner), _codes(after.get(table), owner)
        for code in codes_after - codes_before:
            record_meaning[owner, code] = "project_back" if code in known_earlier else "project_new"
        for code in codes_before - codes_after:
            record_meaning[owner, code] = "project_gone"
    for table in COMPARED:
        old, new = _prepare(before.get(table), table), _prepare(after.get(table), table)
        found = _compare_reports(old, new) if table == "progress_reports" else _compare_table(table, old, new)
        for difference in found:
            if difference.column is None and (meaning := _record_meaning(difference, record_meaning)):
                difference = _of_whole_record(difference, meaning)
            yield difference


def _of_whole_record(difference: Difference, meaning: str) -> Difference:
    """A row that came or went with its record: the state itself holds its values, the name is enough here."""
    before, after = (
        {"name": values["name"]} if values and values.get("name") else None
        for values in (difference.before, difference.after)
    )
    return difference._replace(meaning=meaning, before=before, after=after)


def _record_meaning(difference: Difference, meanings: Mapping[tuple[str, str], str]) -> str | None:
    owner = "project_code" if "project_code" in difference.key else "kpi_code"
    return meanings.get((owner, difference.key.get(owner, "")))


def _codes(table: pa.Table | None, column: str) -> set[str]:
    return set(table.column(column).to_pylist()) if table is not None else set()


def _prepare(table: pa.Table | None, name: str) -> pa.Table:
    """The facts of a table: its page columns, in their declared order."""
    names = page_columns(name)
    if table is None:
        return pa.table({column: pa.nulls(0) for column in names})
    return table.select(names).combine_chunks()


# --- tables whose rows pair by key ------------------------------------------------------------------------------------


def _compare_table(table: str, before: pa.Table, after: pa.Table) -> Iterator[Difference]:
    key = TABLES[table].key
    found: list[tuple[str, Difference]] = []
    before_keys, after_keys = _key_strings(before, key), _key_strings(after, key)
    if before_keys.equals(after_keys):
        pairs_before, pairs_after = before, after
    else:
        places = pc.index_in(after_keys, value_set=before_keys)
        known = pc.is_valid(places)
        pairs_before, pairs_after = before.take(places.filter(known)), after.filter(known)
        for row in after.filter(pc.invert(known)).to_pylist():
            found.append(_whole_row(table, key, row, "added"))
        for row in before.filter(pc.invert(pc.is_in(before_keys, value_set=after_keys))).to_pylist():
            found.append(_whole_row(table, key, row, "removed"))
    if len(pairs_before):
        found += _changed_values(table, key, pairs_before, pairs_after)
    found.sort(key=lambda item: item[0])
    return (difference for _, difference in found)


def _key_strings(table: pa.Table, key: tuple[str, ...]) -> pa.Array:
    parts = [pc.cast(table.column(column), pa.string()).combine_chunks() for column in key]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "\x1f")


def _sort_key(key: Mapping[str, Any]) -> str:
    return "\x1f".join(f"{value:06d}" if isinstance(value, int) else str(value) for value in key.values())


def _whole_row(table: str, key: tuple[str, ...], row: dict[str, Any], change: str) -> tuple[str, Difference]:
    identity = {column: row[column] for column in key}
    values = {column: value for column, value in row.items() if column not in key and value is not None}
    before, after = (None, values) if change == "added" else (values, None)
    meaning = {"plan_steps": "plan_moved", "contacts": "contact_changed"}.get(table, "other")
    return _sort_key(identity), Difference(table, identity, change, None, before, after, meaning)


def _changed_values(
    table: str, key: tuple[str, ...], before: pa.Table, after: pa.Table
) -> list[tuple[str, Difference]]:
    found: list[tuple[str, Difference]] = []
    for column in before.column_names:
        if column in key:
            continue
        old, new = before.column(column), after.column(column)
        if old.equals(new):
            continue
        places = _unequal(old, new)
        if not len(places):
            continue
        identities = after.select(list(key)).take(places).to_pylist()
        context = before.take(places).to_pylist() if table in _QUARTERS else [{}] * len(places)
        for place, identity, row, value_before, value_after in zip(
            places.to_pylist(),
            identities,
            context,
            old.take(places).to_pylist(),
            new.take(places).to_pylist(),
            strict=True,
        ):
            later = _later_quarters(before, key, place) if table in _QUARTERS else False
            meaning = _meaning(table, column, value_before, value_after, reported_later=later)
            del row
            found.append(
                (
                    _sort_key(identity),
                    Difference(table, identity, "changed", column, value_before, value_after, meaning),
                )
            )
    return found


def _unequal(old: pa.ChunkedArray, new: pa.ChunkedArray) -> pa.Array:
    """Where two columns differ; null equals null."""
    differ = pc.or_kleene(pc.not_equal(old, new), pc.xor(pc.is_null(old), pc.is_null(new)))
    return pc.indices_nonzero(pc.fill_null(differ, False))


_QUARTERS: Final = frozenset(("project_kpi_quarters", "kpi_quarters", "result_list_quarters"))


def _later_quarters(before: pa.Table, key: tuple[str, ...], place: int) -> bool:
    """Whether a later quarter of the same indicator already had a result when this one still had its old value."""
    identity = [before.column(column)[place].as_py() for column in key[:-1]]
    for following in range(place + 1, min(place + 4, len(before))):
        if [before.column(column)[following].as_py() for column in key[:-1]] != identity:
            break
        if before.column("result_value")[following].as_py():
            return True
    return False


def _meaning(table: str, column: str, before: Any, after: Any, *, reported_later: bool) -> str:
    if table == "contacts":
        return "contact_changed"
    if table == "projects" and column == "progress_percent" and before is not None and after is not None:
        return "progress_up" if after > before else "progress_down"
    if table == "plan_steps" and column in ("weight_percent", "start_date", "end_date"):
        return "plan_moved"
    if column == "target_value":
        return "target_moved"
    if table in _QUARTERS and column == "result_value" and (before or (before is not None and reported_later)):
        return "result_restated"
    return "text_edited" if column in _TEXTS else "other"


# --- progress reports -----------------------------------------------------------------------------------------------


def _compare_reports(before: pa.Table, after: pa.Table) -> Iterator[Difference]:
    if before.equals(after):
        return
    old, new = _by_project(before), _by_project(after)
    for code in sorted(old.keys() | new.keys()):
        reports_before, reports_after = old.get(code, []), new.get(code, [])
        if reports_before != reports_after:
            yield from _compare_project_reports(code, reports_before, reports_after)


def _by_project(table: pa.Table) -> dict[str, list[dict[str, Any]]]:
    reports: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        reports.setdefault(row["project_code"], []).append(row)
    for rows in reports.values():
        rows.sort(key=lambda row: row["report_index"])
    return reports


def _compare_project_reports(
    code: str, before: list[dict[str, Any]], after: list[dict[str, Any]]
) -> Iterator[Difference]:
    pairs = _align(before, after)
    offset_before, offset_after = _number_offsets(before), _number_offsets(after)
    last_paired = max((new for _, new in pairs if new is not None and _ is not None), default=-1)
    for old, new in pairs:
        if new is None and old is not None:
            row = before[old]
            yield _report(code, row, "removed", None, _facts(row), None, "report_removed")
        elif old is None and new is not None:
            row = after[new]
            on_top = new > last_paired and _is_newest(row, before)
            meaning = "new_report" if on_top or not before else "report_inserted"
            yield _report(code, row, "added", None, None, _facts(row), meaning)
        elif old is not None and new is not None:
            row_before, row_after = before[old], after[new]
            for column in _REPORT_FACTS:
                if row_before[column] != row_after[column]:
                    yield _report(
                        code, row_after, "changed", column, row_before[column], row_after[column], "report_edited"
                    )
            if (
                offset_before[old] != offset_after[new]
            ):  # the printed number moves with every new report; more is a renumbering
                yield _report(
                    code,
                    row_after,
                    "changed",
                    "report_no",
                    row_before["report_no"],
                    row_after["report_no"],
                    "report_edited",
                )


_REPORT_FACTS: Final = ("progress_percent", "reported_on_date", "note_date", "note", "problems", "obstacles")


def _facts(row: Mapping[str, Any]) -> dict[str, Any]:
    return {column: row[column] for column in _REPORT_FACTS if row[column] is not None}


def _report(
    code: str, row: Mapping[str, Any], change: str, column: str | None, before: Any, after: Any, meaning: str
) -> Difference:
    key = {"project_code": code, "report_index": row["report_index"]}
    return Difference("progress_reports", key, change, column, before, after, meaning)


def _number_offsets(reports: list[dict[str, Any]]) -> list[int | None]:
    """How far each printed number is from where its place says it should be."""
    return [
        None if row["report_no"] is None else row["report_no"] - (len(reports) - place)
        for place, row in enumerate(reports)
    ]


def _is_newest(row: Mapping[str, Any], before: list[dict[str, Any]]) -> bool:
    days = [report["reported_on_date"] for report in before if report["reported_on_date"] is not None]
    return row["reported_on_date"] is None or not days or row["reported_on_date"] >= max(days)


def _align(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[tuple[int | None, int | None]]:
    """Pair reports, oldest first: equal ones, then those of one day, then those that stand in the same gap."""
    old_facts = [tuple(row[column] for column in _REPORT_FACTS) for row in before]
    new_facts = [tuple(row[column] for column in _REPORT_FACTS) for row in after]
    pairs: list[tuple[int | None, int | None]] = []
    for tag, a, b, c, d in SequenceMatcher(None, old_facts, new_facts, autojunk=False).get_opcodes():
        if tag == "equal":
            pairs += zip(range(a, b), range(c, d), strict=True)
        else:
            pairs += _align_gap(before, after, range(a, b), range(c, d))
    return pairs


def _align_gap(
    before: list[dict[str, Any]], after: list[dict[str, Any]], old: range, new: range
) -> list[tuple[int | None, int | None]]:
    days_old = [before[place]["reported_on_date"] for place in old]
    days_new = [after[place]["reported_on_date"] for place in new]
    pairs: list[tuple[int | None, int | None]] = []
    for tag, a, b, c, d in SequenceMatcher(None, days_old, days_new, autojunk=False).get_opcodes():
        paired = b - a if tag == "equal" else min(b - a, d - c) if tag == "replace" else 0
        pairs += zip(old[a : a + paired], new[c : c + paired], strict=True)
        pairs += [(place, None) for place in old[a + paired : b]]
        pairs += [(None, place) for place in new[c + paired : d]]
    return pairs


# --- values as text ---------------------------------------------------------------------------------------------------


def _agency_of(key: Mapping[str, Any]) -> str | None:
    if code := key.get("agency_code"):
        return str(code)
    if code := key.get("project_code"):
        return str(code)[:8]
    code = key.get("kpi_code")
    return f"{str(code)[:4]}0000" if code else None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict):
        return json.dumps({column: _plain(item) for column, item in value.items()}, ensure_ascii=False)
    return str(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    return value.strftime("%Y-%m-%d") if hasattr(value, "strftime") else value
