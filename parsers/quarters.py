"""The table of quarters that project pages, KPI pages and result lists print alike: four cells a row, which are counted.

A row is quarter, result, score, `a / b`. An empty score is a state of its own, so empty cells matter here, and only here:
the tables are taken out of a page's lines first, each leaves one line in its place (`TABLE`), and all other empty cells go.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import compress, takewhile
from typing import Final

from parsers.findings import Scope
from parsers.grammar import MARK, Page, Row
from parsers.page import EMPTY_CELL
from parsers.values import number

TABLE: Final = rf"{MARK}␁(?P<quarters>[0-9]+)$"
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
_QUARTER: Final = r"(?:(?:␀\n)+|)([1-4๑-๔])"
_CELL: Final = r"([^\n/]{1,30}(?:(?<=[A-Za-z])/[A-Za-z0!]{1,2})?)\n"  # of a number, or what spreadsheets print for none
_PAIR: Final = (  # its stroke may have a cell of its own, or end one; what reads like the next quarter is no half of it
    r"([^\s/]*)(?:\n/\n|\s?/(?:\n(?![1-4๑-๔]\n)(?=[0-9๐-๙.,-]+\n)| ?))([^\s/]*)\n"
)
_ROW: Final = re.compile(rf"{_QUARTER}\n(?:{_CELL})?(?:{_CELL})?{_PAIR}")  # a cell a line
_ROW_IN_ONE_LINE: Final = re.compile(rf"{_QUARTER} (?:({_NUMBER}) )?(?:({_NUMBER}) )?({_NUMBER}) ?/ ?({_NUMBER})\n")
_ROW_WITH_SPACERS: Final = re.compile(rf"{_QUARTER}\n␀\n{_CELL}␀\n{_CELL}␀\n{_PAIR}")
_ODD_ROW: Final = re.compile(r"(?:[^\n]{0,12}\n){1,4}?[0-9๐-๙.,-]+ ?/ ?[0-9๐-๙.,-]+\n")
"""A row of other cells; the rows below it are read all the same."""
_QUARTERS_OF_A_YEAR: Final = 4
_MOST_LINES: Final = 48  # of a table's rows, at most
_BROKEN_ROW: Final = re.compile("[1-4๑-๔](?:[0-9๐-๙.,]+ ?/ ?[0-9๐-๙.,]*)?")
_LEFT_CELL: Final = re.compile(r"[0-9๐-๙.,/ ␀-]+")


@dataclass(slots=True)
class QuarterTable:
    """One table as printed: the unit in its header, its rows (quarter, result, score, a, b), and what is odd about it."""

    unit: str | None = None
    rows: list[tuple[str, ...]] = field(default_factory=list)
    odd: list[tuple[str, str, str]] = field(default_factory=list)  # rule, quarter, printed


def take_tables(lines: list[str]) -> tuple[list[str], list[int], list[QuarterTable], dict[str, list[str]]]:
    """Take the tables out of a page's lines.

    Returns the lines without empty cells, the number that each had, the tables, and the lines that each table had, by the
    line that stands in its place.
    """
    tables: list[QuarterTable] = []
    replaced: dict[str, list[str]] = {}
    kept: list[str] = []
    numbers: list[int] = []
    place = 0
    for start in [place for place, line in enumerate(lines) if _FIRST in line and line.startswith(_FIRST)]:
        header = _HEADER.match("\n".join(lines[start : start + _HEADER_LINES])) if start >= place else None
        if header:
            mark = f"{MARK}␁{len(tables)}"
            kept += [*lines[place:start], mark]
            numbers += range(place, start + 1)
            table = QuarterTable(" ".join((header[1] or header[2] or "").replace(EMPTY_CELL, "").split()) or None)
            place = _read_rows(table, lines, start + header[0].count("\n") + 1)
            replaced[mark] = [line for line in lines[start:place] if line != EMPTY_CELL]
            tables.append(table)
    kept += lines[place:]
    numbers += range(place, len(lines))
    if EMPTY_CELL in kept:
        shown = [line != EMPTY_CELL for line in kept]
        kept, numbers = list(compress(kept, shown)), list(compress(numbers, shown))
    return kept, numbers, tables, replaced


def _read_rows(table: QuarterTable, lines: list[str], place: int) -> int:
    """Read a table's rows; returns the line behind the last, and behind the cells of one that is not whole."""
    text, end = "\n".join([*lines[place : place + _MOST_LINES], ""]), 0
    while row := (
        _ROW.match(text, end)
        or _ROW_IN_ONE_LINE.match(text, end)
        or _ROW_WITH_SPACERS.match(text, end)
        or (_ODD_ROW.match(text, end) if len(table.rows) < _QUARTERS_OF_A_YEAR else None)
    ):
        end = row.end()
        if row.re is _ODD_ROW:
            printed = " ".join(row[0].replace(EMPTY_CELL, "").split())
            table.odd.append(("part_missing", str(len(table.rows) + 1), printed))
            continue
        table.rows.append(tuple(["" if cell == EMPTY_CELL else cell for cell in row.groups("")]))
        if row[2] and row[3] is None:
            table.odd.append(("cell_missing", row[1], " ".join(row[0].split())))
    place += text.count("\n", 0, end)
    while lines[place : place + 1] == [EMPTY_CELL]:
        place += 1
    if place < len(lines) and _BROKEN_ROW.fullmatch(lines[place]):
        left = list(takewhile(_LEFT_CELL.fullmatch, lines[place:]))
        place += len(left)
        table.odd.append(("part_missing", left[0][0], " ".join(cell for cell in left if cell != EMPTY_CELL)))
    return place


