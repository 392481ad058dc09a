"""The project page."""

import re
from collections.abc import Iterator
from typing import Final

from parsers import values
from parsers.boilerplate import TO_TOP
from parsers.contact import split_contact
from parsers.findings import Scope
from parsers.grammar import DIGIT, LABELLED, NUMBER, Block, Label, Page, Record, Row, Section, Text, Value, compiled
from parsers.pages import shared
from parsers.quarters import QuarterTable, quarter_rows
from parsers.thai import ARABIC_DIGITS

TABLES: Final = (
    "projects",
    "contacts",
    "project_strategies",
    "progress_reports",
    "plan_steps",
    "project_kpis",
    "project_kpi_quarters",
)
PAGE_TITLES: Final = ("ความคืบหน้าโครงการ/กิจกรรม",)

# --- what is printed, in its order ------------------------------------------------------------------------------------

_AGENCY: Final = rf"(?P<agency_name>[^\n]*?) : \( (?P<fiscal_year_be>{DIGIT}{{4}})? \)$"
_AGENCY_LINE: Final = compiled(_AGENCY)
_TITLE_END: Final = shared.title_end(shared.PROJECT_CODE)
_HEAD: Final = Block(
    "projects",
    Value("agency", _AGENCY, shown="agency and fiscal year"),
    Value("alone", rf"(?P<alone>{NUMBER}) %?$", required=False),
    Label("progress_percent", "ความคืบหน้าโครงการ ร้อยละ(?: :)?", shown="ความคืบหน้าโครงการ ร้อยละ"),
    Text("contact", mixed=True),
    Label("links", r"ดูโครงการแผนปีฯ :? (?:พิมพ์ข้อมูล)?(?=\s|$)", "none", shown="ดูโครงการแผนปีฯ"),
    shared.evaluation("ประเมินโครงการ"),
    repeats=False,
)
_UNIT_PAIR: Final = Block(
    "projects",
    Text("rationale"),
    Label("unit", rf"(?P<unit_code>{DIGIT}{{8}})? / (?P<unit_code_second>{DIGIT}{{8}})?$", "none", required=False),
    repeats=False,
)
_STRATEGIES: Final = Block("project_strategies", shared.strategy("ด้านที่", "ยุทธศาสตร์ที่"))
_REPORTS: Final = Block(
    "progress_reports",
    Label(
        "heading",
        rf"\( (?P<report_no>{DIGIT}+) \) ความคืบหน้าโครงการฯ ร้อยละ :? (?P<progress_percent>[^\s()]*) "
        r"\( (?P<reported_on_date>[^()\n]*?) \)",
        "none",
    ),
    Value("again", rf"(?P<again>{NUMBER})(?=\s|%|$)(?: %)?"),
    Text("note"),
    Label("problems", r"\*\** ปัญหาของโครงการ :", "many", shown="ปัญหาของโครงการ"),
    Label("obstacles", r"\*\** อุปสรรคของโครงการ :", "many", shown="อุปสรรคของโครงการ"),
    Label("rule", "---+ &+ -{3,}$", "none", required=False),
    series="report_no",
)


