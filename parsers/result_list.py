"""The result list: one agency's indicators of one dimension. Its text prints no indicator's code: only its links do."""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from parsers.findings import Findings
from parsers.indicator import cut_quarter_table, join_narratives, number, read_quarter_table
from parsers.labels import (
    DIGIT,
    FURNITURE,
    KPI_CODE,
    LABELLED,
    NARRATIVE_LABEL,
    PROJECT_CODE,
    QUARTER_HEADER_LABEL,
    RESULT_LIST_TITLE,
    STRATEGY_LINE,
)
from parsers.page import next_lines
from parsers.plain import EMPTY_CELL
from parsers.sections import MOST_PIECES
from parsers.thai import arabic_digits, parse_integer

Row = dict[str, Any]

TABLES = ("result_list_items", "result_list_links", "result_list_quarters")

TITLE: Final = re.compile(rf"{RESULT_LIST_TITLE}\s*(?::\s*)?(?:ของหน่วยงาน)?\s*:?\s*({DIGIT}{{8}})?")
DIMENSION_LABEL: Final = "มิติที่"
DIMENSION: Final = re.compile(rf"มิติที่\s*({DIGIT}+)\s*(.*)")
ITEM_START: Final = re.compile(rf"\(\s*({DIGIT}+)\s*\)\s*(.*)")
BRACKETS: Final = re.compile(r"\[(.*)\]")
_LABELS: Final = {"หน่วยนับ": "unit", "เป้าหมาย": "target_value", "ผลงาน": "achieved_value"}
_ANOTHER_LABEL: Final = re.compile(r" (?=(?:เป้าหมาย|ผลงาน)\s*:)")
_LABEL_LINE: Final = re.compile(r"(หน่วยนับ|เป้าหมาย|ผลงาน)\s*:\s*(.*)")
_BROKEN_HEADING = re.compile(r"\[\s*มิติที่[^\[\]]*\]")
_HEADING_WITHIN = 7  # lines below an item's number
_KPI_CODE = re.compile(KPI_CODE)
_PROJECT_CODE = re.compile(PROJECT_CODE)
_CODE_PARAMETERS = ("pid", "project_id")
_LIST_NAME = re.compile(r"(index1\d*)\.php", re.IGNORECASE)


