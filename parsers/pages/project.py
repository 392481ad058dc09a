"""The project page."""

import re
from typing import Final

from parsers import values
from parsers.contact import split_contact
from parsers.findings import Findings, Scope
from parsers.grammar import DIGIT, LABELLED, NUMBER, Block, Label, Outline, Page, Record, Row, Section, Text, Value
from parsers.pages import shared
from parsers.quarters import QuarterTable, quarter_rows
from parsers.thai import ARABIC_DIGITS

TABLES: Final = (
    *("projects", "contacts", "project_strategies", "progress_reports"),
    *("plan_steps", "project_kpis", "project_kpi_quarters"),
)
PAGE_TITLES: Final = ("ความคืบหน้าโครงการ/กิจกรรม",)

# --- what is printed, in its order ------------------------------------------------------------------------------------

_AGENCY: Final = (  # the year is missing on one real page
    r"(?P<agency_name>\** สำนัก[^\n:()]*+(?=\n)|[^\n:]*+(?::[^\n:]*+)*?(?= : \())"
    rf"(?: : \( (?P<fiscal_year_be>{DIGIT}{{4}})? \))?$"
)
_CODE: Final = re.compile(shared.PROJECT_CODE)
_HEAD: Final = Block(
    "projects",
    Value("agency", _AGENCY, shown="agency and fiscal year"),
    Value("alone", rf"(?P<alone>{NUMBER}) %?$", required=False),
    Label(
        "progress_percent",
        rf"ความคืบหน้าโครงการ ร้อยละ(?: :)?(?: (?={DIGIT}{{1,3}}(?:\.{DIGIT}+)? %?$)|[^\S\n]*)(?P<progress_percent>[^\n]*)$",
        "none",
        shown="ความคืบหน้าโครงการ ร้อยละ",
    ),
    Text("contact", mixed=True),
    Label("links", r"ดูโครงการแผนปีฯ :? (?:พิมพ์ข้อมูล)?(?=\s|$)", "none", shown="ดูโครงการแผนปีฯ"),
    shared.evaluation("ประเมินโครงการ"),
    repeats=False,
    columns={
        "agency_name": values.without_mark,
        "fiscal_year_be": values.fiscal_year,
        "progress_percent": values.percent,
        "evaluation_score": values.number,
    },
)
_UNIT_PAIR: Final = Block(
    "projects",
    Text("rationale"),
    Label("unit", rf"(?P<unit_code>{DIGIT}{{8}})? / (?P<unit_code_second>{DIGIT}{{8}})?$", "none", required=False),
    repeats=False,
)
_PAIR_BEHIND: Final = re.compile(f"{DIGIT}{{8}} ?/ ?{DIGIT}{{8}}$")
_STRATEGIES: Final = Block("project_strategies", shared.strategy("ด้านที่", "ยุทธศาสตร์ที่"))
_REPORTS: Final = Block(
    "progress_reports",
    Label(
        "heading",
        rf"\( (?P<report_no>{DIGIT}+) \) ความคืบหน้าโครงการฯ ร้อยละ :? (?P<progress_percent>[^\s()]*) "
        r"\( (?P<reported_on_date>[^()\n]*[^()\s])? \)",
        "none",
    ),
    Value("again", rf"(?P<again>{NUMBER})(?=\s|%|$)(?: %)?", shown=""),
    Text("note"),
    Label("problems", r"\*++ ปัญหาของโครงการ :", "many", shown="ปัญหาของโครงการ"),
    Label("obstacles", r"\*++ อุปสรรคของโครงการ :", "many", shown="อุปสรรคของโครงการ"),
    Label("rule", "---+ &+ -{3,}$", "none", required=False),
    series="report_no",
    series_rule="report_numbers_gap",
    columns={
        "report_no": values.integer,
        "progress_percent": values.percent,
        "reported_on_date": values.day,
        "problems": values.unless_none,
        "obstacles": values.unless_none,
    },
)


