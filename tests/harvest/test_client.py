"""The client against a portal that misbehaves, fault by fault: what comes of it, and what the portal's log says."""

import asyncio
import gzip
import hashlib
import pickle
import re
import socket
import ssl
import struct
import subprocess
import sys
import time
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import ANY

import pytest
from support.faulty_portal import (
    Exchange,
    Fault,
    FaultyPortal,
    chunked,
    coded,
    compressed,
    cut,
    cut_chunked,
    drip,
    gzip_bomb,
    hang_up,
    no_http,
    page,
    redirect,
    reset,
    stall,
    stall_within,
    status,
    status_with_page,
    truncated,
    validated,
    well,
    wrong_length,
)

from pipeline.errors import PortalError, SettingsError
from pipeline.harvest.breaker import PortalDownError
from pipeline.harvest.client import PortalClient
from pipeline.harvest.fetched import Fetched
from pipeline.harvest.rate_limit import RateLimiter
from pipeline.harvest.retry_delay import retry_after
from pipeline.harvest.robots import OutsideVisitTimeError, RobotsRules
from pipeline.harvest.transport import user_agent_of
from pipeline.settings import Settings

PATH = "/mobile/myproject.php?pid=24000000-2964"
OTHER = "/mobile/myproject.php?pid=24000000-2965"
BODY = b"<html><body>" + "ความคืบหน้าโครงการ ".encode() * 2_000 + b"</body></html>"
REFUSAL = b"<html><body>The requested URL was rejected. Please consult with your administrator.</body></html>"
CERTIFICATE = Path(__file__).parents[1] / "support" / "loopback.pem"
QUICK: dict[str, Any] = {
    "rate": 1000.0,
    "retries": 2,
    "backoff": 0.01,
    "connect_timeout": 2.0,
    "read_timeout": 0.4,
    "page_timeout": 1.0,
    "breaker_pause": 0.05,
}
Result = TypeVar("Result")


def has_end(body: bytes) -> bool:
    return b"</html" in body[-2048:]


def judge(fetched: Fetched) -> str:
    return "blocked" if b"URL was rejected" in fetched.body else "ok"


def with_client(portal: str, folder: Path, job: Callable[[PortalClient], Awaitable[Result]], **changed: Any) -> Result:
    async def run() -> Result:
        settings = Settings(portal=portal, **{**QUICK, **changed})
        async with PortalClient(settings, folder / "clock", is_complete=has_end, judge=judge) as client:
            return await job(client)

    return asyncio.run(run())


def fetch(portal: FaultyPortal, folder: Path, *paths: str, **changed: Any) -> list[Fetched]:
    async def job(client: PortalClient) -> list[Fetched]:
        return await asyncio.gather(*(client.fetch(portal.url + path) for path in paths))

    return with_client(portal.url, folder, job, **changed)