class ResultListPage:
    """One result list while it is read; `links` and `line_links` are those of the printed page."""

    def __init__(
        self, lines: list[str], findings: Findings, links: list[str], line_links: list[tuple[int, ...]], url: str | None
    ) -> None:
        self.findings = findings
        self.unclaimed: list[str] = []
        self.evaluation_quarter: int | None = None
        self.tables: dict[str, list[Row]] = {table: [] for table in TABLES}
        self._links = links
        self._line_links = line_links
        self.code = ""
        self.dimension_no: int | None = None
        self.dimension_name: str | None = None
        found = _LIST_NAME.search(urlsplit(url).path) if url else None
        self.list_name = found[1].lower() if found else ""
        self._read(lines)

    @property
    def has_record(self) -> bool:
        """Whether the list names its agency and holds an item."""
        return bool(self.code and self.tables["result_list_items"])

    def _leave(self, lines: Any) -> None:
        self.unclaimed.extend(line for line in lines if line not in (EMPTY_CELL, ":") and line not in FURNITURE)

    def _read(self, lines: list[str]) -> None:
        starts = self._read_head(lines)
        if not self.list_name:  # without a URL the dimension tells: index101 lists dimension 1
            self.list_name = f"index10{self.dimension_no}" if self.dimension_no in (1, 2, 3) else "index11"
        used: set[int] = set()
        last = 0
        for start, end in pairwise([*starts, len(lines)]):
            last = max(last, self._read_item(lines, start, end, used, last + 1))

    def _read_head(self, lines: list[str]) -> list[int]:
        """Read title and dimension; returns where items begin."""
        starts = _item_starts(lines)
        behind = starts[-1] + 1 if starts else 0
        name = _name_at(lines, starts[-1]) if starts else ""  # it is printed again, and may be numbered, too
        starts += [
            place for place in range(behind, len(lines)) if lines[place] != name and self._is_cut_item(lines, place)
        ]
        head = [line for line in (lines[: starts[0]] if starts else lines) if line != EMPTY_CELL]
        if cut_quarter_table(head)[1]:
            self.findings.add(
                "part_missing",
                table="result_list_items",
                printed=QUARTER_HEADER_LABEL,
                message="A table of quarters that belongs to no item.",
            )
        place = 0
        while place < len(head):
            line = head[place]
            place += 1
            if line == DIMENSION_LABEL and place < len(head):  # its number stands in a cell of its own
                line = f"{line} {head[place]}"
                place += 1
            if line.startswith(RESULT_LIST_TITLE):
                text = line
                found = TITLE.fullmatch(text)
                for ahead in range(1, 5):
                    if found and found[1]:
                        break
                    longer = TITLE.fullmatch(" ".join(head[place - 1 : place + ahead]))
                    if longer and longer[1]:
                        found, place = longer, place + ahead
                if found and found[1] and not self.code:
                    self.code = arabic_digits(found[1])
                elif not found:
                    self._leave([line])
            elif self.code and self.dimension_no is None and (dimension := DIMENSION.fullmatch(line)):
                self.dimension_no = parse_integer(dimension[1])
                if not dimension[2] and place < len(head):  # in a cell of its own
                    self.dimension_name = head[place].lstrip(" :") or None
                    place += 1
                else:
                    self.dimension_name = dimension[2] or None
            else:
                self._leave([line])
        return starts

    def _read_item(self, lines: list[str], start: int, end: int, used: set[int], next_free: int) -> int:
        """Read one item; returns the number it got."""
        found = ITEM_START.fullmatch(lines[start])
        item_no = (parse_integer(found[1]) if found else None) or 0
        key = f"{self.code}/{self.list_name}/{item_no}"
        if item_no in used:
            self.findings.add(
                "duplicate_key",
                table="result_list_items",
                key=key,
                column="item_no",
                printed=lines[start],
                message="Two items have the same number; the later got the next free one.",
            )
            item_no = next_free
            key = f"{self.code}/{self.list_name}/{item_no}"
        used.add(item_no)
        above, table = cut_quarter_table(lines[start + 1 : end])
        name = found[2] if found and found[2] else None
        values: dict[str, str] = {}
        heading: str | None = None
        texts: list[str] = []
        between: slice = slice(0, None)  # of `texts`: what stands between heading and name
        pending: str | None = None
        named_again = False
        is_name_bracketed = sum(bool(BRACKETS.fullmatch(line)) for line in above) > 1  # the heading is one by itself
        for line in _one_a_line(above, name):
            labelled = _LABEL_LINE.fullmatch(line)
            bracketed = BRACKETS.fullmatch(line)
            if line == EMPTY_CELL:
                continue
            if name is None and (
                not bracketed or is_name_bracketed
            ):  # it stands in a cell of its own, and may quote a label
                name = line
            elif line == name and not named_again:  # printed again below the strategy
                named_again, between = True, slice(between.start, len(texts))
            elif labelled and _LABELS[labelled[1]] not in values:
                column = _LABELS[labelled[1]]
                values[column] = labelled[2]
                pending = None if labelled[2] else column
            elif line in _LABELS and _LABELS[line] not in values and not _is_unit(line, pending, values):
                pending = _LABELS[line]
                values[pending] = ""
            elif pending:
                values[pending] = line.lstrip(" :")
                pending = None if values[pending] else pending
            elif bracketed and heading is None:
                heading = bracketed[1].strip() or None
                between = slice(len(texts), None)
            elif values:
                self._leave([line])
            else:
                texts.append(line)
        missing = [label for label, column in _LABELS.items() if column not in values]
        for part in missing:
            self.findings.add(
                "part_missing",
                table="result_list_items",
                key=key,
                column=_LABELS[part],
                printed=lines[start],
                message=f"The item has no {part}.",
            )
        strategy = self._strategy(texts, between if named_again else slice(None))
        quarters, _, rest = read_quarter_table(table, "result_list_quarters", key, self.findings)
        if not table:
            self.findings.add(
                "part_missing",
                table="result_list_quarters",
                key=key,
                printed=lines[start],
                message="An item without its table of quarters.",
            )
        report, narratives = _split_reports(rest)
        links = self._linked_codes(start, end)
        kpi_code = next((code for kind, code in links if kind == "kpi"), None)
        project_code = next((code for kind, code in links if kind == "project"), None)
        if not links:
            self.findings.add("kpi_code_missing", table="result_list_items", key=key, column="kpi_code")
        dimension = DIMENSION.search(heading) if heading else None
        self.tables["result_list_items"].append(
            {
                "agency_code": self.code,
                "list_name": self.list_name,
                "item_no": item_no,
                "heading": heading,
                "dimension_no": parse_integer(dimension[1]) if dimension else self.dimension_no,
                "dimension_name": self.dimension_name,
                "kpi_code": kpi_code,
                "project_code": project_code,
                "name": name,
                "strategy": strategy,
                "unit": values.get("unit") or None,
                "target_value": number(
                    values.get("target_value"), self.findings, "result_list_items", key, "target_value"
                ),
                "achieved_value": number(
                    values.get("achieved_value"), self.findings, "result_list_items", key, "achieved_value"
                ),
                "report": report,
            }
        )
        identity = {"agency_code": self.code, "list_name": self.list_name, "item_no": item_no}
        self.tables["result_list_links"] += [
            {**identity, "position": position, "linked_kind": kind, "linked_code": code}
            for position, (kind, code) in enumerate(links, 1)
        ]
        self.tables["result_list_quarters"] += [{**identity, **row} for row in join_narratives(quarters, narratives)]
        return item_no

    def _is_cut_item(self, lines: list[str], place: int) -> bool:
        """Whether a numbered line below the last whole item leads to a record: the page is cut off behind it."""
        return bool(_numbered(lines[place]) and self._linked_codes(place, place + 1))

    def _strategy(self, texts: list[str], between: slice) -> str | None:
        """The strategy among an item's lines: it stands between heading and name, and is like no other line there."""
        lines = texts[between]
        first = next((place for place, line in enumerate(lines) if STRATEGY_LINE.fullmatch(line)), 0)
        own = lines[first : first + 1]
        is_named = False
        for line in lines[first + 1 :]:  # a text may have several lines
            if not is_named and len(own) <= MOST_PIECES:
                found = STRATEGY_LINE.fullmatch(" ".join(own))
                is_named = bool(found and found[4])
            if not (is_named and LABELLED.match(line)):
                own.append(line)
        taken = set(own)
        self._leave(line for line in texts if line not in taken)
        return " ".join(own) or None

    def _linked_codes(self, start: int, end: int) -> list[tuple[str, str]]:
        """The projects and indicators that the item's links lead to, each once, in page order: kind and code."""
        found: dict[tuple[str, str], None] = {}
        for owners in self._line_links[start:end]:
            for index in owners:
                for code in _codes(self._links[index]):
                    if _KPI_CODE.fullmatch(code):
                        found["kpi", code] = None
                    elif _PROJECT_CODE.fullmatch(code):
                        found["project", code] = None
        return list(found)


