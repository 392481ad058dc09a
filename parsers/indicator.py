"""The parts of an indicator that project pages, KPI pages and result lists print alike."""

import re
from collections.abc import Mapping
from itertools import takewhile
from typing import Any, NamedTuple

from parsers.findings import Findings
from parsers.labels import (
    ACHIEVED_LABEL,
    ANOTHER_MEASURE,
    EVALUATION_LINE,
    EVALUATION_MARK,
    LABELLED,
    LEVEL_AT_END,
    LEVEL_LINE,
    LEVEL_WORDS,
    QUARTER_HEADER,
    QUARTER_HEADER_LABEL,
    QUARTER_HEADER_LINES,
    QUARTER_ROW,
    TARGET_LABEL,
    TYPE_LABEL,
    USUAL_MEASURES,
    USUAL_QUARTER,
)
from parsers.plain import EMPTY_CELL
from parsers.sections import MOST_PIECES
from parsers.thai import parse_integer, parse_number

Row = dict[str, Any]

_LABELS = {TARGET_LABEL: "target_value", ACHIEVED_LABEL: "achieved_value", TYPE_LABEL: "kpi_type"}
_ANY_LABEL = tuple(_LABELS)
_NO_VALUES: Row = dict.fromkeys(("result_value", "score", "evaluation_2_1", "evaluation_2_2"))
_QUARTERS = 4
_ROW_PART = re.compile(r"[0-9๐-๙.,/ -]+")
_GLUED_ROW = re.compile(r"([1-4๑-๔])[0-9๐-๙.,]+ ?/ ?[0-9๐-๙.,]*")  # the quarter, and all else of its row behind it
_NUMBER_START = re.compile(r"[0-9๐-๙.+-]")


def number(printed: str | None, findings: Findings, table: str, key: str, column: str) -> float | None:
    """Read a number where blank and `-` mean none; anything else that is no number is null and a finding."""
    if printed is None or printed in ("", "-", EMPTY_CELL):
        return None
    value = parse_number(printed)
    if value is None:
        findings.add("number_unreadable", table=table, key=key, column=column, printed=printed)
    return value


def percentage(printed: str | None, findings: Findings, table: str, key: str, column: str) -> float | None:
    """Read a number as `number` does; one below 0 or above 100 is a finding, too."""
    value = parse_number(printed) if printed else None
    if value is None:
        value = number(printed, findings, table, key, column)
    elif not 0 <= value <= 100:
        findings.add("percent_out_of_range", table=table, key=key, column=column, printed=printed)
    return value


class Evaluation(NamedTuple):
    """What the line of สยป. says, the lines above and below it, and what of it could not be read."""

    score: float | None
    quarter: int | None
    above: list[str]
    below: list[str]
    unread: list[str]


def read_evaluation(lines: list[str], table: str, key: str, findings: Findings) -> Evaluation:
    """Read the line of สยป., whole or in cells of its own; every page prints it, with a score or without."""
    place = next((i for i, line in enumerate(lines) if EVALUATION_MARK.match(line)), None)
    if place is None:
        findings.add(
            "part_missing", table=table, key=key, column="evaluation_score", message="The page has no line of สยป."
        )
        return Evaluation(None, None, lines, [], [])
    for count in range(min(6, len(lines) - place), 0, -1):
        found = EVALUATION_LINE.fullmatch(" ".join(lines[place : place + count]))
        if found:
            score = number(found[2], findings, table, key, "evaluation_score")
            quarter = parse_integer(found[1]) if found[1] else None
            return Evaluation(score, quarter, lines[:place], lines[place + count :], [])
    return Evaluation(None, None, lines[:place], lines[place + 1 :], lines[place : place + 1])


def _is_value(printed: str) -> bool:
    return printed in ("", "-", EMPTY_CELL) or parse_number(printed) is not None


def cut_quarter_table(lines: list[str]) -> tuple[list[str], list[str]]:
    """The lines above the quarter table, and the table's own (with whatever follows it)."""
    for place, line in enumerate(lines):
        if line.startswith(QUARTER_HEADER_LABEL):
            below = "\n".join(lines[place : place + QUARTER_HEADER_LINES])
            if QUARTER_HEADER.match(below):
                return lines[:place], lines[place:]
    return lines, []


