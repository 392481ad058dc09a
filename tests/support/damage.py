"""Ways to break a good page, and the law that a broken page is held to.

Printed lines are damaged before they are written as HTML, and elements after. The law: whatever was damaged, a value is
the record's or null, or the page says that something is wrong: by its verdict, a finding or an unclaimed line.
"""

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode
from support.records import CITY_INDICATOR, by_strategy
from support.rendering import (
    Line,
    Markup,
    Printed,
    Printing,
    Quarters,
    Tables,
    print_city_indicator,
    print_kpi,
    print_project,
    print_result_list,
    print_yii,
)

from parsers import ParsedPage

FIXTURES = Path(__file__).parents[2] / "fixtures_html"
GOOD_PAGES: dict[str, tuple[str, Callable[[], Tables], Callable[[Tables, Printing], Printed]]] = {
    "project": ("project", lambda: _golden("50040000-2210"), print_project),
    "kpi": ("kpi", lambda: _golden("0900-2017"), print_kpi),
    "result list": ("result_list", lambda: _golden("index101-09000000"), print_result_list),
    "list by strategy": ("result_list", lambda: by_strategy(_golden("index101-09000000")), print_result_list),
    "yii project": ("yii_project", lambda: _golden("yii-50460000-3697"), print_yii),
    "city indicator": ("city_indicator", lambda: CITY_INDICATOR, print_city_indicator),
}
"""The kind of a page, its record, and how it is printed; records of saved pages are those of their goldens."""
FOREIGN = "งบประมาณที่ใช้ : 120,000 บาท"
MARKUPS = {
    "divs": Markup(layout="divs"),
    "big table": Markup(layout="table", quarters="wide table", apart="label", wrapper=1),
    "breaks": Markup(layout="breaks", wrapper=1),
    "nested tables": Markup(layout="nested tables", quarters="wide table", writer="fonts", apart="value", wrapper=4),
    "definitions": Markup(layout="definitions", apart="label", wrapper=6),
}
"""Five plain ways in which the portal may write a page."""
_ANY_NUMBER = 1_000
_MOST_IN_A_LINE = 3  # values: the agency's name, and the fiscal year in both eras
SAYS_NOTHING = {"result_not_last_quarter", "progress_fell", "report_outside_fiscal_year"}
"""Findings that a good page may have: they do not say that the page is broken."""

# rows by the line that begins them, and the columns that number them
KEYS = {
    "contacts": ("project_code",),
    "project_strategies": ("position",),
    "progress_reports": ("report_index",),
    "plan_steps": ("step_no",),
    "project_kpis": ("kpi_code",),
    "project_kpi_quarters": ("kpi_code", "quarter"),
    "kpi_quarters": ("quarter",),
    "result_list_items": ("item_no",),
    "result_list_links": ("item_no", "position"),
    "result_list_quarters": ("item_no", "quarter"),
    "city_indicator_strategies": ("position",),
}


@dataclass(frozen=True)
class Damage:
    """One damage to printed lines.

    what: the kind of damage and of the part it struck; page: the lines as they are printed now; tables: what they say,
        where a part is gone with all of its rows; must_say: whether the page is to say so though no value is wrong
    may_lose: how many values may be null in silence, because what prints them is gone
    """

    what: str
    page: Printed
    tables: Tables
    must_say: bool = False
    may_lose: int = 0


def good_page(name: str) -> tuple[str, Tables, Printed]:
    """A page's kind, its record, and the lines that it prints."""
    kind, record, printer = GOOD_PAGES[name]
    tables = record()
    return kind, tables, printer(tables, Printing(decimals=2))


def _golden(name: str) -> Tables:
    tables: Tables = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))["tables"]
    for row in (row for rows in tables.values() for row in rows if "list_name" in row):
        row["list_name"] = None  # only an address tells it
    return tables


# --- parts of a printed page -------------------------------------------------------------------------------------------