_CELLS: Final = ("result_value", "score", "evaluation_2_1", "evaluation_2_2")


def quarter_rows(table: QuarterTable, whole: Scope, identity: Row) -> list[Row]:
    """The rows of a table, and their findings.

    whole: where findings about the table go; those about a quarter have its number behind the key
    identity: the first columns
    """
    for rule, quarter, printed in table.odd:
        message = "A row of the table of quarters is not whole." if rule == "part_missing" else None
        Scope(whole.findings, whole.table, f"{whole.key}/{int(quarter)}").add(rule, None, printed, message)
    rows: dict[int, Row] = {}
    for quarter, *cells in table.rows:
        quarter_no = int(quarter)  # reads Thai digits, too
        scope = Scope(whole.findings, whole.table, f"{whole.key}/{quarter_no}")
        if quarter_no in rows:
            scope.add("duplicate_key", None, " ".join((quarter, *cells[:2], f"{cells[2]} / {cells[3]}")))
            continue
        rows[quarter_no] = row = {**identity, "quarter": quarter_no}
        for column, cell in zip(_CELLS, cells, strict=True):
            row[column] = number(cell, scope, column) if cell else None
    if list(rows) != list(range(1, len(rows) + 1)):
        whole.add("series_broken", "quarter", ", ".join(map(str, rows)))
    elif len(rows) < _QUARTERS_OF_A_YEAR:
        whole.add("quarters_missing", "quarter", ", ".join(map(str, rows)) or None)
    return list(rows.values())


def join_narratives(quarters: list[Row], narratives: Mapping[int, str | None], identity: Row) -> list[Row]:
    """The quarters' rows with their narratives; a quarter that has only a narrative gets a row too."""
    rows = {row["quarter"]: row for row in quarters}
    for quarter, text in narratives.items():
        if text and quarter not in rows:
            rows[quarter] = {**identity, **dict.fromkeys(_CELLS), "quarter": quarter}
    for quarter, row in rows.items():
        row["narrative"] = narratives.get(quarter)
    return [rows[quarter] for quarter in sorted(rows)]


def table_in(lines: list[str], tables: list[QuarterTable], page: Page) -> QuarterTable | None:
    """The first table in some lines; all other lines are reported."""
    found = [line for line in lines if _TABLE.match(line)]
    page.leave(line for line in lines if line not in found[:1])
    return tables[int(found[0][2:])] if found else None