def _step_link(name: str, words: str) -> Label:
    return Label(name, rf"{words}(?: :)? (?P<{name}_code>{shared.PROJECT_CODE})?(?=\s*\(|$)", "none", required=False)


_STEPS: Final = Block(
    "plan_steps",
    Label("step", f"ขั้นตอน (?P<step_no>{DIGIT}+)(?= :| ?$)", "none"),
    Value("description", f":(?! {NUMBER} %$)", "many", required=False),
    Label("weight", r": (?P<weight_percent>[^\s%:]*) %(?=\s|$)", "none", shown="น้ำหนัก"),
    Label("start_date", "เริ่มต้น :", shown="เริ่มต้น"),
    Label("end_date", "สิ้นสุด :", shown="สิ้นสุด"),
    tail=(
        _step_link("link_shown", r"\( ทดสอบ \) แสดงขั้นตอนการดำเนินงานโครงการ"),
        _step_link("link_clicked", r"\( คลิก \) ขั้นตอนการปฏิบัติงานของโครงการ"),
    ),
    series="step_no",
    columns={
        "description": values.text,
        "weight_percent": values.percent,
        "start_date": values.day,
        "end_date": values.day,
    },
)
_KPIS: Final = Block(
    "project_kpis",
    Label("kpi", rf"รายละเอียดเกี่ยวกับตัวชี้วัด :? (?P<kpi_code>{DIGIT}[0-9๐-๙-]*)?", "none"),
    Label("name", "ตัวชี้วัด :", "name", shown="ตัวชี้วัด"),
    *shared.MEASURES,
    shared.QUARTERS,
    columns={"name": values.text, **shared.MEASURE_COLUMNS},
)
SECTIONS: Final = Outline(
    Section("rationale", "หลักการและเหตุผล"),
    Section("objectives", "วัตถุประสงค์ของโครงการ"),
    Section("targets", "เป้าหมายของโครงการ"),
    Section("strategies", "สนับสนุนยุทธศาสตร์กรุงเทพมหานครฯ", _STRATEGIES),
    Section("reports", "ผลการดำเนินงาน", _REPORTS),
    Section("plan", "แผนการดำเนินงานฯ", _STEPS),
    Section("kpis", "สนับสนุนตัวชี้วัดตามแผนฯ", _KPIS),
    Section("evaluations", "** ผลการประเมินโครงการ (รายไตรมาส) **", last=True),
)

# --- from lines to rows -----------------------------------------------------------------------------------------------


def read(page: Page, tables: list[QuarterTable]) -> None:
    """Read a project page into `page.tables`; without a title there is no record, and no row."""
    begun = shared.begin(page, SECTIONS, _HEAD, _CODE, PAGE_TITLES)
    if begun is None:
        return
    head, columns, scope = begun
    project = {
        **_read_head(page, scope, head, columns),
        **_read_rationale(page, scope),
        "objectives": page.text(page.below.pop("objectives", [])),
        "targets": page.text(page.below.pop("targets", [])),
    }
    page.tables["projects"].append(project)
    strategies, _ = _STRATEGIES.read(page.below.pop("strategies", []), page)
    reports, _ = _REPORTS.read(page.below.pop("reports", []), page)
    steps, tail = _STEPS.read(page.below.pop("plan", []), page)
    kpis, _ = _KPIS.read(page.below.pop("kpis", []), page)
    page.tables["project_strategies"] = shared.strategy_rows(page, strategies, "project_strategies", "project_code")
    page.tables["progress_reports"] = _report_rows(page, reports)
    for link in ("link_shown", "link_clicked"):  # their code must be this project's
        if (code := tail.get(f"{link}_code")) and code.translate(ARABIC_DIGITS) != page.code:
            scope.add("code_contradicts", "project_code", code)
    page.tables["plan_steps"] = _step_rows(page, steps)
    _read_kpis(page, kpis, tables)
    _check_consistency(page, project)