def kept_rate(gaps: list[float], interval: float) -> bool:
    """Whether the log shows the rate. The log's own threads can be late with a line, which makes the next gap small."""
    late = sum(gap < interval * 0.95 for gap in gaps)
    return sum(gaps) >= interval * (len(gaps) - 0.5) and late <= max(1, len(gaps) // 5)


def paths(count: int) -> list[str]:
    return [f"/mobile/myproject.php?pid=24000000-{number:04d}" for number in range(count)]


# --- fault by fault ---------------------------------------------------------------------------------------------------

PASSING: dict[str, Fault] = {
    "reset": reset,
    "hang_up": hang_up,
    "no_http": no_http,
    "stall": stall(5),
    "stall_within": stall_within(5),
    "slow_drip": drip(50, 0.05),
    "500": status(500),
    "500_with_the_page": status_with_page(500),
    "502": status(502),
    "503": status(503),
    "503_retry_after": status(503, retry_after="0"),
    "429": status(429),
    "408": status(408),
    "truncated": truncated,
    "cut": cut,
    "cut_chunked": cut_chunked,
    "longer_than_it_is": wrong_length(100),
    "shorter_than_it_is": wrong_length(-100),
    "cut_gzip": compressed("gzip", keep=0.5),
    "broken_gzip": coded("gzip", gzip.compress(BODY)[:40] + b"\xff" * 200),
    "block_page_under_200": page(REFUSAL),
    "brotli": coded("br", b"\x0b\x02\x80"),
}
LASTING: dict[str, tuple[Fault, str, int | None]] = {
    "400": (status(400), "status", 400),
    "401": (status(401), "blocked", 401),
    "403": (status(403), "blocked", 403),
    "501": (status(501), "status", 501),
    "204": (status(204, b""), "status", 204),
    "304_unasked": (status(304, b""), "status", 304),
    "bomb": (gzip_bomb(40_000_000), "too_large", 200),
    "redirect_off_the_portal": (redirect("http://example.org/mobile/myproject.php?pid=24000000-2964"), "redirect", 302),
    "redirect_off_the_web": (redirect("file:///etc/passwd"), "redirect", 302),
    "redirect_to_nowhere": (redirect("http://[/"), "redirect", 302),
    "redirect_without_address": (status(302), "status", 302),
    "redirect_loop": (redirect(PATH, 301), "redirect", 302),
}
FINE: dict[str, Fault] = {
    "well": well,
    "drip": drip(3, 0.01),
    "chunked": chunked,
    "gzip": compressed("gzip"),
    "deflate": compressed("deflate"),
    "raw_deflate": compressed("raw"),
    "two_gzip_members": compressed("twice"),
    "gzip_twice": coded("gzip, gzip", gzip.compress(gzip.compress(BODY))),
    "gzip_named_twice": coded("gzip, gzip", gzip.compress(BODY)),
    "deflate_then_none": coded("deflate, none", zlib.compress(BODY)),
    **{
        f"coding_{name}": coded(name, BODY)
        for name in ("none", "UTF-8", "identity, identity", "", "gzip", "deflate", "br")
    },
}


@pytest.mark.parametrize("fault", FINE.values(), ids=FINE.keys())
def test_a_good_answer_takes_one_attempt(fault: Fault, tmp_path: Path) -> None:
    with FaultyPortal({PATH: BODY}) as portal:
        portal.script(PATH, fault)
        [fetched] = fetch(portal, tmp_path, PATH)
    assert (fetched.error, fetched.status, fetched.attempts, fetched.incomplete) == (None, 200, 1, False)
    assert fetched.body == BODY
    assert len(portal.asked(PATH)) == 1


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_a_temporary_failure_is_retried(fault: Fault, tmp_path: Path) -> None:
    with FaultyPortal({PATH: BODY}) as portal:
        portal.script(PATH, fault)
        [fetched] = fetch(portal, tmp_path, PATH)
    assert (fetched.error, fetched.status, fetched.attempts, fetched.incomplete) == (None, 200, 2, False)
    assert fetched.body == BODY
    assert fetched.sha256 == hashlib.sha256(BODY).hexdigest()
    assert len(portal.asked(PATH)) == 2


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_a_lasting_failure_is_reported_after_all_attempts(fault: Fault, tmp_path: Path) -> None:
    with FaultyPortal({PATH: BODY, OTHER: BODY}) as portal:
        portal.always(PATH, fault)
        broken, fine = fetch(portal, tmp_path, PATH, OTHER, read_timeout=0.2, page_timeout=0.5)
    assert (broken.error is not None) != broken.incomplete
    # each try of a page that stalls takes a whole time-out: the further ones wait for the night's end
    assert broken.attempts == len(portal.asked(PATH)) == (2 if broken.error_kind == "timeout" else 3)
    assert fine.error is None
    assert fine.body == BODY


@pytest.mark.parametrize(("fault", "kind", "code"), LASTING.values(), ids=LASTING.keys())
def test_a_final_failure_is_not_retried(fault: Fault, kind: str, code: int | None, tmp_path: Path) -> None:
    with FaultyPortal({PATH: BODY}) as portal:
        portal.always(PATH, fault)
        [fetched] = fetch(portal, tmp_path, PATH, max_page_bytes=1_000_000)
    assert (fetched.error_kind, fetched.attempts) == (kind, 1)
    assert fetched.status in (code, 301)
    assert fetched.error
    assert len(portal.asked(PATH)) == (6 if "more than 5 redirects" in fetched.error else 1)


@pytest.mark.parametrize("code", [404, 410])
def test_not_found_is_an_answer(code: int, tmp_path: Path) -> None:
    with FaultyPortal() as portal:
        portal.always(PATH, status(code))
        [fetched] = fetch(portal, tmp_path, PATH)
    assert (fetched.error, fetched.status, fetched.attempts) == (None, code, 1)
    assert str(code).encode() in fetched.body


def test_a_page_in_another_charset_is_an_answer(tmp_path: Path) -> None:
    body = "<html><body>ไม่พบข้อมูล</body></html>".encode("cp874")
    with FaultyPortal({PATH: BODY}) as portal:
        portal.always(PATH, page(body, "text/html; charset=tis-620"))
        [fetched] = fetch(portal, tmp_path, PATH)
    assert (fetched.error, fetched.body, fetched.attempts) == (None, body, 1)
    assert fetched.headers["content-type"] == "text/html; charset=tis-620"


def test_all_faults_in_one_client(tmp_path: Path) -> None:
    names = paths(60)
    pages = {path: b"<html><body>" + path.encode() * 300 + b"</body></html>" for path in names}
    with FaultyPortal(pages) as portal:
        for path, fault in zip(names, [*PASSING.values()] * 3, strict=False):
            portal.script(path, fault)
        got = fetch(portal, tmp_path, *names, concurrency=8, retries=3)
    assert [fetched.error for fetched in got] == [None] * 60
    assert [fetched.body for fetched in got] == list(pages.values())
    asked = Counter(line.path for line in portal.log)
    assert {path: asked[path] for path in names} == {
        path: fetched.attempts for path, fetched in zip(names, got, strict=True)
    }
    assert max(asked.values()) <= 4


def test_the_rest_of_a_page_with_a_short_length_is_not_the_next_answer(tmp_path: Path) -> None:
    def smuggle(exchange: Exchange) -> None:
        wrong = b"<html>wrong</html>"
        second = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(wrong), wrong)
        exchange.send(200, b"<html>" + second, length=6)

    with FaultyPortal({PATH: BODY, OTHER: BODY}) as portal:
        portal.always(PATH, smuggle)
        got = fetch(portal, tmp_path, *[PATH, OTHER] * 6, concurrency=1)
    assert all(fetched.body == BODY for fetched in got if fetched.url.endswith(OTHER))
    assert all(fetched.body == b"<html>" and fetched.incomplete for fetched in got if fetched.url.endswith(PATH))


# --- bodies -----------------------------------------------------------------------------------------------------------