def _parts(page: Printed) -> Iterator[tuple[str, int, int]]:
    """Each part of a page: its kind, its first line, and the line below its last."""
    headings = [at for at, line in enumerate(page) if isinstance(line, Line) and line.role == "heading"]
    for at, end in zip(headings, [*headings[1:], len(page)], strict=False):
        yield "section", at, end
    items = [at for at, line in enumerate(page) if isinstance(line, Line) and line.role == "item"]
    for at, end in zip(items, [*items[1:], len(page)], strict=False):
        yield "item", at, end
    for at, line in enumerate(page):
        if isinstance(line, Quarters):
            yield "quarters", at, at + 1
        elif line.role == "report":
            rule = next(n for n in range(at, len(page)) if isinstance(below := page[n], Line) and below.role == "rule")
            yield "report", at, rule + 1
        elif line.role == "step":
            yield "step", at, at + 5
        elif line.label == "รายละเอียดเกี่ยวกับตัวชี้วัด":
            end = next(n for n in range(at, len(page)) if isinstance(page[n], Quarters))
            yield "indicator", at, end + 1
        if isinstance(line, Line):
            yield "line", at, at + 1


def line_damages(page: Printed, tables: Tables, chance: random.Random) -> Iterator[Damage]:
    """Every damage by printed lines, in the order of the page; the details by chance."""
    parts = list(_parts(page))
    for kind, start, end in parts:
        part = page[start:end]
        name = f"{kind} {_named(part[0])}" if kind in ("section", "line") else kind
        yield Damage(f"doubled {name}", [*page[:end], *part, *page[end:]], tables)
        other = [_otherwise(line, chance) for line in part]
        if other != part and kind != "line":
            yield Damage(f"doubled with other values {name}", [*page[:end], *other, *page[end:]], tables, must_say=True)
        if not ("result_list_items" in tables and isinstance(part[0], Line) and _is_strategy(part[0])):
            yield _dropped(name, kind, page, start, end, tables)
        following = next((p for p in parts if p[0] == kind and p[1] == end), None)
        if following and _may_be_swapped(kind, page, start, tables):
            yield Damage(
                f"swapped {name}", [*page[:start], *page[end : following[2]], *part, *page[following[2] :]], tables
            )
        if kind in ("section", "line") and isinstance(line := part[0], Line) and _is_label(line):
            for how, renamed in _renamed(line):
                yield Damage(f"{how} {name}", [*page[:start], renamed, *page[start + 1 :]], tables)
        if kind == "quarters" and isinstance(table := part[0], Quarters):
            for what, rows in _row_damages(table, chance):
                yield Damage(what, [*page[:start], replace(table, rows=rows), *page[end:]], tables, must_say=True)
    for kind, start, _ in parts:
        if kind in ("report", "step", "item", "indicator"):
            yield Damage(f"foreign line above {kind}", [*page[:start], Line(FOREIGN), *page[start:]], tables, True)


def _named(line: Line | Quarters) -> str:
    if isinstance(line, Quarters):
        return "table"
    if line.label.startswith(("นาย", "นาง", "น.ส.", "คุณ")):
        return "(contact)"
    if line.role in ("text", "item", "report", "title") or not re.search("[ก-ฮA-Z]", line.label):
        return f"({line.role or 'value'})"
    if _is_strategy(line):
        return "(strategy)"
    return re.sub(" [0-9๐-๙]+$", "", line.label)[:28]


def _is_label(line: Line) -> bool:
    if line.role == "title" or _is_strategy(line):
        return False  # another title, another name of a strategy
    return line.role in ("heading", "report", "step") or bool(line.value and re.search("[ก-ฮA-Z]", line.label))


def _is_strategy(line: Line) -> bool:
    printed = line.label or line.value  # on a city indicator's page a colon leads
    return bool(re.match("(?:ด้าน|ยุทธศาสตร์|มิติ|เป้าหมาย)ที่ [๐-๙]|[๐-๙]+(?:[.][๐-๙]+)*$", printed))


def _may_be_swapped(kind: str, page: Printed, start: int, tables: Tables) -> bool:
    """A text above its heading is the text of the heading before, and a list's levels are as they stand."""
    if kind != "line":
        return True
    both = [line for line in page[start : start + 2] if isinstance(line, Line)]
    is_in_order = "result_list_items" in tables and all(map(_is_strategy, both))
    return not is_in_order and not any(line.role == "text" for line in both)


