"""What kind of page this is, and whether it is a page of the portal at all: judged before anything is believed."""

import re
from collections.abc import Callable
from typing import Final, Literal

from parsers.labels import (
    DIGIT,
    ERROR_BLOCKS,
    ERROR_FIRST,
    ERROR_LINE,
    ERROR_MARKS,
    FURNITURE,
    KPI_HEADINGS,
    KPI_PAGE_TITLE,
    LEADS_AWAY,
    NO_SUCH_RECORD,
    PROGRESS_LABEL,
    PROJECT_HEADINGS,
    PROJECT_PAGE_TITLE,
    REFUSAL,
    RESULT_LIST_TITLE,
    RESULT_LIST_WAITS,
    UNSEEN_MESSAGE,
    YII_CODE_LABEL,
    YII_CODE_LINE,
)
from parsers.page import next_lines

Kind = Literal["project", "kpi", "result_list", "yii_project", "unknown"]
Verdict = Literal["ok", "suspect", "blocked", "empty", "not_found"]

_FIRST_LINES: Final = (PROJECT_PAGE_TITLE, KPI_PAGE_TITLE, RESULT_LIST_TITLE, YII_CODE_LABEL)
_OF_NO_RECORD: Final = re.compile("รหัสผ่าน|password|ผู้ใช้|mod_?security", re.IGNORECASE)  # what else was not found
_WITHIN: Final = 200  # lines
_MESSAGE: Final = 300  # characters; a message is no essay
_EIGHT_DIGITS: Final = re.compile(f"(?<!{DIGIT}){DIGIT}{{8}}(?!{DIGIT}|-)")
_PROJECT_LABELS: Final = frozenset(PROJECT_HEADINGS.values())
_KPI_LABELS: Final = frozenset(KPI_HEADINGS.values())
_ANYBODYS: Final = frozenset(PROJECT_HEADINGS[key] for key in ("rationale", "objectives", "targets", "reports"))
"""Headings that any paper about a project may have."""


def kind_of(lines: list[str]) -> Kind:
    """The kind of page, by the labels only that kind prints; menus may print the titles of all kinds."""
    if PROJECT_PAGE_TITLE in lines and _shows_progress(lines):  # by far the most, told at once
        return "project"
    printed = frozenset(lines)
    text = "\n".join(["", *lines])
    is_list = f"\n{RESULT_LIST_TITLE}" in text and any(
        line.startswith(RESULT_LIST_TITLE) and _names_agency(lines, place) for place, line in enumerate(lines)
    )
    titles: dict[Kind, bool] = {
        "project": PROJECT_PAGE_TITLE in printed,
        "kpi": KPI_PAGE_TITLE in printed or KPI_HEADINGS["quarters"] in printed,
        "result_list": is_list,
        "yii_project": f"\n{YII_CODE_LABEL}" in text,
    }
    titled = [kind for kind, found in titles.items() if found]
    if len(titled) > 1:
        titled = [kind for kind in titled if _SHOWS[kind](lines)] or titled
    if titled:
        return titled[0]
    shown = printed & _PROJECT_LABELS
    if (len(shown) > 1 and not shown <= _ANYBODYS) or _shows_progress(lines):
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
    """Whether a list's title is followed by an agency's code, or waits for one; menus print the title alone."""
    if RESULT_LIST_WAITS.fullmatch("".join(next_lines(lines, place, 2)[: 1 + (":" in lines[place + 1 : place + 2])])):
        return True
    return bool(_EIGHT_DIGITS.search(" ".join(next_lines(lines, place, 5))))


def error_places(lines: list[str]) -> list[int]:
    """Which lines of a page a server's error messages printed."""
    text = "\n".join([*lines, ""])
    is_marked = any(mark in text for mark in ERROR_MARKS)  # then a message may follow Thai words in one line
    foreign = lines if is_marked else [line for line in lines if line[0] in ERROR_FIRST and line not in FURNITURE]
    errors = {line for line in foreign if ERROR_LINE.fullmatch(line)}
    if not errors:
        return []
    places = [place for place, line in enumerate(lines) if line in errors]
    blocks = [found.span() for block in ERROR_BLOCKS for found in block.finditer(text)]
    in_blocks = [range(text.count("\n", 0, start), text.count("\n", 0, end)) for start, end in blocks]
    return sorted({*places, *(place for block in in_blocks for place in block)})


def message_verdict(lines: list[str]) -> Verdict | None:
    """What a page without a record says instead of one; None where it says nothing of that.

    A refusal goes first: "no such user, please log in" does not say that a record is gone.
    """
    told = [line for line in lines[:_WITHIN] if len(line) < _MESSAGE and line not in FURNITURE]
    if any(map(ERROR_LINE.fullmatch, told)):
        return "blocked"
    for line in told:
        if NO_SUCH_RECORD.search(line):
            return "blocked" if any(map(_OF_NO_RECORD.search, told)) else "not_found"
    return "blocked" if any(map(REFUSAL.search, told)) else None


def is_cut_title(lines: list[str]) -> bool:
    """Whether all that is printed is the beginning of what a page of the portal begins with."""
    printed = "".join(lines).rstrip("\ufffd</ ")
    is_beginning = any(title.startswith(printed) for title in _FIRST_LINES)
    return bool(printed) and (is_beginning or (len(lines) == 1 and printed.startswith(RESULT_LIST_TITLE)))


def unseen_verdict(source: str) -> Verdict:
    """The verdict on a page that prints nothing: scripts may say or do something all the same."""
    told = [re.sub("<[^>]*>", " ", found[2] or found[3] or "").strip() for found in UNSEEN_MESSAGE.finditer(source)]
    told = [text for text in told if text]
    if (verdict := message_verdict(told)) is not None:
        return verdict
    return "blocked" if told or LEADS_AWAY.search(source) else "empty"
