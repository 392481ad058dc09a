"""The audit report: one HTML file that needs no network and no script, for a committee.

It says what was compared and how complete each state is, counts the changes, lists every change with its evidence (the
most severe first), what could not be compared, and the rules behind it all. The template escapes everything from the
portal. Contact lines are personal data and are left out.
"""

import hashlib
import re
from collections import Counter
from datetime import date
from functools import cached_property
from typing import Any, Final, Literal

import pyarrow.compute as pc
from markupsafe import Markup

from parsers import PARSER_VERSION
from pipeline.compare.changes import record_of
from pipeline.compare.classify import DETAILS, MEANINGS, SEVERITIES, meaning_order, severity_of
from pipeline.compare.diff import Comparison
from pipeline.compare.inputs import Snapshot, StoreSnapshot
from pipeline.compare.trends import SILENT_COLUMNS, most_rewritten, silent_projects
from pipeline.publish.html_pages import html_environment
from pipeline.publish.report_records import RecordBuilder
from pipeline.publish.report_texts import DETAILS_TH, MEANINGS_TH, SEVERITIES_TH
from pipeline.schema.columns import TABLES

Language = Literal["th", "en"]
"""The languages of a report."""

SILENT_DAYS: Final = 90
"""Days without a report after which a project is listed: a quarter."""

_MOST_TREND_ROWS: Final = 50
_CODE: Final = re.compile(r"[0-9A-Za-z_-]{1,40}", re.ASCII)


def report_html(comparison: Comparison, *, silent_days: int = SILENT_DAYS, lang: Language = "th") -> str:
    """The report of a comparison. silent_days: days without a report after which a project is listed; lang: its language"""
    environment = html_environment("pipeline.publish")
    environment.filters["number"] = lambda value: f"{value:,}"
    return environment.get_template("report.html.jinja").render(view=_View(comparison, silent_days, lang))


