"""A first look at a portal, which commits nothing: robots.txt, menus, some lists and pages, and what to do next."""

import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.errors import PortalError, not_writable
from pipeline.harvest.breaker import PortalDownError
from pipeline.harvest.client import PortalClient
from pipeline.harvest.discovery import pages_found
from pipeline.harvest.portal import (
    LISTS,
    PageRef,
    city_indicator_ref,
    code_ref,
    list_ref,
    start_refs,
    yii_ref,
)
from pipeline.harvest.probe_advice import advice
from pipeline.harvest.probe_result import Probe, ProbedPage
from pipeline.harvest.reading import PageJudge, parser_failed
from pipeline.harvest.sample import spread
from pipeline.schema.agencies import agencies
from pipeline.schema.page_kinds import RECORD_KINDS
from pipeline.settings import Settings

DOCUMENT: Final = "probe.json"
_MENUS: Final = 8  # at most: the first, its frames, and some that it links to
_LISTS: Final = 8  # beside the pages: they only show whether lists lead to pages
_LONGEST: Final = 280.0  # seconds after which no further page is requested: the answer is wanted within five minutes
_SETTINGS: Final = {"retries": 1, "backoff": 1.0, "page_timeout": 30.0, "breaker_failures": 12, "breaker_pauses": 0}
"""How a look differs from a harvest: a page that does not come is an answer, too."""
_REAL_CODES: Final = ("24000000-2964", "50460000-3697", "2400-1013", "5004-0852", "0900-2017")
"""Codes of real pages: an address with a code answers, whether anything links to it or not."""


async def probe(settings: Settings, count: int, out: Path | None = None) -> Probe:
    """Look at a portal; out: folder for the bytes of the pages and the result as JSON.

    Raises PortalError where robots.txt could not be read, BmaProgressError where the folder cannot be written.
    """
    if out:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise not_writable(out, error) from None
    look = _Look(settings.changed(**_SETTINGS), count, out)
    with tempfile.TemporaryDirectory() as folder:
        async with PortalClient(look.settings, Path(folder) / "rate") as client:
            result = await look.run(client)
    if out:
        (out / DOCUMENT).write_bytes(orjson.dumps(result.document(), option=orjson.OPT_INDENT_2))
    return result