def _read_head(page: Page, scope: Scope, head: Record, columns: Row) -> Row:
    year, progress = columns["fiscal_year_be"], columns["progress_percent"]
    if year is None and "agency" not in head.missing and not head.get("fiscal_year_be"):
        scope.add("part_missing", "fiscal_year_be", None, "The agency's line has no fiscal year.")
    if (alone := head.get("alone")) and values.parse_number(alone) != progress:
        scope.add("progress_printed_twice", "progress_percent", f"{alone} | {head.get('progress_percent') or ''}")
    _read_contact(page, head.lines("contact"))
    of_newer_page = ("policy_id", "branch_id", "budget_received_baht", "budget_spent_baht", "start_date", "finish_date")
    return {
        "project_code": page.code,
        "agency_code": page.code[:8],
        **columns,
        "fiscal_year_ce": year - values.BUDDHIST_OFFSET if year else None,
        **dict.fromkeys(of_newer_page),
    }


def _read_contact(page: Page, lines: list[str]) -> None:
    own = [line for line in lines if not LABELLED.match(line) or "โทร" in line]
    if foreign := [line for line in lines if line not in own]:
        page.leave(foreign)
    for line in own[1:]:
        page.findings.add("line_not_understood", printed=line, message="The contact has more than one line.")
    if contact := " ".join(own):
        name, phone = split_contact(contact)
        row = {"project_code": page.code, "contact": contact, "contact_name": name, "contact_phone": phone}
        page.tables["contacts"].append(row)


def _read_rationale(page: Page, scope: Scope) -> Row:
    _, record = _UNIT_PAIR.read(page.below.pop("rationale", []), page)
    first = (record.get("unit_code") or "").translate(ARABIC_DIGITS)
    second = (record.get("unit_code_second") or "").translate(ARABIC_DIGITS)
    if record.get("unit") is None and (glued := _PAIR_BEHIND.search(record.get("rationale") or "")):
        page.doubt(glued[0], "projects")
    if first != second:
        scope.add("unit_codes_differ", "unit_code", f"{first}/{second}")
    rationale = record.get("rationale") or None
    return {"rationale": rationale, "unit_code": first or None, "unit_code_second": second or None}


def _report_rows(page: Page, records: list[Record]) -> list[Row]:
    rows: list[Row] = []
    for printed in records:
        _leave_foreign_lines(page, printed)
    places = range(len(records), 0, -1)  # printed newest first, counted from the oldest
    scopes = [Scope(Findings(), "progress_reports", f"{page.code}/{place}") for place in places]
    read = zip(places, records, scopes, _REPORTS.rows(records, scopes), strict=True)
    for place, printed, scope, columns in read:
        progress = columns["progress_percent"]
        if (again := printed.get("again")) and progress is not None and values.parse_number(again) != progress:
            scope.add("progress_printed_twice", "progress_percent", f"{again} | {progress}")
        if printed.get("rule") is None and "-&" in (printed.get("obstacles") or ""):
            page.doubt(printed["obstacles"] or "", "progress_reports")
        note_date, note = values.read_note(printed.get("note") or "", columns["reported_on_date"], scope)
        identity = {"project_code": page.code, "report_index": place}
        rows.append({**identity, **columns, "note_date": note_date, "note": note})
        page.findings += scope.findings
    return rows[::-1]


def _leave_foreign_lines(page: Page, report: Record) -> None:
    """Report as unclaimed the lines below a word for "none", and labels above the line that begins with a note's date."""
    for name, lines in report.pieces.items():
        if name != "note" and lines[0] in values.NONE_WORDS:
            report[name] = lines[0]
            page.leave(lines[1:])
        elif name == "note":
            dated = next((place for place, line in enumerate(lines) if values.TYPED_DATE.match(line)), 0)
            if dated and all(map(LABELLED.match, lines[:dated])):
                report[name] = " ".join(lines[dated:])
                page.leave(lines[:dated])


