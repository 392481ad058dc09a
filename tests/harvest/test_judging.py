"""What a harvest makes of doubtful answers: pages that are suspect, blank, blocked or empty, and first nights full of them."""

import re
from collections import Counter
from pathlib import Path

import pytest
from support.faulty_portal import Fault, FaultyPortal, page, status, validated, well
from support.harvests import harvest
from support.synthetic_portal import code_of, empty_page, project_page

from parsers import parse_page
from pipeline.api import open_store
from pipeline.compare.diff import states_differ
from pipeline.harvest import reading
from pipeline.harvest.breaker import PortalDownError
from pipeline.harvest.portal import list_ref, project_ref, yii_ref
from pipeline.harvest.result import HarvestResult, Scope
from pipeline.harvest.run_report import report_text
from pipeline.operate.status import condition, status_document
from pipeline.store.verify import verify_store
from pipeline.store.writer import open_archive

CODE = code_of(0)
PATH = f"/mobile/myproject.php?pid={CODE}"
GOOD = project_page(0, 1, 0.0)
REWRITTEN = re.sub(rb"(?s)<span>\(2\) .*?(?=<span>\(3\) )", b"", GOOD.replace("แผนการดำเนินงานฯ".encode(), b""))
BLOCKED = b"<html><head><title>Request Rejected</title></head><body>" + b"<!-- firewall -->" * 900
BLOCKED += (
    b"The requested URL was rejected. Please consult with your administrator.<br>Your support ID is: 1</body></html>"
)


def pages_of(*numbers: int) -> dict[str, bytes]:
    return {f"/mobile/myproject.php?pid={code_of(number)}": project_page(number, 1, 0.0) for number in numbers}


def night(portal: FaultyPortal, folder: Path, *numbers: int, **settings: object) -> HarvestResult:
    refs = tuple(project_ref(portal.url, code_of(number)) for number in numbers or (0,))
    return harvest(portal, folder / "store", Scope(refs), **settings)


def outcome(folder: Path, code: str = CODE) -> tuple[str, str | None]:
    [row] = [
        row for row in open_archive(folder / "store").arrow("pages").to_pylist() if row["page_key"] == f"project/{code}"
    ]
    return row["outcome"], row["error"]


def test_the_pages_are_what_they_are_taken_for() -> None:
    assert parse_page(GOOD).verdict == "ok"
    assert parse_page(REWRITTEN).verdict == "suspect"
    assert len(parse_page(REWRITTEN).tables["progress_reports"]) < len(parse_page(GOOD).tables["progress_reports"])
    assert len(BLOCKED) > 14_000
    assert parse_page(BLOCKED).verdict == "blocked"


def test_a_suspect_page_replaces_a_whole_version_on_the_third_night_only(tmp_path: Path) -> None:
    with FaultyPortal({PATH: GOOD}) as portal:
        night(portal, tmp_path)
        before = open_store(tmp_path / "store").table("progress_reports")
        portal.pages = {PATH: REWRITTEN}
        for asked in (3, 5):
            result = night(portal, tmp_path)
            assert outcome(tmp_path)[0] == "failed"
            assert "a suspect page (part_missing" in str(outcome(tmp_path)[1])
            assert len(portal.asked(PATH)) == asked, "it is asked for twice"
            assert result.changes == {}
            assert open_store(tmp_path / "store").table("progress_reports").equals(before)
        last = night(portal, tmp_path)
    assert outcome(tmp_path) == ("changed", None)
    assert "report_removed" not in last.changes
    store = open_archive(tmp_path / "store")
    details = states_differ(store, "previous", "latest").to_pylist()
    assert {row["table"] for row in details} >= {"progress_reports", "plan_steps"}
    assert {(row["meaning"], row["detail"]) for row in details} == {("other", "suspect_page")}
    assert verify_store(tmp_path / "store", deep=True) == []


def test_a_page_that_was_cut_and_is_whole_again_accuses_nobody(tmp_path: Path) -> None:
    cut = re.sub(rb"(?s)<span>\(1\) .*?(?=<span>\(2\) )", b"", GOOD).replace("วัตถุประสงค์ของโครงการ".encode(), b"")
    with FaultyPortal({PATH: GOOD}) as portal:
        night(portal, tmp_path)
        flags = open_store(tmp_path / "store").table("red_flags")
        for body in (cut, GOOD):
            portal.pages = {PATH: body}
            night(portal, tmp_path, suspect_nights=1)
    store = open_store(tmp_path / "store")
    changes = store.table("changes")
    assert set(changes["change"][changes["table"] == "progress_reports"]) == {"added", "removed"}
    assert set(changes["detail"]) == {"suspect_page"}, "the newest report is back, and no new one that is backdated"
    assert list(store.table("red_flags")["rule"]) == list(flags["rule"])


