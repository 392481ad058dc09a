"""How agencies stand beside each other, and what each night changed: for the report's first pages."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.compare.classify import SEVERITIES, severity_of
from pipeline.compare.inputs import Snapshot, StoreSnapshot
from pipeline.compare.trends import SILENT_COLUMNS, silences
from pipeline.schema.project_overview import BEHIND_POINTS, REWRITES
from pipeline.store.layout import harvest_day

MOST_NIGHTS: Final = 60
"""Nights that a chart shows one by one; of more, months."""

_OF_CHANGE: Final = ("harvest_id", "agency_code", "meaning", "detail", "cause")
_OF_OVERVIEW: Final = ("project_code", "agency_code", "agency_name", "variance_percent", "red_flags")


@dataclass
class Standing:
    """One agency at one state.

    rewrites: changes of reported history in all nights up to it; silent: unfinished projects without a report for so many
        days; behind: projects at least BEHIND_POINTS behind their plan; flags: red flags
    trend: rewrites in each period of `Nights.periods`
    """

    code: str
    name: str
    projects: int = 0
    rewrites: int = 0
    silent: int = 0
    behind: int = 0
    flags: int = 0
    trend: tuple[int, ...] = ()

    @property
    def rewrites_per_100(self) -> float:
        """Rewrites per 100 projects."""
        return 100 * self.rewrites / self.projects if self.projects else 0.0

    @property
    def silent_share(self) -> float:
        """Silent projects in percent."""
        return 100 * self.silent / self.projects if self.projects else 0.0


@dataclass
class Nights:
    """What changed over time. periods: nights as days, or months; counts: severity → changes in each period"""

    periods: tuple[str, ...]
    counts: dict[str, tuple[int, ...]]
    rewrites: dict[str, tuple[int, ...]]
    monthly: bool


def nights_of(snapshot: Snapshot) -> Nights | None:
    """What each published night up to a state changed; None where its changes are not known."""
    changes = snapshot.derived("changes", _OF_CHANGE)
    if changes is None:
        return None
    whole = pc.fill_null(pc.equal(changes["detail"], "part_of_record"), False)
    grouped = changes.filter(pc.invert(whole)).group_by(list(_OF_CHANGE)).aggregate([([], "count_all")]).to_pylist()
    ids = sorted({row["harvest_id"] for row in grouped} | set(_published(snapshot)))
    monthly = len(ids) > MOST_NIGHTS
    period_of = {id_: str(harvest_day(id_))[: 7 if monthly else 10] for id_ in ids}
    periods = tuple(dict.fromkeys(period_of.values()))
    place = {period: number for number, period in enumerate(periods)}
    counts: dict[str, list[int]] = {severity: [0] * len(periods) for severity in SEVERITIES}
    rewrites: dict[str, list[int]] = defaultdict(lambda: [0] * len(periods))
    for row in grouped:
        number = place[period_of[row["harvest_id"]]]
        counts[severity_of(row["meaning"], row["detail"], row["cause"])][number] += row["count_all"]
        if row["meaning"] in REWRITES and row["cause"] == "portal":
            rewrites[row["agency_code"] or ""][number] += row["count_all"]
    return Nights(
        periods,
        {severity: tuple(numbers) for severity, numbers in counts.items()},
        {code: tuple(numbers) for code, numbers in rewrites.items()},
        monthly,
    )


def _published(snapshot: Snapshot) -> list[str]:
    if not isinstance(snapshot, StoreSnapshot) or snapshot.harvest_id is None:
        return []
    return [id_ for id_ in snapshot.store.harvest_ids(published_only=True) if id_ <= snapshot.harvest_id]


def league(snapshot: Snapshot, nights: Nights | None, silent: Iterable[Mapping[str, Any]]) -> list[Standing] | None:
    """The agencies with projects, most rewrites per 100 projects first; None where the state cannot tell.

    silent: the rows of `silent_rows`
    """
    overview = snapshot.derived("project_overview", _OF_OVERVIEW)
    if overview is None or nights is None:
        return None
    behind = pc.fill_null(pc.less_equal(overview["variance_percent"], BEHIND_POINTS), False).cast(pa.int64())
    counted = pa.table(
        {
            "code": pc.fill_null(overview["agency_code"], ""),
            "name": overview["agency_name"],
            "behind": behind,
            "flags": overview["red_flags"],
        }
    )
    wanted = [("name", "max"), ("behind", "sum"), ("flags", "sum"), ([], "count_all")]
    found = {
        row["code"]: Standing(
            row["code"],
            row["name_max"] or "",
            projects=row["count_all"],
            behind=row["behind_sum"],
            flags=row["flags_sum"] or 0,
        )
        for row in counted.group_by("code").aggregate(wanted).to_pylist()
    }
    for code, number in Counter(row["agency_code"] or "" for row in silent).items():
        found[code].silent = number
    for code, agency in found.items():
        agency.trend = nights.rewrites.get(code, ())
        agency.rewrites = sum(agency.trend)
    return sorted(found.values(), key=lambda one: (-one.rewrites_per_100, -one.flags, one.code))


def silent_rows(snapshot: Snapshot, days: int) -> list[dict[str, Any]] | None:
    """The projects of a state that stopped reporting, as `silent_projects` has them; None where it cannot be told."""
    day: date | None = snapshot.day
    if day is None or not {"projects", "progress_reports"} <= snapshot.tables.keys():
        return None
    projects: pa.Table = snapshot.tables["projects"].select(list(SILENT_COLUMNS))
    reports = snapshot.tables["progress_reports"].select(["project_code", "reported_on_date"])
    found = silences(projects, reports, day, days)
    rows = projects.take(pa.array([one.row for one in found], pa.int64())).to_pylist()
    return [
        {**row, "last_report_date": one.last_report and one.last_report.date(), "days": one.days}
        for row, one in zip(rows, found, strict=True)
    ]
