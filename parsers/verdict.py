"""What kind of page this is, and whether it is a page of the portal at all: judged before anything is believed."""

import re
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
    if len(printed & _PROJECT_LABELS) > 1 and not printed & _PROJECT_LABELS <= _ANYBODYS:
        return "project"
    if any(line.startswith(PROGRESS_LABEL) for line in lines):
        return "project"
    if len(printed & _KPI_LABELS) > 1:
        return "kpi"
    return "unknown"


def _names_agency(lines: list[str], place: int) -> bool:
    """Whether a list's title is followed by an agency's code, or waits for one; menus print the title alone."""
    if RESULT_LIST_WAITS.fullmatch("".join(next_lines(lines, place, 2)[: 1 + (":" in lines[place + 1 : place + 2])])):
        return True
    return bool(_EIGHT_DIGITS.search(" ".join(next_lines(lines, place, 4))))


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