def test_a_project_that_is_read_from_its_other_page_accuses_nobody(tmp_path: Path, fixtures_html: Path) -> None:
    newer = (fixtures_html / "yii-50460000-3697.html").read_bytes().replace(b"50460000-3697", CODE.encode())
    with FaultyPortal({PATH: GOOD, yii_ref("", CODE).url: newer}) as portal:
        refs = Scope((project_ref(portal.url, CODE), yii_ref(portal.url, CODE)))
        portal.script(PATH, status(500), status(500))
        harvest(portal, tmp_path / "store", refs)
        harvest(portal, tmp_path / "store", refs)
        portal.pages.pop(PATH)
        for _ in range(2):
            harvest(portal, tmp_path / "store", refs)
    store = open_store(tmp_path / "store")
    changes = store.table("changes")
    reports = changes[changes["table"] == "progress_reports"]
    assert set(reports["change"]) == {"added", "removed"}
    asked_about = changes[(changes["table"] != "contacts") & ~changes["meaning"].isin(["new_report", "progress_up"])]
    assert set(zip(asked_about["meaning"], asked_about["detail"], strict=True)) == {("other", "another_page")}
    assert "backdated_report" not in set(store.table("red_flags")["rule"])


def test_what_only_a_projects_newer_page_shows_comes_and_goes_with_it(tmp_path: Path, fixtures_html: Path) -> None:
    newer = (fixtures_html / "yii-50460000-3697.html").read_bytes().replace(b"50460000-3697", CODE.encode())
    with FaultyPortal({PATH: GOOD}) as portal:
        other = yii_ref(portal.url, CODE)
        refs = Scope((project_ref(portal.url, CODE), other))
        without_report = re.sub(rb"(?s)<span>\(1\) .*?(?=<span>\(2\) )", b"", GOOD)
        for body, shown in ((GOOD, {}), (GOOD, {yii_ref("", CODE).url: newer}), (GOOD, {}), (without_report, {})):
            portal.pages = {PATH: body, **shown}
            harvest(portal, tmp_path / "store", refs)
    changes = open_store(tmp_path / "store").table("changes")
    dates = changes[changes["column"].isin(["start_date", "finish_date"])]
    assert set(zip(dates["meaning"], dates["detail"], strict=True)) == {("other", "another_page")}
    assert "report_removed" in set(changes["meaning"]), "the page that stayed is held to its word"


def test_a_page_that_is_whole_again_forgets_what_was_suspect(tmp_path: Path) -> None:
    with FaultyPortal({PATH: GOOD}) as portal:
        night(portal, tmp_path)
        for body in (REWRITTEN, GOOD, REWRITTEN):
            portal.pages = {PATH: body}
            night(portal, tmp_path, suspect_nights=2)
    assert outcome(tmp_path)[0] == "failed"


@pytest.mark.parametrize(
    "doubtful", [page(empty_page()), status(404), page(REWRITTEN)], ids=["blank", "not_found", "suspect"]
)
def test_a_doubtful_answer_is_asked_for_once_more(doubtful: Fault, tmp_path: Path) -> None:
    with FaultyPortal({PATH: GOOD}) as portal:
        portal.script(PATH, doubtful)
        portal.script(PATH.replace("/mobile/", "/mobile62/"), status(404))
        assert night(portal, tmp_path).outcomes == {"new": 1}
        portal.script(PATH, doubtful)
        assert night(portal, tmp_path).outcomes == {"unchanged": 1}


def test_an_answer_of_no_bytes_never_ends_a_record(tmp_path: Path) -> None:
    with FaultyPortal(pages_of(0, 1)) as portal:
        night(portal, tmp_path, 0, 1)
        portal.always(PATH, page(b""))
        for _ in range(3):
            night(portal, tmp_path, 0, 1)
    assert outcome(tmp_path) == ("failed", "an answer without a body")
    assert CODE in set(open_store(tmp_path / "store").table("projects")["project_code"])


