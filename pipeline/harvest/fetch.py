"""Fetching and reading the pages of a batch: what a worker does, in this process or on another machine."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

from parsers import PARSER_VERSION, facts_sha256, parse_page
from pipeline.harvest.client import PortalClient
from pipeline.harvest.client_state import ClientState
from pipeline.harvest.fetched import Fetched
from pipeline.harvest.portal import PageRef, discover, older_copy
from pipeline.harvest.rate_limit import Limiter
from pipeline.harvest.spool import SpooledPage
from pipeline.settings import Settings

Keep = Callable[[SpooledPage, list[PageRef]], None]
"""Keeps one page and the pages its links lead to."""

_LARGEST_BLOCK_PAGE: Final = 5_000  # bytes; the pages of records seen have 60,000 and more


@dataclass(frozen=True, slots=True)
class FetchTask:
    """One page to fetch.

    etag, last_modified: of the bytes at hand; record_sha256: of the bytes today's parser has read already
    try_older: whether the older copy is asked where this address has no record
    """

    ref: PageRef
    etag: str | None = None
    last_modified: str | None = None
    record_sha256: str | None = None
    try_older: bool = False


@dataclass(frozen=True, slots=True)
class Instructions:
    """What holds for all pages of a harvest. agencies: follow links to these only; none: to all."""

    settings: Settings
    follow_links: bool = True
    agencies: tuple[str, ...] = ()


def portal_client(settings: Settings, limiter: Path | Limiter, state: ClientState | None = None) -> PortalClient:
    """A client that knows which pages are whole and which keep us out."""
    return PortalClient(settings, limiter, is_complete=_is_whole, is_blocked=_is_blocked, state=state)


async def fetch_pages(
    tasks: Iterable[FetchTask],
    client: PortalClient,
    instructions: Instructions,
    keep: Keep,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Fetch, parse and keep pages, several at once; what was kept before an error is kept.

    stopped: asked before each page; True ends the work after the pages in hand
    """
    queue = iter(list(tasks))

    async def work() -> None:
        for task in queue:  # all workers draw from one queue
            if stopped():
                return
            keep(*await _fetch_page(client, task, instructions))

    try:
        async with asyncio.TaskGroup() as workers:
            # the client limits what is under way; more workers than that, as some only wait before a further try
            for _ in range(4 * instructions.settings.concurrency):
                workers.create_task(work())
    except BaseExceptionGroup as group:
        raise _first_error(group) from None


def page_result(page: SpooledPage) -> str:
    """What came of a page, in a word."""
    return page.error_kind or page.verdict or ("not_modified" if page.not_modified else "unchanged")


async def _fetch_page(
    client: PortalClient, task: FetchTask, instructions: Instructions
) -> tuple[SpooledPage, list[PageRef]]:
    ref = task.ref
    fetched = await client.fetch(ref.url, etag=task.etag, last_modified=task.last_modified)
    page, found = _read(ref, fetched, task, instructions)
    if task.try_older and _has_no_record(page) and (older := older_copy(ref)):
        other, links = _read(older, await client.fetch(older.url), task, instructions)
        page, found = (page, found) if _has_no_record(other) or other.error else (other, links)
    return page, found


def _read(
    ref: PageRef, fetched: Fetched, task: FetchTask, instructions: Instructions
) -> tuple[SpooledPage, list[PageRef]]:
    """Parse what came, unless it is byte for byte what is already known; returns the page and what it links to."""
    page = SpooledPage(
        page_key=ref.page_key,
        kind=ref.kind,
        code=ref.code,
        url=ref.url,
        http_status=fetched.status,
        headers=dict(fetched.headers),
        fetched_at=fetched.fetched_at,
        attempts=fetched.attempts,
        sha256=None,
        error=fetched.error,
        error_kind=fetched.error_kind,
        not_modified=fetched.not_modified,
    )
    if fetched.error is not None and not fetched.body:
        return page, []
    if fetched.not_modified:
        return page, []
    page = replace(page, sha256=fetched.sha256, size=len(fetched.body))
    if task.record_sha256 == page.sha256:
        return page, []
    parsed = parse_page(
        fetched.body,
        url=ref.url,
        content_type=fetched.headers.get("content-type"),
        fetched_at=fetched.fetched_at,
    )
    has_record = bool(parsed.tables) and (parsed.kind, parsed.code) == (ref.kind, ref.code)
    if parsed.tables and not has_record:  # not what its address promises: no record of this key
        page = replace(page, error=page.error or f"the address shows the {parsed.kind} page of {parsed.code}")
    page = replace(
        page,
        body=fetched.body,
        verdict=parsed.verdict,
        facts_sha256=facts_sha256(parsed.tables) if has_record else None,
        encoding=parsed.encoding,
        evaluation_quarter=parsed.evaluation_quarter,
        parser_version=PARSER_VERSION,
        tables=parsed.tables if has_record else None,
        findings=[dict(finding) for finding in parsed.findings],
    )
    if ref.kind == "start":
        page = replace(page, body=b"", verdict=None, findings=[])
    if not instructions.follow_links or fetched.error is not None:
        return page, []
    portal, agencies = instructions.settings.portal, instructions.agencies
    found = discover(parsed.links, fetched.final_url, portal)
    mine = [link for link in found if ref.kind == "project" or _is_wanted(link, agencies)]
    if ref.kind == "project" and has_record and (kpis := parsed.tables["project_kpis"]):
        base = urljoin(ref.url, "mykpi.php?pid=")  # indicators the page names without a link
        mine += discover([f"{base}{row['kpi_code']}" for row in kpis], ref.url, portal)
    return page, [link for link in mine if link.kind == "kpi" or _is_wanted(link, agencies)]


def _is_wanted(ref: PageRef, agencies: tuple[str, ...]) -> bool:
    return not agencies or ref.agency_code in agencies


def _is_whole(body: bytes) -> bool:
    """Whether a page that began as a whole document has its end; one without is worth another try."""
    return b"<html" not in body[:2048].lower() or b"</html" in body[-2048:].lower()


def _is_blocked(body: bytes) -> bool:
    """Whether a body is a firewall's, a login's or an error's page; those are small, so a record is not read twice."""
    if len(body) >= _LARGEST_BLOCK_PAGE:
        return False
    page = parse_page(body)
    leads_on = any("pid=" in link or "selDEP=" in link or "project_id=" in link for link in page.links)
    return page.verdict == "blocked" and not leads_on  # a menu of the portal holds no record either


def _has_no_record(page: SpooledPage) -> bool:
    return page.error is None and (page.http_status in (404, 410) or page.verdict in ("not_found", "empty"))


def _first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
