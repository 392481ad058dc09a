"""Match the rows of two lists whose key is only the place in the list.

The portal numbers reports, steps and list items by their place: one inserted row changes the number of all rows below.
So rows are matched by content: equal rows first, then rows that are surely the same though edited; then, between two
matched rows, the most similar ones, in order.
"""

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

Row = Mapping[str, Any]
Similarity = Callable[[Row, Row], float]
"""0 for two rows that must not be matched; otherwise higher is more similar."""

_MOST_COMPARISONS: Final = 40_000  # of similarity in one gap; a larger gap is matched by place


class Match(NamedTuple):
    """Places of one row in the two lists; None for the list that lacks it.

    moved: the row is in both lists, but in another order among the others
    """

    old: int | None
    new: int | None
    moved: bool = False


class _Rest(NamedTuple):
    """Places of rows that are matched with none, in both lists."""

    old: list[int]
    new: list[int]


def match_rows(
    before: Sequence[Row],
    after: Sequence[Row],
    facts: Sequence[str],
    similarity: Similarity,
    affinity: Similarity,
) -> list[Match]:
    """Match the rows of two lists.

    facts: rows with equal values in these columns are equal
    similarity: of two rows that stand between the same neighbours
    affinity: 0 for two rows that are the same row only where their places agree; positive pairs are matched across the
        whole list, so that a row that was edited and moved is still the same row
    """
    equal = equal_rows(before, after, facts)
    kept = {middle for middle, old in equal if middle == old} if _is_reversal(equal) else set()
    fixed = [pair for pair in equal if pair[0] in kept] or _in_order(equal)
    matched_old, matched_new = {old for _, old in equal}, {new for new, _ in equal}
    edited = _edited_rows(before, after, matched_old, matched_new, affinity)
    rest = _Rest(
        [place for place in range(len(before)) if place not in matched_old | {old for _, old in edited}],
        [place for place in range(len(after)) if place not in matched_new | {new for new, _ in edited}],
    )
    edited = _uncrossed(before, after, edited, facts, rest)
    # an edited row that moved is said to have moved, not the equal rows that it passed
    fixed = sorted([*fixed, *_in_order([pair for pair in edited if all(_is_uncrossed(pair, one) for one in fixed)])])
    in_order = frozenset(fixed)
    matches = [Match(old, new, moved=(new, old) not in in_order) for new, old in (*equal, *edited)]
    matched_old |= {old for _, old in edited}
    matched_new |= {new for new, _ in edited}
    from_old = from_new = 0
    for to_new, to_old in (*fixed, (len(after), len(before))):
        gap_old = [place for place in range(from_old, to_old) if place not in matched_old]
        gap_new = [place for place in range(from_new, to_new) if place not in matched_new]
        if gap_old or gap_new:
            matches += _rewritten(_match_gap(before, after, gap_old, gap_new, similarity), len(after) - 1)
        from_old, from_new = to_old + 1, to_new + 1
    return sorted(matches, key=lambda one: (one.new if one.new is not None else one.old or 0, one.new is not None))


def equal_rows(before: Sequence[Row], after: Sequence[Row], facts: Sequence[str]) -> list[tuple[int, int]]:
    """(new place, old place) of the rows with equal values in some columns, by new place."""
    values = itemgetter(*facts)
    old_values, new_values = [values(row) for row in before], [values(row) for row in after]
    head = 0  # most lists only grew at their end: their equal beginning needs no search
    while head < min(len(before), len(after)) and old_values[head] == new_values[head]:
        head += 1
    tail = 0  # and their equal end, so that of several equal rows the edited one is not taken for one that moved
    while tail < min(len(before), len(after)) - head and old_values[-1 - tail] == new_values[-1 - tail]:
        tail += 1
    old_end, new_end = len(before) - tail, len(after) - tail
    between = _equal_values(old_values[head:old_end], new_values[head:new_end])
    return [
        *((place, place) for place in range(head)),
        *((new + head, old + head) for new, old in between),
        *((new_end + place, old_end + place) for place in range(tail)),
    ]


def _edited_rows(
    before: Sequence[Row], after: Sequence[Row], matched_old: set[int], matched_new: set[int], affinity: Similarity
) -> list[tuple[int, int]]:
    """(new place, old place) of rows that are not equal and yet surely the same, by new place."""
    old = [place for place in range(len(before)) if place not in matched_old]
    new = [place for place in range(len(after)) if place not in matched_new]
    if not old or not new or len(old) * len(new) > _MOST_COMPARISONS:
        return []
    scores = [(affinity(before[a], after[b]), a, b) for a in old for b in new]
    pairs: dict[int, int] = {}
    for score, a, b in sorted(scores, key=lambda one: (-one[0], abs(one[1] - one[2]), one)):
        if score > 0 and b not in pairs and a not in pairs.values():
            pairs[b] = a
    return sorted(pairs.items())


