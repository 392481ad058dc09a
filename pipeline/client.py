"""The polite HTTP client. Rate, retries, robots.txt and the circuit breaker live here and nowhere else."""

import asyncio
import fcntl
import hashlib
import os
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self
from urllib.parse import urljoin, urlsplit

import httpx
from protego import Protego

from pipeline.errors import PortalError
from pipeline.portal import same_portal
from pipeline.settings import Settings

ErrorKind = Literal["transport", "status", "redirect", "too_large", "robots", "blocked"]

KEPT_HEADERS: Final = ("content-type", "content-encoding", "content-length", "date", "etag", "last-modified", "server")
"""The headers of an answer that matter as evidence."""

_MAY_PASS: Final = frozenset((408, 425, 429, 500, 502, 503, 504, 507, 520, 521, 522, 523, 524))
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_MAX_REDIRECTS: Final = 5
_ROBOTS_NAME: Final = "bma-progress"


class PortalDownError(PortalError):
    """The portal failed so often running that the harvest gives up for now."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of one page. A failure is a result, not an exception.

    url: as asked; final_url: after redirects; body: the entity's bytes, content encodings undone; sha256: of body;
    fetched_at: UTC, when the answer was whole; attempts: requests made; error: None, or why there is no usable answer
    """

    url: str
    final_url: str
    status: int | None
    headers: Mapping[str, str]
    body: bytes
    fetched_at: datetime
    attempts: int
    error: str | None = None
    error_kind: ErrorKind | None = None

    @property
    def not_modified(self) -> bool:
        """Whether the server said that the page is as it was (304)."""
        return self.status == 304

    @property
    def sha256(self) -> str:
        """SHA-256 of the body, hexadecimal."""
        return hashlib.sha256(self.body).hexdigest()


class RateClock:
    """One even rate for a host, shared by all tasks and processes that open the same file.

    The file holds the time of the next free slot; taking a slot moves it on by one interval under a lock (about
    20 µs). Waiting happens outside the lock.
    """

    def __init__(self, path: Path, interval: float) -> None:
        self.interval = interval
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    async def wait(self) -> None:
        """Take the next free slot and wait for it."""
        delay = self._take() - time.time()
        if delay > 0:
            await asyncio.sleep(delay)

    def hold(self, seconds: float) -> None:
        """Let nobody ask again before so many seconds have passed."""
        self._take(not_before=time.time() + seconds, step=0)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _take(self, not_before: float = 0.0, step: float | None = None) -> float:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            text = os.pread(self._descriptor, 32, 0)
            booked = float(text) if text.strip() else 0.0
            now = time.time()
            if booked > now + 86_400:  # a clock that was set back: start afresh
                booked = 0.0
            slot = max(booked, now, not_before)
            following = slot + (self.interval if step is None else step)
            os.pwrite(self._descriptor, f"{following:<32.6f}"[:32].encode(), 0)
            return slot
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)


@dataclass(slots=True)
class _Breaker:
    """Counts failures running; too many pause the harvest, too many pauses end it."""

    failures_limit: int
    pause: float
    pauses_limit: int
    failures: int = 0
    pauses: int = 0
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def succeeded(self) -> None:
        self.failures = self.pauses = 0

    async def failed(self, clock: RateClock, why: str) -> None:
        async with self._lock:
            self.failures += 1
            if self.failures < self.failures_limit:
                return
            if self.pauses >= self.pauses_limit:
                raise PortalDownError(
                    f"the portal failed {self.failures} times running after {self.pauses} pauses (last: {why}); "
                    "try again later: what was fetched is kept and the next start goes on from there"
                )
            self.pauses += 1
            self.failures = 0
            clock.hold(self.pause)


