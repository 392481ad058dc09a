"""The demo portal: real HTTP, the pages of the folder byte for byte, and nights on which exactly the declared differs."""

import http.client
import json
import shutil
import socket
import struct
from pathlib import Path

import pytest

from parsers import parse_page
from pipeline.errors import PortalError
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.portal import page_ref

Answer = tuple[int, str | None, bytes]


def get(portal: DemoPortal, *paths: str) -> list[Answer]:
    """Answers to all paths over one connection: the server must keep it."""
    connection = http.client.HTTPConnection(portal.url.removeprefix("http://"), timeout=5)
    answers = []
    try:
        for path in paths:
            connection.request("GET", path)
            response = connection.getresponse()
            answers.append((response.status, response.headers["Content-Type"], response.read()))
            assert not response.will_close
    finally:
        connection.close()
    return answers


def addresses(fixtures_html: Path) -> dict[str, dict[str, str]]:
    pages: dict[str, dict[str, str]] = json.loads((fixtures_html / "portal.json").read_text())["pages"]
    return pages


def test_every_page_is_served_as_stored(fixtures_html: Path) -> None:
    pages = addresses(fixtures_html)
    with DemoPortal() as portal:
        answers = get(portal, *pages)
    for (path, page), (status, content_type, body) in zip(pages.items(), answers, strict=True):
        assert (status, content_type) == (200, page["content_type"]), path
        assert body == (fixtures_html / page["file"]).read_bytes()
    assert portal.requests == list(pages)


def test_every_address_of_a_record_is_known_to_discovery(fixtures_html: Path) -> None:
    with DemoPortal() as portal:
        refs = {path: page_ref(portal.url + path, portal.url) for path in addresses(fixtures_html) if "?" in path}
        assert None not in refs.values()
        own = [ref.url.removeprefix(portal.url) for ref in refs.values() if ref]
        assert {status for status, _, _ in get(portal, *own)} == {200}


def test_the_order_of_parameters_does_not_matter_and_the_rest_is_not_found() -> None:
    yii = "/bs2568/frontend/web/index.php?r=tbl-project-main/view&project_id=50460000-3697"
    with DemoPortal() as portal:
        found, robots, *missing = get(
            portal, yii, "/robots.txt", "/mobile/myproject.php?pid=24000000-9999", "/x", "/mobile/../x"
        )
    assert found[0] == 200
    assert robots[:2] == (200, "text/plain; charset=utf-8")
    assert b"Disallow: /mobile/printproject.php" in robots[2]
    assert [status for status, _, _ in missing] == [404, 404, 404]
    assert {parse_page(body).verdict for _, _, body in missing} == {"not_found"}


def tables(portal: DemoPortal, paths: list[str]) -> dict[str, str]:
    return {
        path: json.dumps(parse_page(body, content_type=content_type).tables, sort_keys=True)
        for path, (_, content_type, body) in zip(paths, get(portal, *paths), strict=True)
    }


def test_the_nights_differ_in_what_is_declared_and_in_nothing_else(fixtures_html: Path) -> None:
    paths = list(addresses(fixtures_html))
    with DemoPortal() as portal:
        by_night = {}
        for portal.night in (1, 2, 3):
            by_night[portal.night] = tables(portal, paths)
    changed = {
        night: {path.rpartition("=")[2] for path in paths if by_night[night][path] != by_night[night - 1][path]}
        for night in (2, 3)
    }
    declared = {
        int(night): {change["file"].removesuffix(".html") for change in changes}
        for night, changes in json.loads((fixtures_html / "nights.json").read_text()).items()
    }
    assert changed == declared
    assert portal.nights == 3


def test_what_happens_in_the_nights() -> None:
    project = "/mobile/myproject.php?pid="
    with DemoPortal(night=3) as portal:
        [(_, _, report), (_, _, rewrite), (_, _, gone), (_, _, target)] = get(
            portal,
            f"{project}03000000-0102",
            f"{project}24000000-3051",
            f"{project}50500000-0745",
            "/mobile/mykpi.php?pid=2400-1013",
        )
    page = parse_page(report)
    assert page.verdict == "ok"
    assert page.unclaimed == []
    assert page.tables["projects"][0]["progress_percent"] == 60
    assert [row["report_no"] for row in page.tables["progress_reports"]] == [3, 2, 1]
    page = parse_page(rewrite)
    assert page.verdict == "ok"
    assert page.tables["progress_reports"][0]["progress_percent"] == 8
    assert parse_page(gone).verdict == "empty"
    assert parse_page(target).tables["kpis"][0]["target_value"] == 90


@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        ("no such text", "must stand exactly once in 2400-1013.html"),
        ("</p>", "must stand exactly once in 2400-1013.html"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused_at_the_start(
    before: str, sentence: str, fixtures_html: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "fixtures"
    shutil.copytree(fixtures_html, folder)
    nights = {"2": [{"file": "2400-1013.html", "why": "", "edits": [[before, "x"]]}]}
    (folder / "nights.json").write_text(json.dumps(nights))
    with pytest.raises(PortalError, match=sentence):
        DemoPortal(folder).__enter__()


def test_a_missing_page_is_refused_at_the_start(fixtures_html: Path, tmp_path: Path) -> None:
    folder = tmp_path / "fixtures"
    shutil.copytree(fixtures_html, folder)
    (folder / "2400-1013.html").unlink()
    with pytest.raises(PortalError, match=r"2400-1013\.html is not there"):
        DemoPortal(folder).__enter__()


def test_a_closed_connection_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    with DemoPortal() as portal:
        host, _, port = portal.url.removeprefix("http://").partition(":")
        for _ in range(5):
            with socket.create_connection((host, int(port))) as visitor:
                visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                visitor.sendall(b"GET /mobile/myproject.php?pid=24000000-2964 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert get(portal, "/mobile/")[0][0] == 200
    assert capfd.readouterr().err == ""
