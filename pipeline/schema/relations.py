"""How the tables hang together: which columns of one table name a row of another."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Relation:
    """Rows of `child` name a row of `parent` by `columns`, which have the same names in both."""

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
    Relation("plan_vs_actual", "projects", ("project_code",)),
)
"""The relations that always hold: parent and child stand on one page, or the child is made from the parent.

What one page says of another page (an indicator a project supports, a list's link) is none of these: that page may
never have been fetched.
"""

MENTIONS: Final = (
    Relation("project_kpis", "kpis", ("kpi_code",)),
    Relation("result_list_links", "projects", ("linked_code",)),
    Relation("result_list_links", "kpis", ("linked_code",)),
    Relation("findings", "pages", ("page_key",)),
)
"""How else tables can be joined; the row of `parent` may be missing. `linked_code` is the code there."""
