"""The result list: one agency's indicators of one dimension. Its text prints no indicator's code: only its links do."""

import re
from itertools import pairwise
from typing import Final
from urllib.parse import unquote_plus, urlsplit

from parsers.boilerplate import is_boilerplate
from parsers.findings import Scope
from parsers.grammar import DIGIT, LABELLED, Block, Label, Page, Record, Row, Text, Value
from parsers.pages.shared import FIRST_LEVELS, KPI_CODE, PROJECT_CODE, QUARTERS
from parsers.quarters import QuarterTable, join_narratives, quarter_rows
from parsers.thai import ARABIC_DIGITS
from parsers.values import number, parse_integer

TABLES: Final = ("result_list_items", "result_list_links", "result_list_quarters")

# --- what is printed, in its order ------------------------------------------------------------------------------------

_LEVEL: Final = rf"(?:{'|'.join(FIRST_LEVELS)}) {DIGIT}+(?:\.{DIGIT}+)* [-–—]"
"""A level of the city's plan; `มิติที่ ๑.๑ - …` is one, `มิติที่ 1 …` is a dimension of the evaluation."""
_GROUP: Final = (  # above the items that belong to it
    Value("dimension", rf"มิติที่ (?P<dimension_no>{DIGIT}+)(?![0-9๐-๙.]| [-–—])", required=False, lines="word"),
    Value("level_1", f"(?={_LEVEL})", "one", required=False),
    Value("level_2", f"(?={_LEVEL})", "one", required=False),
)
_HEAD: Final = Block(
    "result_list_items",
    Label("title", rf"ผลการปฏิบัติราชการประจำปี(?: :)?(?: ของหน่วยงาน)?(?: :)? (?P<agency_code>{DIGIT}{{8}})$", "none"),
    *_GROUP,
    repeats=False,
)
_ITEM: Final = Block(
    "result_list_items",
    Label("name", rf"\( (?P<item_no>{DIGIT}+) \)", "name"),
    Value("brackets", r"\[ (?P<heading>[^\[\]]*?) \]$", shown="[มิติที่ …]"),
    Text("between", mixed=True),
    Label("unit", "หน่วยนับ :", shown="หน่วยนับ"),
    Label("target_value", "เป้าหมาย :", shown="เป้าหมาย"),
    Label("achieved_value", "ผลงาน :", shown="ผลงาน"),
    QUARTERS,
    Text("report"),
    *(Label(f"narrative_{n}", rf"รายงานผลฯ ไตรมาสที่ [{n}{'๐๑๒๓๔'[n]}]$", "many", required=False) for n in range(1, 5)),
    *_GROUP,  # of the items below
    series="item_no",
    marked=True,
)
_LEVEL_LINE: Final = re.compile(_LEVEL.replace(" ", r"\s*") + r"\s*")
_NUMBERED: Final = re.compile(rf"\(\s*{DIGIT}+\s*\)\s*(.*)")
_MEASURE_LABELS: Final = ("หน่วยนับ", "เป้าหมาย", "ผลงาน")
_MEASURE: Final = re.compile(r"(?:^| )(?:หน่วยนับ|เป้าหมาย|ผลงาน)\s*:", re.MULTILINE)
_NEAR: Final = 8  # lines between an item's number and its brackets, at most
_DIMENSION: Final = re.compile(rf"มิติที่\s*({DIGIT}+)")

_LIST_NAME: Final = re.compile(r"(index1\d*)\.php", re.IGNORECASE)
_LINKED: Final = {"kpi": re.compile(KPI_CODE), "project": re.compile(PROJECT_CODE)}
_CODE_PARAMETER: Final = re.compile("[?&](?:pid|project_id)=([^&]+)", re.IGNORECASE)

# --- from lines to rows -----------------------------------------------------------------------------------------------


