"""The table of quarters that project pages, KPI pages and result lists print alike: four cells a row, which are counted.

A row is quarter, result, score, `a / b`. An empty score is a state of its own, so empty cells matter here, and only here:
the tables are taken out of a page's lines first, each leaves one line in its place (`TABLE`), and all other empty cells go.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import compress, count, repeat
from operator import and_, eq
from typing import Any, Final

from parsers.findings import Scope
from parsers.grammar import Page
from parsers.page import EMPTY_CELL
from parsers.values import number, parse_integer, parse_number, read_columns

Row = dict[str, Any]

TABLE: Final = "␁(?P<quarters>[0-9]+)$"
"""The pattern of the line that a table leaves."""

_TABLE: Final = re.compile(TABLE)

_FIRST: Final = "ไตรมาสที่"
_QUARTERS: Final = r"(?:\(\s*1\s*-\s*4\s*\)[\s␀]*)?"
_HEADER: Final = re.compile(  # with empty cells, and what is in parentheses in a row of its own
    rf"{_FIRST}[\s␀]*{_QUARTERS}\*\s*ผลงาน\s*\*[\s␀]*(?:\((.*?)\)[\s␀]*)?"
    rf"\*\s*ผลประเมินตัวชี้วัด\s*\*[\s␀]*{_QUARTERS}(?:\(([^*]*?)\)[\s␀]*)?"
    r"\(\s*\*\s*2\.1\s*/\s*2\.2\s*\*\s*\)",
    re.DOTALL,
)
_HEADER_LINES: Final = 12  # at most, empty cells among them
_NUMBER: Final = "[0-9๐-๙.,]+|-"
_QUARTER: Final = re.compile("[1-4๑-๔]")
_IN_ONE_LINE: Final = re.compile(rf"([1-4๑-๔])(?: ({_NUMBER}))?(?: ({_NUMBER}))? ({_NUMBER}) ?/ ?({_NUMBER})")
_USUAL_ROW: Final = re.compile(  # one cell a line
    rf"\n([1-4๑-๔])\n({_NUMBER}|{EMPTY_CELL})\n({_NUMBER}|{EMPTY_CELL})\n([0-9๐-๙.,]+) / ([0-9๐-๙.,]+)(?=\n)"
)
_LINES_OF_A_ROW: Final = 4
_USUAL_LINES: Final = 16
_PAIR: Final = re.compile(r"([^\s/]*) ?/ ?([^\s/]*)")
_GLUED: Final = re.compile(r"[1-4๑-๔][0-9๐-๙.,]+ ?/ ?[0-9๐-๙.,]*")
_CELL: Final = re.compile(r"[0-9๐-๙.,/ ␀-]+")
_MOST_CELLS: Final = 7  # between the quarter and the pair, spacers among them
_LONGEST_CELL: Final = 30
_QUARTERS_OF_A_YEAR: Final = 4


@dataclass(slots=True)
class QuarterTable:
    """One table as printed: the unit in its header, its rows (quarter, result, score, a, b), and what is odd about it."""

    unit: str | None = None
    rows: list[tuple[str, ...]] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    odd: list[tuple[str, str, str]] = field(default_factory=list)  # rule, quarter, printed


def take_tables(lines: list[str], twice: list[str]) -> tuple[list[str], list[int], list[QuarterTable]]:
    """Take the tables out of a page's lines.

    twice: gets the lines that are printed twice, one right below the other
    Returns the lines without empty cells, for each the number that it had, and the tables.
    """
    kept: list[str] = []
    numbers: list[int] = []
    tables: list[QuarterTable] = []
    place = 0
    starts = compress(count(), map(str.startswith, lines, repeat(_FIRST)))
    for start in [*starts, len(lines)]:
        if start < place:
            continue
        numbers += range(place, start)
        kept += lines[place:start]
        place = start
        if start < len(lines) and (header := _HEADER.match("\n".join(lines[start : start + _HEADER_LINES]))):
            table = QuarterTable(" ".join((header[1] or header[2] or "").replace(EMPTY_CELL, "").split()) or None)
            place = _read_rows(table, lines, start + header[0].count("\n") + 1)
            table.printed = [line for line in lines[start:place] if line != EMPTY_CELL]
            numbers.append(start)
            kept.append(f"␁{len(tables)}")
            tables.append(table)
    if EMPTY_CELL in kept:
        numbers = [number for number, line in zip(numbers, kept, strict=True) if line != EMPTY_CELL]
        kept = [line for line in kept if line != EMPTY_CELL]
    twice += _repeated(kept)
    return kept, numbers, tables


def _repeated(lines: list[str]) -> list[str]:
    """The lines that are printed twice, one right below the other; a line may have a cell for its label, one for its value."""
    next_but_one = list(map(eq, lines, lines[2:]))
    cells = compress(count(), map(and_, next_but_one, next_but_one[1:]))
    return [
        *compress(lines, map(eq, lines, lines[1:])),
        *(f"{lines[place]} {lines[place + 1]}" for place in cells if lines[place] != lines[place + 1]),
    ]


def _read_rows(table: QuarterTable, lines: list[str], place: int) -> int:
    """Read a table's rows; returns the line behind the last."""
    text, end = "\n".join(["", *lines[place : place + _USUAL_LINES], ""]), 0
    while row := _USUAL_ROW.match(text, end):
        end = row.end()
        place += _LINES_OF_A_ROW
        cells = row.groups()
        table.rows.append(tuple(cell.strip(EMPTY_CELL) for cell in cells) if EMPTY_CELL in cells else cells)
    while True:
        start = place
        while start < len(lines) and lines[start] == EMPTY_CELL:
            start += 1
        if start == len(lines):
            return start
        line = lines[start]
        if found := _IN_ONE_LINE.fullmatch(line):
            table.rows.append(tuple(cell or "" for cell in found.groups()))
            if found[2] and not found[3]:
                table.odd.append(("cell_missing", found[1], line))
            place = start + 1
        elif _QUARTER.fullmatch(line):
            following = _read_cells(table, lines, start)
            if following is None:
                return _leave_broken(table, lines, start)
            place = following
        elif _GLUED.fullmatch(line):
            table.odd.append(("cells_glued", line[0], line))
            place = start + 1
        else:
            return start


