"""Fetching and parsing a batch: what a worker does, in this process or on another machine."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

from parsers import ParsedPage
from pipeline.harvest.client import PortalClient, Sleep
from pipeline.harvest.discovery import pages_found
from pipeline.harvest.portal import PageRef, discover, older_copy
from pipeline.harvest.reading import PageJudge
from pipeline.harvest.spool import SpooledPage
from pipeline.settings import Settings

SavePage = Callable[[SpooledPage, list[PageRef]], None]
"""Saves one page and the pages its links lead to."""

_PAGES_PER_REQUEST: Final = 2  # the client limits the requests under way; the next pages wait for their turn there


@dataclass(slots=True)
class FetchTask:
    """One page to fetch.

    etag, last_modified: of the stored bytes; record_sha256: of the bytes that this version of the parser has read already
    try_older: request the older copy where this address has no record
    given_up: the hash of bytes that this version of the parser gave up, and its words
    """

    ref: PageRef
    etag: str | None = None
    last_modified: str | None = None
    record_sha256: str | None = None
    try_older: bool = False
    given_up: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """The options for all pages of a harvest. agencies: follow links to these only; empty: to all"""

    settings: Settings
    follow_links: bool = True
    agencies: tuple[str, ...] = ()


async def fetch_pages(
    next_task: Callable[[], FetchTask | None],
    client: PortalClient,
    options: FetchOptions,
    save: SavePage,
) -> None:
    """Fetch, parse and save pages, several at once; what was saved before an error stays.

    A page that waits for another try gives its place to the next one, so that no page waits for a slow one.

    next_task: the next page; None where there is none, or none before another page is saved
    """
    places = asyncio.Semaphore(_PAGES_PER_REQUEST * options.settings.concurrency)
    under_way: set[asyncio.Task[None]] = set()

    async def wait_aside(seconds: float) -> None:
        places.release()
        await asyncio.sleep(seconds)
        await places.acquire()

    async def fetch(task: FetchTask) -> None:
        save(*await _fetch_page(client, task, options, wait_aside))
        places.release()

    try:
        async with asyncio.TaskGroup() as pages:
            while True:
                await places.acquire()
                while (task := next_task()) is None and under_way:
                    await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                if task is None:
                    return
                page = pages.create_task(fetch(task))
                under_way.add(page)
                page.add_done_callback(under_way.discard)
    except BaseExceptionGroup as group:
        raise _first_error(group) from None


async def _fetch_page(
    client: PortalClient, task: FetchTask, options: FetchOptions, sleep: Sleep
) -> tuple[SpooledPage, list[PageRef]]:
    """Fetch and parse a page, unless its bytes are already known; returns it and the pages it links to."""
    ref, portal = task.ref, options.settings.portal
    judge = PageJudge(ref, portal, task.record_sha256, task.given_up)
    fetched = await client.fetch(
        ref.url, etag=task.etag, last_modified=task.last_modified, judge=judge.verdict, sleep=sleep
    )
    page, parsed = judge.page(fetched)
    if task.try_older and page.has_no_record and (older := older_copy(ref)):
        judge = PageJudge(older, portal, task.record_sha256, task.given_up)
        fetched_older = await client.fetch(older.url, judge=judge.verdict, sleep=sleep)
        other, parsed_older = judge.page(fetched_older)
        if not other.has_no_record and not other.error:
            page, parsed, fetched = other, parsed_older, fetched_older
    found = _links(page, parsed, fetched.final_url, options) if parsed and options.follow_links else []
    return page, found


def _links(page: SpooledPage, parsed: ParsedPage, base: str, options: FetchOptions) -> list[PageRef]:
    """The pages that a page leads to, of the chosen agencies; base: the address it was served from."""
    portal, agencies = options.settings.portal, options.agencies
    found = pages_found(parsed, base, portal, is_menu=page.kind == "start")
    if page.kind != "project":
        return [link for link in found if _is_wanted(link, agencies)]
    if page.tables is not None and (kpis := page.tables["project_kpis"]):
        indicator = urljoin(page.url, "mykpi.php?pid=")  # indicators the page names without a link
        found += discover([f"{indicator}{row['kpi_code']}" for row in kpis], page.url, portal)
    return [link for link in found if link.kind == "kpi" or _is_wanted(link, agencies)]


def _is_wanted(ref: PageRef, agencies: tuple[str, ...]) -> bool:
    return not agencies or ref.agency_code in agencies


def _first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
