"""Parses a page's bytes: what the spool stores of the page, and whether it is whole or blocked."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from parsers import PARSER_VERSION, ParsedPage, facts_sha256, parse_page
from pipeline.harvest.spool import SpooledPage

_LARGEST_BLOCK_PAGE: Final = 5_000  # bytes; the pages of records seen have 60,000 and more


def read_page(page: SpooledPage, body: bytes, *, fetched_at: datetime) -> tuple[SpooledPage, ParsedPage]:
    """The page with what the parser reads in its bytes, and all that the parser says.

    The page gets rows only where they are the record that its address promises.
    fetched_at: when the portal served the bytes, UTC; dates after that are impossible
    """
    content_type = page.headers.get("content-type")
    parsed = parse_page(body, url=page.url, content_type=content_type, fetched_at=fetched_at)
    has_record = bool(parsed.tables) and (parsed.kind, parsed.code) == (page.kind, page.code)
    shows_another = bool(parsed.tables) and not has_record
    page = replace(
        page,
        error=page.error or (f"the address shows the {parsed.kind} page of {parsed.code}" if shows_another else None),
        verdict=parsed.verdict,
        facts_sha256=facts_sha256(parsed.tables) if has_record else None,
        encoding=parsed.encoding,
        evaluation_quarter=parsed.evaluation_quarter,
        parser_version=PARSER_VERSION,
        size=len(body),
        tables=parsed.tables if has_record else None,
        findings=[dict(finding) for finding in parsed.findings],
    )
    return page, parsed


def is_whole(body: bytes) -> bool:
    """False for a page that began as a whole document and has no end: it is worth another try."""
    return b"<html" not in body[:2048].lower() or b"</html" in body[-2048:].lower()


def is_blocked(body: bytes) -> bool:
    """True for a firewall's, a login's or an error's page; those are small, so no large page is parsed twice."""
    if len(body) >= _LARGEST_BLOCK_PAGE:
        return False
    page = parse_page(body)
    has_portal_links = any("pid=" in link or "selDEP=" in link or "project_id=" in link for link in page.links)
    return page.verdict == "blocked" and not has_portal_links  # a menu of the portal holds no record either