def test_a_large_block_page_stops_the_harvest_like_a_small_one(tmp_path: Path) -> None:
    numbers = range(60)
    with FaultyPortal(pages_of(*numbers)) as portal:
        for number in numbers[10:]:
            portal.always(f"/mobile/myproject.php?pid={code_of(number)}", page(BLOCKED))
        for number in numbers[:10]:  # each once, then the firewall is on
            path = f"/mobile/myproject.php?pid={code_of(number)}"
            portal.script(path, well)
            portal.always(path, page(BLOCKED))
        with pytest.raises(PortalDownError, match="a page that keeps us out, under status 200"):
            night(portal, tmp_path, *numbers, breaker_failures=5, breaker_pause=0.01, concurrency=1)
        assert len(portal.log) < 30


def test_a_first_night_on_which_most_pages_fail_is_held_back(tmp_path: Path) -> None:
    with FaultyPortal(pages_of(0, 1)) as portal:
        refs = [project_ref(portal.url, code_of(number)) for number in range(12)]
        refs += [list_ref(portal.url, "index101", f"50{number:02d}0000") for number in range(1, 9)]
        portal.every(lambda exchange: well(exchange) if exchange.asked.path in portal.pages else status(500)(exchange))
        result = harvest(portal, tmp_path / "store", Scope(tuple(refs)))
    assert result.held_back == "18 of 20 expected pages gave no answer. Allowed: at most 3."
    assert "Nothing is published yet, since this was the first harvest" in report_text(result, "the portal")
    assert "BMA_PROGRESS_MIN_ANSWERED_SHARE" in result.remarks[-1]
    assert sum(group.expected for group in result.coverage) == 20


def test_a_night_on_which_robots_txt_forbids_what_is_known_is_held_back(tmp_path: Path) -> None:
    numbers = range(9)
    with FaultyPortal(pages_of(*numbers)) as portal:
        assert night(portal, tmp_path, *numbers).published
        forbidden = [f"/mobile/myproject.php?pid={code_of(number)}" for number in (*numbers[:5], 70)]
        portal.robots = "\n".join(["User-agent: *", *(f"Disallow: {path}" for path in forbidden)])
        result = night(portal, tmp_path, *numbers, 70)
        assert result.held_back == "5 of 9 expected pages gave no answer. Allowed: at most 3."
        assert {failure["error"] for failure in result.failures} == {"robots.txt forbids this page"}
        assert "5 x robots.txt forbids this page" in report_text(result, "the portal")
        assert night(portal, tmp_path, *numbers[3:]).published  # two of six, as many as may fail
    with FaultyPortal(pages_of(*numbers), robots=portal.robots) as portal:
        first = night(portal, tmp_path / "first", *numbers)
        assert first.published, "no record is known on a first night, so robots.txt can hide none"


