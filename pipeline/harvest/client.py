"""The polite HTTP client: one rate, retries, robots.txt and the circuit breaker in one place. Only it uses httpx."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote, urljoin, urlsplit

import httpx

from pipeline.errors import BmaProgressError, error_text
from pipeline.harvest.bounded_parser import PARSED_HERE
from pipeline.harvest.breaker import CircuitBreaker
from pipeline.harvest.client_state import ClientState, RequestStats
from pipeline.harvest.connections import Answer, Header
from pipeline.harvest.fetched import ErrorKind, Fetched, NoUsableAnswerError
from pipeline.harvest.portal import same_portal
from pipeline.harvest.rate_limit import Limiter, RateLimiter, SendSlot
from pipeline.harvest.reading import verdict_of
from pipeline.harvest.retry_delay import backoff, in_words, retry_after
from pipeline.harvest.robots import MOST_BYTES, RobotsRules, robots_rules
from pipeline.harvest.transport import Connections, address_of, explain, leads_inside, request_headers
from pipeline.settings import Settings

Sleep = Callable[[float], Awaitable[object]]
"""Waits for so many seconds."""

Headers = tuple[Header, ...]

Judge = Callable[[Fetched], str | None]
"""Gives the parser's verdict on an answer with a body; None where there is none, as of the menu's page."""

_PAGE_STATUSES: Final = (200, 203)
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_MAX_REDIRECTS: Final = 5  # RFC 9309 asks for five; more is a loop
_TEMPORARY_STATUSES: Final = frozenset((408, 425, 429, 500, 502, 503, 504, 507, 520, 521, 522, 523, 524))
_REFUSALS: Final = frozenset((401, 403, 407, 451))
_INTERVAL_MARGIN: Final = 1.02  # so that a server that is late with one request still sees a whole interval
_MOST_COOKIES: Final = 50  # a portal that sets more floods us
_ASCII: Final = bytes(range(33, 127))
_PAGES_WITHOUT_END: Final = 3  # pages without an end after all tries; then the portal's pages are taken to have none


def _is_whole(body: bytes) -> bool:
    """False for a page that began as a whole document and has no end: it is worth another try."""
    return b"<html" not in body[:2048].lower() or b"</html" in body[-2048:].lower()


class PortalClient:
    """An asynchronous client for one portal; use it as `async with PortalClient(settings, limiter) as client`.

    limiter: shared by all harvests of this host, so that together they keep one rate; on one machine, a file
    is_complete: True for a body that has its end; a page without its end is tried again
    judge: the parser's verdict on an answer. A blocked page is tried again, and the breaker counts it: where only such
        pages come, the portal does not let the harvest in
    state: of an earlier client for the same portal

    Raises PortalError for certificates that cannot be read, SettingsError for a proxy that cannot be used, and on entry
    PortalError where robots.txt could not be read.
    """

    def __init__(
        self,
        settings: Settings,
        limiter: Path | Limiter,
        *,
        is_complete: Callable[[bytes], bool] = _is_whole,
        judge: Judge = verdict_of,
        state: ClientState | None = None,
    ) -> None:
        self._settings = settings
        self._is_complete = is_complete
        self._judge = judge
        self._headers = request_headers(settings)
        self._connections = Connections(settings)
        self._cookies = httpx.Cookies()  # kept in memory, and forgotten with the client
        if isinstance(limiter, Path):
            longest_pause = max(3600.0, settings.max_retry_after, settings.breaker_pause)
            limiter = RateLimiter(limiter, 1.0, longest_pause=longest_pause)
        limiter.interval = _INTERVAL_MARGIN / settings.rate
        self._limiter = limiter
        self._queue = asyncio.Lock()
        self._under_way = asyncio.Semaphore(settings.concurrency)
        self.stats = RequestStats()
        state = state or ClientState()
        self._breaker = CircuitBreaker(settings, limiter, self.stats, state.good_pages)
        self._ends_seen = state.ends_seen
        self._ends_missed = state.ends_missed
        self._stalled: set[str] = set()
        self._robots: RobotsRules | None = None
        self._robots_lock = asyncio.Lock()
        if state.robots is not None:
            self._obey(RobotsRules(state.robots, state.robots_age))

    async def __aenter__(self) -> Self:
        try:
            await self._read_robots()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connections.close()
        self._limiter.close()

    @property
    def interval(self) -> float:
        """Seconds between two requests: the setting's, or what robots.txt asks where that is slower."""
        return self._limiter.interval

    @property
    def robots(self) -> RobotsRules | None:
        """The rules of robots.txt; None where it is not to be obeyed."""
        return self._robots

    async def state(self) -> ClientState:
        """What is known of the portal so far; robots.txt is read again where it is a day old."""
        await self._read_robots()
        text, age = (self._robots.text, self._robots.age) if self._robots else (None, 0.0)
        return ClientState(text, age, self._ends_seen, self._ends_missed, self._breaker.good_pages)

    @property
    def remarks(self) -> list[str]:
        """What an operator should know of how the portal was asked, one sentence each."""
        remarks = []
        if self._robots and self._robots.interval > self._settings.max_crawl_delay:
            message = (
                f"robots.txt asks for {self._robots.interval:,.0f} s between two requests; the harvest kept to "
                f"{self._settings.max_crawl_delay:g} s, the setting max_crawl_delay."
            )
            remarks.append(message)
        if self.stats.longest_retry_after > self._settings.max_retry_after:
            message = (
                f"The portal asked for a pause of {in_words(self.stats.longest_retry_after)} (Retry-After), more than the "
                "setting max_retry_after: those pages were left for the end of the night, or for the next one."
            )
            remarks.append(message)
        return remarks

    async def fetch(
        self,
        url: str,
        *,
        etag: str | None = None,
        last_modified: str | None = None,
        judge: Judge | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> Fetched:
        """Fetch one page politely, with retries for temporary failures.

        etag, last_modified: validators of the bytes already stored; the server may then answer 304
        judge: in place of the client's own; sleep: waits for so many seconds before another try
        Raises PortalDownError when the portal is down, OutsideVisitTimeError outside the hours robots.txt allows.
        """
        portal = self._settings.portal
        if not url.startswith(f"{portal}/") and not same_portal(url, portal):  # such as one in a store from elsewhere
            return NoUsableAnswerError("redirect", f"no address of the portal: {url[:80]}").as_fetched(url, 0)
        await self._read_robots()
        if self._robots:
            self._robots.check_visit_time()
            if not self._robots.allows(url):
                return NoUsableAnswerError("robots", "robots.txt forbids this page").as_fetched(url, 0)
        validators: list[Header] = []
        for name, value in ((b"If-None-Match", etag), (b"If-Modified-Since", last_modified)):
            # what is no ASCII cannot be sent back byte for byte; the page then comes whole
            if value and value.isascii() and value.isprintable():
                validators.append((name, value.encode()))
        return await self._fetch(url, (*self._headers, *validators), judge or self._judge, sleep)

    # --- tries --------------------------------------------------------------------------------------------------------

    async def _fetch(self, url: str, headers: Headers, judge: Judge | None, sleep: Sleep = asyncio.sleep) -> Fetched:
        """Fetch an address with retries. judge: None for robots.txt, which is no page of the portal"""
        settings = self._settings
        for attempt in range(1, settings.retries + 2):
            answer = await self._try_when_allowed(url, headers, attempt, is_page=bool(judge))
            fetched = await self._checked(answer, judge)
            asked = retry_after(fetched.headers) if fetched.error_kind == "status" else 0.0
            self.stats.longest_retry_after = max(self.stats.longest_retry_after, asked)
            if asked > settings.max_retry_after:
                fetched = replace(fetched, error=f"{fetched.error}, and not to be asked again for {in_words(asked)}")
            elif asked:
                await self._limiter.pause(asked)  # the portal asks the whole harvest to wait, not only this page
            is_last = attempt > settings.retries or asked > settings.max_retry_after or not _is_worth_a_retry(fetched)
            if _may_mean_outage(fetched):
                await self._breaker.record_failure(str(fetched.error), self._page_comes)
            else:
                is_good = fetched.verdict == "ok" and not fetched.incomplete
                self._breaker.record_success(url if is_good else None)
            if is_last:
                return fetched
            if judge and fetched.error_kind == "timeout":
                # each try takes a whole time-out: two in the night, then one in each further pass
                if url in self._stalled:
                    return fetched
                self._stalled.add(url)
            self.stats.retries += 1
            await sleep(backoff(settings.backoff, attempt))
        raise AssertionError("unreachable")

    async def _try_when_allowed(self, url: str, headers: Headers, attempt: int, *, is_page: bool) -> Fetched:
        while True:
            await self._breaker.wait_until_closed()
            async with self._under_way:
                if not self._breaker.is_open:  # it may have opened while this page waited
                    return await self._try(url, headers, attempt, is_page=is_page)

    async def _page_comes(self, url: str) -> bool:
        """True where a page that was fetched before can be fetched again."""
        async with self._under_way:
            return not _may_mean_outage(await self._checked(await self._try(url, self._headers, 1), self._judge))

    async def _try(self, url: str, headers: Headers, attempt: int, *, is_page: bool = True) -> Fetched:
        try:
            async with asyncio.timeout(None) as deadline:
                return await self._request(url, headers, attempt, deadline, is_page=is_page)
        except NoUsableAnswerError as known:
            failure = known
        except TimeoutError:
            failure = NoUsableAnswerError("timeout", f"no whole page within {self._settings.page_timeout:g} s")
        except (httpx.InvalidURL, httpx.TransportError, OSError) as error:
            failure = NoUsableAnswerError(*explain(error, self._settings))
        except BmaProgressError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a server sends costs this page, never the harvest
            why = f"the answer cannot be read ({type(error).__name__}: {error_text(error)})"
            failure = NoUsableAnswerError("transport", why)
        return failure.as_fetched(url, attempt)

    async def _request(
        self, url: str, headers: Headers, attempt: int, deadline: asyncio.Timeout, *, is_page: bool
    ) -> Fetched:
        """One request and its redirects."""
        target = url
        for _ in range(_MAX_REDIRECTS + 1):
            answer = await self._send(target, headers, deadline)
            location = answer.headers.get("location") if answer.status in _REDIRECTS else None
            if location or self._cookies:
                self._keep_cookies(target, answer)
            if not location:
                break
            target = await self._redirected(target, location, answer, is_page=is_page)
        else:
            raise NoUsableAnswerError(
                "redirect", f"more than {_MAX_REDIRECTS} redirects", answer.status, answer.headers
            )
        limit = self._settings.max_page_bytes if is_page else MOST_BYTES
        body, wire_bytes = await answer.body(limit, beginning_only=not is_page)
        self.stats.wire_bytes += wire_bytes
        incomplete = is_page and answer.status in _PAGE_STATUSES and not self._is_complete(body)
        if incomplete and self._ends_matter:
            answer.connection.close()  # where the server miscounts, the rest would be read as the next answer
        error, kind = _status_error(answer.status, conditional=headers != self._headers)
        sent_at = (deadline.when() or 0.0) - self._settings.page_timeout
        return Fetched(
            url=url,
            final_url=target,
            status=answer.status,
            headers=answer.headers,
            body=body,
            sha256=hashlib.sha256(body).hexdigest(),
            fetched_at=datetime.now(UTC),
            attempts=attempt,
            error=error,
            error_kind=kind,
            incomplete=incomplete,
            not_modified=answer.status == 304 and error is None,
            wire_bytes=wire_bytes,
            seconds=asyncio.get_running_loop().time() - sent_at,
        )

    async def _redirected(self, before: str, location: str, answer: Answer, *, is_page: bool) -> str:
        """The address that a redirect leads to. Raises NoUsableAnswerError where it is not to be followed."""
        target = _joined(before, location)
        try:
            if _scheme(before) == "https" and _scheme(target) == "http":
                raise NoUsableAnswerError(
                    "redirect", "redirected from https to http, where anyone in between can alter a page",
                    answer.status, answer.headers,
                )  # fmt: skip
            if is_page:
                self._check_redirect(target, answer.status, answer.headers)
            else:  # the rules of a robots.txt elsewhere hold for the portal all the same (RFC 9309, 2.3.1.2)
                await self._check_way_out(target, answer.status, answer.headers)
            await answer.skip_body()
        finally:
            answer.connection.finish()
        return target

    def _keep_cookies(self, target: str, answer: Answer) -> None:
        """Keep what an answer sets; of a page that comes without cookies it is not needed, and a session may mix up pages."""
        request = httpx.Request("GET", target)
        self._cookies.extract_cookies(httpx.Response(answer.status, headers=list(answer.raw_headers), request=request))
        if len(self._cookies.jar) > _MOST_COOKIES:
            self._cookies.clear()

    async def _send(self, target: str, headers: Headers, deadline: asyncio.Timeout) -> Answer:
        """Send one request when its slot comes; returns the answer, whose body is not read yet."""
        slot = SendSlot(self._queue, self._limiter, deadline, self._settings.page_timeout)
        if self._cookies:
            request = httpx.Request("GET", target)
            self._cookies.set_cookie_header(request)
            headers = (*headers, *((name, value) for name, value in request.headers.raw if name.lower() == b"cookie"))
        deadline.reschedule(None)  # waiting for a slot does not count as the page's time
        try:
            await slot.wait()
            self.stats.requests += 1
            address = address_of(target)
            connection = self._connections.idle(address.origin) or await self._connections.opened(address, slot)
            return await connection.get(address, headers, slot)
        except BaseException as error:
            try:
                if isinstance(error, httpx.TransportError):  # an attempt that did not get through counts as one
                    await self._limiter.pause(self._limiter.interval)
            finally:
                slot.leave()
            raise

    def _check_redirect(self, target: str, status: int, headers: dict[str, str]) -> None:
        if not same_portal(target, self._settings.portal):
            raise NoUsableAnswerError("redirect", f"redirected off the portal, to {target[:80]}", status, headers)
        if self._robots and not self._robots.allows(target):
            raise NoUsableAnswerError("robots", "redirected to a page that robots.txt forbids", status, headers)

    async def _check_way_out(self, target: str, status: int, headers: dict[str, str]) -> None:
        """Refuse a redirect of a public portal's robots.txt to a machine of the network we stand in."""
        portal = self._settings.portal
        if not same_portal(target, portal) and await leads_inside(target) and not await leads_inside(portal):
            raise NoUsableAnswerError("redirect", f"redirected into our own network, to {target[:80]}", status, headers)

    # --- whole and blocked pages ---------------------------------------------------------------------------------------

    @property
    def _ends_matter(self) -> bool:
        """True where a missing end means a cut page: some page of this portal had an end, or too few were seen yet."""
        return self._ends_seen or self._ends_missed < _PAGES_WITHOUT_END

    async def _checked(self, fetched: Fetched, judge: Judge | None) -> Fetched:
        """Mark a page of status 200 with its verdict, and as complete where this portal's pages have no end."""
        if judge is None or fetched.status not in _PAGE_STATUSES or fetched.error is not None:
            return fetched
        if not fetched.body:
            return replace(fetched, error="an answer without a body", error_kind="truncated")
        if len(fetched.body) > PARSED_HERE:  # it takes long, and other pages are not to wait for it
            verdict = await asyncio.to_thread(judge, fetched)
        else:
            verdict = judge(fetched)
        fetched = replace(fetched, verdict=verdict)
        if fetched.verdict == "blocked":
            return replace(fetched, error="a page that keeps us out, under status 200", error_kind="blocked")
        if not fetched.incomplete:
            self._ends_seen = True
        elif self._ends_matter:
            self._ends_missed += fetched.attempts > self._settings.retries
        else:
            fetched = replace(fetched, incomplete=False)
        return fetched

    # --- robots.txt ---------------------------------------------------------------------------------------------------

    async def _read_robots(self) -> None:
        """Read robots.txt where it is to be obeyed, and was not read within the last day."""
        if not self._settings.robots or (self._robots and not self._robots.is_outdated):
            return
        async with self._robots_lock:
            if self._robots and not self._robots.is_outdated:  # another task has read it meanwhile
                return
            self._robots = None
            url = urljoin(f"{self._settings.portal}/", "/robots.txt")
            self._obey(robots_rules(await self._fetch(url, self._headers, None)))

    def _obey(self, rules: RobotsRules) -> None:
        asked = min(rules.interval, self._settings.max_crawl_delay)
        self._limiter.interval = _INTERVAL_MARGIN * max(1 / self._settings.rate, asked)
        self._robots = rules


def _status_error(status: int, *, conditional: bool) -> tuple[str | None, ErrorKind | None]:
    """The error that a status means, and its kind; both None for an answer about the page.

    conditional: validators were sent, so that 304 is an answer
    """
    if status in (*_PAGE_STATUSES, 404, 410) or (status == 304 and conditional):
        return None, None
    if status == 407:
        return "HTTP status 407: the proxy wants a name and a password", "blocked"
    return f"HTTP status {status}", "blocked" if status in _REFUSALS else "status"


def _may_mean_outage(fetched: Fetched) -> bool:
    """True where an answer, or the lack of one, may mean that the portal is down or refuses the harvest."""
    if fetched.error_kind == "status":
        return fetched.status in _TEMPORARY_STATUSES
    return fetched.error_kind not in (None, "too_large", "robots")


def _is_worth_a_retry(fetched: Fetched) -> bool:
    if fetched.error_kind == "status":
        return fetched.status in _TEMPORARY_STATUSES
    if fetched.error_kind == "blocked":
        return fetched.status in _PAGE_STATUSES  # a refusal by status is meant; a firewall's page comes and goes
    return fetched.incomplete or fetched.error_kind in ("timeout", "transport", "truncated")


def _joined(target: str, location: str) -> str:
    """The address that a redirect leads to, without a name and a password in it, which are not sent."""
    try:
        address = urlsplit(urljoin(target, quote(location.strip(), _ASCII, "latin-1")))  # what is no ASCII, as it came
        return address._replace(netloc=address.netloc.rpartition("@")[2], fragment="").geturl()
    except ValueError:  # brackets that are no IPv6 address
        return location


def _scheme(address: str) -> str:
    return address.partition(":")[0].lower()
