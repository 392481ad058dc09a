"""Was a page cut off? By how its source ends, and by what it closes elsewhere."""

import re
import time
from pathlib import Path

import pytest
from support.sample_pages import KPI, PROJECT, page_of

from parsers import parse_page
from parsers.encoding import decode
from parsers.truncation import is_cut_off, is_open

FIXTURES = Path(__file__).parents[2] / "fixtures_html"

CUT = {
    "in a tag": "<html><body><p>ก</p><p",
    "in an end tag": "<html><body><p>ก</p></",
    "in an attribute": "<html><body><p>ก</p><a href='x",
    "in a tag, then closed": "<html><body><p>ก</p><p</body></html>",
    "in a reference": "<html><body><p>ก</p>ข &#36</body></html>",
    "in a text": "<html><body><p>ก</p><p>ข",
    "behind an opened element": "<html><body><h2>ก</h2><h2>",
    "in a box": "<html><body><div>ก</div><div>ข<br>",
    "in a table": "<table><tr><td>ก<td>ข",
    "in the last of many": "<p>ก</p><p>ข</p><p>ค</p><p>ง",
    "in the last of many, then closed": "<html><body><p>ก</p><p>ข</p><p>ค</p><p>ง<br>จ</body></html>",
    "in boxes of boxes, then closed": "<div><div><div>ก</div></div></div><div><div>ข</body>",
    "in a comment": "<html><body><p>ก</p><!-- <p>ข</p></body></html>",
    "of somebody who writes ends": "<!doctype html><html><head></head><body><p>ก</p>",
}
WHOLE = {
    "closed": "<html><body><p>ก</p></body></html>",
    "closed in capitals": "<HTML><BODY><P>ก</P></BODY></HTML>\n",
    "a comment behind its end": "<html><body><p>ก</p></body></html><!-- 0.1 s -->",
    "comments": "<html><body><!-- ก --><!--><p>ก</p></body></html>",
    "a wrapped script": "<html><body><p>ก</p><script><!-- f()</script></body></html>",
    "without its own end": "<html><body><p>ก</p>",
    "a fragment": "<p>ก</p><p>ข</p>",
    "without optional ends": "<html><body><p>ก<p>ข<p>ค",
    "cells without ends": "<table><tr><td>ก<td>ข<td>ค</table>",
    "minified": "<!doctype html><meta charset=utf-8><p>ก<p>ข<p>ค",
    "a text alone": "ก ข",
    "nothing": "",
    "an empty last paragraph": "<p>ก</p><p>ข</p><br>",
}


def _is_cut_off(source: bytes) -> bool:
    return is_cut_off(source, source.translate(bytes(range(256)).lower(), bytes(range(128, 256))))


@pytest.mark.parametrize("page", CUT)
def test_a_page_that_ends_too_early_is_cut_off(page: str) -> None:
    assert _is_cut_off(CUT[page].encode())


@pytest.mark.parametrize("page", WHOLE)
def test_a_page_that_ends_as_it_does_elsewhere_is_whole(page: str) -> None:
    assert not _is_cut_off(WHOLE[page].encode())


@pytest.mark.parametrize("letters", [1, 2])
@pytest.mark.parametrize("end", ["", "</body></html>"])
def test_half_a_letter_at_the_end_is_a_cut(letters: int, end: str) -> None:
    source = "<html><body><p>ก</p><p>ข</p>".encode() + "ค".encode()[:letters] + end.encode()
    assert _is_cut_off(decode(source).source)


@pytest.mark.parametrize("page", sorted(FIXTURES.glob("*.html")), ids=lambda page: page.stem)
def test_a_saved_page_is_whole_and_its_first_half_is_not(page: Path) -> None:
    source = decode(page.read_bytes()).source.lower()
    assert not _is_cut_off(source)
    assert _is_cut_off(source[: len(source) // 2])


@pytest.mark.parametrize("lines", [KPI, PROJECT], ids=["kpi", "project"])
@pytest.mark.parametrize("end", ["", "</body></html>"])
def test_a_page_of_paragraphs_is_cut_off_wherever_it_ends(lines: list[str], end: str) -> None:
    """Between two elements nobody can see it by the source; the labels of the page tell."""
    source = page_of([line for line in lines if "<" not in line], "<p>{}</p>").encode()
    ends = [found.start() + 1 for found in re.finditer(rb"[^>\s]", source[500 : source.rindex(b"</p>")])]
    for place in ends[:: max(1, len(ends) // 60)]:
        if b">" not in source[500 + place : 500 + place + 2]:
            assert _is_cut_off(source[: 500 + place] + end.encode())


@pytest.mark.parametrize(
    ("below", "verdict"), [("", "suspect"), ("<p>กลับขึ้นด้านบน</p>", "ok"), ("<table><tr><td></table>", "ok")]
)
def test_a_heading_with_anything_below_waits_for_no_text(below: str, verdict: str) -> None:
    page = "<html><head></head><body>" + "".join(f"<p>{line}</p>" for line in KPI[:-1]) + below
    assert parse_page(page.encode()).verdict == verdict


def test_only_a_whole_head_promises_an_end() -> None:
    assert is_open(b"<html><head></head><body><p>a")
    assert not is_open(b"<html><head></head><body><p>a</body>")
    assert not is_open(b"<html><header>a</header><p>a")


@pytest.mark.parametrize(
    "piece", ["<", "<p", "<p>", "<div>", "</p>", "<p>a</p>", "<br>", "&#", " ", "<a href=", "<td>"]
)
def test_a_long_page_costs_no_more_than_its_length(piece: str) -> None:
    source = piece.encode() * 200_000
    start = time.process_time()
    is_cut_off(source, source)
    is_open(source)
    assert time.process_time() - start < 2
