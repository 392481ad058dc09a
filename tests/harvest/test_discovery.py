"""Every form of a lead is followed to the page it means, and no further than the limits say."""

from pathlib import Path

import pandas as pd
import pytest
from support.faulty_portal import FaultyPortal
from support.harvests import harvest
from support.synthetic_portal import _html, list_page, project_page

from parsers import parse_page
from pipeline.harvest.discovery import menu_ref, pages_found
from pipeline.harvest.portal import page_ref

PORTAL = "http://monitor.bangkok.go.th"
MENU = f"{PORTAL}/mobile/"


def found(html: str, address: str = MENU, *, is_menu: bool = True) -> list[str]:
    refs = pages_found(parse_page(html.encode()), address, PORTAL, is_menu=is_menu)
    return [ref.page_key for ref in refs]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<base href='/'><p><a href='mobile/myproject.php?pid=22000000-9001'>x</a>", "project/22000000-9001"),
        ("<BASE HREF='../mobile62/'><p><a href='myproject.php?pid=22000000-9001'>x</a>", "project/22000000-9001"),
        ("<base href='http://monitor.bangkok.go.th/'><a href='mobile/mykpi.php?pid=2400-101'>x", "kpi/2400-101"),
        ("<base target=_top><a href='mykpi.php?pid=2400-101'>x</a>", "kpi/2400-101"),
        ("<select onchange='location=this.value'><option value='mykpi.php?pid=2400-1013'>x", "kpi/2400-1013"),
        ("<select name=selDEP><option value='26000000'>x</select>", "result_list/index103/26000000"),
        ("<select name=pid><option>24000000-2964</select>", "project/24000000-2964"),
        ("<form action=mykpi2563.php><select name=pid><option value=87>x</select></form>", "city_indicator/87"),
        (
            "<form action='/dp/frontend/web/index.php'><input type=hidden name=r value='tbl-project-main/view'>"
            "<select name=project_id><option>50460000-3697</select></form>",
            "yii_project/50460000-3697",
        ),
        ("<frameset><frame src='/menu/left.html'></frameset>", "start/menu/left.html"),
        ("<meta http-equiv=Refresh content='0; URL=home.php'>", "start/mobile/home.php"),
        ("<p data-target='myproject.php?x=1&amp;pid=24000000-2964'>x</p>", "project/24000000-2964"),
        (r'<script>u = "http:\/\/monitor.bangkok.go.th\/mobile\/mykpi.php?pid=2400-1013"</script>', "kpi/2400-1013"),
        ("<script>d.add(1, 0, 'x', 'index101.php?selDEP=24000000')</script>", "result_list/index101/24000000"),
        ("<p>ดูโครงการ 24000000-2964 และตัวชี้วัด 5004-903</p>", "kpi/5004-903"),
        ("<p>ดูโครงการ 61000000-0001</p>", "result_list/index11/61000000"),
        ("<a href='index101.php?page=2&selDEP=24000000&PHPSESSID=1'>2</a>", "result_list/index101?page=2/24000000"),
        ("<a href='/any/folder/frontend/web/?project_id=50460000-3697&r=tbl-project-main/view'>x</a>",
         "yii_project/50460000-3697"),
        ("<a href='/bs2568/frontend/web/index.php?r=tbl-project-main/index&page=3'>3</a>",
         "start/bs2568/frontend/web/index.php?page=3&r=tbl-project-main%2Findex"),
    ],
)  # fmt: skip
def test_a_lead_of_any_form_is_followed(html: str, expected: str) -> None:
    assert expected in found(f"<html><body>{html}</body></html>" if "<frameset" not in html else html)


@pytest.mark.parametrize(
    "html",
    [
        "<base href='http://elsewhere.example/'><a href='mobile/myproject.php?pid=22000000-9001'>x</a>",
        "<p>โทร. 5636-5638, 0-2643-3159, ปี 2563-2566</p>",
        "<a href='logout.php'>x</a><a href='print.php?x=1'>x</a><a href='report.pdf'>x</a><a href='/webboard/'>x</a>",
        "<a href='mailto:x@example.org'>x</a><a href='http://[x/'>x</a>",
    ],
)
def test_what_leads_nowhere_is_not_followed(html: str) -> None:
    assert found(f"<html><body>{html}</body></html>") == []


