"""Trends over all harvests of a store: the records rewritten most often, and the projects that stopped reporting."""

from collections import Counter
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.compare.classify import fiscal_year_end
from pipeline.schema.project_overview import REWRITES
from pipeline.store.archive import Archive
from pipeline.store.layout import harvest_day

if TYPE_CHECKING:
    import pandas as pd

SILENT_COLUMNS: Final = (
    "project_code",
    "agency_code",
    "agency_name",
    "name",
    "fiscal_year_be",
    "fiscal_year_ce",
    "progress_percent",
)
"""The columns of `projects` that `silent_projects` needs."""

_OF_REWRITE: Final = ("harvest_id", "project_code", "kpi_code", "agency_code", "meaning", "cause")


class Silence(NamedTuple):
    """A project that stopped reporting.

    row: its place among the projects; until: the day up to which `days` without a report are counted
    """

    row: int
    last_report: datetime | None
    until: date
    days: int


def most_rewritten(store: Archive, *, since: str | date | None = None, until: str | date = "latest") -> "pd.DataFrame":
    """The projects and indicators whose history was rewritten, those with most such harvests first.

    since, until: a harvest's id, a day, latest or previous; counts the harvests after `since` (all where it is None) up to
        `until`. Held-back harvests do not count: the next published one has their changes

    Columns: code, agency_code, name (as of `until`; null for a record that is gone), nights (harvests with a rewrite),
    rewrites (changes in all), the count of each meaning of `pipeline.schema.project_overview.REWRITES`, last_harvest_id.
    """
    import pandas as pd

    columns = ["code", "agency_code", "name", "nights", "rewrites", *sorted(REWRITES), "last_harvest_id"]
    return pd.DataFrame(rewritten_records(store, since=since, until=until), columns=columns)


def rewritten_records(
    store: Archive, *, since: str | date | None = None, until: str | date = "latest"
) -> list[dict[str, Any]]:
    """The rows of `most_rewritten`."""
    last = store.resolve(until)
    first = store.resolve(since) if since is not None else ""
    ids = [id_ for id_ in store.harvest_ids(published_only=True) if first < id_ <= last]
    rows = store.arrow("changes", last, columns=_OF_REWRITE)
    wanted = pc.and_(pc.is_in(rows["meaning"], pa.array(sorted(REWRITES))), pc.equal(rows["cause"], "portal"))
    rewrites: dict[str, Counter[str]] = {}
    nights: dict[str, dict[str, None]] = {}
    agencies: dict[str, str | None] = {}
    for row in rows.filter(pc.and_(wanted, pc.is_in(rows["harvest_id"], pa.array(ids, pa.string())))).to_pylist():
        code = row["project_code"] or row["kpi_code"] or row["agency_code"]
        rewrites.setdefault(code, Counter())[row["meaning"]] += 1
        agencies[code] = row["agency_code"]
        nights.setdefault(code, {})[row["harvest_id"]] = None
    names = _names(store, last) if rewrites else {}
    found = [
        {
            "code": code,
            "agency_code": agencies[code],
            "name": names.get(code),
            "nights": len(nights[code]),
            "rewrites": counts.total(),
            **{meaning: counts[meaning] for meaning in sorted(REWRITES)},
            "last_harvest_id": max(nights[code]),
        }
        for code, counts in rewrites.items()
    ]
    return sorted(found, key=lambda row: (-row["nights"], -row["rewrites"], row["code"] or ""))


def not_reported(store: Archive, days: int, *, when: str | date = "latest") -> "pd.DataFrame":
    """The projects without a report for more than `days` days of their fiscal year, longest first.

    Days count from the last report, or from the first day of the fiscal year where there is none, to the day of the state
    or the last day of the fiscal year, whichever is earlier: a project of a past year does not become silent later.
    Projects at 100 percent are left out.

    Columns: project_code, agency_code, agency_name, name, fiscal_year_be, progress_percent, last_report_date (NaT where
    there is none), until_date, days.
    """
    id_ = store.resolve(when)
    return silent_projects(store.arrow("projects", id_), store.arrow("progress_reports", id_), harvest_day(id_), days)


def silent_projects(projects: pa.Table, reports: pa.Table, seen_on: date, days: int) -> "pd.DataFrame":
    """The projects of `not_reported`, from the two tables. seen_on: the day of their state"""
    import pandas as pd

    found = silences(projects, reports, seen_on, days)
    rows = projects.select(list(SILENT_COLUMNS)).drop_columns("fiscal_year_ce")
    frame: pd.DataFrame = rows.take(pa.array([one.row for one in found], pa.int64())).to_pandas()
    counted = [one[1:] for one in found]
    frame[["last_report_date", "until_date", "days"]] = pd.DataFrame(counted, columns=range(3), index=frame.index)
    for name in ("last_report_date", "until_date"):
        frame[name] = pd.to_datetime(frame[name])
    return frame


def silences(projects: pa.Table, reports: pa.Table, seen_on: date, days: int) -> list[Silence]:
    """The projects of `not_reported` by their place in `projects`, longest silence first."""
    last = reports.group_by("project_code").aggregate([("reported_on_date", "max")])
    newest = dict(zip(last["project_code"].to_pylist(), last["reported_on_date_max"].to_pylist(), strict=True))
    codes, years, percents = (
        projects[name].to_pylist() for name in ("project_code", "fiscal_year_ce", "progress_percent")
    )
    found: list[Silence] = []
    for row, (code, year, percent) in enumerate(zip(codes, years, percents, strict=True)):
        if year is None or (percent or 0) >= 100:
            continue
        until, reported = min(fiscal_year_end(year), seen_on), newest.get(code)
        start = reported.date() if reported else fiscal_year_end(year - 1) + timedelta(days=1)
        silence = (until - start).days
        if silence > days:
            found.append(Silence(row, reported, until, silence))
    return sorted(found, key=lambda one: (-one.days, codes[one.row]))


def _names(store: Archive, harvest_id: str) -> dict[str, str | None]:
    names: dict[str, str | None] = {}
    for table, key in (("kpis", "kpi_code"), ("projects", "project_code")):
        rows = store.arrow(table, harvest_id).select([key, "name"])
        names |= dict(zip(rows[key].to_pylist(), rows["name"].to_pylist(), strict=True))
    return names
