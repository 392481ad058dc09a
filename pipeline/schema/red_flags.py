"""Red flags: patterns in a project's reports, plan and history that deserve a question. None of them proves anything.

Each rule is a function of a few lines, with its severity, a title and the reason why it matters, as the Open Contracting
Partnership's guide to red flags describes them: what is seen, why it is a risk, and which fields it is computed from.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.schema.columns import arrow_schemas
from pipeline.schema.kpi_targets import target_direction

NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "projects": (
        *("project_code", "fiscal_year_ce", "progress_percent", "budget_received_baht", "budget_spent_baht"),
        *("finish_date", "version_harvest_id"),
    ),
    "progress_reports": ("project_code", "report_index", "progress_percent", "reported_on_date", "note"),
    "plan_steps": ("project_code", "step_no", "weight_percent", "end_date"),
    "project_kpis": ("project_code", "kpi_code", "unit", "achieved_value"),
    "project_kpi_quarters": ("project_code", "kpi_code", "quarter", "result_value"),
    "changes": (
        *("harvest_id", "table", "key", "project_code", "kpi_code", "change", "column"),
        *("before", "after", "meaning", "detail", "cause"),
    ),
}
"""The tables that `red_flags` needs, in the order of its arguments, and their columns."""

CHOSEN_CHANGES: Final = pc.field("meaning").isin(
    ["new_report", "report_edited", "progress_up", "progress_down", "target_moved"]
)
"""The rows of `changes` that rules read."""

SILENT_DAYS: Final = 90
UNSPENT_SHARE: Final = 0.1
SAME_NOTE_PROJECTS: Final = 3
SAME_NOTE_REPORTS: Final = 3
SHORTEST_NOTE: Final = 30  # letters: shorter notes are set phrases
FEWEST_REPORTS: Final = 3
_TOLERANCE: Final = 0.01  # percent

Row = dict[str, Any]


class Flag(NamedTuple):
    """One finding of a rule. rows: (table, key) of the evidence; printed: what it says, for people."""

    project_code: str
    harvest_id: str | None
    rows: list[tuple[str, Mapping[str, Any]]]
    printed: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. severity: as of changes: `critical`, `major` or `minor`; find: the facts → its flags, in any order."""

    severity: str
    title: str
    title_th: str
    reason: str
    reason_th: str
    find: Callable[["Facts"], Iterator[Flag]]


RULES: Final[dict[str, Rule]] = {}
"""Every rule by name."""


def _rule(severity: str, title_th: str, reason: str, reason_th: str) -> Callable[[Any], Any]:
    def register(find: Callable[["Facts"], Iterator[Flag]]) -> Callable[["Facts"], Iterator[Flag]]:
        title = (find.__doc__ or "").removesuffix(".")
        RULES[find.__name__] = Rule(severity, title, title_th, reason, reason_th, find)
        return find

    return register


class Facts:
    """The tables as rules read them: rows by project, in the order of their key. day: of the state"""

    def __init__(self, tables: Mapping[str, pa.Table], day: date) -> None:
        self.day = day
        self.projects: list[Row] = tables["projects"].to_pylist()
        self.versions = {row["project_code"]: row["version_harvest_id"] for row in self.projects}
        self._tables = tables

    @cached_property
    def reports(self) -> dict[str, list[Row]]:
        """Project → its reports, oldest first."""
        return _by_project(self._tables["progress_reports"], "report_index")

    @cached_property
    def steps(self) -> dict[str, list[Row]]:
        """Project → the steps of its plan."""
        return _by_project(self._tables["plan_steps"], "step_no")

    @cached_property
    def indicators(self) -> dict[tuple[str, str], Row]:
        """(project, indicator) → its unit, and its last reported result as `result`."""
        found = {(row["project_code"], row["kpi_code"]): row for row in self._tables["project_kpis"].to_pylist()}
        for row in found.values():
            row["result"] = row["achieved_value"]
        for row in self._tables["project_kpi_quarters"].sort_by("quarter").to_pylist():
            owner = found.get((row["project_code"], row["kpi_code"]))
            if owner is not None and owner["achieved_value"] is None and row["result_value"]:
                owner["result"] = row["result_value"]
        return found

    def changes(self, *, details: tuple[str, ...] = (), meanings: tuple[str, ...] = ()) -> list[Row]:
        """The portal's own changes with one of the details, or of the meanings, oldest first."""
        rows = self._tables["changes"]
        chosen = pc.is_in(rows["detail"], pa.array(details, pa.string()))
        chosen = pc.or_(chosen, pc.is_in(rows["meaning"], pa.array(meanings, pa.string())))
        whole = pc.fill_null(pc.equal(rows["detail"], "part_of_record"), False)
        of_portal = pc.and_not(pc.equal(rows["cause"], "portal"), whole)
        return list(rows.filter(pc.and_(chosen, of_portal)).to_pylist())