def test_menus_lead_on_from_menus_only() -> None:
    assert found("<a href='area.php?zone=1'>x</a>") == ["start/mobile/area.php?zone=1"]
    assert found("<a href='area.php?zone=1'>x</a>", is_menu=False) == []
    assert menu_ref("myproject.php?pid=24000000-2964", MENU, PORTAL) is None
    assert menu_ref("mykpi2563.php", MENU, PORTAL) is None


def test_a_code_that_a_script_is_given_is_no_menu_beside_its_page() -> None:
    html = (
        "<table><tr onclick=\"openProject('24000000-2964')\"><td onclick=\"openKpi( '2400-101' )\">x</td></tr></table>"
    )
    assert sorted(found(html)) == ["kpi/2400-101", "project/24000000-2964"]


def test_further_pages_of_a_list_keep_their_address() -> None:
    ref = page_ref(f"{MENU}index101.php?year=2566&page=2&selDEP=24000000&sid=a1")
    assert ref is not None
    assert ref.url == f"{MENU}index101.php?selDEP=24000000&page=2&year=2566"
    assert (ref.page_key, ref.code) == ("result_list/index101?page=2&year=2566/24000000", "24000000")


@pytest.fixture(scope="module")
def pages() -> dict[str, bytes]:
    """A menu in a frame, a listing of two pages, and one without an end."""
    second = list_page("24000000", 60).replace(b"(1) ", b"(11) ").replace(b"(2) ", b"(12) ")
    listing = b"<a href='?selDEP=24000000&page=2'>2</a></body>"
    return {
        "/mobile/": b"<html><frameset><frame src='/menu/left.php'></frameset></html>",
        "/menu/left.php": b"<html><base href='/'><body><script>go('mobile/index103.php?selDEP=62000000')</script></html>",
        "/mobile/index101.php?selDEP=24000000": list_page("24000000", 1).replace(b"</body>", listing),
        "/mobile/index101.php?selDEP=24000000&page=2": second,
        "/mobile/index103.php?selDEP=62000000": _html(["61000000-0001", "x"]),
        "/mobile/myproject.php?pid=24000000-0001": project_page(0, 1, 0.02),
        "/mobile/myproject.php?pid=24000000-0002": project_page(54, 1, 0.02),
    }


def test_paginated_lists_are_followed_night_after_night(pages: dict[str, bytes], tmp_path: Path) -> None:
    with FaultyPortal(pages) as portal:
        for _ in range(2):
            assert harvest(portal, tmp_path / "store", concurrency=16).published
        asked = [line.path for line in portal.log]
    items = pd.read_parquet(tmp_path / "store" / "latest" / "result_list_items.parquet")
    assert list(zip(items["list_name"], items["item_no"], strict=True)) == [
        ("index101", 1),
        ("index101?page=2", 11),
        ("index101?page=2", 12),
    ]
    projects = pd.read_parquet(tmp_path / "store" / "latest" / "projects.parquet")
    assert list(projects["project_code"]) == ["24000000-0001", "24000000-0002"]
    assert asked.count("/mobile/index101.php?selDEP=24000000&page=2") == 2
    assert asked.count("/mobile/index105.php?selDEP=61000000") >= 1


def test_a_listing_without_an_end_is_cut_off_and_said(tmp_path: Path) -> None:
    def serve(path: str) -> tuple[int, str, bytes] | None:
        if not path.startswith("/mobile/index101.php?selDEP=24000000"):
            return None
        page = int(path.rpartition("page=")[2]) if "page=" in path else 1
        link = f"<a href='?selDEP=24000000&page={page + 1}'>next</a></body>".encode()
        return 200, "text/html; charset=utf-8", list_page("24000000", 1).replace(b"</body>", link)

    with FaultyPortal({}, serve=serve) as portal:
        result = harvest(portal, tmp_path / "store", max_list_pages=4, concurrency=16)
        assert sum("page=" in line.path for line in portal.log) == 4
    assert any("index101/24000000 only 4 pages were followed" in remark for remark in result.remarks)
