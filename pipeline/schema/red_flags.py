"""Red flags: patterns in a project's reports, plan and history that deserve a question. None of them proves anything.

Each rule is a function of a few lines, with its severity, a title and the reason why it matters, as the Open Contracting
Partnership's guide to red flags describes them: what is seen, why it is a risk, and which fields it is computed from.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import groupby, pairwise
from typing import Any, Final, NamedTuple

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

_LATE: Final = ("backdated", "report_inserted")
_UNREPORTED: Final = ("progress_without_report", "jump_to_100_without_report")
_MOVED: Final = ("target_lowered", "target_raised")
CHOSEN_CHANGES: Final = pc.field("detail").isin([*_LATE, *_UNREPORTED, *_MOVED]) | pc.field("meaning").isin(
    ["new_report", "progress_up", "progress_down"]
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
    """One finding of a rule. evidence: a JSON array of rows; printed: what it says, for people."""

    project_code: str
    harvest_id: str | None
    evidence: str
    printed: str


_FLAGS: Final = pa.schema([(name, pa.string()) for name in Flag._fields])


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. severity: as of changes: `critical`, `major` or `minor`; find: the facts → its flags.

    A rule that flags every change of a kind gives them as a table with the columns of `Flag`: they are the most.
    """

    severity: str
    title: str
    title_th: str
    reason: str
    reason_th: str
    find: Callable[["Facts"], Iterator[Flag] | pa.Table]


RULES: Final[dict[str, Rule]] = {}
"""Every rule by name."""


def _rule(severity: str, title_th: str, reason: str, reason_th: str) -> Callable[[Any], Any]:
    def register(find: Any) -> Any:
        title = (find.__doc__ or "").removesuffix(".")
        RULES[find.__name__] = Rule(severity, title, title_th, reason, reason_th, find)
        return find

    return register


class Facts:
    """The tables as rules read them. Rows become Python objects only where a rule chose them: most are never flagged.

    day: of the state; reports: of all projects, by project, oldest first
    """

    def __init__(self, tables: Mapping[str, pa.Table], day: date) -> None:
        self.day = day
        self.projects: list[Row] = tables["projects"].to_pylist()
        self.versions = {row["project_code"]: row["version_harvest_id"] for row in self.projects}
        self.reports = tables["progress_reports"].combine_chunks()
        self._tables = tables

    @cached_property
    def plan_ends(self) -> dict[str, datetime]:
        """Project → the last day of its plan's steps."""
        return _per_project(self._tables["plan_steps"], "end_date", "max")

    @cached_property
    def plan_weights(self) -> dict[str, float | None]:
        """Project → the sum of its steps' weights; None where one is unreadable."""
        return _per_project(self._tables["plan_steps"], "weight_percent", "sum", skip_nulls=False)

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

    def reports_of(self, codes: pa.ChunkedArray) -> dict[str, list[Row]]:
        """Project → its reports, oldest first, for some projects."""
        return _by_project(_of_projects(self.reports, codes))

    def changes(self, *, details: tuple[str, ...] = (), meanings: tuple[str, ...] = ()) -> pa.Table:
        """The portal's own changes with one of the details, or of the meanings, oldest first."""
        rows = self._tables["changes"]
        chosen = pc.is_in(rows["detail"], pa.array(details, pa.string()))
        chosen = pc.or_(chosen, pc.is_in(rows["meaning"], pa.array(meanings, pa.string())))
        whole = pc.fill_null(pc.equal(rows["detail"], "part_of_record"), False)
        return rows.filter(pc.and_(chosen, pc.and_not(pc.equal(rows["cause"], "portal"), whole)))


