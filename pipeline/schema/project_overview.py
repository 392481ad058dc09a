"""How each project stands: one row a project, for anyone who wants one table."""

from collections import Counter
from datetime import date
from itertools import compress
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.schema.columns import arrow_schemas
from pipeline.schema.kpi_targets import is_attained
from pipeline.schema.plan_vs_actual import STEP_COLUMNS, planned_by_code

BEHIND_POINTS: Final = -10.0
"""Percentage points against its plan from which a project counts as behind."""
SILENT_DAYS: Final = 90
"""Days without a report, a quarter, after which an unfinished project counts as silent."""

_OF_PROJECT: Final = (
    *("project_code", "name", "agency_code", "agency_name", "fiscal_year_be", "progress_percent"),
    *("budget_received_baht", "budget_spent_baht"),
)
NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "projects": _OF_PROJECT,
    "progress_reports": ("project_code", "reported_on_date", "problems", "obstacles"),
    "plan_steps": STEP_COLUMNS,
    "project_kpis": ("project_code", "unit", "target_value", "achieved_value"),
    "changes": ("harvest_id", "project_code", "meaning", "cause"),
    "red_flags": ("project_code",),
}
"""The tables that `project_overview` needs, in the order of its arguments, and their columns."""

REWRITES: Final = ("report_edited", "report_removed", "result_restated")
"""The meanings that change what was already reported."""

_DIGITS: Final = 4


def project_overview(tables: list[pa.Table], day: date) -> pa.Table:
    """One row a project, as of a day. tables: those of NEEDED, or only their columns in it"""
    projects, reports, steps, kpis, changes, flags = tables
    targets = [kpis[name].to_pylist() for name in ("unit", "target_value", "achieved_value")]
    planned = planned_by_code(steps, day)
    attained = Counter(compress(kpis["project_code"].to_pylist(), map(is_attained, *targets)))
    weights = _per_project(steps, "weight_percent", "sum")
    last = _per_project(reports, "reported_on_date", "max")
    counts = {name: _counts(table) for name, table in (("reports", reports), ("steps", steps), ("kpis", kpis))}
    troubled = reports.filter(pc.or_(pc.is_valid(reports["problems"]), pc.is_valid(reports["obstacles"])))
    with_problems = frozenset(troubled["project_code"].to_pylist())
    rewritten = _nights_with_rewrites(changes)
    flagged = _counts(flags)
    rows: list[dict[str, Any]] = []
    for row in projects.select(list(_OF_PROJECT)).to_pylist():
        code = row["project_code"]
        reported_on, plan = last.get(code), planned.get(code)
        is_known = plan is not None and row["progress_percent"] is not None
        row |= {name: found[code] for name, found in counts.items()}
        row |= {
            "planned_percent": plan,
            "variance_percent": round(row["progress_percent"] - plan, _DIGITS) if is_known else None,
            "last_report_date": reported_on,
            "days_since_report": (day - reported_on.date()).days if reported_on else None,
            "has_problems": code in with_problems,
            "weights_sum": None if weights.get(code) is None else round(weights[code], _DIGITS),
            "kpis_attained": attained[code],
            "times_rewritten": rewritten[code],
            "red_flags": flagged[code],
        }
        rows.append(row)
    return pa.Table.from_pylist(rows, arrow_schemas()["project_overview"])


def _nights_with_rewrites(changes: pa.Table) -> Counter[str]:
    chosen = pc.and_(pc.is_in(changes["meaning"], pa.array(REWRITES)), pc.equal(changes["cause"], "portal"))
    return _counts(changes.filter(chosen).group_by(["project_code", "harvest_id"]).aggregate([]))


def _counts(table: pa.Table) -> Counter[str]:
    return Counter(_per_project(table, "project_code", "count"))


def _per_project(table: pa.Table, column: str, what: str) -> dict[str, Any]:
    found = table.group_by("project_code").aggregate([(column, what)])
    return dict(zip(found["project_code"].to_pylist(), found[f"{column}_{what}"].to_pylist(), strict=True))
