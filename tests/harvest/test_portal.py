"""Addresses of the portal: every spelling of a page is one page, everything else is none, and nothing raises."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parsers import parse_page
from pipeline.errors import SettingsError
from pipeline.harvest.portal import (
    LISTS,
    PageRef,
    agency_codes,
    city_indicator_ref,
    code_ref,
    discover,
    kpi_ref,
    list_ref,
    list_refs,
    older_copy,
    page_ref,
    probe_refs,
    project_ref,
    read_pages_file,
    same_portal,
    start_refs,
    yii_ref,
)
from pipeline.schema.agencies import Agency, agencies
from pipeline.schema.codes import AGENCY_CODE

PORTAL = "http://monitor.bangkok.go.th"
BASE = f"{PORTAL}/mobile/index101.php?selDEP=24000000"
YII = "/bs2568/frontend/web/index.php"
SEED = project_ref(PORTAL, "24000000-2964")


@pytest.mark.parametrize(
    "link",
    [
        "http://monitor.bangkok.go.th/mobile/myproject.php?pid=24000000-2964",
        "https://monitor.bangkok.go.th/mobile/myproject.php?pid=24000000-2964",
        "HTTP://Monitor.Bangkok.GO.TH:80/mobile/myproject.php?pid=24000000-2964",
        "https://monitor.bangkok.go.th:443/mobile62/myproject.php?pid=24000000-2964",
        "//monitor.bangkok.go.th./mobile/myproject.php?pid=24000000-2964",
        "/mobile/myproject.php?pid=24000000-2964",
        "/mobile62/myproject.php?pid=24000000-2964",
        "../mobile62/myproject.php?pid=24000000-2964",
        "myproject.php?pid=24000000-2964",
        "./myproject.php?pid=24000000-2964#reports",
        " myproject.php?pid=24000000-2964\n",
        "myproject.php?year=2563&pid=24000000-2964",
        "myproject.php?pid=24000000-2964&year=2563",
        "myproject.php?pid=24000000%2D2964",
        "myproject.php?pid=+24000000-2964",
        "myproject.php?pid=11111111-1111&pid=24000000-2964",
        "MyProject.PHP?pid=24000000-2964",
        "my%70roject.php?pid=24000000-2964",
        "/mobile//./x/../myproject.php?pid=24000000-2964",
        "..\\mobile\\myproject.php?pid=24000000-2964",
        "http://me@monitor.bangkok.go.th/mobile/myproject.php?pid=24000000-2964",
    ],
)
def test_every_spelling_of_a_link_is_one_page(link: str) -> None:
    assert page_ref(link, PORTAL, BASE) == SEED


@pytest.mark.parametrize(
    "link",
    [
        "",
        "#",
        "javascript:history.back()",
        "javascript:open('myproject.php?pid=24000000-2964')",
        "mailto:x@bangkok.go.th?subject=24000000-2964",
        "ftp://monitor.bangkok.go.th/mobile/myproject.php?pid=24000000-2964",
        "http://dp.bangkok.go.th/mobile/myproject.php?pid=24000000-2964",
        "http://monitor.bangkok.go.th.example.org/mobile/myproject.php?pid=24000000-2964",
        "http://monitor.bangkok.go.th:8080/mobile/myproject.php?pid=24000000-2964",
        "http://monitor.bangkok.go.th@example.org/mobile/myproject.php?pid=24000000-2964",
        "http://monitor.bangkok.go.th:99999/mobile/myproject.php?pid=24000000-2964",
        "http://[monitor/mobile/myproject.php?pid=24000000-2964",
        "http://monitor.bangkok.go.th℀/mobile/myproject.php?pid=24000000-2964",
        "myproject.php",
        "myproject.php?pid=",
        "myproject.php?PID=24000000-2964",
        "myproject.php?pid=2400000-2964",
        "myproject.php?pid=24000000-29645",
        "myproject.php?pid=24000000-2964'--",
        "myproject.php?pid=24000000-2964%00",
        "myproject.php?pid=๒๔๐๐๐๐๐๐-๒๙๖๔",
        "myproject.php?pid=24000000-2964" + "&x=1" * 1000,
        "printproject.php?pid=24000000-2964",
        "/backend/myproject.php?pid=24000000-2964",
        "/mobile/x/myproject.php?pid=24000000-2964",
        "mykpi.php?pid=24000000-2964",
        "mykpi2563.php?pid=0",
        "mykpi2563.php?pid=2400-1013",
        "mykpi.php?pid=2400-10",
        "index106.php?selDEP=24000000",
        "index101.php?selDEP=2400",
        "index101.php",
        "/bs2568/frontend/web/index.php?project_id=50460000-3697&r=tbl-project-main%2Fupdate",
        "/bs2568/frontend/web/index.php?r=tbl-project-main%2Fview&project_id=",
    ],
)
def test_everything_else_is_no_page(link: str) -> None:
    assert page_ref(link, PORTAL, BASE) is None


@pytest.mark.parametrize(
    ("link", "ref"),
    [
        ("mykpi.php?pid=2400-1013", kpi_ref(PORTAL, "2400-1013")),
        ("mykpi.php?pid=5004-903", kpi_ref(PORTAL, "5004-903")),
        ("index101.php?selDEP=50160000", list_ref(PORTAL, "index101", "50160000")),
        ("/mobile62/INDEX11.php?x=1&selDEP=50160000", list_ref(PORTAL, "index11", "50160000", {"x": "1"})),
        (f"{YII}?project_id=50460000-3697&r=tbl-project-main%2Fview", yii_ref(PORTAL, "50460000-3697")),
        (f"{YII}?r=tbl-project-main/view&project_id=50460000-3697", yii_ref(PORTAL, "50460000-3697")),
        (f"{YII}?r=tbl-project-main%2fview&project_id=50460000-3697", yii_ref(PORTAL, "50460000-3697")),
    ],
)
def test_other_kinds(link: str, ref: PageRef) -> None:
    assert page_ref(link, PORTAL, BASE) == ref


def test_the_newer_front_end_keeps_its_year() -> None:
    earlier = yii_ref(PORTAL, "50460000-3697", "bs2567")
    assert page_ref(earlier.url, PORTAL) == earlier
    assert earlier.page_key == yii_ref(PORTAL, "50460000-3697").page_key


@pytest.mark.parametrize(
    "portal", [PORTAL, "https://bmavisions.com", "http://127.0.0.1:8765", "http://host/copy", "http://[::1]:80"]
)
def test_an_address_names_its_own_page(portal: str) -> None:
    refs = [
        project_ref(portal, "24000000-2964"),
        kpi_ref(portal, "5004-903"),
        list_ref(portal, "index103", "50160000"),
        yii_ref(portal, "50460000-3697"),
    ]
    assert [page_ref(ref.url, portal) for ref in refs] == refs
    assert len({ref.page_key for ref in refs}) == 4


def test_without_a_portal_the_host_of_the_url_is_the_portal() -> None:
    assert page_ref(SEED.url) == SEED
    assert page_ref("https://dp2.bangkok.go.th:8443/mobile62/mykpi.php?pid=1100-2001") == kpi_ref(
        "https://dp2.bangkok.go.th:8443", "1100-2001"
    )


def test_a_portal_below_a_path_ends_at_that_path() -> None:
    assert page_ref("http://host/copy/mobile/mykpi.php?pid=1100-2001", "http://host/copy") == kpi_ref(
        "http://host/copy", "1100-2001"
    )
    assert page_ref("http://host/mobile/mykpi.php?pid=1100-2001", "http://host/copy") is None
    assert page_ref("http://host/copycat/mobile/mykpi.php?pid=1100-2001", "http://host/copy") is None


@given(st.text(), st.text())
@example("http://[", "http://[")
@example("http://x:y/?a=b", BASE)
@example("//\x00?pid=1", BASE)
def test_no_link_raises_an_error(link: str, base: str) -> None:
    for each in (link, f"{link}?pid=24000000-2964", f"http://{link}/?pid=1"):
        page_ref(each)
        page_ref(each, PORTAL, BASE)
        page_ref(each, PORTAL, base)
        same_portal(each, base)


def test_discovery_keeps_page_order_and_names_each_page_once() -> None:
    links = ["mykpi.php?pid=2400-1013", "/mobile62/mykpi.php?pid=2400-1013", "x.html", "http://[", SEED.url]
    assert list(discover(links, BASE, PORTAL)) == [kpi_ref(PORTAL, "2400-1013"), SEED]


def test_discovery_on_the_saved_pages(fixtures_html: Path) -> None:
    start, _ = start_refs(PORTAL)
    links = parse_page((fixtures_html / "index.html").read_bytes()).links
    assert [ref.page_key for ref in discover(links, start.url, PORTAL)] == [
        "result_list/index101/09000000",
        "result_list/index102/24000000",
        "yii_project/50460000-3697",
        "yii_project/50150000-1873",
        "city_indicator/87",
    ]
    links = parse_page((fixtures_html / "index101-09000000.html").read_bytes()).links
    found = list(discover(links, list_ref(PORTAL, "index101", "09000000").url, PORTAL))
    assert {ref.kind for ref in found} == {"project", "kpi", "city_indicator"}
    assert all(ref.url.startswith(f"{PORTAL}/mobile/my") for ref in found)


def test_agencies_of_codes() -> None:
    assert kpi_ref(PORTAL, "2400-1013").agency_code == "24000000"
    assert kpi_ref(PORTAL, "5004-903").agency_code == "50040000"
    assert project_ref(PORTAL, "04010000-0017").agency_code == "04010000"
    assert list_ref(PORTAL, "index11", "50160000").agency_code == "50160000"


def test_the_table_of_agencies() -> None:
    table = {agency.agency_code: agency for agency in agencies()}
    assert len(table) == len(agencies()) == 24 + 15 + 50
    assert all(AGENCY_CODE.fullmatch(code) for code in table)
    assert {f"50{number:02d}0000" for number in range(1, 51)} <= table.keys()
    assert {"08000000", "21000000", "17000000", "04020000", "04150000"} <= table.keys()
    assert table["24000000"] == Agency("24000000", "สำนักพัฒนาสังคม", "Social Development Department", None)
    assert table["50240000"].name_th == "สำนักงานเขตราษฎร์บูรณะ"
    assert table["50020000"].name_th is None
    assert table["08000000"].name_th == "สำนักอนามัย"


def test_agencies_are_chosen_by_eight_or_four_digits() -> None:
    assert agency_codes(["5024", "24000000", "50240000"]) == ["50240000", "24000000"]
    assert len(agency_codes()) == 89
    assert [ref.page_key for ref in list_refs(PORTAL, ["5024"])] == [f"result_list/{name}/50240000" for name in LISTS]
    with pytest.raises(SettingsError, match="'502' is no agency's code"):
        agency_codes(["502"])


def test_the_older_copy_is_the_same_page() -> None:
    copy = older_copy(SEED)
    assert copy is not None
    assert copy.page_key == SEED.page_key
    assert copy.url == f"{PORTAL}/mobile62/myproject.php?pid=24000000-2964"
    assert page_ref(copy.url, PORTAL) == SEED
    assert older_copy(copy) is None
    assert older_copy(yii_ref(PORTAL, "50460000-3697")) is None


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_of_pages(newline: str, encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "pages.txt"
    lines = [
        "# ราษฎร์บูรณะ",
        "",
        "24000000-2964",
        "  2400-1013  # the indicator",
        "\u200b5004-903",
        "/"[:0],
        f"{SEED.url}#top",
        BASE,
    ]
    file.write_bytes(newline.join(lines).encode(encoding))
    assert read_pages_file(file, PORTAL) == [
        SEED,
        kpi_ref(PORTAL, "2400-1013"),
        kpi_ref(PORTAL, "5004-903"),
        list_ref(PORTAL, "index101", "24000000"),
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"24000000-2964\n\n# x\n2400-10\n", "line 4: '2400-10' is no project code"),
        (b"a\nb\nc\n", "line 1: 'a' is no project code, no indicator code and no page of"),
        (b"a\nb\nc\n", " (and 2 more lines); correct the file"),
        (b"http://dp.bangkok.go.th/mobile/mykpi.php?pid=2400-1013", "no page of http://monitor.bangkok.go.th; correct"),
        (b"# nothing\n", "names no page"),
        (b"", "names no page"),
        (b"\xa1\xa2\xa3", "is no UTF-8 text"),
        (b"\x89PNG\r\n\x1a\n\x00", "is no UTF-8 text"),
    ],
)
def test_a_file_of_pages_that_is_wrong(content: bytes, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "pages.txt"
    file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        read_pages_file(file, PORTAL)
    assert sentence in str(caught.value)


def test_a_file_of_pages_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_pages_file(tmp_path / "none.txt", PORTAL)
    with pytest.raises(SettingsError, match="Is a directory"):
        read_pages_file(tmp_path, PORTAL)


def test_a_range_of_serials() -> None:
    refs = probe_refs(" 50240000:3500-3600 ", PORTAL)
    assert len(refs) == 101
    assert refs[0] == project_ref(PORTAL, "50240000-3500")
    assert probe_refs("5024:7-7", PORTAL) == probe_refs("50240000:7", PORTAL) == [project_ref(PORTAL, "50240000-0007")]


@pytest.mark.parametrize(
    "text", ["", "50240000", "50240000:", "50240000:9-3", "50240000:1-10000", "502:1-3", "50240000:a-b"]
)
def test_no_range_of_serials(text: str) -> None:
    with pytest.raises(SettingsError, match="is no range of serials"):
        probe_refs(text, PORTAL)


def test_a_code_or_an_address() -> None:
    assert code_ref("24000000-2964", PORTAL) == SEED
    assert code_ref(SEED.url, PORTAL) == SEED
    assert code_ref("24000000-29640", PORTAL) is None


@pytest.mark.parametrize(
    "address",
    [
        "/dp/frontend/web/index.php?project_id=50460000-3697&r=tbl-project-main%2Fview",
        "/frontend/web/index.php?r=tbl-project-main/view&project_id=50460000-3697",
        "/a/b/frontend/web/index.php?project_id=50460000-3697&r=tbl-project-main%2Fview",
    ],
)
def test_any_folder_may_hold_the_newer_front_end(address: str) -> None:
    ref = page_ref(f"{PORTAL}{address}", PORTAL)
    assert ref is not None
    assert ref.page_key == "yii_project/50460000-3697"
    assert (
        ref.url
        == f"{PORTAL}{address.partition('index.php')[0]}index.php?project_id=50460000-3697&r=tbl-project-main%2Fview"
    )


def test_city_indicators_are_pages_of_the_portal() -> None:
    ref = page_ref("mykpi2563.php?pid=87", PORTAL, BASE)
    assert ref == city_indicator_ref(PORTAL, "87")
    assert code_ref(ref.url, PORTAL) == ref
    assert ref.agency_code == ""