def red_flags(tables: list[pa.Table], day: date) -> pa.Table:
    """The flags of all rules for the projects of a state, in the order of rule, project and place.

    tables: those of NEEDED, or only their columns in it, in the order of their keys; day: of the state
    """
    facts, schema = Facts(dict(zip(NEEDED, tables, strict=True)), day), arrow_schemas()["red_flags"]
    order = [("project_code", "ascending"), ("harvest_id", "ascending"), ("printed", "ascending")]
    parts = [schema.empty_table()]
    for name in sorted(RULES):
        found = RULES[name].find(facts)
        flags = found if isinstance(found, pa.Table) else pa.Table.from_pylist([one._asdict() for one in found], _FLAGS)
        flags = _of_projects(flags, pa.array(facts.versions, pa.string()))
        places = flags.set_column(1, "harvest_id", pc.fill_null(flags["harvest_id"], ""))
        flags = flags.take(pc.sort_indices(places, order))
        codes = flags["project_code"].to_pylist()
        columns = {
            **dict(zip(_FLAGS.names, flags.columns, strict=True)),
            "rule": pa.repeat(name, len(flags)),
            "flag_no": pa.array([number for _, same in groupby(codes) for number, _ in enumerate(same, 1)], pa.int64()),
            "severity": pa.repeat(RULES[name].severity, len(flags)),
        }
        parts.append(pa.table({column: columns[column] for column in schema.names}).cast(schema))
    return pa.concat_tables(parts).combine_chunks()


# --- rules that only the nights before can prove ------------------------------------------------------------------


@_rule(
    "major",
    "ลงวันที่รายงานย้อนหลัง",
    "Work is made to look reported in time. The store has the portal as it was that night, without the report.",
    "ทำให้งานดูเหมือนรายงานทันเวลา แต่ข้อมูลที่เก็บไว้ในคืนนั้นไม่มีรายงานนี้",
)
def backdated_report(facts: Facts) -> pa.Table:
    """A report was dated before a night that did not show it."""
    rows = facts.changes(details=_LATE)
    day, percent = (_value_in(rows["after"], name) for name in ("reported_on_date", "progress_percent"))
    printed = pc.binary_join_element_wise(pc.fill_null(day, "None"), pc.fill_null(percent, ""), "%", " ")
    return _flag_each(rows, printed)


@_rule(
    "major",
    "ความคืบหน้าเพิ่มขึ้นโดยไม่มีรายงาน",
    "A percentage that nobody accounts for: the figure was typed over, and no report says what was done.",
    "ตัวเลขที่ไม่มีผู้อธิบาย มีการแก้ตัวเลขโดยไม่มีรายงานว่าทำสิ่งใด",
)
def progress_without_report(facts: Facts) -> pa.Table:
    """Progress rose without a report."""
    rows = facts.changes(details=_UNREPORTED)
    before, after = (pc.fill_null(rows[name], "None") for name in ("before", "after"))
    return _flag_each(rows, pc.binary_join_element_wise(before, " % → ", after, " %", ""))


@_rule(
    "major",
    "ลงรายงานทั้งหมดภายในคืนเดียว",
    "Reports of a whole year that appear together were not written as the work went on.",
    "รายงานทั้งปีที่ปรากฏพร้อมกัน ไม่ได้เขียนขึ้นตามการทำงานจริง",
)
def reports_in_one_night(facts: Facts) -> Iterator[Flag]:
    """All of a project's reports were entered in one night."""
    there = _per_project(facts.reports, "project_code", "count")
    added = facts.changes(meanings=("new_report",), details=("report_inserted",))
    nights = added.group_by(["project_code", "harvest_id"]).aggregate([([], "count_all")])
    nights = nights.filter(pc.greater_equal(nights["count_all"], FEWEST_REPORTS)).to_pylist()
    found = [row for row in nights if row["count_all"] == there.get(row["project_code"])]
    entered = _by_project(_of_projects(added, pa.array([row["project_code"] for row in found], pa.string())))
    for night in found:
        code, harvest_id = night["project_code"], night["harvest_id"]
        rows = [row for row in entered[code] if row["harvest_id"] == harvest_id]
        yield Flag(code, harvest_id, _evidence(rows), f"{len(rows)} reports")


@_rule(
    "major",
    "ปรับเป้าหมายให้เท่ากับผลงาน",
    "A target that follows the result is always reached.",
    "เป้าหมายที่ปรับตามผลงานย่อมบรรลุเสมอ",
)
def target_moved_to_result(facts: Facts) -> Iterator[Flag]:
    """A target was moved to the result."""
    for row in facts.changes(details=_MOVED).to_pylist():
        projects = [row["project_code"]] if row["project_code"] else _projects_of(facts, row["kpi_code"])
        before, after = float(row["before"]), float(row["after"])
        for code in projects:
            indicator = facts.indicators.get((code, row["kpi_code"]))
            if indicator is None or indicator["result"] is None:
                continue
            less, result = target_direction(indicator["unit"]) == "less", indicator["result"]
            if (before < result <= after) if less else (before > result >= after):
                printed = f"{row['before']} → {row['after']}, result {result:g}"
                yield Flag(code, row["harvest_id"], _evidence([row]), printed)


