"""What kind of page this is, by the labels that only that kind prints: judged before anything is believed."""

import re
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
_RESULT_LIST_LINE: Final = re.compile(rf"\n{RESULT_LIST_TITLE}[\s␀]*(?:ของหน่วยงาน)?[\s␀]*(?::|{DIGIT}{{8}})")
"""A list's title waits for an agency's code; menus print the title alone."""
_YII_CODE_LABEL: Final = "รหัสโครงการ"
_YII_CODE_LINE: Final = re.compile(rf"{_YII_CODE_LABEL}[\s:]*{PROJECT_CODE}")
_CITY_TITLE_LINE: Final = re.compile(rf"{CITY_INDICATOR_TITLE}\s?(?:\([^()]{{0,40}}\))?")  # a project may have the name
_PROGRESS_LABEL: Final = "ความคืบหน้าโครงการ ร้อยละ"
_LABELS: Final = {
    "progress": _PROGRESS_LABEL,
    "quarters": KPI_HEADINGS["quarters"] + r"(?=\n)",
    "definition": KPI_HEADINGS["definition"] + r"(?=\n)",
    "kpi_evaluation": r"\*\*\*?\s?สยป\.\s?ตรวจประเมินตัวชี้วัด",
    "data": r"ลักษณะข้อมูล\s?:",
    "method": r"[2๒]\s?\.\s?วิธีการคำนวณ",
    "source": r"[3๓]\s?\.\s?แหล่งข้อมูล",
    "target": TARGET,
    "result": "ผลงานที่ทำได้",
}
"""What lines begin with by which kinds are known where titles do not tell."""
_LABELLED: Final = re.compile("\n(?:" + "|".join(f"{label}(?P<{name}>)" for name, label in _LABELS.items()) + ")")
_CITY_LABELS: Final = frozenset(("data", "method", "source"))
_PROJECT_LABELS: Final = frozenset(PROJECT_HEADINGS.values())
_KPI_LABELS: Final = frozenset(KPI_HEADINGS.values())
_ANYBODYS: Final = frozenset(PROJECT_HEADINGS[key] for key in ("rationale", "objectives", "targets", "reports"))
"""Headings that any paper about a project may have."""


def kind_of(lines: list[str], text: str) -> Kind:
    """The kind of page; menus may print the titles of all kinds. text: the lines, each between two line breaks.

    A page that has lost its title is known by two of the headings of its kind; an indicator's also by the lines that
    only it prints.
    """
    is_project = project.PAGE_TITLES[0] in lines
    if is_project and f"\n{_PROGRESS_LABEL}" in text:  # by far the most
        return "project"
    titles: dict[Kind, bool] = {
        "project": is_project,
        "kpi": kpi.PAGE_TITLES[0] in lines or KPI_HEADINGS["quarters"] in lines,
        "result_list": _RESULT_LIST_LINE.search(text) is not None,
        "city_indicator": CITY_INDICATOR_TITLE in text and any(map(_CITY_TITLE_LINE.fullmatch, lines)),
        "yii_project": f"\n{_YII_CODE_LABEL}" in text,
    }
    titled = [kind for kind, is_printed in titles.items() if is_printed]
    if len(titled) == 1:
        return titled[0]
    shown = {found.lastgroup for found in _LABELLED.finditer(text)}
    if not titled:
        return _untitled_kind(frozenset(lines), shown)
    shows: dict[Kind, bool] = {  # what only a record of the kind prints
        "project": "progress" in shown,
        "kpi": "kpi_evaluation" in shown,  # a list prints the heading of quarters, too
        "result_list": True,
        "city_indicator": len(shown & _CITY_LABELS) > 1,
        "yii_project": bool(_YII_CODE_LINE.search(text.replace(EMPTY_CELL, ""))),
    }
    return next((kind for kind in titled if shows[kind]), titled[0])


def _untitled_kind(lines: frozenset[str], shown: set[str | None]) -> Kind:
    headings = lines & _PROJECT_LABELS
    if (len(headings) > 1 and not headings <= _ANYBODYS) or "progress" in shown:
        return "project"
    if len(lines & _KPI_LABELS) > 1 or "kpi_evaluation" in shown:
        return "kpi"
    if len(shown & _CITY_LABELS) > 1:
        return "city_indicator"
    return "kpi" if {"target", "result"} <= shown else "unknown"
