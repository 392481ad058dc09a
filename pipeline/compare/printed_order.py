"""Recognise that the whole portal prints its lists from the other end, or numbers its reports from there.

One reversed list is an edit of its agency. All of them in one night are a new way of printing: no row moved.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import Any, Final

from pipeline.compare.row_matching import Row, equal_rows

_FEWEST_LISTS: Final = 3  # fewer say nothing of a portal
_SHARE: Final = 0.9  # of the lists whose order can be seen


class PrintedOrder:
    """Remembers, for one comparison of two states, which lists the portal turned round.

    whole: false where the rows that are compared are less than half of the portal's; then nothing counts as turned. Or the
        tables of which they are more
    said: the tables of which the difference was given already
    """

    def __init__(self, *, whole: bool | Collection[str] = True) -> None:
        self._whole: bool | Collection[str] = whole
        self._turned: dict[tuple[str, str], bool] = {}
        self.said: set[str] = set()

    def is_turned(self, table: str, column: str) -> bool:
        """Whether the portal turned the values of a column of places or numbers; false before `look_at` could decide."""
        return self._turned.get((table, column), False)

    def look_at(
        self,
        table: str,
        columns: Sequence[str],
        facts: Sequence[str],
        lists: Iterable[tuple[Sequence[Row], Sequence[Row]]],
    ) -> None:
        """Decide about a table's columns from some lists, before and after; once decided, it stands."""
        whole = self._whole if isinstance(self._whole, bool) else table in self._whole
        if not whole or all((table, column) in self._turned for column in columns):
            return
        directions: dict[str, list[int]] = {column: [] for column in columns}
        for before, after in lists:
            equal = equal_rows(before, after, facts)
            for column in columns:
                pairs = [(before[old][column], after[new][column]) for new, old in equal]
                if direction := _direction(pairs):
                    directions[column].append(direction)
        for column, found in directions.items():
            if len(found) >= _FEWEST_LISTS:
                self._turned[table, column] = found.count(-1) >= _SHARE * len(found)


def _direction(pairs: list[tuple[Any, Any]]) -> int:
    """1 where the second values ascend with the first, -1 where they descend, 0 where that cannot be seen."""
    if len(pairs) < 2 or any(value is None for pair in pairs for value in pair):
        return 0
    second = [after for _, after in sorted(pairs)]
    steps = [(after > before) - (after < before) for before, after in pairwise(second)]
    return steps[0] if len(set(steps)) == 1 else 0
