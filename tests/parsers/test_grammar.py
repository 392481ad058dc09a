"""The engine's two rules and what keeps them honest, on a grammar that is not the portal's."""

import pytest

from parsers.findings import Findings
from parsers.grammar import Block, Label, Outline, Page, Section, Text, Value

VISITS = Block(
    "visits",
    Label("no", r"Visit (?P<no>[0-9]+)(?=\s|$)", "none"),
    Value("day", r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})$", shown="day"),
    Text("note"),
    Label("doctor", "Doctor :", shown="Doctor"),
    Label("advice", "Advice :", "many", required=False),
    series="no",
)
VISIT = ["Visit 1", "2020-01-02", "has a cough", "Doctor :Smith", "Advice :rest"]


def new_page(lines: list[str]) -> Page:
    return Page(("visits",), lines, {}, Findings(), None)


def read(*lines: str) -> tuple[list[dict[str, str | None]], list[str], list[str]]:
    """The records' values, the lines that are unclaimed, and the rules of the findings."""
    page = new_page(list(lines))
    records, _ = VISITS.read(list(lines), page)
    names = ("no", "day", "note", "doctor", "advice")
    rows = [{name: record.get(name) for name in names} for record in records]
    return rows, page.unclaimed, [finding["rule"] for finding in page.findings]


FIRST = {"no": "1", "day": "2020-01-02", "note": "has a cough", "doctor": "Smith", "advice": "rest"}
SECOND = {**FIRST, "no": "2"}


@pytest.mark.parametrize(
    "lines",
    [
        VISIT,
        ["Visit", "1", "2020-01-02", "has a cough", "Doctor", ":", "Smith", "Advice :", "rest"],
        ["Visit 1", "2020-01-02", "has a cough", "Doctor :", "Smith", "Advice", ":rest"],
        ["Visit 1 2020-01-02", "has a cough", "Doctor :Smith", "Advice :rest"],
    ],
)
def test_a_label_and_its_value_in_the_next_cell_are_one_line(lines: list[str]) -> None:
    assert read(*lines) == ([FIRST], [], [])


def test_a_text_of_several_lines_is_said() -> None:
    lines = ["Visit 1", "2020-01-02", "has", "a cough", "Doctor :Smith", "Advice :rest"]
    assert read(*lines) == ([FIRST], [], ["several_lines"])


def test_what_a_text_quotes_inside_a_line_stays_text() -> None:
    rows, unclaimed, rules = read("Visit 1", "2020-01-02", "he said Doctor :who and Visit 2", "Doctor :Smith")
    assert rows[0]["note"] == "he said Doctor :who and Visit 2"
    assert (unclaimed, rules) == ([], [])


def test_a_label_out_of_order_is_said_and_what_is_below_it_unclaimed() -> None:
    rows, unclaimed, rules = read(*VISIT, "Doctor :Jones", "more", "Visit 2", *VISIT[1:])
    assert rows == [FIRST, SECOND]
    assert (unclaimed, rules) == (["Doctor :Jones", "more"], ["out_of_order"])


def test_what_stands_above_the_first_record_belongs_to_none() -> None:
    assert read("hello", *VISIT) == ([FIRST], ["hello"], [])


def test_a_required_label_that_is_missing_is_known() -> None:
    page = new_page([])
    records, _ = VISITS.read(["Visit 1", "2020-01-02", "Visit 2", *VISIT[1:]], page)
    assert [list(record.missing) for record in records] == [["doctor"], []]


def test_a_line_that_is_nobodys_ends_no_record() -> None:
    rows, unclaimed, rules = read(*VISIT[:4], "Fee : 3", VISIT[4])
    assert (rows, unclaimed, rules) == ([FIRST], ["Fee : 3"], [])


def test_gaps_and_repeats_in_a_series_are_said() -> None:
    page = new_page([])
    VISITS.read([*VISIT, "Visit 3", *VISIT[1:]], page)
    assert [(finding["rule"], finding["printed"]) for finding in page.findings] == [("series_broken", "1, 3")]


def test_a_required_label_says_what_is_missing() -> None:
    with pytest.raises(ValueError, match="the label 'doctor' needs `shown`"):
        Block("visits", Label("no", "Visit", "none"), Label("doctor", "Doctor :"))


def test_a_block_may_have_no_items() -> None:
    page, block = new_page([]), Block("visits", repeats=False)
    assert (block.begins(["hello"]), block.read(["hello"], page)) == (False, ([{}], {}))
    assert page.unclaimed == ["hello"]


SECTIONS = Outline(Section("why", "Why"), Section("visits", "Visits", VISITS), Section("end", "End"))


def test_a_heading_printed_twice_is_said_where_it_does_not_belong() -> None:
    page = new_page(["head", "Why", "because", "Why", "because", "Visits", *VISIT, "End"])
    head, _ = SECTIONS.cut(page)
    assert page.below["why"] == ["because"]
    assert head == ["head", "Why", "because"]
    assert page.text(head) == "head"
    assert [finding["rule"] for finding in page.findings] == ["out_of_order"]


def test_the_heading_is_the_one_with_its_records_below() -> None:
    page = new_page(["Why", "a", "Visits", *VISIT, "Visits", "b", "End"])
    SECTIONS.cut(page)
    assert page.below["visits"] == [*VISIT, "Visits", "b"]


def test_a_heading_that_is_missing_is_named() -> None:
    assert SECTIONS.cut(new_page(["Why", "a", "End"])) == ([], ["Visits"])