def _otherwise(line: Line | Quarters, chance: random.Random) -> Line | Quarters:
    """The line with another value: other digits behind its label."""

    def other(text: str) -> str:
        return re.sub("[0-9]", lambda _: str(chance.randint(1, 9)), text)

    if isinstance(line, Quarters):
        return replace(line, rows=tuple((row[0], other(row[1]), row[2], row[3]) for row in line.rows))
    if line.role in ("report", "step", "title", "heading", "item") or line.label.startswith("รายละเอียด"):
        return line
    return replace(line, value=other(line.value), label=line.label if line.value else other(line.label))


def _renamed(line: Line) -> Iterator[tuple[str, Line]]:
    label = line.label
    middle = max(label.rfind("ง"), 1)
    yield "renamed", replace(line, label="ความเป็นมาใหม่" if line.role == "heading" else "รายการใหม่")
    yield "misspelt", replace(line, label=label[:middle] + "ๆ" + label[middle:])
    if (line.joint or line.role) and not line.label.startswith(
        "ค่าเป้าหมาย"
    ):  # a unit ends that; where values are glued to their labels it is a value
        yield "lengthened", replace(line, label=f"{label}ใหม่")


def _row_damages(table: Quarters, chance: random.Random) -> Iterator[tuple[str, tuple[tuple[str, str, str, str], ...]]]:
    rows = table.rows
    at = chance.randrange(len(rows))
    yield "doubled quarter row", (*rows[: at + 1], *rows[at:])
    if at + 1 < len(rows):
        yield "dropped quarter row", (*rows[:at], *rows[at + 1 :])
        yield "swapped quarter row", (*rows[:at], rows[at + 1], rows[at], *rows[at + 2 :])


def _dropped(name: str, kind: str, page: Printed, start: int, end: int, tables: Tables) -> Damage:
    left = [*page[:start], *page[end:]]
    line = page[start]
    said = deepcopy(tables)
    must_say = False
    if kind == "report":
        reports = said["progress_reports"]
        place = sum(k == "report" for k, at, _ in _parts(page) if at > start)  # from the oldest
        must_say = place > 0
        del reports[place]
        if place == 0:
            for row in reports:
                row["report_index"] -= 1
    elif kind == "step":
        place = sum(k == "step" for k, at, _ in _parts(page) if at < start)
        must_say = place + 1 < len(said["plan_steps"])
        del said["plan_steps"][place]
    elif kind == "indicator" and isinstance(line, Line):
        for table in ("project_kpis", "project_kpi_quarters"):
            said[table] = [row for row in said[table] if row["kpi_code"] != line.value]
    elif kind == "item":
        place = 1 + sum(k == "item" for k, at, _ in _parts(page) if at < start)
        must_say = end < len(page)
        said = {table: [row for row in rows if row["item_no"] != place] for table, rows in said.items()}
    elif kind in ("quarters", "section") or (isinstance(line, Line) and line.role == "heading"):
        must_say = True
    elif isinstance(line, Line) and _is_strategy(line):
        rows = next((rows for table, rows in said.items() if table.endswith("_strategies")), [])
        place = sum(isinstance(above, Line) and _is_strategy(above) for above in page[:start])
        must_say = place + 1 < len(rows)
        for row in rows[place + 1 :]:
            row["position"] -= 1
        del rows[place : place + 1]
    has_links = isinstance(line, Line) and bool(line.links)  # an item's codes are in its links alone
    may_lose = 0 if kind != "line" else _ANY_NUMBER if has_links else _MOST_IN_A_LINE
    return Damage(f"dropped {name}", left, said, must_say, may_lose)


# --- damage to elements --------------------------------------------------------------------------------------------------