def red_flags(tables: list[pa.Table], day: date) -> pa.Table:
    """The flags of all rules for the projects of a state, in the order of rule, project and place.

    tables: those of NEEDED, or only their columns in it; day: of the state
    """
    facts = Facts(dict(zip(NEEDED, tables, strict=True)), day)
    known = {row["project_code"] for row in facts.projects}
    rows = []
    for name in sorted(RULES):
        flags = [flag for flag in RULES[name].find(facts) if flag.project_code in known]
        numbers: dict[str, int] = defaultdict(int)
        for flag in sorted(flags, key=lambda one: (one.project_code, one.harvest_id or "", one.printed)):
            numbers[flag.project_code] += 1
            evidence = [{"table": table, "key": dict(key)} for table, key in flag.rows]
            rows.append(
                {
                    "rule": name,
                    "project_code": flag.project_code,
                    "flag_no": numbers[flag.project_code],
                    "severity": RULES[name].severity,
                    "harvest_id": flag.harvest_id,
                    "evidence": json.dumps(evidence, ensure_ascii=False),
                    "printed": flag.printed,
                }
            )
    return pa.Table.from_pylist(rows, arrow_schemas()["red_flags"])


# --- rules that only the nights before can prove ------------------------------------------------------------------


@_rule(
    "major",
    "ลงวันที่รายงานย้อนหลัง",
    "Work is made to look reported in time. The store has the portal as it was that night, without the report.",
    "ทำให้งานดูเหมือนรายงานทันเวลา แต่ข้อมูลที่เก็บไว้ในคืนนั้นไม่มีรายงานนี้",
)
def backdated_report(facts: Facts) -> Iterator[Flag]:
    """A report was dated before a night that did not show it."""
    for row in facts.changes(details=("backdated", "report_inserted")):
        values = orjson.loads(row["after"] or "{}")
        printed = f"{values.get('reported_on_date')} {values.get('progress_percent', '')} %".strip()
        yield Flag(row["project_code"], row["harvest_id"], [_evidence(row)], printed)


@_rule(
    "major",
    "ความคืบหน้าเพิ่มขึ้นโดยไม่มีรายงาน",
    "A percentage that nobody accounts for: the figure was typed over, and no report says what was done.",
    "ตัวเลขที่ไม่มีผู้อธิบาย มีการแก้ตัวเลขโดยไม่มีรายงานว่าทำสิ่งใด",
)
def progress_without_report(facts: Facts) -> Iterator[Flag]:
    """Progress rose without a report."""
    for row in facts.changes(details=("progress_without_report", "jump_to_100_without_report")):
        yield Flag(row["project_code"], row["harvest_id"], [_evidence(row)], f"{row['before']} % → {row['after']} %")


@_rule(
    "major",
    "ลงรายงานทั้งหมดภายในคืนเดียว",
    "Reports of a whole year that appear together were not written as the work went on.",
    "รายงานทั้งปีที่ปรากฏพร้อมกัน ไม่ได้เขียนขึ้นตามการทำงานจริง",
)
def reports_in_one_night(facts: Facts) -> Iterator[Flag]:
    """All of a project's reports were entered in one night."""
    entered: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in facts.changes(meanings=("new_report",), details=("report_inserted",)):
        entered[row["project_code"], row["harvest_id"]].append(row)
    for (code, harvest_id), rows in entered.items():
        if FEWEST_REPORTS <= len(rows) == len(facts.reports.get(code, ())):
            yield Flag(code, harvest_id, [_evidence(row) for row in rows], f"{len(rows)} reports")


@_rule(
    "major",
    "ปรับเป้าหมายให้เท่ากับผลงาน",
    "A target that follows the result is always reached.",
    "เป้าหมายที่ปรับตามผลงานย่อมบรรลุเสมอ",
)
def target_moved_to_result(facts: Facts) -> Iterator[Flag]:
    """A target was moved to the result."""
    for row in facts.changes(details=("target_lowered", "target_raised")):
        projects = [row["project_code"]] if row["project_code"] else _projects_of(facts, row["kpi_code"])
        before, after = float(row["before"]), float(row["after"])
        for code in projects:
            indicator = facts.indicators.get((code, row["kpi_code"]))
            if indicator is None or indicator["result"] is None:
                continue
            less, result = target_direction(indicator["unit"]) == "less", indicator["result"]
            if (before < result <= after) if less else (before > result >= after):
                printed = f"{row['before']} → {row['after']}, result {result:g}"
                yield Flag(code, row["harvest_id"], [_evidence(row)], printed)


