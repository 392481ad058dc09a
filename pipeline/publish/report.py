"""The audit report: one HTML file that needs no network and no script, to be put before a committee.

What was compared and how complete each side is, counts, every change with its evidence, gravest first, what could not be
compared, and the rules by which all of it was judged. Everything from the portal is escaped by the template; contact
lines are left out, as they are personal data.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import jinja2
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from parsers import PARSER_VERSION
from pipeline.compare.classify import DETAILS, MEANINGS, WHOLE_RECORD
from pipeline.compare.diff import Comparison, coverage, rows_by_table
from pipeline.compare.formats import by_severity, is_text
from pipeline.compare.inputs import Snapshot, StoreSnapshot
from pipeline.compare.text_diff import Piece, changed_words
from pipeline.compare.trends import most_rewritten, silent_projects
from pipeline.publish.charts import Chart, Lines, draw
from pipeline.publish.report_texts import DETAILS_TH, MEANINGS_TH, SEVERITIES, severity_of
from pipeline.schema.columns import TABLES
from pipeline.schema.plan_vs_actual import STEP_COLUMNS

CHANGES_PAGE: Final = "changes.html"
"""The file in a run's folder with the report of what changed since the night before; derived, and not proven."""

SILENT_DAYS: Final = 90
"""Days without a report after which a project is listed: a quarter."""

_MOST_CHARTS: Final = 300  # 1.5 kB each; the projects of the gravest changes come first
_WHOLE_TEXTS: Final = 3_000_000  # letters of whole texts kept in the page; beyond it the changed words must do
_KEPT_AROUND: Final = 60  # letters of unchanged text shown on either side of a change
_ROWS_OVER_TIME: Final = 50
_CODE: Final = re.compile(r"[0-9A-Za-z_-]{1,40}", re.ASCII)


class Run(NamedTuple):
    """A run of letters of one side of a text: marked where it changed."""

    text: str
    marked: bool


@dataclass
class Change:
    """One difference, ready to be shown.

    before, after: runs of the value, cut to the changed words; whole: both whole texts, where the runs were cut
    fields: (label, value) of a row that came or went
    """

    meaning: str
    detail: str | None
    where: str
    label_th: str
    unit: str
    change: str
    before: list[Run] | None
    after: list[Run] | None
    whole: tuple[str, str] | None = None
    shortened: bool = False
    fields: list[tuple[str, str]] = field(default_factory=list)


class Proof(NamedTuple):
    """A stored page that a side's values were read from."""

    kind: str
    sha256: str
    harvest_id: str
    url: str
    checked_at: datetime | None


@dataclass
class Record:
    """The changes of one project, indicator or list within one severity."""

    code: str
    name: str
    agency_code: str
    agency_name: str
    fiscal_year_be: int | None
    changes: list[Change]
    before: list[Proof]
    after: list[Proof]
    chart: Chart | None = None
    set_class: str = ""


def report_html(comparison: Comparison, *, silent_days: int = SILENT_DAYS) -> str:
    """The report of a comparison.

    silent_days: days without a report after which a project is listed
    """
    view = _View(comparison, silent_days)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda value: f"{value:,}"
    return environment.get_template("report.html.jinja").render(view=view)


