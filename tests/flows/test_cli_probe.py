"""The command `probe`: a first look at a portal, which commits nothing."""

import json
from pathlib import Path

import pytest
from support.command import run
from support.faulty_portal import FaultyPortal

from pipeline.harvest.demo_portal import DemoPortal


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BMA_PROGRESS_RATE", "1000")


def test_a_good_portal(tmp_path: Path) -> None:
    with DemoPortal() as portal:
        done = run("probe", "--portal", portal.url, "--count", 8, "--out", tmp_path / "look", "--format", "json")
        asked = len(portal.requests)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen == json.loads((tmp_path / "look" / "probe.json").read_text(encoding="utf-8"))
    assert seen["robots"][0] == "robots.txt allows all known pages."
    assert seen["menus"][0]["links"] == {"result_list": 2, "yii_project": 2, "city_indicator": 1}
    assert len(seen["pages"]) == 8
    assert {page["kind"] for page in seen["pages"]} == {"project", "kpi", "yii_project", "city_indicator"}
    assert len({page["code"][:4] for page in seen["pages"]}) > 4
    assert {page["verdict"] for page in seen["pages"]} == {"ok"}
    assert all(page["bytes"] and page["encoding"] and page["seconds"] >= 0 for page in seen["pages"])
    assert asked < 8 + 8 + 8
    assert not (tmp_path / "data").exists()  # no store
    project = next(page for page in seen["pages"] if page["kind"] == "project")
    parsed = run("parse", tmp_path / "look" / project["file"])
    assert json.loads(parsed.stdout)["tables"]["projects"][0]["project_code"] == project["code"]


def test_a_portal_that_keeps_the_program_out() -> None:
    wall = b"<html><body><h1>Access Denied</h1><p>Your request was blocked. Incident ID: 1</p></body></html>"
    with FaultyPortal(serve=lambda path: (200, "text/html", wall)) as portal:
        done = run("probe", "--portal", portal.url, "--count", 3)
    assert done.returncode == 1, done.stderr
    assert "No page showed a whole record" in done.stdout
    assert "blocked" in done.stdout


def test_addresses_with_codes_are_tried_where_nothing_leads_to_pages(fixtures_html: Path) -> None:
    pages = {"/mobile/myproject.php?pid=24000000-2964": (fixtures_html / "24000000-2964.html").read_bytes()}
    with FaultyPortal(pages) as portal:
        done = run("probe", "--portal", portal.url, "--count", 4)
    assert done.returncode == 0, done.stdout
    assert "/mobile/myproject.php?pid=24000000-2964\n    200 ok" in done.stdout
    assert "A sweep asks for serials over many nights" in done.stdout


def test_no_portal_at_all() -> None:
    done = run("probe", "--portal", "http://127.0.0.1:9")
    assert done.returncode == 2
    assert "robots.txt could not be read" in done.stderr
    assert "Exit status: 0 a harvest may follow" in run("probe", "--help").stdout.replace("\n", " ")
