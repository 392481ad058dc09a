"""Parses a page's bytes: the verdict that the client acts on, and what the spool stores of the page."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from parsers import PARSER_VERSION, ParsedPage, facts_sha256
from pipeline.errors import error_text
from pipeline.harvest.bounded_parser import CostlyPageError, parse_bounded
from pipeline.harvest.discovery import pages_found
from pipeline.harvest.fetched import Fetched
from pipeline.harvest.portal import PageRef
from pipeline.harvest.spool import SpooledPage

PARSER_FAILED: Final = "parser"
"""The kind of error of a page at which the parser itself failed."""
TOO_COSTLY: Final = "too_costly"
"""The kind of error of a page that takes more time or memory to parse than one page may."""


class PageJudge:
    """The parser's word on the answers for one page; the last answer is parsed once, for the verdict and for its rows.

    known_sha256: of bytes that this version of the parser has read already; they are not parsed again
    given_up: of bytes that it gave up, and why; they are not tried again
    """

    def __init__(
        self, ref: PageRef, portal: str, known_sha256: str | None = None, given_up: tuple[str, str] | None = None
    ) -> None:
        self._ref = ref
        self._portal = portal
        self._known_sha256 = known_sha256
        self._last: tuple[str, ParsedPage | Exception] | None = None
        if given_up:
            self._last = given_up[0], CostlyPageError(given_up[1])

    def verdict(self, fetched: Fetched) -> str | None:
        """The verdict on an answer with a body; None for a menu, which holds no record and may ask to log in."""
        if fetched.sha256 == self._known_sha256:
            return "ok"
        parsed = self.parsed(fetched)
        if isinstance(parsed, Exception):
            return None
        if self._ref.kind == "start" and self._is_menu(parsed, fetched.final_url):
            return None
        return parsed.verdict

    def _is_menu(self, parsed: ParsedPage, address: str) -> bool:
        """True for a page that leads to records, or prints nothing and leads to other menus, as a frameset does."""
        found = pages_found(parsed, address, self._portal, is_menu=not parsed.unclaimed)
        # a script that asks for the same page again with a token is a gate
        return any(ref.url.partition("?")[0] != address.partition("?")[0] for ref in found)

    def page(self, fetched: Fetched) -> tuple[SpooledPage, ParsedPage | None]:
        """The page as the spool stores it, parsed unless its bytes are already known; and whose links may be followed."""
        ref = self._ref
        has_bytes = not fetched.not_modified and (fetched.error is None or bool(fetched.body))
        is_new = has_bytes and fetched.sha256 != self._known_sha256
        is_menu = ref.kind == "start"  # nothing but its links is of use
        page = SpooledPage(
            page_key=ref.page_key,
            kind=ref.kind,
            code=ref.code,
            url=ref.url,
            final_url=None if fetched.final_url == ref.url else fetched.final_url,
            http_status=fetched.status,
            headers=dict(fetched.headers),
            fetched_at=fetched.fetched_at,
            attempts=fetched.attempts,
            sha256=fetched.sha256 if has_bytes else None,
            error=fetched.error,
            error_kind=fetched.error_kind,
            not_modified=fetched.not_modified,
            body=fetched.body if is_new and not is_menu else b"",
            size=len(fetched.body) if has_bytes else 0,
        )
        if not is_new:
            return page, None
        parsed = self.parsed(fetched)
        page = read_page(page, fetched.body, parsed)
        if is_menu:
            page = replace(page, verdict=None, findings=[])
        return page, None if isinstance(parsed, Exception) or fetched.error is not None else parsed

    def parsed(self, fetched: Fetched) -> ParsedPage | Exception:
        """What the parser says of an answer, or the error it failed with."""
        if self._last is None or self._last[0] != fetched.sha256:
            content_type = fetched.headers.get("content-type")
            parsed = parse_guarded(fetched.body, self._ref.url, content_type, fetched.fetched_at)
            self._last = fetched.sha256, parsed
        return self._last[1]


def verdict_of(fetched: Fetched) -> str | None:
    """The verdict on the bytes of an answer alone."""
    parsed = parse_guarded(fetched.body, fetched.url, fetched.headers.get("content-type"), fetched.fetched_at)
    return None if isinstance(parsed, Exception) else parsed.verdict


def parse_guarded(body: bytes, url: str, content_type: str | None, fetched_at: datetime) -> ParsedPage | Exception:
    """What the parser says of a page, or the error it failed with: one page never ends a harvest."""
    try:
        return parse_bounded(body, url=url, content_type=content_type, fetched_at=fetched_at)
    except Exception as error:  # noqa: BLE001 - a defect of the parser costs the page that shows it
        return error


def parser_failed(error: Exception) -> str:
    """What is said of a page at which the parser itself failed."""
    return f"the parser failed at this page ({type(error).__name__}: {error_text(error)}); report it with its bytes"


def read_page(page: SpooledPage, body: bytes, parsed: ParsedPage | Exception) -> SpooledPage:
    """The page with what the parser read in its bytes.

    The page gets rows only where they are the record that its address promises.
    """
    if isinstance(parsed, CostlyPageError):
        return replace(page, size=len(body), error=page.error or str(parsed), error_kind=page.error_kind or TOO_COSTLY)
    if isinstance(parsed, Exception):
        return replace(
            page,
            parser_version=PARSER_VERSION,
            size=len(body),
            error=page.error or parser_failed(parsed),
            error_kind=page.error_kind or PARSER_FAILED,
        )
    findings = [dict[str, Any](finding) for finding in parsed.findings]
    has_record = bool(parsed.tables) and (parsed.kind, parsed.code) == (page.kind, page.code)
    shows_another = bool(parsed.tables) and not has_record
    return replace(
        page,
        error=page.error or (f"the address shows the {parsed.kind} page of {parsed.code}" if shows_another else None),
        parser_version=PARSER_VERSION,
        size=len(body),
        verdict=parsed.verdict,
        facts_sha256=facts_sha256(parsed.tables) if has_record else None,
        encoding=parsed.encoding,
        evaluation_quarter=parsed.evaluation_quarter,
        tables=parsed.tables if has_record else None,
        findings=findings,
        unclaimed=parsed.unclaimed if has_record else [],
    )
