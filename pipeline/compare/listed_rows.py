"""Differences of tables whose key is a place in a printed list: reports, plan steps, plan levels, items of result lists.

Rows are matched by their content (see `row_matching`): an inserted row must not make all rows below it look changed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.compare.changes import Difference, Row, whole_row
from pipeline.compare.classify import Meaning, is_jump_to_100
from pipeline.compare.keyed_rows import key_strings, match_by_key, renumber_items, unequal_places
from pipeline.compare.row_matching import Similarity, match_rows
from pipeline.compare.similarity import (
    item_similarity,
    level_similarity,
    link_similarity,
    report_similarity,
    step_similarity,
)
from pipeline.compare.state_pair import StatePair

_OWNERS_AT_ONCE: Final = 500
_ORDER_MATTERS: Final = frozenset(("progress_reports", "plan_steps"))
"""Tables in which a moved row is a difference; the order of plan levels and of items has no meaning."""


class _ListTable(NamedTuple):
    """How the rows of one table are matched.

    owner: the key columns of one list; place: the column with the place in the list
    not_compared: further columns that are no facts of the row
    """

    owner: tuple[str, ...]
    place: str
    similarity: Similarity
    not_compared: tuple[str, ...] = ()

    def facts(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of the columns that are compared."""
        left_out = (*self.owner, self.place, *self.not_compared)
        return tuple(column for column in columns if column not in left_out)


LIST_TABLES: Final[dict[str, _ListTable]] = {
    # the printed number of a report changes with every new report: only the order counts
    "progress_reports": _ListTable(("project_code",), "report_index", report_similarity, ("report_no",)),
    "plan_steps": _ListTable(("project_code",), "step_no", step_similarity),
    "project_strategies": _ListTable(("project_code",), "position", level_similarity),
    "result_list_items": _ListTable(("agency_code", "list_name"), "item_no", item_similarity),
    "result_list_links": _ListTable(("agency_code", "list_name", "item_no"), "position", link_similarity),
}


def list_differences(states: StatePair, table: str) -> list[Difference]:
    """The differences of one table, in no particular order. Raises StoreError for two rows with one key.

    Of `result_list_items` it also records the new item numbers in `states`, for the tables of links and quarters.
    """
    spec, columns = LIST_TABLES[table], list(states.columns(table))
    before, after = (rows.select(columns) for rows in states.rows(table))
    if "item_no" in spec.owner and states.item_numbers:
        before = renumber_items(before, states.item_numbers)
    owners = _owners_that_differ(table, before, after, spec)
    before, after = (rows.filter(pc.is_in(key_strings(rows, spec.owner), value_set=owners)) for rows in (before, after))
    found: list[Difference] = []
    # Python objects of a few owners at a time: with all of them alive the garbage collector takes longer than the work
    for start in range(0, len(owners), _OWNERS_AT_ONCE):
        chosen = owners.slice(start, _OWNERS_AT_ONCE)
        old, new = _rows_by_owner(before, spec, chosen), _rows_by_owner(after, spec, chosen)
        for owner in old.keys() | new.keys():
            one = _OneList(states, table, spec, old.get(owner, []), new.get(owner, []))
            if table == "result_list_items":
                one.record_item_numbers(owner)
            found += one.differences()
    return found


def _owners_that_differ(table: str, before: pa.Table, after: pa.Table, spec: _ListTable) -> pa.Array:
    """Owners (as key strings) of lists with any difference at any place."""
    matches = match_by_key(table, before, after, (*spec.owner, spec.place))
    only_one = ((before, matches.only_before), (after, matches.only_after))
    found = [rows.take(places) for rows, places in only_one if places]
    for column in before.column_names:
        old, new = matches.of_before(before.select([column])), matches.of_after(after.select([column]))
        places = unequal_places(old[column], new[column])
        if len(places):
            found.append(matches.of_after(after.select(list(spec.owner))).take(places))
    owners = [key_strings(rows, spec.owner) for rows in found if len(rows)]
    return pc.unique(pa.concat_arrays(owners)) if owners else pa.array([], pa.string())


