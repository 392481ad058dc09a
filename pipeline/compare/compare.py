"""Compare two states of the tables: one row for each difference, with its meaning for an audit.

Only facts are compared, not the lineage columns: two states with equal facts have no difference, even where the bytes of
their pages differ.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

import pyarrow as pa

from pipeline.compare.changes import Difference, changes_table
from pipeline.compare.classify import Meaning
from pipeline.compare.keyed_rows import keyed_differences
from pipeline.compare.listed_rows import LIST_TABLES, list_differences
from pipeline.compare.printed_order import PrintedOrder
from pipeline.compare.single_rows import SingleRows
from pipeline.compare.state_pair import RECORD_OWNERS, Rows, StatePair
from pipeline.schema.columns import RECORD_TABLES, TABLES


def compare(
    before: Mapping[str, Rows],
    after: Mapping[str, Rows],
    *,
    lookups: tuple[Mapping[str, Rows], Mapping[str, Rows]] | None = None,
    known_earlier: Iterable[str] = (),
    cause: str = "portal",
    seen_on: date | None = None,
    checked_on: Mapping[str, date] | None = None,
    not_compared: Iterable[tuple[str, str]] = (),
    order: PrintedOrder | None = None,
) -> pa.Table:
    """Compare two states. Returns a table of `pipeline.compare.changes.SCHEMA`, sorted by table and key.

    before, after: table name → rows, with the columns of `pipeline.schema.columns`; a missing table counts as empty
    lookups: both states with further records, where `before` and `after` have of each table only those that differ in it:
        what a difference means can depend on the record's rows in other tables
    known_earlier: codes of projects and indicators in states before `before`; such a record that is new in `after`
        is *back*
    cause: `portal`, or `parser` where both states come from the same bytes
    seen_on: the day of `before`; without it no plan is said to have moved after its date
    checked_on: project → the day on which its page was last read by then; `seen_on` for others
    not_compared: table and column of what the files of `before` have no column for
    order: shared by the comparisons of several parts of two states

    Raises StoreError for two rows with one key.
    """
    states = StatePair(
        before,
        after,
        lookups or (before, after),
        frozenset(known_earlier),
        seen_on,
        frozenset(not_compared),
        checked_on or {},
        order or PrintedOrder(),
    )
    return changes_table(_differences(states), cause)


def _differences(states: StatePair) -> Iterator[Difference]:
    single = SingleRows()
    for table in RECORD_TABLES:
        before, after = states.rows(table)
        if before is after:  # both states have the same file
            continue
        found = list_differences(states, table) if table in LIST_TABLES else keyed_differences(states, table)
        found.sort(key=lambda difference: _sort_key(difference.key))
        for difference in single.of(found):
            if difference.column is None and (meaning := _record_meaning(difference, states.records)):
                difference = _of_whole_record(difference, meaning)
            yield difference


def _record_meaning(difference: Difference, records: Mapping[tuple[str, str], str]) -> str | None:
    """The meaning of a row whose whole record was added or removed; None where the record is in both states."""
    owner = TABLES[difference.table].key[0]
    return records.get((owner, difference.key[owner]))


def _of_whole_record(difference: Difference, meaning: str) -> Difference:
    """The difference with the row's name only: the other values can be read in the state that has the record."""
    before, after = (
        {"name": values["name"]} if values and values.get("name") else None
        for values in (difference.before, difference.after)
    )
    detail = None if difference.table in RECORD_OWNERS.values() else "part_of_record"
    return difference._replace(meaning=Meaning(meaning, detail), before=before, after=after)


def _sort_key(key: Mapping[str, Any]) -> str:
    return "\x1f".join(f"{value:06d}" if isinstance(value, int) else str(value) for value in key.values())
