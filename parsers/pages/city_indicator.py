"""The page of one indicator of the city's development plan (`mykpi2563.php`)."""

import re
from typing import Final

from parsers.findings import Scope
from parsers.grammar import DIGIT, Block, Label, Outline, Page, Section, Text
from parsers.pages import shared
from parsers.quarters import QuarterTable
from parsers.thai import ARABIC_DIGITS
from parsers.values import text

TABLES: Final = ("city_indicators", "city_indicator_strategies")
PAGE_TITLE: Final = "โครงการจัดทำฐานข้อมูลตัวชี้วัดการพัฒนาเมือง"
TITLE_LINE: Final = re.compile(rf"{PAGE_TITLE}\s*(?:\(\s*([^()]*?)\s*\))?")
"""The page's title, and the years that it names; a project may have its name."""

_NUMBERED: Final = re.compile(rf"({DIGIT}+)\s*\.\s*(.*)")
_CODE: Final = re.compile(f"{DIGIT}{{1,4}}")
_HEAD: Final = Block(
    "city_indicators",
    shared.TARGET_LABEL,
    Label("data_kind", "ลักษณะข้อมูล :", shown="ลักษณะข้อมูล"),
    repeats=False,
    columns={"data_kind": text},
)
_STRATEGIES: Final = Block("city_indicator_strategies", shared.strategy("ด้านที่", "มิติที่", "เป้าหมายที่", "ยุทธศาสตร์ที่"))
_SOURCE: Final = Block(  # a fourth part exists, and was never seen whole
    "city_indicators", Text("source"), Label("fourth", rf"[4๔]\.(?!\s|{DIGIT})", "none", required=False), repeats=False
)
SECTIONS: Final = Outline(
    Section("strategies", "สนับสนุนยุทธศาสตร์กรุงเทพมหานครฯ", _STRATEGIES),
    Section("definition", "1.นิยาม หรือความหมายของตัวชี้วัด"),
    Section("method", "2.วิธีการคำนวณ หรือ เกณฑ์การประเมิน"),
    Section("source", "3.แหล่งข้อมูล/เจ้าของข้อมูล"),
)


def read(page: Page, tables: list[QuarterTable]) -> None:
    """Read a city indicator into `page.tables`; without a title there is no record, and no row."""
    titles = list(filter(TITLE_LINE.fullmatch, page.lines))
    begun = shared.begin(page, SECTIONS, _HEAD, _CODE, titles)
    if begun is None:
        return
    head, columns, scope = begun
    records, _ = _STRATEGIES.read(page.below.pop("strategies", []), page)
    page.tables["city_indicator_strategies"] = shared.strategy_rows(
        page, records, "city_indicator_strategies", "indicator_no"
    )
    years = TITLE_LINE.fullmatch(titles[0]) if titles else None
    printed_no, name = _number_and_name(columns["name"], scope)
    _, source = _SOURCE.read(page.below.pop("source", []), page)
    page.tables["city_indicators"].append(
        {
            "indicator_no": page.code,
            "printed_no": printed_no,
            "fiscal_years": years[1] if years else None,
            **columns,
            "name": name,
            "unit": shared.unit_of(head, "unit"),
            "target": head.get("target_value") or None,
            "definition": page.text(page.below.pop("definition", [])),
            "method": page.text(page.below.pop("method", [])),
            "source": source.get("source") or None,
        }
    )


def _number_and_name(title: str | None, scope: Scope) -> tuple[str | None, str | None]:
    found = _NUMBERED.fullmatch(title or "")
    if found is None:
        scope.add("part_missing", "printed_no", title, "The title has no number.")
        return None, title
    return found[1].translate(ARABIC_DIGITS), found[2] or None