class _View:
    """The values of the template."""

    def __init__(self, comparison: Comparison, silent_days: int, lang: Language) -> None:
        self.comparison = comparison
        self.lang = lang
        self.silent_days = silent_days
        self.parser_version = PARSER_VERSION
        self.details, self.severities = DETAILS, SEVERITIES
        self.uncompared = comparison.uncompared
        self.rows = sorted(comparison.changes.to_pylist(), key=meaning_order)
        self._shown = [row for row in self.rows if row["detail"] != "part_of_record"]
        self._records = RecordBuilder(comparison, self.rows)

    def t(self, english: str, thai: str) -> str:
        """A text in the report's language."""
        return thai if self.lang == "th" else english

    def meaning(self, meaning: str) -> str:
        """What a meaning says."""
        return self.t(MEANINGS.get(meaning, meaning), MEANINGS_TH.get(meaning, meaning))

    def label(self, meaning: str) -> str:
        """A meaning in few words: its name, in Thai what it says."""
        return self.t(meaning, MEANINGS_TH.get(meaning, meaning))

    def detail(self, detail: str) -> str:
        """What a detail says."""
        return self.t(DETAILS.get(detail, detail), DETAILS_TH.get(detail, detail))

    def severity(self, severity: str) -> str:
        """The title of a severity."""
        return self.t(SEVERITIES[severity], SEVERITIES_TH[severity])

    def date(self, day: date | None) -> str:
        """A day; in Thai with its Buddhist year beside it. Empty where it is not known."""
        if day is None:
            return ""
        return self.t(str(day), f"{day} (พ.ศ. {day.year + 543})")

    @cached_property
    def snapshots(self) -> list[dict[str, Any]]:
        """What A and B are, and how complete."""
        described = []
        for name, snapshot in self.comparison.snapshots.items():
            outcomes = _outcomes(snapshot)
            confirmed = sum(outcomes.get(outcome, 0) for outcome in ("new", "changed", "unchanged"))
            live = _live_pages(snapshot)
            described.append(
                {
                    "name": name,
                    "title": snapshot.title,
                    "portal": snapshot.portal,
                    "harvest_id": snapshot.harvest_id,
                    "day": snapshot.day,
                    "held_back": snapshot.held_back,
                    "outcomes": outcomes,
                    "confirmed": confirmed,
                    "live": live,
                    "share": f"{100 * confirmed / live:.1f}" if live else None,
                    "rows": {name: snapshot.tables[name].number for name in TABLES if name in snapshot.tables},
                }
            )
        return described

    @cached_property
    def other_portal(self) -> bool:
        """True where A and B come from two hosts of the portal."""
        portals = self.comparison.before.portal, self.comparison.after.portal
        return None not in portals and portals[0] != portals[1]

    @cached_property
    def meaning_counts(self) -> dict[str, int]:
        """Changes by meaning, most severe first; an added or removed record counts once."""
        return dict(Counter(row["meaning"] for row in self._shown))

    @cached_property
    def agency_counts(self) -> list[dict[str, Any]]:
        """Changes by agency and severity, agencies with most severe changes first."""
        counts: dict[str, Counter[str]] = {}
        for row in self._shown:
            counts.setdefault(row["agency_code"] or "", Counter())[_severity(row)] += 1
        rows = [
            {
                "code": code,
                "name": self._records.agency_names.get(code, ""),
                "class": _class("a", code),
                "counts": [severities[severity] for severity in SEVERITIES],
                "total": severities.total(),
            }
            for code, severities in counts.items()
        ]
        return sorted(rows, key=lambda row: ([-count for count in row["counts"]], row["code"]))

    @cached_property
    def groups(self) -> list[dict[str, Any]]:
        """The changes by severity and record, most severe first."""
        grouped: dict[str, dict[str, list[dict[str, Any]]]] = {severity: {} for severity in SEVERITIES}
        for row in self._shown:
            grouped[_severity(row)].setdefault(record_of(row), []).append(row)
        return [
            {
                "severity": severity,
                "records": [self._records.build(code, rows) for code, rows in records.items()],
                "count": sum(map(len, records.values())),
            }
            for severity, records in grouped.items()
            if records
        ]

    @cached_property
    def filters(self) -> Markup:
        """CSS rules: an unchecked box hides its changes, and a record disappears with its last visible change."""
        rules = [
            f"#{_class('m', meaning)}:not(:checked)~.changes .{_class('m', meaning)}{{display:none}}"
            for meaning in self.meaning_counts
        ]
        order = {meaning: place for place, meaning in enumerate(self.meaning_counts)}
        for meanings, name in self._meaning_sets.items():
            unchecked = "~".join(
                f"#{_class('m', meaning)}:not(:checked)" for meaning in sorted(meanings, key=order.__getitem__)
            )
            rules.append(f"{unchecked}~.changes .{name}{{display:none}}")
        for row in self.agency_counts:
            rules.append(f"#{row['class']}:checked~.changes .record:not(.{row['class']}){{display:none}}")
        # class names consist of letters, digits and hyphens
        return Markup("\n".join(rules))  # noqa: S704

    @cached_property
    def _meaning_sets(self) -> dict[frozenset[str], str]:
        """Each set of meanings in a record → the class of records with that set."""
        sets: dict[frozenset[str], str] = {}
        for group in self.groups:
            for record in group["records"]:
                meanings = frozenset(change.meaning for change in record.changes)
                record.set_class = sets.setdefault(meanings, f"s-{len(sets)}")
        return sets

    def css(self, prefix: str, text: str) -> str:
        """A class name made of a code."""
        return _class(prefix, text)

    @cached_property
    def rewritten(self) -> list[dict[Any, Any]] | None:
        """The records rewritten most often in all harvests of the store; None where B is a folder."""
        after = self.comparison.after
        if not isinstance(after, StoreSnapshot):
            return None
        return most_rewritten(after.store, until=after.harvest_id or "latest").head(_MOST_TREND_ROWS).to_dict("records")

    @cached_property
    def silent(self) -> dict[str, Any] | None:
        """The projects that stopped reporting; None where B has no day or lacks the tables."""
        after = self.comparison.after
        if after.day is None or not {"projects", "progress_reports"} <= after.tables.keys():
            return None
        projects = after.tables["projects"].select(list(SILENT_COLUMNS))
        reports = after.tables["progress_reports"].select(["project_code", "reported_on_date"])
        frame = silent_projects(projects, reports, after.day, self.silent_days)
        rows = [
            {**row, "last_report_date": _date(row["last_report_date"]), "until_date": _date(row["until_date"])}
            for row in frame.head(_MOST_TREND_ROWS).to_dict("records")
        ]
        return {"rows": rows, "total": len(frame)}


def _severity(row: dict[str, Any]) -> str:
    return severity_of(row["meaning"], row["detail"], row["cause"])


def _outcomes(snapshot: Snapshot) -> dict[str, int]:
    """How many pages had which outcome; empty where the table of pages is missing."""
    if snapshot.pages is None:
        return {}
    return dict(Counter(snapshot.pages.select(["outcome"])["outcome"].to_pylist()).most_common())


def _live_pages(snapshot: Snapshot) -> int:
    """How many pages have a record that has not ended."""
    if snapshot.pages is None:
        return 0
    pages = snapshot.pages.select(["version_harvest_id", "ended_at"])
    live = pc.and_(pc.is_valid(pages["version_harvest_id"]), pc.is_null(pages["ended_at"]))
    return int(pc.sum(live).as_py() or 0)


def _class(prefix: str, text: str) -> str:
    """A class name that is safe in HTML and CSS, whatever the portal printed as a code."""
    return f"{prefix}-{text if _CODE.fullmatch(text) else hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _date(value: Any) -> date | None:
    return None if value is None or value != value else value.date()  # NaT is not equal to itself
