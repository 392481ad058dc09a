"""The table of agencies: every one that may exist, and every one whose code any page has shown."""

from collections import Counter
from datetime import date
from typing import Any, Final

import pyarrow as pa

from pipeline.schema.agencies import agency_rows
from pipeline.schema.codes import AGENCY_CODE, agency_of_code, agency_of_page
from pipeline.schema.columns import arrow_schemas

NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "pages": ("page_key", "version_harvest_id"),
    "projects": ("agency_code", "agency_name", "fiscal_year_be"),
    "project_kpis": ("kpi_code",),
    "result_list_links": ("linked_code",),
}
"""The tables that `agency_table` needs, in the order of its arguments, and their columns."""


def agency_table(pages: pa.Table, projects: pa.Table, project_kpis: pa.Table, links: pa.Table) -> pa.Table:
    """All agencies: those that may exist, and those of every code that a page has shown.

    pages, projects, project_kpis, links: the tables `pages`, `projects`, `project_kpis`, `result_list_links`, or only
    their columns in NEEDED

    The name that the portal prints counts: of several the one of the latest fiscal year, and there the most frequent.
    """
    names = _printed_names(projects)
    shown = {code for (code,) in (*_rows(project_kpis, "project_kpis"), *_rows(links, "result_list_links"))}
    keys = {key for key, version in _rows(pages, "pages") if version is not None}
    seen = set(filter(AGENCY_CODE.fullmatch, (*map(agency_of_code, shown), *map(agency_of_page, keys))))
    return pa.Table.from_pylist(agency_rows(seen, names), arrow_schemas()["agencies"])


def derived(tables: list[pa.Table], day: date) -> pa.Table:
    """The table as of any day; tables: those of NEEDED"""
    return agency_table(*tables)


def _printed_names(projects: pa.Table) -> dict[str, str]:
    counts = Counter(row for row in _rows(projects, "projects") if row[0] and row[1])
    ordered = sorted(counts, key=lambda row: (row[2] or 0, counts[row], row[1]))
    return {code: name for code, name, _ in ordered}  # the last of a code counts


def _rows(table: pa.Table, name: str) -> list[tuple[Any, ...]]:
    return list(zip(*(table[column].to_pylist() for column in NEEDED[name]), strict=True))
