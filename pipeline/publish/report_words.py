"""The words of one language of the audit report: sentences, days, and what a row or column is called."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final, Literal

from pipeline.compare.classify import DETAILS, MEANINGS, SEVERITIES
from pipeline.compare.timeline import OUTCOMES
from pipeline.publish import charts
from pipeline.publish.report_texts import (
    COLUMN_NAMES_TH,
    DETAILS_TH,
    KEY_NAMES,
    MEANINGS_TH,
    MONTHS_TH,
    OUTCOMES_TH,
    SEVERITIES_TH,
    SUBJECTS,
    TABLE_NAMES,
)
from pipeline.schema.columns import TABLES, Column
from pipeline.schema.red_flags import RULES
from pipeline.schema.row_text import row_of_text
from pipeline.schema.thai_texts import UNITS_TH

Language = Literal["th", "en"]
"""The languages of a report."""

_OWNERS: Final = frozenset(("project_code", "agency_code"))
"""Parts of a key that the record's heading says already."""


class Words:
    """The words of one language."""

    def __init__(self, lang: Language) -> None:
        self.lang = lang
        self._place = 1 if lang == "th" else 0

    def t(self, english: str, thai: str) -> str:
        """A text in the report's language."""
        return thai if self.lang == "th" else english

    def meaning(self, meaning: str) -> str:
        """What a meaning says."""
        return self.t(MEANINGS.get(meaning, meaning), MEANINGS_TH.get(meaning, meaning))

    def label(self, meaning: str) -> str:
        """A meaning in few words: its name, in Thai what it says."""
        return self.t(meaning, MEANINGS_TH.get(meaning, meaning))

    def kind(self, name: str) -> str:
        """A meaning or a detail in few words."""
        return self.t(name.replace("_", " "), DETAILS_TH.get(name) or MEANINGS_TH.get(name, name))

    def detail(self, detail: str | None) -> str:
        """What a detail says; empty for None."""
        return self.t(DETAILS.get(detail or "", ""), DETAILS_TH.get(detail or "", ""))

    def severity(self, severity: str) -> str:
        """The title of a severity."""
        return self.t(SEVERITIES.get(severity, severity), SEVERITIES_TH.get(severity, severity))

    def outcome(self, outcome: str) -> str:
        """What became of a page."""
        return self.t(OUTCOMES.get(outcome, outcome.replace("_", " ")), OUTCOMES_TH.get(outcome, outcome))

    def flag(self, rule: str) -> str:
        """The title of a red flag's rule."""
        return self.t(RULES[rule].title, RULES[rule].title_th) if rule in RULES else rule

    def flag_reason(self, rule: str) -> str:
        """Why a rule matters; empty for an unknown one."""
        return self.t(RULES[rule].reason, RULES[rule].reason_th) if rule in RULES else ""

    def date(self, day: date | None) -> str:
        """A day in both eras; empty where it is not known."""
        if day is None:
            return ""
        thai = f"{day.day} {MONTHS_TH[day.month - 1]} พ.ศ. {day.year + 543} ({day})"
        return self.t(f"{day} (B.E. {day.year + 543})", thai)

    def chart_month(self, month: str) -> str:
        """A month of the chart, which names it in Thai."""
        return self.t(charts.MONTHS_EN[charts.MONTHS_TH.index(month)], month)

    def table(self, table: str) -> str:
        """What one row of a table is."""
        return TABLE_NAMES.get(table, (table, table))[self._place]

    def column(self, table: str, name: str) -> str:
        """What a column is called: in English its name, in Thai the portal's label or our own."""
        if self.lang == "en":
            return name
        column = column_of(table, name)
        return COLUMN_NAMES_TH.get(name) or (column.label_th if column else "") or name

    def unit(self, table: str, name: str) -> str:
        """The unit of a column; empty where it has none, or where the column's name says it."""
        column = column_of(table, name)
        unit = column.unit if column else ""
        said = self.t(unit, UNITS_TH.get(unit, unit))
        return "" if said in self.column(table, name) else said

    def subject(self, name: str) -> str:
        """What could not be compared, or the kind of a page; names of columns stay."""
        return SUBJECTS.get(name, TABLE_NAMES.get(name, (name, name)))[self._place]

    def change(self, change: str) -> str:
        """Added, removed or changed."""
        return self.t(change, {"added": "เพิ่ม", "removed": "ลบ"}.get(change, "แก้ไข"))

    def place(self, row: Mapping[str, Any]) -> str:
        """Which row a change is in, without its record: `progress report number 3 from the oldest`."""
        parts = [self.table(row["table"])]
        for name, value in row_of_text(row["key"]).items():
            if name in KEY_NAMES:
                parts.append(KEY_NAMES[name][self._place].format(value))
            elif name not in _OWNERS:
                parts.append(str(value))
        return " ".join(parts)


def column_of(table: str, name: str | None) -> Column | None:
    """A column of a table; None for the name of none."""
    return next((column for column in TABLES[table].columns if column.name == name), None)
