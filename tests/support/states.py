"""States of the tables made from the fixtures' rows, to be edited by hand: the known edits that `diff` must find."""

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from parsers import parse_page
from pipeline.schema.columns import RECORD_TABLES, TABLES, arrow_schema
from pipeline.store.parquet import to_table

Row = dict[str, Any]
SEED = "24000000-2964"


@cache
def _fixture_rows() -> dict[str, dict[tuple[Any, ...], Row]]:
    rows: dict[str, dict[tuple[Any, ...], Row]] = {name: {} for name in RECORD_TABLES}
    for page in sorted((Path(__file__).parents[2] / "fixtures_html").glob("*.html")):
        for table, found in parse_page(page.read_bytes(), url=page_url(page)).tables.items():
            for row in found:
                rows[table].setdefault(tuple(row[column] for column in TABLES[table].key), row)
    return rows


def page_url(page: Path) -> str | None:
    """The address of a saved list, which alone tells the list's name; None for other pages."""
    name, _, agency = page.stem.partition("-")
    return f"http://portal/mobile/{name}.php?selDEP={agency}" if name.startswith("index") else None


class State:
    """All tables as lists of rows, free to be edited."""

    def __init__(self) -> None:
        self.rows = {name: copy.deepcopy(list(rows.values())) for name, rows in _fixture_rows().items()}

    def of(self, table: str, **key: object) -> list[Row]:
        return [row for row in self.rows[table] if all(row.get(column) == value for column, value in key.items())]

    def one(self, table: str, **key: object) -> Row:
        (row,) = self.of(table, **key)
        return row

    def remove(self, table: str, **key: object) -> None:
        gone = self.of(table, **key)
        assert gone
        self.rows[table] = [row for row in self.rows[table] if row not in gone]

    def insert_report(self, index: int, **values: object) -> None:
        """A report put at a place, as the portal would: all numbers and places move."""
        reports = self.of("progress_reports", project_code=SEED)
        self.remove("progress_reports", project_code=SEED)
        reports.insert(index - 1, {**reports[0], "problems": None, "obstacles": None, **values})
        self.rows["progress_reports"] += number_reports(reports)

    def remove_report(self, index: int) -> None:
        reports = self.of("progress_reports", project_code=SEED)
        self.remove("progress_reports", project_code=SEED)
        del reports[index - 1]
        self.rows["progress_reports"] += number_reports(reports)

    def tables(self) -> dict[str, pa.Table]:
        tables = {}
        for name, rows in self.rows.items():
            ordered = sorted(rows, key=lambda row: tuple(row[column] for column in TABLES[name].key))
            tables[name] = to_table(ordered, arrow_schema(name, facts_only=True))
        return tables


def number_reports(reports: list[Row]) -> list[Row]:
    return [
        {**row, "report_index": place, "report_no": len(reports) + 1 - place} for place, row in enumerate(reports, 1)
    ]


def edited(*edits: Callable[[State], object]) -> tuple[dict[str, pa.Table], dict[str, pa.Table]]:
    """The fixtures' state, and the same after some edits."""
    after = State()
    for edit in edits:
        edit(after)
    return State().tables(), after.tables()
