"""The law of damage: on a broken page a value is the record's, or null, or the page says that something is wrong.

Good pages of each kind, in five markups, are broken one part at a time: doubled, dropped, swapped with a neighbour,
renamed. What cannot be seen on the page is not asked for: the oldest report gone, two texts under each other's heading.
"""

import random

import pytest
from support.damage import (
    GOOD_PAGES,
    MARKUPS,
    Damage,
    Fault,
    element_damages,
    fault,
    good_page,
    line_damages,
    same_but_for_the_oldest,
)

from parsers import parse_page


def broken(name: str, markup: str, *, elements: int = 0) -> list[str]:
    """Every way in which a page of this kind and markup breaks the law."""
    chance = random.Random(f"{name} {markup}")
    kind, tables, printed = good_page(name)
    write = MARKUPS[markup].write
    body = write(printed)
    good = parse_page(body)
    assert (good.kind, good.verdict, good.unclaimed) == (kind, "ok", [])
    faults: list[str] = []
    if elements:
        for what, damaged in element_damages(body, tables, chance, elements):
            page = parse_page(damaged)
            says = same_but_for_the_oldest(page, tables) if what.startswith("dropped") else tables
            found = fault(page, good, Damage(what, [], says, may_lose=1000 if what.startswith("dropped") else 0))
            faults += _described(what, found)
        return faults
    for damage in line_damages(printed, tables, chance):
        found = fault(parse_page(write(damage.page)), good, damage)
        faults += _described(damage.what, found)
    return faults


def _described(what: str, found: Fault | None) -> list[str]:
    return [f"{what}: {found.what} {'; '.join(found.details[:2])}"] if found else []


@pytest.mark.parametrize("markup", MARKUPS)
@pytest.mark.parametrize("name", GOOD_PAGES)
def test_a_page_whose_lines_are_damaged_shows_no_wrong_value_in_silence(name: str, markup: str) -> None:
    faults = broken(name, markup)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("markup", MARKUPS)
@pytest.mark.parametrize("name", GOOD_PAGES)
def test_a_page_whose_elements_are_damaged_shows_no_wrong_value_in_silence(name: str, markup: str) -> None:
    faults = broken(name, markup, elements=40)
    assert not faults, "\n".join(faults)
