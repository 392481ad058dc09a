"""A state as one Excel file that can be handed on: a sheet about the file, then a sheet for each table.

The first row of a sheet has the columns' names, the second what the portal calls them in Thai, with the unit; rows follow.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any, Final

from rich.cells import cell_len

from pipeline.errors import BmaProgressError
from pipeline.progress import counted
from pipeline.publish.extras import import_extra
from pipeline.schema.columns import TABLES, Column, Table
from pipeline.schema.thai_texts import COLUMNS_TH, TABLES_TH, TYPES, UNITS_TH
from pipeline.store.data_package import LICENCE, LICENCE_TH
from pipeline.store.layout import harvest_day

CELL: Final = 32_767
"""Excel holds no longer text in a cell, counted in UTF-16: a letter outside the first plane counts twice."""
HEADING_ROWS: Final = 2
ROWS: Final = 1_048_576 - HEADING_ROWS
"""Excel holds no more rows below the headings."""
_FIRST_YEAR: Final = 1900
_WIDEST, _NARROWEST = 60, 8  # of a column, in letters
_WIDTHS: Final = {"date": 11, "instant": 20}
_MEASURED: Final = 200  # rows that are looked at for the width of a column

ABOUT: Final = "about"


def xlsxwriter() -> Any:
    """The library that writes Excel files. Raises BmaProgressError where it is not installed."""
    return import_extra("xlsxwriter", "XlsxWriter", "excel")


def write_excel(tables: Any, harvest_id: str, out: Path) -> list[str]:
    """Write the tables of a state into a file in `out`; returns notes for the user. tables: as `export` holds them"""
    numbers = {name: tables.number(name) for name in TABLES}
    for name, number in numbers.items():
        if number > ROWS:
            raise BmaProgressError(f"{name} has {number:,} rows, more than Excel holds; take --format csv or duckdb")
    notes: list[str] = []
    file = out / f"bma-progress-{harvest_id}.xlsx"
    with xlsxwriter().Workbook(file, {"constant_memory": True, "remove_timezone": True}) as book:
        styles = {
            "heading": book.add_format({"bold": True, "bg_color": "#E7ECF2"}),
            "title": book.add_format({"bold": True, "font_size": 14}),
            "thai": book.add_format({"bg_color": "#E7ECF2", "text_wrap": True, "valign": "top", "bottom": 1}),
            "date": book.add_format({"num_format": "yyyy-mm-dd"}),
            "instant": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        }
        _write_about(book.add_worksheet(ABOUT), tables.archive, harvest_id, numbers, styles)
        for table in counted(TABLES.values(), "tables written"):
            if cut := _write_sheet(book.add_worksheet(table.name), table, tables.rows(table.name), styles):
                notes.append(
                    f"{table.name}: {cut:,} texts are longer than an Excel cell and were cut; the other formats have them whole"
                )
    return notes


def _write_about(sheet: Any, archive: Any, harvest_id: str, numbers: dict[str, int], styles: dict[str, Any]) -> None:
    """Write what the file is: its source, night and licence, its tables, and what every column means."""
    nights = archive.harvest_ids(published_only=True)
    sheet.set_column(0, 0, 26)
    sheet.set_column(1, 1, 28)
    sheet.set_column(2, 5, _WIDEST)
    facts = (
        ("Source / แหล่งข้อมูล", archive.portal),
        ("State as of harvest / ข้อมูล ณ รอบเก็บข้อมูล", harvest_id),
        ("Night in Bangkok / คืนวันที่ (เวลากรุงเทพฯ)", harvest_day(harvest_id)),
        (
            "Published nights / คืนที่เผยแพร่",
            f"{len(nights):,}: {harvest_day(nights[0])} – {harvest_day(nights[-1])}" if nights else "0",
        ),
        ("Licence / สัญญาอนุญาต", f"{LICENCE} / {LICENCE_TH}"),
        ("Times / เวลา", "…_at are instants in UTC, …_date days / …_at เป็นเวลา UTC, …_date เป็นวันที่"),
        ("Made by / จัดทำด้วย", "bma-progress"),
    )
    sheet.write_string(0, 0, "Progress of the projects of the Bangkok Metropolitan Administration", styles["title"])
    sheet.write_string(1, 0, "ความก้าวหน้าโครงการของกรุงเทพมหานคร", styles["title"])
    row = 3
    for name, value in facts:
        row = _write_line(sheet, row, (name, "", str(value)))
    row = _write_line(sheet, row + 1, ("Table / ตาราง", "Rows / แถว", "One row is / หนึ่งแถวคือ"), styles["heading"])
    for table in TABLES.values():
        sheet.write_number(row, 1, numbers[table.name])
        texts = (table.name, "", f"{table.description} / {TABLES_TH[table.name]}")
        row = _write_line(sheet, row, texts)
    headings = (
        "Table / ตาราง",
        "Column / คอลัมน์",
        "Meaning",
        "ความหมาย",
        "Label in the portal / ป้ายในเว็บไซต์",
        "Type, unit",
    )
    row = _write_line(sheet, row + 1, headings, styles["heading"])
    for table in TABLES.values():
        for column in table.columns:
            kind = ", ".join(filter(None, (TYPES[column.type][0], column.unit)))
            thai = COLUMNS_TH.get(column.description, "")
            row = _write_line(sheet, row, (table.name, column.name, column.description, thai, column.label_th, kind))


def _write_line(sheet: Any, row: int, texts: Sequence[str], style: Any = None) -> int:
    """Write texts side by side; returns the next row."""
    for place, text in enumerate(texts):
        if text:
            sheet.write_string(row, place, text, style)
    return row + 1


def _thai_heading(column: Column) -> str:
    unit = f" ({UNITS_TH.get(column.unit, column.unit)})" if column.unit else ""
    return f"{column.label_th or COLUMNS_TH.get(column.description, '')}{unit}"


def _write_sheet(sheet: Any, table: Table, rows: Iterator[tuple[Any, ...]], styles: dict[str, Any]) -> int:
    """Write one table; returns how many texts were cut."""
    sheet.freeze_panes(HEADING_ROWS, len(table.key))
    sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})  # codes are texts: Excel need not warn of each
    first = [row for _, row in zip(range(_MEASURED), rows, strict=False)]
    for place, column in enumerate(table.columns):
        sheet.set_column(place, place, _width(column, [row[place] for row in first]))
    for place, column in enumerate(table.columns):
        sheet.write_string(0, place, column.name, styles["heading"])
    for place, column in enumerate(table.columns):
        sheet.write_string(1, place, _thai_heading(column), styles["thai"])
    cut, number = 0, HEADING_ROWS - 1
    for number, row in enumerate(chain(first, rows), HEADING_ROWS):
        cut += _write_row(sheet, number, table, row, styles)
    sheet.autofilter(1, 0, max(number, HEADING_ROWS - 1), len(table.columns) - 1)
    return cut


def _width(column: Column, values: list[Any]) -> int:
    """A column's width in letters: that of its longest line, within bounds; Thai marks take none."""
    if column.type in _WIDTHS:
        return max(_WIDTHS[column.type], len(column.name) + 3)
    longest = max((cell_len(str(value)[:_WIDEST]) for value in values if value is not None), default=0)
    return min(_WIDEST, max(_NARROWEST, longest + 1, len(column.name) + 3))  # the button of the filter takes some


def _write_row(sheet: Any, number: int, table: Table, row: tuple[Any, ...], styles: dict[str, Any]) -> int:
    """Write one row; returns how many texts were cut."""
    cut = 0
    for place, (column, value) in enumerate(zip(table.columns, row, strict=True)):
        if value is None:
            continue
        if isinstance(value, date):
            if value.year < _FIRST_YEAR:
                sheet.write_string(number, place, value.isoformat())
            else:
                sheet.write_datetime(number, place, value, styles[column.type])
        elif isinstance(value, str):  # write_string never makes a formula or a link
            text = within_cell(value)
            cut += text is not value
            sheet.write_string(number, place, text)
        elif isinstance(value, bool):
            sheet.write_boolean(number, place, value)
        else:
            sheet.write_number(number, place, value)
    return cut


def within_cell(text: str) -> str:
    """The text, cut where it is longer than an Excel cell; no letter is halved."""
    if len(text) <= CELL // 2:
        return text
    units = text.encode("utf-16-le", "surrogatepass")
    return text if len(units) <= 2 * CELL else units[: 2 * CELL].decode("utf-16-le", "ignore")
