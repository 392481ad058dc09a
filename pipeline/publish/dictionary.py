"""The data dictionary: every table and column in English and Thai, from `pipeline/schema/columns.py`.

One Markdown page for each language, and one HTML page with both that needs no network and no script.
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
"""(table, column) → a real value; columns with personal data have none."""

_SHORT: Final = 48  # letters of an example
_FILES: Final[dict[Language, str]] = {"en": "data-dictionary.md", "th": "data-dictionary.th.md"}
_HTML: Final = "data-dictionary.html"


def examples_of(store: Archive, like: str | None = None) -> dict[tuple[str, str], str]:
    """A real value of each column, where there is one; columns with personal data have none.

    like: the code of a project or indicator whose rows are preferred; None prefers the first rows
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
    """The rows with those of one code first."""
    if like is None:
        return rows
    about = [
        rows.filter(pc.equal(rows[name], like)) for name in ("project_code", "kpi_code") if name in rows.column_names
    ]
    return pa.concat_tables([*about, rows])


def write_dictionary(out: Path, examples: Examples | None = None) -> list[Path]:
    """Write the three pages into a folder. Returns their files."""
    out.mkdir(parents=True, exist_ok=True)
    pages = {name: markdown(language, examples) for language, name in _FILES.items()} | {_HTML: html(examples)}
    for name, text in pages.items():
        (out / name).write_text(text, encoding="utf-8")
    return [out / name for name in pages]


def markdown(language: Language, examples: Examples | None = None) -> str:
    """The dictionary in one language, with a Mermaid diagram of the tables."""
    return _page("dictionary.md.jinja", examples, language=language)


def html(examples: Examples | None = None) -> str:
    """The dictionary in both languages, with an SVG diagram of the tables."""
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
    """Text escaped for a cell of a Markdown table."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _prose(text: str) -> Markup:
    """Text as HTML; text between backticks becomes code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped first


def example_text(column: Column, value: Any) -> str:
    """A value as the pages and `Store.describe` show it: dates as days, instants in UTC, long texts shortened."""
    if column.type == "date":
        return f"{value:%Y-%m-%d}"
    if column.type == "instant":
        return f"{value:%Y-%m-%d %H:%M:%S}Z"
    text = f"{value:.12g}" if column.type == "float" else str(value)
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1].rstrip()}…"


# --- the diagram ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Box:
    """A table in the diagram: its key, its place and size in pixels."""

    name: str
    key: str
    x: int
    y: int
    width: int
    height: int = 52


@dataclass(frozen=True, slots=True)
class Line:
    """A relation as an SVG path. Where the parent's row may be missing: also the column as a label, and its place."""

    path: str
    label: str = ""
    x: int = 0
    y: int = 0


@dataclass(frozen=True, slots=True)
class Diagram:
    """The tables and their relations, and the size of the SVG."""

    boxes: list[Box]
    lines: list[Line]
    width: int
    height: int


_COLUMN: Final = (20, 420, 800)  # left edges of parents, their children, and their grandchildren
_WIDTH: Final = 250
_ROW: Final = 66


def diagram() -> Diagram:
    """The diagram: parents on the left, children to their right."""
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
        lines.append(_optional_line(boxes[one.parent], boxes[one.child], one.columns[0], number, arrived[one.child]))
        arrived[one.child] += 1
    return Diagram(list(boxes.values()), lines, _COLUMN[-1] + _WIDTH + 20, 16 + row * _ROW)


def _line(parent: Box, child: Box) -> Line:
    """From the parent's right edge to the child's left."""
    x, y = parent.x + parent.width, child.y + 14
    return Line(f"M{x},{parent.y + 14} H{x + 22} V{y} H{child.x}")


def _optional_line(parent: Box, child: Box, label: str, number: int, arrived: int) -> Line:
    """The line of a relation whose parent row may be missing, beside the other lines.

    number: of all such lines; arrived: how many of them already end at the child
    """
    x, y = parent.x + parent.width, child.y + 30 + 15 * arrived
    return Line(f"M{x},{parent.y + 32 + 7 * number} H{x + 26 + 12 * number} V{y} H{child.x}", label, child.x - 6, y - 4)
