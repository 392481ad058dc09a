"""Two states of the tables → what differs, one row a difference, with its meaning for an audit.

Rows are paired by key. Where the key is a place in a list (reports, steps, levels of the plan, items of result lists) they
are paired by what they say, see `pairing`: a row put in between must not make everything below it look changed. Nothing
of the run (lineage) is compared: two states whose facts are equal have no difference, whatever the pages' bytes.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache, cached_property
from typing import Any, Final, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.compare import classify as meanings
from pipeline.compare.classify import MEANINGS, Meaning
from pipeline.compare.row_matching import Affinity, alike, pair_rows
from pipeline.errors import StoreError
from pipeline.schema.columns import RECORD_TABLES, TABLES, arrow_schema, page_columns

__all__ = ["MEANINGS", "SCHEMA", "Difference", "compare"]

SCHEMA: Final = pa.schema(
    [
        (name, pa.string())
        for name in (
            *("table", "key", "agency_code", "project_code", "kpi_code"),
            *("change", "column", "before", "after", "meaning", "detail", "cause"),
        )
    ]
)
"""Columns of a table of differences; `key` is a JSON object, a row that came or went stands in `after` or `before` as one."""

_OWNERS: Final = {"project_code": "projects", "kpi_code": "kpis"}
_Row = dict[str, Any]


class Rows(Protocol):
    """Rows of one table whose columns are read when they are asked for; a `pyarrow.Table` is one."""

    def select(self, names: list[str], /) -> pa.Table:
        """Some columns, in this order."""


class Difference(NamedTuple):
    """One difference between two states; the columns of `SCHEMA`."""

    table: str
    key: dict[str, Any]
    change: str
    column: str | None
    before: Any
    after: Any
    meaning: Meaning


def compare(
    before: Mapping[str, Rows],
    after: Mapping[str, Rows],
    *,
    known_earlier: Iterable[str] = (),
    cause: str = "portal",
    seen_on: date | None = None,
) -> pa.Table:
    """Compare two states; returns a table of `SCHEMA`, sorted by table and key.

    before, after: table name → rows by the dictionary of columns; a missing table is an empty one
    known_earlier: codes of projects and indicators that stood in states before `before`; such a record that is new in
        `after` is *back*
    cause: `portal`, or `parser` where both states come from the same bytes
    seen_on: the day of `before`; without it no plan is said to have moved after its date
    """
    states = _States(before, after, frozenset(known_earlier), seen_on)
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    for difference in _differences(states):
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
        columns["meaning"].append(difference.meaning.meaning)
        columns["detail"].append(difference.meaning.detail)
        columns["cause"].append(cause)
    return pa.table(columns, schema=SCHEMA)


@dataclass(eq=False)
class _States:
    """The two states, and what the rules of meaning ask of them."""

    before: Mapping[str, Rows]
    after: Mapping[str, Rows]
    known_earlier: frozenset[str]
    seen_on: date | None
    items: dict[tuple[str, str], dict[int, int]] = field(default_factory=dict)
    """(agency, list) → number of an item in `after` by its number in `before`, of lists whose items moved"""

    @cache  # noqa: B019 - one comparison's states live as long as the comparison
    def rows(self, table: str) -> tuple[Rows, Rows]:
        """The rows of a table, before and after."""
        nothing = arrow_schema(table, facts_only=True).empty_table()
        return self.before.get(table, nothing), self.after.get(table, nothing)

    @cached_property
    def records(self) -> dict[tuple[str, str], str]:
        """(owner column, code) → project_new, project_gone or project_back, of records that came or went."""
        found = {}
        for owner, table in _OWNERS.items():
            before, after = _codes(self.before.get(table), owner), _codes(self.after.get(table), owner)
            for code in after - before:
                found[owner, code] = "project_back" if code in self.known_earlier else "project_new"
            for code in before - after:
                found[owner, code] = "project_gone"
        return found

    @cached_property
    def fiscal_years(self) -> dict[str, int | None]:
        """Project → its fiscal year (Common Era), as `after` prints it."""
        projects = self.rows("projects")[1].select(["project_code", "fiscal_year_ce"])
        return dict(zip(projects["project_code"].to_pylist(), projects["fiscal_year_ce"].to_pylist(), strict=True))

    @cached_property
    def newest_reports(self) -> dict[str, date | None]:
        """Project → the day of its newest report in `after`."""
        reports = self.rows("progress_reports")[1].select(["project_code", "reported_on_date"])
        days = reports.group_by("project_code").aggregate([("reported_on_date", "max")])
        return dict(zip(days["project_code"].to_pylist(), days["reported_on_date_max"].to_pylist(), strict=True))

    @cached_property
    def last_reported(self) -> dict[str, dict[tuple[Any, ...], int]]:
        """Table of quarters → indicator → the last quarter with a result in `before`."""
        found = {}
        for table in meanings.QUARTERS:
            key = list(TABLES[table].key)
            quarters = self.rows(table)[0].select([*key, "result_value"])
            reported = quarters.filter(pc.fill_null(pc.not_equal(quarters["result_value"], 0.0), False))
            grouped = reported.group_by(key[:-1]).aggregate([("quarter", "max")])
            owners = zip(*(grouped[column].to_pylist() for column in key[:-1]), strict=True)
            found[table] = dict(zip(owners, grouped["quarter_max"].to_pylist(), strict=True))
        return found


def _differences(states: _States) -> Iterator[Difference]:
    for table in RECORD_TABLES:
        before, after = states.rows(table)
        if before is after:  # one file stands for both
            continue
        found = _in_lists(states, table, before, after) if table in _LISTS else _by_key(states, table, before, after)
        found.sort(key=lambda difference: _sort_key(difference.key))
        for difference in found:
            if difference.column is None and (meaning := _record_meaning(difference, states.records)):
                difference = _of_whole_record(difference, meaning)
            yield difference


def _of_whole_record(difference: Difference, meaning: str) -> Difference:
    """A row that came or went with its record: the state itself holds its values, the name is enough here."""
    before, after = (
        {"name": values["name"]} if values and values.get("name") else None
        for values in (difference.before, difference.after)
    )
    detail = None if difference.table in _OWNERS.values() else "part_of_record"
    return difference._replace(meaning=Meaning(meaning, detail), before=before, after=after)


def _record_meaning(difference: Difference, records: Mapping[tuple[str, str], str]) -> str | None:
    owner = TABLES[difference.table].key[0]
    return records.get((owner, difference.key[owner]))


def _codes(table: Rows | None, column: str) -> set[str]:
    return set(table.select([column])[column].to_pylist()) if table is not None else set()


# --- rows that pair by key --------------------------------------------------------------------------------------------


def _by_key(states: _States, table: str, before: Rows, after: Rows) -> list[Difference]:
    key = list(TABLES[table].key)
    keys = before.select(key), after.select(key)
    if "item_no" in key and states.items:
        keys = _renumber_items(keys[0], states.items), keys[1]
    pairs = _pair_by_key(table, *keys, key)
    identities = pairs.of_after(keys[1])
    found = _whole_rows(table, after, keys[1], pairs.only_after, "added")
    found += _whole_rows(table, before, keys[0], pairs.only_before, "removed")
    for column in page_columns(table):
        if column in key:
            continue
        # a column at a time: texts are most of a state, and fresh memory costs more than reading does
        old, new = pairs.of_before(before.select([column])), pairs.of_after(after.select([column]))
        if len(places := _unequal(old[column], new[column])):
            rows = identities.take(places).to_pylist()
            values = old[column].take(places).to_pylist(), new[column].take(places).to_pylist()
            for row, value_before, value_after in zip(rows, *values, strict=True):
                row_before, row_after = {**row, column: value_before}, {**row, column: value_after}
                found.append(_changed_value(states, table, column, row_before, row_after))
    return found


class _Pairs(NamedTuple):
    """Places of the rows that both have, in the same order, and of the rows of one only; None stands for all, in order."""

    before: pa.Array | None
    after: pa.Array | None
    only_before: pa.Array | None = None
    only_after: pa.Array | None = None

    def of_before(self, table: pa.Table) -> pa.Table:
        return table if self.before is None else table.take(self.before)

    def of_after(self, table: pa.Table) -> pa.Table:
        return table if self.after is None else table.take(self.after)


def _pair_by_key(table: str, before: pa.Table, after: pa.Table, key: Sequence[str]) -> _Pairs:
    if all(before[column].equals(after[column]) for column in key):
        return _Pairs(None, None)
    before_keys, after_keys = _key_strings(before, key), _key_strings(after, key)
    for keys in (before_keys, after_keys):
        if pc.count_distinct(keys).as_py() < len(keys):
            raise StoreError(f"the table {table} has two rows with one key ({', '.join(key)}); export it again")
    places = pc.index_in(after_keys, value_set=before_keys)
    known = pc.is_valid(places)
    gone = pc.invert(pc.is_in(before_keys, value_set=after_keys))
    both_after, only_after = pc.indices_nonzero(known), pc.indices_nonzero(pc.invert(known))
    if len(both_after) == len(after) and places.equals(pa.array(range(len(after)), places.type)):
        return _Pairs(None if len(before) == len(after) else places, None, pc.indices_nonzero(gone), only_after)
    return _Pairs(places.filter(known), both_after, pc.indices_nonzero(gone), only_after)


def _key_strings(table: pa.Table, key: Sequence[str]) -> pa.Array:
    parts = [pc.cast(table.column(column), pa.string()).combine_chunks() for column in key]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "\x1f")


def _whole_rows(table: str, rows: Rows, keys: pa.Table, places: pa.Array | None, change: str) -> list[Difference]:
    if places is None or not len(places):
        return []
    # of a record that came or went only the name is told
    columns = [*TABLES[table].key, "name"] if table in _OWNERS.values() else list(page_columns(table))
    identities = keys.take(places).to_pylist()
    values = rows.select(columns).take(places).to_pylist()
    return [_whole_row(table, {**row, **identity}, change) for row, identity in zip(values, identities, strict=True)]


def _sort_key(key: Mapping[str, Any]) -> str:
    return "\x1f".join(f"{value:06d}" if isinstance(value, int) else str(value) for value in key.values())


def _identity(table: str, row: _Row) -> dict[str, Any]:
    return {column: abs(row[column]) if column == "item_no" else row[column] for column in TABLES[table].key}


def _whole_row(table: str, row: _Row, change: str, meaning: Meaning | None = None) -> Difference:
    values = {column: value for column, value in row.items() if column not in TABLES[table].key and value is not None}
    before, after = (None, values) if change == "added" else (values, None)
    meaning = meaning or meanings.of_row(table, change, row)
    return Difference(table, _identity(table, row), change, None, before, after, meaning)


def _changed_value(states: _States, table: str, column: str, before: _Row, after: _Row) -> Difference:
    meaning = meanings.of_value(table, column, before[column], after[column])
    if meaning.meaning == "plan_moved":
        passed_on = before["end_date"] if column in ("weight_percent", "step_no") else before[column]
        meaning = meanings.of_plan_move(meaning, passed_on, states.seen_on)
    elif meaning.meaning == "progress_up":
        code = after["project_code"]
        day, year = states.newest_reports.get(code), states.fiscal_years.get(code)
        if meanings.is_jump_to_100(before[column], after[column], day, year):
            meaning = meaning._replace(detail="jump_to_100")
    elif meaning.detail == "result_reported" and before[column] is not None:
        # the 0 of a quarter whose followers had results was a result, not a blank
        *owner, quarter = (before[name] for name in TABLES[table].key)
        if states.last_reported[table].get(tuple(owner), 0) > quarter:
            meaning = Meaning("result_restated")
    return Difference(table, _identity(table, after), "changed", column, before[column], after[column], meaning)


def _unequal(old: pa.ChunkedArray, new: pa.ChunkedArray) -> pa.Array:
    """Where two columns differ; null equals null."""
    if old.equals(new):
        return pa.array([], pa.uint64())
    differ = pc.or_kleene(pc.not_equal(old, new), pc.xor(pc.is_null(old), pc.is_null(new)))
    return pc.indices_nonzero(pc.fill_null(differ, False))


def _renumber_items(before: pa.Table, items: Mapping[tuple[str, str], Mapping[int, int]]) -> pa.Table:
    """Links and quarters of items follow their item to its new number; those of items that went keep a number of their own."""
    agencies, lists, numbers = (before[name].to_pylist() for name in ("agency_code", "list_name", "item_no"))
    moved = []
    for agency, list_name, number in zip(agencies, lists, numbers, strict=True):
        places = items.get((agency, list_name))
        moved.append(number if places is None else places.get(number, -number))
    place = before.schema.get_field_index("item_no")
    return before.set_column(place, "item_no", pa.array(moved, before.schema.field("item_no").type))


# --- rows of lists, which pair by what they say -----------------------------------------------------------------------


def _same(before: Mapping[str, Any], after: Mapping[str, Any], column: str) -> bool:
    return before[column] is not None and before[column] == after[column]


def _reports_alike(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    """The same report edited keeps its day, or most of its words; what has neither in common is another report."""
    words = alike(before["note"], after["note"])
    if _same(before, after, "reported_on_date"):
        return 1.0 + words
    if words >= _SAME_WORDS:
        return words
    bare = before["note"] is None and after["note"] is None
    undated = before["reported_on_date"] is None and after["reported_on_date"] is None
    if (bare and before["progress_percent"] == after["progress_percent"]) or undated:
        return 0.1
    return 0.0


_SAME_WORDS: Final = 0.5


def _steps_alike(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    words = alike(before["description"], after["description"])
    dates = _same(before, after, "start_date") + _same(before, after, "end_date")
    score = 1.5 * words + 0.1 * dates + 0.6 * _same(before, after, "step_no")
    return score if score >= _ENOUGH else 0.0


def _levels_alike(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    words = alike(before["name"], after["name"])
    score = words + _same(before, after, "strategy_code") + 0.6 * _same(before, after, "position")
    return score if score >= _ENOUGH else 0.0


def _items_alike(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    words = alike(before["name"], after["name"])
    links = 2.0 * _same(before, after, "kpi_code") + 0.5 * _same(before, after, "project_code")
    score = links + 1.5 * words + 0.6 * _same(before, after, "item_no")
    return score if score >= _ENOUGH else 0.0


def _links_alike(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    return 0.6 * _same(before, after, "position")


_ENOUGH: Final = 0.6  # the same number, or two fifths of the words


class _List(NamedTuple):
    """How the rows of a list are paired: whose list it is, the column of the place, what is compared, affinity."""

    owner: tuple[str, ...]
    place: str
    affinity: Affinity
    left_out: tuple[str, ...] = ()

    def facts(self, table: str) -> tuple[str, ...]:
        return tuple(
            column for column in page_columns(table) if column not in (*self.owner, self.place, *self.left_out)
        )


_LISTS: Final[dict[str, _List]] = {
    # the printed number moves with every new report: what counts is the order
    "progress_reports": _List(("project_code",), "report_index", _reports_alike, ("report_no",)),
    "plan_steps": _List(("project_code",), "step_no", _steps_alike),
    "project_strategies": _List(("project_code",), "position", _levels_alike),
    "result_list_items": _List(("agency_code", "list_name"), "item_no", _items_alike),
    "result_list_links": _List(("agency_code", "list_name", "item_no"), "position", _links_alike),
}


def _in_lists(states: _States, table: str, rows_before: Rows, rows_after: Rows) -> list[Difference]:
    spec, columns = _LISTS[table], list(page_columns(table))
    before, after = rows_before.select(columns), rows_after.select(columns)
    if "item_no" in spec.owner and states.items:
        before = _renumber_items(before, states.items)
    owners = _owners_that_differ(table, before, after, spec)
    before, after = (
        rows.filter(pc.is_in(_key_strings(rows, spec.owner), value_set=owners)) for rows in (before, after)
    )
    found: list[Difference] = []
    # rows as Python objects in blocks: with all of them alive at once the garbage collector takes longer than the work
    for start in range(0, len(owners), _BLOCK):
        block = owners.slice(start, _BLOCK)
        old, new = _rows_by_owner(before, spec, block), _rows_by_owner(after, spec, block)
        for owner in old.keys() | new.keys():
            one = _OneList(states, table, spec, old.get(owner, []), new.get(owner, []))
            if table == "result_list_items":
                one.note_numbers(owner)
            found += one.differences()
    return found


_BLOCK: Final = 500


def _owners_that_differ(table: str, before: pa.Table, after: pa.Table, spec: _List) -> pa.Array:
    """Owners (as key strings) of which some row is not the same at the same place."""
    pairs = _pair_by_key(table, before, after, (*spec.owner, spec.place))
    found = [rows.take(places) for rows, places in ((before, pairs.only_before), (after, pairs.only_after)) if places]
    for column in before.column_names:
        old, new = pairs.of_before(before.select([column])), pairs.of_after(after.select([column]))
        places = _unequal(old[column], new[column])
        if len(places):
            found.append(pairs.of_after(after.select(list(spec.owner))).take(places))
    owners = [_key_strings(rows, spec.owner) for rows in found if len(rows)]
    return pc.unique(pa.concat_arrays(owners)) if owners else pa.array([], pa.string())


def _rows_by_owner(table: pa.Table, spec: _List, owners: pa.Array) -> dict[tuple[Any, ...], list[_Row]]:
    rows: dict[tuple[Any, ...], list[_Row]] = {}
    for row in table.filter(pc.is_in(_key_strings(table, spec.owner), value_set=owners)).to_pylist():
        rows.setdefault(tuple(row[column] for column in spec.owner), []).append(row)
    for listed in rows.values():
        listed.sort(key=lambda row: row[spec.place])
    return rows


class _OneList:
    """The lists of one owner in both states, paired."""

    def __init__(self, states: _States, table: str, spec: _List, before: list[_Row], after: list[_Row]) -> None:
        self._states, self._table, self._spec = states, table, spec
        self._before, self._after = before, after
        self._facts = spec.facts(table)
        self._pairs = pair_rows(before, after, self._facts, spec.affinity)

    def note_numbers(self, owner: tuple[Any, ...]) -> None:
        """Keep the items' new numbers for their links and quarters, where any number is another one."""
        numbers = {old["item_no"]: new["item_no"] for old, new, _ in self._paired()}
        if any(old != new for old, new in numbers.items()) or len(numbers) < len(self._before):
            self._states.items[owner] = numbers

    def differences(self) -> Iterator[Difference]:
        """What differs in this list, in no particular order."""
        renumbered = self._renumbered() if self._table == "progress_reports" else frozenset()
        for place, (old, new, moved) in enumerate(self._paired()):
            for column in self._facts:
                if old[column] != new[column]:
                    yield _changed_value(self._states, self._table, column, old, new)
            if moved and self._table in _ORDERED:
                yield _changed_value(self._states, self._table, self._spec.place, old, new)
            elif place in renumbered:
                yield _changed_value(self._states, self._table, "report_no", old, new)
        for pair in self._pairs:
            if pair.new is None and pair.old is not None:
                yield _whole_row(self._table, self._before[pair.old], "removed", self._meaning_removed(pair.old))
            elif pair.old is None and pair.new is not None:
                yield _whole_row(self._table, self._after[pair.new], "added", self._meaning_added(pair.new))

    def _paired(self) -> Iterator[tuple[_Row, _Row, bool]]:
        for pair in self._pairs:
            if pair.old is not None and pair.new is not None:
                yield self._before[pair.old], self._after[pair.new], pair.moved

    def _renumbered(self) -> frozenset[int]:
        """Places, among the pairs, of reports whose printed number stands in another order among the others.

        A report more or less moves all numbers, and a portal may count from the other end: neither is a renumbering.
        """
        kept = [(place, old, new) for place, (old, new, moved) in enumerate(self._paired()) if not moved]
        if any(row["report_no"] is None for _, old, new in kept for row in (old, new)):
            return frozenset()
        before = _ranks([old["report_no"] for _, old, _ in kept])
        after = _ranks([new["report_no"] for _, _, new in kept])
        if before == after or before == [max(after) - rank for rank in after]:
            return frozenset()
        return frozenset(kept[at][0] for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new)

    def _meaning_removed(self, old: int) -> Meaning | None:
        if self._table != "progress_reports":
            return None
        newest = all(pair.old is None or pair.new is None or pair.old < old for pair in self._pairs)
        return Meaning("report_removed", "newest_report_removed" if newest else "old_report_removed")

    def _meaning_added(self, new: int) -> Meaning | None:
        if self._table != "progress_reports":
            return None
        row = self._after[new]
        on_top = all(pair.old is None or pair.new is None or pair.new < new for pair in self._pairs)
        if self._before and not (on_top and _is_newest(row, self._before)):
            return Meaning("report_edited", "report_inserted")
        if new == 0:
            return Meaning("new_report")
        percent, earlier = row["progress_percent"], self._after[new - 1]["progress_percent"]
        year = self._states.fiscal_years.get(row["project_code"])
        if meanings.is_jump_to_100(earlier, percent, row["reported_on_date"], year):
            return Meaning("new_report", "jump_to_100")
        fell = percent is not None and earlier is not None and percent < earlier
        return Meaning("new_report", "percent_fell" if fell else None)


_ORDERED: Final = frozenset(("progress_reports", "plan_steps"))
"""Lists whose order says something; levels of the plan and items of result lists are only listed."""


def _ranks(numbers: Sequence[int]) -> list[int]:
    order = sorted(set(numbers))
    return [order.index(number) for number in numbers]


def _is_newest(row: Mapping[str, Any], before: Sequence[_Row]) -> bool:
    days = [report["reported_on_date"] for report in before if report["reported_on_date"] is not None]
    return row["reported_on_date"] is None or not days or row["reported_on_date"] >= max(days)


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
