"""What a page says against itself, or against the day of its fetch, is a finding; and what only looks like it is none."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from test_surroundings import PROJECT, page_of

import parsers
from parsers import parse_page
from pipeline import fetching, replay, verify
from pipeline.embedded_portal import EmbeddedPortal
from pipeline.harvest import Night, Scope, run_night
from pipeline.settings import load_settings
from pipeline.store import Store, open_store

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


def test_a_stored_page_is_judged_by_the_time_of_its_own_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[tuple[str, datetime]] = []

    def parse(body: bytes, *, url: str, fetched_at: datetime, **about: Any) -> parsers.ParsedPage:
        times.append((url, fetched_at))
        return parsers.parse_page(body, url=url, fetched_at=fetched_at, **about)

    for module in (fetching, replay, verify):
        monkeypatch.setattr(module, "parse_page", parse)
    monkeypatch.setattr(fetching, "_is_blocked", lambda body: False)
    with EmbeddedPortal() as portal:
        settings = load_settings(portal=portal.url, data=tmp_path / "store", rate=1_000_000, retries=0, backoff=0)
        store = Store.create(tmp_path / "store", portal.url)
        with store.writer():
            night = Night.begin(settings, store, Scope())
            assert run_night(night)
            night.close()
    first = dict(times)
    for read_again in (lambda: verify.verify_store(tmp_path / "store", deep=True), replay_all(tmp_path / "store")):
        times.clear()
        read_again()
        assert len(times) > 30
        assert dict(times).items() <= first.items()


def replay_all(data: Path) -> Callable[[], Any]:
    return lambda: replay.parser_changes(open_store(data))
