"""Differences of tables whose rows keep their key: rows are matched by key, columns compared one at a time."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.compare.changes import Difference, whole_row
from pipeline.compare.classify import Meaning
from pipeline.compare.state_pair import RECORD_OWNERS, Rows, StatePair
from pipeline.errors import StoreError
from pipeline.schema.columns import TABLES, page_columns


def keyed_differences(states: StatePair, table: str) -> list[Difference]:
    """The differences of one table, in no particular order. Raises StoreError for two rows with one key."""
    before, after = states.rows(table)
    key = list(TABLES[table].key)
    keys = _with_later_codes(states, table, before.select(key)), after.select(key)
    matches = match_by_key(table, *keys, key)
    matched_keys = matches.of_after(keys[1])
    found = _whole_rows(table, after, keys[1], matches.only_after, "added")
    found += _whole_rows(table, before, keys[0], matches.only_before, "removed")
    for column in states.columns(table):
        if column in key:
            continue
        # one column at a time: texts are most of a state, and allocating memory costs more than reading
        old, new = matches.of_before(before.select([column])), matches.of_after(after.select([column]))
        if len(places := unequal_places(old[column], new[column])):
            rows = matched_keys.take(places).to_pylist()
            values = old[column].take(places).to_pylist(), new[column].take(places).to_pylist()
            for row, value_before, value_after in zip(rows, *values, strict=True):
                row_before, row_after = {**row, column: value_before}, {**row, column: value_after}
                found.append(states.changed_value(table, column, row_before, row_after))
    if table == "project_kpis":
        found += (
            Difference(
                table,
                {"project_code": project, "kpi_code": later},
                "changed",
                "kpi_code",
                earlier,
                later,
                Meaning("other", "indicator_recoded"),
            )
            for (project, earlier), later in states.recoded.items()
        )
    return found


def _with_later_codes(states: StatePair, table: str, keys: pa.Table) -> pa.Table:
    """Earlier keys with the numbers and codes that their items and indicators have now."""
    if "item_no" in keys.column_names and states.item_numbers:
        return renumber_items(keys, states.item_numbers)
    if table in ("project_kpis", "project_kpi_quarters") and states.recoded:
        projects, codes = (keys[name].to_pylist() for name in ("project_code", "kpi_code"))
        later = [states.recoded.get(pair, pair[1]) for pair in zip(projects, codes, strict=True)]
        return keys.set_column(keys.schema.get_field_index("kpi_code"), "kpi_code", pa.array(later, pa.string()))
    return keys


class KeyMatches(NamedTuple):
    """Row numbers of the rows in both tables, in the same order, and of the rows in one table only.

    before, after: None means all rows in their order
    """

    before: pa.Array | None
    after: pa.Array | None
    only_before: pa.Array | None = None
    only_after: pa.Array | None = None

    def of_before(self, table: pa.Table) -> pa.Table:
        """The matched rows of the earlier table."""
        return table if self.before is None else table.take(self.before)

    def of_after(self, table: pa.Table) -> pa.Table:
        """The matched rows of the later table."""
        return table if self.after is None else table.take(self.after)


def match_by_key(table: str, before: pa.Table, after: pa.Table, key: Sequence[str]) -> KeyMatches:
    """Match the rows of two tables with equal keys. Raises StoreError for two rows with one key."""
    if all(before[column].equals(after[column]) for column in key):
        return KeyMatches(None, None)
    before_keys, after_keys = key_strings(before, key), key_strings(after, key)
    for keys in (before_keys, after_keys):
        if pc.count_distinct(keys).as_py() < len(keys):
            raise StoreError(f"the table {table} has two rows with one key ({', '.join(key)}); export it again")
    places = pc.index_in(after_keys, value_set=before_keys)
    known = pc.is_valid(places)
    gone = pc.invert(pc.is_in(before_keys, value_set=after_keys))
    both_after, only_after = pc.indices_nonzero(known), pc.indices_nonzero(pc.invert(known))
    if len(both_after) == len(after) and places.equals(pa.array(range(len(after)), places.type)):
        return KeyMatches(None if len(before) == len(after) else places, None, pc.indices_nonzero(gone), only_after)
    return KeyMatches(places.filter(known), both_after, pc.indices_nonzero(gone), only_after)


def key_strings(table: pa.Table, key: Sequence[str]) -> pa.Array:
    """The key of each row as one string."""
    parts = [pc.cast(table.column(column), pa.string()).combine_chunks() for column in key]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "\x1f")


def unequal_places(old: pa.ChunkedArray, new: pa.ChunkedArray) -> pa.Array:
    """Row numbers where two columns differ; null equals null."""
    if old.equals(new):
        return pa.array([], pa.uint64())
    differ = pc.or_kleene(pc.not_equal(old, new), pc.xor(pc.is_null(old), pc.is_null(new)))
    return pc.indices_nonzero(pc.fill_null(differ, False))


def renumber_items(before: pa.Table, numbers: Mapping[tuple[str, str], Mapping[int, int]]) -> pa.Table:
    """Earlier rows with the later numbers of their items, so that links and quarters are matched with the moved item.

    A removed item has no later number: it gets its own number, negative, which no later item has.
    """
    agencies, lists, items = (before[name].to_pylist() for name in ("agency_code", "list_name", "item_no"))
    renumbered = []
    for agency, list_name, item in zip(agencies, lists, items, strict=True):
        moved = numbers.get((agency, list_name))
        renumbered.append(item if moved is None else moved.get(item, -item))
    place = before.schema.get_field_index("item_no")
    return before.set_column(place, "item_no", pa.array(renumbered, before.schema.field("item_no").type))


def _whole_rows(table: str, rows: Rows, keys: pa.Table, places: pa.Array | None, change: str) -> list[Difference]:
    if places is None or not len(places):
        return []
    # of an added or removed record only its name is reported
    columns = [*TABLES[table].key, "name"] if table in RECORD_OWNERS.values() else list(page_columns(table))
    chosen_keys = keys.take(places).to_pylist()
    values = rows.select(columns).take(places).to_pylist()
    return [whole_row(table, {**row, **key}, change) for row, key in zip(values, chosen_keys, strict=True)]
