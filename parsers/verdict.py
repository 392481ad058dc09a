"""What kind of page this is, and whether it is a page of the portal at all: judged before anything is believed."""

import re
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
_ANY_LABELS: Final = _PROJECT_LABELS | _KPI_LABELS


def kind_of(lines: list[str]) -> Kind:
    """The kind of page, by the labels only that kind prints."""
    if PROJECT_PAGE_TITLE in lines:
        return "project"
    if KPI_PAGE_TITLE in lines or KPI_HEADINGS["quarters"] in lines:
        return "kpi"
    if any(line.startswith(RESULT_LIST_TITLE) and _names_agency(lines, place) for place, line in enumerate(lines)):
        return "result_list"
    if any(line.startswith(YII_CODE_LABEL) for line in lines):
        return "yii_project"
    printed = set(lines)
    if len(printed & _PROJECT_LABELS) > 1 or any(line.startswith(PROGRESS_LABEL) for line in lines):
        return "project"
    if len(printed & _KPI_LABELS) > 1:
        return "kpi"
    return "unknown"


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
