"""Match the rows of two lists whose key is only the place in the list.

The portal numbers reports, steps and list items by their place: one inserted row changes the number of all rows below.
So rows are matched by content: equal rows first; then, between two equal rows, the most similar ones, in order.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple

Row = Mapping[str, Any]
Similarity = Callable[[Row, Row], float]
"""0 for two rows that must not be matched; otherwise higher is more similar."""

_MOST_COMPARISONS: Final = 40_000  # of similarity in one gap; a larger gap is matched by place


class Match(NamedTuple):
    """Places of one row in the two lists; None for the list that lacks it.

    moved: the row is in both lists unchanged, but in another order among the others
    """

    old: int | None
    new: int | None
    moved: bool = False


def match_rows(
    before: Sequence[Row], after: Sequence[Row], facts: Sequence[str], similarity: Similarity
) -> list[Match]:
    """Match the rows of two lists. facts: rows with equal values in these columns are equal

    A list that is only reversed has no moved row.
    """
    values = itemgetter(*facts)
    old_values, new_values = [values(row) for row in before], [values(row) for row in after]
    head = 0  # most lists only grew at their end: their equal beginning needs no search
    while head < min(len(before), len(after)) and old_values[head] == new_values[head]:
        head += 1
    equal = [(place, place) for place in range(head)]
    equal += [(new + head, old + head) for new, old in _equal_rows(old_values[head:], new_values[head:])]
    if len(equal) == len(before) == len(after) and _is_reversal(equal):
        return [Match(old, new) for new, old in equal]
    in_order = frozenset(_longest_increasing([old for _, old in equal]))
    fixed = [(old, new) for place, (new, old) in enumerate(equal) if place in in_order]
    moved = [Match(old, new, moved=True) for place, (new, old) in enumerate(equal) if place not in in_order]
    matched_old, matched_new = {old for _, old in equal}, {new for new, _ in equal}
    matches = [Match(old, new) for old, new in fixed] + moved
    from_old = from_new = 0
    for to_old, to_new in (*fixed, (len(before), len(after))):
        gap_old = [place for place in range(from_old, to_old) if place not in matched_old]
        gap_new = [place for place in range(from_new, to_new) if place not in matched_new]
        if gap_old or gap_new:
            matches += _match_gap(before, after, gap_old, gap_new, similarity)
        from_old, from_new = to_old + 1, to_new + 1
    return sorted(matches, key=lambda one: (one.new if one.new is not None else one.old or 0, one.new is not None))


def _equal_rows(before: Sequence[Hashable], after: Sequence[Hashable]) -> list[tuple[int, int]]:
    """(new place, old place) of equal rows; of several equal rows the first is matched with the first."""
    places: dict[Hashable, deque[int]] = {}
    for place, values in enumerate(before):
        places.setdefault(values, deque()).append(place)
    return [(new, places[values].popleft()) for new, values in enumerate(after) if places.get(values)]


def _is_reversal(equal: Sequence[tuple[int, int]]) -> bool:
    return len(equal) > 1 and all(old == len(equal) - 1 - new for new, old in equal)


def _longest_increasing(numbers: Sequence[int]) -> list[int]:
    """Places of the longest increasing subsequence (patience sorting)."""
    tails: list[int] = []  # smallest last number of a subsequence, by length
    ends: list[int] = []  # the place of that number
    previous: list[int | None] = []
    for place, number in enumerate(numbers):
        length = bisect_left(tails, number)
        previous.append(ends[length - 1] if length else None)
        tails[length:] = [number, *tails[length + 1 :]]
        ends[length:] = [place, *ends[length + 1 :]]
    run: list[int] = []
    at: int | None = ends[-1] if ends else None
    while at is not None:
        run.append(at)
        at = previous[at]
    return run[::-1]


def _match_gap(
    before: Sequence[Row], after: Sequence[Row], old: Sequence[int], new: Sequence[int], similarity: Similarity
) -> list[Match]:
    """Match the rows of a gap so that the sum of similarities is largest and matches do not cross."""
    if len(old) * len(new) > _MOST_COMPARISONS:
        shared = min(len(old), len(new))
        matches = [Match(*places) for places in zip(old[:shared], new[:shared], strict=True)]
        return matches + [Match(place, None) for place in old[shared:]] + [Match(None, place) for place in new[shared:]]
    similar = [[similarity(before[a], after[b]) for b in new] for a in old]
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]  # largest sum for the rows from a and b on
    for a in reversed(range(len(old))):
        for b in reversed(range(len(new))):
            together = similar[a][b] + best[a + 1][b + 1] if similar[a][b] > 0 else -1.0
            best[a][b] = max(together, best[a + 1][b], best[a][b + 1])
    matches, a, b = [], 0, 0
    while a < len(old) and b < len(new):
        if similar[a][b] > 0 and best[a][b] == similar[a][b] + best[a + 1][b + 1]:
            matches.append(Match(old[a], new[b]))
            a, b = a + 1, b + 1
        elif best[a][b] == best[a + 1][b]:
            matches.append(Match(old[a], None))
            a += 1
        else:
            matches.append(Match(None, new[b]))
            b += 1
    return matches + [Match(place, None) for place in old[a:]] + [Match(None, place) for place in new[b:]]
