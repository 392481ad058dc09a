"""What kind of page this is, by the labels that only that kind prints: judged before anything is believed."""

import re
from typing import Final, Literal

from parsers.grammar import DIGIT
from parsers.page import EMPTY_CELL
from parsers.pages import city_indicator, kpi, project
from parsers.pages.shared import PROJECT_CODE, TARGET

Kind = Literal["project", "kpi", "result_list", "city_indicator", "yii_project", "unknown"]
Verdict = Literal["ok", "suspect", "blocked", "empty", "not_found"]

RESULT_LIST_TITLE: Final = "ผลการปฏิบัติราชการประจำปี"
_RESULT_LIST_LINE: Final = re.compile(rf"\n{RESULT_LIST_TITLE}[\s␀]*(?:ของหน่วยงาน)?[\s␀]*(?::|{DIGIT}{{8}})")
"""A list's title waits for an agency's code; menus print the title alone."""
_YII_CODE_LABEL: Final = "รหัสโครงการ"
_YII_CODE_LINE: Final = re.compile(rf"\n{_YII_CODE_LABEL}[\s:]*{PROJECT_CODE}\n")
_PROGRESS_LABEL: Final = "ความคืบหน้าโครงการ ร้อยละ"
_PROJECT_HEADINGS: Final = frozenset(section.heading for section in project.SECTIONS[5:])  # which nothing else prints
_CITY_LABEL: Final = "ลักษณะข้อมูล"
_KPI_LINE: Final = re.compile(r"\n\*\*\*?\s?สยป\.\s?ตรวจประเมินตัวชี้วัด")
_KPI_MEASURES: Final = re.compile(rf"\n{TARGET}(?:[^\n]*\n){{1,3}}ผลงานที่ทำได้")


def kind_of(lines: list[str], text: str) -> Kind:
    """The kind of page. text: the lines, each between two line breaks.

    Where menus print the titles of several kinds, or a page has lost its own, what only a record of the kind prints decides.
    """
    shows_progress = f"\n{_PROGRESS_LABEL}" in text
    is_project = project.PAGE_TITLES[0] in lines
    if is_project and shows_progress:  # by far the most
        return "project"
    titles: dict[Kind, bool] = {
        "project": is_project,
        "kpi": kpi.PAGE_TITLES[0] in lines or kpi.SECTIONS[0].heading in lines,
        "city_indicator": city_indicator.PAGE_TITLE in text and any(map(city_indicator.TITLE_LINE.fullmatch, lines)),
        "result_list": _RESULT_LIST_LINE.search(text) is not None,
        "yii_project": f"\n{_YII_CODE_LABEL}" in text,
    }
    titled = [kind for kind, is_printed in titles.items() if is_printed]
    if len(titled) == 1:
        return titled[0]
    shows: dict[Kind, bool] = {
        **titles,
        "project": shows_progress or not _PROJECT_HEADINGS.isdisjoint(lines),
        # a list's items have the heading of quarters, too, and its reports may speak of targets and results
        "kpi": bool(_KPI_LINE.search(text) or (not titles["result_list"] and _KPI_MEASURES.search(text))),
        "city_indicator": f"\n{_CITY_LABEL}" in text,
        "yii_project": _YII_CODE_LINE.search(text.replace(EMPTY_CELL, "")) is not None,
    }
    shown = [kind for kind in titled or titles if shows[kind]]
    return next(iter(shown or titled), "unknown")