def _step_rows(page: Page, records: list[Record]) -> list[Row]:
    scopes: dict[int, Scope] = {}
    for place, printed in enumerate(records, 1):
        step_no = values.parse_integer(printed["step_no"] or "") or place
        scope = Scope(Findings(), "plan_steps", f"{page.code}/{step_no}")
        if step_no in scopes:
            step_no = max(scopes) + 1
            scope.add("step_renumbered", "step_no", printed["step_no"])
        scopes[step_no] = scope
    rows: dict[int, Row] = {}
    for (step_no, scope), columns in zip(scopes.items(), _STEPS.rows(records, [*scopes.values()]), strict=True):
        rows[step_no] = {"project_code": page.code, "step_no": step_no, **columns}
        start, end = columns["start_date"], columns["end_date"]
        if start and end and end < start:
            scope.add("step_ends_before_start", "end_date", f"{start} | {end}")
        page.findings += scope.findings
    return [rows[step_no] for step_no in sorted(rows)]


def _read_kpis(page: Page, records: list[Record], tables: list[QuarterTable]) -> None:
    seen: set[str] = set()
    for record in records:
        code = (record.get("kpi_code") or "").translate(ARABIC_DIGITS)
        scope = Scope(page.findings, "project_kpis", f"{page.code}/{code}" if code else page.code)
        if not code:
            scope.add("part_missing", "kpi_code", record.get("name"), "An indicator without a code.")
            page.leave(line for name in record for line in record.lines(name))
        elif code in seen:
            scope.add("duplicate_key", None, code)
        else:
            seen.add(code)
            _read_kpi(page, record, code, scope, tables)


def _read_kpi(page: Page, record: Record, code: str, scope: Scope, tables: list[QuarterTable]) -> None:
    if not re.fullmatch(shared.KPI_CODE, code):
        scope.add("code_shape", "kpi_code", code)
    identity = {"project_code": page.code, "kpi_code": code}
    columns = shared.measures(_KPIS.row(record, scope), record, scope)
    page.tables["project_kpis"].append({**identity, **columns})
    if "quarters" in record.missing:
        return
    table = tables[int(record["quarters"] or 0)]
    if table.unit and table.unit != columns["unit"]:
        scope.add("units_differ", "unit", f"{columns['unit']} | {table.unit}")
    quarters = quarter_rows(table, Scope(page.findings, "project_kpi_quarters", scope.key), identity)
    page.tables["project_kpi_quarters"] += quarters
    shared.check_last_quarter(columns["achieved_value"], quarters, scope)


# --- the page against itself ------------------------------------------------------------------------------------------

_ROUNDED_OFF: Final = 0.5
"""The weights of a plan may have lost so much, all together, when they were written with their decimals."""


def _check_consistency(page: Page, project: Row) -> None:
    """Report what a page says of itself in two places that do not agree."""
    progress, reports = project["progress_percent"], page.tables["progress_reports"]
    if reports and None not in (progress, newest := reports[-1]["progress_percent"]) and newest != progress:
        scope = Scope(page.findings, "projects", page.code)
        scope.add("progress_not_newest_report", "progress_percent", f"{progress:g} | {newest:g}")
    weights = [step["weight_percent"] for step in page.tables["plan_steps"]]
    if weights and None not in weights and abs(sum(weights) - 100) >= _ROUNDED_OFF:
        scope = Scope(page.findings, "plan_steps", page.code)
        scope.add("weights_do_not_add_up", "weight_percent", f"{sum(weights):g}")
    year = project["fiscal_year_ce"]
    first_day, last_day = (f"{year - 1}-10-01", f"{year}-09-30") if year else ("", "9999")
    before: Row = {"progress_percent": None, "reported_on_date": None}
    for report in reports:
        scope = Scope(page.findings, "progress_reports", f"{page.code}/{report['report_index']}")
        day, day_before = report["reported_on_date"], before["reported_on_date"]
        if day and not first_day <= day <= last_day:
            scope.add("report_outside_fiscal_year", "reported_on_date", day)
        if day and day_before and day < day_before:
            scope.add("report_dates_order", "reported_on_date", f"{day_before} | {day}")
        percents = report["progress_percent"], before["progress_percent"]
        if None not in percents and percents[0] < percents[1]:
            scope.add("progress_fell", "progress_percent", f"{percents[1]:g} | {percents[0]:g}")
        before = report
