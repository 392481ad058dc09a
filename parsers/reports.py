"""The section of progress reports: its lines parted into reports, and each report into its parts."""

import re
from typing import NamedTuple

from parsers.labels import (
    OBSTACLES_INSIDE,
    OBSTACLES_LINE,
    PROBLEMS_INSIDE,
    PROBLEMS_LINE,
    REPORT_RULE,
    REPORT_START,
)
from parsers.thai import NONE_WORDS

_REPORT_FIRST = "(ค"  # what a report's heading begins with
_PROBLEMS, _OBSTACLES = "** ปัญหาของโครงการ :", "** อุปสรรคของโครงการ :"
_BARE_LABELS = frozenset((_PROBLEMS, _OBSTACLES, _PROBLEMS[:-2], _OBSTACLES[:-2]))


class ReportLines(NamedTuple):
    """The lines of one report: above its problems, the two texts below (None: not printed), and what is no part of them."""

    above: list[str]
    problems: str | None
    obstacles: str | None
    foreign: list[str]


def split_reports(lines: list[str]) -> tuple[list[ReportLines], list[str]]:
    """Split the section into reports; returns them and the lines that belong to none.

    A report begins at its heading and ends at its rule, or at the next heading once its obstacles are told. A note
    may quote headings and labels: what stands above the *last* labels of problems and obstacles is the note.
    """
    reports: list[ReportLines] = []
    foreign: list[str] = []
    start = problems_at = obstacles_at = -1
    for place, line in enumerate(lines):
        first = line[0]
        if start < 0:
            if first in _REPORT_FIRST and is_report_start(lines, place):
                start = place
            elif not REPORT_RULE.fullmatch(line):
                foreign.append(line)
        elif first == "*":
            if _is_quoted_label(lines, place, max(problems_at, obstacles_at)):
                continue
            if line.startswith(_PROBLEMS) or PROBLEMS_LINE.match(line):
                problems_at, obstacles_at = place, -1
            elif line.startswith(_OBSTACLES) or OBSTACLES_LINE.match(line):
                obstacles_at = place
        elif first == "-":
            if obstacles_at > 0 and REPORT_RULE.fullmatch(line):
                reports.append(_report_lines(lines, start, problems_at, obstacles_at, place))
                start = problems_at = obstacles_at = -1
        elif obstacles_at > 0 and first in _REPORT_FIRST and is_report_start(lines, place):
            if _is_quoted_heading(lines, place, obstacles_at):
                continue
            reports.append(_without_rule(_report_lines(lines, start, problems_at, obstacles_at, place)))
            start, problems_at, obstacles_at = place, -1, -1
    if start >= 0:
        end = len(lines) - bool(REPORT_RULE.fullmatch(lines[-1]))
        last = _report_lines(lines, start, problems_at, obstacles_at, end)
        reports.append(last if end < len(lines) else _without_rule(last))
    return reports, foreign


def part_reports(lines: list[str]) -> list[str]:
    """The section's lines; where the labels of problems or obstacles begin none of them, parted at those inside."""
    for label, inside in ((PROBLEMS_LINE, PROBLEMS_INSIDE), (OBSTACLES_LINE, OBSTACLES_INSIDE)):
        if any(line[0] == "*" and label.match(line) for line in lines):
            continue
        parted: list[str] = []
        for line in lines:
            places = [found.start() for found in inside.finditer(line)][-1:]
            parted += [line[: places[0]], line[places[0] + 1 :]] if places else [line]
        lines = parted
    return lines


def _is_quoted_label(lines: list[str], place: int, label_at: int) -> bool:
    """Whether a label stands in the text, in a cell of its own, of the bare label at `label_at`.

    Problems without text are followed by the label of obstacles: only that cannot be told from a quotation.
    """
    if label_at < 0 or place - label_at > 2 or (place - label_at == 2 and lines[place - 1] != ":"):
        return False
    above = lines[label_at]
    return above in _BARE_LABELS and (above.startswith(_OBSTACLES[:-2]) or bool(PROBLEMS_LINE.match(lines[place])))


def _is_quoted_heading(lines: list[str], place: int, obstacles_at: int) -> bool:
    """Whether a heading is the text of the bare label of obstacles above it, on a page that ends its reports by rules."""
    between = lines[obstacles_at + 1 : place]
    if between not in ([], [":"]) or lines[obstacles_at] not in _BARE_LABELS:
        return False
    return any(REPORT_RULE.fullmatch(line) for line in lines[place:])


def _report_lines(lines: list[str], start: int, problems_at: int, obstacles_at: int, end: int) -> ReportLines:
    problems = obstacles = None
    foreign: list[str] = []
    if obstacles_at > 0:
        obstacles, foreign = _label_text(lines, obstacles_at, end, _OBSTACLES, OBSTACLES_LINE)
        end = obstacles_at
    if problems_at > 0:
        problems, more = _label_text(lines, problems_at, end, _PROBLEMS, PROBLEMS_LINE)
        end, foreign = problems_at, [*more, *foreign]
    return ReportLines(lines[start:end], problems, obstacles, foreign)


def _label_text(lines: list[str], place: int, end: int, label: str, pattern: re.Pattern[str]) -> tuple[str, list[str]]:
    """The text at a label, and the lines below that are not its own: nothing goes on behind "none"."""
    line = lines[place]
    if line.startswith(label) and end == place + 1:
        return line[len(label) :].lstrip(" "), []
    found = pattern.fullmatch(line)
    text = [found[1] if found else "", *lines[place + 1 : end]]
    while len(text) > 1 and text[0] in ("", ":"):  # in a cell of its own
        text.pop(0)
    text[0] = text[0].removeprefix(":").strip()
    own = text[:1] if text[0] in NONE_WORDS else text
    return " ".join(own), text[len(own) :]


def _without_rule(report: ReportLines) -> ReportLines:
    """The report, where its rule stands in no line of its own but behind its obstacles."""
    text = report.obstacles or ""
    above = text.rpartition("&")[0].rstrip("& ").rstrip("-")
    return report._replace(obstacles=above.rstrip()) if REPORT_RULE.fullmatch(text[len(above) :]) else report


def is_report_start(lines: list[str], place: int) -> bool:
    """Whether a report's heading stands here, in one line or in cells of its own."""
    if REPORT_START.match(lines[place]):
        return True
    return bool(REPORT_START.match(" ".join(lines[place : place + 3])))
