"""The two states of a comparison, with the lookups that the rules of meaning need."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache, cached_property
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.compare.changes import Difference, Row, row_key
from pipeline.compare.classify import (
    QUARTERS,
    Meaning,
    is_jump,
    is_jump_to_100,
    meaning_of_plan_change,
    meaning_of_value,
)
from pipeline.compare.indicators import IDENTITY, recoded_indicators
from pipeline.compare.printed_order import PrintedOrder
from pipeline.schema.columns import PAGE_LEVEL_TABLES, TABLES, arrow_schema, page_columns

RECORD_OWNERS: Final = {TABLES[name].key[0]: name for name in sorted(PAGE_LEVEL_TABLES)}
"""Key column of a record → the table with one row for each record."""


class Rows(Protocol):
    """Rows of one table whose columns are read only on request; a `pyarrow.Table` is one."""

    def select(self, names: list[str], /) -> pa.Table:
        """The named columns, in this order."""


@dataclass(eq=False)
class StatePair:
    """The two states, and lookups that are computed once for each comparison.

    before, after: table name → rows; lookups: the same with the rows of more records
    known_earlier: codes of records in states before `before`
    seen_on: the day of `before`; None where it is unknown; checked_on: project → the day its page was last read by then
    order: what is known of the direction in which the portal prints lists
    not_compared: table and column of what the files of `before` have no column for: it says nothing of the portal
    item_numbers: (agency, list) → number of an item in `before` → its number in `after`, for lists whose items moved
    """

    before: Mapping[str, Rows]
    after: Mapping[str, Rows]
    lookups: tuple[Mapping[str, Rows], Mapping[str, Rows]]
    known_earlier: frozenset[str]
    seen_on: date | None
    not_compared: frozenset[tuple[str, str]] = frozenset()
    checked_on: Mapping[str, date] = field(default_factory=dict)
    order: PrintedOrder = field(default_factory=PrintedOrder)
    item_numbers: dict[tuple[str, str], dict[int, int]] = field(default_factory=dict)

    def rows(self, table: str) -> tuple[Rows, Rows]:
        """The rows of a table, before and after; no rows where a state lacks the table."""
        return _rows_or_none(self.before, table), _rows_or_none(self.after, table)

    def columns(self, table: str) -> tuple[str, ...]:
        """The columns of a table that are compared."""
        return tuple(column for column in page_columns(table) if (table, column) not in self.not_compared)

    @cached_property
    def records(self) -> dict[tuple[str, str], str]:
        """(key column, code) → project_new, project_gone or project_back, for records that are in one state only."""
        found = {}
        for owner, table in RECORD_OWNERS.items():
            before, after = _codes(self.before.get(table), owner), _codes(self.after.get(table), owner)
            for code in after - before:
                found[owner, code] = "project_back" if code in self.known_earlier else "project_new"
            for code in before - after:
                found[owner, code] = "project_gone"
        return found

    @cached_property
    def fiscal_years(self) -> dict[str, int | None]:
        """Project → its fiscal year (Common Era) in `after`."""
        projects = _rows_or_none(self.lookups[1], "projects").select(["project_code", "fiscal_year_ce"])
        return dict(zip(projects["project_code"].to_pylist(), projects["fiscal_year_ce"].to_pylist(), strict=True))

    @cached_property
    def _newest_reports(self) -> dict[str, date | None]:
        """Project → the day of its newest report in `after`."""
        reports = _rows_or_none(self.lookups[1], "progress_reports").select(["project_code", "reported_on_date"])
        days = reports.group_by("project_code").aggregate([("reported_on_date", "max")])
        return dict(zip(days["project_code"].to_pylist(), days["reported_on_date_max"].to_pylist(), strict=True))

    @cached_property
    def _last_reported(self) -> dict[str, dict[tuple[Any, ...], int]]:
        """Table of quarters → indicator → the last quarter with a result in `before`."""
        found = {}
        for table in QUARTERS:
            key = list(TABLES[table].key)
            quarters = _rows_or_none(self.lookups[0], table).select([*key, "result_value"])
            reported = quarters.filter(pc.fill_null(pc.not_equal(quarters["result_value"], 0.0), False))
            grouped = reported.group_by(key[:-1]).aggregate([("quarter", "max")])
            owners = zip(*(grouped[column].to_pylist() for column in key[:-1]), strict=True)
            found[table] = dict(zip(owners, grouped["quarter_max"].to_pylist(), strict=True))
        return found

    @cached_property
    def recoded(self) -> dict[tuple[str, str], str]:
        """(project, code of an indicator in `before`) → its code in `after`, where only the code changed."""
        names = ["project_code", "kpi_code", *IDENTITY]
        return recoded_indicators(*(rows.select(names) for rows in self.rows("project_kpis")))

    @cached_property
    def projects_with_reports(self) -> frozenset[str]:
        """Projects that can be reported on: `after` has a report or a step of them."""
        return frozenset().union(
            *(_codes(self.lookups[1].get(table), "project_code") for table in ("progress_reports", "plan_steps"))
        )

    @cached_property
    def _reported(self) -> frozenset[str]:
        """Of the projects whose progress differs, those with a report in `after` that `before` has not."""
        percents = [
            dict(zip(*(rows.select(names)[name].to_pylist() for name in names), strict=True))
            for names in [["project_code", "progress_percent"]]
            for rows in self.rows("projects")
        ]
        moved = pa.array(
            [code for code, percent in percents[1].items() if percents[0].get(code) != percent], pa.string()
        )
        facts = [name for name in self.columns("progress_reports") if name not in ("report_index", "report_no")]
        reports = (rows.select(facts) for rows in self.rows("progress_reports"))
        chosen = (rows.filter(pc.is_in(rows["project_code"], value_set=moved)) for rows in reports)
        before, after = (Counter(zip(*(rows[name].to_pylist() for name in facts), strict=True)) for rows in chosen)
        return frozenset(report[facts.index("project_code")] for report in after - before)

    def seen_on_of(self, code: str) -> date | None:
        """The day on which `before` was true of a project."""
        return self.checked_on.get(code, self.seen_on)

    def changed_value(self, table: str, column: str, before: Row, after: Row) -> Difference:
        """The difference of one value in a row that both states have.

        before, after: the row's key and `column`; of a plan step also its other columns
        """
        meaning = meaning_of_value(table, column, before[column], after[column])
        if meaning.meaning == "plan_moved":
            passed_on = before["end_date"] if column in ("weight_percent", "step_no") else before[column]
            meaning = meaning_of_plan_change(meaning, passed_on, self.seen_on_of(after["project_code"]))
        elif meaning.meaning == "progress_up":
            meaning = meaning._replace(
                detail=self._detail_of_rise(after["project_code"], before[column], after[column])
            )
        elif meaning.detail == "result_reported" and before[column] is not None:
            # a 0 is a result, not a blank, where a later quarter already had a result
            *owner, quarter = (before[name] for name in TABLES[table].key)
            if self._last_reported[table].get(tuple(owner), 0) > quarter:
                meaning = Meaning("result_restated")
        return Difference(table, row_key(table, after), "changed", column, before[column], after[column], meaning)

    def _detail_of_rise(self, code: str, before: float, after: float) -> str | None:
        if code in self.projects_with_reports and code not in self._reported:
            return "jump_to_100_without_report" if is_jump(before, after) else "progress_without_report"
        jumped = is_jump_to_100(before, after, self._newest_reports.get(code), self.fiscal_years.get(code))
        return "jump_to_100" if jumped else None


def _rows_or_none(state: Mapping[str, Rows], table: str) -> Rows:
    """The rows of a table; no rows where the state lacks it."""
    return state[table] if table in state else _no_rows(table)


@cache
def _no_rows(table: str) -> pa.Table:
    """One object for each table: two states that lack it have the same."""
    return arrow_schema(table, facts_only=True).empty_table()


def _codes(table: Rows | None, column: str) -> set[str]:
    return set(table.select([column])[column].to_pylist()) if table is not None else set()