def _rows_by_owner(table: pa.Table, spec: _ListTable, owners: pa.Array) -> dict[tuple[Any, ...], list[Row]]:
    rows: dict[tuple[Any, ...], list[Row]] = {}
    for row in table.filter(pc.is_in(key_strings(table, spec.owner), value_set=owners)).to_pylist():
        rows.setdefault(tuple(row[column] for column in spec.owner), []).append(row)
    for listed in rows.values():
        listed.sort(key=lambda row: row[spec.place])
    return rows


class _OneList:
    """One owner's list in both states, its rows matched."""

    def __init__(self, states: StatePair, table: str, spec: _ListTable, before: list[Row], after: list[Row]) -> None:
        self._states, self._table, self._spec = states, table, spec
        self._before, self._after = before, after
        self._facts = spec.facts(states.columns(table))
        self._matches = match_rows(before, after, self._facts, spec.similarity)

    def record_item_numbers(self, owner: tuple[Any, ...]) -> None:
        """Record the items' new numbers in `states` where an item moved or was removed."""
        numbers = {old["item_no"]: new["item_no"] for old, new, _ in self._matched()}
        if any(old != new for old, new in numbers.items()) or len(numbers) < len(self._before):
            self._states.item_numbers[owner] = numbers

    def differences(self) -> Iterator[Difference]:
        """The differences of this list, in no particular order."""
        renumbered = self._renumbered() if self._table == "progress_reports" else frozenset()
        for place, (old, new, moved) in enumerate(self._matched()):
            for column in self._facts:
                if old[column] != new[column]:
                    yield self._states.changed_value(self._table, column, old, new)
            if moved and self._table in _ORDER_MATTERS:
                yield self._states.changed_value(self._table, self._spec.place, old, new)
            elif place in renumbered:
                yield self._states.changed_value(self._table, "report_no", old, new)
        for match in self._matches:
            if match.new is None and match.old is not None:
                yield whole_row(self._table, self._before[match.old], "removed", self._meaning_removed(match.old))
            elif match.old is None and match.new is not None:
                yield whole_row(self._table, self._after[match.new], "added", self._meaning_added(match.new))

    def _matched(self) -> Iterator[tuple[Row, Row, bool]]:
        for match in self._matches:
            if match.old is not None and match.new is not None:
                yield self._before[match.old], self._after[match.new], match.moved

    def _renumbered(self) -> frozenset[int]:
        """Indexes, among the matched reports, of those whose printed number changed its rank.

        All numbers change when a report is added or removed, or when the portal counts from the other end. Then the ranks
        stay, or are reversed: neither is a renumbering.
        """
        kept = [(place, old, new) for place, (old, new, moved) in enumerate(self._matched()) if not moved]
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
        newest = all(match.old is None or match.new is None or match.old < old for match in self._matches)
        return Meaning("report_removed", "newest_report_removed" if newest else "old_report_removed")

    def _meaning_added(self, new: int) -> Meaning | None:
        if self._table != "progress_reports":
            return None
        row = self._after[new]
        on_top = all(match.old is None or match.new is None or match.new < new for match in self._matches)
        if self._before and not (on_top and _is_newest(row, self._before)):
            return Meaning("report_edited", "report_inserted")
        if new == 0:
            return Meaning("new_report")
        percent, earlier = row["progress_percent"], self._after[new - 1]["progress_percent"]
        year = self._states.fiscal_years.get(row["project_code"])
        if is_jump_to_100(earlier, percent, row["reported_on_date"], year):
            return Meaning("new_report", "jump_to_100")
        fell = percent is not None and earlier is not None and percent < earlier
        return Meaning("new_report", "percent_fell" if fell else None)


def _ranks(numbers: Sequence[int]) -> list[int]:
    order = sorted(set(numbers))
    return [order.index(number) for number in numbers]


def _is_newest(row: Mapping[str, Any], before: Sequence[Row]) -> bool:
    days = [report["reported_on_date"] for report in before if report["reported_on_date"] is not None]
    return row["reported_on_date"] is None or not days or row["reported_on_date"] >= max(days)
