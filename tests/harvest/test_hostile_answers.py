"""Answers that want to do harm: each costs one page and a bounded time, and leads nowhere else."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from support.faulty_portal import Exchange, Fault, FaultyPortal, redirect
from support.harvests import harvest

from pipeline.api import open_store
from pipeline.errors import PortalError
from pipeline.harvest.client import PortalClient
from pipeline.harvest.fetched import Fetched
from pipeline.harvest.portal import kpi_ref
from pipeline.harvest.result import Scope
from pipeline.harvest.transport import leads_inside
from pipeline.harvest.verify_rows import RowCheck
from pipeline.settings import Settings
from pipeline.store.archive import Archive
from pipeline.store.verify import verify_store

PATH = "/mobile/myproject.php?pid=24000000-2964"
OTHER = "/mobile/myproject.php?pid=24000000-2965"
BODY = b"<html><body>a page</body></html>"
CERTIFICATE = Path(__file__).parents[1] / "support" / "loopback.pem"
QUICK: dict[str, Any] = {"rate": 1000.0, "retries": 0, "backoff": 0.01, "read_timeout": 0.4, "page_timeout": 1.0}
Result = TypeVar("Result")


def with_client(portal: str, folder: Path, job: Callable[[PortalClient], Awaitable[Result]], **changed: Any) -> Result:
    async def run() -> Result:
        async with PortalClient(Settings(portal=portal, **{**QUICK, **changed}), folder / "clock") as client:
            return await job(client)

    return asyncio.run(run())


def fetch(portal: FaultyPortal, folder: Path, *paths: str, **changed: Any) -> list[Fetched]:
    async def job(client: PortalClient) -> list[Fetched]:
        return [await client.fetch(portal.url + path) for path in paths]

    return with_client(portal.url, folder, job, **changed)


@pytest.mark.parametrize("asked", [PATH, "/robots.txt"])
def test_https_is_never_left_for_http(tmp_path: Path, asked: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with FaultyPortal({PATH: BODY}) as plain, FaultyPortal({PATH: BODY, OTHER: BODY}, tls=context) as portal:
        # on a real portal the two have the usual ports, and count as one host
        portal.always(asked, redirect(f"{plain.url}{PATH}"))
        portal.always("/to_https", redirect(f"{portal.url}{OTHER}"))
        with suppress(PortalError):
            page, fine = fetch(portal, tmp_path, PATH, "/to_https", ca_file=CERTIFICATE)
            if asked == PATH:
                assert page.error == "redirected from https to http, where anyone in between can alter a page"
            assert fine.final_url == portal.url + OTHER
        assert plain.log == []


def endless_continue(exchange: Exchange) -> None:
    with suppress(OSError):
        while not exchange.portal.ended.is_set():
            exchange.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000)


def endless_head(exchange: Exchange) -> None:
    with suppress(OSError):
        exchange.socket.sendall(b"HTTP/1.1 200 OK\r\n")
        while not exchange.portal.ended.is_set():
            exchange.socket.sendall(b"X-More: and more\r\n" * 1_000)


def endless_chunks(exchange: Exchange) -> None:
    exchange.send(200, b"", {"Transfer-Encoding": "chunked"}, length=-1)
    with suppress(OSError):
        while not exchange.portal.ended.is_set():
            exchange.socket.sendall(b"1\r\nx\r\n" * 1_000)


def slow_head(exchange: Exchange) -> None:
    with suppress(OSError):
        exchange.socket.sendall(b"HTTP/1.1 200 OK\r\n")
        while not exchange.portal.ended.wait(0.05):
            exchange.socket.sendall(b"X-More: and more\r\n")


@pytest.mark.parametrize("fault", [endless_continue, endless_head, endless_chunks, slow_head])
def test_an_answer_without_an_end_costs_one_page(fault: Fault, tmp_path: Path) -> None:
    with FaultyPortal({OTHER: BODY}) as portal:
        portal.always(PATH, fault)
        began = time.monotonic()
        failed, fine = fetch(portal, tmp_path, PATH, OTHER, max_page_bytes=500_000)
    assert time.monotonic() - began < 10
    assert failed.error_kind in ("timeout", "transport", "too_large")
    assert (fine.error, fine.body) == (None, BODY)


def test_a_robots_txt_of_the_public_net_leads_to_no_machine_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def leads_inside(url: str) -> bool:
        return url.startswith(other.url)  # the portal would be a public machine

    monkeypatch.setattr("pipeline.harvest.client.leads_inside", leads_inside)
    with FaultyPortal(robots="User-agent: *\nDisallow: /\n") as other, FaultyPortal({PATH: BODY}) as portal:
        portal.always("/robots.txt", redirect(f"{other.url}/robots.txt"))
        fetch(portal, tmp_path, PATH)
    assert other.log == []


@pytest.mark.parametrize(
    ("url", "inside"), [("http://127.1/", True), ("http://169.254.169.254/x", True), ("http://[::1]:80/", True),
                        ("http://1.1.1.1/", False), ("http://[", False)],
)  # fmt: skip
def test_what_leads_inside(url: str, inside: bool) -> None:
    assert asyncio.run(leads_inside(url)) is inside


def test_names_and_passwords_in_redirects_are_not_kept(tmp_path: Path) -> None:
    with FaultyPortal({OTHER: BODY}) as portal:
        portal.always(PATH, redirect(portal.url.replace("//", "//user:secret@") + OTHER))
        [fetched] = fetch(portal, tmp_path, PATH)
        assert fetched.final_url == portal.url + OTHER
    assert "authorization" not in portal.log[-1].headers


def flood(exchange: Exchange) -> None:
    cookies = "".join(f"Set-Cookie: c{number}={'x' * 100}\r\n" for number in range(400))
    exchange.socket.sendall(f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n{cookies}Location: /?\r\n\r\n".encode())


def test_a_flood_of_cookies_is_not_kept(tmp_path: Path) -> None:
    with FaultyPortal({OTHER: BODY}) as portal:
        portal.always(PATH, flood)
        fetch(portal, tmp_path, PATH, OTHER)
    assert "cookie" not in portal.log[-1].headers


def test_the_address_really_read_stands_in_the_evidence(tmp_path: Path, fixtures_html: Path) -> None:
    asked, read = "/mobile/mykpi.php?pid=2400-1013", "/elsewhere/kpi.php?no=7"
    data = tmp_path / "store"
    with FaultyPortal({read: (fixtures_html / "2400-1013.html").read_bytes()}) as portal:
        portal.always(asked, redirect(read))
        for _ in range(2):  # the second night asks for the same address again
            assert harvest(portal, data, Scope(pages=(kpi_ref(portal.url, "2400-1013"),))).outcomes
        assert len(portal.asked(asked)) == 2
        url = portal.url
    kpi = open_store(data).table("kpis").iloc[0]
    assert kpi.source_url == url + read
    archive = Archive(data)
    first = archive.harvest_ids()[0]
    assert archive.body_record(first, kpi.page_sha256)["url"] == url + read
    pages = archive.state(archive.harvest_ids()[-1]).table("pages").to_pylist()
    assert [(page["url"], page["final_url"]) for page in pages] == [(url + asked, url + read)]
    assert verify_store(data, deep=True, rows=RowCheck()) == []


def test_an_address_on_another_host_is_not_asked(tmp_path: Path) -> None:
    with FaultyPortal({PATH: BODY}) as other, FaultyPortal({PATH: BODY}) as portal:
        fetched = with_client(portal.url, tmp_path, lambda client: client.fetch(other.url + PATH), robots=False)
    assert fetched.error == f"no address of the portal: {fetched.url}"
    assert other.log == []
