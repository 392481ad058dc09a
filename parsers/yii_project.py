"""The newer front end's project page: labels and values glued, or in two columns; the only page that prints budgets."""

import re
from typing import Any, Final

from parsers.findings import Findings
from parsers.indicator import number, percentage
from parsers.labels import (
    FURNITURE,
    KPI_CODE,
    PROJECT_CODE,
    SUB_OFFICE_MARK,
    YII_CODE_LABEL,
    YII_CODE_LINE,
    YII_FURNITURE,
)
from parsers.plain import EMPTY_CELL
from parsers.project import TABLES as PROJECT_TABLES
from parsers.thai import BUDDHIST_OFFSET, arabic_digits, parse_integer, parse_iso_day

Row = dict[str, Any]

TABLES = tuple(table for table in PROJECT_TABLES if table in ("projects", "project_kpis"))

LABELS: Final[dict[str, str]] = {
    "รหัสโครงการ": "project_code",
    "ชื่อโครงการ": "name",
    "ปีงบประมาณ": "fiscal_year_be",
    "ปี": "fiscal_year_be",
    "งบฯ ที่ได้รับ (บาท)": "budget_received_baht",
    "งบฯ ที่ใช้ไป (บาท)": "budget_spent_baht",
    "คืบหน้าล่าสุด": "progress_percent",
    "หน่วยงาน": "agency_name",
    "Start Date": "start_date",
    "Finish Date": "finish_date",
    "Kpi ID": "kpi_code",
    "หลักการและเหตุผล": "rationale",
    "วัตถุประสงค์ของโครงการ": "objectives",
    "วัตถุประสงค์": "objectives",
    "เป้าหมายของโครงการ": "targets",
    "เป้าหมาย": "targets",
}
"""The printed labels, and the columns their values go to."""

ON_EVERY_PAGE: Final = (
    *("ปี", "งบฯ ที่ได้รับ (บาท)", "งบฯ ที่ใช้ไป (บาท)", "คืบหน้าล่าสุด", "หน่วยงาน", "Start Date", "Finish Date", "Kpi ID"),
    "หลักการและเหตุผล",
)
"""What has no value is printed too, as not set."""

_NOT_SET = re.compile(r"\(?\s*(?:ไม่ได้ตั้ง|not set)\s*\)?")
_CODE = re.compile(PROJECT_CODE)
_KPI_CODE = re.compile(KPI_CODE)
_ONLY_ALONE = frozenset(("วัตถุประสงค์", "เป้าหมาย"))  # glued, they cannot be told from a text's first word
_LONG_TEXTS = frozenset(("rationale", "objectives", "targets"))


class YiiProjectPage:
    """One page of the newer front end while it is read."""

    def __init__(self, lines: list[str], findings: Findings) -> None:
        self.findings = findings
        self.unclaimed: list[str] = []
        self.code = ""
        self.evaluation_quarter: int | None = None
        self.tables: dict[str, list[Row]] = {table: [] for table in TABLES}
        self._read(lines)

    @property
    def has_record(self) -> bool:
        """Whether the page shows a project at all."""
        return bool(self.code)

    def _read(self, lines: list[str]) -> None:
        printed: dict[str, str] = {}
        # an empty cell is a spacer, or no value: the next line tells
        lines = [line for line in _labels_first(lines) if line != EMPTY_CELL]
        above, lines = _cut_furniture(lines)
        in_columns = any(line.rstrip(" :") == YII_CODE_LABEL for line in lines)
        unread = _read_values(lines, printed, in_columns)
        self.unclaimed += [line for line in _read_values(above, printed, in_columns) + unread if line not in FURNITURE]
        values = {key: None if _NOT_SET.fullmatch(text) else text or None for key, text in printed.items()}
        code = arabic_digits(values.get("project_code") or "")
        if not _CODE.fullmatch(code):
            if code:
                self.findings.add("code_shape", table="projects", column="project_code", printed=code)
            return
        self.code = code
        for label in ON_EVERY_PAGE:
            name = LABELS[label]
            if name not in printed:
                self.findings.add(
                    "part_missing",
                    table="projects",
                    key=code,
                    column=name,
                    printed=label,
                    message=f"The page has no label {label}.",
                )
        self.tables["projects"].append(self._project(values))
        self._read_kpi(values.get("kpi_code"))

    def _project(self, values: dict[str, str | None]) -> Row:
        year_text = values.get("fiscal_year_be")
        year = parse_integer(year_text) if year_text else None
        if year_text and year is None:
            self.findings.add(
                "number_unreadable", table="projects", key=self.code, column="fiscal_year_be", printed=year_text
            )
        return {
            "project_code": self.code,
            "name": values.get("name"),
            "agency_code": self.code[:8],
            "agency_name": SUB_OFFICE_MARK.sub("", values.get("agency_name") or "", count=1) or None,
            "fiscal_year_be": year,
            "fiscal_year_ce": year - BUDDHIST_OFFSET if year else None,
            "progress_percent": percentage(
                values.get("progress_percent"), self.findings, "projects", self.code, "progress_percent"
            ),
            "evaluation_score": None,
            "unit_code": None,
            "unit_code_second": None,
            "rationale": values.get("rationale"),
            "objectives": values.get("objectives"),
            "targets": values.get("targets"),
            "budget_received_baht": self._number(values, "budget_received_baht"),
            "budget_spent_baht": self._number(values, "budget_spent_baht"),
            "start_date": self._day(values, "start_date"),
            "finish_date": self._day(values, "finish_date"),
        }

    def _read_kpi(self, printed: str | None) -> None:
        if not printed:
            return
        code = arabic_digits(printed)
        if not _KPI_CODE.fullmatch(code):
            self.findings.add("code_shape", table="project_kpis", key=self.code, column="kpi_code", printed=printed)
        self.tables["project_kpis"].append(
            {
                "project_code": self.code,
                "kpi_code": code,
                "name": None,
                "unit": None,
                "target_value": None,
                "achieved_value": None,
                "kpi_type": None,
                "kpi_level": None,
            }
        )

    def _number(self, values: dict[str, str | None], column: str) -> float | None:
        return number(values.get(column), self.findings, "projects", self.code, column)

    def _day(self, values: dict[str, str | None], column: str) -> str | None:
        printed = values.get(column)
        day = parse_iso_day(printed) if printed else None
        if printed and day is None:
            self.findings.add("date_unreadable", table="projects", key=self.code, column=column, printed=printed)
        return day


