"""Which records differ between two files of one table, found part by part, so that memory stays bounded.

Values are compared, never digests of them. A column whose stored bytes are the same in both files is not even decoded.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.compare.keyed_rows import unequal_places
from pipeline.compare.table_file import Part, TableFile
from pipeline.schema.columns import TABLES

_PART: Final = 16 << 20  # bytes of a part's rows in memory, both texts and numbers
_KEPT: Final = 64 << 20  # bytes of the rows of a table that differ, both states
_MOST_RUNS: Final = 500
"""Runs of rows compared by themselves; with more of them it is quicker to bring all rows into one order first."""


@dataclass
class Differing:
    """What differs between two files. owners: the records (projects, indicators, agencies); columns: in which values do

    rows_differ: true where a record has other rows in the two files, so that every column of theirs has to be looked at
    """

    owners: set[Any] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)
    rows_differ: bool = False
    _kept: tuple[list[pa.Table], list[pa.Table]] | None = field(default_factory=lambda: ([], []))

    def keep(self, old: pa.Table, new: pa.Table, owners: set[Any]) -> None:
        """Keep the rows of the owners that differ, so that they need not be read again, while they fit into memory.

        old, new: a part of both files; their first column is the owner
        """
        if self._kept is None:
            return
        chosen = pa.array(list(owners), old.schema.field(0).type)
        for kept, rows in zip(self._kept, (old, new), strict=True):
            kept.append(rows.filter(pc.is_in(rows.column(0), value_set=chosen)).combine_chunks())
        if sum(rows.nbytes for kept in self._kept for rows in kept) > _KEPT:
            self.keep_none()

    def keep_none(self) -> None:
        """Keep no rows: they are read again."""
        self._kept = None

    @property
    def kept(self) -> tuple[pa.Table | None, pa.Table | None]:
        """The rows of the records that differ, in both files; None where there were too many."""
        old, new = (pa.concat_tables(rows) if rows else None for rows in self._kept or ((), ()))
        return old, new


class _Run(NamedTuple):
    """Rows that follow each other in both files: the first one in each, and how many."""

    old: int
    new: int
    rows: int


def find_differing(before: TableFile, after: TableFile, columns: Sequence[str]) -> Differing:
    """The records with any difference in these columns, of which the first is the record's code."""
    found, key = Differing(), TABLES[before.name].key
    others = [column for column in columns if column not in key]
    with ThreadPoolExecutor(2) as readers:  # a file each

        def read(part: tuple[Part, Part], names: list[str]) -> tuple[pa.Table, pa.Table]:
            old, new = readers.map(lambda file, one: file.rows(one, names), (before, after), part)
            return old, new

        if before.has_same_groups(after, key):
            stored = {
                column: [before.has_same_bytes(after, column, group) for group in range(before.groups)]
                for column in others
            }
            changed = [column for column, same in stored.items() if not all(same)]
            for group in range(before.groups):
                if all(stored[column][group] for column in changed):
                    continue
                whole = Part((group,))
                for old, new in _in_step(readers, *(file.batches(whole, [*key, *changed]) for file in (before, after))):
                    _compare_columns(old, new, key, changed, found)
            if not after.are_groups_apart(key[0]):
                found.keep_none()  # of a record's rows only those in one group would be there
        else:
            for part in _parts(before, after, key[0]):
                _compare_part(*read(part, [*key, *others]), key, found)
    return found


