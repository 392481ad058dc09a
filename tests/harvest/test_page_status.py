"""What one answer means for a page's record: from the row in force and tonight's page."""

from datetime import UTC, datetime

import pytest
from support.sample_pages import PROJECT, page_of

from parsers import parse_page
from parsers.parse import facts_sha256
from pipeline.harvest.page_status import PageRow, next_page_row
from pipeline.harvest.spool import SpooledPage

CODE = "50040000-2210"


def spooled(text: str) -> SpooledPage:
    body = text.encode()
    page = parse_page(body)
    return SpooledPage(
        page_key=CODE,
        kind=page.kind,
        code=CODE,
        url=f"https://example.org/mobile/myproject.php?pid={CODE}",
        http_status=200,
        headers={},
        fetched_at=datetime(2026, 11, 22, 19, tzinfo=UTC),
        attempts=1,
        sha256=text,
        body=body,
        verdict=page.verdict,
        facts_sha256=facts_sha256(page.tables),
        tables=page.tables,
        findings=[dict(finding) for finding in page.findings],
    )


def look_again(text: str) -> PageRow:
    """The row of a page that was good yesterday and prints `text` tonight."""
    first = next_page_row(None, spooled(page_of(PROJECT)), "20261121T190000Z")
    return next_page_row(first, spooled(text), "20261122T190000Z")


def test_an_edited_text_is_a_new_version() -> None:
    row = look_again(page_of(PROJECT).replace("ทำแล้ว", "ทำเสร็จแล้ว"))
    assert (row["outcome"], row["version_harvest_id"]) == ("changed", "20261122T190000Z")


@pytest.mark.parametrize("lost", ["??????", "\ufffd" * 6, "à¸—à¸³"])
def test_a_text_that_was_lost_does_not_replace_a_good_one(lost: str) -> None:
    row = look_again(page_of(PROJECT).replace("ทำแล้ว", lost))
    assert (row["outcome"], row["version_harvest_id"]) == ("failed", "20261121T190000Z")
