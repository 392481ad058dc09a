"""The KPI page: one indicator with its quarters and quarterly narrative."""

import re
from typing import Any

from parsers.findings import Findings
from parsers.indicator import (
    check_last_quarter,
    cut_quarter_table,
    join_narratives,
    read_evaluation,
    read_measures,
    read_quarter_table,
)
from parsers.labels import (
    FURNITURE,
    KPI_CODE,
    KPI_HEADINGS,
    KPI_TITLE_LINE,
    QUARTER_HEADER_LINES,
    TARGET_LABEL,
)
from parsers.plain import EMPTY_CELL
from parsers.sections import cut, without_furniture
from parsers.thai import arabic_digits, parse_number
from parsers.title import find_title

Row = dict[str, Any]

TABLES = ("kpis", "kpi_quarters")
_CODE_LINE = re.compile(KPI_CODE)


class KpiPage:
    """One KPI page while it is read; `tables`, `unclaimed` and the findings are what comes of it."""

    def __init__(self, lines: list[str], findings: Findings) -> None:
        self.findings = findings
        self.unclaimed: list[str] = []
        self.code = ""
        self.evaluation_quarter: int | None = None
        self.tables: dict[str, list[Row]] = {table: [] for table in TABLES}
        self._read(lines)

    @property
    def has_record(self) -> bool:
        """Whether the page shows an indicator at all."""
        return bool(self.code)

    def _leave(self, lines: Any) -> None:
        self.unclaimed.extend(line for line in lines if line != EMPTY_CELL)

    def _read(self, lines: list[str]) -> None:
        head, sections = cut(lines, KPI_HEADINGS, _FOLLOWS)
        head = [line for line in head if line != EMPTY_CELL]
        title = find_title(head, KPI_TITLE_LINE, _CODE_LINE, _ends_head)
        if title is None:
            self._leave(line for line in head if line not in FURNITURE)
            self._leave(line for below in sections.values() for line in below)
            return
        start, end, name, code = title
        self.code = arabic_digits(code)
        for key, heading in KPI_HEADINGS.items():
            if key not in sections:
                self.findings.add("part_missing", printed=heading, message=f"The page has no heading {heading}.")
        self._leave(line for line in head[:start] if line not in FURNITURE)
        below = without_furniture(head[end:])
        evaluation = read_evaluation(below, "kpis", self.code, self.findings)
        self._leave(evaluation.unread)
        self.evaluation_quarter = evaluation.quarter
        below = evaluation.above + evaluation.below
        columns, left = read_measures(below, "kpis", self.code, self.findings)
        chart = next((place for place, line in enumerate(left) if parse_number(line) == 0), None)
        self._leave(line for place, line in enumerate(left) if place != chart)  # a lone 0 is what a dead chart leaves
        quarters = self._read_quarters(sections)
        narratives = {q: _text(sections.get(f"narrative_{q}", [])) for q in range(1, 5)}
        self.tables["kpis"].append(
            {
                "kpi_code": self.code,
                "name": name or None,
                **columns,
                "evaluation_score": evaluation.score,
                "definition": _text(sections.get("definition", [])),
                "summary": _text(sections.get("summary", [])),
            }
        )
        self.tables["kpi_quarters"] += [{"kpi_code": self.code, **row} for row in join_narratives(quarters, narratives)]
        check_last_quarter(columns["achieved_value"], quarters, "kpis", self.code, self.findings)

    def _read_quarters(self, sections: dict[str, list[str]]) -> list[Row]:
        above, table = cut_quarter_table(sections.get("quarters", []))
        self._leave(above)
        if not table:
            self.findings.add(
                "part_missing", table="kpi_quarters", key=self.code, message="The page has no table of quarters."
            )
            return []
        quarters, _, rest = read_quarter_table(table, "kpi_quarters", self.code, self.findings)
        self._leave(line for line in rest if line not in FURNITURE)
        return quarters


def _ends_head(line: str) -> bool:
    return line.startswith(TARGET_LABEL)


def _text(lines: list[str]) -> str | None:
    return " ".join(line for line in lines if line != EMPTY_CELL) or None


def _before_table(lines: list[str], place: int) -> bool:
    return bool(cut_quarter_table(lines[place + 1 : place + 2 + QUARTER_HEADER_LINES])[1])


_FOLLOWS = {"quarters": _before_table}
