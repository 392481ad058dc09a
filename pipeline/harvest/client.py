"""The polite HTTP client. Rate, retries, robots.txt and the circuit breaker live here and nowhere else."""

import asyncio
import hashlib
import random
import socket
import ssl
import time
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Literal, Self
from urllib.parse import urljoin

import httpcore
import httpx
from protego import Protego

from pipeline.errors import PortalError
from pipeline.harvest.portal import same_portal
from pipeline.harvest.rate_limit import Clock, RateLimiter
from pipeline.harvest.transport import AsyncioBackend
from pipeline.settings import Settings

ErrorKind = Literal[
    "timeout", "transport", "truncated", "status", "blocked", "certificate", "redirect", "too_large", "robots"
]
"""Why there is no usable answer. The first three and some statuses may pass and are tried again; the others will not."""

KEPT_HEADERS: Final = frozenset(
    "content-type content-encoding content-length date etag last-modified location retry-after server".split()
)
"""The headers of an answer that matter as evidence."""

_MAY_PASS: Final = frozenset((408, 425, 429, 500, 502, 503, 504, 507, 520, 521, 522, 523, 524))
_REFUSED: Final = frozenset((401, 403, 407, 451))
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_MAX_REDIRECTS: Final = 5  # RFC 9309 asks for five; more is a loop
_CODINGS: Final = {"": False, "identity": False, "gzip": True, "x-gzip": True, "deflate": True}
_ROBOTS_NAME: Final = "bma-progress"
_ROBOTS_BYTES: Final = 512_000  # RFC 9309 asks crawlers to read at least 500 KiB
_ROBOTS_SECONDS: Final = 86_400  # and not to trust a copy for more than a day
_LONGEST_BACKOFF: Final = 60.0
_KEEPALIVE: Final = 4.0  # Apache closes an idle connection after 5 s; asking just then would fail
_EVENNESS: Final = 1.02  # so that a server that is late with one request still sees a whole interval
_PATIENCE_WITHOUT_END: Final = 3
_GOOD_PAGES: Final = 16
_SHA256_OF_NOTHING: Final = hashlib.sha256(b"").hexdigest()
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class PortalDownError(PortalError):
    """The portal failed so often running that the harvest gives up for now."""


class OutsideVisitTimeError(PortalError):
    """robots.txt allows no visit at this hour."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of one page. A failure is a result, not an exception.

    url: as asked; final_url: after redirects; body: the entity's bytes, content encodings undone; sha256: of body, hex
    headers: KEPT_HEADERS, as sent, names in lower case; wire_bytes: length of the body as it travelled
    fetched_at: UTC, when the answer was whole; attempts: tries made, each one request and its redirects
    error: None, or why there is no usable answer; cut: an answer whose end never came, kept for what it says
    """

    url: str
    final_url: str
    status: int | None
    headers: Mapping[str, str]
    body: bytes
    sha256: str
    fetched_at: datetime
    attempts: int
    error: str | None = None
    error_kind: ErrorKind | None = None
    cut: bool = False
    wire_bytes: int = 0

    @property
    def not_modified(self) -> bool:
        """Whether the server said that the page is as it was (304)."""
        return self.status == 304 and self.error is None


@dataclass(slots=True)
class RequestStats:
    """What the client has asked for so far: every request, also those for robots.txt and after redirects."""

    requests: int = 0
    retries: int = 0
    wire_bytes: int = 0
    pauses: int = 0


@dataclass(frozen=True, slots=True)
class ClientState:
    """What a client has learnt of a portal, so that another one need not learn it again.

    robots: robots.txt as read, b"" where there is none, None where it was not read; robots_age: seconds since then
    ends_seen, ends_missed: whether pages of this portal have an end that can be missing
    good: addresses of pages that came whole, to ask for when others fail
    """

    robots: bytes | None = None
    robots_age: float = 0.0
    ends_seen: bool = False
    ends_missed: int = 0
    good: tuple[str, ...] = ()

    def joined(self, other: "ClientState") -> "ClientState":
        """What two clients have learnt together; robots.txt as this one knows it."""
        return replace(
            self,
            ends_seen=self.ends_seen or other.ends_seen,
            ends_missed=max(self.ends_missed, other.ends_missed),
            good=(*self.good, *(page for page in other.good if page not in self.good))[-_GOOD_PAGES:],
        )