def _is_unit(line: str, pending: str | None, values: Mapping[str, str]) -> bool:
    """Whether a line is the unit, though it reads like the label of the result: the target stands between them."""
    return pending == "unit" and line == "ผลงาน" and "target_value" not in values


def _codes(link: str) -> list[str]:
    """The codes that a link names: as a page's parameter, or alone, where a script makes the address of it."""
    try:
        parameters = parse_qs(urlsplit(link).query)
    except ValueError:  # no address at all
        return []
    found = [code.strip() for name, codes in parameters.items() if name.lower() in _CODE_PARAMETERS for code in codes]
    return found or [link]


def _split_reports(lines: list[str]) -> tuple[str | None, dict[int, str | None]]:
    """The text below an item's quarters: what stands under no label, and each labelled quarter's narrative."""
    free: list[str] = []
    texts: dict[int, list[str]] = {}
    current = free
    for line in lines:
        found = NARRATIVE_LABEL.fullmatch(line)
        quarter = parse_integer(found[1]) if found else None
        if quarter and quarter not in texts:
            current = texts[quarter] = []
        else:
            current.append(line)
    return " ".join(free) or None, {quarter: " ".join(text) or None for quarter, text in texts.items()}


def _item_starts(lines: list[str]) -> list[int]:
    """Lines that begin an item: a number, and the item's own parts just below, before another number.

    Texts may be numbered too; the last number above an item's parts is the item's.
    """
    starts: list[int] = []
    name = ""  # of the item that began last: printed twice, or in a cell of its own below its number
    for place, line in enumerate(lines):
        found = _numbered(line)
        if not found or line == name:
            continue
        alone = not found[2]
        below_it = next_lines(lines, place + 1, 14)
        for ahead, below in enumerate(below_it[alone:10], alone):
            if (ahead < _HEADING_WITHIN and _begins_heading(below_it[ahead:])) or _begins_measures(below_it[ahead:]):
                starts.append(place)
                name = _name_at(lines, place)
                break
            if _numbered(below):
                break
    return starts


def _name_at(lines: list[str], place: int) -> str:
    """The name of the item that begins at a line, behind its number or in a cell of its own below it."""
    found = _numbered(lines[place])
    return (found[2] if found else "") or next(iter(next_lines(lines, place + 1, 1)), "")


def _begins_heading(lines: list[str]) -> bool:
    """Whether these begin with an item's heading, in one line or over a few cells."""
    if lines[0][0] != "[":
        return False
    bracketed = BRACKETS.fullmatch(lines[0])
    if bracketed:
        return bool(DIMENSION.match(bracketed[1].strip()))
    return any(_BROKEN_HEADING.fullmatch(" ".join(lines[:count])) for count in (2, 3, 4))


def _begins_measures(lines: list[str]) -> bool:
    """Whether these are unit and target of an item; a text may quote one of them."""
    if not lines[0].startswith("หน่วยนับ"):
        return False
    return len(_ANOTHER_LABEL.findall(lines[0])) > 1 or any(line.startswith("เป้าหมาย") for line in lines[1:4])


def _one_a_line(lines: list[str], name: str | None) -> list[str]:
    """The lines above an item's quarters: several measures in one line parted, a heading over several cells joined."""
    start = next((place for place, line in enumerate(lines) if line[0] == "["), len(lines))
    for end in range(start + 2, min(start + 4, len(lines)) + 1):
        heading = " ".join(lines[start:end])
        if _BROKEN_HEADING.fullmatch(heading):
            lines = [*lines[:start], heading, *lines[end:]]
            break
    parted: list[str] = []
    for line in lines:
        is_measures = line != name and line.startswith(("หน่วยนับ", "เป้าหมาย"))
        parted += _ANOTHER_LABEL.split(line) if is_measures else [line]
    return parted


def _numbered(line: str) -> re.Match[str] | None:
    return ITEM_START.fullmatch(line) if line[0] == "(" else None