def _uncrossed(
    before: Sequence[Row], after: Sequence[Row], pairs: list[tuple[int, int]], facts: Sequence[str], rest: _Rest
) -> list[tuple[int, int]]:
    """The pairs; those that cross each other are matched in order instead where that gives fewer differences.

    So texts exchanged between two rows are two edited texts, not two rows that moved and got each other's days.

    rest: places in both lists of the rows in no pair; each may be one row of such an exchange
    """

    def differences(some: Iterable[tuple[int, int]]) -> int:
        some = list(some)
        other = [column for new, old in some for column in facts if before[old][column] != after[new][column]]
        return len(some) - len(_in_order(some)) + len(other)

    possible = set(_possible_pairs(before, after, facts, rest))
    found: list[tuple[int, int]] = []
    block: list[tuple[int, int]] = []
    olds = sorted(old for _, old in (*pairs, *possible))
    for new, old in sorted((*pairs, *possible)):
        block.append((new, old))
        own = olds[: len(block)]
        if max(old for _, old in block) == own[-1]:  # no later pair crosses one of these
            in_order = list(zip((new for new, _ in block), own, strict=True))
            kept = [pair for pair in block if pair not in possible]
            cost = differences(kept) + 2 * (len(block) - len(kept))  # one removed and one added
            found += in_order if kept and differences(in_order) < cost else kept
            block, olds = [], olds[len(own) :]
    return found


def _possible_pairs(
    before: Sequence[Row], after: Sequence[Row], facts: Sequence[str], rest: _Rest
) -> Iterator[tuple[int, int]]:
    """(new place, old place) of rows that may be one row: of as many in both lists, the first and the first, and so on.

    Where one list has more, rows whose days the other list has nowhere were removed or are new.
    """
    columns = [column for column in facts if column.endswith("_date")]

    def days(row: Row) -> tuple[Any, ...]:
        return tuple(row[column] for column in columns)

    old, new = rest
    if len(old) != len(new):
        old_days, new_days = {days(row) for row in before}, {days(row) for row in after}
        old = [place for place in old if days(before[place]) in new_days]
        new = [place for place in new if days(after[place]) in old_days]
    return zip(new, old, strict=True) if len(old) == len(new) else iter(())


def _is_uncrossed(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return (one[0] < other[0]) == (one[1] < other[1])


def _in_order(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The most pairs, sorted by their first place, whose second places ascend too."""
    return [pairs[place] for place in _longest_increasing([old for _, old in pairs])]


def _equal_values(before: Sequence[Hashable], after: Sequence[Hashable]) -> list[tuple[int, int]]:
    """(new place, old place) of equal values, by new place; of several equal ones the first is matched with the first.

    Where one list has more of them, those that stand at the places of the others are matched: they stayed, none moved.
    """
    old_places, new_places = _places(before), _places(after)
    pairs: list[tuple[int, int]] = []
    for value, new in new_places.items():
        old = old_places.get(value, [])
        fewer, more = sorted((old, new), key=len)
        stayed = len(fewer) < len(more) and set(fewer) <= set(more)
        pairs += zip(fewer, fewer, strict=True) if stayed else zip(new, old, strict=False)
    return sorted(pairs)


def _places(values: Sequence[Hashable]) -> dict[Hashable, list[int]]:
    places: dict[Hashable, list[int]] = {}
    for place, value in enumerate(values):
        places.setdefault(value, []).append(place)
    return places


def _is_reversal(equal: Sequence[tuple[int, int]]) -> bool:
    return len(equal) > 1 and all(old == len(equal) - 1 - new for new, old in equal)


def ascending_run(values: Sequence[Any]) -> list[Any]:
    """The longest run of values that never descend, some left out; of several, the one that ends lowest."""
    return [values[place] for place in _longest_increasing([(value, at) for at, value in enumerate(values)])]


def _longest_increasing(numbers: Sequence[Any]) -> list[int]:
    """Places of the longest increasing subsequence (patience sorting)."""
    tails: list[Any] = []  # smallest last number of a subsequence, by length
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


def _rewritten(gap: Sequence[Match], end: int) -> Iterator[Match]:
    """The matches of a gap, in order. One row left over in each list between the same neighbours is one row: rewritten.

    end: the last new place; a row there can be a new one, because lists grow at their end
    """
    for is_matched, found in groupby(gap, key=lambda match: None not in (match.old, match.new)):
        rest = list(found)
        old = [match.old for match in rest if match.old is not None]
        new = [match.new for match in rest if match.new is not None]
        if not is_matched and len(old) == len(new) == 1 and new[0] < end:
            rest = [Match(old[0], new[0])]
        yield from rest
