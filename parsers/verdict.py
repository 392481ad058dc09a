"""What kind of page this is, by the labels that only that kind prints: judged before anything is believed."""

import re
from collections.abc import Callable
from typing import Final, Literal

from parsers.labels import (
    ACHIEVED_LABEL,
    DIGIT,
    KPI_HEADINGS,
    KPI_PAGE_TITLE,
    PROGRESS_LABEL,
    PROJECT_HEADINGS,
    PROJECT_PAGE_TITLE,
    RESULT_LIST_TITLE,
    RESULT_LIST_WAITS,
    TARGET_LABEL,
    YII_CODE_LABEL,
    YII_CODE_LINE,
)
from parsers.plain import EMPTY_CELL
from parsers.server_messages import message_verdict, server_message_places, unseen_verdict

__all__ = ["Kind", "Verdict", "is_cut_title", "kind_of", "message_verdict", "server_message_places", "unseen_verdict"]

Kind = Literal["project", "kpi", "result_list", "city_indicator", "yii_project", "unknown"]
Verdict = Literal["ok", "suspect", "blocked", "empty", "not_found"]

CITY_INDICATOR_TITLE: Final = "โครงการจัดทำฐานข้อมูลตัวชี้วัดการพัฒนาเมือง"
_CITY_TITLE_LINE: Final = re.compile(rf"{CITY_INDICATOR_TITLE}\s?(?:\([^()]{{0,40}}\))?")  # a project may have the name
_CITY_LABELS: Final = re.compile(r"ลักษณะข้อมูล\s?:|[1๑]\s?\.\s?นิยาม|[2๒]\s?\.\s?วิธีการคำนวณ|[3๓]\s?\.\s?แหล่งข้อมูล")
_KPI_EVALUATION: Final = re.compile(r"\*{2,3}\s?สยป\.\s?ตรวจประเมินตัวชี้วัด")
_EIGHT_DIGITS: Final = re.compile(f"(?<!{DIGIT}){DIGIT}{{8}}(?!{DIGIT}|-)")
_PROJECT_LABELS: Final = frozenset(PROJECT_HEADINGS.values())
_KPI_LABELS: Final = frozenset(KPI_HEADINGS.values())
_ANYBODYS: Final = frozenset(PROJECT_HEADINGS[key] for key in ("rationale", "objectives", "targets", "reports"))
"""Headings that any paper about a project may have."""
_FIRST_LINES: Final = (PROJECT_PAGE_TITLE, KPI_PAGE_TITLE, RESULT_LIST_TITLE, CITY_INDICATOR_TITLE, YII_CODE_LABEL)


def kind_of(lines: list[str]) -> Kind:
    """The kind of page; menus may print the titles of all kinds.

    A page that has lost its title is known by two of the headings of its kind; an indicator's also by the lines that
    only it prints.
    """
    if PROJECT_PAGE_TITLE in lines and _begins(lines, PROGRESS_LABEL):  # by far the most
        return "project"
    printed = frozenset(lines)
    titles: dict[Kind, bool] = {
        "project": PROJECT_PAGE_TITLE in printed,
        "kpi": KPI_PAGE_TITLE in printed or KPI_HEADINGS["quarters"] in printed,
        "result_list": _begins(lines, RESULT_LIST_TITLE) and _names_agency(lines),
        "city_indicator": any(map(_CITY_TITLE_LINE.fullmatch, lines)),
        "yii_project": _begins(lines, YII_CODE_LABEL),
    }
    titled = [kind for kind, found in titles.items() if found]
    if len(titled) > 1:
        titled = [kind for kind in titled if _SHOWS[kind](lines)] or titled
    return titled[0] if titled else _untitled_kind(lines, printed)


def _untitled_kind(lines: list[str], printed: frozenset[str]) -> Kind:
    shown = printed & _PROJECT_LABELS
    if (len(shown) > 1 and not shown <= _ANYBODYS) or _begins(lines, PROGRESS_LABEL):
        return "project"
    if len(printed & _KPI_LABELS) > 1 or any(map(_KPI_EVALUATION.match, lines)):
        return "kpi"
    if _shows_city_indicator(lines):
        return "city_indicator"
    return "kpi" if _begins(lines, TARGET_LABEL) and _begins(lines, ACHIEVED_LABEL) else "unknown"


def _begins(lines: list[str], label: str) -> bool:
    return any(line.startswith(label) for line in lines)


def _shows_city_indicator(lines: list[str]) -> bool:
    return len({found[0][0] for line in lines if (found := _CITY_LABELS.match(line))}) > 1


def _shows_code(lines: list[str]) -> bool:
    places = (place for place, line in enumerate(lines) if line.startswith(YII_CODE_LABEL))
    return any(YII_CODE_LINE.match(" ".join(_next_lines(lines, place, 3))) for place in places)


_SHOWS: Final[dict[Kind, Callable[[list[str]], bool]]] = {
    "project": lambda lines: _begins(lines, PROGRESS_LABEL),
    "kpi": lambda lines: KPI_HEADINGS["quarters"] in lines or KPI_HEADINGS["definition"] in lines,
    "result_list": lambda lines: True,
    "city_indicator": _shows_city_indicator,
    "yii_project": _shows_code,
}
"""What only a record of the kind prints, where titles alone do not tell."""


def _names_agency(lines: list[str]) -> bool:
    """Whether a list's title is followed by an agency's code, or waits for one; menus print the title alone."""
    for place, line in enumerate(lines):
        if line.startswith(RESULT_LIST_TITLE):
            title = _next_lines(lines, place, 2)[: 1 + (":" in lines[place + 1 : place + 2])]
            if RESULT_LIST_WAITS.fullmatch("".join(title)):
                return True
            if _EIGHT_DIGITS.search(" ".join(_next_lines(lines, place, 5))):
                return True
    return False


def _next_lines(lines: list[str], place: int, count: int) -> list[str]:
    """The next `count` lines with text, from `place` on; a few empty cells may stand between them."""
    return [line for line in lines[place : place + 20 * count] if line != EMPTY_CELL][:count]


def is_cut_title(lines: list[str]) -> bool:
    """Whether all that is printed is the beginning of what a page of the portal begins with."""
    printed = "".join(lines).rstrip("\ufffd</ ")
    is_beginning = any(title.startswith(printed) for title in _FIRST_LINES)
    return bool(printed) and (is_beginning or (len(lines) == 1 and printed.startswith(RESULT_LIST_TITLE)))