# --- rules about what stands there now ----------------------------------------------------------------------------


@_rule(
    "minor",
    "ข้อความรายงานซ้ำกันหลายโครงการ",
    f"The same {SHORTEST_NOTE} letters or more in {SAME_NOTE_PROJECTS} projects were copied, not written about each.",
    f"ข้อความเดียวกันตั้งแต่ {SHORTEST_NOTE} ตัวอักษรใน {SAME_NOTE_PROJECTS} โครงการขึ้นไปเป็นการคัดลอก ไม่ได้เขียนถึงแต่ละโครงการ",
)
def same_note_in_projects(facts: Facts) -> Iterator[Flag]:
    """The same note stands in several projects."""
    notes: dict[str, dict[str, Row]] = defaultdict(dict)
    for code, reports in facts.reports.items():
        for row in reports:
            if len(row["note"] or "") >= SHORTEST_NOTE:
                notes[row["note"]].setdefault(code, row)
    for note, rows in notes.items():
        if len(rows) >= SAME_NOTE_PROJECTS:
            for code, row in rows.items():
                others = [other for other in sorted(rows) if other != code][: SAME_NOTE_PROJECTS - 1]
                yield _of_state(facts, code, [row, *(rows[other] for other in others)], note)


@_rule(
    "minor",
    "ข้อความรายงานซ้ำต่อเนื่อง",
    f"{SAME_NOTE_REPORTS} reports in a row that say the same say nothing of what was done between them.",
    f"รายงาน {SAME_NOTE_REPORTS} ครั้งติดต่อกันที่มีข้อความเดียวกัน ไม่ได้บอกว่าทำสิ่งใดในระหว่างนั้น",
)
def same_note_in_running_reports(facts: Facts) -> Iterator[Flag]:
    """The same note stands in running reports."""
    for code, reports in facts.reports.items():
        run: list[Row] = []
        for row in [*reports, {"note": None}]:
            if run and row["note"] != run[-1]["note"]:
                if len(run) >= SAME_NOTE_REPORTS and run[0]["note"]:
                    yield _of_state(facts, code, run, run[0]["note"])
                run = []
            run.append(row)


@_rule(
    "major",
    "คืบหน้าร้อยละ 100 แต่ยังเบิกจ่ายไม่หมด",
    f"At 100 % more than {UNSPENT_SHARE:.0%} of the budget is not spent: the work may be unpaid, or not done.",
    f"คืบหน้าร้อยละ 100 แต่งบประมาณเหลือเกินร้อยละ {UNSPENT_SHARE * 100:.0f} อาจยังไม่จ่ายเงินหรือยังทำไม่เสร็จ",
)
def complete_with_unspent_budget(facts: Facts) -> Iterator[Flag]:
    """Complete, and budget is left."""
    for row in facts.projects:
        received, spent = row["budget_received_baht"], row["budget_spent_baht"]
        if (row["progress_percent"] or 0) < 100 or not received or spent is None:
            continue
        if spent < received * (1 - UNSPENT_SHARE):
            printed = f"{spent:,.2f} of {received:,.2f} baht"
            yield Flag(row["project_code"], row["version_harvest_id"], [_project(row["project_code"])], printed)


@_rule(
    "minor",
    "แล้วเสร็จหลังสิ้นสุดแผน",
    "The plan's last day passed before 100 % was reported: it was late, whatever the percentage says today.",
    "รายงานร้อยละ 100 หลังวันสิ้นสุดแผน จึงล่าช้าไม่ว่าวันนี้จะแสดงร้อยละเท่าใด",
)
def complete_after_plan(facts: Facts) -> Iterator[Flag]:
    """Complete only after the plan had ended."""
    finish = {row["project_code"]: row["finish_date"] for row in facts.projects}
    for code, reports in facts.reports.items():
        ends = [step["end_date"] for step in facts.steps.get(code, ()) if step["end_date"]]
        end = max([*ends, *filter(None, [finish.get(code)])], default=None)
        complete = next((row for row in reports if (row["progress_percent"] or 0) >= 100), None)
        if end and complete and complete["reported_on_date"] and complete["reported_on_date"] > end:
            yield _of_state(
                facts, code, [complete], f"{complete['reported_on_date']:%Y-%m-%d}, plan until {end:%Y-%m-%d}"
            )


