"""Which row of one state is which row of the other, where the key is only a place in a list.

The portal numbers reports, steps and list items by their place: one row put in between moves the number of all others.
Paired by number, everything below it would seem to have changed. So rows of one list are paired by what they say: equal
rows first, then within the gaps between them those that are most alike, in order.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple

Row = Mapping[str, Any]
Affinity = Callable[[Row, Row], float]

_LARGEST_GAP: Final = 40_000  # pairs of rows weighed against each other; beyond it, rows are paired by their place
_TEXT_WEIGHED: Final = 400  # characters of a text that tell well enough whether it is the same text


class Pair(NamedTuple):
    """Places of one row in the two lists; None where it is in one of them only.

    moved: the same row stands in another order among the others than before
    """

    old: int | None
    new: int | None
    moved: bool = False


def pair_rows(before: Sequence[Row], after: Sequence[Row], facts: Sequence[str], affinity: Affinity) -> list[Pair]:
    """Pair the rows of two lists, each in its order.

    facts: the columns that make two rows the same row, told again
    affinity: how alike two unequal rows are; 0 where they must not be paired

    A list that is only printed from the other end has no moved row.
    """
    values = itemgetter(*facts)
    old_values, new_values = [values(row) for row in before], [values(row) for row in after]
    head = 0  # a list that only grew is nearly all of them, and needs no search
    while head < min(len(before), len(after)) and old_values[head] == new_values[head]:
        head += 1
    equal = [(place, place) for place in range(head)]
    equal += [(new + head, old + head) for new, old in _equal_rows(old_values[head:], new_values[head:])]
    if len(equal) == len(before) == len(after) and _is_reversal(equal):
        return [Pair(old, new) for new, old in equal]
    kept = frozenset(_longest_increasing([old for _, old in equal]))
    backbone = [(old, new) for place, (new, old) in enumerate(equal) if place in kept]
    moved = [Pair(old, new, moved=True) for place, (new, old) in enumerate(equal) if place not in kept]
    taken_old, taken_new = {old for _, old in equal}, {new for new, _ in equal}
    pairs = [Pair(old, new) for old, new in backbone] + moved
    from_old = from_new = 0
    for to_old, to_new in (*backbone, (len(before), len(after))):
        gap_old = [place for place in range(from_old, to_old) if place not in taken_old]
        gap_new = [place for place in range(from_new, to_new) if place not in taken_new]
        if gap_old or gap_new:
            pairs += _pair_gap(before, after, gap_old, gap_new, affinity)
        from_old, from_new = to_old + 1, to_new + 1
    return sorted(pairs, key=lambda pair: (pair.new if pair.new is not None else pair.old or 0, pair.new is not None))


def alike(one: str | None, other: str | None) -> float:
    """How alike two texts are, from 0 to 1: the share of three-letter pieces they have in common."""
    if one == other:
        return 1.0 if one else 0.0
    if not one or not other:
        return 0.0
    pieces, others = _pieces(one), _pieces(other)
    return 2 * len(pieces & others) / (len(pieces) + len(others))


def _pieces(text: str) -> set[str]:
    text = f"  {text[:_TEXT_WEIGHED]} "
    return {text[place : place + 3] for place in range(len(text) - 2)}


def _equal_rows(before: Sequence[Hashable], after: Sequence[Hashable]) -> list[tuple[int, int]]:
    """(new place, old place) of rows that say the same; of several such rows the first goes with the first."""
    places: dict[Hashable, deque[int]] = {}
    for place, values in enumerate(before):
        places.setdefault(values, deque()).append(place)
    return [(new, places[values].popleft()) for new, values in enumerate(after) if places.get(values)]


def _is_reversal(equal: Sequence[tuple[int, int]]) -> bool:
    return len(equal) > 1 and all(old == len(equal) - 1 - new for new, old in equal)


def _longest_increasing(numbers: Sequence[int]) -> list[int]:
    """Places of the longest run of numbers that rise (patience sorting)."""
    tails: list[int] = []  # last number of the best run of each length
    ends: list[int] = []  # where that number stands
    previous: list[int | None] = []
    for place, number in enumerate(numbers):
        length = bisect_left(tails, number)
        previous.append(ends[length - 1] if length else None)
        tails[length:] = [number, *tails[length + 1 :]]
        ends[length:] = [place, *ends[length + 1 :]]
    run: list[int] = []
    place_: int | None = ends[-1] if ends else None
    while place_ is not None:
        run.append(place_)
        place_ = previous[place_]
    return run[::-1]


def _pair_gap(
    before: Sequence[Row], after: Sequence[Row], old: Sequence[int], new: Sequence[int], affinity: Affinity
) -> list[Pair]:
    """Pair what two gaps hold so that the sum of affinities is largest and no two pairs cross."""
    if len(old) * len(new) > _LARGEST_GAP:
        shared = min(len(old), len(new))
        pairs = [Pair(*places) for places in zip(old[:shared], new[:shared], strict=True)]
        return pairs + [Pair(place, None) for place in old[shared:]] + [Pair(None, place) for place in new[shared:]]
    weights = [[affinity(before[a], after[b]) for b in new] for a in old]
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for a in reversed(range(len(old))):
        for b in reversed(range(len(new))):
            together = weights[a][b] + best[a + 1][b + 1] if weights[a][b] > 0 else -1.0
            best[a][b] = max(together, best[a + 1][b], best[a][b + 1])
    pairs, a, b = [], 0, 0
    while a < len(old) and b < len(new):
        if weights[a][b] > 0 and best[a][b] == weights[a][b] + best[a + 1][b + 1]:
            pairs.append(Pair(old[a], new[b]))
            a, b = a + 1, b + 1
        elif best[a][b] == best[a + 1][b]:
            pairs.append(Pair(old[a], None))
            a += 1
        else:
            pairs.append(Pair(None, new[b]))
            b += 1
    return pairs + [Pair(place, None) for place in old[a:]] + [Pair(None, place) for place in new[b:]]
