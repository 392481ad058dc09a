"""Which records differ between two files of one table, found part by part, so that memory stays bounded.

Values are compared, never digests of them. A column whose stored bytes are the same in both files is not even decoded.
"""

from collections.abc import Iterator, Sequence
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


class _Run(NamedTuple):
    """Rows that follow each other in both files: the first one in each, and how many."""

    old: int
    new: int
    rows: int


def find_differing(before: TableFile, after: TableFile, columns: Sequence[str]) -> Differing:
    """The records with any difference in these columns, of which the first is the record's code."""
    found, key = Differing(), TABLES[before.name].key
    others = [column for column in columns if column not in key]
    if before.has_same_groups(after, key):
        for group in range(before.groups):
            part = Part((group,)), Part((group,))
            changed = [column for column in others if not before.has_same_bytes(after, column, group)]
            if changed:
                _compare_columns(before, after, part, changed, found)
    else:
        for part in _parts(before, after, key[0]):
            _compare_part(before, after, part, [*key[1:], *others], found)
    return found


def _compare_columns(
    before: TableFile, after: TableFile, part: tuple[Part, Part], columns: Sequence[str], found: Differing
) -> None:
    """Compare columns of a part whose rows have the same keys in the same order."""
    owners = after.read(part[1], TABLES[after.name].key[0])
    for column in columns:
        places = unequal_places(before.read(part[0], column), after.read(part[1], column))
        if len(places):
            found.columns.add(column)
            found.owners.update(owners.take(places).to_pylist())


def _parts(before: TableFile, after: TableFile, owner: str) -> Iterator[tuple[Part, Part]]:
    """Both files cut at the same owners, into parts that fit into memory."""
    cuts = [None, *before.cuts(owner, _PART), None]
    for low, high in pairwise(cuts):
        yield before.between(owner, low, high), after.between(owner, low, high)


def _compare_part(
    before: TableFile, after: TableFile, part: tuple[Part, Part], columns: Sequence[str], found: Differing
) -> None:
    """Compare a part in which records may have rows in one file only. columns: all but the owner's"""
    key = TABLES[before.name].key
    orders = before.order(part[0], key), after.order(part[1], key)
    owners = before.read(part[0], key[0], orders[0]), after.read(part[1], key[0], orders[1])
    runs = _runs(*owners, found)
    rows: tuple[pa.Array, pa.Array] | None = None
    if len(runs) > _MOST_RUNS:
        rows = _all_rows([run.old for run in runs], runs), _all_rows([run.new for run in runs], runs)
        runs = [_Run(0, 0, len(rows[0]))]
        owners = owners[0].take(rows[0]), owners[1].take(rows[1])
    for column in columns:
        old, new = before.read(part[0], column, orders[0]), after.read(part[1], column, orders[1])
        if rows is not None:
            old, new = old.take(rows[0]), new.take(rows[1])
        for run in runs:
            places = unequal_places(old.slice(run.old, run.rows), new.slice(run.new, run.rows))
            if len(places):
                found.columns.add(column)
                found.rows_differ |= column in key
                found.owners.update(owners[1].slice(run.new, run.rows).take(places).to_pylist())


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
