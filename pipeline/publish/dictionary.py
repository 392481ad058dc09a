"""The data dictionary as pages for people: every table and column, in English and Thai, from `pipeline/schema/columns.py`.

Markdown, a page a language, and one HTML page with both; it needs no network and no script.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import jinja2
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup, escape

from pipeline.schema.columns import TABLES, Column
from pipeline.schema.relations import MENTIONS, RELATIONS
from pipeline.schema.thai_texts import COLUMNS_TH, ODDITIES, TABLES_TH, TYPES, UNITS_TH
from pipeline.store.archive import Archive

Language = Literal["en", "th"]
Examples = Mapping[tuple[str, str], str]
"""(table, column) → a value as it stands in a row; personal columns have none."""

_SHORT: Final = 48  # letters of an example
_FILES: Final[dict[Language, str]] = {"en": "data-dictionary.md", "th": "data-dictionary.th.md"}
_HTML: Final = "data-dictionary.html"


def examples_of(store: Archive, like: str | None = None) -> dict[tuple[str, str], str]:
    """A real value of each column that has one; columns that hold personal data have no example.

    like: the code of a project or indicator whose rows are taken first; else the first rows
    """
    found = {}
    for name, table in TABLES.items():
        rows = _rows_of(store.arrow(name), like)
        for column in table.columns:
            if column.personal or not rows.num_rows:
                continue
            values = rows[column.name].drop_null()
            if len(values):
                found[name, column.name] = example_text(column, values[0].as_py())
    return found


def _rows_of(rows: pa.Table, like: str | None) -> pa.Table:
    """The rows with those about one code on top."""
    if like is None:
        return rows
    about = [
        rows.filter(pc.equal(rows[name], like)) for name in ("project_code", "kpi_code") if name in rows.column_names
    ]
    return pa.concat_tables([*about, rows])


def write_dictionary(out: Path, examples: Examples | None = None) -> list[Path]:
    """Write the three pages into a folder; returns their files."""
    out.mkdir(parents=True, exist_ok=True)
    pages = {name: markdown(language, examples) for language, name in _FILES.items()} | {_HTML: html(examples)}
    for name, text in pages.items():
        (out / name).write_text(text, encoding="utf-8")
    return [out / name for name in pages]


def markdown(language: Language, examples: Examples | None = None) -> str:
    """The dictionary in one language, with a diagram that Git forges draw."""
    return _page("dictionary.md.jinja", examples, language=language)


def html(examples: Examples | None = None) -> str:
    """The dictionary in both languages, with the diagram drawn in it."""
    return _page("dictionary.html.jinja", examples, diagram=diagram())


def _page(template: str, examples: Examples | None, **more: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.publish"),
        autoescape=template.endswith(".html.jinja"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"cell": _cell, "prose": _prose}
    return environment.get_template(template).render(
        tables=list(TABLES.values()),
        examples=examples or {},
        relations=RELATIONS,
        mentions=MENTIONS,
        oddities=ODDITIES,
        tables_th=TABLES_TH,
        columns_th=COLUMNS_TH,
        units_th=UNITS_TH,
        types=TYPES,
        **more,
    )


def _cell(text: str) -> str:
    """Text as a cell of a Markdown table holds it."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _prose(text: str) -> Markup:
    """Text as HTML, what stands between backticks as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped first


def example_text(column: Column, value: Any) -> str:
    """A value as the pages and `Store.describe` show it: dates as days, instants in UTC, long texts cut."""
    if column.type == "date":
        return f"{value:%Y-%m-%d}"
    if column.type == "instant":
        return f"{value:%Y-%m-%d %H:%M:%S}Z"
    text = f"{value:.12g}" if column.type == "float" else str(value)
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1].rstrip()}…"


# --- the diagram ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Box:
    """A table in the diagram: where it stands, in pixels, and its key."""

    name: str
    key: str
    x: int
    y: int
    width: int
    height: int = 52


@dataclass(frozen=True, slots=True)
class Line:
    """A relation: its path; if the parent's row may be missing, also the column it goes by, and where that is written."""

    path: str
    label: str = ""
    x: int = 0
    y: int = 0


@dataclass(frozen=True, slots=True)
class Diagram:
    """The tables and how they hang together, for an SVG of this size."""

    boxes: list[Box]
    lines: list[Line]
    width: int
    height: int


_COLUMN: Final = (20, 420, 800)  # left edges: what others hang on, what hangs on it, what hangs on that
_WIDTH: Final = 250
_ROW: Final = 66


def diagram() -> Diagram:
    """Parents on the left, what hangs on them to the right; relations that may lead nowhere are drawn dashed."""
    boxes: dict[str, Box] = {}
    parents = {relation.child: relation.parent for relation in (*MENTIONS, *RELATIONS)}
    row = 0

    def place(name: str, depth: int) -> None:
        nonlocal row
        children = [child for child, parent in parents.items() if parent == name]
        first = row
        for child in children:
            place(child, depth + 1)
        row = max(row, first + 1)
        boxes[name] = Box(name, ", ".join(TABLES[name].key), _COLUMN[depth], 16 + first * _ROW, _WIDTH)

    for name in TABLES:
        if name not in parents:
            place(name, 0)
    lines = [_line(boxes[one.parent], boxes[one.child]) for one in RELATIONS]
    arrived: Counter[str] = Counter()
    for number, one in enumerate(MENTIONS, start=1):
        lines.append(_loose(boxes[one.parent], boxes[one.child], one.columns[0], number, arrived[one.child]))
        arrived[one.child] += 1
    return Diagram(list(boxes.values()), lines, _COLUMN[-1] + _WIDTH + 20, 16 + row * _ROW)


def _line(parent: Box, child: Box) -> Line:
    """From the parent's right edge to the child's left."""
    x, y = parent.x + parent.width, child.y + 14
    return Line(f"M{x},{parent.y + 14} H{x + 22} V{y} H{child.x}")


def _loose(parent: Box, child: Box, label: str, number: int, arrived: int) -> Line:
    """The same, below it and beside the other loose ones; number: of all, arrived: how many end at the child already."""
    x, y = parent.x + parent.width, child.y + 30 + 15 * arrived
    return Line(f"M{x},{parent.y + 32 + 7 * number} H{x + 26 + 12 * number} V{y} H{child.x}", label, child.x - 6, y - 4)
