"""Classify a difference: its meaning for an audit, a finer detail, and its severity.

Reports quote the sentences of `MEANINGS` and `DETAILS`. A detail exists where one meaning covers harmless and severe cases.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

MEANINGS: Final[dict[str, str]] = {
    "report_removed": "an earlier progress report is gone: history rewritten",
    "report_edited": "an earlier progress report was changed, or a report was inserted among them: history rewritten",
    "result_restated": "the reported result of a past quarter changed",
    "progress_down": "the project's progress fell",
    "target_moved": "an indicator's target changed",
    "plan_moved": "dates or weights of the plan changed, or a step was added or removed",
    "project_gone": "a record that the portal no longer shows",
    "project_back": "a record that the portal shows again",
    "agency_changed": "a project's agency changed",
    "fiscal_year_changed": "a project's fiscal year changed",
    "unit_changed": "the unit of an indicator's target and results changed",
    "level_changed": "an indicator's level (output or outcome) or type changed",
    "text_edited": "a text changed",
    "contact_changed": "the contact line changed",
    "other": "any other change",
    "project_new": "a record that the portal did not show before",
    "progress_up": "the project's progress rose",
    "new_report": "a new latest progress report: normal",
}
"""Every meaning of a difference, most severe first, with the sentence that reports quote."""

COMPARISON_VERSION: Final = 12
"""Version of the rules that compare two states. A store's changes written by another version are not held against these.

