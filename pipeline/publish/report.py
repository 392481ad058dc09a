"""The audit report: HTML that needs no network and reads without its script, for a committee.

The first page says in sentences what was compared and what changed, names the worst records, sets the agencies beside each
other and draws the nights; then each change follows with its evidence, the most severe first, what could not be compared,
and the rules behind it all. Many changes are split into several pages. The templates escape everything from the portal.
Contact lines are personal data and are left out.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import cached_property
from pathlib import PurePath
from typing import Any, Final, NamedTuple

import jinja2
from markupsafe import Markup

from parsers import PARSER_VERSION
from pipeline.compare.changes import record_of
from pipeline.compare.classify import DETAILS, MEANINGS, SEVERITIES, meaning_order
from pipeline.compare.diff import Comparison
from pipeline.compare.inputs import Snapshot, StoreSnapshot
from pipeline.compare.league import league, nights_of, silent_rows
from pipeline.compare.trends import rewritten_records
from pipeline.progress import counted
from pipeline.publish.charts import draw_nights, sparkline
from pipeline.publish.html_pages import html_environment
from pipeline.publish.report_annex import PAGE_BYTES, Annex, Card, Page
from pipeline.publish.report_records import RecordBuilder
from pipeline.publish.report_summary import Summary
from pipeline.publish.report_words import Language, Words
from pipeline.schema.columns import TABLES
from pipeline.schema.project_overview import BEHIND_POINTS, SILENT_DAYS
from pipeline.store.state import live_pages

MOST_STANDINGS: Final = 15
"""Agencies of the league table that are shown at once; the others can be opened."""

_MOST_TREND_ROWS: Final = 25


def report_html(comparison: Comparison, *, silent_days: int = SILENT_DAYS, lang: Language = "th") -> str:
    """The report of a comparison as one page, however large.

    silent_days: days without a report after which a project is listed; lang: its language
    """
    ((_, html),) = _pages(comparison, silent_days, lang, "report.html", page_bytes=None)
    return html


def report_pages(
    comparison: Comparison, name: str, *, silent_days: int = SILENT_DAYS, lang: Language = "th"
) -> Iterator[tuple[str, str]]:
    """The pages of a report, each with its file's name, one after the other; they link to each other.

    name: of the first file, such as `report.html`; the second is then `report-2.html`
    """
    return _pages(comparison, silent_days, lang, name, page_bytes=PAGE_BYTES)


def first_page(comparison: Comparison, *, silent_days: int = SILENT_DAYS, lang: Language = "th") -> tuple[str, int]:
    """The first page alone, for paper, and how many changes it leaves out."""
    view = _View(comparison, silent_days, lang, "report.html", PAGE_BYTES)
    view.left_out = sum(view.number_of(page.cards) for page in view.pages[1:])
    del view.pages[1:]
    return view.render(view.pages[0]), view.left_out


def _pages(
    comparison: Comparison, silent_days: int, lang: Language, name: str, *, page_bytes: int | None
) -> Iterator[tuple[str, str]]:
    view = _View(comparison, silent_days, lang, name, page_bytes)
    for page in counted(view.pages, "pages of the report written"):
        yield view.file_of(page.number), view.render(page)


def _environment() -> jinja2.Environment:
    environment = html_environment("pipeline.publish")
    environment.filters["number"] = lambda value: f"{value:,}"
    return environment


class _Shown(NamedTuple):
    """What one page of the annex shows. first, last: places among all changes, from 1"""

    first: int
    last: int
    number: int
    meanings: dict[str, int]
    agencies: list[str]


class _View:
    """The values of the templates."""

    def __init__(
        self, comparison: Comparison, silent_days: int, lang: Language, name: str, page_bytes: int | None
    ) -> None:
        self.comparison, self.silent_days = comparison, silent_days
        self.words = Words(lang)
        self.parser_version = PARSER_VERSION
        self.all_meanings, self.all_details = list(MEANINGS), list(DETAILS)
        self.behind_points = f"{-BEHIND_POINTS:g}"
        self.most_standings = MOST_STANDINGS
        self.uncompared = comparison.uncompared
        self.left_out = 0
        self.days = [snapshot.day for snapshot in comparison.snapshots.values()]
        rows = sorted(comparison.changes.to_pylist(), key=meaning_order)
        self.rows = [row for row in rows if row["detail"] != "part_of_record"]
        self.annex = Annex(comparison, self.rows, page_bytes=page_bytes)
        self.builder = RecordBuilder(comparison, rows, self.words)
        self._name = PurePath(name)

    def render(self, page: Page) -> str:
        """The HTML of one page."""
        self.builder.begin_page()
        return _environment().get_template("report/page.html.jinja").render(view=self, w=self.words, page=page)

    # --- pages and addresses -------------------------------------------------------------------------------------------

    @property
    def pages(self) -> list[Page]:
        """The pages of the annex; the first one also has everything else."""
        return self.annex.pages

    def file_of(self, number: int) -> str:
        """The name of the file of a page."""
        return self._name.name if number == 1 else f"{self._name.stem}-{number}{self._name.suffix}"

    def address(self, anchor: str) -> str:
        """The address of a change as the first page links to it; of the annex where the change is left out."""
        number = self.annex.page_of[anchor]
        if number > len(self.pages):
            return "#annex"
        return f"{self.file_of(number) if number > 1 else ''}#{anchor}"

    @property
    def said_of_left_out(self) -> str:
        """How many changes are here, how many are left out, and where those are."""
        sentence = self.words.t(
            "Here are the %s gravest changes; `bma-progress report --out report.html` also writes the other %s.",
            "ที่นี่แสดง %s รายการที่ร้ายแรงที่สุด อีก %s รายการอยู่ในรายงานแบบ HTML (`bma-progress report --out report.html`)",
        )
        return sentence % (f"{len(self.rows) - self.left_out:,}", f"{self.left_out:,}")

    def number_of(self, cards: list[Card]) -> int:
        """How many changes some cards show."""
        return sum(len(card.rows) for card in cards)

    def shown_on(self, page: Page) -> _Shown:
        """What a page shows."""
        before = sum(self.number_of(other.cards) for other in self.pages[: page.number - 1])
        rows = [row for card in page.cards for row in card.rows]
        counts = Counter(row["meaning"] for row in rows)
        meanings = {meaning: counts[meaning] for meaning in MEANINGS if counts[meaning]}
        agencies = sorted({row["agency_code"] for row in rows if row["agency_code"]})
        return _Shown(before + 1, before + len(rows), len(rows), meanings, agencies)

    @cached_property
    def contents(self) -> list[tuple[str, str]]:
        """The sections of the first page: (anchor, title)."""
        t, some = self.words.t, bool(self.rows)
        sections = [
            (True, "short", t("In short", "โดยสรุป")),
            (some, "worst", t("The ten worst, and why", "สิบรายการที่ควรตรวจสอบก่อน และเหตุผล")),
            (some, "numbers", t("In numbers", "สรุปจำนวน")),
            (self.standings is not None or some, "agencies", t("Agencies compared", "เปรียบเทียบหน่วยงาน")),
            (True, "nights", t("Over time", "ภาพรวมทุกคืน")),
            (bool(self.flags), "flags", t("Red flags in B", "ข้อสังเกตใน B")),
            (some, "annex", t("The changes, most severe first", "รายการเปลี่ยนแปลง เรียงตามความสำคัญ")),
            (True, "limits", t("What could not be compared", "สิ่งที่เปรียบเทียบไม่ได้")),
            (True, "method", t("How to read and check this report", "วิธีอ่านและตรวจสอบ")),
        ]
        return [(anchor, title) for there, anchor, title in sections if there]

    @cached_property
    def severity_links(self) -> list[tuple[str, int, str]]:
        """Each severity with its number of changes and the address of its first one."""
        found = []
        for severity in SEVERITIES:
            cards = [card for card in self.annex.cards if card.severity == severity]
            if cards:
                found.append((severity, self.number_of(cards), self.address(cards[0].rows[0]["anchor"])))
        return found

    @cached_property
    def meanings(self) -> list[tuple[str, int, int, str]]:
        """Each meaning, most severe first: its changes, their records, the address of its first change."""
        counts = Counter(row["meaning"] for row in self.rows)
        records = {meaning: {record_of(row) for row in self.rows if row["meaning"] == meaning} for meaning in counts}
        return [
            (meaning, count, len(records[meaning]), self.address(self.annex.first_of(meaning)["anchor"]))
            for meaning, count in counts.items()
        ]

    @cached_property
    def index(self) -> list[tuple[str, str]]:
        """Each record with the address of its first change, by code."""
        first: dict[str, str] = {}
        for card in self.annex.cards:
            for row in card.rows:
                first.setdefault(record_of(row), row["anchor"])
        return [(code, self.address(anchor)) for code, anchor in sorted(first.items()) if code]

    # --- the first page ------------------------------------------------------------------------------------------------

    @cached_property
    def summary(self) -> Summary:
        """The comparison in sentences."""
        return Summary(self.comparison, self.annex, self.words, self.standings)

    @cached_property
    def worst(self) -> Any:
        """The worst records."""
        return self.summary.worst()

    @cached_property
    def nights(self) -> Any:
        """What each night up to B changed; None where that is not known."""
        return nights_of(self.comparison.after)

    @cached_property
    def night_chart(self) -> Any:
        """The chart of the nights."""
        return draw_nights(self.nights.periods, self.nights.counts) if self.nights and self.nights.periods else None

    @cached_property
    def standings(self) -> Any:
        """The agencies beside each other; None where B cannot tell."""
        return league(self.comparison.after, self.nights, self._silent_rows or ())

    @cached_property
    def agency_counts(self) -> dict[str, Counter[str]]:
        """Agency → its changes by severity, those with most severe changes first."""
        counts: dict[str, Counter[str]] = {}
        for row in self.rows:
            counts.setdefault(row["agency_code"] or "", Counter())[row["severity"]] += 1
        for one in self.standings or ():
            counts.setdefault(one.code, Counter())
        return dict(sorted(counts.items(), key=lambda item: ([-item[1][severity] for severity in SEVERITIES], item[0])))

    @cached_property
    def flags(self) -> dict[str, int]:
        """Rule → how many projects of B it finds."""
        table = self.comparison.after.derived("red_flags", ("project_code", "rule"))
        if table is None:
            return {}
        projects = (
            table.group_by(["rule", "project_code"]).aggregate([]).group_by("rule").aggregate([([], "count_all")])
        )
        rows = sorted(projects.to_pylist(), key=lambda row: (-row["count_all"], row["rule"]))
        return {row["rule"]: row["count_all"] for row in rows}

    def period(self, period: str) -> str:
        """A night or a month as the table of nights shows it."""
        return self.words.date(date.fromisoformat(period)) if len(period) > len("2026-11") else period

    def sparkline(self, numbers: tuple[int, ...]) -> str:
        """The points of a trend."""
        return sparkline(numbers)

    def title(self, name: str) -> str:
        """What a snapshot is called."""
        snapshot = self.comparison.snapshots[name]
        if isinstance(snapshot, StoreSnapshot):
            return self.words.t(snapshot.title, f"{snapshot.store.root} รอบเก็บข้อมูล {snapshot.harvest_id}")
        return snapshot.title

    @cached_property
    def script(self) -> Markup:
        """The script of the page."""
        loader = _environment().loader
        assert loader is not None  # noqa: S101 - html_environment sets one
        source, _, _ = loader.get_source(_environment(), "report/script.js")
        return Markup(source)  # noqa: S704 - our own file

    @cached_property
    def script_hash(self) -> str:
        """The script's hash as the page's content policy names it."""
        return f"sha256-{base64.b64encode(hashlib.sha256(self.script.encode()).digest()).decode()}"

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
    def rewritten(self) -> list[dict[Any, Any]] | None:
        """The records rewritten most often in all harvests of the store; None where B is a folder."""
        after = self.comparison.after
        if not isinstance(after, StoreSnapshot):
            return None
        return rewritten_records(after.store, until=after.harvest_id or "latest")[:_MOST_TREND_ROWS]

    @cached_property
    def _silent_rows(self) -> list[dict[str, Any]] | None:
        return silent_rows(self.comparison.after, self.silent_days)

    @cached_property
    def silent(self) -> dict[str, Any] | None:
        """The projects that stopped reporting; None where B has no day or lacks the tables."""
        rows = self._silent_rows
        return None if rows is None else {"rows": rows[:_MOST_TREND_ROWS], "total": len(rows)}


def _outcomes(snapshot: Snapshot) -> dict[str, int]:
    """How many pages had which outcome; empty where the table of pages is missing."""
    if snapshot.pages is None:
        return {}
    return dict(Counter(snapshot.pages.select(["outcome"])["outcome"].to_pylist()).most_common())


def _live_pages(snapshot: Snapshot) -> int:
    """How many pages have a record that has not ended."""
    if snapshot.pages is None:
        return 0
    return int(live_pages(snapshot.pages.select(["version_harvest_id", "ended_at"])).num_rows)
