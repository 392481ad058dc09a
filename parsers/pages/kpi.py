"""The KPI page: one indicator with its quarters and quarterly narrative."""

from typing import Any, Final

from parsers.findings import Scope
from parsers.grammar import Block, Label, Page, Section, Value
from parsers.pages import shared
from parsers.quarters import QuarterTable, join_narratives, quarter_rows, table_in

TABLES: Final = ("kpis", "kpi_quarters")
PAGE_TITLES: Final = ("รายละเอียดตัวชี้วัด",)

_TITLE_END: Final = shared.title_end(shared.KPI_CODE)
_HEAD: Final = Block(
    "kpis",
    *shared.MEASURES,
    Value("dead_chart", r"0(?:\.0+)?$", required=False),
    Label("links", r"รายละเอียดตัวชี้วัดฯ :? (?:พิมพ์ข้อมูล)?(?=\s|$)", "none", shown="รายละเอียดตัวชี้วัดฯ"),
    shared.evaluation("ตรวจประเมินตัวชี้วัด"),
    repeats=False,
)
SECTIONS: Final = (
    Section("quarters", "ผลงานเทียบกับเป้าหมายรายไตรมาส"),
    *(Section(f"narrative_{quarter}", f"รายงานผลฯ ไตรมาสที่ {quarter}") for quarter in range(1, 5)),
    Section("summary", "** สรุปผลการดำเนินงาน **"),
    Section("definition", "นิยาม หรือความหมายของตัวชี้วัด"),
)


def read(page: Page, tables: list[QuarterTable]) -> None:
    """Read a KPI page into `page.tables`; without a title there is no record, and no row."""
    begun = shared.begin(page, SECTIONS, "kpis", _TITLE_END, PAGE_TITLES, shared.TARGET_LINE)
    if begun is None:
        return
    title, below, scope = begun
    (head,), _ = _HEAD.read(title.below, page)
    _HEAD.report_missing(head, scope)
    columns = shared.measures(head, scope)
    quarters: list[dict[str, Any]] = []
    about = Scope(page.findings, "kpi_quarters", page.code)
    if (table := table_in(below.get("quarters", []), tables, page)) is None:
        about.add("part_missing", None, None, "The page has no table of quarters.")
    else:
        quarters = quarter_rows(table, about, {"kpi_code": page.code})
    narratives = {quarter: page.text(below.get(f"narrative_{quarter}", [])) for quarter in range(1, 5)}
    page.tables["kpis"].append(
        {
            "kpi_code": page.code,
            "name": title.name,
            **columns,
            "evaluation_score": shared.read_evaluation(head, page, scope),
            "definition": page.text(below.get("definition", [])),
            "summary": page.text(below.get("summary", [])),
        }
    )
    page.tables["kpi_quarters"] = join_narratives(quarters, narratives, {"kpi_code": page.code})
    shared.check_last_quarter(columns["achieved_value"], quarters, scope)
