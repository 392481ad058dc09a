"""What kind of page this is, by the labels that only that kind prints: judged before anything is believed."""

import re
from collections.abc import Callable
from itertools import islice
from typing import Final, Literal

from parsers.grammar import DIGIT
from parsers.page import EMPTY_CELL
from parsers.pages import kpi, project
from parsers.pages.city_indicator import PAGE_TITLE as CITY_INDICATOR_TITLE
from parsers.pages.shared import PROJECT_CODE, TARGET

Kind = Literal["project", "kpi", "result_list", "city_indicator", "yii_project", "unknown"]
Verdict = Literal["ok", "suspect", "blocked", "empty", "not_found"]

PROJECT_HEADINGS: Final = {section.key: section.heading for section in project.SECTIONS}
KPI_HEADINGS: Final = {section.key: section.heading for section in kpi.SECTIONS}
RESULT_LIST_TITLE: Final = "ผลการปฏิบัติราชการประจำปี"
_PROJECT_PAGE_TITLE: Final = project.PAGE_TITLES[0]
_KPI_PAGE_TITLE: Final = kpi.PAGE_TITLES[0]
_PROGRESS_LABEL: Final = "ความคืบหน้าโครงการ ร้อยละ"
_RESULT_LIST_WAITS: Final = re.compile(rf"{RESULT_LIST_TITLE}\s*:?\s*(?:ของหน่วยงาน)?\s*:")  # for an agency's code
_YII_CODE_LABEL: Final = "รหัสโครงการ"
_YII_CODE_LINE: Final = re.compile(rf"{_YII_CODE_LABEL}[\s:]*{PROJECT_CODE}")
_CITY_TITLE_LINE: Final = re.compile(rf"{CITY_INDICATOR_TITLE}\s?(?:\([^()]{{0,40}}\))?")  # a project may have the name
_CITY_LABELS: Final = {
    "ลักษณะข้อมูล": re.compile(r"\nลักษณะข้อมูล\s?:"),
    "วิธีการคำนวณ": re.compile(r"\n[2๒]\s?\.\s?วิธีการคำนวณ"),
    "แหล่งข้อมูล": re.compile(r"\n[3๓]\s?\.\s?แหล่งข้อมูล"),
}
_KPI_EVALUATION: Final = re.compile(r"\n\*{2,3}\s?สยป\.\s?ตรวจประเมินตัวชี้วัด")
_KPI_QUARTERS: Final = KPI_HEADINGS["quarters"]
_PROJECT_LABELS: Final = frozenset(PROJECT_HEADINGS.values())
_KPI_LABELS: Final = frozenset(KPI_HEADINGS.values())
_EIGHT_DIGITS: Final = re.compile(f"(?<!{DIGIT}){DIGIT}{{8}}(?!{DIGIT}|-)")
_ANYBODYS: Final = frozenset(PROJECT_HEADINGS[key] for key in ("rationale", "objectives", "targets", "reports"))
"""Headings that any paper about a project may have."""
_FIRST_LINES: Final = (_PROJECT_PAGE_TITLE, _KPI_PAGE_TITLE, RESULT_LIST_TITLE, CITY_INDICATOR_TITLE, _YII_CODE_LABEL)


def kind_of(lines: list[str], text: str) -> Kind:
    """The kind of page; menus may print the titles of all kinds. text: the lines, each between two line breaks.

    A page that has lost its title is known by two of the headings of its kind; an indicator's also by the lines that
    only it prints.
    """
    if _PROJECT_PAGE_TITLE in lines and _shows_progress(text):  # by far the most
        return "project"
    titles: dict[Kind, bool] = {
        "project": _PROJECT_PAGE_TITLE in lines,
        "kpi": _KPI_PAGE_TITLE in lines or _KPI_QUARTERS in lines,
        "result_list": f"\n{RESULT_LIST_TITLE}" in text and _names_agency(lines),
        "city_indicator": CITY_INDICATOR_TITLE in text and any(map(_CITY_TITLE_LINE.fullmatch, lines)),
        "yii_project": f"\n{_YII_CODE_LABEL}" in text,
    }
    titled = [kind for kind, found in titles.items() if found]
    if len(titled) > 1:
        titled = [kind for kind in titled if _SHOWS[kind](text)] or titled
    return titled[0] if titled else _untitled_kind(frozenset(lines), text)


def _untitled_kind(printed: frozenset[str], text: str) -> Kind:
    shown = printed & _PROJECT_LABELS
    if (len(shown) > 1 and not shown <= _ANYBODYS) or _shows_progress(text):
        return "project"
    if len(printed & _KPI_LABELS) > 1 or ("สยป." in text and _KPI_EVALUATION.search(text)):
        return "kpi"
    if _shows_city_indicator(text):
        return "city_indicator"
    return "kpi" if f"\n{TARGET}" in text and "\nผลงานที่ทำได้" in text else "unknown"


def _shows_progress(text: str) -> bool:
    return f"\n{_PROGRESS_LABEL}" in text


def _shows_indicator(text: str) -> bool:
    return f"\n{_KPI_QUARTERS}\n" in text or f"\n{KPI_HEADINGS['definition']}\n" in text


def _shows_city_indicator(text: str) -> bool:
    return sum(mark in text and bool(label.search(text)) for mark, label in _CITY_LABELS.items()) > 1


def _shows_code(text: str) -> bool:
    return bool(_YII_CODE_LINE.search(text.replace(EMPTY_CELL, "")))


_SHOWS: Final[dict[Kind, Callable[[str], bool]]] = {
    "project": _shows_progress,
    "kpi": _shows_indicator,
    "result_list": lambda text: True,
    "city_indicator": _shows_city_indicator,
    "yii_project": _shows_code,
}
"""What only a record of the kind prints, where titles alone do not tell."""


def _names_agency(lines: list[str]) -> bool:
    """Whether a list's title is followed by an agency's code, or waits for one; menus print the title alone."""
    for place, line in enumerate(lines):
        if line.startswith(RESULT_LIST_TITLE):
            title = _next_lines(lines, place, 2)[: 1 + (":" in lines[place + 1 : place + 2])]
            if _RESULT_LIST_WAITS.fullmatch("".join(title)):
                return True
            if _EIGHT_DIGITS.search(" ".join(_next_lines(lines, place, 5))):
                return True
    return False


def _next_lines(lines: list[str], place: int, count: int) -> list[str]:
    """The next `count` lines with text, from `place` on; a few empty cells may stand between them."""
    return list(islice(filter(EMPTY_CELL.__ne__, lines[place : place + 20 * count]), count))


def is_cut_title(lines: list[str]) -> bool:
    """Whether all that is printed is the beginning of what a page of the portal begins with."""
    printed = "".join(lines).rstrip("\ufffd</ ")
    is_beginning = any(title.startswith(printed) for title in _FIRST_LINES)
    return bool(printed) and (is_beginning or (len(lines) == 1 and printed.startswith(RESULT_LIST_TITLE)))