class PortalClient:
    """An asynchronous client for one portal; use it as `async with PortalClient(settings, clock_file) as client`."""

    def __init__(
        self,
        settings: Settings,
        clock_file: Path,
        *,
        is_complete: Callable[[bytes], bool] = lambda body: True,
    ) -> None:
        self._settings = settings
        self._is_complete = is_complete
        self._clock = RateClock(clock_file, 1 / settings.rate)
        self._breaker = _Breaker(settings.breaker_failures, settings.breaker_pause, settings.breaker_pauses)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._robots: Protego | None = None
        self.user_agent = user_agent(settings.contact)

    async def __aenter__(self) -> Self:
        settings = self._settings
        context = ssl.create_default_context()
        if settings.ca_file:
            try:
                context.load_verify_locations(settings.ca_file)
            except (OSError, ssl.SSLError):
                raise PortalError(f"ca_file {settings.ca_file} holds no certificates that can be read; correct the setting") from None
        self._http = httpx.AsyncClient(
            headers={"User-Agent": self.user_agent, "Accept": "text/html,*/*;q=0.5", "Accept-Encoding": "gzip, deflate"},
            timeout=httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout, pool=None),
            limits=httpx.Limits(max_connections=settings.concurrency, max_keepalive_connections=settings.concurrency),
            verify=context,
            follow_redirects=False,
        )
        try:
            if settings.robots:
                await self._read_robots()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()
        self._clock.close()

    async def fetch(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        """Fetch one page politely, with retries for what may pass.

        etag, last_modified: validators of the bytes at hand; the server may then answer 304
        Raises PortalDownError when the portal is down, PortalError outside the hours robots.txt allows.
        """
        if self._robots is not None:
            self._check_visit_time(self._robots)
            if not self._robots.can_fetch(url, _ROBOTS_NAME):
                return _failure(url, 0, "robots", "robots.txt forbids this page")
        headers = {}
        if etag:
            headers["If-None-Match"] = etag
        if last_modified:
            headers["If-Modified-Since"] = last_modified
        async with self._slots:
            return await self._fetch(url, headers)

    async def _fetch(self, url: str, headers: dict[str, str]) -> Fetched:
        settings = self._settings
        for attempt in range(1, settings.retries + 2):
            fetched, wait = await self._try(url, headers, attempt)
            if fetched.error is None or fetched.error_kind not in ("transport", "status") or wait is None:
                if fetched.error is None or fetched.status is not None:
                    self._breaker.succeeded()
                return fetched
            await self._breaker.failed(self._clock, fetched.error)
            if attempt > settings.retries or wait > settings.max_retry_after:
                return fetched
            backoff = settings.backoff * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, no secret
            if wait > 0:
                self._clock.hold(wait)  # the portal asked all of us to wait
            await asyncio.sleep(max(wait, backoff))
        raise AssertionError("unreachable")

    async def _try(self, url: str, headers: dict[str, str], attempt: int) -> tuple[Fetched, float | None]:
        """One try: its result, and for what may pass how long the portal wants us to wait (0: it did not say)."""
        try:
            async with asyncio.timeout(self._settings.page_timeout):
                fetched = await self._request(url, headers, attempt)
        except TimeoutError:
            return _failure(url, attempt, "transport", f"no whole page within {self._settings.page_timeout:g} s"), 0.0
        except (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL, OSError, ValueError) as error:
            return _failure(url, attempt, "transport", _reason(error)), 0.0
        if fetched.error is None and fetched.status == 200 and not self._is_complete(fetched.body):
            # a cut page is kept if it never comes whole: its rows may still say something
            return (fetched, None) if attempt > self._settings.retries else (_cut(fetched), 0.0)
        if fetched.error_kind == "status" and fetched.status in _MAY_PASS:
            return fetched, _retry_after(fetched.headers.get("retry-after"))
        return fetched, None

    async def _request(self, url: str, headers: dict[str, str], attempt: int) -> Fetched:
        target = url
        for _ in range(_MAX_REDIRECTS + 1):
            await self._clock.wait()
            async with self._http.stream("GET", target, headers=headers) as response:
                status = response.status_code
                if status in _REDIRECTS and "location" in response.headers:
                    following = urljoin(target, response.headers["location"])
                    if not same_portal(following, self._settings.portal):
                        host = urlsplit(following).hostname
                        return _failure(url, attempt, "redirect", f"redirected off the portal, to {host}", status)
                    if self._robots is not None and not self._robots.can_fetch(following, _ROBOTS_NAME):
                        return _failure(url, attempt, "robots", "redirected to a page that robots.txt forbids", status)
                    target = following
                    continue
                kept = {name: response.headers[name] for name in (*KEPT_HEADERS, "retry-after") if name in response.headers}
                body = bytearray()
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > self._settings.max_page_bytes:
                        limit = self._settings.max_page_bytes
                        return _failure(url, attempt, "too_large", f"larger than {limit:,} bytes", status)
            error, kind = _status_error(status)
            return Fetched(url, target, status, kept, bytes(body), datetime.now(UTC), attempt, error, kind)
        return _failure(url, attempt, "redirect", f"more than {_MAX_REDIRECTS} redirects", 302)

    # --- robots.txt -----------------------------------------------------------------------------------------------

    async def _read_robots(self) -> None:
        """Read robots.txt as RFC 9309 says: 4xx allows everything, 5xx and silence nothing."""
        url = urljoin(f"{self._settings.portal}/", "/robots.txt")
        fetched = await self._fetch(url, {})
        if fetched.status is not None and 400 <= fetched.status < 500 and fetched.status != 429:
            return
        if fetched.error is not None:
            raise PortalError(
                f"{url} could not be read ({fetched.error}), so nothing may be fetched; check the portal's address, "
                "or try again when it answers"
            )
        robots = Protego.parse(fetched.body.decode("utf-8", "replace"))
        self._robots = robots
        self._check_visit_time(robots)
        slowest = float(robots.crawl_delay(_ROBOTS_NAME) or 0)
        wanted = robots.request_rate(_ROBOTS_NAME)
        if wanted and wanted.requests:
            slowest = max(slowest, wanted.seconds / wanted.requests)
        self._clock.interval = max(self._clock.interval, slowest)

    @property
    def interval(self) -> float:
        """Seconds between two requests: the setting's, or what robots.txt asks where that is slower."""
        return self._clock.interval

    def _check_visit_time(self, robots: Protego) -> None:
        allowed = robots.visit_time(_ROBOTS_NAME)
        if allowed is None:
            return
        now, start, end = datetime.now(UTC).time(), allowed.start_time, allowed.end_time
        inside = start <= now <= end if start <= end else now >= start or now <= end
        if not inside:
            raise PortalError(
                f"robots.txt allows visits from {start:%H:%M} to {end:%H:%M} UTC only; start the harvest then: "
                "what was fetched is kept"
            )


def user_agent(contact: str) -> str:
    """Who we are: name, version, and where to reach the operator."""
    who = f"bma-progress/{version('bma-progress')}"
    return f"{who} (+{contact})" if contact else who


def _failure(url: str, attempts: int, kind: ErrorKind, error: str, status: int | None = None) -> Fetched:
    return Fetched(url, url, status, {}, b"", datetime.now(UTC), attempts, error, kind)


def _cut(fetched: Fetched) -> Fetched:
    return _failure(fetched.url, fetched.attempts, "transport", "the page is cut off")


def _status_error(status: int) -> tuple[str | None, ErrorKind | None]:
    if status in (200, 304, 404, 410):
        return None, None
    return f"HTTP status {status}", "blocked" if status in (401, 403, 407, 451) else "status"


def _retry_after(header: str | None) -> float:
    """Seconds to wait by a Retry-After header, in seconds or as a date; 0 without one."""
    if not header:
        return 0.0
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def _reason(error: Exception) -> str:
    """What a transport error means, in a few words."""
    cause = error.__cause__ or error
    words = {
        httpx.ConnectTimeout: "no connection in time",
        httpx.ReadTimeout: "no answer in time",
        httpx.ConnectError: "connection refused or host not found",
        httpx.RemoteProtocolError: "the answer was cut off or no HTTP",
        httpx.ReadError: "the connection was reset",
        httpx.DecodingError: "the answer's compression is broken",
    }
    meaning = next((text for kind, text in words.items() if isinstance(error, kind)), type(error).__name__)
    detail = str(cause) or str(error)
    return f"{meaning} ({detail})" if detail else meaning