def read(page: Page, tables: list[QuarterTable]) -> None:
    """Read a result list into `page.tables`; without the agency's code or an item there is no record."""
    lines, starts = page.lines, _item_starts(page)
    above = lines[: starts[0]] if starts else lines
    (head,), _ = _HEAD.read([line for line in above if not is_boilerplate(line)], page)
    page.code = (head.get("agency_code") or "").translate(ARABIC_DIGITS)
    if not page.code or not starts:
        if starts:
            page.findings.add("part_missing", message="The list has no title with an agency's code.")
        page.code = ""
        return
    list_name = _list_name(page.url) if page.url else None
    records, _ = _ITEM.read(lines[starts[0] :], page, frozenset(place - starts[0] for place in starts))
    key = f"{page.code}/{list_name}" if list_name else page.code
    # a further page of a list goes on where the one before ended
    first = parse_integer(records[0].get("item_no") or "") if "?" in key else None
    _ITEM.check_series(records, Scope(page.findings, "result_list_items", key), first or 1)
    group, levels = head, _levels([], head)
    if not levels and not head.get("dimension_no"):
        Scope(page.findings, "result_list_items", key).add(
            "part_missing", "dimension_no", None, "The list has no line of its dimension or of a level of the plan."
        )
    for record, (start, end) in zip(records, pairwise([*starts, len(lines)]), strict=True):
        item_no = _free_number(page, record, key)
        scope = Scope(page.findings, "result_list_items", f"{key}/{item_no}")
        identity = {"agency_code": page.code, "list_name": list_name, "item_no": item_no}
        _read_item(page, record, group, levels, identity, scope, _linked_codes(page, start, end))
        _read_quarters(page, record, identity, scope, tables)
        group = record if record.get("dimension_no") else group
        levels = _levels(levels, record)


def _levels(levels: list[str], group: Record) -> list[str]:
    """The levels of the plan below a group's heading: one of a number with a point stands below the one above it."""
    for level in filter(None, (group.get("level_1"), group.get("level_2"))):
        is_second = "." in level.partition("-")[0].partition("–")[0]
        levels = [*levels[:is_second], level]
    return levels


def _list_name(url: str) -> str | None:
    """The list that an address names: the script and, of a page of several, its parameters, such as `index101?page=2`."""
    parts = urlsplit(url)
    found = _LIST_NAME.search(parts.path)
    more = "&".join(one for one in parts.query.split("&") if one and not one.lower().startswith("seldep="))
    return f"{found[1].lower()}{f'?{more}' if more else ''}" if found else None


def _item_starts(page: Page) -> list[int]:
    """The lines in which items begin. Texts may be numbered, too: an item has its unit below it.

    Of several numbered lines above a unit, the item's is the last whose name is printed again, as each is.
    """
    lines = page.lines
    starts: list[int] = []
    above: list[int] = []
    for place, line in enumerate(lines):
        if line[0] == "(" and _NUMBERED.fullmatch(line):
            above.append(place)
        elif above and _is_measure(lines, place):
            named_twice = [at for at in above if (name := _name_at(lines, at))[0] in lines[name[1] : place]]
            bracketed = [at for at in above if _near_brackets(lines, at)]
            starts.append((named_twice or bracketed or above)[-1])
            above = []
    return starts + [at for at in above if _near_brackets(lines, at) or _linked_codes(page, at, at + 1)]


def _is_measure(lines: list[str], place: int) -> bool:
    """Whether an item's unit, target or result stands here, with another of them just below."""
    if not lines[place].startswith(_MEASURE_LABELS):
        return False
    return len(_MEASURE.findall("\n".join(lines[place : place + 5]))) > 1


def _name_at(lines: list[str], place: int) -> tuple[str, int]:
    """The first line of an item's name, behind its number or in a cell of its own below it; and the line below that."""
    found = _NUMBERED.fullmatch(lines[place])
    return (found[1], place + 1) if found and found[1] else ("".join(lines[place + 1 : place + 2]), place + 2)


def _near_brackets(lines: list[str], place: int) -> bool:
    for line in lines[place + 1 : place + 1 + _NEAR]:
        if line[0] == "[" or _NUMBERED.fullmatch(line):
            return line[0] == "["
    return False


def _free_number(page: Page, record: Record, key: str) -> int:
    """The item's number; where it is taken, the next that is free."""
    item_no = parse_integer(record.get("item_no") or "") or 0
    used: set[int] = {row["item_no"] for row in page.tables["result_list_items"]}
    if item_no in used:
        scope = Scope(page.findings, "result_list_items", f"{key}/{item_no}")
        scope.add("duplicate_key", "item_no", record.first_line, "The later item got the next free number.")
        return max(used) + 1
    return item_no


