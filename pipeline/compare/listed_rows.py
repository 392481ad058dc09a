"""Differences of tables whose key is a place in a printed list: reports, plan steps, plan levels, items of result lists.

Rows are matched by their content (see `row_matching`): an inserted row must not make all rows below it look changed.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import partial
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.compare.changes import Difference, Row, whole_row
from pipeline.compare.classify import Meaning, calendar_day, fiscal_year_end, is_jump_to_100
from pipeline.compare.keyed_rows import key_strings, match_by_key, renumber_items, unequal_places
from pipeline.compare.row_matching import Similarity, ascending_run, match_rows
from pipeline.compare.similarity import (
    at_least,
    has_moved,
    item_similarity,
    level_similarity,
    link_similarity,
    report_similarity,
    step_similarity,
)
from pipeline.compare.state_pair import StatePair
from pipeline.schema.columns import page_columns

_OWNERS_AT_ONCE: Final = 500
_NUMBERS: Final = {"progress_reports": "report_no", "plan_steps": "step_no"}
"""The column with the printed number of a row."""


class _ListTable(NamedTuple):
    """How the rows of one table are matched.

    owner: the key columns of one list; place: the column with the place in the list
    affinity: of rows at any places, where `text` names no column that says which row it is
    not_compared: further columns that are no facts of the row
    """

    owner: tuple[str, ...]
    place: str
    similarity: Similarity
    text: str | None = None
    affinity: Similarity = lambda before, after: 0.0
    not_compared: tuple[str, ...] = ()

    def facts(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of the columns that are compared."""
        left_out = (*self.owner, self.place, *self.not_compared)
        return tuple(column for column in columns if column not in left_out)

    def affinity_in(self, before: list[Row], after: list[Row], facts: tuple[str, ...]) -> Similarity:
        """The affinity of two rows of these lists."""
        if self.text is None:
            return self.affinity
        counts = [Counter(row[self.text] for row in rows) for rows in (before, after)]
        own = {text for count in counts for text in count if text and all(one[text] <= 1 for one in counts)}
        return partial(has_moved, facts=facts, text=self.text, own_texts=own)


LIST_TABLES: Final[dict[str, _ListTable]] = {
    # the printed number of a report changes with every new report: only the order counts
    "progress_reports": _ListTable(
        ("project_code",),
        "report_index",
        report_similarity,
        text="note",
        not_compared=("report_no",),
    ),
    "plan_steps": _ListTable(("project_code",), "step_no", step_similarity, text="description"),
    "project_strategies": _ListTable(
        ("project_code",), "position", level_similarity, affinity=at_least(1.0, level_similarity)
    ),
    "city_indicator_strategies": _ListTable(
        ("indicator_no",), "position", level_similarity, affinity=at_least(1.0, level_similarity)
    ),
    "result_list_items": _ListTable(
        ("agency_code", "list_name"), "item_no", item_similarity, affinity=at_least(1.5, item_similarity)
    ),
    "result_list_links": _ListTable(("agency_code", "list_name", "item_no"), "position", link_similarity),
}


def list_differences(states: StatePair, table: str) -> list[Difference]:
    """The differences of one table, in no particular order. Raises StoreError for two rows with one key.

    Of `result_list_items` it also records the new item numbers in `states`, for the tables of links and quarters.
    """
    spec, columns = LIST_TABLES[table], list(page_columns(table))  # also those not compared: rows are matched by them
    before, after = (rows.select(columns) for rows in states.rows(table))
    if "item_no" in spec.owner and states.item_numbers:
        before = renumber_items(before, states.item_numbers)
    owners = _owners_that_differ(states, table, before, after)
    after_owners = key_strings(after, spec.owner)
    before, after = (rows.filter(pc.is_in(key_strings(rows, spec.owner), value_set=owners)) for rows in (before, after))
    found: list[Difference] = []
    may_be_turned = 2 * len(owners) > pc.count_distinct(after_owners).as_py()
    # Python objects of a few owners at a time: with all of them alive the garbage collector takes longer than the work
    for start in range(0, len(owners), _OWNERS_AT_ONCE):
        chosen = owners.slice(start, _OWNERS_AT_ONCE)
        old, new = _rows_by_owner(before, spec, chosen), _rows_by_owner(after, spec, chosen)
        if may_be_turned:
            found += _turned(states, table, spec, [(old[owner], new[owner]) for owner in old.keys() & new.keys()])
        for owner in old.keys() | new.keys():
            one = _OneList(states, table, spec, old.get(owner, []), new.get(owner, []))
            if table == "result_list_items":
                one.record_item_numbers(owner)
            found += one.differences()
    return found


def _turned(
    states: StatePair, table: str, spec: _ListTable, lists: list[tuple[list[Row], list[Row]]]
) -> Iterator[Difference]:
    """The one difference of a table whose lists the whole portal prints from the other end."""
    states.order.look_at(table, (spec.place, *spec.not_compared), spec.facts(states.columns(table)), lists)
    if states.order.is_turned(table, spec.place) and table not in states.order.said:
        states.order.said.add(table)
        yield Difference(
            table, {}, "changed", spec.place, "first to last", "last to first", Meaning("other", "order_turned")
        )