def test_an_indicator_without_a_page_is_asked_for_once_a_week(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = (1, 4, 8, 15)
    begins = (f"202611{day:02}T165959Z" for day in days)  # a second before midnight in Bangkok
    monkeypatch.setattr("pipeline.harvest.run.new_harvest_id", lambda store: next(begins))
    codes = [f"5001-{number:04d}" for number in range(1, 9)]
    text = "".join(
        f"<div>รายละเอียดเกี่ยวกับตัวชี้วัด : {code}</div><div>ตัวชี้วัด : ถนน</div><div>ค่าเป้าหมาย แห่ง : 1</div>" for code in codes
    )
    heading = "สนับสนุนตัวชี้วัดตามแผนฯ".encode()
    agency = CODE[:8]
    lists = {
        f"/mobile/index101.php?selDEP={agency}": f"<html><a href='{PATH}'>1</a></html>".encode(),
        PATH: GOOD.replace(heading, heading + b"</span></div></div>" + text.encode() + b"<div><div><span>"),
    }
    with FaultyPortal(lists) as portal:
        asked = []
        for _ in days:
            harvest(portal, tmp_path / "store", Scope(agencies=(agency,)), max_suspect_share=1)
            asked.append(Counter(line.path[-9:] for line in portal.log if line.path[-9:] in codes))
    assert asked[0] == dict.fromkeys(codes, 3), "three addresses each"
    assert asked[1] - asked[0] == {"5001-0003": 1, "5001-0004": 1}, "whose day of the week is one of the last three"
    assert asked[2] == dict.fromkeys(codes, 4), "the others, too"
    assert asked[3] == dict.fromkeys(codes, 5), "also where every harvest is on the same day of the week"


def test_a_line_printed_from_today_on_is_seen_today(tmp_path: Path) -> None:
    numbers = range(4)
    with FaultyPortal(pages_of(*numbers)) as portal:
        first = night(portal, tmp_path, *numbers)
        for place, (path, body) in enumerate(pages_of(*numbers).items()):
            line = f"<div>งบประมาณที่ได้รับจัดสรร : {place + 1},250,000 บาท</div><div><div class='panel-heading'><span>หลักการและเหตุผล"
            portal.pages[path] = body.replace(
                "<div class='panel-heading'><span>หลักการและเหตุผล".encode(), line.encode(), 1
            )
        second = night(portal, tmp_path, *numbers)
        third = night(portal, tmp_path, *numbers)
    assert first.unclaimed == []
    assert third.outcomes == {"unchanged": 4}
    assert second.unclaimed == third.unclaimed
    [line] = second.unclaimed
    assert (line.what, line.pages, line.page_key) == (
        "งบประมาณที่ได้รับจัดสรร :",
        4,
        f"project/{min(map(code_of, numbers))}",
    )
    assert "งบประมาณที่ได้รับจัดสรร : " in report_text(second, "the portal")
    store = open_archive(tmp_path / "store")
    assert status_document(store, condition(store, 36))["unclaimed"][0]["pages"] == 4


def test_a_night_held_back_names_the_part_that_is_missing(tmp_path: Path) -> None:
    heading, numbers = "แผนการดำเนินงานฯ".encode(), range(5)
    with FaultyPortal({path: body.replace(heading, b"") for path, body in pages_of(*numbers).items()}) as portal:
        result = night(portal, tmp_path, *numbers)
    assert "contradict themselves: The page has no heading แผนการดำเนินงานฯ (5 pages, such as" in str(result.held_back)


def test_pages_of_unknown_kind_are_counted_and_shown(tmp_path: Path) -> None:
    body = "<html><body><h1>ตัววัดผลหลัก KR</h1><p>เป้าหมายปี 2569</p></body></html>".encode()
    with FaultyPortal({**pages_of(0, 1), f"/mobile/myproject.php?pid={code_of(2)}": body}) as portal:
        result = night(portal, tmp_path, 0, 1, 2)
    assert result.published
    assert result.unknown_pages == 1
    assert "Pages of unknown kind: 1" in report_text(result, "the portal")
    assert "ตัววัดผลหลัก KR" in result.unknown[0].example


def test_an_exception_in_one_page_is_that_pages_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(body: bytes, *, url: str, **about: object) -> object:
        if url.endswith(CODE):
            raise RecursionError("too deep")
        return parse_page(body, url=url)

    monkeypatch.setattr(reading, "parse_bounded", parse)
    with FaultyPortal(pages_of(0, 1)) as portal:
        result = night(portal, tmp_path, 0, 1)
    assert result.published
    assert "the parser failed at this page (RecursionError: too deep)" in str(outcome(tmp_path)[1])


def test_an_unchanged_page_is_asked_for_with_its_validators_every_night(tmp_path: Path) -> None:
    renewed = b"<!-- another hour -->" + GOOD  # other bytes, the same facts
    with FaultyPortal({PATH: GOOD}) as portal:
        for tag, body in (
            (None, GOOD),
            ('"1"', GOOD),
            ('"1"', GOOD),
            ('"2"', renewed),
            ('"2"', renewed),
            ('"2"', renewed),
        ):
            portal.pages[PATH] = body
            portal.always(PATH, validated(etag=tag))
            night(portal, tmp_path)
        sent = [asked.headers.get("if-none-match") for asked in portal.asked(PATH)]
    assert sent == [None, None, '"1"', '"1"', '"2"', '"2"']
    assert set(open_store(tmp_path / "store").table("pages")["etag"]) == {'"2"'}


def test_nights_go_on_where_a_validator_cannot_be_sent(tmp_path: Path) -> None:
    with FaultyPortal({PATH: GOOD}) as portal:
        portal.always(PATH, validated(etag='"รุ่น-1"'))
        night(portal, tmp_path)
        assert night(portal, tmp_path).outcomes == {"unchanged": 1}