def element_damages(body: bytes, tables: Tables, chance: random.Random, count: int) -> Iterator[tuple[str, bytes]]:
    """Elements of a page doubled, dropped, or swapped with their neighbours: numbers and texts alone are not swapped."""
    texts = {value for rows in tables.values() for row in rows for value in row.values() if isinstance(value, str)}
    for _ in range(count):
        tree = LexborHTMLParser(body)
        elements = [
            node for node in tree.css("body *") if node.tag not in ("b", "font", "br", "a", "i", "img", "strong")
        ]
        elements = [node for node in elements if len(node.text()) < len(tree.body.text()) * 0.9] if tree.body else []
        if not elements:
            return
        node = chance.choice(elements)
        what = chance.choice(("doubled", "dropped", "swapped"))
        sibling = _next_element(node)
        if sibling is not None and any(_is_value(one.text().strip(), texts) for one in (node, sibling)):
            sibling = None  # in another cell, or above its heading: nobody could tell
        if what == "swapped" and sibling is not None:
            sibling.insert_after(node.clone())
        elif what == "doubled":
            node.insert_after(node.clone())
            yield f"{what} <{node.tag}>", (tree.html or "").encode()
            continue
        node_tag = node.tag
        if what == "swapped" and sibling is None:
            continue
        node.decompose()
        yield f"{what} <{node_tag}>", (tree.html or "").encode()


def _is_value(text: str, texts: set[str]) -> bool:
    return text in texts or not re.search("[ก-๙]", text)


def _next_element(node: LexborNode) -> LexborNode | None:
    following = node.next
    while following is not None and not following.is_element_node:
        following = following.next
    return following


# --- the law -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """A way in which a document breaks the law: `wrong`, `lost` or `silent`, and the values it concerns."""

    what: str
    details: tuple[str, ...]


def said_more(page: ParsedPage, good: ParsedPage) -> bool:
    """Whether a page says of itself that something is wrong that is not wrong on the good page."""
    if page.verdict != "ok" or set(page.unclaimed) - set(good.unclaimed) or len(page.unclaimed) > len(good.unclaimed):
        return True

    def remarks(one: ParsedPage) -> Counter[tuple[str, str | None, str | None]]:
        return Counter((f["rule"], f["table"], f["printed"]) for f in one.findings if f["rule"] not in SAYS_NOTHING)

    return bool(remarks(page) - remarks(good))


def fault(page: ParsedPage, good: ParsedPage, damage: Damage) -> Fault | None:
    """How a document breaks the law; None where it keeps it."""
    if said_more(page, good):
        return None
    wrong, lost = _differences(page.tables, damage.tables)
    if wrong:
        return Fault("wrong", tuple(wrong))
    if len(lost) > damage.may_lose:
        return Fault("lost", tuple(lost))
    return Fault("silent", ()) if damage.must_say else None


def _differences(tables: Tables, truth: Tables) -> tuple[list[str], list[str]]:
    """Values that are not the record's, and those that are missing."""
    wrong, lost = [], []
    for table, rows in truth.items():
        columns = KEYS.get(table, ())
        expected = {tuple(row[column] for column in columns): row for row in rows}
        found = {tuple(row[column] for column in columns): row for row in tables.get(table, [])}
        wrong += [
            f"{table} {key}: a row too many" for key in found.keys() - expected.keys() if not _is_blank(found[key])
        ]
        for key, row in expected.items():
            if key not in found:
                lost.append(f"{table} {key}: no row")
                continue
            for column, value in row.items():
                got = found[key].get(column)
                if got != value:
                    (lost if got is None else wrong).append(f"{table} {key} {column}: {got!r}, printed {value!r}")
    return wrong, lost


def _is_blank(row: dict[str, Any]) -> bool:
    return all(value is None or column.endswith(("_code", "_no", "quarter")) for column, value in row.items())


def same_but_for_the_oldest(page: ParsedPage, tables: Tables) -> Tables:
    """The record without its oldest reports, where the page shows fewer: their numbers begin at the newest."""
    rows = tables.get("progress_reports", [])
    missing = len(rows) - len(page.tables.get("progress_reports", []))
    if missing <= 0:
        return tables
    kept = [{**row, "report_index": row["report_index"] - missing} for row in rows[missing:]]
    return {**tables, "progress_reports": kept}