def _harmless(value: object) -> object:
    """Direction and control characters from a page must not turn the page around them."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _CONTROL.sub("\ufffd", value)
    return "" if value is None else value


_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


class _View:
    """What the template asks for."""

    def __init__(self, comparison: Comparison, silent_days: int) -> None:
        self.comparison = comparison
        self.silent_days = silent_days
        self.parser_version = PARSER_VERSION
        self.meanings, self.meanings_th = MEANINGS, MEANINGS_TH
        self.details, self.details_th = DETAILS, DETAILS_TH
        self.uncompared = comparison.uncompared
        self.tier_names = SEVERITIES
        self.rows = sorted(comparison.changes.to_pylist(), key=by_severity)
        self.texts_left = _WHOLE_TEXTS
        self.charts_left = _MOST_CHARTS

    @cached_property
    def sides(self) -> list[dict[str, Any]]:
        """A and B: what each is, and how complete."""
        described = []
        for name, side in (("A", self.comparison.before), ("B", self.comparison.after)):
            outcomes = coverage(side)
            confirmed = sum(outcomes.get(outcome, 0) for outcome in ("new", "changed", "unchanged"))
            live = _live_pages(side)
            described.append(
                {
                    "name": name,
                    "title": side.title,
                    "portal": side.portal,
                    "harvest_id": side.harvest_id,
                    "day": side.day,
                    "held_back": side.held_back,
                    "outcomes": outcomes,
                    "confirmed": confirmed,
                    "live": live,
                    "share": f"{100 * confirmed / live:.1f}" if live else None,
                    "tables": rows_by_table(side),
                }
            )
        return described

    @cached_property
    def other_portal(self) -> bool:
        """Whether the sides are two hosts of the portal."""
        portals = self.comparison.before.portal, self.comparison.after.portal
        return None not in portals and portals[0] != portals[1]

    @cached_property
    def meaning_counts(self) -> list[tuple[str, int]]:
        """Differences by meaning, gravest first; a record that came or went counts once."""
        counts = Counter(row["meaning"] for row in self._shown)
        return [
            (meaning, counts[meaning]) for meaning in [*MEANINGS, *sorted(counts.keys() - MEANINGS)] if counts[meaning]
        ]

    @cached_property
    def agency_counts(self) -> list[dict[str, Any]]:
        """Differences by agency and severity, most grave ones first."""
        counts: dict[str, Counter[str]] = {}
        for row in self._shown:
            counts.setdefault(row["agency_code"] or "", Counter())[
                severity_of(row["meaning"], row["detail"], row["cause"])
            ] += 1
        rows = [
            {
                "code": code,
                "name": self._agency_names.get(code, ""),
                "class": _class("a", code),
                "counts": [severities[severity.name] for severity in SEVERITIES],
                "total": severities.total(),
            }
            for code, severities in counts.items()
        ]
        return sorted(rows, key=lambda row: ([-count for count in row["counts"]], row["code"]))

    @cached_property
    def _shown(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["detail"] != "part_of_record"]

    @cached_property
    def severities(self) -> list[dict[str, Any]]:
        """The changes by severity and record, gravest first."""
        grouped: dict[str, dict[str, list[dict[str, Any]]]] = {severity.name: {} for severity in SEVERITIES}
        for row in self._shown:
            grouped[severity_of(row["meaning"], row["detail"], row["cause"])].setdefault(_record_of(row), []).append(
                row
            )
        return [
            {
                "severity": severity,
                "records": [self._record(code, rows) for code, rows in grouped[severity.name].items()],
                "count": sum(len(rows) for rows in grouped[severity.name].values()),
            }
            for severity in SEVERITIES
            if grouped[severity.name]
        ]

    @cached_property
    def filters(self) -> Markup:
        """Style rules by which the boxes hide changes, and records of which every change is hidden."""
        rules = [
            f"#{_class('m', meaning)}:not(:checked)~.changes .{_class('m', meaning)}{{display:none}}"
            for meaning, _ in self.meaning_counts
        ]
        order = {meaning: place for place, (meaning, _) in enumerate(self.meaning_counts)}
        for meanings, name in self._sets.items():
            unchecked = "~".join(
                f"#{_class('m', meaning)}:not(:checked)" for meaning in sorted(meanings, key=order.__getitem__)
            )
            rules.append(f"{unchecked}~.changes .{name}{{display:none}}")
        for row in self.agency_counts:
            rules.append(f"#{row['class']}:checked~.changes .record:not(.{row['class']}){{display:none}}")
        # class names are made of letters, digits and hyphens only
        return Markup("\n".join(rules))  # noqa: S704

    @cached_property
    def _sets(self) -> dict[frozenset[str], str]:
        sets: dict[frozenset[str], str] = {}
        for severity in self.severities:
            for record in severity["records"]:
                meanings = frozenset(change.meaning for change in record.changes)
                record.set_class = sets.setdefault(meanings, f"s-{len(sets)}")
        return sets

    def css(self, prefix: str, text: str) -> str:
        """A class name made of a code."""
        return _class(prefix, text)

    # --- over time ------------------------------------------------------------------------------------------------

    @cached_property
    def rewritten(self) -> list[dict[Any, Any]] | None:
        """The records most often rewritten, over all nights of the store; None for a folder, which has no nights."""
        side = self.comparison.after
        if not isinstance(side, StoreSnapshot):
            return None
        return most_rewritten(side.store, until=side.harvest_id or "latest").head(_ROWS_OVER_TIME).to_dict("records")

    @cached_property
    def silent(self) -> dict[str, Any] | None:
        """The projects that fell silent; None where side B has no day or lacks the tables."""
        side = self.comparison.after
        if side.day is None or not {"projects", "progress_reports"} <= side.tables.keys():
            return None
        wanted = [
            column.name
            for column in TABLES["projects"].columns
            if column.name not in _LONG_TEXTS and column.origin == "page"
        ]
        projects = side.tables["projects"].select(wanted)
        reports = side.tables["progress_reports"].select(["project_code", "reported_on_date"])
        frame = silent_projects(projects, reports, side.day, self.silent_days)
        rows = [
            {
                **row,
                "last_report_date": _plain_day(row["last_report_date"]),
                "until_date": _plain_day(row["until_date"]),
            }
            for row in frame.head(_ROWS_OVER_TIME).to_dict("records")
        ]
        return {"rows": rows, "total": len(frame)}

    # --- records --------------------------------------------------------------------------------------------------

    def _record(self, code: str, rows: list[dict[str, Any]]) -> Record:
        about = self._about.get(code, {})
        agency = rows[0]["agency_code"] or ""
        return Record(
            code=code,
            name=about.get("name") or "",
            agency_code=agency,
            agency_name=about.get("agency_name") or self._agency_names.get(agency, ""),
            fiscal_year_be=about.get("fiscal_year_be"),
            changes=[self._change(row) for row in rows],
            before=self._proofs["A"].get(code, []),
            after=self._proofs["B"].get(code, []),
            chart=self._chart(code),
        )

    def _change(self, row: dict[str, Any]) -> Change:
        key = json.loads(row["key"])
        place = " ".join(
            f"{name} {value}" for name, value in key.items() if name not in ("project_code", "agency_code")
        )
        column = next((one for one in TABLES[row["table"]].columns if one.name == row["column"]), None)
        change = Change(
            meaning=row["meaning"],
            detail=row["detail"],
            where=" · ".join(part for part in (row["table"], place, row["column"]) if part),
            label_th=column.label_th if column else "",
            unit=column.unit if column else "",
            change=row["change"],
            before=None,
            after=None,
        )
        if is_text(row):
            self._show_text(change, row["before"], row["after"])
        elif row["column"]:
            values = row["before"], row["after"]
            change.before, change.after = ([Run(value, True)] if value is not None else None for value in values)
        elif row["meaning"] in WHOLE_RECORD:
            change.fields = self._parts(row)
        else:
            change.fields = _fields(row["table"], row["after"] or row["before"])
        return change

    def _show_text(self, change: Change, before: str, after: str) -> None:
        pieces = changed_words(before, after)
        change.before, change.after = _runs(pieces, "added"), _runs(pieces, "removed")
        shown = sum(len(run.text) for run in (*change.before, *change.after))
        if shown < len(before) + len(after):
            if self.texts_left >= len(before) + len(after):
                self.texts_left -= len(before) + len(after)
                change.whole = before, after
            else:
                change.shortened = True

    def _parts(self, row: dict[str, Any]) -> list[tuple[str, str]]:
        """How many rows of other tables came or went with a record."""
        code = _record_of(row)
        return [(table, f"{count:,}") for table, count in sorted(self._part_counts.get(code, Counter()).items())]

    @cached_property
    def _part_counts(self) -> dict[str, Counter[str]]:
        counts: dict[str, Counter[str]] = {}
        for row in self.rows:
            if row["detail"] == "part_of_record":
                counts.setdefault(_record_of(row), Counter())[row["table"]] += 1
        return counts

    @cached_property
    def _codes(self) -> dict[str, set[str]]:
        codes: dict[str, set[str]] = {"project_code": set(), "kpi_code": set()}
        for row in self.rows:
            if row["project_code"]:
                codes["project_code"].add(row["project_code"])
            elif row["kpi_code"]:
                codes["kpi_code"].add(row["kpi_code"])
        return codes

    @cached_property
    def _about(self) -> dict[str, dict[str, Any]]:
        """Name, agency and year of the records with changes, as the later side that has them prints them."""
        about: dict[str, dict[str, Any]] = {}
        project = ["project_code", "name", "agency_name", "fiscal_year_be", "fiscal_year_ce"]
        wanted = {"projects": project, "kpis": ["kpi_code", "name"]}
        for side in (self.comparison.before, self.comparison.after):
            for table, columns in wanted.items():
                for row in _rows_of(side, table, columns, self._codes[columns[0]]):
                    about[row[columns[0]]] = row
        return about

    @cached_property
    def _agency_names(self) -> dict[str, str]:
        names: dict[str, str] = {}
        for side in (self.comparison.before, self.comparison.after):
            if "projects" in side.tables:
                table = side.tables["projects"].select(["agency_code", "agency_name"])
                for code, name in zip(table["agency_code"].to_pylist(), table["agency_name"].to_pylist(), strict=True):
                    if code and name:
                        names[code] = name
        return names

    @cached_property
    def _proofs(self) -> dict[str, dict[str, list[Proof]]]:
        found: dict[str, dict[str, list[Proof]]] = {}
        lists = {_record_of(row) for row in self.rows if not row["project_code"] and not row["kpi_code"]}
        wanted = self._codes["project_code"] | self._codes["kpi_code"] | lists
        for name, side in (("A", self.comparison.before), ("B", self.comparison.after)):
            proofs = found.setdefault(name, {})
            for page in _proof_rows(side):
                code = (
                    page["page_key"].partition("/")[2]
                    if page["kind"] == "result_list"
                    else page["page_key"].rpartition("/")[2]
                )
                if code in wanted and page["record_sha256"]:
                    harvest_id = page["record_body_harvest_id"] or ""
                    proof = Proof(
                        page["kind"], page["record_sha256"], harvest_id, page["url"] or "", page["checked_at"]
                    )
                    proofs.setdefault(code, []).append(proof)
        return found

    # --- charts ---------------------------------------------------------------------------------------------------

    def _chart(self, code: str) -> Chart | None:
        year = self._about.get(code, {}).get("fiscal_year_ce")
        if year is None or code in self._drawn or self.charts_left <= 0:
            return None
        self._drawn.add(code)
        before, after = (self._lines[name].get(code, Lines([], [])) for name in ("A", "B"))
        chart = draw(before, after, year, label=code)
        self.charts_left -= chart is not None
        return chart

    @cached_property
    def _drawn(self) -> set[str]:
        return set()

    @cached_property
    def _lines(self) -> dict[str, dict[str, Lines]]:
        found: dict[str, dict[str, Lines]] = {}
        codes = self._codes["project_code"]
        for name, side in (("A", self.comparison.before), ("B", self.comparison.after)):
            steps = _grouped(_rows_of(side, "plan_steps", list(STEP_COLUMNS), codes))
            columns = ["project_code", "report_index", "reported_on_date", "progress_percent"]
            reports = _grouped(_rows_of(side, "progress_reports", columns, codes))
            found[name] = {
                code: Lines(steps.get(code, []), reports.get(code, [])) for code in steps.keys() | reports.keys()
            }
        return found


_LONG_TEXTS: Final = frozenset(("rationale", "objectives", "targets"))


def _live_pages(side: Snapshot) -> int:
    if side.pages is None:
        return 0
    live = pc.and_(pc.is_valid(side.pages["version_harvest_id"]), pc.is_null(side.pages["ended_at"]))
    return int(pc.sum(live).as_py() or 0)


def _proof_rows(side: Snapshot) -> Iterable[dict[str, Any]]:
    if side.pages is None:
        return ()
    columns = ["page_key", "kind", "url", "record_sha256", "record_body_harvest_id", "checked_at"]
    rows: list[dict[str, Any]] = side.pages.select(columns).to_pylist()
    return rows


def _rows_of(side: Snapshot, table: str, columns: list[str], codes: set[str]) -> list[dict[str, Any]]:
    """Some columns of the rows of some codes; the first column is the code."""
    if table not in side.tables or not codes:
        return []
    rows = side.tables[table].select(columns)
    chosen: list[dict[str, Any]] = rows.filter(
        pc.is_in(rows[columns[0]], value_set=pa.array(sorted(codes)))
    ).to_pylist()
    return chosen


def _grouped(rows: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(row["project_code"], []).append(row)
    return grouped


def _record_of(row: Mapping[str, Any]) -> str:
    """The record a difference belongs to: a project, an indicator's page, or an agency's list."""
    if code := row["project_code"] or row["kpi_code"]:
        return str(code)
    key = json.loads(row["key"])
    return f"{key.get('list_name', '')}/{key.get('agency_code', '')}"


def _fields(table: str, value: str | None) -> list[tuple[str, str]]:
    labels = {column.name: column.label_th for column in TABLES[table].columns}
    values = json.loads(value) if value else {}
    return [(f"{name} {labels.get(name, '')}".strip(), str(item)) for name, item in values.items()]


def _runs(pieces: list[Piece], without: str) -> list[Run]:
    """One side of a text: what changed, and some letters around it."""
    kept = [piece for piece in pieces if piece.operation != without]
    runs = []
    for place, piece in enumerate(kept):
        first, last = place == 0, place == len(kept) - 1
        text = (
            piece.text if piece.operation != "same" else _cut(piece.text, first=first, last=last and not _ends(pieces))
        )
        runs.append(Run(text, piece.operation != "same"))
    return runs


def _ends(pieces: list[Piece]) -> bool:
    """Whether the text's end changed, so that what stands before it is shown."""
    return pieces[-1].operation != "same"


