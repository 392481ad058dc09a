"""Trends over all harvests of a store: the records rewritten most often, and the projects that stopped reporting."""

from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.compare.changes import SCHEMA
from pipeline.compare.classify import REWRITES, fiscal_year_end
from pipeline.store.archive import Archive
from pipeline.store.layout import harvest_day
from pipeline.store.parquet import read_as

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


def most_rewritten(store: Archive, *, since: str | date | None = None, until: str | date = "latest") -> "pd.DataFrame":
    """The projects and indicators whose history was rewritten, those with most such harvests first.

    since, until: a harvest's id, a day, latest or previous; counts the harvests after `since` (all where it is None) up to
        `until`. Held-back harvests do not count: the next published one has their changes

    Columns: code, agency_code, name (as of `until`; null for a record that is gone), nights (harvests with a rewrite),
    rewrites (changes in all), the count of each meaning of `pipeline.compare.classify.REWRITES`, last_harvest_id.
    """
    last = store.resolve(until)
    first = store.resolve(since) if since is not None else ""
    rewrites: dict[str, Counter[str]] = {}
    nights: dict[str, list[str]] = {}
    agencies: dict[str, str | None] = {}
    for id_ in store.harvest_ids(published_only=True):
        if not first < id_ <= last:
            continue
        rows = read_as(store.file(id_, "changes"), SCHEMA)
        wanted = pc.and_(pc.is_in(rows["meaning"], pa.array(sorted(REWRITES))), pc.equal(rows["cause"], "portal"))
        for row in rows.filter(wanted).to_pylist():
            code = row["project_code"] or row["kpi_code"] or row["agency_code"]
            rewrites.setdefault(code, Counter())[row["meaning"]] += 1
            agencies[code] = row["agency_code"]
            if not nights.setdefault(code, []) or nights[code][-1] != id_:
                nights[code].append(id_)
    names = _names(store, last) if rewrites else {}
    found = [
        {
            "code": code,
            "agency_code": agencies[code],
            "name": names.get(code),
            "nights": len(nights[code]),
            "rewrites": counts.total(),
            **{meaning: counts[meaning] for meaning in sorted(REWRITES)},
            "last_harvest_id": nights[code][-1],
        }
        for code, counts in rewrites.items()
    ]
    import pandas as pd

    columns = ["code", "agency_code", "name", "nights", "rewrites", *sorted(REWRITES), "last_harvest_id"]
    frame = pd.DataFrame(found, columns=columns)
    return frame.sort_values(["nights", "rewrites", "code"], ascending=[False, False, True], ignore_index=True)


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
    last = reports.group_by("project_code").aggregate([("reported_on_date", "max")])
    newest = dict(zip(last["project_code"].to_pylist(), last["reported_on_date_max"].to_pylist(), strict=True))
    places: list[int] = []
    found: list[tuple[date | None, date, int]] = []
    columns = (projects[name].to_pylist() for name in ("project_code", "fiscal_year_ce", "progress_percent"))
    for place, (code, year, percent) in enumerate(zip(*columns, strict=True)):
        if year is None or (percent or 0) >= 100:
            continue
        until, reported = min(fiscal_year_end(year), seen_on), newest.get(code)
        start = reported.date() if reported else fiscal_year_end(year - 1) + timedelta(days=1)
        silence = (until - start).days
        if silence > days:
            places.append(place)
            found.append((reported, until, silence))
    rows = projects.select(list(SILENT_COLUMNS)).drop_columns("fiscal_year_ce").take(pa.array(places, pa.int64()))
    import pandas as pd

    frame: pd.DataFrame = rows.to_pandas()
    frame[["last_report_date", "until_date", "days"]] = pd.DataFrame(found, columns=range(3), index=frame.index)
    for name in ("last_report_date", "until_date"):
        frame[name] = pd.to_datetime(frame[name])
    return frame.sort_values(["days", "project_code"], ascending=[False, True], ignore_index=True)


def _names(store: Archive, harvest_id: str) -> dict[str, str | None]:
    names: dict[str, str | None] = {}
    for table, key in (("kpis", "kpi_code"), ("projects", "project_code")):
        rows = store.arrow(table, harvest_id).select([key, "name"])
        names |= dict(zip(rows[key].to_pylist(), rows["name"].to_pylist(), strict=True))
    return names
