"""Find the indicators of a project's page that kept what they say and got another code."""

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

IDENTITY: Final = ("name", "unit", "kpi_level")
"""Columns of `project_kpis` by which an indicator is recognised under another code."""


def recoded_indicators(before: pa.Table, after: pa.Table) -> dict[tuple[str, str], str]:
    """(project, earlier code) → later code.

    before, after: `project_code`, `kpi_code` and IDENTITY. Only where one indicator of the project lost its code, and
    one of the same name, unit and level came.
    """
    keys = [pc.binary_join_element_wise(rows["project_code"], rows["kpi_code"], "\x1f") for rows in (before, after)]
    gone = _by_identity(before.filter(pc.invert(pc.is_in(keys[0], value_set=keys[1].combine_chunks()))))
    come = _by_identity(after.filter(pc.invert(pc.is_in(keys[1], value_set=keys[0].combine_chunks()))))
    return {
        (identity[0], codes[0]): come[identity][0]
        for identity, codes in gone.items()
        if len(codes) == 1 and len(come.get(identity, ())) == 1
    }


def _by_identity(rows: pa.Table) -> dict[tuple[Any, ...], list[str]]:
    found: dict[tuple[Any, ...], list[str]] = {}
    for row in rows.to_pylist():
        if row["name"]:
            found.setdefault((row["project_code"], *(row[column] for column in IDENTITY)), []).append(row["kpi_code"])
    return found
