"""Planned progress on any day, from the steps of the plan, and the progress reported by then.

The rule: a step progresses evenly from the morning of its first day to the evening of its last; a step of one day is done
that evening. Planned progress is the sum over all steps of weight times the share that should be done.
Weights count as printed. They are not scaled to a total of 100: a plan with another total is faulty, an audit must see
that, and scaling would invent progress that was never planned. A plan with an unreadable weight or date has no planned
progress, because the sum without it would be too low. A step that ends before it begins counts on its first day.
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.schema.columns import arrow_schemas

if TYPE_CHECKING:
    import pandas as pd

Days = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

STEP_COLUMNS: Final = ("project_code", "weight_percent", "start_date", "end_date")
NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "projects": ("project_code", "fiscal_year_ce"),
    "plan_steps": STEP_COLUMNS,
    "progress_reports": ("project_code", "report_index", "progress_percent", "reported_on_date"),
}
"""The tables that `plan_vs_actual` needs, in the order of its arguments, and their columns."""

_MONTHS: Final = 12
_DIGITS: Final = 4  # decimal places: enough for printed weights, without binary rounding errors
_FAR: Final = 10_000_000  # days: larger than any day number since 1970


def plan_vs_actual(projects: pa.Table, steps: pa.Table, reports: pa.Table, *, as_of: date | None = None) -> pa.Table:
    """Planned and reported progress of each project at the twelve month ends of its fiscal year.

    projects, steps, reports: the tables `projects`, `plan_steps`, `progress_reports`, or only their columns in NEEDED
    as_of: the day of the state; reported progress at a later month end is unknown, and null

    reported_percent is the last percentage reported on or before the month's end, null before the first report;
    variance_percent is reported less planned: negative is behind plan. All in percent. A project without a readable
    fiscal year has no rows.
    """
    known = projects.filter(projects["fiscal_year_ce"].is_valid()).sort_by("project_code")
    codes = _strings(known["project_code"])
    ends = _month_ends(known["fiscal_year_ce"].to_numpy())
    planned = _planned(steps, codes, ends)
    reported = _reported(reports, codes, ends)
    if as_of is not None:
        reported[ends > _day_number(as_of)] = np.nan
    variance = np.round(reported - planned, _DIGITS)
    schema = arrow_schemas()["plan_vs_actual"]
    columns: list[Any] = [
        pa.array(np.repeat(codes, _MONTHS), pa.string()),
        pa.array(ends.ravel().astype("datetime64[D]").astype("datetime64[us]"), schema.field("month_end_date").type),
        *(pa.array(values.ravel(), pa.float64(), from_pandas=True) for values in (planned, reported, variance)),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def derived(tables: list[pa.Table], day: date) -> pa.Table:
    """The table as of a day; tables: those of NEEDED"""
    return plan_vs_actual(*tables, as_of=day)


def planned_percent(steps: "pd.DataFrame | pa.Table", day: date | str) -> "pd.Series[float]":
    """Planned progress of each project by the evening of a day, in percent, by project code; for notebooks.

    steps: the table `plan_steps`, or the rows of some projects; an unreadable plan gives NaN

        >>> planned_percent(store.table("plan_steps"), "2020-06-30")
    """
    import pandas as pd

    table = steps if isinstance(steps, pa.Table) else pa.Table.from_pandas(steps, preserve_index=False)
    planned = planned_by_code(table, date.fromisoformat(day) if isinstance(day, str) else day)
    codes = pd.Index(list(planned), name="project_code", dtype="str")
    return pd.Series(list(planned.values()), index=codes, name="planned_percent", dtype="float64")


def planned_by_code(steps: pa.Table, day: date) -> dict[str, float | None]:
    """Planned progress of each project by the evening of a day, in percent; None for an unreadable plan."""
    codes = np.unique(_strings(steps["project_code"]))
    planned = _planned(steps, codes, np.full((len(codes), 1), _day_number(day), np.int64))[:, 0]
    return {
        str(code): None if np.isnan(percent) else float(percent) for code, percent in zip(codes, planned, strict=True)
    }


def planned_curve(steps: Sequence[dict[str, Any]]) -> list[tuple[date, float]]:
    """The plan of one project as the corners of its curve: (day, percent by its evening); empty where it is unreadable."""
    if not steps or any(step[name] is None for step in steps for name in STEP_COLUMNS[1:]):
        return []
    table = pa.table({name: [step[name] for step in steps] for name in STEP_COLUMNS})
    starts, ends, _ = _spans(table)
    days = np.unique(np.concatenate([starts - 1, ends]))
    codes = np.unique(_strings(table["project_code"]))
    percents = _planned(table, codes, days[np.newaxis, :])[0]
    return [(_date(day), float(percent)) for day, percent in zip(days, percents, strict=True)]


def _planned(steps: pa.Table, codes: npt.NDArray[Any], ends: Days) -> Numbers:
    """Planned percent of each project (row) on each of its days (column)."""
    owners = _strings(steps["project_code"])
    places = np.searchsorted(codes, owners)
    places[places == len(codes)] = 0
    ours = codes[places] == owners if len(codes) else np.zeros(len(owners), bool)
    starts, lasts, weights = (values[ours] for values in _spans(steps))
    places = places[ours]
    planned = np.zeros(ends.shape)
    for column in range(ends.shape[1]):
        done = (ends[places, column] - starts + 1) / (lasts - starts + 1)
        planned[:, column] = np.bincount(places, weights * np.clip(done, 0, 1), minlength=len(codes))
    planned = np.round(planned, _DIGITS)
    steps_of = np.bincount(places, minlength=len(codes))
    planned[steps_of == 0] = np.nan
    return planned


def _spans(steps: pa.Table) -> tuple[Days, Days, Numbers]:
    """First and last day of each step as day numbers, and its weight; the weight is NaN where any of them is unreadable."""
    weights = np.array(steps["weight_percent"].to_numpy(), float)
    starts, starts_known = _day_numbers(steps["start_date"])
    ends, ends_known = _day_numbers(steps["end_date"])
    weights[~(starts_known & ends_known)] = np.nan
    return starts, np.maximum(starts, ends), weights


def _reported(reports: pa.Table, codes: npt.NDArray[Any], ends: Days) -> Numbers:
    """The last percentage reported by each project on or before each of its days."""
    percents = np.array(reports["progress_percent"].to_numpy(), float)
    days, known = _day_numbers(reports["reported_on_date"])
    owners = _strings(reports["project_code"])
    places = np.searchsorted(codes, owners)
    places[places == len(codes)] = 0
    usable = known & ~np.isnan(percents) & ((codes[places] == owners) if len(codes) else False)
    places, days, percents = places[usable], days[usable], percents[usable]
    order = np.lexsort((reports["report_index"].to_numpy()[usable], days, places))
    places, percents, keys = places[order], percents[order], (places * _FAR + days)[order]
    wanted = np.arange(len(codes))[:, np.newaxis]
    last = np.searchsorted(keys, (wanted * _FAR + ends).ravel(), side="right") - 1
    reported = np.full(ends.size, np.nan)
    rows = np.repeat(np.arange(len(codes)), ends.shape[1])
    found = (last >= 0) & (places[last] == rows) if len(places) else np.zeros(ends.size, bool)
    reported[found] = percents[last[found]]
    return reported.reshape(ends.shape)


def _month_ends(years: npt.NDArray[Any]) -> Days:
    """Day numbers of the twelve month ends of fiscal years: October of the year before to September."""
    octobers = (years.astype(np.int64) - 1 - 1970) * _MONTHS + 9
    following = octobers[:, np.newaxis] + np.arange(1, _MONTHS + 1)
    firsts: Days = following.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return firsts - 1


def _day_numbers(column: pa.ChunkedArray) -> tuple[Days, npt.NDArray[np.bool_]]:
    stamps = np.array(column.cast(pa.timestamp("us")).to_numpy(), "datetime64[D]")
    known = ~np.isnat(stamps)
    numbers: Days = np.where(known, stamps, np.datetime64(0, "D")).astype(np.int64)
    return numbers, known


def _day_number(day: date) -> int:
    return int(np.datetime64(day, "D").astype(np.int64))


def _date(number: int) -> date:
    return date.fromordinal(date(1970, 1, 1).toordinal() + int(number))


def _strings(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """Texts as an array that is ordered by code points, like the rows of the tables."""
    return np.array(column.to_pylist(), dtype=np.str_)
