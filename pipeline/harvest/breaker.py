"""The circuit breaker: distinguishes a portal that is down from single broken pages, and pauses or ends the harvest."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from pipeline.errors import PortalError
from pipeline.harvest.client_state import KNOWN_GOOD_PAGES, RequestStats
from pipeline.harvest.rate_limit import Limiter
from pipeline.settings import Settings

_EVERY_NTH: Final = 64  # of the pages that come whole replaces the oldest of the known good ones


class PortalDownError(PortalError):
    """The portal failed so often in a row that the harvest gives up for now."""


class CircuitBreaker:
    """Counts failures in a row. Too many: is the portal down, or are only these pages broken?

    A page that came earlier is requested again. If it comes, the portal is well. If not, or before any page has come,
    the whole harvest pauses; after too many pauses it gives up.
    """

    def __init__(self, settings: Settings, limiter: Limiter, stats: RequestStats, good_pages: tuple[str, ...]) -> None:
        self._settings = settings
        self._limiter = limiter
        self._stats = stats
        self._failures = 0
        self._pauses = 0
        self._down: str | None = None
        self._closed = asyncio.Event()
        self._closed.set()
        # several, requested in turn, so that none is requested again and again
        self._good_pages: deque[str] = deque(good_pages, maxlen=KNOWN_GOOD_PAGES)

    @property
    def good_pages(self) -> tuple[str, ...]:
        """Addresses of pages that were fetched whole."""
        return tuple(self._good_pages)

    @property
    def is_open(self) -> bool:
        """True while no page may be requested: the portal is being tested, or it is down."""
        return not self._closed.is_set() or self._down is not None

    async def wait_until_closed(self) -> None:
        """Wait until pages may be requested. Raises PortalDownError when the portal is down."""
        await self._closed.wait()
        if self._down:
            raise PortalDownError(self._down)

    def record_success(self, page: str | None) -> None:
        """The portal answers; page: the address of a whole page that has just come, if it was one."""
        self._failures = self._pauses = 0
        if page and (len(self._good_pages) < KNOWN_GOOD_PAGES or self._stats.requests % _EVERY_NTH == 0):
            self._good_pages.append(page)

    async def record_failure(self, why: str, answers: Callable[[str], Awaitable[bool]]) -> None:
        """Count a failure; answers: requests a page and says whether it comes.

        Raises PortalDownError when it is one too many.
        """
        self._failures += 1
        if self._failures < self._settings.breaker_failures:
            return
        if self.is_open:  # an earlier failure already has the portal tested
            await self.wait_until_closed()
            return
        self._closed.clear()
        try:
            await self._test_portal(why, answers)
        finally:
            self._closed.set()

    async def _test_portal(self, why: str, answers: Callable[[str], Awaitable[bool]]) -> None:
        """Return when pages may be requested again. Raises PortalDownError when the portal is down."""
        if await self._good_page_comes(answers):
            return
        while self._pauses < self._settings.breaker_pauses:
            self._pauses += 1
            self._stats.pauses += 1
            await self._limiter.pause(self._settings.breaker_pause)
            await asyncio.sleep(self._settings.breaker_pause)
            if not self._good_pages:  # no page has come yet that could be tried: the next one decides
                self._failures = self._settings.breaker_failures - 1
                return
            if await self._good_page_comes(answers):
                self._pauses = 0
                return
        self._down = (
            f"the portal failed {self._failures} times in a row and did not come back after {self._pauses} pauses of "
            f"{self._settings.breaker_pause:g} s (last: {why}); try again later: what was fetched is kept and the "
            "next start goes on from there"
        )
        raise PortalDownError(self._down)

    async def _good_page_comes(self, answers: Callable[[str], Awaitable[bool]]) -> bool:
        if not self._good_pages:
            return False
        page = self._good_pages[0]
        self._good_pages.rotate(-1)
        if await answers(page):
            self._failures = 0
            return True
        return False