def _read_cells(table: QuarterTable, lines: list[str], start: int) -> int | None:
    """Read a row whose cells are lines; returns the line behind it, None where it is not whole."""
    quarter = lines[start]
    cells: list[str] = []
    for place in range(start + 1, min(start + 2 + _MOST_CELLS, len(lines))):
        cell = lines[place]
        if "/" in cell:
            break
        if len(cell) > _LONGEST_CELL:
            return None
        cells.append(cell)
    else:
        return None
    if not (pair := _PAIR.fullmatch(cell)):
        return None
    first, second = pair[1], pair[2]
    end = place + 1
    if not first and len(cells) in (3, 6):  # the pair has cells of its own
        first = cells.pop()
        if not second and end < len(lines):  # the stroke has a cell of its own
            second, end = lines[end], end + 1
    elif first and not second and end < len(lines) and _is_second(lines, end, quarter):
        second, end = lines[end], end + 1
    if len(cells) == 5 and cells[0::2] == [EMPTY_CELL] * 3:  # spacers around them
        cells = cells[1::2]
    if len(cells) > 2:
        return None
    if len(cells) == 1:
        table.odd.append(("cell_missing", quarter, " ".join(lines[start:end])))
    result, score = [*cells, "", ""][:2]
    table.rows.append((quarter, *("" if one == EMPTY_CELL else one for one in (result, score, first, second))))
    return end


def _shown(cells: list[str]) -> list[str]:
    return [cell for cell in cells if cell != EMPTY_CELL]


def _is_second(lines: list[str], place: int, quarter: str) -> bool:
    """Whether a line is the second half of a pair, and not the quarter of the next row."""
    if parse_number(lines[place]) is None:
        return False
    following = (parse_integer(quarter) or 0) + 1
    is_last = not any("/" in line for line in lines[place + 1 : place + 1 + _LINES_OF_A_ROW])
    return parse_integer(lines[place]) != following or is_last or lines[place + 1 : place + 2] == [lines[place]]


def _leave_broken(table: QuarterTable, lines: list[str], start: int) -> int:
    """Report a row that is not whole, with all that reads like cells below it."""
    end = start
    while end < len(lines) and _CELL.fullmatch(lines[end]):
        end += 1
    table.odd.append(("row_broken", lines[start], " ".join(_shown(lines[start:end]))))
    return end


_CELLS: Final = ("result_value", "score", "evaluation_2_1", "evaluation_2_2")


def quarter_rows(table: QuarterTable, whole: Scope, identity: Row) -> list[Row]:
    """The rows of a table, and their findings.

    whole: where findings about the table go; those about a quarter have its number behind the key
    identity: the first columns
    """

    def scope_of(quarter: int) -> Scope:
        return Scope(whole.findings, whole.table, f"{whole.key}/{quarter}")

    for rule, quarter, printed in table.odd:
        scope = scope_of(parse_integer(quarter) or 0)
        if rule == "row_broken":
            scope.add("part_missing", None, printed, "A row of the table of quarters is not whole.")
        else:
            scope.add(rule, None, printed)
    numbers = [parse_integer(row[0]) or 0 for row in table.rows]
    cells: dict[int, dict[str, str | None]] = {}
    for quarter_no, row in zip(numbers, table.rows, strict=True):
        if quarter_no in cells:
            scope_of(quarter_no).add("duplicate_key", None, " ".join((*row[:3], f"{row[3]} / {row[4]}")))
        else:
            cells[quarter_no] = dict(zip(_CELLS, row[1:], strict=True))
    values = read_columns(cells.values(), map(scope_of, cells), dict.fromkeys(_CELLS, number))
    rows = {place: {**identity, "quarter": place, **columns} for place, columns in zip(cells, values, strict=True)}
    if list(rows) != list(range(1, len(rows) + 1)):
        whole.add("series_broken", "quarter", ", ".join(map(str, rows)))
    elif not rows and not table.odd:
        whole.add("part_missing", "quarter", None, "A table of quarters without a row.")
    elif len(rows) < _QUARTERS_OF_A_YEAR:
        whole.add("quarters_missing", "quarter", ", ".join(map(str, rows)))
    return list(rows.values())


def join_narratives(quarters: list[Row], narratives: Mapping[int, str | None], identity: Row) -> list[Row]:
    """The quarters' rows with their narratives; a quarter that has only a narrative gets a row too."""
    by_quarter = {row["quarter"]: row for row in quarters}
    no_values = dict.fromkeys(_CELLS)
    narrated = {quarter for quarter, text in narratives.items() if text is not None}
    return [
        {
            **by_quarter.get(quarter, {**identity, "quarter": quarter, **no_values}),
            "narrative": narratives.get(quarter),
        }
        for quarter in sorted(by_quarter.keys() | narrated)
    ]


def table_in(lines: list[str], tables: list[QuarterTable], page: Page) -> QuarterTable | None:
    """The first table in some lines; all other lines are reported."""
    found = [line for line in lines if _TABLE.match(line)]
    page.leave(line for line in lines if line not in found[:1])
    return tables[int(found[0][1:])] if found else None
