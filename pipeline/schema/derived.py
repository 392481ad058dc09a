"""The tables that are computed from the rows of others, declared once: what each needs, and how it is computed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import pyarrow as pa

from pipeline.schema import agency_table, plan_vs_actual


@dataclass(frozen=True, slots=True)
class Derived:
    """One derived table. needed: tables and columns it is computed from; compute: those tables and the day → its rows."""

    needed: Mapping[str, tuple[str, ...]]
    compute: Callable[[list[pa.Table], date], pa.Table]


DERIVED: Final[dict[str, Derived]] = {
    "plan_vs_actual": Derived(
        plan_vs_actual.NEEDED, lambda tables, day: plan_vs_actual.plan_vs_actual(*tables, as_of=day)
    ),
    "agencies": Derived(agency_table.NEEDED, lambda tables, _: agency_table.agency_table(*tables)),
}