# --- a request's turn -------------------------------------------------------------------------------------------------


class _SendSlot:
    """One request's turn at the rate clock, followed through httpx's trace events.

    A slot counts from the moment the bytes leave. So a request first waits until a slot is free, then gets a
    connection, and takes the slot when that is there. Only one request is in this stretch at a time; one that has to
    open a new connection lets the others pass meanwhile.
    """

    __slots__ = ("_clock", "_deadline", "_line", "_mine", "_seconds")

    def __init__(self, line: asyncio.Lock, clock: Clock, deadline: asyncio.Timeout, seconds: float) -> None:
        self._line = line
        self._clock = clock
        self._deadline = deadline
        self._seconds = seconds
        self._mine = False

    async def wait(self) -> None:
        await self._line.acquire()
        self._mine = True
        while (due := await self._clock.due()) > 0:
            await asyncio.sleep(due)

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event == "http11.send_request_headers.started":
            if not self._mine:
                await self.wait()
            while (due := await self._clock.take()) > 0:  # another process was quicker
                await asyncio.sleep(due)
            self._deadline.reschedule(asyncio.get_running_loop().time() + self._seconds)
        elif event == "http11.send_request_headers.complete":
            await self._clock.hold(self._clock.interval)  # the interval counts from here, however late the bytes left
            self.leave()
        elif event == "connection.connect_tcp.started":
            self.leave()

    def leave(self) -> None:
        if self._mine:
            self._mine = False
            self._line.release()


# --- is the portal down? ----------------------------------------------------------------------------------------------


class _Breaker:
    """Counts failures running. Too many: is the portal down, or are only these pages broken?

    A page that came earlier is asked for again. If it comes, the portal is well. If not, or before any page has come,
    the whole harvest pauses; after too many pauses it gives up.
    """

    def __init__(self, settings: Settings, clock: Clock, traffic: RequestStats, good: tuple[str, ...]) -> None:
        self._settings = settings
        self._clock = clock
        self._traffic = traffic
        self._failures = 0
        self._pauses = 0
        self._down: str | None = None
        self._closed = asyncio.Event()  # as of a switch: all may pass
        self._closed.set()
        # several, asked in turn, so that none is asked again and again
        self._good: deque[str] = deque(good, maxlen=_GOOD_PAGES)

    @property
    def good(self) -> tuple[str, ...]:
        """Addresses of pages that came whole."""
        return tuple(self._good)

    @property
    def open(self) -> bool:
        """Whether nobody may ask now: it is being found out whether the portal is down, or it is."""
        return not self._closed.is_set() or self._down is not None

    async def admit(self) -> None:
        """Wait until asking is allowed. Raises PortalDownError when the portal is down."""
        await self._closed.wait()
        if self._down:
            raise PortalDownError(self._down)

    def answered(self, page: str | None) -> None:
        """The portal is well; page: the address of a whole page that has just come, if it was one."""
        self._failures = self._pauses = 0
        if page and (len(self._good) < _GOOD_PAGES or self._traffic.requests % 64 == 0):
            self._good.append(page)

    async def failed(self, why: str, answers: Callable[[str], Awaitable[bool]]) -> None:
        """Count a failure; answers: asks whether a page comes. Raises PortalDownError when it is one too many."""
        self._failures += 1
        if self._failures < self._settings.breaker_failures:
            return
        if self.open:  # an earlier failure is having this answered
            await self.admit()
            return
        self._closed.clear()
        try:
            await self._find_out(why, answers)
        finally:
            self._closed.set()

    async def _find_out(self, why: str, answers: Callable[[str], Awaitable[bool]]) -> None:
        """Return when the portal may be asked again. Raises PortalDownError when it is down."""
        if await self._good_page_comes(answers):
            return
        while self._pauses < self._settings.breaker_pauses:
            self._pauses += 1
            self._traffic.pauses += 1
            await self._clock.hold(self._settings.breaker_pause)
            await asyncio.sleep(self._settings.breaker_pause)
            if not self._good:  # no page has come yet that could be asked for: the next one decides
                self._failures = self._settings.breaker_failures - 1
                return
            if await self._good_page_comes(answers):
                self._pauses = 0
                return
        self._down = (
            f"the portal failed {self._failures} times running and did not come back after {self._pauses} pauses of "
            f"{self._settings.breaker_pause:g} s (last: {why}); try again later: what was fetched is kept and the "
            "next start goes on from there"
        )
        raise PortalDownError(self._down)

    async def _good_page_comes(self, answers: Callable[[str], Awaitable[bool]]) -> bool:
        if not self._good:
            return False
        page = self._good[0]
        self._good.rotate(-1)
        if await answers(page):
            self._failures = 0
            return True
        return False