def test_wire_bytes_and_body_length_are_separate(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    with FaultyPortal({PATH: BODY}) as portal:
        portal.script(PATH, compressed("gzip"))
        [fetched] = fetch(portal, tmp_path, PATH)
    assert fetched.headers["content-encoding"] == "gzip"
    assert int(fetched.headers["content-length"]) == fetched.wire_bytes < len(fetched.body) / 10
    assert fetched.sha256 == hashlib.sha256(BODY).hexdigest()
    assert set(fetched.headers) == {"content-type", "content-encoding", "content-length", "server"}
    assert before < fetched.fetched_at < datetime.now(UTC)


def test_a_compression_bomb_is_not_decompressed(tmp_path: Path) -> None:
    with FaultyPortal() as portal:
        portal.always(PATH, gzip_bomb(300_000_000))
        tracemalloc.start()
        [fetched] = fetch(portal, tmp_path, PATH, max_page_bytes=2_000_000)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (fetched.error, fetched.body) == ("larger than 2,000,000 bytes", b"")
    assert peak < 20_000_000


def test_a_page_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    with FaultyPortal({PATH: bytes(60_000_000), OTHER: BODY}) as portal:
        large, fine = fetch(portal, tmp_path, PATH, OTHER, max_page_bytes=1_000_000, concurrency=1)
    assert large.error_kind == "too_large"
    assert fine.body == BODY


def test_a_page_without_its_end_is_returned_as_incomplete(tmp_path: Path) -> None:
    with FaultyPortal({PATH: BODY}) as portal:
        portal.always(PATH, cut)
        [fetched] = fetch(portal, tmp_path, PATH)
    assert (fetched.error, fetched.incomplete, fetched.attempts) == (None, True, 3)
    assert fetched.body == BODY[: len(BODY) // 2]


def test_pages_of_a_portal_without_ends_are_not_retried(tmp_path: Path) -> None:
    names = paths(30)
    with FaultyPortal(dict.fromkeys(names, b"<html><body>no end")) as portal:

        async def job(client: PortalClient) -> list[Fetched]:
            return [await client.fetch(portal.url + path) for path in names]

        got = with_client(portal.url, tmp_path, job)
    assert all(fetched.error is None for fetched in got)
    assert [fetched.attempts for fetched in got] == [3] * 3 + [1] * 27
    assert len({line.connection for line in portal.log}) < 12


def test_validators_get_304(tmp_path: Path) -> None:
    when = "Sun, 22 Nov 2026 19:00:00 GMT"
    with FaultyPortal({PATH: BODY}) as portal:
        portal.always(PATH, validated('"a1"', when))

        async def job(client: PortalClient) -> list[Fetched]:
            first = await client.fetch(portal.url + PATH)
            kept = first.headers
            return [
                first,
                await client.fetch(portal.url + PATH, etag=kept["etag"]),
                await client.fetch(portal.url + PATH, last_modified=kept["last-modified"]),
                await client.fetch(portal.url + PATH, etag='"a0"'),
            ]

        got = with_client(portal.url, tmp_path, job)
    assert [(fetched.status, fetched.not_modified, fetched.error) for fetched in got] == [
        (200, False, None),
        (304, True, None),
        (304, True, None),
        (200, False, None),
    ]
    assert got[1].body == b""
    assert got[1].headers["etag"] == '"a1"'


# --- redirects --------------------------------------------------------------------------------------------------------


def test_redirects_inside_the_portal_are_followed(tmp_path: Path) -> None:
    with FaultyPortal({OTHER: BODY}) as portal:
        portal.always(PATH, redirect("/mobile/step.php", 301))
        portal.always("/mobile/step.php", redirect(OTHER, 307))
        [fetched] = fetch(portal, tmp_path, PATH)
        assert (fetched.url, fetched.final_url) == (portal.url + PATH, portal.url + OTHER)
    assert fetched.body == BODY
    assert [line.path for line in portal.log] == ["/robots.txt", PATH, "/mobile/step.php", OTHER]
    assert len({line.connection for line in portal.log}) == 1


def test_a_redirect_to_another_port_leaves_the_portal(tmp_path: Path) -> None:
    with FaultyPortal({PATH: BODY}) as elsewhere, FaultyPortal() as portal:
        portal.always(PATH, redirect(elsewhere.url + PATH))
        [fetched] = fetch(portal, tmp_path, PATH)
        assert fetched.error == f"redirected off the portal, to {elsewhere.url}{PATH}"
    assert elsewhere.log == []


# --- politeness -------------------------------------------------------------------------------------------------------


def test_the_portal_sees_the_user_agent_and_one_connection(tmp_path: Path) -> None:
    with FaultyPortal(dict.fromkeys(paths(30), BODY)) as portal:
        fetch(portal, tmp_path, *paths(30), concurrency=1, contact="audit@example.org")
    assert {line.connection for line in portal.log} == {1}
    assert {line.headers["user-agent"] for line in portal.log} == {user_agent_of("audit@example.org")}
    assert user_agent_of("audit@example.org").startswith("bma-progress")
    assert user_agent_of("audit@example.org").endswith(" (+audit@example.org)")
    assert user_agent_of("").strip() == user_agent_of("")


@pytest.mark.parametrize("faults", [(), (reset,), (hang_up, cut), (status(500),)])
def test_the_rate_is_kept_through_retries_and_new_connections(faults: tuple[Fault, ...], tmp_path: Path) -> None:
    names = paths(12)
    with FaultyPortal(dict.fromkeys(names, BODY)) as portal:
        for path in names:
            portal.script(path, *faults)
        got = fetch(portal, tmp_path, *names, rate=25.0, concurrency=6)
    assert all(fetched.error is None for fetched in got)
    assert len(portal.log) == 1 + 12 * (1 + len(faults))
    assert kept_rate(portal.gaps(), 0.04)
    assert sum(portal.gaps()) < 0.08 * len(portal.gaps())


def test_one_rate_for_several_processes(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path\n"
        "from pipeline.harvest.client import PortalClient; from pipeline.settings import Settings\n"
        "async def main(url, clock):\n"
        "    async with PortalClient(Settings(portal=url, rate=25, concurrency=4), Path(clock)) as client:\n"
        "        got = await asyncio.gather(*(client.fetch(f'{url}/{n}') for n in range(10)))\n"
        "    assert [each.status for each in got] == [404] * 10, got\n"
        "asyncio.run(main(*sys.argv[1:]))\n"
    )
    with FaultyPortal() as portal:
        command = [sys.executable, "-c", code, portal.url, str(tmp_path / "clock")]
        running = [subprocess.Popen(command, cwd=Path(__file__).parents[2]) for _ in range(3)]
        assert [process.wait(60) for process in running] == [0, 0, 0]
    assert len(portal.log) == 33
    assert kept_rate(portal.gaps(), 0.04)


def test_the_concurrency_is_kept(tmp_path: Path) -> None:
    under_way: list[int] = []
    now = Counter[str]()

    def slow(exchange: Exchange) -> None:
        now["pages"] += 1
        under_way.append(now["pages"])
        exchange.pause(0.05)
        now["pages"] -= 1
        well(exchange)

    with FaultyPortal(dict.fromkeys(paths(12), BODY)) as portal:
        portal.every(slow)
        fetch(portal, tmp_path, *paths(12), concurrency=3)
    assert max(under_way) == 3


def test_waiting_for_a_slot_does_not_count_as_the_pages_time(tmp_path: Path) -> None:
    with FaultyPortal(dict.fromkeys(paths(6), BODY)) as portal:
        got = fetch(portal, tmp_path, *paths(6), rate=5.0, page_timeout=0.15, read_timeout=0.15, concurrency=6)
    assert all(fetched.error is None and fetched.attempts == 1 for fetched in got)


@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("code", [429, 503])
def test_the_whole_harvest_waits_as_long_as_the_portal_asks(form: str, code: int, tmp_path: Path) -> None:
    names = paths(5)
    with FaultyPortal(dict.fromkeys(names, BODY)) as portal:
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
        portal.script(
            names[0], status(code, retry_after="1" if form == "seconds" else format_datetime(until, usegmt=True))
        )
        got = fetch(portal, tmp_path, *names, concurrency=1)
    assert [fetched.error for fetched in got] == [None] * 5
    assert [fetched.attempts for fetched in got] == [2, 1, 1, 1, 1]
    assert portal.gaps()[1] >= (0.99 if form == "seconds" else 0.8)


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Bangkok"])
def test_a_retry_after_is_read_by_the_portals_clock_and_not_by_ours(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent, until = datetime(2028, 2, 28, 23, 59, 30), datetime(2028, 2, 29, 0, 1)
    forms = ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y")  # RFC 9110, 5.6.7
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", zone)
        time.tzset()
        waits = [retry_after({"date": f"{sent:{forms[0]}}", "retry-after": f"{until:{form}}"}) for form in forms]
        soon = datetime.now(UTC) + timedelta(seconds=100)
        without_date = retry_after({"retry-after": f"{soon:{forms[2]}}"})
    time.tzset()
    assert waits == [90] * 3
    assert 95 < without_date <= 100


@pytest.mark.parametrize("asked", ["86400", "Wed, 31 Dec 2098 23:59:59 GMT", "9" * 400])
def test_a_retry_after_beyond_the_limit_leaves_the_page_for_the_next_pass(asked: str, tmp_path: Path) -> None:
    started = time.monotonic()
    with FaultyPortal({OTHER: BODY}) as portal:
        portal.always(PATH, status(503, retry_after=asked))
        refused, fine = fetch(portal, tmp_path, PATH, OTHER, concurrency=1)
    assert time.monotonic() - started < 5
    assert (refused.error_kind, refused.attempts) == ("status", 1)
    assert str(refused.error).startswith("HTTP status 503, and not to be asked again for ")
    assert fine.body == BODY


@pytest.mark.parametrize(
    "asked", ["", "soon", "-1", "1.5", "๕", "Mon, 99 Nov 2026 00:00:00 GMT", "Sun, 01 Jan 2017 00:00:00 GMT"]
)
def test_an_unreadable_retry_after_is_ignored(asked: str, tmp_path: Path) -> None:
    with FaultyPortal({PATH: BODY}) as portal:
        portal.script(PATH, status(503, retry_after=asked))
        [fetched] = fetch(portal, tmp_path, PATH)
    assert (fetched.error, fetched.attempts) == (None, 2)
    assert portal.gaps()[-1] < 0.5


def test_many_429_are_waited_out(tmp_path: Path) -> None:
    names = paths(20)
    calm = time.monotonic() + 1.5

    def storm(exchange: Exchange) -> None:
        if time.monotonic() < calm:
            status(429, retry_after="1")(exchange)
        else:
            well(exchange)

    with FaultyPortal(dict.fromkeys(names, BODY)) as portal:
        portal.every(storm)
        got = fetch(portal, tmp_path, *names, concurrency=4, retries=3)
    assert [fetched.error for fetched in got] == [None] * 20
    assert len(portal.log) <= 1 + 20 + 3 * 4


# --- the breaker ------------------------------------------------------------------------------------------------------


def test_a_portal_that_is_down_is_given_up_after_some_pauses(tmp_path: Path) -> None:
    names = paths(500)
    with FaultyPortal() as portal:
        portal.every(status(500))
        started = time.monotonic()
        with pytest.raises(PortalDownError, match=r"failed .* times in a row .* 3 pauses .*HTTP status 500"):
            fetch(portal, tmp_path, *names, breaker_failures=10, breaker_pause=0.2)
        assert time.monotonic() - started >= 0.6
    assert len(portal.log) < 20  # ten failures, and after each pause one page that decides


@pytest.mark.parametrize("fault", [page(REFUSAL), status(403), redirect("http://example.org/login")])
def test_a_portal_that_keeps_us_out_is_given_up(fault: Fault, tmp_path: Path) -> None:
    names = paths(200)
    with FaultyPortal(dict.fromkeys(names, BODY)) as portal:

        async def job(client: PortalClient) -> None:
            for place, path in enumerate(names):
                if place == 3:
                    portal.every(fault)
                await client.fetch(portal.url + path)

        with pytest.raises(PortalDownError):
            with_client(portal.url, tmp_path, job, breaker_failures=10)
    assert len(portal.log) < 20


def test_a_portal_that_goes_down_gets_one_request_a_pause(tmp_path: Path) -> None:
    names = paths(100)
    with FaultyPortal(dict.fromkeys(names, BODY)) as portal:

        async def job(client: PortalClient) -> None:
            for path in names[:5]:
                assert (await client.fetch(portal.url + path)).error is None
            portal.every(reset)
            await asyncio.gather(*(client.fetch(portal.url + path) for path in names[5:]))

        with pytest.raises(PortalDownError):
            with_client(portal.url, tmp_path, job, breaker_failures=10, concurrency=2)
    asked = Counter(line.path for line in portal.log)
    assert sum(asked[path] for path in names[5:]) <= 10 + 2
    assert sorted(asked[path] for path in names[:5]) == [1, 2, 2, 2, 2]  # one trial at first, one after each pause


def test_the_harvest_goes_on_when_the_portal_comes_back(tmp_path: Path) -> None:
    names = paths(60)
    with FaultyPortal(dict.fromkeys(names, BODY)) as portal:

        async def job(client: PortalClient) -> list[Fetched]:
            first = await client.fetch(portal.url + names[0])
            portal.every(hang_up)
            asyncio.get_running_loop().call_later(0.4, portal.every, None)
            rest = await asyncio.gather(*(client.fetch(portal.url + path) for path in names[1:]))
            assert client.stats.pauses >= 1
            return [first, *rest]

        got = with_client(portal.url, tmp_path, job, breaker_failures=8, breaker_pause=0.3)
    assert sum(fetched.error is None for fetched in got) >= 58


def test_many_broken_pages_do_not_mean_that_the_portal_is_down(tmp_path: Path) -> None:
    names = paths(60)
    with FaultyPortal(dict.fromkeys(names, BODY)) as portal:
        for path in names[10:50]:
            portal.always(path, status(500))

        async def job(client: PortalClient) -> list[Fetched]:
            got = [await client.fetch(portal.url + path) for path in names]
            assert client.stats.pauses == 0
            return got

        got = with_client(portal.url, tmp_path, job, breaker_failures=10, breaker_pause=30.0)
    assert [fetched.error is None for fetched in got] == [True] * 10 + [False] * 40 + [True] * 10
    asked = Counter(line.path for line in portal.log)
    assert all(asked[path] == 3 for path in names[10:50])
    assert max(asked[path] for path in names[:10]) <= 3


# --- robots.txt -------------------------------------------------------------------------------------------------------


def test_robots_rules_are_obeyed(tmp_path: Path) -> None:
    robots = "User-agent: *\nDisallow: /\n\nUser-agent: bma-progress\nDisallow: /mobile/print\nAllow: /\n"
    with FaultyPortal({PATH: BODY, "/mobile/printkpi.php?pid=1": BODY}, robots=robots) as portal:
        portal.always(OTHER, redirect("/mobile/printkpi.php?pid=1"))
        fine, forbidden, led_astray = fetch(portal, tmp_path, PATH, "/mobile/printkpi.php?pid=1", OTHER)
    assert fine.body == BODY
    assert (forbidden.error_kind, forbidden.attempts) == ("robots", 0)
    assert led_astray.error == "redirected to a page that robots.txt forbids"
    assert portal.asked("/mobile/printkpi.php?pid=1") == []
    assert len(portal.asked("/robots.txt")) == 1


@pytest.mark.parametrize(
    ("asks", "interval"),
    [
        ("Crawl-delay: 0.2", 0.2),
        ("Request-rate: 1/1s", 1.0),
        ("Request-rate: 10/1s", 0.1),
        ("Crawl-delay: 0.001", 0.02),
    ],
)
def test_the_slower_of_our_rate_and_theirs_is_kept(asks: str, interval: float, tmp_path: Path) -> None:
    with FaultyPortal(robots=f"User-agent: *\n{asks}\nDisallow:\n") as portal:

        async def job(client: PortalClient) -> float:
            await asyncio.gather(*(client.fetch(portal.url + path) for path in paths(3)))
            return client.interval

        kept = with_client(portal.url, tmp_path, job, rate=50.0)
    assert interval <= kept <= interval * 1.03
    assert kept_rate(portal.gaps()[1:], interval)


def visit_time(start: timedelta, end: timedelta) -> str:
    now = datetime.now(UTC)
    return f"User-agent: *\nVisit-time: {now + start:%H%M}-{now + end:%H%M}\nDisallow:\n"


def test_visit_times_are_obeyed(tmp_path: Path) -> None:
    hour = timedelta(hours=1)
    with FaultyPortal({PATH: BODY}, robots=visit_time(-hour, hour)) as portal:
        [fetched] = fetch(portal, tmp_path, PATH)
    assert fetched.body == BODY
    with (
        FaultyPortal({PATH: BODY}, robots=visit_time(hour, 2 * hour)) as portal,
        pytest.raises(OutsideVisitTimeError, match=r"allows visits from \d\d:\d\d to \d\d:\d\d UTC only"),
    ):
        fetch(portal, tmp_path, PATH)
    assert portal.asked(PATH) == []


@pytest.mark.parametrize(
    ("hours", "inside", "outside"),
    [("0000-2359", "23:59:59", None), ("2200-0459", "04:59:30", "05:00"), ("0600-0845", "06:00", "08:46")],
)
def test_the_last_minute_of_a_visit_time_counts(hours: str, inside: str, outside: str | None) -> None:
    rules = RobotsRules(f"User-agent: *\nVisit-time: {hours}\nDisallow:\n".encode())
    rules.check_visit_time(datetime.fromisoformat(f"2026-12-31T{inside}Z"))
    if outside:
        with pytest.raises(OutsideVisitTimeError):
            rules.check_visit_time(datetime.fromisoformat(f"2026-12-31T{outside}Z"))


@pytest.mark.parametrize("fault", [status(500), status(503), status(429), reset, stall(5)])
def test_nothing_is_fetched_where_robots_txt_cannot_be_read(fault: Fault, tmp_path: Path) -> None:
    with FaultyPortal({PATH: BODY}) as portal:
        portal.always("/robots.txt", fault)
        with pytest.raises(
            PortalError, match=r"robots\.txt could not be read \(.*\), so nothing may be fetched; check"
        ):
            fetch(portal, tmp_path, PATH)
    assert portal.asked(PATH) == []
    assert len(portal.log) == 3


@pytest.mark.parametrize(
    "fault",
    [
        status(404),
        status(403),
        status(401),
        page(b"<html>no robots here</html>"),
        redirect("ftp://example.org/robots.txt"),
    ],
)
def test_a_portal_without_robots_txt_allows_everything(fault: Fault, tmp_path: Path) -> None:
    with FaultyPortal({PATH: BODY}) as portal:
        portal.always("/robots.txt", fault)
        [fetched] = fetch(portal, tmp_path, PATH)
    assert fetched.body == BODY
    assert len(portal.asked("/robots.txt")) == 1


def test_robots_txt_is_read_behind_a_redirect_and_a_byte_order_mark(tmp_path: Path) -> None:
    rules = "\ufeffUser-agent: *\nDisallow: /mobile/\n".encode()
    with FaultyPortal({PATH: BODY, "/site/robots.txt": rules}) as portal:
        portal.always("/robots.txt", redirect("/site/robots.txt"))
        [fetched] = fetch(portal, tmp_path, PATH)
    assert fetched.error_kind == "robots"


@pytest.mark.parametrize(
    ("agent", "forbidden"),
    [
        ("bma-progress/0.1.0", True),
        ("BMA-Progress (the auditors)", True),
        ("bma-progress*", True),
        ("bma", False),
        ("bma-progress-else", False),
    ],
)
def test_the_product_token_is_compared_as_a_whole(agent: str, forbidden: bool, tmp_path: Path) -> None:
    with FaultyPortal({PATH: BODY}, robots=f"User-agent: {agent}\nDisallow: /\n") as portal:
        [fetched] = fetch(portal, tmp_path, PATH)
    assert (fetched.error_kind == "robots") is forbidden


def test_rules_on_another_host_are_obeyed(tmp_path: Path) -> None:
    with FaultyPortal(robots="User-agent: *\nDisallow: /mobile/\n") as other, FaultyPortal({PATH: BODY}) as portal:
        portal.always("/robots.txt", redirect(f"{other.url}/robots.txt"))
        [fetched] = fetch(portal, tmp_path, PATH)
    assert fetched.error_kind == "robots"
    assert portal.asked(PATH) == []


def test_the_beginning_of_a_long_robots_txt_counts(tmp_path: Path) -> None:
    robots = "User-agent: *\nDisallow: /mobile/my\n" + "# and so on\n" * 100_000 + "Disallow: /\n"
    with FaultyPortal({PATH: BODY, "/other?a=1": BODY}, robots=robots) as portal:
        forbidden, fine = fetch(portal, tmp_path, PATH, "/other?a=1", max_page_bytes=20_000_000)
    assert (forbidden.error_kind, fine.body) == ("robots", BODY)


def test_long_delays_are_limited_and_said(tmp_path: Path) -> None:
    with FaultyPortal(robots="User-agent: *\nCrawl-delay: 86400\n") as portal:
        portal.always(PATH, status(503, retry_after="7200"))

        async def job(client: PortalClient) -> tuple[float, list[str], str | None]:
            fetched = await client.fetch(portal.url + PATH)
            return client.interval, client.remarks, fetched.error

        interval, remarks, error = with_client(portal.url, tmp_path, job, max_crawl_delay=0.1)
    assert interval < 0.2
    assert "robots.txt asks for 86,400 s between two requests; the harvest kept to 0.1 s" in remarks[0]
    assert "asked for a pause of 7,200 s (2.0 hours)" in remarks[1]
    assert error == "HTTP status 503, and not to be asked again for 7,200 s (2.0 hours)"


def test_a_robots_txt_of_spaces_costs_no_more_than_its_length() -> None:
    began = time.process_time()
    rules = RobotsRules(f"User-agent: *\nDisallow:{' ' * 30_000}/mobile/\n".encode())
    assert not rules.allows(f"http://127.0.0.1{PATH}")
    assert time.process_time() - began < 1  # it is quadratic where a line is searched from each space


def test_robots_txt_can_be_ignored(tmp_path: Path) -> None:
    with FaultyPortal({PATH: BODY}, robots="User-agent: *\nDisallow: /\nCrawl-delay: 60\n") as portal:
        [fetched] = fetch(portal, tmp_path, PATH, robots=False)
    assert fetched.body == BODY
    assert portal.asked("/robots.txt") == []


# --- the connection ---------------------------------------------------------------------------------------------------


def test_a_portal_that_refuses_connections_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(PortalError) as caught:
        with_client(f"http://127.0.0.1:{port}", tmp_path, lambda client: client.fetch("x"))
    assert str(caught.value) == (
        f"http://127.0.0.1:{port}/robots.txt could not be read (the connection was refused), so nothing may be fetched; "
        "check the portal's address, or try again when it answers"
    )


def test_connections_that_are_refused_keep_the_rate(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        portal = f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def job(client: PortalClient) -> list[Fetched]:
        return [await client.fetch(f"{portal}/{number}") for number in range(3)]

    started = time.monotonic()
    got = with_client(portal, tmp_path, job, robots=False, rate=20.0)
    assert [(fetched.error_kind, fetched.attempts) for fetched in got] == [("transport", 3)] * 3
    assert time.monotonic() - started >= 8 * 0.05


def test_stalls_and_cancelled_fetches_leave_no_connection_occupied(tmp_path: Path) -> None:
    names = paths(12)
    with FaultyPortal(dict.fromkeys([*names, PATH], BODY)) as portal:
        for path in names:
            portal.always(path, stall(20))

        async def job(client: PortalClient) -> Fetched:
            cancelled = [asyncio.create_task(client.fetch(portal.url + path)) for path in names[:6]]
            await asyncio.sleep(0.1)
            for task in cancelled:
                task.cancel()
            await asyncio.gather(*cancelled, return_exceptions=True)
            await asyncio.gather(*(client.fetch(portal.url + path) for path in names[6:]))
            return await asyncio.wait_for(client.fetch(portal.url + PATH), 2)

        fetched = with_client(portal.url, tmp_path, job, concurrency=2, read_timeout=0.1, retries=1)
    assert fetched.body == BODY


def test_only_a_trusted_certificate_is_accepted(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with FaultyPortal({PATH: BODY}, tls=context) as portal:
        with pytest.raises(PortalError, match=r"certificate is not trusted: self.signed certificate; name .* ca_file"):
            fetch(portal, tmp_path, PATH)
        assert portal.log == []
        [fetched] = fetch(portal, tmp_path, PATH, ca_file=CERTIFICATE)
        assert fetched.body == BODY
        for wrong in (tmp_path / "none.pem", Path(__file__)):
            with pytest.raises(PortalError, match="holds no certificates that can be read"):
                fetch(portal, tmp_path, PATH, ca_file=wrong)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1x/", "ftp://127.0.0.1/", "nonsense", "http://[::1"])
def test_an_invalid_address_is_a_failure_and_no_exception(url: str, tmp_path: Path) -> None:
    with FaultyPortal() as portal:
        fetched = with_client(portal.url, tmp_path, lambda client: client.fetch(url))
    assert fetched.error
    assert fetched.attempts == 0


# --- the rate clock ---------------------------------------------------------------------------------------------------


def test_the_rate_limiter_gives_one_slot_an_interval(tmp_path: Path) -> None:
    async def ask() -> None:
        one, other = RateLimiter(tmp_path / "clock", 0.05), RateLimiter(tmp_path / "clock", 0.05)
        assert await one.take() == 0
        assert 0.04 < await other.take() <= 0.05
        await asyncio.sleep(await other.due())
        assert await other.take() == 0
        await other.pause(10)
        assert 9 < await one.due() <= 10
        await one.pause(1)  # a shorter wait does not end a longer one
        assert 9 < await one.due() <= 10
        one.close()
        other.close()

    asyncio.run(ask())


@pytest.mark.parametrize("left", [b"", b"\x00\x01", struct.pack("<d", 1e15), struct.pack("<d", float("inf"))])
def test_a_slot_from_before_a_restart_is_ignored(left: bytes, tmp_path: Path) -> None:
    async def ask() -> None:
        clock = RateLimiter(tmp_path / "clock", 1.0)
        assert await clock.take() == 0
        assert 0 < await clock.due() <= 1
        clock.close()

    (tmp_path / "clock").write_bytes(left)
    asyncio.run(ask())


def test_a_client_starts_with_the_state_of_another(tmp_path: Path) -> None:
    """A second client reads robots.txt not again, obeys it, and asks a good page when others fail."""
    rules = "User-agent: *\nDisallow: /secret\nCrawl-delay: 0.07\n"

    async def ask(portal: FaultyPortal) -> None:
        settings = Settings(portal=portal.url, rate=1_000, backoff=0, retries=0, breaker_failures=3, breaker_pause=0.1)
        async with PortalClient(settings, tmp_path / "clock", judge=lambda fetched: "ok") as first:
            assert (await first.fetch(portal.url + PATH)).error is None
            learnt = await first.state()
        travelled = pickle.loads(pickle.dumps(learnt))  # noqa: S301 - as it goes to a worker
        async with PortalClient(settings, tmp_path / "clock", state=travelled) as second:
            assert second.interval == pytest.approx(0.07 * 1.02)
            assert (await second.fetch(f"{portal.url}/secret")).error_kind == "robots"
            portal.always("/broken", status(503))
            for _ in range(7):
                assert (await second.fetch(f"{portal.url}/broken")).status == 503
            assert second.stats.pauses == 0
            assert await second.state() == replace(learnt, robots_age=ANY)

    with FaultyPortal({PATH: BODY}, robots=rules) as portal:
        asyncio.run(ask(portal))
        assert len(portal.asked("/robots.txt")) == 1
        assert len(portal.asked(PATH)) == 3  # once for itself, and twice to see whether the portal is well


# --- what browsers read -----------------------------------------------------------------------------------------------


def headed(*lines: str, code: int = 200, body: bytes = BODY) -> Fault:
    """The page under header lines as they are written here, in UTF-8."""

    def fault(exchange: Exchange) -> None:
        head = [f"HTTP/1.1 {code} OK", f"Content-Length: {len(body)}", *lines]
        exchange.socket.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    return fault


@pytest.mark.parametrize(
    "line",
    [
        "PHP Warning:  date(): no timezone in /srv/www/index.php on line 3",
        "<br />",
        "no header",
        "Content-Type : text/html",
        "X-Broken: a\x00b",
        ": nothing",
    ],
)
def test_a_stray_line_among_the_headers_is_dropped(line: str, tmp_path: Path) -> None:
    with FaultyPortal() as portal:
        portal.always(PATH, headed("Server: old", line, "X-Powered-By: PHP/5.3"))
        [fetched] = fetch(portal, tmp_path, PATH)
    assert (fetched.error, fetched.body, fetched.attempts) == (None, BODY, 1)
    assert fetched.headers["server"] == "old"


def test_a_validator_that_cannot_be_sent_is_left_out(tmp_path: Path) -> None:
    with FaultyPortal({PATH: BODY}) as portal:
        portal.always(PATH, headed('ETag: "รุ่น-1"', "Last-Modified: อา., 29 พ.ย. 2569 08:00:00 GMT"))

        async def job(client: PortalClient) -> Fetched:
            first = await client.fetch(portal.url + PATH)
            etag, last_modified = first.headers["etag"], first.headers["last-modified"]
            return await client.fetch(portal.url + PATH, etag=etag, last_modified=last_modified)

        fetched = with_client(portal.url, tmp_path, job)
    assert (fetched.error, fetched.body) == (None, BODY)
    assert "if-none-match" not in portal.asked(PATH)[1].headers


@pytest.mark.parametrize("way", [PATH, "/check?u=1"])
def test_a_cookie_set_on_the_way_is_sent_on(way: str, tmp_path: Path) -> None:
    def gate(exchange: Exchange) -> None:
        if "gate=open" in exchange.asked.headers.get("cookie", ""):
            return well(exchange)
        return exchange.send(302, b"", {"Location": way, "Set-Cookie": "gate=open; Path=/; HttpOnly"})

    with FaultyPortal(dict.fromkeys((PATH, OTHER), BODY)) as portal:
        portal.always(PATH, gate)
        portal.always(OTHER, gate)
        portal.always("/check?u=1", redirect(PATH))
        got = fetch(portal, tmp_path, PATH, OTHER, concurrency=1)
    assert [fetched.body for fetched in got] == [BODY, BODY]
    assert len(portal.asked(PATH)) == 2
    assert len(portal.asked(OTHER)) == 1, "the cookie is kept for the harvest"


def test_a_cookie_that_no_page_needs_is_not_sent(tmp_path: Path) -> None:
    with FaultyPortal({OTHER: BODY}) as portal:
        portal.always(PATH, headed("Set-Cookie: PHPSESSID=1"))
        fetch(portal, tmp_path, PATH, OTHER, concurrency=1)
    assert "cookie" not in portal.log[-1].headers


def test_a_redirect_whose_address_is_no_ascii_is_followed(tmp_path: Path) -> None:
    with FaultyPortal({"/mobile/%E0%B8%81?pid=1": BODY}) as portal:
        portal.always(PATH, redirect("/mobile/ก?pid=1"))
        [fetched] = fetch(portal, tmp_path, PATH)
    assert fetched.body == BODY


@pytest.mark.parametrize("coding", [None, "gzip"])
def test_an_answer_of_no_bytes_is_a_failure(coding: str | None, tmp_path: Path) -> None:
    with FaultyPortal({PATH: BODY}) as portal:
        portal.script(PATH, page(b"") if coding is None else coded(coding, b""))
        portal.always(OTHER, page(b""))
        fetched, empty = fetch(portal, tmp_path, PATH, OTHER)
    assert (fetched.error, fetched.attempts) == (None, 2)
    assert (empty.error, empty.attempts) == ("an answer without a body", 3)


# --- proxies and encryption -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["setting", "HTTP_PROXY", "http_proxy"])
def test_the_portal_is_asked_through_a_proxy(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    portal = "http://portal.bangkok.example"
    with FaultyPortal({f"{portal}{PATH}": BODY}) as proxy:
        setting = {"proxy": proxy.url} if where == "setting" else {}
        if not setting:
            monkeypatch.setenv(where, proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")

        async def job(client: PortalClient) -> Fetched:
            return await client.fetch(portal + PATH)

        assert with_client(portal, tmp_path, job, **setting).body == BODY
        monkeypatch.setenv("NO_PROXY", "bangkok.example")
        if not setting:
            with pytest.raises(PortalError, match="the host was not found"):
                with_client(portal, tmp_path, job, retries=0)
    assert [line.path for line in proxy.log] == [f"{portal}/robots.txt", f"{portal}{PATH}"]


def test_an_encrypted_portal_is_asked_through_a_tunnel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.harvest.transport._is_loopback", lambda host: False)
    monkeypatch.setenv("NO_PROXY", "")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(CERTIFICATE)
    asked: list[list[bytes]] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65_536):
            writer.write(piece)
        writer.close()

    async def proxied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n"))
        if len(asked) == 2:
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        there, back = await asyncio.open_connection(*asked[-1][0].split()[1].decode().split(":"))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            await asyncio.gather(pump(reader, back), pump(there, writer))
        finally:
            back.transport.abort()
            writer.transport.abort()

    async def job(portal: FaultyPortal) -> list[Fetched]:
        server = await asyncio.start_server(proxied, "127.0.0.1", 0)
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}")
        settings = Settings(portal=portal.url, **{**QUICK, "ca_file": CERTIFICATE, "retries": 0, "robots": False})
        async with PortalClient(settings, tmp_path / "clock") as client:
            found = [await client.fetch(portal.url + path) for path in (PATH, OTHER)]
        async with server, PortalClient(settings, tmp_path / "clock") as client:
            return [*found, await client.fetch(portal.url + PATH)]

    with FaultyPortal({PATH: BODY, OTHER: BODY}, tls=tls) as portal:
        first, second, refused = asyncio.run(job(portal))
        place = portal.url.removeprefix("https://").encode()
    assert (first.body, second.body) == (BODY, BODY)
    assert asked[0][:2] == [b"CONNECT " + place + b" HTTP/1.1", b"Host: " + place]
    assert b"Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=" in asked[0]
    assert refused.error is not None
    assert re.search(r"the proxy http://127.0.0.1:\d+ did not let the request through \(403 Forbidden\)", refused.error)


def test_loopback_is_never_asked_through_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with FaultyPortal({PATH: BODY}) as portal:
        [fetched] = fetch(portal, tmp_path, PATH, proxy="http://127.0.0.1:9")
    assert fetched.body == BODY


def test_a_proxy_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "user:secret@127.0.0.1:9")

    async def job(client: PortalClient) -> None:
        pass

    with pytest.raises(PortalError, match=r"was refused, through the proxy http://127.0.0.1:9\)"):
        with_client("http://portal.bangkok.example", tmp_path, job, retries=0)
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:9")
    with pytest.raises(SettingsError, match=r"the environment names the proxy socks5://127.0.0.1:9, which is none"):
        with_client("http://portal.bangkok.example", tmp_path, job)


def test_a_proxy_that_wants_a_password_is_named(tmp_path: Path) -> None:
    async def job(client: PortalClient) -> None:
        pass

    with FaultyPortal() as proxy:
        proxy.always("http://portal.bangkok.example/robots.txt", status(407))
        with pytest.raises(PortalError, match="HTTP status 407: the proxy wants a name and a password"):
            with_client("http://portal.bangkok.example", tmp_path, job, proxy=proxy.url)


def test_old_encryption_is_named_and_can_be_allowed(tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(CERTIFICATE)
    tls.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLS"):
        tls.maximum_version = ssl.TLSVersion.TLSv1_1
    tls.set_ciphers("DEFAULT:@SECLEVEL=0")
    with FaultyPortal({PATH: BODY}, tls=tls) as portal:
        with pytest.raises(PortalError, match=r"encryption is too old \(.*\); allow it with the setting allow_old_tls"):
            fetch(portal, tmp_path, PATH, ca_file=CERTIFICATE)
        [fetched] = fetch(portal, tmp_path, PATH, ca_file=CERTIFICATE, allow_old_tls=True)
    assert fetched.body == BODY
