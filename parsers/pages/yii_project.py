"""The newer front end's project page: labels and values glued, or in two columns; the only page that prints budgets."""

import re
from typing import Any, Final

from parsers.boilerplate import is_boilerplate
from parsers.findings import Scope
from parsers.grammar import DIGIT, Block, Label, Page
from parsers.pages.shared import KPI_CODE, PROJECT_CODE, without_mark
from parsers.quarters import QuarterTable
from parsers.thai import arabic_digits
from parsers.values import BUDDHIST_OFFSET, day, fiscal_year, number, parse_number, percent

TABLES: Final = ("projects", "project_kpis")

_NOT_SET: Final = r"\(? (?:ไม่ได้ตั้ง|not set) \)?"
_RECORD: Final = Block(
    "projects",
    Label("project_code", f"รหัสโครงการ :? (?={PROJECT_CODE}$)"),
    Label("name", "ชื่อโครงการ(?: :)?", "name", required=False),
    Label("fiscal_year_be", rf"ปี(?:งบประมาณ)?(?= :? (?:{DIGIT}{{4}}$|{_NOT_SET}$)|$)(?: :)?"),
    Label("budget_received_baht", r"งบฯ ที่ได้รับ \(บาท\)(?: :)?"),
    Label("budget_spent_baht", r"งบฯ ที่ใช้ไป \(บาท\)(?: :)?"),
    Label("progress_percent", "คืบหน้าล่าสุด(?: :)?"),
    Label("agency_name", "หน่วยงาน(?!ที่)(?: :)?"),
    Label("start_date", "Start Date(?: :)?"),
    Label("finish_date", "Finish Date(?: :)?"),
    Label("kpi_code", "Kpi ID(?: :)?"),
    Label("policy_id", "Policy ID(?: :)?", required=False),
    Label("branch_id", "Branch ID(?: :)?", required=False),
    Label("rationale", "หลักการและเหตุผล(?: :)?", "many"),
    Label("objectives", "วัตถุประสงค์ของโครงการ(?: :)?", "many", required=False),
    Label("targets", "เป้าหมายของโครงการ(?: :)?", "many", required=False),
    repeats=False,
    ordered=False,
)
ON_EVERY_PAGE: Final[dict[str, str]] = {
    "fiscal_year_be": "ปี",
    "budget_received_baht": "งบฯ ที่ได้รับ (บาท)",
    "budget_spent_baht": "งบฯ ที่ใช้ไป (บาท)",
    "progress_percent": "คืบหน้าล่าสุด",
    "agency_name": "หน่วยงาน",
    "start_date": "Start Date",
    "finish_date": "Finish Date",
    "kpi_code": "Kpi ID",
    "rationale": "หลักการและเหตุผล",
}
"""What has no value is printed too, as not set."""
_ABOVE: Final = re.compile(  # above the record: the code, and progress once more
    rf"รายละเอียดโครงการ/กิจกรรม\s*:?\s*({PROJECT_CODE})?|คืบหน้าล่าสุด\s*:\s*ร้อยละ\s*(\S*)|ข้อมูลโครงการ/กิจกรรม(?:\s*พิมพ์ PDF)?"
)
_IS_NOT_SET: Final = re.compile(_NOT_SET.replace(" ", r"\s*"))


def read(page: Page, tables: list[QuarterTable]) -> None:
    """Read a newer project page into `page.tables`; without a code there is no record, and no row."""
    above = [found for line in page.lines if (found := _ABOVE.fullmatch(line))]
    lines = [
        line for line in page.lines if not _ABOVE.fullmatch(line) and (line[0].isdigit() or not is_boilerplate(line))
    ]
    (record,), _ = _RECORD.read(lines, page)
    code = record.get("project_code")
    if code is None:
        page.leave(line for name in record.values for line in record.lines(name))
        return
    page.code = arabic_digits(code)
    scope = page.findings.of("projects", page.code)
    for name, label in ON_EVERY_PAGE.items():
        if name in record.missing:
            scope.add("part_missing", name, label, f"The page has no label {label}.")
    values = {item.name: _value(record.get(item.name)) for item in _RECORD.items}
    project = _project(page, values, scope)
    page.tables["projects"].append(project)
    for found in above:
        if found[1] and arabic_digits(found[1]) != page.code:
            scope.add("code_contradicts", "project_code", found[1])
        if found[2] and parse_number(found[2]) != project["progress_percent"]:
            scope.add("progress_printed_twice", "progress_percent", f"{found[2]} | {values['progress_percent'] or ''}")
    if kpi_code := arabic_digits(values["kpi_code"] or ""):
        if not re.fullmatch(KPI_CODE, kpi_code):
            page.findings.of("project_kpis", page.code).add("code_shape", "kpi_code", values["kpi_code"])
        no_measures = dict.fromkeys(("name", "unit", "target_value", "achieved_value", "kpi_type", "kpi_level"))
        page.tables["project_kpis"].append({"project_code": page.code, "kpi_code": kpi_code, **no_measures})


def _value(printed: str | None) -> str | None:
    return None if printed is None or _IS_NOT_SET.fullmatch(printed) else printed


def _project(page: Page, values: dict[str, str | None], scope: Scope) -> dict[str, Any]:
    year = fiscal_year(values["fiscal_year_be"], scope, "fiscal_year_be")
    return {
        "project_code": page.code,
        "name": values["name"],
        "agency_code": page.code[:8],
        "agency_name": without_mark(values["agency_name"]),
        "fiscal_year_be": year,
        "fiscal_year_ce": year - BUDDHIST_OFFSET if year else None,
        "progress_percent": percent(values["progress_percent"], scope, "progress_percent"),
        "evaluation_score": None,
        "unit_code": None,
        "unit_code_second": None,
        "rationale": values["rationale"],
        "objectives": values["objectives"],
        "targets": values["targets"],
        "budget_received_baht": number(values["budget_received_baht"], scope, "budget_received_baht"),
        "budget_spent_baht": number(values["budget_spent_baht"], scope, "budget_spent_baht"),
        "start_date": day(values["start_date"], scope, "start_date"),
        "finish_date": day(values["finish_date"], scope, "finish_date"),
        "policy_id": values["policy_id"],
        "branch_id": values["branch_id"],
    }
