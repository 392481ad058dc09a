"""The KPI page: one indicator with its quarters and quarterly narrative."""

import re
from typing import Final

from parsers.findings import Scope
from parsers.grammar import Block, Label, Outline, Page, Row, Section, Value
from parsers.pages import shared
from parsers.quarters import QuarterTable, join_narratives, quarter_rows, table_in
from parsers.values import number

TABLES: Final = ("kpis", "kpi_quarters")
PAGE_TITLES: Final = ("รายละเอียดตัวชี้วัด",)

_CODE: Final = re.compile(shared.KPI_CODE)
_HEAD: Final = Block(
    "kpis",
    *shared.MEASURES,
    Value("dead_chart", r"0(?:\.0+)?$", required=False),
    Label("links", r"รายละเอียดตัวชี้วัดฯ :? (?:พิมพ์ข้อมูล)?(?=\s|$)", "none", shown="รายละเอียดตัวชี้วัดฯ"),
    shared.evaluation("ตรวจประเมินตัวชี้วัด"),
    repeats=False,
    columns={**shared.MEASURE_COLUMNS, "evaluation_score": number},
)
SECTIONS: Final = Outline(
    Section("quarters", "ผลงานเทียบกับเป้าหมายรายไตรมาส"),
    *(Section(f"narrative_{quarter}", f"รายงานผลฯ ไตรมาสที่ {quarter}") for quarter in range(1, 5)),
    Section("summary", "** สรุปผลการดำเนินงาน **"),
    Section("definition", "นิยาม หรือความหมายของตัวชี้วัด"),
)


def read(page: Page, tables: list[QuarterTable]) -> None:
    """Read a KPI page into `page.tables`; without a title there is no record, and no row."""
    begun = shared.begin(page, SECTIONS, _HEAD, _CODE, PAGE_TITLES)
    if begun is None:
        return
    head, row, scope = begun
    columns = shared.measures(row, head, scope)
    texts = {column: page.text(page.below.pop(column, [])) for column in ("definition", "summary")}
    page.tables["kpis"].append({"kpi_code": page.code, **columns, **texts})
    identity, about = {"kpi_code": page.code}, Scope(page.findings, "kpi_quarters", page.code)
    quarters: list[Row] = []
    if (table := table_in(page.below.pop("quarters", []), tables, page)) is None:
        about.add("part_missing", None, None, "The page has no table of quarters.")
    else:
        quarters = quarter_rows(table, about, identity)
    narratives = {quarter: page.text(page.below.pop(f"narrative_{quarter}", [])) for quarter in range(1, 5)}
    page.tables["kpi_quarters"] = join_narratives(quarters, narratives, identity)
    shared.check_last_quarter(columns["achieved_value"], quarters, scope)