def _read_values(lines: list[str], printed: dict[str, str], in_columns: bool) -> list[str]:
    """Read the labels' values into `printed` (column → text), where it has none yet; returns the lines that are none."""
    unread: list[str] = []
    column: str | None = None
    for line in lines:
        waits = column is not None and in_columns and not printed[column]
        in_text = waits or column in _LONG_TEXTS
        label = _label_of(line, printed, in_text and in_columns)
        if label:
            column = LABELS[label]
            printed[column] = line.removeprefix(label).lstrip(" :")
        elif column and in_text:
            value = line if printed[column] else line.lstrip(" :")
            printed[column] = f"{printed[column]} {value}".strip()
        else:
            unread.append(line)
    return unread


def _label_of(line: str, printed: dict[str, str], in_text: bool) -> str | None:
    """The label that begins a line, where its column has no value yet and the value fits a label glued to it.

    in_text: whether the labels stand alone, and the one above has no value yet or a text that may go on: then a line
        that goes on behind a label is a text that quotes it
    """
    for label, column in LABELS.items():
        if line.startswith(label) and column not in printed:
            value = line.removeprefix(label).lstrip(" :")
            if value and (in_text or label in _ONLY_ALONE):
                continue
            if label == "ปี" and value and parse_integer(value) is None and not _NOT_SET.fullmatch(value):
                continue  # a text that begins with "year"
            return label
    return None


def _labels_first(lines: list[str]) -> list[str]:
    """The lines with each label before its value, where a grid prints the labels in one row and the values below."""
    bare = [line if line in LABELS else "" for line in lines]
    if YII_CODE_LABEL not in bare:
        return lines
    start = end = len(bare) - 1 - bare[::-1].index(YII_CODE_LABEL)  # the last: a menu above may print it too
    while end < len(bare) and bare[end]:
        end += 1
    first = next((place for place in range(end, len(lines)) if _CODE.fullmatch(lines[place])), len(lines))
    values = lines[first : first + end - start]
    if end - start < 2 or len(values) < end - start:
        return lines
    pairs = [line for pair in zip(lines[start:end], values, strict=True) for line in pair]
    between = [line for line in lines[end:first] if parse_integer(line) is None]  # none but the row's own number
    return [*lines[:start], *between, *pairs, *lines[first + end - start :]]


def _cut_furniture(lines: list[str]) -> tuple[list[str], list[str]]:
    """What is unknown above the record, and the record's lines: without what the framework prints around every record.

    A menu above may print labels too: the record begins with the first label below which the code stands.
    """
    starts = [place for place, line in enumerate(lines) if line.startswith(YII_CODE_LABEL)]
    coded = next((place for place in starts if YII_CODE_LINE.match(" ".join(lines[place : place + 3]))), None)
    start = coded if coded is not None else starts[0] if starts else 0
    end = len(lines)
    while end > start and YII_FURNITURE.fullmatch(lines[end - 1]):
        end -= 1
    return [line for line in lines[:start] if not YII_FURNITURE.fullmatch(line)], lines[start:end]
