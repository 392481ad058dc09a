"""What several kinds of page print alike: titles, codes, the measures of an indicator, strategies, the line of สยป."""

import re
from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

from parsers.boilerplate import BOILERPLATE, NAVIGATION, is_boilerplate
from parsers.findings import Scope
from parsers.grammar import DIGIT, LABELLED, NUMBER, Block, Item, Label, Outline, Page, Reader, Record, Row
from parsers.quarters import TABLE
from parsers.thai import ARABIC_DIGITS
from parsers.values import number, parse_integer, text

PROJECT_CODE: Final = f"{DIGIT}{{8}}-{DIGIT}{{4}}"
KPI_CODE: Final = f"{DIGIT}{{4}}-{DIGIT}{{3,4}}"

# --- titles -----------------------------------------------------------------------------------------------------------


def begin(
    page: Page, outline: Outline, block: Block, code: re.Pattern[str], page_titles: Sequence[str]
) -> tuple[Record, Row, Scope] | None:
    """Cut a page at its headings; read `<name> : <code>` in its head, and the block below. None where it has no title.

    code: the shape of the record's code; page_titles: what the portal prints above every record
    Returns the block's record, the name with the block's columns, and where findings go.
    """
    lines, missing = outline.cut(page)
    end = _title_end(lines, block, code)
    if end is None:
        page.leave(line for line in lines if line not in page_titles)
        return None
    name, _, printed_code = lines[end].rpartition(":")
    page.code = printed_code.strip().translate(ARABIC_DIGITS)
    name = _read_name(page, lines[: end + 1], name.rstrip(), page_titles)
    if name.startswith(_ABOVE_TITLE) or f": {printed_code.strip()}" in name:
        page.doubt(name)
    if not name:
        page.findings.add("part_missing", printed=lines[end], message="The title has no name.")
    for heading in missing:
        page.findings.add("part_missing", printed=heading, message=f"The page has no heading {heading}.")
    _, record = block.read([line for line in lines[end + 1 :] if line not in NAVIGATION], page)
    scope = Scope(page.findings, block.table, page.code)
    row = {"name": name or None, **block.row(record, scope)}
    page.evaluation_quarter = parse_integer(record.get("evaluation_quarter") or "")
    return record, row, scope


def _title_end(head: list[str], block: Block, code: re.Pattern[str]) -> int | None:
    """The number of a title's last line: the last line with a code at its end before the block begins; None without one."""
    ends = [place for place, line in enumerate(head) if line[-1].isdigit() and _ends_in_code(head, place, code)]
    for end, further in zip_longest(ends, ends[1:]):
        if further is None or any(block.begins(head[place : place + 3]) for place in range(end + 1, further + 1)):
            return end
    return None


def _ends_in_code(head: list[str], place: int, code: re.Pattern[str]) -> bool:
    """Whether a line ends in a colon and a code; the colon may end the line above."""
    _, colon, last = head[place].rpartition(":")
    return bool(code.fullmatch(last.strip()) and (colon or (place and head[place - 1].endswith(":"))))


def _read_name(page: Page, lines: list[str], last: str, page_titles: Sequence[str]) -> str:
    """The name in a title, which may have several lines, and quote titles and codes. last: its part of the last line

    It begins below the page's own title and boilerplate.
    """
    *above, title = lines
    start = len(above)
    while start and not _is_above_title(above[start - 1], page, page_titles):
        start -= 1
    for line in above[:start]:
        if not (line in page_titles or line.endswith(title) or is_boilerplate(line)):
            page.leave([line])
    names = [line for line in (*above[start:], last) if line not in NAVIGATION and line not in ("", ":", title)]
    if odd := [line for line in names[:-1] if not start or LABELLED.match(line)]:
        names = [line for line in names if line not in odd]
        page.findings.add("title_unclear", printed=odd[0])
        page.leave(odd)
    if len(names) > 1:
        page.say_several(names[:-1])
    return " ".join(names).rstrip(" :")


_ABOVE_TITLE: Final = tuple(words for words in BOILERPLATE if " " in words)


def _is_above_title(line: str, page: Page, page_titles: Sequence[str]) -> bool:
    return line in page_titles or line in page.headings or (line != ":" and is_boilerplate(line))


# --- indicators -------------------------------------------------------------------------------------------------------


def _measure(name: str, label: str, unit: str) -> Label:
    """A label with its unit in it, up to the line's last colon (units may have colons), or up to the value's cell.

    A colon between two digits is a ratio's: `อัตราส่วน : 1:20`, `อัตราส่วน : 80 : 20`.
    """
    first = "|".join(rf"(?<=[^0-9๐-๙]\x20:\x20{DIGIT * digits}\x20)" for digits in (1, 2, 3))
    ratio = rf"(?:(?<={DIGIT}):(?={DIGIT})|(?:{first}):(?=\x20{DIGIT}+$))"
    last_colon = rf"(?!{ratio}):(?=(?:[^:\n]|{ratio})*$)"
    ends = rf"(?:(?P<{unit}>[^\n]*)(?:\n:(?![^\S\n]*\S+ที่)|{last_colon})|(?P<{unit}_alone>[^:\n]*)(?=\n{NUMBER}$))"
    return Label(name, label + ends, "word", shown=label)


