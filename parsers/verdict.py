"""What kind of page this is, and whether it is a page of the portal at all: judged before anything is believed."""

import re
from collections.abc import Callable
from typing import Final, Literal

from parsers.labels import (
    DIGIT,
    ERROR_FIRST,
    ERROR_LINE,
    FURNITURE,
    KPI_HEADINGS,
    KPI_PAGE_TITLE,
    PROGRESS_LABEL,
    PROJECT_HEADINGS,
    PROJECT_PAGE_TITLE,
    RESULT_LIST_TITLE,
    YII_CODE_LABEL,
    YII_CODE_LINE,
)
from parsers.page import next_lines

Kind = Literal["project", "kpi", "result_list", "yii_project", "unknown"]
Verdict = Literal["ok", "suspect", "blocked", "empty", "not_found"]

_NOT_FOUND: Final = re.compile(
    r"ไม่พบ\s*(?:ข้อมูล|หน้า|โครงการ|ตัวชี้วัด|รายการ|เอกสาร|ไฟล์)|ไม่มีข้อมูล(?:โครงการ|ตัวชี้วัด)?\s*(?:นี้|ในระบบ|ที่ค้นหา)"
    r"|\b404\b.*(?:not found|error|ไม่พบ)|^(?:404|not found|object not found!?|file not found\.?)$"
    r"|not found on this server|requested (?:page|url|resource)\b.*(?:not exist|not be found|not found)"
    r"|no input file specified",
    re.IGNORECASE,
)

_EIGHT_DIGITS: Final = re.compile(f"(?<!{DIGIT}){DIGIT}{{8}}(?!{DIGIT}|-)")
_PROJECT_LABELS: Final = frozenset(PROJECT_HEADINGS.values())
_KPI_LABELS: Final = frozenset(KPI_HEADINGS.values())


def kind_of(lines: list[str]) -> Kind:
    """The kind of page, by the labels only that kind prints; menus may print the titles of all kinds."""
    if PROJECT_PAGE_TITLE in lines and _shows_progress(lines):  # by far the most, told at once
        return "project"
    printed = frozenset(lines)
    is_list = any(
        line.startswith(RESULT_LIST_TITLE) and _names_agency(lines, place) for place, line in enumerate(lines)
    )
    titles: dict[Kind, bool] = {
        "project": PROJECT_PAGE_TITLE in printed,
        "kpi": KPI_PAGE_TITLE in printed or KPI_HEADINGS["quarters"] in printed,
        "result_list": is_list,
        "yii_project": any(line.startswith(YII_CODE_LABEL) for line in lines),
    }
    titled = [kind for kind, found in titles.items() if found]
    if len(titled) > 1:
        titled = [kind for kind in titled if _SHOWS[kind](lines)] or titled
    if titled:
        return titled[0]
    if len(printed & _PROJECT_LABELS) > 1 or _shows_progress(lines):
        return "project"
    if len(printed & _KPI_LABELS) > 1:
        return "kpi"
    return "unknown"


def _shows_progress(lines: list[str]) -> bool:
    return any(line.startswith(PROGRESS_LABEL) for line in lines)


def _shows_indicator(lines: list[str]) -> bool:
    return KPI_HEADINGS["quarters"] in lines or KPI_HEADINGS["definition"] in lines


def _shows_code(lines: list[str]) -> bool:
    places = (place for place, line in enumerate(lines) if line.startswith(YII_CODE_LABEL))
    return any(YII_CODE_LINE.match(" ".join(next_lines(lines, place, 3))) for place in places)


_SHOWS: Final[dict[Kind, Callable[[list[str]], bool]]] = {
    "project": _shows_progress,
    "kpi": _shows_indicator,
    "result_list": lambda lines: True,
    "yii_project": _shows_code,
}
"""What only a record of the kind prints, where titles alone do not tell."""


def _names_agency(lines: list[str], place: int) -> bool:
    """Whether a list's title is followed by an agency's code; menus print the title alone."""
    return bool(_EIGHT_DIGITS.search(" ".join(next_lines(lines, place, 5))))


def take_error_lines(lines: list[str]) -> tuple[list[str], list[str]]:
    """Part the lines a server's error messages printed from the page's own; returns own lines, error lines."""
    foreign = [line for line in lines if line[0] in ERROR_FIRST and line not in FURNITURE]
    if "SQL" in "".join(lines):  # a message may follow Thai words in one line
        foreign = lines
    errors = [line for line in foreign if ERROR_LINE.fullmatch(line)]
    if not errors:
        return lines, []
    unwanted = set(errors)
    return [line for line in lines if line not in unwanted], errors


def says_not_found(lines: list[str]) -> bool:
    """Whether a page without a record says that there is none."""
    return any(_NOT_FOUND.search(line) for line in lines[:200])