# --- the client -------------------------------------------------------------------------------------------------------


class PortalClient:
    """An asynchronous client for one portal; use it as `async with PortalClient(settings, clock) as client`.

    clock: shared by everybody who harvests this host, so that together they keep one rate; a file does for one machine
    is_complete: says of a body whether its end is there; a page without is tried again
    is_blocked: says of a body whether it is a firewall's or a login page under status 200; the page is tried again,
        and the breaker counts it: a portal that shows nothing else keeps us out
    experience: of an earlier client for the same portal

    Raises PortalError on entry where robots.txt cannot be had.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Path | Clock,
        *,
        is_complete: Callable[[bytes], bool] = lambda body: True,
        is_blocked: Callable[[bytes], bool] = lambda body: False,
        experience: ClientState | None = None,
    ) -> None:
        self._settings = settings
        self._is_complete = is_complete
        self._is_blocked = is_blocked
        if isinstance(clock, Path):
            longest_hold = max(3600.0, settings.max_retry_after, settings.breaker_pause)
            clock = RateLimiter(clock, 1.0, longest_hold=longest_hold)
        clock.interval = _EVENNESS / settings.rate
        self._clock = clock
        self._line = asyncio.Lock()
        self._slots = asyncio.Semaphore(settings.concurrency)
        self.traffic = RequestStats()
        learnt = experience or ClientState()
        self._breaker = _Breaker(settings, self._clock, self.traffic, learnt.good)
        self._robots: Protego | None = None
        self._robots_body: bytes | None = None
        self._robots_read_at = 0.0
        self._robots_reading = asyncio.Lock()
        if learnt.robots is not None:
            self._obey(learnt.robots)
            self._robots_read_at = time.monotonic() - learnt.robots_age
        self._ends_seen = learnt.ends_seen
        self._ends_missed = learnt.ends_missed
        self.user_agent = user_agent(settings.contact)
        self._headers = httpx.Headers(
            {"User-Agent": self.user_agent, "Accept": "text/html,*/*;q=0.5", "Accept-Encoding": "gzip, deflate"}
        )
        # none for the pool: waiting for a connection is the semaphore's business
        self._timeouts = {
            "connect": settings.connect_timeout,
            "read": settings.read_timeout,
            "write": settings.read_timeout,
            "pool": None,
        }

    async def __aenter__(self) -> Self:
        # httpx's transport without its client: cookies, redirects and decoding are done here or not at all, and a page
        # costs a fifth less CPU.
        context = _trusted(self._settings.ca_file)
        self._http = httpx.AsyncHTTPTransport(verify=context)
        self._http._pool = httpcore.AsyncConnectionPool(  # httpx has no other way in for a backend of one's own
            ssl_context=context,
            max_connections=self._settings.concurrency,
            max_keepalive_connections=self._settings.concurrency,
            keepalive_expiry=_KEEPALIVE,
            network_backend=AsyncioBackend(),
        )
        try:
            if self._settings.robots:
                await self._refresh_robots()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()
        self._clock.close()

    @property
    def interval(self) -> float:
        """Seconds between two requests: the setting's, or what robots.txt asks where that is slower."""
        return self._clock.interval

    async def experience(self) -> ClientState:
        """What was learnt so far; robots.txt is read again where it is a day old."""
        if self._settings.robots:
            await self._refresh_robots()
        age = time.monotonic() - self._robots_read_at
        return ClientState(self._robots_body, age, self._ends_seen, self._ends_missed, self._breaker.good)

    async def fetch(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        """Fetch one page politely, with retries for what may pass.

        etag, last_modified: validators of the bytes at hand; the server may then answer 304
        Raises PortalDownError when the portal is down, OutsideVisitTimeError outside the hours robots.txt allows.
        """
        if self._settings.robots:
            await self._refresh_robots()
            if self._robots is not None:
                _check_visit_time(self._robots)
                if not self._robots.can_fetch(url, _ROBOTS_NAME):
                    return _failure(url, 0, "robots", "robots.txt forbids this page")
        headers = self._headers
        if etag or last_modified:
            headers = headers.copy()
            if etag:
                headers["If-None-Match"] = etag
            if last_modified:
                headers["If-Modified-Since"] = last_modified
        return await self._fetch(url, headers)

    async def _fetch(self, url: str, headers: httpx.Headers, *, is_page: bool = True) -> Fetched:
        settings = self._settings
        for attempt in range(1, settings.retries + 2):
            fetched = await self._admitted(url, headers, attempt)
            if is_page:
                fetched = self._judged(fetched)
            asked = _retry_after(fetched.headers.get("retry-after")) if fetched.error_kind == "status" else 0.0
            if 0 < asked <= settings.max_retry_after:
                await self._clock.hold(asked)  # the portal asks all of us to wait, not only for this page
            if _speaks_against_portal(fetched):
                await self._breaker.failed(str(fetched.error), self._answers)
            else:
                whole = is_page and fetched.status == 200 and fetched.error is None and not fetched.cut
                self._breaker.answered(url if whole else None)
            if attempt > settings.retries or not _may_pass(fetched):
                return fetched
            if asked > settings.max_retry_after:
                return replace(fetched, error=f"{fetched.error}, and not to be asked again for {asked:.0f} s")
            self.traffic.retries += 1
            await asyncio.sleep(_backoff(settings.backoff, attempt))
        raise AssertionError("unreachable")

    async def _admitted(self, url: str, headers: httpx.Headers, attempt: int) -> Fetched:
        while True:
            await self._breaker.admit()
            async with self._slots:
                if not self._breaker.open:  # it may have opened while this page stood in the queue
                    return await self._try(url, headers, attempt)

    async def _answers(self, url: str) -> bool:
        """Whether a page that came before comes again."""
        async with self._slots:
            return not _speaks_against_portal(self._judged(await self._try(url, self._headers, 1)))

    async def _try(self, url: str, headers: httpx.Headers, attempt: int) -> Fetched:
        try:
            async with asyncio.timeout(None) as deadline:
                return await self._request(url, headers, attempt, deadline)
        except TimeoutError:
            return _failure(url, attempt, "timeout", f"no whole page within {self._settings.page_timeout:g} s")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            return _failure(url, attempt, "redirect", f"no address that can be asked for ({error})")
        except (httpx.TransportError, OSError) as error:
            return _failure(url, attempt, *_meaning(error, self._settings))

    async def _request(self, url: str, headers: httpx.Headers, attempt: int, deadline: asyncio.Timeout) -> Fetched:
        target = url
        for _ in range(_MAX_REDIRECTS + 1):
            turn = _SendSlot(self._line, self._clock, deadline, self._settings.page_timeout)
            extensions = {"timeout": self._timeouts, "trace": turn.trace}
            request = httpx.Request("GET", target, headers=headers, extensions=extensions)
            deadline.reschedule(None)  # waiting for its turn is not the page's fault
            try:
                await turn.wait()
                self.traffic.requests += 1
                response = await self._http.handle_async_request(request)
            except httpx.TransportError:
                await self._clock.hold(self._clock.interval)  # an attempt that did not get through counts as one
                raise
            finally:
                turn.leave()
            try:
                moved = response.status_code in _REDIRECTS
                location = response.headers.get("location") if moved else None
                if not location:
                    return await self._answer(url, target, response, attempt, conditional=headers is not self._headers)
                target = _joined(target, location)
                if not same_portal(target, self._settings.portal):
                    return _failure(url, attempt, "redirect", f"redirected off the portal, to {target[:80]}", response)
                if self._robots is not None and not self._robots.can_fetch(target, _ROBOTS_NAME):
                    return _failure(url, attempt, "robots", "redirected to a page that robots.txt forbids", response)
                await _drain(response)
            finally:
                await response.aclose()
        return _failure(url, attempt, "redirect", f"more than {_MAX_REDIRECTS} redirects", response)

    async def _answer(
        self, url: str, target: str, response: httpx.Response, attempt: int, *, conditional: bool
    ) -> Fetched:
        limit, kept = self._settings.max_page_bytes, _kept(response)
        coding = kept.get("content-encoding", "").strip().lower()
        if coding not in _CODINGS:
            return _failure(url, attempt, "transport", f"compressed as {coding!r}, which was not asked for", response)
        decoder = _Decoder(limit) if _CODINGS[coding] else None
        # where the server miscounts, the rest of a page would be read as the answer to the next request
        announced = int(kept["content-length"]) if response.status_code == 200 and "content-length" in kept else -1
        pieces: list[bytes] = []
        wire = size = 0
        try:
            async for piece in _stream(response):
                wire += len(piece)
                decoded = decoder.decode(piece) if decoder else piece
                size += len(decoded)
                if size > limit:
                    return _failure(url, attempt, "too_large", f"larger than {limit:,} bytes", response)
                pieces.append(decoded)
                if wire == announced and decoder is None:
                    pieces = [b"".join(pieces)]
                    if self._ends_matter and not self._is_complete(pieces[0]):
                        break  # the rest may follow; left unread here, it takes its connection with it
        except zlib.error:
            return _failure(url, attempt, "transport", "the answer's compression is broken", response)
        if decoder and wire and not decoder.whole:
            return _failure(url, attempt, "truncated", "the compressed answer is cut off", response)
        self.traffic.wire_bytes += wire
        body = b"".join(pieces)
        error, kind = _status_error(response.status_code, conditional=conditional)
        return Fetched(
            url=url,
            final_url=target,
            status=response.status_code,
            headers=kept,
            body=body,
            sha256=hashlib.sha256(body).hexdigest(),
            fetched_at=datetime.now(UTC),
            attempts=attempt,
            error=error,
            error_kind=kind,
            wire_bytes=wire,
        )

    @property
    def _ends_matter(self) -> bool:
        """Whether this portal's pages have an end that can be missing: some had, or few were looked at yet."""
        return self._ends_seen or self._ends_missed < _PATIENCE_WITHOUT_END

    def _judged(self, fetched: Fetched) -> Fetched:
        """What came under 200, marked if it is no page or its end is missing."""
        if fetched.status != 200 or fetched.error is not None:
            return fetched
        if self._is_blocked(fetched.body):
            return replace(fetched, error="a page that keeps us out, under status 200", error_kind="blocked")
        if self._is_complete(fetched.body):
            self._ends_seen = True
            return fetched
        if not self._ends_matter:
            return fetched
        self._ends_missed += fetched.attempts > self._settings.retries
        return replace(fetched, cut=True)

    # --- robots.txt -------------------------------------------------------------------------------------------------

    async def _refresh_robots(self) -> None:
        if self._robots_are_old():
            async with self._robots_reading:
                if self._robots_are_old():
                    await self._read_robots()

    def _robots_are_old(self) -> bool:
        return self._robots_body is None or time.monotonic() - self._robots_read_at > _ROBOTS_SECONDS

    async def _read_robots(self) -> None:
        """Read robots.txt as RFC 9309 says: 4xx allows everything, 5xx and silence nothing."""
        url = urljoin(f"{self._settings.portal}/", "/robots.txt")
        self._robots = self._robots_body = None
        fetched = await self._fetch(url, self._headers, is_page=False)
        status = fetched.status or 0
        body = b""
        # a redirect that leads nowhere makes it "unavailable", in the words of the RFC, as 4xx does; 429 says "later"
        if fetched.error_kind != "redirect" and (not 400 <= status < 500 or status == 429):
            if fetched.error is not None:
                raise PortalError(
                    f"{url} could not be read ({fetched.error}), so nothing may be fetched; check the portal's "
                    "address, or try again when it answers"
                )
            body = fetched.body[:_ROBOTS_BYTES]
        self._obey(body)
        self._robots_read_at = time.monotonic()

    def _obey(self, robots_txt: bytes) -> None:
        """Keep to robots.txt from now on; without one everything is allowed."""
        if robots_txt:
            robots = Protego.parse(robots_txt.decode("utf-8-sig", "replace"))
            _check_visit_time(robots)
            self._clock.interval = _EVENNESS * max(1 / self._settings.rate, _asked_interval(robots))
            self._robots = robots
        self._robots_body = robots_txt


def user_agent(contact: str) -> str:
    """Who we are: name, version, and where to reach the operator."""
    try:
        who = f"bma-progress/{version('bma-progress')}"
    except PackageNotFoundError:  # run from its source folder, without installing
        who = "bma-progress"
    return f"{who} (+{contact})" if contact else who


def _asked_interval(robots: Protego) -> float:
    """Seconds between two requests that robots.txt asks for, by crawl-delay or request-rate, the slower of both.

    A request-rate for certain hours is kept at all hours.
    """
    slowest = float(robots.crawl_delay(_ROBOTS_NAME) or 0)
    wanted = robots.request_rate(_ROBOTS_NAME)
    if wanted and wanted.requests:
        slowest = max(slowest, wanted.seconds / wanted.requests)
    return slowest


def _check_visit_time(robots: Protego) -> None:
    allowed = robots.visit_time(_ROBOTS_NAME)
    if allowed is None:
        return
    now, start, end = datetime.now(UTC).time(), allowed.start_time, allowed.end_time
    inside = start <= now <= end if start <= end else now >= start or now <= end
    if not inside:
        raise OutsideVisitTimeError(
            f"robots.txt allows visits from {start:%H:%M} to {end:%H:%M} UTC only; start the harvest then: what was "
            "fetched is kept"
        )


# --- what to make of an answer ----------------------------------------------------------------------------------------


def _status_error(status: int, *, conditional: bool) -> tuple[str | None, ErrorKind | None]:
    if status in (200, 203, 404, 410) or (status == 304 and conditional):
        return None, None
    return f"HTTP status {status}", "blocked" if status in _REFUSED else "status"


def _speaks_against_portal(fetched: Fetched) -> bool:
    """Whether an answer, or the lack of one, may mean that the portal is down or keeps us out."""
    if fetched.error_kind == "status":
        return fetched.status in _MAY_PASS
    return fetched.error_kind not in (None, "too_large", "robots")


def _may_pass(fetched: Fetched) -> bool:
    if fetched.error_kind == "status":
        return fetched.status in _MAY_PASS
    if fetched.error_kind == "blocked":
        return fetched.status == 200  # a refusal in so many words is meant; a firewall's page comes and goes
    return fetched.cut or fetched.error_kind in ("timeout", "transport", "truncated")


def _failure(url: str, attempts: int, kind: ErrorKind, error: str, response: httpx.Response | None = None) -> Fetched:
    status, headers = (response.status_code, _kept(response)) if response is not None else (None, _NO_HEADERS)
    return Fetched(url, url, status, headers, b"", _SHA256_OF_NOTHING, datetime.now(UTC), attempts, error, kind)


def _backoff(seconds: float, attempt: int) -> float:
    jitter = random.uniform(0.5, 1.5)  # noqa: S311 - so that not all come back at once; no secret
    return min(seconds * 2.0 ** (attempt - 1), _LONGEST_BACKOFF) * jitter


def _retry_after(header: str | None) -> float:
    """Seconds to wait by a Retry-After header, in seconds or as a date; 0 without one."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _kept(response: httpx.Response) -> dict[str, str]:
    kept: dict[str, str] = {}
    for raw_name, value in response.headers.raw:
        name = raw_name.lower().decode("latin-1")
        if name in KEPT_HEADERS:
            kept[name] = value.decode("latin-1")
    return kept


def _joined(target: str, location: str) -> str:
    try:
        return urljoin(target, location)
    except ValueError:  # brackets that are no IPv6 address
        return location


# --- bytes ------------------------------------------------------------------------------------------------------------


class _Decoder:
    """Undoes gzip and deflate piece by piece, and stops a byte beyond the limit, whatever a bomb would unfold to."""

    def __init__(self, limit: int) -> None:
        self._room = limit + 1
        self._unzip = zlib.decompressobj(wbits=47)  # gzip or zlib, by the first bytes
        self._head: bytes | None = b""  # until the first two bytes, which tell the format, have come

    @property
    def whole(self) -> bool:
        return self._unzip.eof

    def decode(self, piece: bytes) -> bytes:
        if self._head is not None:
            piece = self._head + piece
            if len(piece) < 2:
                self._head = piece
                return b""
        found = []
        while piece and self._room > 0:
            if self._unzip.eof:
                if not piece.startswith(b"\x1f\x8b"):
                    break  # padding after the end, which browsers ignore too
                self._unzip = zlib.decompressobj(wbits=47)
            try:
                out = self._unzip.decompress(piece, self._room)
            except zlib.error:
                if self._head is None:
                    raise
                self._unzip = zlib.decompressobj(wbits=-15)  # "deflate" without its wrapper, as old servers send it
                out = self._unzip.decompress(piece, self._room)
            self._head = None
            self._room -= len(out)
            found.append(out)
            piece = self._unzip.unused_data if self._unzip.eof else self._unzip.unconsumed_tail
        return b"".join(found)


def _stream(response: httpx.Response) -> httpx.AsyncByteStream:
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise TypeError("an asynchronous transport answers with an asynchronous stream")
    return response.stream


async def _drain(response: httpx.Response) -> None:
    """Read the few bytes of a redirect, so that its connection can be used again; a long one is left."""
    left = 65_536
    async for piece in _stream(response):
        left -= len(piece)
        if left < 0:
            return


# --- the transport ----------------------------------------------------------------------------------------------------


def _trusted(ca_file: Path | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError):
            raise PortalError(
                f"ca_file {ca_file} holds no certificates that can be read; correct the setting"
            ) from None
    return context


def _meaning(error: httpx.TransportError | OSError, settings: Settings) -> tuple[ErrorKind, str]:
    """What a failure of the transport means, in a few words."""
    if isinstance(error, httpx.ConnectTimeout):
        return "timeout", f"no connection within {settings.connect_timeout:g} s"
    if isinstance(error, httpx.TimeoutException):
        return "timeout", f"no answer for {settings.read_timeout:g} s"
    text = str(error)
    if isinstance(error, httpx.RemoteProtocolError):
        if "incomplete" in text or "without sending complete" in text:
            return "truncated", f"the answer was cut off ({text})"
        return "transport", f"the answer was no HTTP, or none ({text})"
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = "name its authority's certificates with ca_file if you trust it"
            return "certificate", f"the portal's certificate is not trusted: {cause.verify_message}; {hint}"
        if isinstance(cause, socket.gaierror):
            return "transport", f"the host was not found ({cause.strerror})"
        if isinstance(cause, ConnectionRefusedError):
            return "transport", "the connection was refused"
    return "transport", f"the connection failed ({text or type(error).__name__})"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            yield from _causes(error.exceptions[0])
        error = error.__cause__ or error.__context__