def read_quarter_table(
    lines: list[str], table: str, key: str, findings: Findings
) -> tuple[list[Row], str | None, list[str]]:
    """Read a quarter table: its rows, the unit in its header, and the lines after it.

    A row is four cells: quarter, result, score (may be empty), `a / b`. An empty score is a state of its own. In
    markup without cells a row of one number has a result and no score.
    """
    text = "\n".join(lines)
    header = QUARTER_HEADER.match(text)
    if not header:
        return [], None, lines
    rows: list[Row] = []
    seen: set[int] = set()
    place = header.end()
    while row := USUAL_QUARTER.match(text, place) or QUARTER_ROW.match(text, place):
        quarter_no = parse_integer(row[1]) or 0
        cells, pair, end = (
            ([row[2], row[3]], (row[4], row[5]), row.end()) if row.re is USUAL_QUARTER else _row_parts(row)
        )
        row_key = f"{key}/{quarter_no}"
        if len(cells) > 2:
            shown = [cell for cell in cells if cell != EMPTY_CELL]  # the others are spacers
            cells = cells if shown and set(cells[:3]) == {EMPTY_CELL} else shown  # or a blank row, and the next one
        in_cells = text[row.end(1)] == "\n"
        if len(cells) > 2 or not (in_cells or all(map(_is_value, (*cells, *pair)))):
            break  # a text that begins with a number
        if quarter_no in seen:
            if not all(pair):
                break
            findings.add("duplicate_key", table=table, key=row_key, printed=row[0].strip())
            place = end
            continue
        place = end
        seen.add(quarter_no)
        result, score = [*cells, None, None][:2]
        rows.append(
            {
                "quarter": quarter_no,
                "result_value": number(result, findings, table, row_key, "result_value"),
                "score": number(score, findings, table, row_key, "score"),
                "evaluation_2_1": number(pair[0], findings, table, row_key, "evaluation_2_1"),
                "evaluation_2_2": number(pair[1], findings, table, row_key, "evaluation_2_2"),
            }
        )
    unit = " ".join((header[1] or header[2] or "").replace(EMPTY_CELL, "").split()) or None
    rest = [line for line in text[place:].split("\n") if line and line != EMPTY_CELL]
    glued = _GLUED_ROW.fullmatch(rest[0]) if rest and len(seen) < _QUARTERS else None
    if glued and parse_integer(glued[1]) == len(seen) + 1:
        findings.add("cells_glued", table=table, key=f"{key}/{len(seen) + 1}", printed=rest[0])
    elif rest and len(seen) < _QUARTERS and parse_integer(rest[0]) == len(seen) + 1:
        broken = list(takewhile(_ROW_PART.fullmatch, rest))
        findings.add(
            "part_missing",
            table=table,
            key=f"{key}/{len(seen) + 1}",
            printed=" ".join(broken),
            message="A row of the table of quarters is not whole.",
        )
        rest = rest[len(broken) :]
    return rows, unit, rest


def _row_parts(row: re.Match[str]) -> tuple[list[str], tuple[str, str], int]:
    """The cells between a row's quarter and its pair, the pair, and where the row ends.

    Pair and stroke may share out their parts over cells: `20 /` and `20`, `20` and `/ 20`, or three cells.
    """
    text, cells, first, second, end = row.string, (row[2] or "").split(), row[3], row[4], row.end()
    if second:
        if not first and len(cells) > 2:
            first = cells.pop()
    elif row[0].endswith("/"):
        half = text[end + 1 :].partition("\n")[0]
        half_end = end + 1 + len(half)
        next_quarter = (parse_integer(row[1]) or 0) + 1
        is_next_row = _quarter_at(text, end) == next_quarter and _quarter_at(text, half_end) != next_quarter
        is_half = parse_number(half) is not None and not is_next_row
        if first and is_half:
            second, end = half, half_end
        elif not first and cells and (is_half or len(cells) > 2):
            first = cells.pop()
            if not is_next_row and _is_value(half):
                second, end = half, half_end
    return cells, (first, second), end


def _quarter_at(text: str, place: int) -> int | None:
    row = QUARTER_ROW.match(text, place)
    return parse_integer(row[1]) if row else None


def join_narratives(quarters: list[Row], narratives: Mapping[int, str | None]) -> list[Row]:
    """The quarters' rows with their narratives; a quarter that has only a narrative gets a row too."""
    by_quarter = {row["quarter"]: row for row in quarters}
    told = {quarter for quarter, text in narratives.items() if text is not None}
    return [
        {**by_quarter.get(quarter, {**_NO_VALUES, "quarter": quarter}), "narrative": narratives.get(quarter)}
        for quarter in sorted(by_quarter.keys() | told)
    ]


