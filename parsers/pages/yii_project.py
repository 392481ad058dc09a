"""The newer front end's project page: labels and values glued, or in two columns; the only page that prints budgets."""

import re
from typing import Final

from parsers.boilerplate import is_boilerplate
from parsers.findings import Scope
from parsers.grammar import DIGIT, Block, Label, Page
from parsers.pages.shared import KPI_CODE, PROJECT_CODE
from parsers.quarters import QuarterTable
from parsers.thai import ARABIC_DIGITS
from parsers.values import BUDDHIST_OFFSET, day, fiscal_year, number, parse_number, percent, text, without_mark

TABLES: Final = ("projects", "project_kpis")


def _digits(printed: str, scope: Scope, column: str) -> str:
    if not printed.isdecimal():
        scope.add("code_shape", column, printed)
    return printed


_NOT_SET: Final = r"\(? (?:ไม่ได้ตั้ง|not set) \)?"
_LAST: Final = r"(?:\n(?!Policy|Branch|หลักการและเหตุผล$)(?=.+\n\Z))?"
"""The one line below the last label is its text, also where it begins like a label."""
_RECORD: Final = Block(
    "projects",
    Label("project_code", f"รหัสโครงการ :? (?={PROJECT_CODE}$)"),
    Label("name", "ชื่อโครงการ(?: :)?", "name", required=False),
    Label("fiscal_year_be", rf"ปี(?:งบประมาณ)?(?= :? (?:{DIGIT}{{4}}$|{_NOT_SET}$)|$)(?: :)?", shown="ปี"),
    Label("budget_received_baht", r"งบฯ ที่ได้รับ \(บาท\)(?: :)?", shown="งบฯ ที่ได้รับ (บาท)"),
    Label("budget_spent_baht", r"งบฯ ที่ใช้ไป \(บาท\)(?: :)?", shown="งบฯ ที่ใช้ไป (บาท)"),
    Label("progress_percent", "คืบหน้าล่าสุด(?: :)?", shown="คืบหน้าล่าสุด"),
    Label("agency_name", "หน่วยงาน(?!ที่)(?: :)?", shown="หน่วยงาน"),
    Label("start_date", "Start Date(?: :)?", shown="Start Date"),
    Label("finish_date", "Finish Date(?: :)?", shown="Finish Date"),
    Label("kpi_code", "Kpi ID(?: :)?", shown="Kpi ID"),
    Label("policy_id", "Policy ID(?: :)?", required=False),
    Label("branch_id", "Branch ID(?: :)?", required=False),
    Label("rationale", rf"หลักการและเหตุผล(?: :)?{_LAST}", "many", shown="หลักการและเหตุผล"),
    repeats=False,
    ordered=False,
    columns={
        **dict.fromkeys(("name", "rationale", "kpi_code"), text),
        **dict.fromkeys(("policy_id", "branch_id"), _digits),
        **dict.fromkeys(("budget_received_baht", "budget_spent_baht"), number),
        **dict.fromkeys(("start_date", "finish_date"), day),
        "fiscal_year_be": fiscal_year,
        "progress_percent": percent,
        "agency_name": without_mark,
    },
)
_ABOVE: Final = re.compile(  # above the record: the code, and progress once more
    rf"รายละเอียดโครงการ/กิจกรรม\s*:?\s*({PROJECT_CODE})?|คืบหน้าล่าสุด\s*:\s*ร้อยละ\s*(\S*)|ข้อมูลโครงการ/กิจกรรม(?:\s*พิมพ์ PDF)?"
)
_IS_NOT_SET: Final = re.compile(_NOT_SET.replace(" ", r"\s*"))


def read(page: Page, tables: list[QuarterTable]) -> None:
    """Read a newer project page into `page.tables`; without a code there is no record, and no row."""
    above = {line: found for line in page.lines if (found := _ABOVE.fullmatch(line))}
    lines = [line for line in page.lines if line not in above and (line[0].isdigit() or not is_boilerplate(line))]
    _, record = _RECORD.read(lines, page)
    for name, printed in record.items():
        if printed and _IS_NOT_SET.fullmatch(printed):
            record[name] = None
    code = (record.get("project_code") or "").translate(ARABIC_DIGITS)
    if not code:
        page.leave(line for name in record for line in record.lines(name))
        if any(record.values()):
            page.findings.add("part_missing", message="The record has no code.")
        return
    page.code = code
    scope = Scope(page.findings, "projects", code)
    columns = _RECORD.row(record, scope)
    kpi_code, year = columns.pop("kpi_code"), columns["fiscal_year_be"]
    page.tables["projects"].append(
        {
            "project_code": code,
            "agency_code": code[:8],
            **columns,
            "fiscal_year_ce": year - BUDDHIST_OFFSET if year else None,
            **dict.fromkeys(("objectives", "targets", "evaluation_score", "unit_code", "unit_code_second")),
        }
    )
    for found in above.values():
        if found[1] and found[1].translate(ARABIC_DIGITS) != code:
            scope.add("code_contradicts", "project_code", found[1])
        if found[2] and parse_number(found[2]) != columns["progress_percent"]:
            scope.add(
                "progress_printed_twice", "progress_percent", f"{found[2]} | {record.get('progress_percent') or ''}"
            )
    if kpi_code:
        if not re.fullmatch(KPI_CODE, kpi_code):
            Scope(page.findings, "project_kpis", code).add("code_shape", "kpi_code", kpi_code)
        no_measures = dict.fromkeys(("name", "unit", "target_value", "achieved_value", "kpi_type", "kpi_level"))
        row = {"project_code": code, "kpi_code": kpi_code.translate(ARABIC_DIGITS), **no_measures}
        page.tables["project_kpis"].append(row)
