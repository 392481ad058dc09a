"""The tables that are computed from the rows of others, declared once: what each needs, and how it is computed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.schema import agency_table, kpi_targets, plan_vs_actual, project_overview, red_flags


@dataclass(frozen=True, slots=True)
class Derived:
    """One derived table. needed: tables and columns it is computed from; compute: those tables and the day → its rows.

    chosen: of a needed table only the rows that matter, for tables that grow with every night
    """

    needed: Mapping[str, tuple[str, ...]]
    compute: Callable[[list[pa.Table], date], pa.Table]
    chosen: Mapping[str, pc.Expression] = field(default_factory=dict)


DERIVED: Final[dict[str, Derived]] = {
    "plan_vs_actual": Derived(plan_vs_actual.NEEDED, plan_vs_actual.derived),
    "agencies": Derived(agency_table.NEEDED, agency_table.derived),
    "red_flags": Derived(red_flags.NEEDED, red_flags.red_flags, {"changes": red_flags.CHOSEN_CHANGES}),
    "project_overview": Derived(
        project_overview.NEEDED,
        project_overview.project_overview,
        {"changes": pc.field("meaning").isin(project_overview.REWRITES)},
    ),
}
"""In the order in which they are computed: a later one may need an earlier one, and the table `changes`."""

COMPUTED_COLUMNS: Final[dict[str, Callable[[pa.Table], dict[str, pa.Array]]]] = {"kpis": kpi_targets.computed_columns}
"""The derived columns of tables of records, from the facts of the same rows."""
