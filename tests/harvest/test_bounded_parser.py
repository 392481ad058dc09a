"""A page may cost only so much CPU time and memory; one over the limits is that page's failure, and is tried once."""

from pathlib import Path
from typing import Any

import pytest
from support.command import run
from support.faulty_portal import FaultyPortal
from support.harvests import harvest

from parsers import parse_page
from pipeline.harvest import bounded_parser
from pipeline.harvest.bounded_parser import COSTLY, PARSED_HERE, CostlyPageError, parse_bounded
from pipeline.harvest.portal import kpi_ref
from pipeline.harvest.result import Scope
from pipeline.store.archive import Archive
from pipeline.store.verify import verify_store

COSTLY_PAGE = b"<html><body>" + b"<b><p>" * 60_000


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_parser, "_SECONDS", 0.05)
    monkeypatch.setattr(bounded_parser, "_SECONDS_A_MEGABYTE", 0.0)


def test_a_large_page_is_read_as_a_small_one(fixtures_html: Path) -> None:
    body = (fixtures_html / "2400-1013.html").read_bytes()
    large = body.replace(b"</body>", b"<!--" + b"x" * PARSED_HERE + b"--></body>")
    assert parse_bounded(large, url="http://x/mobile/mykpi.php?pid=2400-1013").tables == parse_page(body).tables


@pytest.mark.parametrize("limit", ["_SECONDS", "_MEMORY"])
def test_a_page_over_a_limit_is_given_up_and_the_next_is_read(
    monkeypatch: pytest.MonkeyPatch, tight: None, limit: str, fixtures_html: Path
) -> None:
    if limit == "_MEMORY":
        monkeypatch.setattr(bounded_parser, "_SECONDS", 60.0)
        monkeypatch.setattr(bounded_parser, "_MEMORY", 0)  # less than it has already
    with pytest.raises(CostlyPageError, match=r"gave this page up: its 0.4 MB take more than"):
        parse_bounded(COSTLY_PAGE)
    monkeypatch.undo()
    body = (fixtures_html / "2400-1013.html").read_bytes() + b" " * PARSED_HERE
    assert parse_bounded(body).code == "2400-1013"


def test_a_costly_page_is_kept_and_tried_once(
    tmp_path: Path, fixtures_html: Path, tight: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, costly, fine = tmp_path / "store", "2400-1013", "0700-1021"
    served = {
        f"/mobile/mykpi.php?pid={costly}": COSTLY_PAGE,
        f"/mobile/mykpi.php?pid={fine}": (fixtures_html / f"{fine}.html").read_bytes(),
    }
    tried: list[int] = []

    def parse(body: bytes, about: dict[str, Any]) -> Any:
        tried.append(len(body))
        return child(body, about)

    child = bounded_parser._CHILD.parse
    monkeypatch.setattr(bounded_parser._CHILD, "parse", parse)
    with FaultyPortal(served) as portal:
        scope = Scope(pages=tuple(kpi_ref(portal.url, code) for code in (costly, fine)))
        for night in range(3):
            if night == 2:
                served[f"/mobile/mykpi.php?pid={costly}"] = COSTLY_PAGE + b" "
            harvest(portal, data, scope)
    assert tried == [len(COSTLY_PAGE), len(COSTLY_PAGE) + 1]
    archive = Archive(data)
    for id_ in archive.harvest_ids():
        page, other = sorted(
            archive.state(id_).table("pages").to_pylist(), key=lambda row: row["page_key"] == f"kpi/{fine}"
        )
        assert (page["outcome"], other["outcome"]) == (
            "failed",
            "new" if id_ == archive.harvest_ids()[0] else "unchanged",
        )
        assert page["error"].startswith(COSTLY)
        assert archive.body(page["body_harvest_id"], page["page_sha256"]).startswith(COSTLY_PAGE)
    assert verify_store(data, deep=True) == []


def test_parse_says_that_a_page_is_too_costly(tmp_path: Path, tight: None) -> None:
    (tmp_path / "page.html").write_bytes(COSTLY_PAGE)
    done = run("parse", tmp_path / "page.html")
    assert done.returncode == 2
    assert f"page.html: {COSTLY}" in done.stderr
