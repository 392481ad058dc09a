"""The result list: one agency's indicators of one dimension. Its text prints no indicator's code: only its links do."""

import re
from typing import Final
from urllib.parse import unquote_plus, urlsplit

from parsers.findings import Scope
from parsers.grammar import DIGIT, LABELLED, Block, Item, Label, Page, Record, Row, Text, Value, blanks
from parsers.pages import kpi
from parsers.pages.shared import FIRST_LEVELS, KPI_CODE, PROJECT_CODE, QUARTERS
from parsers.quarters import QuarterTable, join_narratives, quarter_rows
from parsers.thai import ARABIC_DIGITS
from parsers.values import number, parse_integer, text

TABLES: Final = ("result_list_items", "result_list_links", "result_list_quarters")

# --- what is printed, in its order ------------------------------------------------------------------------------------

_LEVEL: Final = rf"(?:{'|'.join(FIRST_LEVELS)}) {DIGIT}+(?:\.{DIGIT}+)* [-–—]"
"""A level of the city's plan; `มิติที่ ๑.๑ - …` is one, `มิติที่ 1 …` is a dimension of the evaluation."""
_NO_REPORT: Final = r"(?!(?:[^\n]*\n){1,9}รายงานผลฯ)"
"""Not above the heading of a report: a line there is text of the item's own, also where it reads like a group's heading."""
_GROUP_LEVEL: Final = f"(?={_LEVEL}){_NO_REPORT}"
_GROUP: Final = (  # above the items that belong to it
    Value(
        "dimension",
        rf"มิติที่ (?P<dimension_no>{DIGIT}+)(?![0-9๐-๙.]| [-–—]){_NO_REPORT}",
        required=False,
        lines="word",
    ),
    Value("level_1", _GROUP_LEVEL, "one", required=False),
    Value("level_2", _GROUP_LEVEL, "one", required=False),
)
_HEAD: Final = Block(
    "result_list_items",
    Label("title", rf"ผลการปฏิบัติราชการประจำปี(?: :)?(?: ของหน่วยงาน)?(?: :)? (?P<agency_code>{DIGIT}{{8}})$", "none"),
    *_GROUP,
    repeats=False,
)
_ITEM_PARTS: Final[tuple[Item, ...]] = (
    Value("name", rf"\( (?P<item_no>{DIGIT}+) \)", "name"),
    Value("brackets", r"\[ (?P<heading>[^\[\]]*?) \]$", shown="[มิติที่ …]"),
    Text("between", mixed=True),
    Label("unit", "หน่วยนับ :", shown="หน่วยนับ"),
    Label("target_value", "เป้าหมาย :", shown="เป้าหมาย"),
    Label("achieved_value", "ผลงาน :", shown="ผลงาน"),
    Label("quarters_heading", f"{kpi.SECTIONS[0].heading}$", "none", required=False),
    QUARTERS,
    Text("report"),
    *(Label(f"narrative_{n}", rf"รายงานผลฯ ไตรมาสที่ [{n}{'๐๑๒๓๔'[n]}]$", "many", required=False) for n in range(1, 5)),
    # an indicator's page has two more parts; should a list have them, they are no quarter's report
    Label("summary", r"\*\* สรุปผลการดำเนินงาน \*\*$", "none", required=False),
    Label("definition", f"{kpi.SECTIONS[-1].heading}$", "none", required=False),
)
_ITEM: Final = Block(
    "result_list_items",
    *_ITEM_PARTS,
    *_GROUP[1:],  # of the items below
    repeats=False,
    series="item_no",
    columns={"name": text, "unit": text, "target_value": number, "achieved_value": number, "report": text},
)
_ITEM_BELOW_DIMENSION: Final = Block("result_list_items", *_ITEM_PARTS, _GROUP[0], repeats=False)
"""An item of a list of one dimension: lines like levels are its report's there."""
_BARE_LEVEL: Final = re.compile(blanks(_LEVEL))
_NUMBERED: Final = re.compile(rf"\(\s*({DIGIT}+)\s*\)\s*")
_NAME_BELOW: Final = 12  # lines below an item's brackets in which its name is printed again
_BRACKETS: Final = re.compile(r"\[\s*มิติที่")
_MEASURE: Final = re.compile(r"(?:หน่วยนับ|เป้าหมาย|ผลงาน)\s*(?::|$)")
_DIMENSION: Final = re.compile(rf"มิติที่\s*({DIGIT}+)")
_LIST_NAME: Final = re.compile(r"(index1\d*)\.php", re.IGNORECASE)
_LINKED_CODE: Final = re.compile(
    rf"(?:^|[?&](?i:pid|project_id)=)\s*(?:(?P<project>{PROJECT_CODE})|(?P<kpi>{KPI_CODE}))\s*(?:[&#]|$)"
)
"""A code in a link, as a page's parameter, or alone, where a script makes the address of it."""