def _owners_that_differ(states: StatePair, table: str, before: pa.Table, after: pa.Table) -> pa.Array:
    """Owners (as key strings) of lists with any difference at any place."""
    spec = LIST_TABLES[table]
    matches = match_by_key(table, before, after, (*spec.owner, spec.place))
    only_one = ((before, matches.only_before), (after, matches.only_after))
    found = [rows.take(places) for rows, places in only_one if places]
    for column in states.columns(table):
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
        self._is_turned = states.order.is_turned(table, spec.place)
        self._before, self._after = before[::-1] if self._is_turned else before, after
        self._facts = spec.facts(states.columns(table))
        affinity = spec.affinity_in(before, after, self._facts)
        self._matches = match_rows(self._before, after, self._facts, spec.similarity, affinity)

    def record_item_numbers(self, owner: tuple[Any, ...]) -> None:
        """Record the items' new numbers in `states` where an item moved or was removed."""
        numbers = {old["item_no"]: new["item_no"] for old, new, _ in self._matched()}
        if any(old != new for old, new in numbers.items()) or len(numbers) < len(self._before):
            self._states.item_numbers[owner] = numbers

    def differences(self) -> Iterator[Difference]:
        """The differences of this list, in no particular order."""
        renumbered = self._renumbered()
        for place, (old, new, moved) in enumerate(self._matched()):
            for column in self._facts:
                if old[column] != new[column]:
                    yield self._states.changed_value(self._table, column, old, new)
            if moved:
                yield self._states.changed_value(self._table, self._spec.place, old, new)
            elif place in renumbered:
                yield self._states.changed_value(self._table, _NUMBERS[self._table], old, new)
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
        """Indexes, among the matched rows, of those that did not move and have another number than that explains."""
        if self._table == "progress_reports":
            return self._renumbered_reports()
        return self._renumbered_steps() if self._table == "plan_steps" and not self._is_turned else frozenset()

    def _renumbered_reports(self) -> frozenset[int]:
        """Reports whose printed number changed more than other reports explain: its rank, or by another amount than theirs.

        All numbers change when a report is added or removed. Then the ranks stay. They are reversed where the portal
        counts from the other end: neither is a renumbering.
        """
        kept = [(place, old, new) for place, (old, new, moved) in enumerate(self._matched()) if not moved]
        numbers = [(old["report_no"], new["report_no"]) for _, old, new in kept]
        if any(number is None for pair in numbers for number in pair):
            lost = [new is None for old, new in numbers if old is not None]  # all of them: the portal prints none
            emptied = (old is not None and new is None and not all(lost) for old, new in numbers)
            return frozenset(kept[at][0] for at, is_emptied in enumerate(emptied) if is_emptied)
        before, after = (_ranks([pair[side] for pair in numbers]) for side in (0, 1))
        if before and self._states.order.is_turned(self._table, "report_no"):
            before = [max(before) - rank for rank in before]
        elif before == after and len(kept) == len(self._matches) > 0:
            # the same reports: all numbers change by the same amount
            after = [new - old for old, new in numbers]
            before = [Counter(after).most_common(1)[0][0]] * len(kept)
        return frozenset(kept[at][0] for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new)

    def _renumbered_steps(self) -> frozenset[int]:
        """Steps with another number, where no step that was added, removed or moved above explains it."""
        kept = [match for match in self._matches if not match.moved and None not in match[:2]]
        old_kept, new_kept = {match.old for match in kept}, {match.new for match in kept}
        gone = [place for place in range(len(self._before)) if place not in old_kept]
        come = [place for place in range(len(self._after)) if place not in new_kept]
        found = set()
        for index, match in enumerate(match for match in self._matches if None not in match[:2]):
            if match.moved or match.old is None or match.new is None:
                continue
            old, new = self._before[match.old]["step_no"], self._after[match.new]["step_no"]
            if new not in (old, old - bisect_left(gone, match.old) + bisect_left(come, match.new)):
                found.add(index)
        return frozenset(found)

    def _meaning_removed(self, old: int) -> Meaning | None:
        if self._table != "progress_reports":
            return None
        is_newest = old == len(self._before) - 1
        return Meaning("report_removed", "newest_report_removed" if is_newest else "old_report_removed")

    def _meaning_added(self, new: int) -> Meaning | None:
        if self._table != "progress_reports":
            return None
        row = self._after[new]
        code, day, percent = row["project_code"], row["reported_on_date"], row["progress_percent"]
        year = self._states.fiscal_years.get(code)
        on_top = all(match.old is None or match.new is None or match.new < new for match in self._matches)
        if self._before and not (on_top and _is_newest(day, self._before, year)):
            return Meaning("report_edited", "report_inserted")
        earlier = self._after[new - 1]["progress_percent"] if new else None
        if is_jump_to_100(earlier, percent, day, year):
            return Meaning("new_report", "jump_to_100")
        if percent is not None and earlier is not None and percent < earlier:
            return Meaning("new_report", "percent_fell")
        seen_on = self._states.seen_on_of(code)
        backdated = day is not None and seen_on is not None and calendar_day(day) < seen_on
        return Meaning("new_report", "backdated" if backdated else None)


def _ranks(numbers: Sequence[int]) -> list[int]:
    order = sorted(set(numbers))
    return [order.index(number) for number in numbers]


def _is_newest(day: date | None, before: Sequence[Row], fiscal_year_ce: int | None) -> bool:
    """Whether a report on top is also the newest by its day.

    A day outside the fiscal year is late, or has a mistyped year: it decides nothing. Nor do days out of order with the
    reports next to them.
    """
    if day is None or not _is_inside(day, fiscal_year_ce):
        return True
    days = [report["reported_on_date"] for report in before]
    ascending = ascending_run([one for one in days if one is not None and _is_inside(one, fiscal_year_ce)])
    return not ascending or day >= ascending[-1]


def _is_inside(day: date, fiscal_year_ce: int | None) -> bool:
    if fiscal_year_ce is None:
        return True
    return fiscal_year_end(fiscal_year_ce - 1) < calendar_day(day) <= fiscal_year_end(fiscal_year_ce)
