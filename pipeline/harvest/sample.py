"""Samples: pages drawn so that they differ, by kind and by agency."""

import zlib
from collections import Counter
from collections.abc import Iterable
from typing import Final

from pipeline.harvest.portal import PageRef
from pipeline.schema.agencies import agency
from pipeline.schema.page_kinds import RECORD_KINDS

_FEWEST_LISTS: Final = 6  # one of each kind of list
_PAGES_OF_A_LIST: Final = 4  # a list leads to more pages than this; so many lists are asked for that some may be empty
Found = tuple[PageRef, str]
"""A page and how it was found; see `Spool.pending`."""


def spread(candidates: Iterable[PageRef], drawn: Iterable[PageRef] = ()) -> list[PageRef]:
    """The pages in an order in which those that differ come first: kinds take turns, and in each kind the agencies.

    drawn: pages that were taken before; what is like them comes later. Within an agency the order is that of a hash of the
    code: always the same, and as good as random.
    """
    drawn = list(drawn)
    of_kind = Counter(ref.kind for ref in drawn)
    of_agency = Counter((ref.kind, ref.agency_code) for ref in drawn)
    turns: dict[str, list[tuple[int, int, PageRef]]] = {}
    for ref in sorted(candidates, key=lambda ref: _hash(ref.page_key)):
        group = ref.kind, ref.agency_code
        turns.setdefault(ref.kind, []).append((of_agency[group], _hash(ref.agency_code), ref))
        of_agency[group] += 1
    ordered = [
        (turn + of_kind[kind], kind, ref)
        for kind, refs in turns.items()
        for turn, (_, _, ref) in enumerate(sorted(refs))
    ]
    return [ref for _, _, ref in sorted(ordered)]


def next_of_sample(sample: int, pending: list[Found], fetched: list[PageRef]) -> list[Found]:
    """What a harvest of a sample fetches next: menus, few lists, then pages with records; empty when it has enough.

    sample: pages with records wanted; fetched: all pages fetched so far
    """
    records = [ref for ref in fetched if ref.kind in RECORD_KINDS]
    left = sample - len(records)
    if left <= 0:
        return []
    menus = [found for found in pending if found[0].kind == "start"]
    if menus and len(fetched) - len(records) < most_lists(sample):
        return menus[: most_lists(sample)]
    candidates = [ref for ref, _ in pending if ref.kind in RECORD_KINDS]
    lists = [found for found in pending if found[0].kind == "result_list"]
    asked = sum(ref.kind == "result_list" for ref in fetched)
    is_short = len(candidates) < left and (asked < most_lists(sample) or not candidates)
    if lists and (asked < _FEWEST_LISTS or is_short):  # those that something links to come first
        return sorted(lists, key=lambda found: (found[1] != "link", _hash(found[0].page_key)))[:_FEWEST_LISTS]
    sources = {ref.page_key: source for ref, source in pending}
    return [(ref, sources[ref.page_key]) for ref in spread(candidates, records)[:left]]


def most_lists(sample: int) -> int:
    """How many lists a harvest of a sample asks for at most."""
    return max(_FEWEST_LISTS, sample // _PAGES_OF_A_LIST)


def some_lists(lists: Iterable[PageRef], sample: int) -> list[PageRef]:
    """The lists that a harvest of a sample plans, of agencies that pages have named where there are enough."""
    ordered = sorted(lists, key=lambda ref: (agency(ref.agency_code).name_th is None, _hash(ref.page_key)))
    return ordered[: most_lists(sample)]


def _hash(text: str) -> int:
    return zlib.crc32(text.encode())