def _step_link(name: str, words: str) -> Label:
    return Label(name, rf"{words}(?: :)? (?P<{name}>{shared.PROJECT_CODE})?(?=\s*\(|$)", "none", required=False)


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
)
_KPIS: Final = Block(
    "project_kpis",
    Label("kpi", rf"รายละเอียดเกี่ยวกับตัวชี้วัด :? (?P<kpi_code>{DIGIT}[0-9๐-๙-]*)?", "none"),
    Label("name", "ตัวชี้วัด :", "name", shown="ตัวชี้วัด"),
    *shared.MEASURES,
    shared.QUARTERS,
)
SECTIONS: Final = (
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
    begun = shared.begin(page, SECTIONS, "projects", _TITLE_END, PAGE_TITLES, _AGENCY_LINE)
    if begun is None:
        return
    title, below, scope = begun
    project = _read_head(page, scope, title)
    if "rationale" in below:
        _read_rationale(page, scope, project, _without_links_to_top(below["rationale"]))
    for column in ("objectives", "targets"):
        project[column] = page.text(_without_links_to_top(below.get(column, [])))
    records, _ = _STRATEGIES.read(below.get("strategies", []), page)
    about = Scope(page.findings, "project_strategies", page.code)
    page.tables["project_strategies"] = shared.strategy_rows(records, about, {"project_code": page.code})
    records, _ = _REPORTS.read(below.get("reports", []), page)
    page.tables["progress_reports"] = _report_rows(page, records)
    records, tail = _STEPS.read(below.get("plan", []), page)
    for link in ("link_shown", "link_clicked"):  # their code must be this project's
        if (code := tail.get(link)) and code.translate(ARABIC_DIGITS) != page.code:
            scope.add("code_contradicts", "project_code", code)
    page.tables["plan_steps"] = _step_rows(page, records)
    records, _ = _KPIS.read(below.get("kpis", []), page)
    _read_kpis(page, records, tables)
    if rest := below.get("evaluations"):
        page.leave(rest)
    page.tables["projects"].append(project)
    for rule, column, printed, about in _contradictions(page, project):
        about.add(rule, column, printed)


def _without_links_to_top(lines: list[str]) -> list[str]:
    while lines and lines[-1] in TO_TOP:  # below each part
        lines = lines[:-1]
    return lines


def _read_head(page: Page, scope: Scope, title: shared.Title) -> Row:
    (head,), _ = _HEAD.read(title.below, page)
    if head.missing:
        _HEAD.report_missing(head, scope)
    year = values.fiscal_year(head.get("fiscal_year_be"), scope, "fiscal_year_be")
    if year is None and "agency" not in head.missing and not head.get("fiscal_year_be"):
        scope.add("part_missing", "fiscal_year_be", None, "The agency's line has no fiscal year.")
    progress = values.percent(head.get("progress_percent"), scope, "progress_percent")
    if (alone := head.get("alone")) and values.parse_number(alone) != progress:
        scope.add("progress_printed_twice", "progress_percent", f"{alone} | {head.get('progress_percent') or ''}")
    _read_contact(page, head.lines("contact"))
    return {
        "project_code": page.code,
        "name": title.name,
        "agency_code": page.code[:8],
        "agency_name": shared.without_mark(head.get("agency_name")),
        "fiscal_year_be": year,
        "fiscal_year_ce": year - values.BUDDHIST_OFFSET if year else None,
        "progress_percent": progress,
        "evaluation_score": shared.read_evaluation(head, page, scope),
        **dict.fromkeys(("unit_code", "unit_code_second", "rationale", "objectives", "targets")),
        **dict.fromkeys(("budget_received_baht", "budget_spent_baht", "start_date", "finish_date")),
        **dict.fromkeys(("policy_id", "branch_id")),
    }


def _read_contact(page: Page, lines: list[str]) -> None:
    own = [line for line in lines if not LABELLED.match(line) or "โทร" in line]
    if own != lines:
        page.leave(line for line in lines if line not in own)
    for line in own[1:]:
        page.findings.add("line_not_understood", printed=line, message="The contact has more than one line.")
    if contact := " ".join(own):
        name, phone = split_contact(contact)
        row = {"project_code": page.code, "contact": contact, "contact_name": name, "contact_phone": phone}
        page.tables["contacts"].append(row)


def _read_rationale(page: Page, scope: Scope, project: Row, lines: list[str]) -> None:
    (record,), _ = _UNIT_PAIR.read(lines, page)
    project["rationale"] = record.get("rationale") or None
    first = (record.get("unit_code") or "").translate(ARABIC_DIGITS)
    second = (record.get("unit_code_second") or "").translate(ARABIC_DIGITS)
    project["unit_code"], project["unit_code_second"] = first or None, second or None
    if first != second:
        scope.add("unit_codes_differ", "unit_code", f"{first}/{second}")


def _report_rows(page: Page, records: list[Record]) -> list[Row]:
    numbers = [values.parse_integer(record["report_no"] or "") for record in records]
    if numbers != list(range(1, len(numbers) + 1)):
        scope = Scope(page.findings, "progress_reports", page.code)
        scope.add("report_numbers_gap", "report_no", ", ".join(map(str, numbers)))
    rows: list[Row] = []
    # printed newest first, counted from the oldest
    for place, printed in zip(range(len(records), 0, -1), records, strict=True):
        scope = Scope(page.findings, "progress_reports", f"{page.code}/{place}")
        progress = values.percent(printed["progress_percent"], scope, "progress_percent")
        if (again := printed.get("again")) and progress is not None and values.parse_number(again) != progress:
            scope.add("progress_printed_twice", "progress_percent", f"{again} | {progress}")
        if printed.missing:
            _REPORTS.report_missing(printed, scope)
        reported = values.day(printed["reported_on_date"], scope, "reported_on_date")
        text = _own_note(page, printed) if "note" in printed.pieces else printed.get("note") or ""
        note_date, note = values.read_note(text, reported, scope)
        if printed.pieces:
            _end_at_none(page, printed)
        rows.append(
            {
                "project_code": page.code,
                "report_index": place,
                "report_no": values.integer(printed["report_no"], scope, "report_no"),
                "progress_percent": progress,
                "reported_on_date": reported,
                "note_date": note_date,
                "note": note,
                "problems": values.unless_none(printed.get("problems")),
                "obstacles": values.unless_none(printed.get("obstacles")),
            }
        )
    return rows[::-1]


def _end_at_none(page: Page, report: Record) -> None:
    """Report the lines below a word for "none" as unclaimed: such a text has one line."""
    for name in ("problems", "obstacles"):
        none, *below = report.pieces.get(name, ("",))
        if below and none in values.NONE_WORDS:
            report[name] = none
            page.leave(below)


def _own_note(page: Page, record: Record) -> str:
    """The note, without lines that read like labels above the line that its date leads."""
    lines = record.pieces.get("note") or ()
    dated = next((place for place, line in enumerate(lines) if values.typed_dates(line)), 0) if len(lines) > 1 else 0
    if dated and all(map(LABELLED.match, lines[:dated])):
        page.leave(lines[:dated])
        return " ".join(lines[dated:])
    return record.get("note") or ""


def _step_rows(page: Page, records: list[Record]) -> list[Row]:
    _STEPS.check_series(records, Scope(page.findings, "plan_steps", page.code))
    rows: dict[int, Row] = {}
    for place, printed in enumerate(records, 1):
        step_no = values.parse_integer(printed["step_no"] or "") or place
        scope = Scope(page.findings, "plan_steps", f"{page.code}/{step_no}")
        if step_no in rows:
            step_no = max(rows) + 1
            scope.add("step_renumbered", "step_no", printed["step_no"])
        if printed.missing:
            _STEPS.report_missing(printed, scope)
        start = values.day(printed.get("start_date"), scope, "start_date")
        end = values.day(printed.get("end_date"), scope, "end_date")
        if start and end and end < start:
            scope.add("step_ends_before_start", "end_date", f"{start} | {end}")
        rows[step_no] = {
            "project_code": page.code,
            "step_no": step_no,
            "description": printed.get("description") or None,
            "weight_percent": values.percent(printed.get("weight_percent"), scope, "weight_percent"),
            "start_date": start,
            "end_date": end,
        }
    return [rows[step_no] for step_no in sorted(rows)]


def _read_kpis(page: Page, records: list[Record], tables: list[QuarterTable]) -> None:
    seen: set[str] = set()
    for record in records:
        code = (record.get("kpi_code") or "").translate(ARABIC_DIGITS)
        scope = Scope(page.findings, "project_kpis", f"{page.code}/{code}" if code else page.code)
        if not code:
            scope.add("part_missing", "kpi_code", record.first_line, "An indicator without a code.")
            page.leave(line for name in record for line in record.lines(name))
            continue
        if not re.fullmatch(shared.KPI_CODE, code):
            scope.add("code_shape", "kpi_code", code)
        if code in seen:
            scope.add("duplicate_key", None, record.first_line)
            continue
        seen.add(code)
        _read_kpi(page, record, code, scope, tables)


def _read_kpi(page: Page, record: Record, code: str, scope: Scope, tables: list[QuarterTable]) -> None:
    identity = {"project_code": page.code, "kpi_code": code}
    if record.missing:
        _KPIS.report_missing(record, scope)
    columns = shared.measures(record, scope)
    page.tables["project_kpis"].append({**identity, "name": record.get("name") or None, **columns})
    if "quarters" in record.missing:
        return
    table = tables[int(record["quarters"] or 0)]
    if table.unit and table.unit != columns["unit"]:
        scope.add("units_differ", "unit", f"{columns['unit']} | {table.unit}")
    quarters = quarter_rows(table, Scope(page.findings, "project_kpi_quarters", scope.key), identity)
    page.tables["project_kpi_quarters"] += quarters
    shared.check_last_quarter(columns["achieved_value"], quarters, scope)


# --- the page against itself ------------------------------------------------------------------------------------------

_Contradiction = tuple[str, str, str, Scope]


def _contradictions(page: Page, project: Row) -> Iterator[_Contradiction]:
    """What a page says of itself in two places that do not agree: rule, column, printed, row."""
    scope = Scope(page.findings, "projects", page.code)
    progress, reports = project["progress_percent"], page.tables["progress_reports"]
    if reports and None not in (progress, newest := reports[-1]["progress_percent"]) and newest != progress:
        yield "progress_not_newest_report", "progress_percent", f"{progress:g} | {newest:g}", scope
    weights = [step["weight_percent"] for step in page.tables["plan_steps"]]
    if weights and None not in weights and abs(sum(weights) - 100) > 0.01 + sum(map(_rounded_off, weights)):
        yield (
            "weights_do_not_add_up",
            "weight_percent",
            f"{sum(weights):g}",
            Scope(page.findings, "plan_steps", page.code),
        )
    year = project["fiscal_year_ce"]
    first_day, last_day = (f"{year - 1}-10-01", f"{year}-09-30") if year else ("", "9999")
    for place, report in enumerate(reports):
        earlier = reports[place - 1] if place else {"progress_percent": None, "reported_on_date": None}
        about = Scope(page.findings, "progress_reports", f"{page.code}/{report['report_index']}")
        reported, before = report["reported_on_date"], earlier["reported_on_date"]
        if reported and not first_day <= reported <= last_day:
            yield "report_outside_fiscal_year", "reported_on_date", reported, about
        fell = report["progress_percent"], earlier["progress_percent"]
        if None not in fell and fell[0] < fell[1]:
            yield "progress_fell", "progress_percent", f"{fell[1]:g} | {fell[0]:g}", about
        if reported and before and reported < before:
            yield "report_dates_order", "reported_on_date", f"{before} | {reported}", about


def _rounded_off(weight: float) -> float:
    """What a weight may have lost when it was written with its decimals: a half of the last, or a whole hundredth."""
    if weight == int(weight):
        return 0
    return 0.05 if round(weight, 1) == weight else 0.01
