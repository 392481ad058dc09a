"""The tables that are computed from the rows of others, declared once: what each needs, and how it is computed."""

from collections.abc import Callable, Iterable, Mapping
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

NEEDED_BY_DERIVED: Final[dict[str, tuple[str, ...]]] = {
    table: tuple(dict.fromkeys(column for one in DERIVED.values() for column in one.needed.get(table, ())))
    for table in dict.fromkeys(table for one in DERIVED.values() for table in one.needed)
}
"""Tables and columns that all derived tables together are computed from."""


def derived_tables(facts: Mapping[str, pa.Table], day: date, names: Iterable[str] = DERIVED) -> dict[str, pa.Table]:
    """Derived tables by name, all of them if not named. facts: the tables that they need; day: of the state"""
    return {name: DERIVED[name].compute([facts[table] for table in DERIVED[name].needed], day) for name in names}