@_rule(
    "major",
    "ไม่มีรายงานช่วงปลายปีงบประมาณ",
    f"An unfinished project without a report in the last {SILENT_DAYS} days of its fiscal year.",
    f"โครงการที่ยังไม่เสร็จและไม่มีรายงานใน {SILENT_DAYS} วันสุดท้ายของปีงบประมาณ",
)
def silent_before_year_end(facts: Facts) -> Iterator[Flag]:
    """Silent before the fiscal year ends."""
    for row in facts.projects:
        if row["fiscal_year_ce"] is None or (row["progress_percent"] or 0) >= 100:
            continue
        end = date(row["fiscal_year_ce"], 9, 30)
        reports = facts.reports.get(row["project_code"], [])
        days = [report["reported_on_date"].date() for report in reports if report["reported_on_date"]]
        if facts.day >= end and all(day < end - timedelta(days=SILENT_DAYS) for day in days):
            last = f"last report {max(days)}" if days else "no report"
            yield Flag(row["project_code"], row["version_harvest_id"], [_project(row["project_code"])], last)


@_rule(
    "minor",
    "น้ำหนักขั้นตอนรวมไม่เท่ากับ 100",
    "Progress is computed from these weights: another sum makes every percentage of the plan wrong.",
    "ความคืบหน้าคำนวณจากน้ำหนักเหล่านี้ ถ้าผลรวมไม่เท่ากับ 100 ร้อยละตามแผนย่อมผิด",
)
def weights_not_100(facts: Facts) -> Iterator[Flag]:
    """The plan's weights do not add up to 100."""
    for code, steps in facts.steps.items():
        weights = [step["weight_percent"] for step in steps]
        if all(weight is not None for weight in weights) and abs(sum(weights) - 100) > _TOLERANCE:
            yield Flag(code, facts.versions.get(code), [_project(code)], f"{round(sum(weights), 4):g} %")


@_rule(
    "minor",
    "ความคืบหน้าลดลงแล้วกลับขึ้น",
    "A percentage that falls and returns was wrong once, or work was counted that was not done.",
    "ร้อยละที่ลดลงแล้วกลับขึ้น แสดงว่าเคยผิด หรือเคยนับงานที่ยังไม่ได้ทำ",
)
def progress_fell_and_returned(facts: Facts) -> Iterator[Flag]:
    """Progress fell and came back."""
    for code, reports in facts.reports.items():
        known = [row for row in reports if row["progress_percent"] is not None]
        for place, (high, low) in enumerate(pairwise(known)):
            if low["progress_percent"] < high["progress_percent"]:
                later = known[place + 2 :]
                back = next((row for row in later if row["progress_percent"] >= high["progress_percent"]), None)
                if back:
                    rows = [high, low, back]
                    yield _of_state(facts, code, rows, " → ".join(f"{row['progress_percent']:g} %" for row in rows))
                    break
    fallen: dict[str, Row] = {}
    for row in facts.changes(meanings=("progress_down", "progress_up")):
        code = row["project_code"]
        if row["meaning"] == "progress_down":
            fallen.setdefault(code, row)
        elif code in fallen and float(row["after"]) >= float(fallen[code]["before"]):
            down = fallen.pop(code)
            printed = f"{down['before']} % → {down['after']} % → {row['after']} %"
            yield Flag(code, row["harvest_id"], [_evidence(down), _evidence(row)], printed)


def _by_project(table: pa.Table, place: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in table.sort_by([("project_code", "ascending"), (place, "ascending")]).to_pylist():
        found[row["project_code"]].append(row)
    return dict(found)


def _evidence(change: Row) -> tuple[str, Mapping[str, Any]]:
    return change["table"], orjson.loads(change["key"])


def _project(code: str) -> tuple[str, Mapping[str, Any]]:
    return "projects", {"project_code": code}


def _of_state(facts: Facts, code: str, reports: list[Row], printed: str) -> Flag:
    keys = [{name: row[name] for name in ("project_code", "report_index")} for row in reports]
    return Flag(code, facts.versions.get(code), [("progress_reports", key) for key in keys], printed)


def _projects_of(facts: Facts, kpi_code: str) -> list[str]:
    return sorted(project for project, code in facts.indicators if code == kpi_code)