# --- rules about what stands there now ----------------------------------------------------------------------------


@_rule(
    "minor",
    "ข้อความรายงานซ้ำกันหลายโครงการ",
    f"The same {SHORTEST_NOTE} letters or more in {SAME_NOTE_PROJECTS} projects were copied, not written about each.",
    f"ข้อความเดียวกันตั้งแต่ {SHORTEST_NOTE} ตัวอักษรใน {SAME_NOTE_PROJECTS} โครงการขึ้นไปเป็นการคัดลอก ไม่ได้เขียนถึงแต่ละโครงการ",
)
def same_note_in_projects(facts: Facts) -> Iterator[Flag]:
    """The same note stands in several projects."""
    long = facts.reports.filter(pc.greater_equal(pc.utf8_length(facts.reports["note"]), SHORTEST_NOTE))
    counts = pc.value_counts(long["note"])
    shared = counts.field("values").filter(pc.greater_equal(counts.field("counts"), SAME_NOTE_PROJECTS))
    notes: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in long.filter(pc.is_in(long["note"], shared)).to_pylist():
        notes[row["note"]].setdefault(row["project_code"], row)
    for note, rows in notes.items():
        for code, row in rows.items() if len(rows) >= SAME_NOTE_PROJECTS else ():
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
    repeated = _codes_where(facts.reports, "note", pc.equal)
    for code, reports in facts.reports_of(repeated).items():
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
            yield Flag(row["project_code"], row["version_harvest_id"], _project(row["project_code"]), printed)


@_rule(
    "minor",
    "แล้วเสร็จหลังสิ้นสุดแผน",
    "The plan's last day passed before 100 % was reported: it was late, whatever the percentage says today.",
    "รายงานร้อยละ 100 หลังวันสิ้นสุดแผน จึงล่าช้าไม่ว่าวันนี้จะแสดงร้อยละเท่าใด",
)
def complete_after_plan(facts: Facts) -> Iterator[Flag]:
    """Complete only after the plan had ended."""
    finish = {row["project_code"]: row["finish_date"] for row in facts.projects}
    completing = facts.reports.filter(pc.greater_equal(facts.reports["progress_percent"], 100))
    for code, reports in _by_project(completing).items():
        end = max(filter(None, (facts.plan_ends.get(code), finish.get(code))), default=None)
        complete = reports[0]
        if end and complete["reported_on_date"] and complete["reported_on_date"] > end:
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
    last = _per_project(facts.reports, "reported_on_date", "max")
    for row in facts.projects:
        if row["fiscal_year_ce"] is None or (row["progress_percent"] or 0) >= 100:
            continue
        end = date(row["fiscal_year_ce"], 9, 30)
        reported = last.get(row["project_code"])
        if facts.day >= end and (reported is None or reported.date() < end - timedelta(days=SILENT_DAYS)):
            printed = f"last report {reported.date()}" if reported else "no report"
            yield Flag(row["project_code"], row["version_harvest_id"], _project(row["project_code"]), printed)


@_rule(
    "minor",
    "น้ำหนักขั้นตอนรวมไม่เท่ากับ 100",
    "Progress is computed from these weights: another sum makes every percentage of the plan wrong.",
    "ความคืบหน้าคำนวณจากน้ำหนักเหล่านี้ ถ้าผลรวมไม่เท่ากับ 100 ร้อยละตามแผนย่อมผิด",
)
def weights_not_100(facts: Facts) -> Iterator[Flag]:
    """The plan's weights do not add up to 100."""
    for code, weight in facts.plan_weights.items():
        if weight is not None and abs(weight - 100) > _TOLERANCE:
            yield Flag(code, facts.versions.get(code), _project(code), f"{round(weight, 4):g} %")