def _read_item(
    page: Page,
    record: Record,
    group: Record,
    levels: list[str],
    identity: Row,
    scope: Scope,
    links: list[tuple[str, str]],
) -> None:
    _ITEM.report_missing(record, scope)
    heading = record.get("heading") or None
    dimension = _DIMENSION.match(heading or "")
    if heading and not dimension:
        scope.add("heading_unreadable", "dimension_no", heading)
    dimension_no = parse_integer(dimension[1]) if dimension else None
    group_no = parse_integer(group.get("dimension_no") or "")
    is_other = None not in (dimension_no, group_no) and dimension_no != group_no
    if is_other:
        scope.add("dimensions_differ", "dimension_name", f"{heading} | {group_no} {group.get('dimension') or ''}")
    if not links:
        scope.add("kpi_code_missing", "kpi_code")
    page.tables["result_list_items"].append(
        {
            **identity,
            "heading": heading,
            "dimension_no": dimension_no,
            "dimension_name": None if is_other else group.get("dimension") or None,
            "kpi_code": next((code for kind, code in links if kind == "kpi"), None),
            "project_code": next((code for kind, code in links if kind == "project"), None),
            "name": record.get("name") or None,
            "strategy": _strategy(page, record) or " ".join(levels) or None,
            "unit": record.get("unit") or None,
            "target_value": number(record.get("target_value"), scope, "target_value"),
            "achieved_value": number(record.get("achieved_value"), scope, "achieved_value"),
            "report": record.get("report") or None,
        }
    )
    page.tables["result_list_links"] += [
        {**identity, "position": position, "linked_kind": kind, "linked_code": code}
        for position, (kind, code) in enumerate(links, 1)
    ]


def _strategy(page: Page, record: Record) -> str | None:
    """The strategy of an item: it stands between the brackets and the name, which is printed once more."""
    name, lines = record.lines("name"), record.lines("between")
    for place in range(len(lines) - len(name) + 1):
        if lines[place : place + len(name)] == name:
            page.leave(lines[place + len(name) :])
            lines = lines[:place]
            break
    first = next((place for place, line in enumerate(lines) if not LABELLED.match(line)), 0)
    page.leave(lines[:first])
    own = lines[first : first + 1]
    for place, line in enumerate(lines[first + 1 :], first + 1):
        if LABELLED.match(line) and _LEVEL_LINE.sub("", " ".join(own)):  # it reads like a label and its value
            page.leave(lines[place:])
            return " ".join(own) if place == len(lines) - 1 else None
        own.append(line)
    return " ".join(own) or None


def _read_quarters(page: Page, record: Record, identity: Row, scope: Scope, tables: list[QuarterTable]) -> None:
    printed = {quarter: record.get(f"narrative_{quarter}") for quarter in range(1, 5)}
    narratives = {quarter: text or None for quarter, text in printed.items() if text is not None}
    quarters: list[Row] = []
    if "quarters" not in record.missing:
        table = tables[int(record["quarters"] or 0)]
        if narratives and (lacking := [row[0] for row in table.rows if int(row[0]) not in narratives]):
            message = "Some of the headings of the quarters' reports are missing."
            scope.add("part_missing", "report", ", ".join(lacking), message)
        if table.unit and table.unit != (record.get("unit") or None):
            scope.add("units_differ", "unit", f"{record.get('unit') or None} | {table.unit}")
        about = Scope(page.findings, "result_list_quarters", scope.key)
        quarters = quarter_rows(table, about, identity)
    page.tables["result_list_quarters"] += join_narratives(quarters, narratives, identity)


def _linked_codes(page: Page, start: int, end: int) -> list[tuple[str, str]]:
    """The projects and indicators that the links of some lines lead to, each once, in page order: kind and code.

    A link without text above the first line may be the last of the item before: it is nobody's.
    """
    found: dict[tuple[str, str], None] = {}
    for place in range(start, end):
        for link in page.links.get(place, ()):
            for code in _codes(link.target) if place > start or not link.bare else ():
                for kind, pattern in _LINKED.items():
                    if pattern.fullmatch(code):
                        found[kind, code] = None
    return list(found)


def _codes(link: str) -> list[str]:
    """The codes that a link names: as a page's parameter, or alone, where a script makes the address of it."""
    found = _CODE_PARAMETER.findall(link.partition("#")[0])
    return [unquote_plus(code).strip() for code in found] or [link]