class _Look:
    """A look under way: which pages were found, which were read."""

    def __init__(self, settings: Settings, count: int, out: Path | None) -> None:
        self.settings = settings
        self._count = count
        self._out = out
        self._began = time.monotonic()
        self._found: dict[str, PageRef] = {}
        self._linked: dict[str, str] = {}
        self._read: dict[str, ProbedPage] = {}

    async def run(self, client: PortalClient) -> Probe:
        portal, stopped = self.settings.portal, None
        try:
            await self._look_around(client)
        except PortalDownError:
            stopped = f"{_SETTINGS['breaker_failures']} requests in a row failed"
        except PortalError as error:
            stopped = str(error)
        menus, lists, pages = (self._pages(*kinds) for kinds in (("start",), ("result_list",), RECORD_KINDS))
        robots = client.robots.in_words(portal, client.interval) if client.robots else ["robots.txt was not read."]
        linked = Counter(self._linked.values())
        is_good, sentences = advice(self.settings, [*menus, *lists, *pages], linked, client.interval, stopped)
        seconds = round(time.monotonic() - self._began, 1)
        return Probe(portal, robots, menus, lists, pages, dict(linked), seconds, stopped, is_good, sentences)

    async def _look_around(self, client: PortalClient) -> None:
        portal = self.settings.portal
        for ref in start_refs(portal):
            await self._look_at(client, ref)
        while len(self._pages("start")) < _MENUS and (menu := next(iter(self._waiting("start")), None)):
            await self._look_at(client, menu)
        for ref in self._some_lists():
            await self._look_at(client, ref)
        kinds = set(self._linked.values())
        self._found.update((ref.page_key, ref) for ref in _real_pages(portal) if ref.kind not in kinds)
        while len(self._pages(*RECORD_KINDS)) < self._count and (chosen := self._next_page()):
            await self._look_at(client, chosen)

    def _pages(self, *kinds: str) -> list[ProbedPage]:
        return [page for page in self._read.values() if page.kind in kinds]

    def _waiting(self, *kinds: str) -> Iterable[PageRef]:
        return (ref for key, ref in self._found.items() if ref.kind in kinds and key not in self._read)

    def _some_lists(self) -> list[PageRef]:
        """Lists of agencies far from each other, those that menus lead to first; each time another kind of list."""
        known = [one.agency_code for one in agencies() if one.name_th]
        spread = known[:: max(1, len(known) // _LISTS)]
        linked = list(self._waiting("result_list"))
        far = linked[:: max(1, 2 * len(linked) // _LISTS)][: _LISTS // 2]
        lists = [list_ref(self.settings.portal, name, code) for code, name in zip(spread, cycle(LISTS), strict=False)]
        return list({ref.page_key: ref for ref in (*far, *lists)}.values())[:_LISTS]

    def _next_page(self) -> PageRef | None:
        """The page that differs most from those read, by kind and by agency."""
        read = [self._found[key] for key, page in self._read.items() if page.kind in RECORD_KINDS]
        return next(iter(spread(self._waiting(*RECORD_KINDS), read)), None)

    async def _look_at(self, client: PortalClient, ref: PageRef) -> None:
        if time.monotonic() - self._began > _LONGEST:
            raise PortalError(
                "the portal is too slow for a look of five minutes; try again later with a smaller --count"
            )
        judge = PageJudge(ref, self.settings.portal)
        fetched = await client.fetch(ref.url, judge=judge.verdict)
        parsed = judge.parsed(fetched) if fetched.body else None
        page: dict[str, Any] = {"verdict": None, "shows": None, "encoding": None}
        error = fetched.error
        if isinstance(parsed, Exception):
            error = error or parser_failed(parsed)
        elif parsed is not None:
            found = pages_found(parsed, fetched.final_url, self.settings.portal, is_menu=ref.kind == "start")
            for one in found:
                self._found.setdefault(one.page_key, one)
                if ref.kind in ("start", "result_list"):
                    self._linked.setdefault(one.page_key, one.kind)
            year = next((row["fiscal_year_be"] for row in parsed.tables.get("projects", ())), None)
            page = {
                "verdict": parsed.verdict if ref.kind != "start" or fetched.error_kind == "blocked" else None,
                "shows": parsed.kind,
                "encoding": parsed.encoding,
                "fiscal_year_be": year,
                "findings": [] if ref.kind == "start" else [dict(finding) for finding in parsed.findings],
                "unclaimed": [] if ref.kind == "start" else parsed.unclaimed,
                "links": dict(Counter(one.kind for one in found if one.page_key != ref.page_key)),
            }
        self._found.setdefault(ref.page_key, ref)
        self._read[ref.page_key] = ProbedPage(
            kind=ref.kind,
            code=ref.code,
            url=ref.url,
            http_status=fetched.status,
            error=error,
            bytes=len(fetched.body),
            seconds=round(fetched.seconds, 2),
            file=self._keep(ref, fetched.body),
            **page,
        )

    def _keep(self, ref: PageRef, body: bytes) -> str | None:
        """Keep the bytes of a page for `bma-progress parse`."""
        if self._out is None or not body:
            return None
        name = f"{len(self._read) + 1:02d}-{ref.kind}{f'-{ref.code}' if ref.code else ''}.html"
        (self._out / name).write_bytes(body)
        return name


def _real_pages(portal: str) -> list[PageRef]:
    refs = [code_ref(code, portal) for code in _REAL_CODES]
    return [*(ref for ref in refs if ref), city_indicator_ref(portal, "87"), yii_ref(portal, "50460000-3697")]