def _cut(text: str, *, first: bool, last: bool) -> str:
    """Unchanged text, shortened in the middle, or at the end of the text that lies away from the change."""
    if first and not last and len(text) > _KEPT_AROUND:
        return "… " + text[_boundary(text, len(text) - _KEPT_AROUND) :]
    if last and not first and len(text) > _KEPT_AROUND:
        return text[: _boundary(text, _KEPT_AROUND)] + " …"
    if len(text) > 2 * _KEPT_AROUND + 20:
        return f"{text[: _boundary(text, _KEPT_AROUND)]} … {text[_boundary(text, len(text) - _KEPT_AROUND) :]}"
    return text


def _boundary(text: str, place: int) -> int:
    """The next place on from here where no mark is torn from its letter: a blank if one is near."""
    near = text.find(" ", place, place + 20)
    if near >= 0:
        return near
    while place < len(text) and (_MARK.match(text[place]) or text[place - 1] in "เแโใไ"):
        place += 1
    return place


_MARK: Final = re.compile("[\u0e31\u0e33-\u0e3a\u0e47-\u0e4e]")


def _class(prefix: str, text: str) -> str:
    """A class name that no page can break out of."""
    return f"{prefix}-{text if _CODE.fullmatch(text) else hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _plain_day(value: Any) -> date | None:
    return None if value is None or value != value else value.date()  # NaT is not equal to itself