# --- from lines to rows -----------------------------------------------------------------------------------------------


def read(page: Page, tables: list[QuarterTable]) -> None:
    """Read a result list into `page.tables`; without the agency's code or an item there is no record."""
    lines, starts = page.lines, _item_starts(page.lines)
    _, head = _HEAD.read(lines[: starts[0]] if starts else lines, page)
    code = (head.get("agency_code") or "").translate(ARABIC_DIGITS)
    if not code or not starts:
        if starts:
            page.findings.add("part_missing", message="The list has no title with an agency's code.")
        elif numbered := next(filter(_NUMBERED.match, lines), None):
            page.findings.add("part_missing", printed=numbered, message="The list has numbered lines, and no item.")
        return
    page.code = code
    list_name = _list_name(page.url) if page.url else None
    ends = [*starts[1:], len(lines)]
    block = _ITEM if head.get("level_1") else _ITEM_BELOW_DIMENSION
    records = [block.read(lines[start:end], page)[1] for start, end in zip(starts, ends, strict=True)]
    key = f"{code}/{list_name}" if list_name else code
    about = Scope(page.findings, "result_list_items", key)
    # a further page of a list goes on where the one before ended
    _ITEM.check_series(records, about, parse_integer(records[0].get("item_no") or "") or 1 if "?" in key else 1)
    group, levels = head, _levels([], head)
    if not levels and not head.get("dimension_no"):
        message = "The list has no line of its dimension or of a level of the plan."
        about.add("part_missing", "dimension_no", None, message)
    used: set[int] = set()
    for record, start, end in zip(records, starts, ends, strict=True):
        item_no = parse_integer(record.get("item_no") or "") or 0
        scope = Scope(page.findings, "result_list_items", f"{key}/{item_no}")
        if item_no in used:
            scope.add("duplicate_key", "item_no", lines[start], "The later item got the next free number.")
            item_no = max(used) + 1
            scope = scope._replace(key=f"{key}/{item_no}")
        used.add(item_no)
        texts = [name for name in _ITEM.long_items if "(" in (record.get(name) or "")]
        for line in (line for name in texts for line in record.lines(name)):
            if (found := _NUMBERED.match(line)) and parse_integer(found[1]) == item_no + 1:
                page.doubt(line, TABLES[0])
        identity = {"agency_code": code, "list_name": list_name, "item_no": item_no}
        item = _item_columns(page, record, group, levels, scope)
        codes = _read_links(page, range(start, end), identity, scope)
        page.tables["result_list_items"].append({**identity, **item, **codes})
        _read_quarters(page, record, identity, scope, tables)
        before, group = group, record if record.get("dimension_no") else group
        if before["dimension_no"] == group["dimension_no"] and before["dimension"] != group["dimension"]:
            scope.add("dimensions_differ", "dimension_name", f"{before['dimension']} | {group['dimension']}")
        levels = _levels(levels, record)
    page.leave(_group_lines(records[-1]))  # no item is below it


def _group_lines(record: Record) -> list[str]:
    """The lines of a group's heading."""
    number, name = record.get("dimension_no"), record.get("dimension")
    dimension = [f"มิติที่ {number} {name or ''}".rstrip()] if number else []
    return [*dimension, *record.lines("level_1"), *record.lines("level_2")]


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


