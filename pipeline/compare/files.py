"""Compare two states in files: the records that differ are found first, and only their rows are then held in memory."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from parsers.thai import BANGKOK
from pipeline.compare.changes import SCHEMA
from pipeline.compare.compare import compare
from pipeline.compare.differing import Differing, find_differing
from pipeline.compare.listed_rows import LIST_TABLES
from pipeline.compare.printed_order import PrintedOrder
from pipeline.compare.single_rows import PART_OF
from pipeline.compare.state_pair import Rows
from pipeline.compare.table_file import ChosenRows, TableFile
from pipeline.schema.columns import RECORD_TABLES, TABLES, arrow_schema, page_columns
from pipeline.store.state import FAMILIES

_BLOCK: Final = 20_000  # records compared at once


def compare_files(before: Mapping[str, TableFile], after: Mapping[str, TableFile], seen_on: date | None) -> pa.Table:
    """Compare two states that have the same tables; a table of `pipeline.compare.changes.SCHEMA`, as `compare` gives it.

    seen_on: the day of `before`
    """
    parts = [part for owner in FAMILIES for part in _compare_family(owner, before, after, seen_on)]
    sorted_parts = [part.filter(pc.equal(part["table"], name)) for name in RECORD_TABLES for part in parts]
    return pa.concat_tables([SCHEMA.empty_table(), *sorted_parts])


def _compare_family(
    owner: str, before: Mapping[str, TableFile], after: Mapping[str, TableFile], seen_on: date | None
) -> Iterator[pa.Table]:
    names = [name for name in FAMILIES[owner] if name in before]
    differing = {name: find_differing(before[name], after[name], page_columns(name)) for name in names}
    # rows that belong to an indicator or an item follow it, which can get another code or place
    equal = {name for name in names if not differing[name].owners and name not in PART_OF}
    not_compared = [(name, column) for name in names for column in _equal_columns(name, differing[name])]
    order = PrintedOrder(whole=[name for name in names if _may_be_turned(after[name], differing[name])])
    # a code of text and one of digits, in the order in which `compare` sorts their rows
    owners = sorted(set().union(*(one.owners for one in differing.values())), key=_sort_key)
    for start in range(0, len(owners), _BLOCK):
        chosen = pa.array(owners[start : start + _BLOCK], arrow_schema(names[0]).field(owner).type)
        all_old, all_new = ({name: ChosenRows(file[name], owner, chosen) for name in names} for file in (before, after))
        old, new = dict(all_old), dict(all_new)
        for name in names:
            if name in equal:
                new[name] = old[name]
            elif name not in PART_OF:
                differ = chosen.filter(pa.array([code in differing[name].owners for code in chosen.to_pylist()]))
                for rows, files, kept in zip((old, new), (before, after), differing[name].kept, strict=True):
                    rows[name] = ChosenRows(files[name], owner, differ, kept)
        yield compare(
            old,
            new,
            lookups=(all_old, all_new),
            seen_on=seen_on,
            checked_on=_checked_days(all_old.get("projects")),
            not_compared=not_compared,
            order=order,
        )


def _checked_days(projects: Rows | None) -> dict[str, date]:
    """The day on which each project's page was last read, in Bangkok, where the table says so."""
    if projects is None:
        return {}
    rows = projects.select(["project_code", "checked_at"]).to_pylist()
    return {row["project_code"]: row["checked_at"].astimezone(BANGKOK).date() for row in rows if row["checked_at"]}


def _may_be_turned(after: TableFile, differing: Differing) -> bool:
    """Whether more than half of a table's lists differ: as where the portal prints all of them from the other end."""
    if after.name not in LIST_TABLES or not differing.owners:
        return False
    return 2 * len(differing.owners) > after.number_of(TABLES[after.name].key[0])


def _equal_columns(name: str, differing: Differing) -> Sequence[str]:
    """The columns in which no row differs. Rows of lists are matched by all their columns."""
    key = TABLES[name].key
    if differing.rows_differ or name in LIST_TABLES or name in PART_OF:
        return ()
    return [column for column in page_columns(name) if column not in key and column not in differing.columns]


def _sort_key(owner: Any) -> str:
    return f"{owner:06d}" if isinstance(owner, int) else str(owner)