def read_measures(lines: list[str], table: str, key: str, findings: Findings) -> tuple[Row, list[str]]:
    """Read target, result, type and level of an indicator; returns their columns and the lines that are none of them.

    The unit stands inside the label (`ค่าเป้าหมาย ร้อยละ : 100`). A label whose value stands in a line of its own
    reads the same.
    """
    usual = USUAL_MEASURES.fullmatch("\n".join(lines))
    if usual and not any(label in usual[1] for label in _ANY_LABEL):
        unit, target, achieved, kpi_type, level = usual.groups()
        return _measures(unit, target, achieved, kpi_type, level, table, key, findings), []
    values: dict[str, list[str]] = {}
    rest: list[str] = []
    current: list[str] | None = None
    level = None
    for line in _one_a_line(lines):
        if line.startswith(_ANY_LABEL):
            label = next(label for label in _LABELS if line.startswith(label))
            if label in values:
                rest.append(line)
                continue
            current = values[label] = [line.removeprefix(label)]
        elif level is None and (found := LEVEL_LINE.fullmatch(line)):
            level = _level(line, found, table, key, findings)
            current = None
        elif line == EMPTY_CELL:
            continue
        elif (
            current is not None
            and len(current) < MOST_PIECES
            and (_is_open(current) or line[0] == ":")
            and not _is_anothers(current, line)
        ):
            current.append(line)
        else:
            rest.append(line)
    for label in _LABELS:
        if label not in values:
            findings.add(
                "part_missing",
                table=table,
                key=key,
                column=_LABELS[label],
                printed=label,
                message=f"The indicator has no line {label}.",
            )
    unit, target = _unit_and_value(values.get(TARGET_LABEL, []))
    unit_2, achieved = _unit_and_value(values.get(ACHIEVED_LABEL, []))
    if TARGET_LABEL in values and ACHIEVED_LABEL in values and unit != unit_2:
        findings.add("units_differ", table=table, key=key, column="unit", printed=f"{unit} | {unit_2}")
    kpi_type = " ".join(values.get(TYPE_LABEL, [])).strip().removeprefix(":").strip()
    if level is None and (found := LEVEL_AT_END.fullmatch(kpi_type)):  # type and level in one line
        kpi_type, printed_level = found.groups()
        if one := LEVEL_LINE.fullmatch(printed_level):
            level = _level(printed_level, one, table, key, findings)
    return _measures(unit or unit_2, target, achieved, kpi_type or None, level, table, key, findings), rest


def _measures(
    unit: str | None,
    target: str | None,
    achieved: str | None,
    kpi_type: str | None,
    level: str | None,
    table: str,
    key: str,
    findings: Findings,
) -> Row:
    return {
        "unit": unit,
        "target_value": number(target, findings, table, key, "target_value"),
        "achieved_value": number(achieved, findings, table, key, "achieved_value"),
        "kpi_type": kpi_type,
        "kpi_level": level,
    }


def _one_a_line(lines: list[str]) -> list[str]:
    """The lines, where several measures stand in one line parted."""
    parted: list[str] = []
    for line in lines:
        parted += ANOTHER_MEASURE.split(line) if line.startswith((TARGET_LABEL, ACHIEVED_LABEL)) else [line]
    return parted


def _is_open(parts: list[str]) -> bool:
    """Whether a label still waits for its value: nothing behind the colon yet, or no colon yet."""
    text = " ".join(parts)
    _, colon, value = text.rpartition(":")
    return not value.strip() if colon else len(parts) < 3


def _is_anothers(current: list[str], line: str) -> bool:
    """Whether a line below a label without value is somebody else's label and value."""
    return bool(LABELLED.match(line)) and any(":" in part for part in current)


def _level(line: str, found: re.Match[str], table: str, key: str, findings: Findings) -> str | None:
    if found[1]:
        return found[1].lower()
    for word, level in LEVEL_WORDS.items():
        if word in line:
            return level
    findings.add("level_unknown", table=table, key=key, column="kpi_level", printed=line)
    return None


def _unit_and_value(parts: list[str]) -> tuple[str | None, str | None]:
    text = " ".join(parts).strip()
    unit, colon, value = text.rpartition(":")
    if not colon:  # no colon: the value is what looks like a number at the end
        unit, _, value = text.rpartition(" ")
        if not _NUMBER_START.match(value) or value.endswith(")"):  # or the end of a unit: `คะแนน (เต็ม 5)`
            unit, value = text, ""
    return unit.strip().removesuffix(":").strip() or None, value.strip() or None


def check_last_quarter(achieved: float | None, quarters: list[Row], table: str, key: str, findings: Findings) -> None:
    """The overall result need not be the last quarter's, but where it is not, that is worth a note."""
    if quarters and achieved is not None and quarters[-1]["result_value"] not in (None, achieved):
        findings.add(
            "result_not_last_quarter",
            table=table,
            key=key,
            column="achieved_value",
            printed=f"{achieved:g} | {quarters[-1]['result_value']:g}",
        )