def _item_starts(lines: list[str]) -> list[int]:
    """The lines in which items begin: each time a numbered line above the brackets, or above measures without.

    It is the last whose name is printed again below (a name may have numbered lines, too, and so may the text above it),
    or else the last.
    """
    starts: list[int] = []
    numbered: list[int] = []
    has_measures = True
    for place, line in enumerate(lines):
        if line[0] == "(":
            numbered += [place] if _NUMBERED.match(line) else []
        elif numbered and (_BRACKETS.match(line) or (has_measures and _MEASURE.match(line))):
            below = lines[place : place + _NAME_BELOW]
            again = (one for one in reversed(numbered) if (_NUMBERED.sub("", lines[one], 1) or lines[one + 1]) in below)
            starts.append(next(again, numbered[-1]))
            numbered, has_measures = [], line[0] != "["
        elif not has_measures and _MEASURE.match(line):
            numbered, has_measures = [], True
        elif numbered and line.startswith("รายงานผลฯ"):  # the numbered lines above it are the item's own text
            numbered = []
    return starts


def _item_columns(page: Page, record: Record, group: Record, levels: list[str], scope: Scope) -> Row:
    columns = _ITEM.row(record, scope)
    heading = " ".join((record.get("heading") or "").split()) or None
    dimension = _DIMENSION.match(heading or "")
    if heading and not dimension:
        scope.add("heading_unreadable", "dimension_no", heading)
    dimension_no = parse_integer(dimension[1]) if dimension else None
    group_no = parse_integer(group.get("dimension_no") or "")
    is_other = None not in (dimension_no, group_no) and dimension_no != group_no
    if is_other:
        scope.add("dimensions_differ", "dimension_name", f"{heading} | {group_no} {group.get('dimension') or ''}")
    return {
        "heading": heading,
        "dimension_no": dimension_no,
        "dimension_name": None if is_other else group.get("dimension") or None,
        "strategy": _strategy(page, record) or " ".join(levels) or None,
        **columns,
    }


def _strategy(page: Page, record: Record) -> str | None:
    """The strategy of an item: it stands between the brackets and the name, which is printed once more: else nothing is."""
    between = "\n".join(record.lines("between"))
    start, end = _place_of(record.get("name") or "", between)
    own: list[str] = []
    odd: list[str] = []
    for line in filter(None, between[:start].split("\n")):
        is_named = _BARE_LEVEL.fullmatch(" ".join(own[:4]))  # of three lines at most; its name may have a colon in it
        (odd if LABELLED.match(line) and not is_named else own).append(line)
    if len(own) > 1:
        page.say_several([" ".join(own)], TABLES[0])
    page.leave([*odd, *filter(None, between[end:].split("\n"))])
    return " ".join(own) or None


def _place_of(name: str, text: str) -> tuple[int, int]:
    """Where whole lines of a text are a name, which may stand in one line here and in several there; else its beginning."""
    flat = f" {text} ".replace("\n", " ")
    start = flat.find(f" {name} ")
    while start >= 0:
        end = start + len(name)
        if text[max(start - 1, 0) : start] in ("", "\n") and text[end : end + 1] in ("", "\n"):
            return start, end
        start = flat.find(f" {name} ", start + 1)
    return 0, 0


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
        quarters = quarter_rows(table, Scope(scope.findings, "result_list_quarters", scope.key), identity)
    page.tables["result_list_quarters"] += join_narratives(quarters, narratives, identity)


def _read_links(page: Page, places: range, identity: Row, scope: Scope) -> Row:
    """The projects and indicators that the links of an item's lines lead to, each once; returns the first of each kind.

    A link without text above the first line may be the last of the item before: it is nobody's.
    """
    links = [link for place in places for link in page.links.get(place, ()) if place > places[0] or not link.bare]
    codes = [code for link in links for code in _LINKED_CODE.finditer(unquote_plus(link.target))]
    found = dict.fromkeys((code.lastgroup or "", code[code.lastgroup or 0].translate(ARABIC_DIGITS)) for code in codes)
    if not found:
        scope.add("kpi_code_missing", "kpi_code")
    page.tables["result_list_links"] += [
        {**identity, "position": position, "linked_kind": kind, "linked_code": code}
        for position, (kind, code) in enumerate(found, 1)
    ]
    first = dict(reversed(found))
    return {"kpi_code": first.get("kpi"), "project_code": first.get("project")}