@_rule(
    "minor",
    "ความคืบหน้าลดลงแล้วกลับขึ้น",
    "A percentage that falls and returns was wrong once, or work was counted that was not done.",
    "ร้อยละที่ลดลงแล้วกลับขึ้น แสดงว่าเคยผิด หรือเคยนับงานที่ยังไม่ได้ทำ",
)
def progress_fell_and_returned(facts: Facts) -> Iterator[Flag]:
    """Progress fell and came back."""
    with_percent = facts.reports.filter(pc.is_valid(facts.reports["progress_percent"]))
    for code, known in _by_project(
        _of_projects(with_percent, _codes_where(with_percent, "progress_percent", pc.greater))
    ).items():
        for place, (high, low) in enumerate(pairwise(known)):
            if low["progress_percent"] < high["progress_percent"]:
                later = known[place + 2 :]
                back = next((row for row in later if row["progress_percent"] >= high["progress_percent"]), None)
                if back:
                    rows = [high, low, back]
                    yield _of_state(facts, code, rows, " → ".join(f"{row['progress_percent']:g} %" for row in rows))
                    break
    fallen: dict[str, Row] = {}
    moved = facts.changes(meanings=("progress_down", "progress_up"))
    down = moved.filter(pc.equal(moved["meaning"], "progress_down"))
    for row in _of_projects(moved, down["project_code"]).to_pylist():
        code = row["project_code"]
        if row["meaning"] == "progress_down":
            fallen.setdefault(code, row)
        elif code in fallen and float(row["after"]) >= float(fallen[code]["before"]):
            fell = fallen.pop(code)
            printed = f"{fell['before']} % → {fell['after']} % → {row['after']} %"
            yield Flag(code, row["harvest_id"], _evidence([fell, row]), printed)


def _of_projects(table: pa.Table, codes: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.filter(pc.is_in(table["project_code"], pc.unique(codes)))


def _codes_where(ordered: pa.Table, column: str, holds: Callable[[Any, Any], Any]) -> pa.ChunkedArray:
    """The projects with two neighbouring rows of which something holds: of the value before, and the value after."""
    before, after = ordered.slice(0, max(len(ordered) - 1, 0)), ordered.slice(1)
    same = pc.equal(before["project_code"], after["project_code"])
    return after["project_code"].filter(pc.and_(same, holds(before[column], after[column])))


def _per_project(table: pa.Table, column: str, what: str, *, skip_nulls: bool = True) -> dict[str, Any]:
    options = pc.ScalarAggregateOptions(skip_nulls=skip_nulls) if what != "count" else None
    found = table.group_by("project_code").aggregate([(column, what, options)])
    return dict(zip(found["project_code"].to_pylist(), found[f"{column}_{what}"].to_pylist(), strict=True))


def _by_project(table: pa.Table) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in table.to_pylist():
        found[row["project_code"]].append(row)
    return dict(found)


def _flag_each(changes: pa.Table, printed: pa.ChunkedArray) -> pa.Table:
    """A flag for each of some changes, which is its own evidence."""
    evidence = pc.binary_join_element_wise('[{"table": "', changes["table"], '", "key": ', changes["key"], "}]", "")
    return pa.table([changes["project_code"], changes["harvest_id"], evidence, printed], schema=_FLAGS)


def _value_in(rows: pa.ChunkedArray, column: str) -> pa.ChunkedArray:
    """The value of a column in whole rows as the table of changes has them; null where they have none."""
    return pc.struct_field(pc.extract_regex(rows, rf'"{column}": "?(?P<value>[^",}}]+)'), "value")


def _evidence(changes: Iterable[Row]) -> str:
    return f"[{', '.join([_row(row['table'], row['key']) for row in changes])}]"


def _row(table: str, key: str) -> str:
    """A row as evidence. key: as JSON, as the table of changes has it"""
    return f'{{"table": "{table}", "key": {key}}}'


def _project(code: str) -> str:
    key = f'{{"project_code": "{code}"}}'
    return f"[{_row('projects', key)}]"


def _of_state(facts: Facts, code: str, reports: list[Row], printed: str) -> Flag:
    keys = [f'{{"project_code": "{row["project_code"]}", "report_index": {row["report_index"]}}}' for row in reports]
    evidence = ", ".join([_row("progress_reports", key) for key in keys])
    return Flag(code, facts.versions.get(code), f"[{evidence}]", printed)


def _projects_of(facts: Facts, kpi_code: str) -> list[str]:
    return sorted(project for project, code in facts.indicators if code == kpi_code)
