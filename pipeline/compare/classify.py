"""What a difference means for an audit: one rule a meaning, each readable here and quoted in reports.

`MEANINGS` are the words of the contract; `DETAILS` tell finer, where one meaning covers the harmless and the grave.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

MEANINGS: Final[dict[str, str]] = {
    "report_removed": "a progress report that stood before is gone: history rewritten",
    "report_edited": "a progress report that stood before says something else, or one was put in between: history rewritten",
    "result_restated": "the result of a past quarter, already reported, changed",
    "progress_down": "the project's progress fell",
    "target_moved": "an indicator's target changed",
    "plan_moved": "dates or weights of the plan changed, or a step came or went",
    "project_gone": "a record that the portal no longer shows",
    "project_back": "a record that was gone and is shown again",
    "text_edited": "a text changed",
    "contact_changed": "the contact line changed",
    "other": "any other change",
    "project_new": "a record that was not known before",
    "progress_up": "the project's progress rose",
    "new_report": "a progress report on top of all others: normal",
}
"""Every meaning a difference can have, gravest first, in the words the reports use."""

JUMP_POINTS: Final = 20.0
"""Percentage points that make reaching 100 at the end of a fiscal year a jump rather than the last step."""

LAST_DAYS: Final = 28
"""The last weeks of a fiscal year: so many days, the thirtieth of September included."""

DETAILS: Final[dict[str, str]] = {
    "percent_rewritten": "the percentage of a report that stood before",
    "date_rewritten": "a date of a report that stood before",
    "text_rewritten": "the words of a report that stood before",
    "report_inserted": "a report put below or between those that stood before, or dated before the newest of them",
    "report_renumbered": "a report that stands in another order among the others",
    "newest_report_removed": "the newest report is gone",
    "old_report_removed": "a report below the newest one is gone",
    "percent_fell": "a new report, lower than the one before it",
    "jump_to_100": f"at least {JUMP_POINTS:g} points up to 100 in the last {LAST_DAYS} days of the fiscal year",
    "moved_after_date": "the date had passed when the plan was moved, or the step had ended when its weight changed",
    "dates_moved": "dates moved before they had passed",
    "weight_changed": "a step's weight changed",
    "step_added": "a step more",
    "step_removed": "a step less",
    "step_renumbered": "a step stands in another order among the others",
    "target_lowered": "the target is lower",
    "target_raised": "the target is higher",
    "target_set": "a target where there was none",
    "target_withdrawn": "no target where there was one",
    "result_withdrawn": "a quarter's result is gone",
    "result_reported": "a quarter's result, the first one reported",
    "text_added": "a text where there was none",
    "text_removed": "no text where there was one",
    "part_of_record": "a row of a record that came or went as a whole",
    "budget_changed": "a budget figure changed",
    "evaluation_changed": "a score or an evaluation changed",
    "achievement_changed": "an indicator's overall result changed",
    "progress_unreadable": "the progress is printed on one side only",
    "indicator_linked": "an indicator more on the project's page",
    "indicator_unlinked": "an indicator less on the project's page",
    "strategy_changed": "another place in the city's plan",
    "list_changed": "an item or link of a result list came, went or moved",
}
"""The finer distinctions that the column `detail` can name; null where the meaning says it all."""

WHOLE_RECORD: Final = frozenset(("project_new", "project_gone", "project_back"))
REWRITES: Final = frozenset(("report_edited", "report_removed", "result_restated"))
"""The meanings that rewrite what had been reported."""

QUARTERS: Final = frozenset(("project_kpi_quarters", "kpi_quarters", "result_list_quarters"))
LISTS: Final = frozenset(("result_list_items", "result_list_links", "result_list_quarters"))
TEXTS: Final = frozenset(
    "name name_en rationale objectives targets description definition summary narrative strategy heading report".split()
)
REPORT_TEXTS: Final = frozenset(("note", "problems", "obstacles"))


class Meaning(NamedTuple):
    """A key of MEANINGS, and a key of DETAILS or None."""

    meaning: str
    detail: str | None = None


def of_value(table: str, column: str, before: Any, after: Any) -> Meaning:
    """What another value in a row that stood before means, as far as the two values tell."""
    if table == "contacts":
        return Meaning("contact_changed")
    if table == "progress_reports":
        return Meaning("report_edited", _REPORT_DETAILS.get(column, "text_rewritten"))
    if table == "projects" and column == "progress_percent":
        if before is None or after is None:
            return Meaning("other", "progress_unreadable")
        return Meaning("progress_up" if after > before else "progress_down")
    if table == "plan_steps" and column in _PLAN_DETAILS:
        return Meaning("plan_moved", _PLAN_DETAILS[column])
    if table == "projects" and column in ("start_date", "finish_date"):
        return Meaning("plan_moved", "dates_moved")
    if column == "target_value":
        return Meaning("target_moved", _target_detail(before, after))
    if table in QUARTERS and column == "result_value":
        if not before:  # null, or the 0 that the portal prints until a result is reported
            return Meaning("other", "result_reported")
        return Meaning("result_restated", "result_withdrawn" if after is None else None)
    if column in TEXTS:
        return Meaning("text_edited", "text_added" if before is None else "text_removed" if after is None else None)
    if table == "project_strategies" or column == "strategy_code":
        return Meaning("other", "strategy_changed")
    return Meaning("other", "list_changed" if column in _LIST_LINKS and table in LISTS else _OTHERS.get(column))


_REPORT_DETAILS: Final = {
    "progress_percent": "percent_rewritten",
    "reported_on_date": "date_rewritten",
    "note_date": "date_rewritten",
    "report_no": "report_renumbered",
    "report_index": "report_renumbered",
}
_PLAN_DETAILS: Final = {
    "weight_percent": "weight_changed",
    "start_date": "dates_moved",
    "end_date": "dates_moved",
    "step_no": "step_renumbered",
}
_LIST_LINKS: Final = frozenset(("kpi_code", "project_code", "linked_kind", "linked_code", "item_no"))
_OTHERS: Final = {
    "budget_received_baht": "budget_changed",
    "budget_spent_baht": "budget_changed",
    "evaluation_score": "evaluation_changed",
    "score": "evaluation_changed",
    "evaluation_2_1": "evaluation_changed",
    "evaluation_2_2": "evaluation_changed",
    "achieved_value": "achievement_changed",
}


def _target_detail(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return "target_set" if before is None else "target_withdrawn"
    return "target_raised" if after > before else "target_lowered"


def of_row(table: str, change: str, row: Mapping[str, Any]) -> Meaning:
    """What a row means that came (`added`) or went (`removed`) while its record stayed."""
    added = change == "added"
    if table == "plan_steps":
        return Meaning("plan_moved", "step_added" if added else "step_removed")
    if table == "contacts":
        return Meaning("contact_changed")
    if table in QUARTERS and not added and row["result_value"]:
        return Meaning("result_restated", "result_withdrawn")
    if table in QUARTERS and added and row["result_value"]:
        return Meaning("other", "result_reported")
    if table == "project_kpis":
        return Meaning("other", "indicator_linked" if added else "indicator_unlinked")
    if table == "project_strategies":
        return Meaning("other", "strategy_changed")
    return Meaning("other", "list_changed" if table in LISTS else None)


def of_plan_move(meaning: Meaning, passed_on: date | None, seen_on: date | None) -> Meaning:
    """`moved_after_date` where what was moved lay in the past.

    passed_on: the date that was moved, as it stood before; for a weight, the step's last day
    seen_on: the day of the earlier state: the plan was moved on that day or later
    """
    late = passed_on is not None and seen_on is not None and _day(passed_on) < seen_on
    return meaning._replace(detail="moved_after_date") if late else meaning


def is_jump_to_100(before: float | None, after: float | None, on: date | None, fiscal_year_ce: int | None) -> bool:
    """Whether progress jumped to 100 in the last weeks of the fiscal year.

    before, after: percent; on: the day of the report that says so
    """
    if before is None or after is None or on is None or fiscal_year_ce is None:
        return False
    if not (after >= 100 > before and after - before >= JUMP_POINTS):
        return False
    end = fiscal_year_end(fiscal_year_ce)
    return end - timedelta(days=LAST_DAYS) < _day(on) <= end


def fiscal_year_end(fiscal_year_ce: int) -> date:
    """The last day of a fiscal year: 2020 (2563 in the Buddhist era) ends on 2020-09-30."""
    return date(fiscal_year_ce, 9, 30)


def _day(value: date) -> date:
    return value.date() if isinstance(value, datetime) else value