LEVEL: Final = (
    r"\(? ตัวชี้วัดระดับ(?P<level_word>ผลผลิต|ผลลัพธ์)? (?:\( (?P<level>[Oo]utput|[Oo]utcome|OUTPUT|OUTCOME) \))? \)?$"
)
TARGET: Final = "ค่าเป้าหมาย"
TARGET_LABEL: Final = _measure("target_value", TARGET, "unit")
MEASURES: Final[tuple[Item, ...]] = (
    TARGET_LABEL,
    _measure("achieved_value", "ผลงานที่ทำได้", "unit_achieved"),
    Label("kpi_type", "ประเภทตัวชี้วัด :", shown="ประเภทตัวชี้วัด"),
    Label("kpi_level", LEVEL, "none", shown="ตัวชี้วัดระดับ…"),
)
QUARTERS: Final = Label("quarters", TABLE, "none", shown="ไตรมาสที่ (1 - 4)")
_LEVEL_WORDS: Final = {"ผลผลิต": "output", "ผลลัพธ์": "outcome"}


def unit_of(record: Record, name: str) -> str | None:
    """The unit inside a measure's label."""
    printed = record.get(name) or record.get(f"{name}_alone") or ""
    return printed.strip(" :") or None


MEASURE_COLUMNS: Final[dict[str, Reader]] = {"target_value": number, "achieved_value": number, "kpi_type": text}


def measures(row: Row, record: Record, scope: Scope) -> Row:
    """The columns of an indicator: unit, target, result, type and level."""
    unit, unit_2 = unit_of(record, "unit"), unit_of(record, "unit_achieved")
    if unit != unit_2 and not {"target_value", "achieved_value"} & set(record.missing):
        scope.add("units_differ", "unit", f"{unit} | {unit_2}")
    if row["kpi_type"] and not any(map(str.isalpha, row["kpi_type"])):  # the dead chart's 0
        scope.add("line_not_understood", "kpi_type", row["kpi_type"])
        row["kpi_type"] = None
    return {**row, "unit": unit or unit_2, "kpi_level": _level(record, scope)}


def _level(record: Record, scope: Scope) -> str | None:
    printed, word = record.get("level"), record.get("level_word")
    level = printed.lower() if printed else _LEVEL_WORDS.get(word or "")
    if level is None and word is None and "kpi_level" not in record.missing:
        scope.add("level_unknown", "kpi_level")
    return level


def check_last_quarter(achieved: float | None, quarters: list[Row], scope: Scope) -> None:
    """The overall result need not be the last quarter's, but where it is not, that is worth a note."""
    if quarters and achieved is not None and quarters[-1]["result_value"] not in (None, achieved):
        scope.add("result_not_last_quarter", "achieved_value", f"{achieved:g} | {quarters[-1]['result_value']:g}")


# --- the line of สยป. -------------------------------------------------------------------------------------------------


def evaluation(what: str) -> Label:
    """The line of สยป., which every page prints, with a score or without."""
    return Label(
        "evaluation",
        rf"\*\*\*? สยป\. {what} :? (?:ไตรมาสที่)? :? (?:(?P<evaluation_quarter>{DIGIT})(?![^\s:]))? :? "
        r"(?P<evaluation_score>[^\s:]*)$",
        "none",
        shown="สยป.",
    )


# --- strategies -------------------------------------------------------------------------------------------------------

FIRST_LEVELS: Final = dict.fromkeys(("ด้านที่", "มิติที่", "เป้าหมายที่"), "ด้านที่") | {"ยุทธศาสตร์ที่": "ยุทธศาสตร์ที่"}
"""What levels of the city's plans are called, and which of the two plans calls them so."""


def strategy(*labels: str) -> Label:
    """One level of a plan: its label, where it has one, its number and its name."""
    code = rf"{DIGIT}+(?:\.{DIGIT}+)"
    return Label(
        "name",
        rf":? (?:(?P<level_label>{'|'.join(labels)}) (?P<first_code>{code}*)|(?P<strategy_code>{code}+)\.?)"
        r"(?=[\s–—-]|$)(?: [-–—])?",
        "one",
    )


IN_ENGLISH: Final = re.compile(r"(.*\S)\s*:\s*([A-Za-z][\x20-\x7e‘’“”–]*)")


def strategy_rows(page: Page, records: list[Record], table: str, key: str) -> list[Row]:
    """The levels of the city's plan that a page supports, one row each; key: the column of the page's code."""
    scope = Scope(page.findings, table, page.code)
    rows: list[Row] = []
    plan: str | None = None
    above = ""
    seen: set[tuple[str | None, str]] = set()
    for position, printed in enumerate(records, 1):
        label = printed.get("level_label") or None
        number = printed.get("first_code") or printed.get("strategy_code") or ""
        code = number.translate(ARABIC_DIGITS)
        name, name_en = (printed.get("name") or "").removesuffix("%" * (code.count(".") == 2)).rstrip(), None
        if label and (both := IN_ENGLISH.fullmatch(name)):
            name, name_en = both.groups()
        plan = FIRST_LEVELS[label] if label else plan
        if ("." in code and code.rpartition(".")[0] != above) or code == above:
            scope.add("levels_out_of_order", "strategy_code", f"{above} | {code}")
        elif (plan, code) in seen:
            scope.add("printed_twice", "strategy_code", code, "A level of the plan is printed twice.")
        seen.add((plan, code))
        if f"{number}." in name and re.search(rf"(?<![\d.]){re.escape(number)}\.\d", name):  # that of a level below
            page.doubt(name, table)
        above = code
        rows.append(
            {
                key: page.code,
                "position": position,
                "level": code.count(".") + 1,
                "level_label": label,
                "strategy_code": code,
                "name": name or None,
                "name_en": name_en,
                "plan": plan,
            }
        )
    return rows
