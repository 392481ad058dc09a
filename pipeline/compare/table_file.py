"""One exported file of a table, read column by column and part by part; what it lacks reads as null."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import StoreDamagedError, first_line
from pipeline.schema.columns import arrow_schema, page_columns
from pipeline.store.parquet_files import opened

_PIECE: Final = 1 << 20  # bytes
_BATCH: Final = 1_000  # rows decoded at once


class Part(NamedTuple):
    """Some of a file's groups of rows; of these the rows of the owners after `low` up to `high`, where given."""

    groups: tuple[int, ...]
    owner: str | None = None
    low: Any = None
    high: Any = None


class TableFile:
    """The rows of one exported file. Columns are read only on request.

    number: of rows; missing: declared columns that the file lacks; they read as null. Raises StoreDamagedError.
    """

    def __init__(self, file: Path, name: str) -> None:
        self.file, self.name = file, name
        self._schema = arrow_schema(name)
        wanted = page_columns(name) or tuple(self._schema.names)
        try:
            self._stored = opened(file)
            self._metadata = self._stored.metadata
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from None
        self.number = int(self._metadata.num_rows)
        self.groups = int(self._metadata.num_row_groups)
        self._there = frozenset(self._stored.schema_arrow.names)
        self.missing = tuple(column for column in wanted if column not in self._there)
        self._without = frozenset(self.missing)
        self._last_inside: tuple[Part, slice | pa.ChunkedArray] | None = None

    def leave_out(self, columns: Collection[str]) -> None:
        """Read these columns as null, too: the other file lacks them."""
        self._without |= frozenset(columns)

    def select(self, names: list[str], /) -> pa.Table:
        """Some columns, in this order."""
        return self._table(names, tuple(range(self.groups)))

    def chosen(self, names: list[str], groups: Mapping[int, pa.ChunkedArray]) -> pa.Table:
        """Some columns of some rows. groups: number of a group → which of its rows, in the order of the file"""
        schema = pa.schema([self._schema.field(name) for name in names]).remove_metadata()
        parts = [pa.Table.from_batches([], schema)]
        parts += (self._table(names, (group,)).filter(here).cast(schema) for group, here in groups.items())
        return pa.concat_tables(parts)

    def places_of(self, owner: str, owners: pa.Array) -> dict[int, pa.ChunkedArray]:
        """Number of each group that has rows of some owners → which of its rows they are."""
        found: dict[int, pa.ChunkedArray] = {}
        first, last = pc.min_max(owners).as_py().values()
        for group in range(self.groups) if len(owners) else ():
            low, high = self._range(group, owner)
            if low is not None and (last < low or first > high):
                continue
            here = pc.is_in(self.read(Part((group,)), owner), value_set=owners)
            if pc.any(here).as_py():
                found[group] = here
        return found

    def number_of(self, owner: str) -> int:
        """How many different owners the rows have."""
        found: set[Any] = set()
        for group in range(self.groups):
            found.update(pc.unique(self.read(Part((group,)), owner)).to_pylist())
        return len(found)

    def read(self, part: Part, column: str) -> pa.ChunkedArray:
        """A column of a part."""
        return self.rows(part, [column])[column]

    def rows(self, part: Part, names: list[str]) -> pa.Table:
        """Some columns of a part's rows."""
        return pa.concat_tables(list(self.batches(part, names)) or [self._table(names, ())])

    def batches(self, part: Part, names: list[str]) -> Iterator[pa.Table]:
        """The same, batch by batch: new memory for all of them costs more than their decoding."""
        inside, start = self._inside(part), 0
        for batch in self._batches(names, part.groups):
            if isinstance(inside, slice):
                first, last = max(inside.start - start, 0), min(inside.stop - start, len(batch))
                chosen = batch.slice(first, max(last - first, 0))
            else:
                chosen = batch.filter(inside.slice(start, len(batch)))
            start += len(batch)
            if len(chosen):
                yield chosen

    # --- parts ------------------------------------------------------------------------------------------------------

    def cuts(self, owner: str, size: int) -> list[Any]:
        """The owners after which to cut the file into parts of at least so many bytes."""
        found: list[Any] = []
        bytes_ = 0
        for group in range(self.groups):
            bytes_ += self._metadata.row_group(group).total_byte_size
            highest = self._range(group, owner)[1]
            if bytes_ >= size and highest is not None and (not found or highest > found[-1]):
                found.append(highest)
                bytes_ = 0
        return found

    def are_groups_apart(self, owner: str) -> bool:
        """Whether the file says that no owner has rows in two groups."""
        ranges = [self._range(group, owner) for group in range(self.groups)]
        return all(
            this[1] is not None and following[0] is not None and this[1] < following[0]
            for this, following in pairwise(ranges)
        )

    def between(self, owner: str, low: Any, high: Any) -> Part:
        """The rows of the owners after `low` up to `high`; None for no limit."""
        ranges = [self._range(group, owner) for group in range(self.groups)]
        groups = tuple(
            group
            for group, (lowest, highest) in enumerate(ranges)
            if (low is None or highest is None or highest > low) and (high is None or lowest is None or lowest <= high)
        )
        return Part(groups, owner, low, high)

    def _range(self, group: int, owner: str) -> tuple[Any, Any]:
        """The lowest and highest owner of a group, where the file says so."""
        about = self._metadata.row_group(group).column(self._places[owner]).statistics
        return (about.min, about.max) if about is not None and about.has_min_max else (None, None)

    def _inside(self, part: Part) -> slice | pa.ChunkedArray:
        """Which rows of a part's groups belong to it."""
        if part.owner is None or (part.low is None and part.high is None):
            return slice(0, sum(self._metadata.row_group(group).num_rows for group in part.groups))
        if self._last_inside is None or self._last_inside[0] != part:
            owners = self._table([part.owner], part.groups)[part.owner]
            inside = pc.greater(owners, part.low) if part.low is not None else pc.is_valid(owners)
            inside = pc.and_(inside, pc.less_equal(owners, part.high)) if part.high is not None else inside
            places = pc.indices_nonzero(inside)
            first, last = (places[0].as_py(), places[-1].as_py()) if len(places) else (0, -1)
            together = last - first + 1 == len(places)
            self._last_inside = part, slice(first, last + 1) if together else inside
        return self._last_inside[1]

    # --- stored bytes -----------------------------------------------------------------------------------------------

    def has_same_groups(self, other: "TableFile", key: Sequence[str]) -> bool:
        """Whether both files have the same keys in the same groups of rows, as their stored bytes say."""
        return self.groups == other.groups and all(
            self.has_same_bytes(other, column, group) for group in range(self.groups) for column in key
        )

    def has_same_bytes(self, other: "TableFile", column: str, group: int) -> bool:
        """Whether a column of a group is stored as the same bytes in both files: then it has the same values.

        False says nothing: the same values can be stored in other ways. A column that both read as null is the same.
        """
        if column in self._without or column in other._without:
            return bool(self._metadata.row_group(group).num_rows == other._metadata.row_group(group).num_rows)
        return self._stored_as(column, group) == other._stored_as(column, group) and all(
            mine == theirs
            for mine, theirs in zip(self._bytes_of(column, group), other._bytes_of(column, group), strict=True)
        )

    def _stored_as(self, column: str, group: int) -> tuple[Any, ...]:
        """All that the meaning of the stored bytes depends on."""
        place = self._places[column]
        about, declared = self._metadata.row_group(group).column(place), self._metadata.schema.column(place)
        kind = (
            declared.physical_type,
            str(declared.logical_type),
            declared.length,
            self._stored.schema_arrow.field(column),
        )
        levels = declared.max_definition_level, declared.max_repetition_level
        return about.num_values, about.compression, about.total_compressed_size, *levels, *kind

    def _bytes_of(self, column: str, group: int) -> Iterator[bytes]:
        """The stored bytes of a column of a group, piece by piece."""
        about = self._metadata.row_group(group).column(self._places[column])
        start = about.data_page_offset
        if about.dictionary_page_offset is not None:
            start = min(start, about.dictionary_page_offset)
        with self.file.open("rb", buffering=0) as stream:
            stream.seek(start)
            for left in range(about.total_compressed_size, 0, -_PIECE):
                yield stream.read(min(left, _PIECE))

    @cached_property
    def _places(self) -> dict[str, int]:
        schema = self._metadata.schema
        return {schema.column(place).path: place for place in range(len(schema))}

    # --- reading ----------------------------------------------------------------------------------------------------

    def _table(self, names: Sequence[str], groups: Sequence[int]) -> pa.Table:
        """Some columns of some groups."""
        there = self._read_from_file(names)
        try:
            table = self._stored.read_row_groups(list(groups), columns=there) if there else None
            return self._as_declared(names, table, groups)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from None

    def _batches(self, names: Sequence[str], groups: Sequence[int]) -> Iterator[pa.Table]:
        """The same, batch by batch."""
        there = self._read_from_file(names)
        if not there or not groups:
            yield self._table(names, groups)
            return
        try:
            for batch in self._stored.iter_batches(_BATCH, row_groups=list(groups), columns=there):
                yield self._as_declared(names, pa.Table.from_batches([batch]), ())
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from None

    def _read_from_file(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if name in self._there and name not in self._without]

    def _as_declared(self, names: Sequence[str], stored: pa.Table | None, groups: Sequence[int]) -> pa.Table:
        """The columns in this order, with their declared types. groups: those of the rows, where no column is stored"""
        schema = pa.schema([pa.field(name, self._schema.field(name).type) for name in names])
        there = stored.column_names if stored is not None else ()
        rows = len(stored) if stored is not None else sum(self._metadata.row_group(group).num_rows for group in groups)
        columns = [
            stored[field.name].cast(field.type)
            if stored is not None and field.name in there
            else pa.nulls(rows, field.type)
            for field in schema
        ]
        return pa.Table.from_arrays(columns, schema=schema)

    def _damaged(self, error: Exception) -> StoreDamagedError:
        return StoreDamagedError(
            f"{self.file} cannot be read as the table {self.name} ({first_line(error)}); export it again"
        )


class ChosenRows:
    """The rows of some owners in a file; each column is read from it once.

    kept: their rows in the order of the file, with the columns that are in memory already
    """

    def __init__(self, file: TableFile, owner: str, owners: pa.Array, kept: pa.Table | None = None) -> None:
        self._file, self._owner, self._owners = file, owner, owners
        self._read = {} if kept is None else _columns(kept.filter(pc.is_in(kept[owner], value_set=owners)))

    def select(self, names: list[str], /) -> pa.Table:
        """Some columns, in this order."""
        if missing := [name for name in names if name not in self._read]:
            self._read |= _columns(self._file.chosen(missing, self._places))
        return pa.table({name: self._read[name] for name in names})

    @cached_property
    def _places(self) -> dict[int, pa.ChunkedArray]:
        return self._file.places_of(self._owner, self._owners)


def _columns(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    return dict(zip(table.column_names, table.columns, strict=True))
