"""What the parser's laws share: records, markups, and how often each law is tried."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from support.invented_records import Tables, city_indicators, kpis, projects, result_lists, yii_projects
from support.rendering import (
    GLUES,
    LAYOUTS,
    LINKS,
    NOT_SHOWN,
    PRINTED_EVERYWHERE,
    QUARTER_LAYOUTS,
    WRAPPERS,
    WRITERS,
    Markup,
    Printed,
    Printing,
    print_city_indicator,
    print_kpi,
    print_project,
    print_result_list,
    print_yii,
)

from parsers import ParsedPage

FIXTURES = Path(__file__).parents[2] / "fixtures_html"
MORE = os.environ.get("LAW_EXAMPLES")
Printer = Callable[[Tables, Printing], Printed]
KINDS: dict[str, tuple[st.SearchStrategy[Tables], Printer]] = {
    "project": (projects(), print_project),
    "kpi": (kpis(), print_kpi),
    "result_list": (result_lists(), print_result_list),
    "yii_project": (yii_projects(), print_yii),
    "city_indicator": (city_indicators(), print_city_indicator),
}


TROUBLE = "กนรเแำําฺ่้๊๋็ ๐๙09\u00a0\u200b\u200d\ufeff\u00ad\uf70b\uf711\n\t-:/(),.ab"
troubled_texts = st.one_of(st.text(TROUBLE, max_size=30), st.text(max_size=30))
"""Texts with all that troubles a reader of Thai."""


def law(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The settings of a law: so many examples in the suite, always the same; more of them, and new, where asked for."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    return settings(
        max_examples=int(MORE) if MORE else examples,
        derandomize=not MORE,
        database=None,
        deadline=None,
        suppress_health_check=checks,
        phases=(Phase.explicit, Phase.generate, *([Phase.shrink] if MORE else [])),  # a page is slow to shrink
    )


printings = st.builds(
    Printing,
    decimals=st.sampled_from((None, 2, 4)),
    milliseconds=st.booleans(),
    evaluation_quarter=st.integers(1, 4),
    turn=st.integers(0, 29),
)
boilerplate = st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(NOT_SHOWN)), max_size=4).map(tuple)
headers = st.lists(st.tuples(st.just(0), st.sampled_from(PRINTED_EVERYWHERE)), max_size=2).map(tuple)
wrappers = st.integers(0, len(WRAPPERS) - 1)


def markups(layout: str | None = None) -> st.SearchStrategy[Markup]:
    return st.builds(
        Markup,
        layout=st.just(layout) if layout else st.sampled_from(sorted(LAYOUTS)),
        quarters=st.sampled_from(sorted(QUARTER_LAYOUTS)),
        writer=st.sampled_from(sorted(WRITERS)),
        apart=st.sampled_from(("whole", "label", "value", "alone")),
        wrapper=wrappers,
        boilerplate=boilerplate,
        minified=st.booleans(),
        thai_bytes=st.booleans(),
        broken=st.sampled_from((0, 0, 0, 1, 3)),
        links=st.sampled_from(sorted(LINKS)),
        glued=st.sampled_from(("none", "none", "none", *sorted(GLUES))),
    )


def reads_back(tables: Tables, page: ParsedPage, kind: str) -> None:
    """The law itself: the page is whole, its rows are the record's, nothing is left over and nothing is complained of."""
    differences = [
        f"{table} {number}, {column}: {row.get(column)!r} instead of {expected[column]!r}"
        for table, rows in tables.items()
        for number, (row, expected) in enumerate(zip(page.tables.get(table, []), rows, strict=False), 1)
        for column in expected
        if row.get(column) != expected[column]
    ]
    assert differences == []
    assert {table: len(page.tables.get(table, [])) for table in tables} == {
        table: len(tables[table]) for table in tables
    }
    assert [finding for finding in page.findings if finding["severity"] != "note"] == []
    assert (page.kind, page.verdict, page.unclaimed) == (kind, "ok", [])


@cache
def saved_pages() -> list[bytes]:
    return [page.read_bytes() for page in sorted(FIXTURES.rglob("*.html")) if page.stat().st_size]


@st.composite
def injured_pages(draw: st.DrawFn) -> bytes:
    """A saved page, cut, flipped, spliced with another, or with bytes put in."""
    body = bytearray(draw(st.sampled_from(saved_pages())))
    other = draw(st.sampled_from(saved_pages()))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(body)))
        match draw(st.sampled_from(("cut", "flip", "splice", "drop", "insert", "repeat"))):
            case "cut":
                del body[place:]
            case "flip":
                for at in draw(st.lists(st.integers(0, max(len(body) - 1, 0)), max_size=20)) if body else ():
                    body[at] ^= 1 << draw(st.integers(0, 7))
            case "splice":
                start = draw(st.integers(0, len(other)))
                body[place:place] = other[start : start + draw(st.integers(1, 3000))]
            case "drop":
                del body[place : place + draw(st.integers(1, 3000))]
            case "insert":
                body[place:place] = draw(st.binary(min_size=1, max_size=200))
            case _:
                body[place:place] = body[place : place + 500] * draw(st.integers(1, 9))
    return bytes(body)