def _in_step(
    readers: Executor, before: Iterator[pa.Table], after: Iterator[pa.Table]
) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The batches of both files, which have as many rows, each read by a thread of its own."""
    while True:
        old, new = readers.map(lambda batches: next(batches, None), (before, after))
        if old is None or new is None:
            return
        yield old, new


def _compare_columns(
    old: pa.Table, new: pa.Table, key: Sequence[str], columns: Sequence[str], found: Differing
) -> None:
    """Compare rows with the same keys in the same order."""
    owners, differ = new.column(0), set()
    for column in columns:
        places = unequal_places(old[column], new[column])
        if len(places):
            found.columns.add(column)
            differ.update(owners.take(places).to_pylist())
    found.owners |= differ
    if len(key) > 1 and differ & {owners[0].as_py(), owners[-1].as_py()}:
        found.keep_none()  # more of its rows can be in the rows before or after these
    found.keep(old, new, differ)


def _parts(before: TableFile, after: TableFile, owner: str) -> Iterator[tuple[Part, Part]]:
    """Both files cut at the same owners, into parts that fit into memory."""
    cuts = [None, *before.cuts(owner, _PART), None]
    for low, high in pairwise(cuts):
        yield before.between(owner, low, high), after.between(owner, low, high)


def _compare_part(old: pa.Table, new: pa.Table, key: Sequence[str], found: Differing) -> None:
    """Compare a part in which records may have rows in one file only."""
    part, owner = Differing(), key[0]
    one, other = _by_owner(old, key), _by_owner(new, key)
    runs = _runs(one[owner], other[owner], part)
    if len(runs) > _MOST_RUNS:
        one, other = (
            rows.take(_all_rows(starts, runs))
            for rows, starts in ((one, [run.old for run in runs]), (other, [run.new for run in runs]))
        )
        runs = [_Run(0, 0, len(one))]
    for column in old.column_names:
        for run in runs:
            places = unequal_places(one[column].slice(run.old, run.rows), other[column].slice(run.new, run.rows))
            if len(places):
                found.columns.add(column)
                part.rows_differ |= column in key
                part.owners.update(other[owner].slice(run.new, run.rows).take(places).to_pylist())
    found.owners |= part.owners
    found.rows_differ |= part.rows_differ
    found.keep(old, new, part.owners)


def _by_owner(rows: pa.Table, key: Sequence[str]) -> pa.Table:
    """The rows of each owner together: as they are, or in the order of the key."""
    owners = pc.run_end_encode(rows[key[0]].combine_chunks()).values
    if pc.count_distinct(owners, mode="all").as_py() == len(owners):
        return rows
    return rows.take(pc.sort_indices(rows, [(column, "ascending") for column in key]))


def _runs(old: pa.ChunkedArray, new: pa.ChunkedArray, found: Differing) -> list[_Run]:
    """The rows of the records that have equally many in both files; the other records are noted as differing."""
    old_owners, old_starts, old_counts = _owners(old)
    new_owners, new_starts, new_counts = _owners(new)
    places = pc.index_in(new_owners, value_set=old_owners)
    known = np.asarray(pc.is_valid(places))
    place = np.asarray(pc.fill_null(places, 0))
    found.owners.update(old_owners.filter(pc.invert(pc.is_in(old_owners, value_set=new_owners))).to_pylist())
    found.owners.update(new_owners.filter(pa.array(~known)).to_pylist())
    if not known.any():
        return []
    other_count = known & (old_counts[place] != new_counts)
    found.rows_differ |= bool(other_count.any())
    found.owners.update(new_owners.filter(pa.array(other_count)).to_pylist())
    same = np.flatnonzero(known & ~other_count)
    if not len(same):
        return []
    starts, ends = (old_starts[place[same]], new_starts[same]), new_counts[same]
    breaks = np.flatnonzero((np.diff(starts[0]) != ends[:-1]) | (np.diff(starts[1]) != ends[:-1])) + 1
    firsts = np.concatenate([[0], breaks])
    rows = np.add.reduceat(ends, firsts)
    return [_Run(*map(int, run)) for run in zip(starts[0][firsts], starts[1][firsts], rows, strict=True)]


def _owners(column: pa.ChunkedArray) -> tuple[pa.Array, np.ndarray, np.ndarray]:
    """Each owner in a column that is clustered by owner, with its first row and how many it has."""
    encoded = pc.run_end_encode(column.combine_chunks())
    ends = np.asarray(encoded.run_ends, dtype=np.int64)
    counts = np.diff(ends, prepend=0)
    return encoded.values, ends - counts, counts


def _all_rows(starts: Sequence[int], runs: Sequence[_Run]) -> pa.Array:
    """The row numbers of all runs, in their order."""
    return pa.array(
        np.concatenate([np.arange(start, start + run.rows) for start, run in zip(starts, runs, strict=True)])
    )
