"""The records of the audit report: what changed in each project, indicator or list, with its evidence and its chart."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.compare.changes import record_of
from pipeline.compare.classify import WHOLE_RECORD
from pipeline.compare.diff import Comparison
from pipeline.compare.inputs import Snapshot
from pipeline.compare.text_diff import changed_words, is_text_change
from pipeline.publish.charts import Chart, Lines, draw
from pipeline.publish.excerpts import Run, excerpt
from pipeline.publish.report_words import Words
from pipeline.schema.plan_vs_actual import STEP_COLUMNS
from pipeline.schema.row_text import row_of_text
from pipeline.terminal import one_line

_MOST_CHARTS: Final = 200  # 1.5 kB each; records with the most severe changes come first
_MOST_LETTERS: Final = 200_000  # of whole texts on one page; after that only excerpts
_LONGEST_NAME: Final = 90


@dataclass
class Change:
    """One difference as the report shows it.

    before, after: the value, or an excerpt of a text; None where the row or value is missing
    whole: both whole texts; shortened: the whole texts were left out to keep the file small
    fields: (label, value) of an added or removed row
    """

    anchor: str
    meaning: str
    detail: str | None
    table: str
    where: str
    column: str
    unit: str
    change: str
    before: list[Run] | None = None
    after: list[Run] | None = None
    whole: tuple[str, str] | None = None
    shortened: bool = False
    fields: list[tuple[str, str]] = field(default_factory=list)

    @property
    def excerpted(self) -> bool:
        """Whether the shown texts are parts of texts, as a change of words in a long text."""
        return any(not run.marked for run in self.before or ())


class Proof(NamedTuple):
    """A stored page with the values of a snapshot."""

    kind: str
    sha256: str
    harvest_id: str
    url: str
    checked_at: datetime | None


@dataclass
class Record:
    """The changes of one severity in one project, indicator or list. proofs: of A and of B"""

    code: str
    name: str
    agency_code: str
    agency_name: str
    fiscal_year_be: int | None
    changes: list[Change]
    proofs: dict[str, list[Proof]]
    chart: Chart | None = None


class Place(NamedTuple):
    """One of the places where the same edit was made. proofs: of A and of B"""

    anchor: str
    code: str
    name: str
    agency_code: str
    where: str
    proofs: dict[str, list[Proof]]


class SameEdit(NamedTuple):
    """One edit that was made in several records. records: how many"""

    change: Change
    places: list[Place]
    records: int


class RecordBuilder:
    """Builds what the cards of one report show, in order: charts and whole texts go to the first ones while there is room.

    rows: all rows of the comparison's changes
    """

    def __init__(self, comparison: Comparison, rows: list[dict[str, Any]], words: Words) -> None:
        self._comparison, self._rows, self._words = comparison, rows, words
        self._letters_left = _MOST_LETTERS
        self._charts_left = _MOST_CHARTS
        self._drawn: set[str] = set()

    def begin_page(self) -> None:
        """Give the next page room for whole texts."""
        self._letters_left = _MOST_LETTERS

    def name_of(self, code: str) -> str:
        """The name of a record; empty where it is not known."""
        return self._about.get(code, {}).get("name") or ""

    def agency_of(self, row: dict[str, Any]) -> str:
        """The name of the agency of a change."""
        about = self._about.get(record_of(row), {})
        return about.get("agency_name") or self.agency_names.get(row["agency_code"] or "", "")

    def record(self, code: str, rows: list[dict[str, Any]]) -> Record:
        """The card of some changes of one code."""
        return Record(
            code=code,
            name=self.name_of(code),
            agency_code=rows[0]["agency_code"] or "",
            agency_name=self.agency_of(rows[0]),
            fiscal_year_be=self._about.get(code, {}).get("fiscal_year_be"),
            changes=[self._change(row) for row in rows],
            proofs={name: found.get(code, []) for name, found in self._proofs.items()},
            chart=self._chart(code),
        )

    def same_edit(self, rows: list[dict[str, Any]]) -> SameEdit:
        """The card of one edit in several records."""
        places = []
        for row in rows:
            code = record_of(row)
            proofs = {name: found.get(code, []) for name, found in self._proofs.items()}
            name = one_line(self.name_of(code), _LONGEST_NAME)
            places.append(Place(row["anchor"], code, name, row["agency_code"] or "", self._words.place(row), proofs))
        change = self._change(rows[0])
        if rows[0]["meaning"] in WHOLE_RECORD:
            change.fields = []
        return SameEdit(change, places, len({place.code for place in places}))

    def _change(self, row: dict[str, Any]) -> Change:
        change = Change(
            anchor=row["anchor"],
            meaning=row["meaning"],
            detail=row["detail"],
            table=self._words.table(row["table"]),
            where=self._words.place(row),
            column=self._words.column(row["table"], row["column"]) if row["column"] else "",
            unit=self._words.unit(row["table"], row["column"]) if row["column"] else "",
            change=row["change"],
        )
        if is_text_change(row):
            self._add_texts(change, row["before"], row["after"])
        elif row["column"]:
            values = row["before"], row["after"]
            change.before, change.after = ([Run(value, True)] if value is not None else None for value in values)
        elif row["meaning"] in WHOLE_RECORD:
            change.fields = self._parts(row)
        else:
            change.fields = self._fields(row["table"], row["after"] or row["before"])
        return change

    def _add_texts(self, change: Change, before: str, after: str) -> None:
        pieces = changed_words(before, after)
        change.before, change.after = excerpt(pieces, "added"), excerpt(pieces, "removed")
        shown = sum(len(run.text) for run in (*change.before, *change.after))
        if shown < len(before) + len(after):
            if self._letters_left >= len(before) + len(after):
                self._letters_left -= len(before) + len(after)
                change.whole = before, after
            else:
                change.shortened = True

    def _parts(self, row: dict[str, Any]) -> list[tuple[str, str]]:
        """How many rows of other tables were added or removed with a record."""
        counts = sorted(self._part_counts.get(record_of(row), {}).items())
        return [(self._words.table(table), f"{count:,}") for table, count in counts]

    def _fields(self, table: str, value: str | None) -> list[tuple[str, str]]:
        """The values of an added or removed row, each with its label."""
        return [(self._words.column(table, name), str(item)) for name, item in row_of_text(value).items()]

    @cached_property
    def _part_counts(self) -> dict[str, Counter[str]]:
        counts: dict[str, Counter[str]] = {}
        for row in self._rows:
            if row["detail"] == "part_of_record":
                counts.setdefault(record_of(row), Counter())[row["table"]] += 1
        return counts

    @cached_property
    def _codes(self) -> dict[str, set[str]]:
        codes: dict[str, set[str]] = {"project_code": set(), "kpi_code": set(), "indicator_no": set()}
        for row in self._rows:
            if row["project_code"]:
                codes["project_code"].add(row["project_code"])
            elif row["kpi_code"]:
                codes["kpi_code"].add(row["kpi_code"])
            elif not row["agency_code"] and (number := record_of(row)):
                codes["indicator_no"].add(number)
        return codes

    @cached_property
    def _about(self) -> dict[str, dict[str, Any]]:
        """Code → name, agency and year, from the later snapshot that has the record."""
        about: dict[str, dict[str, Any]] = {}
        project = ["project_code", "name", "agency_name", "fiscal_year_be", "fiscal_year_ce"]
        wanted = {"projects": project, "kpis": ["kpi_code", "name"], "city_indicators": ["indicator_no", "name"]}
        for snapshot in self._comparison.snapshots.values():
            for table, columns in wanted.items():
                for row in _rows_of(snapshot, table, columns, self._codes[columns[0]]):
                    about[row[columns[0]]] = row
        return about

    @cached_property
    def agency_names(self) -> dict[str, str]:
        """Agency code → name, from both snapshots."""
        names: dict[str, str] = {}
        for snapshot in self._comparison.snapshots.values():
            if "projects" in snapshot.tables:
                table = snapshot.tables["projects"].select(["agency_code", "agency_name"])
                pairs = table.group_by(table.column_names, use_threads=False).aggregate([]).to_pylist()
                names |= {pair["agency_code"]: pair["agency_name"] for pair in pairs if all(pair.values())}
        return names

    @cached_property
    def _proofs(self) -> dict[str, dict[str, list[Proof]]]:
        """Snapshot → record → its stored pages."""
        wanted = {record_of(row) for row in self._rows}
        found: dict[str, dict[str, list[Proof]]] = {}
        for name, snapshot in self._comparison.snapshots.items():
            proofs = found.setdefault(name, {})
            for page in _pages_of(snapshot, wanted):
                _, _, record = page["page_key"].partition("/")
                if page["record_sha256"]:
                    harvest_id = page["record_body_harvest_id"] or ""
                    proof = Proof(
                        page["kind"], page["record_sha256"], harvest_id, page["url"] or "", page["checked_at"]
                    )
                    proofs.setdefault(record, []).append(proof)
        return found

    def _chart(self, code: str) -> Chart | None:
        """The chart of a project, once in a report."""
        year = self._about.get(code, {}).get("fiscal_year_ce")
        if year is None or code in self._drawn or self._charts_left <= 0:
            return None
        self._drawn.add(code)
        before, after = (self._lines[name].get(code, Lines([], [])) for name in self._comparison.snapshots)
        chart = draw(before, after, year, label=code)
        self._charts_left -= chart is not None
        return chart

    @cached_property
    def _lines(self) -> dict[str, dict[str, Lines]]:
        """Snapshot → project → its plan and reports."""
        found: dict[str, dict[str, Lines]] = {}
        codes = self._codes["project_code"]
        for name, snapshot in self._comparison.snapshots.items():
            steps = _by_project(_rows_of(snapshot, "plan_steps", list(STEP_COLUMNS), codes))
            columns = ["project_code", "report_index", "reported_on_date", "progress_percent"]
            reports = _by_project(_rows_of(snapshot, "progress_reports", columns, codes))
            found[name] = {
                code: Lines(steps.get(code, []), reports.get(code, [])) for code in steps.keys() | reports.keys()
            }
        return found


def _pages_of(snapshot: Snapshot, records: set[str]) -> list[dict[str, Any]]:
    """The pages of some records."""
    if snapshot.pages is None:
        return []
    columns = ["page_key", "kind", "url", "record_sha256", "record_body_harvest_id", "checked_at"]
    pages = snapshot.pages.select(columns)
    of_page = pc.replace_substring_regex(pages["page_key"], "^[^/]*/", "")
    rows: list[dict[str, Any]] = pages.filter(
        pc.is_in(of_page, value_set=pa.array(list(records), pa.string()))
    ).to_pylist()
    return rows


def _rows_of(snapshot: Snapshot, table: str, columns: list[str], codes: set[str]) -> list[dict[str, Any]]:
    """Some columns of the rows with some codes; the first column is the code."""
    if table not in snapshot.tables or not codes:
        return []
    rows = snapshot.tables[table].select(columns)
    chosen: list[dict[str, Any]] = rows.filter(
        pc.is_in(rows[columns[0]], value_set=pa.array(sorted(codes)))
    ).to_pylist()
    return chosen


def _by_project(rows: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(row["project_code"], []).append(row)
    return grouped
