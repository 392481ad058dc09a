"""What a page says against itself, or against the day of its fetch, is a finding; and what only looks like it is none."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.sample_pages import PROJECT, YII_LABELS, after, instead, page_of
from support.verifying import verify_deeply

import parsers
from parsers import parse_page
from parsers.findings import MOST_OF_A_RULE
from pipeline.harvest import reading, replay
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.result import Scope
from pipeline.harvest.run import HarvestRun, run_harvest
from pipeline.settings import load_settings
from pipeline.store.writer import create_store, open_archive, open_writer

GOOD = [line.replace("ผลงานที่ทำได้ แห่ง : 3", "ผลงานที่ทำได้ แห่ง : 1") for line in PROJECT]


def rules(lines: list[str], fetched_at: datetime | None = None) -> list[tuple[str, str | None]]:
    """The rules of the page's findings, and what they say was printed."""
    page = parse_page(page_of(lines).encode(), fetched_at=fetched_at)
    return [(finding["rule"], finding["printed"]) for finding in page.findings]


@pytest.mark.parametrize(
    ("fetched_at", "found"),
    [
        (None, []),
        (datetime(2021, 5, 30, 16, 59, tzinfo=UTC), [("report_in_future", "2021-05-31")]),
        (datetime(2021, 5, 30, 17, 0, tzinfo=UTC), []),  # in Bangkok the 31st has begun
        (datetime(2021, 6, 1, tzinfo=UTC), []),
    ],
)
def test_a_report_dated_after_the_fetch_is_found(
    fetched_at: datetime | None, found: list[tuple[str, str | None]]
) -> None:
    assert rules(GOOD, fetched_at) == found


def steps(*weights: str) -> list[str]:
    lines = [line for line in GOOD if not line.startswith(("ขั้นตอน", ":สำรวจ", ":100%", "เริ่มต้น", "สิ้นสุด"))]
    plan: list[str] = []
    for number, weight in enumerate(weights, 1):
        plan += [f"ขั้นตอน {number}", ":ก", f":{weight}%", "เริ่มต้น :2020-10-01", "สิ้นสุด :2020-10-01"]
    return after(lines, "แผนการดำเนินงานฯ", *plan)


@pytest.mark.parametrize(
    "weights",
    [
        *(["33.33"] * 3, ["33.34"] * 3, ["33.3"] * 3, ["16.67"] * 6, ["16.66"] * 6, ["14.29"] * 7, ["8.33"] * 12),
        *(["12.5"] * 8, ["33.33", "33.33", "33.34"], ["100.00"]),
    ],
)
def test_weights_that_were_rounded_add_up(weights: list[str]) -> None:
    assert rules(steps(*weights)) == []


@pytest.mark.parametrize(
    ("weights", "total"),
    [(["33"] * 3, "99"), ([*["12.5"] * 7, "12"], "99.5"), (["50", "50.5"], "100.5"), (["60"] * 2, "120")],
)
def test_weights_that_do_not_add_up_are_found(weights: list[str], total: str) -> None:
    assert rules(steps(*weights)) == [("weights_do_not_add_up", total)]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("31/5/2564 : ทำแล้ว", "๒/๖/๒๕๖๔ : ทำแล้ว", [("note_date_differs", "๒/๖/๒๕๖๔ | 2021-05-31")]),
        *(
            ("31/5/2564 : ทำแล้ว", note, [("note_dates_several", note)])
            for note in ("31/5/2564 ถึง 2/6/2564 อบรม", "31/5/2564 ถึงวันที่ 2/6/2564 อบรม", "31/5/2564 : ก 2/6/2564 : ข")
        ),
        ("80", "79", [("progress_printed_twice", "79 | 80")]),
        ("80.00", "79.50", [("progress_printed_twice", "79.50 | 80.0")]),
        ("สิ้นสุด :2020-10-31 00:00:00", "สิ้นสุด :2020-09-30", [("step_ends_before_start", "2020-10-01 | 2020-09-30")]),
        (
            "(1) ความคืบหน้าโครงการฯ ร้อยละ 80.00 (2021-05-31)",
            "(1) ความคืบหน้าโครงการฯ ร้อยละ 8O.00 (2021-05-31)",
            [("number_unreadable", "8O.00")],
        ),
    ],
)
def test_a_contradiction_is_found_as_printed(old: str, new: str, found: list[tuple[str, str]]) -> None:
    assert rules(instead(GOOD, [old], new)) == found


def test_progress_over_a_hundred_is_found_as_printed() -> None:
    lines = [line.replace("80.00", "120.00") if "ร้อยละ 80.00" in line or line == "80.00" else line for line in GOOD]
    lines = instead(lines, ["80", "ความคืบหน้าโครงการ ร้อยละ 80"], "120.00", "ความคืบหน้าโครงการ ร้อยละ 120.00")
    assert rules(lines) == [("percent_out_of_range", "120.00")] * 2
    rows = {"รหัสโครงการ": "50460000-3697", **dict.fromkeys(YII_LABELS, ""), "คืบหน้าล่าสุด": "120.00"}
    assert rules([f"{label}{value}" for label, value in rows.items()]) == [("percent_out_of_range", "120.00")]


def test_a_stored_page_is_judged_by_the_time_of_its_own_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[tuple[str, datetime]] = []

    def parse(body: bytes, *, url: str, fetched_at: datetime, **about: Any) -> parsers.ParsedPage:
        times.append((url, fetched_at))
        return parsers.parse_page(body, url=url, fetched_at=fetched_at, **about)

    monkeypatch.setattr(reading, "parse_bounded", parse)
    with DemoPortal() as portal:
        settings = load_settings(portal=portal.url, data=tmp_path / "store", rate=1_000_000, retries=0, backoff=0)
        store = create_store(tmp_path / "store", portal.url)
        with open_writer(store.root) as store:
            night = HarvestRun.begin(settings, store, Scope())
            assert run_harvest(night)
            night.close()
    first = dict(times)
    for read_again in (lambda: verify_deeply(tmp_path / "store"), replay_all(tmp_path / "store")):
        times.clear()
        read_again()
        assert len(times) > 30
        # bytes that several pages share are kept once, with the time of the first of them
        assert {at for _, at in times} <= set(first.values())


def replay_all(data: Path) -> Callable[[], Any]:
    return lambda: replay.parser_changes(open_archive(data))


def test_a_line_that_a_script_repeats_without_end_is_listed_so_often_and_counted() -> None:
    lines = [*PROJECT, *["Warning: mysql_query()"] * 60_000, *["ก", "ก"] * 20_000]
    page = parse_page(page_of(lines).encode())
    counts = Counter(finding["rule"] for finding in page.findings)
    assert counts["error_message_in_page"] == MOST_OF_A_RULE
    assert max(counts.values()) == MOST_OF_A_RULE
    assert counts["printed_twice"] == MOST_OF_A_RULE
    last = [finding["message"] for finding in page.findings if finding["rule"] == "printed_twice"][-2:]
    assert not last[0].endswith("not listed.")
    assert last[1].endswith(f"{39_999 - MOST_OF_A_RULE:,} more of this rule are not listed."), last[1]
