"""What pages show of rows: tables with readable cells, changes with their words marked, the calendar, the chart."""

import calendar
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from pipeline.browse.texts import Words
from pipeline.compare.text_diff import changed_words, is_text_change
from pipeline.publish.charts import Chart, Lines, draw
from pipeline.publish.excerpts import Run, excerpt
from pipeline.schema.columns import TABLES
from pipeline.schema.row_text import row_of_text

_CUT: Final = 400  # letters of a value in a list of changes
_BUDDHIST: Final = 543
_ORDER: Final = (
    *("progress_reports", "plan_steps", "kpis", "kpi_quarters", "project_kpis"),
    *("project_kpi_quarters", "projects", "project_strategies", "contacts", "plan_vs_actual"),
)
"""The tables of a record's page, in the order shown."""
_OPEN: Final = 5  # of them the first are shown open
_REPEATED: Final = frozenset(("project_overview",))
"""Tables that say again what the head of the page says."""
_UPRIGHT: Final = frozenset(("projects", "kpis"))
"""Tables with one row a page, shown as a list of columns."""


class ShownTable(NamedTuple):
    """One table of a record: its columns' titles, its rows as texts. upright: one row, shown as a list"""

    name: str
    columns: list[str]
    rows: list[list[str]]
    upright: bool
    open: bool


class Night(NamedTuple):
    """A day of the calendar: its number, `good`, `bad` or `none`, and its harvest."""

    day: int
    state: str
    harvest_id: str | None


def shown_tables(
    tables: Mapping[str, list[dict[str, Any]]], words: Words, *, without: Iterable[str] = ()
) -> list[ShownTable]:
    """The rows of a record as its page shows them. without: columns that are left out"""
    names = [name for name in (*_ORDER, *(set(tables) - set(_ORDER) - _REPEATED)) if tables.get(name)]
    return [_shown_table(name, tables[name], words, frozenset(without)) for name in names]


def _shown_table(name: str, rows: list[dict[str, Any]], words: Words, without: frozenset[str]) -> ShownTable:
    types = {column.name: column.type for column in TABLES[name].columns} if name in TABLES else {}
    owner = TABLES[name].key[0] if name in TABLES and name not in _UPRIGHT else ""
    said = [one for one in rows[0] if one != owner and any(row.get(one) is not None for row in rows)]
    columns = [one for one in said if one not in without]
    ordered = list(reversed(rows)) if name == "progress_reports" else rows
    cells = [[_cell(row.get(one), types.get(one, "string")) for one in columns] for row in ordered]
    titles = [words.column(name, one) for one in columns]
    return ShownTable(name, titles, cells, name in _UPRIGHT and len(rows) == 1, name in _ORDER[:_OPEN])


def _cell(value: Any, kind: str) -> str:
    if value is None:
        return ""
    if kind == "date":
        return str(value)[:10]
    if kind == "instant":
        return str(value)[:16].replace("T", " ")
    return f"{value:,.10g}" if isinstance(value, float) else str(value)


def shown_change(row: dict[str, Any], words: Words, names: Mapping[str, str], *, whole: bool = False) -> dict[str, Any]:
    """A change as pages show it: where it is, and both sides as runs of text or, for a whole row, as its fields.

    names: of records, by code; whole: nothing is shortened
    """
    key = row_of_text(row["key"])
    place = " / ".join(str(value) for name, value in key.items() if name not in ("project_code", "agency_code"))
    code = row["project_code"] or row["kpi_code"]
    place = "" if place == code else place
    shown: dict[str, Any] = {
        **row,
        "place": f"{words.table(row['table'])} {place}".strip(),
        "name": names.get(code or ""),
    }
    shown |= {"runs_before": None, "runs_after": None, "fields_before": None, "fields_after": None}
    if is_text_change(row):
        shown["runs_before"], shown["runs_after"] = _marked(row, whole=whole)
        return shown
    for side in ("before", "after"):
        if (text := row[side]) is None:
            continue
        if row["column"] is None and (fields := _fields(row["table"], text, words)):
            shown[f"fields_{side}"] = fields
        else:
            shown[f"runs_{side}"] = [Run(text if whole or len(text) <= _CUT else f"{text[:_CUT]} …", False)]
    return shown


def _marked(row: Mapping[str, Any], *, whole: bool) -> list[list[Run]]:
    pieces = changed_words(row["before"], row["after"])
    if not whole:
        return [excerpt(pieces, "added"), excerpt(pieces, "removed")]
    return [
        [Run(piece.text, piece.operation != "same") for piece in pieces if piece.operation != other]
        for other in ("added", "removed")
    ]


def _fields(table: str, text: str, words: Words) -> list[tuple[str, str]]:
    """The fields of a row that a change tells whole; empty where the text is no such row."""
    return [(words.column(table, name), value) for name, value in whole_row(text).items()]


def whole_row(text: str) -> dict[str, str]:
    """The fields of an added or removed row that are not null, as texts; empty where the text is no such row."""
    return {name: str(value) for name, value in row_of_text(text).items() if value is not None}


def shown_calendar(nights: Iterable[Mapping[str, Any]], months: int) -> list[tuple[str, list[list[Night | None]]]]:
    """The newest months, newest first, each as its weeks from Monday; None for days of other months.

    A day on which nothing was harvested counts as `none` between the first night and the last.
    """
    by_day: dict[str, Night] = {}
    for row in nights:  # newest first: the day's last published harvest counts, else its last
        known = by_day.get(row["day"])
        if known is None or (known.state == "bad" and row["published"]):
            state = "good" if row["published"] else "bad"
            by_day[row["day"]] = Night(int(row["day"][8:]), state, row["harvest_id"])
    if not by_day:
        return []
    first, last = min(by_day), max(by_day)

    def night(day: date, month: int) -> Night | None:
        text = day.isoformat()
        if day.month != month:
            return None
        return by_day.get(text) or Night(day.day, "none" if first <= text <= last else "outside", None)

    newest = int(last[:4]) * 12 + int(last[5:7]) - 1
    oldest = max(int(first[:4]) * 12 + int(first[5:7]) - 1, newest - months + 1)
    weeks = calendar.Calendar()
    return [
        (
            f"{at // 12}-{at % 12 + 1:02}",
            [[night(day, at % 12 + 1) for day in week] for week in weeks.monthdatescalendar(at // 12, at % 12 + 1)],
        )
        for at in range(newest, oldest - 1, -1)
    ]


def shown_chart(about: Mapping[str, Any], tables: Mapping[str, list[dict[str, Any]]]) -> Chart | None:
    """Plan against reported progress; None where nothing has a date."""
    year = about["fiscal_year_be"]
    steps = [_with_dates(row, "start_date", "end_date") for row in tables.get("plan_steps", ())]
    reports = [_with_dates(row, "reported_on_date") for row in tables.get("progress_reports", ())]
    lines = Lines(steps, reports)
    return draw(lines, lines, year - _BUDDHIST, label=about["code"]) if year else None


def _with_dates(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {**row, **{name: datetime.fromisoformat(row[name]).date() if row[name] else None for name in names}}