Raise it with every change of a rule that gives other rows of changes; manifests without it were written by version 1.
"""

JUMP_POINTS: Final = 20.0
"""Percentage points from which an increase to 100 at the end of a fiscal year counts as a jump."""

LAST_DAYS: Final = 28
"""Length of the end of a fiscal year in days, 30 September included."""

DETAILS: Final[dict[str, str]] = {
    "percent_rewritten": "the percentage of an earlier report changed",
    "date_rewritten": "a date of an earlier report changed",
    "text_rewritten": "the text of an earlier report changed",
    "report_inserted": "a report was inserted below or between earlier reports, or has a date before the newest of them",
    "report_renumbered": "an earlier report moved to another place in the order",
    "newest_report_removed": "the newest report was removed",
    "old_report_removed": "a report below the newest one was removed",
    "percent_fell": "the new report has a lower percentage than the report before it",
    "jump_to_100": f"progress rose by at least {JUMP_POINTS:g} points to 100 in the last {LAST_DAYS} days of the fiscal year",
    "backdated": "the new report is dated before a day on which the portal did not show it yet",
    "progress_without_report": "progress rose, and no report was added or changed",
    "jump_to_100_without_report": f"progress rose by at least {JUMP_POINTS:g} points to 100, and no report was added or changed",
    "moved_after_date": "the plan was changed after the date had passed, or a weight after its step had ended",
    "dates_moved": "dates were changed before they had passed",
    "weight_changed": "a step's weight changed",
    "step_added": "a step was added",
    "step_removed": "a step was removed",
    "step_renumbered": "a step moved to another place in the order",
    "target_lowered": "the target was lowered",
    "target_raised": "the target was raised",
    "target_set": "a target was set where there was none",
    "target_withdrawn": "the target was removed",
    "result_withdrawn": "a quarter's result was removed",
    "result_reported": "a quarter's result was reported for the first time",
    "text_added": "a text was added where there was none",
    "text_removed": "the text was removed",
    "part_of_record": "a row of a record that was added or removed as a whole",
    "budget_changed": "a budget figure changed",
    "evaluation_changed": "a score or an evaluation changed",
    "achievement_changed": "an indicator's overall result changed",
    "progress_unreadable": "only one of the two states has a percentage",
    "indicator_linked": "an indicator was added to the project's page",
    "indicator_unlinked": "an indicator was removed from the project's page",
    "indicator_recoded": "an indicator of the project's page has another code: the same indicator, or one put in its place",
    "recoded": "the same project or indicator has another code, and everything it says is the same",
    "responsible_unit_changed": "the code of the responsible unit changed",
    "order_turned": "the whole portal prints these lists from the other end; no row moved",
    "strategy_changed": "the place in the city's plan changed",
    "suspect_page": "a value reads differently on a page that contradicts itself or lacks parts: no proof of anything",
    "another_page": "the project is read from the other of its two pages, which print different things: no proof of anything",
    "list_changed": "an item or link of a result list was added, removed or moved",
}
"""The values of the column `detail`, which is null where the meaning says enough."""

SEVERITIES: Final[dict[str, str]] = {
    "critical": "History rewritten",
    "major": "Promises and progress",
    "minor": "Other edits",
    "normal": "The normal course",
    "parser": "Our reading changed, not the portal",
}
"""Name of each severity and its title in reports, most severe first."""

WHOLE_RECORD: Final = frozenset(("project_new", "project_gone", "project_back"))

QUARTERS: Final = frozenset(("project_kpi_quarters", "kpi_quarters", "result_list_quarters"))
LISTS: Final = frozenset(("result_list_items", "result_list_links", "result_list_quarters"))
TEXTS: Final = frozenset(
    "name name_en rationale objectives targets description definition summary narrative strategy heading report "
    "method source data_kind dimension_name".split()
)
_STRATEGIES: Final = frozenset(("project_strategies", "city_indicator_strategies"))
REPORT_TEXTS: Final = frozenset(("note", "problems", "obstacles"))


class Meaning(NamedTuple):
    """A key of MEANINGS, and a key of DETAILS or None."""

    meaning: str
    detail: str | None = None


def meaning_of_value(table: str, column: str, before: Any, after: Any) -> Meaning:
    """The meaning of a changed value in a row that both states have, from the two values alone."""
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
        if not before:  # null, or the 0 that the portal prints before a result is reported
            return Meaning("other", "result_reported")
        return Meaning("result_restated", "result_withdrawn" if after is None else None)
    if meaning := _OF_COLUMN.get(column if table != "projects" else f"projects.{column}"):
        return Meaning(meaning)
    if column in TEXTS:
        return Meaning("text_edited", "text_added" if before is None else "text_removed" if after is None else None)
    if table in _STRATEGIES or column == "strategy_code":
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
_OF_COLUMN: Final = {
    "projects.agency_code": "agency_changed",
    "projects.agency_name": "agency_changed",
    "projects.fiscal_year_be": "fiscal_year_changed",
    "projects.fiscal_year_ce": "fiscal_year_changed",
    "unit": "unit_changed",
    "target": "target_moved",  # of a city indicator, a text
    "kpi_level": "level_changed",
    "kpi_type": "level_changed",
}
_LIST_LINKS: Final = frozenset(("kpi_code", "project_code", "linked_kind", "linked_code", "item_no", "dimension_no"))
_OTHERS: Final = {
    "budget_received_baht": "budget_changed",
    "budget_spent_baht": "budget_changed",
    "evaluation_score": "evaluation_changed",
    "score": "evaluation_changed",
    "evaluation_2_1": "evaluation_changed",
    "evaluation_2_2": "evaluation_changed",
    "achieved_value": "achievement_changed",
    "unit_code": "responsible_unit_changed",
    "unit_code_second": "responsible_unit_changed",
}


def _target_detail(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return "target_set" if before is None else "target_withdrawn"
    return "target_raised" if after > before else "target_lowered"


def meaning_of_row(table: str, change: str, row: Mapping[str, Any]) -> Meaning:
    """The meaning of a row that was `added` or `removed` while both states have its record."""
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
    if table in _STRATEGIES:
        return Meaning("other", "strategy_changed")
    return Meaning("other", "list_changed" if table in LISTS else None)


def meaning_of_plan_change(meaning: Meaning, passed_on: date | None, seen_on: date | None) -> Meaning:
    """The meaning with the detail `moved_after_date` where the plan was changed after the date had passed.

    passed_on: the earlier date; for a weight, the last day of its step
    seen_on: the day of the earlier state; the plan was changed on that day or later
    """
    late = passed_on is not None and seen_on is not None and calendar_day(passed_on) < seen_on
    return meaning._replace(detail="moved_after_date") if late else meaning


def is_jump(before: float | None, after: float | None) -> bool:
    """True where a percentage jumped to 100."""
    return before is not None and after is not None and after >= 100 > before and after - before >= JUMP_POINTS


def is_jump_to_100(before: float | None, after: float | None, on: date | None, fiscal_year_ce: int | None) -> bool:
    """True where progress jumped to 100 in the last weeks of the fiscal year.

    before, after: percent; on: the day of the newest report
    """
    if on is None or fiscal_year_ce is None or not is_jump(before, after):
        return False
    end = fiscal_year_end(fiscal_year_ce)
    return end - timedelta(days=LAST_DAYS) < calendar_day(on) <= end


def fiscal_year_end(fiscal_year_ce: int) -> date:
    """The last day of a fiscal year: 2020 (2563 in the Buddhist era) ends on 2020-09-30."""
    return date(fiscal_year_ce, 9, 30)


def calendar_day(value: date) -> date:
    """The day of a date or an instant."""
    return value.date() if isinstance(value, datetime) else value


_SEVERITY_OF_MEANING: Final = {
    "report_removed": "critical",
    "report_edited": "critical",
    "result_restated": "critical",
    "report_inserted": "critical",  # a meaning in the first stores
    "progress_down": "major",
    "project_gone": "major",
    "agency_changed": "major",
    "fiscal_year_changed": "major",
    "unit_changed": "major",
    "progress_up": "normal",
    "new_report": "normal",
}
_SEVERITY_OF_DETAIL: Final = {
    "jump_to_100": "major",
    "percent_fell": "major",
    "moved_after_date": "major",
    "target_lowered": "major",
    "target_withdrawn": "major",
    "backdated": "major",
    "progress_without_report": "major",
    "jump_to_100_without_report": "major",
    "indicator_unlinked": "major",
    "result_reported": "normal",
    "order_turned": "normal",
}


def severity_of(meaning: str, detail: str | None, cause: str = "portal") -> str:
    """The severity of a difference, a key of SEVERITIES; the detail decides where it has a severity of its own."""
    if cause == "parser":
        return "parser"
    return _SEVERITY_OF_DETAIL.get(detail or "") or _SEVERITY_OF_MEANING.get(meaning, "minor")


def meaning_order(row: Mapping[str, Any]) -> tuple[int, int, str, str]:
    """Sort key for rows of changes: the most severe first, then by meaning, agency and key."""
    severity = _SEVERITY_PLACES[severity_of(row["meaning"], row["detail"], row["cause"])]
    return severity, _MEANING_PLACES.get(row["meaning"], len(MEANINGS)), row["agency_code"] or "", row["key"]


_SEVERITY_PLACES: Final = {severity: place for place, severity in enumerate(SEVERITIES)}
_MEANING_PLACES: Final = {meaning: place for place, meaning in enumerate(MEANINGS)}
