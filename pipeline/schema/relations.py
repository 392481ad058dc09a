"""Relations between the tables: which columns of one table identify a row of another."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Relation:
    """Rows of `child` refer to a row of `parent` by `columns`, which have the same names in both."""

    child: str
    parent: str
    columns: tuple[str, ...]


_ITEM: Final = ("agency_code", "list_name", "item_no")

RELATIONS: Final = (
    Relation("contacts", "projects", ("project_code",)),
    Relation("project_strategies", "projects", ("project_code",)),
    Relation("progress_reports", "projects", ("project_code",)),
    Relation("plan_steps", "projects", ("project_code",)),
    Relation("project_kpis", "projects", ("project_code",)),
    Relation("project_kpi_quarters", "project_kpis", ("project_code", "kpi_code")),
    Relation("kpi_quarters", "kpis", ("kpi_code",)),
    Relation("result_list_links", "result_list_items", _ITEM),
    Relation("result_list_quarters", "result_list_items", _ITEM),
    Relation("city_indicator_strategies", "city_indicators", ("indicator_no",)),
    Relation("plan_vs_actual", "projects", ("project_code",)),
    Relation("project_overview", "projects", ("project_code",)),
    Relation("red_flags", "projects", ("project_code",)),
)
"""The relations whose parent row always exists: both come from one page, or the child is computed from the parent.

References to another page (an indicator of a project, a link of a list) are not among them: that page may never have been
fetched.
"""

MENTIONS: Final = (
    Relation("project_kpis", "kpis", ("kpi_code",)),
    Relation("result_list_links", "projects", ("linked_code",)),
    Relation("result_list_links", "kpis", ("linked_code",)),
    Relation("findings", "pages", ("page_key",)),
)
"""Further relations for joins; the row of `parent` may be missing. `linked_code` joins with the parent's own code."""
