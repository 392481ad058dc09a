"""Every saved page reads as its reviewed golden says, and prints the lines of its text file.

A page `fixtures_html/<name>.html` has its golden `<name>.json` beside it and, where its text is written down, the
printed lines in `<name>.txt`. `tests/support/write_goldens.py` writes goldens; a person reads them.
"""

import json
from pathlib import Path

import pytest

from parsers import parse_page
from parsers.page import EMPTY_CELL, read_page
from parsers.thai import clean

FIXTURES = Path(__file__).parents[2] / "fixtures_html"
PAGES = sorted(FIXTURES.glob("*.html"))
VERDICTS = sorted((FIXTURES / "verdicts").glob("*/*.html"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_reads_as_its_golden(page: Path) -> None:
    golden = page.with_suffix(".json")
    assert golden.exists(), "run tests/support/write_goldens.py, and read what it wrote"
    assert parse_page(page.read_bytes()).document(page.name) == json.loads(golden.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", [page for page in PAGES if page.with_suffix(".txt").exists()], ids=lambda p: p.stem)
def test_page_prints_its_text(page: Path) -> None:
    text = page.with_suffix(".txt").read_text(encoding="utf-8")
    expected = [line for printed in text.splitlines() if (line := clean(printed))]
    printed = [line for line in read_page(page.read_bytes()).lines if line != EMPTY_CELL]
    if page.stem.startswith("yii-"):  # its text was copied with labels and values glued
        assert "".join(printed) == "".join(expected)
    else:
        assert printed == expected


@pytest.mark.parametrize("page", VERDICTS, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_page_gets_the_verdict_of_its_folder(page: Path) -> None:
    assert parse_page(page.read_bytes()).verdict == page.parent.name


def test_there_are_pages() -> None:
    assert len(PAGES) >= 16
    assert {page.parent.name for page in VERDICTS} == {"ok", "suspect", "blocked", "empty", "not_found"}
