"""A path through all pages in Debian's Chromium: on a wide and on a narrow screen, and by the keyboard alone."""

import os
import shutil
from collections.abc import Iterator
from functools import partial
from operator import ne
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.served_store import served_store

PROJECT = "24000000-3051"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NO_BROWSER = "no Chromium on this machine (Debian: apt-get install chromium fonts-thai-tlwg)"
ARGUMENTS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-dev-shm-usage "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()


_TABLE_WITH_A_LONG_WORD = """(() => { const cell = document.querySelector('.cards td bdi'); if (!cell) return 0;
    cell.textContent = 'x'.repeat(3000); return cell.closest('table').scrollWidth })()"""
"""The width of a page's table after something without a blank was written into it."""


@pytest.fixture(scope="module")
def client(three_nights: Path) -> Iterator[httpx.Client]:
    with served_store(three_nights) as client:
        yield client


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None and "REQUIRE_BROWSER" not in os.environ:
        pytest.skip(NO_BROWSER)
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, NO_BROWSER
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


def every_page(client: httpx.Client) -> list[str]:
    timeline = client.get(f"/projects/{PROJECT}?format=json").json()["timeline"]
    change = client.get("/changes?format=json").json()["rows"][0]
    return [
        *("/", "/search?q=โครงการ", f"/projects/{PROJECT}", "/kpis/2400-1013", "/agencies", "/agencies/24000000"),
        *("/changes", "/changes?from=previous&to=latest", f"/changes/{change['harvest_id']}/{change['change_no']}"),
        *("/flags", f"/pages/{timeline[0]['page_sha256']}", "/dictionary"),
    ]


@pytest.mark.parametrize(("width", "language"), [(1280, "th-TH"), (400, "en-US")])
def test_every_page_fits_and_asks_nobody_else(browser: Any, client: httpx.Client, width: int, language: str) -> None:
    base = str(client.base_url).rstrip("/")
    context = browser.new_context(viewport={"width": width, "height": 900}, locale=language)
    page = context.new_page()
    noises: list[str] = []

    def note_request(request: Any) -> None:
        if not request.url.startswith((base, "data:")):
            noises.append(request.url)

    page.on("request", note_request)
    page.on("pageerror", lambda error: noises.append(str(error)))

    page.on("console", lambda message: noises.append(message.text))
    for path in every_page(client):
        page.goto(base + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate("document.documentElement.lang") == language[:2]
        assert page.locator("h1").count() == 1, path
        widest = page.evaluate(_TABLE_WITH_A_LONG_WORD)
        assert widest <= max(width, 1280), path
    context.close()
    assert noises == []


def test_the_keyboard_alone_leads_from_the_first_page_to_the_proof(browser: Any, client: httpx.Client) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US", java_script_enabled=True)
    page = context.new_page()
    page.goto(str(client.base_url))

    def to(text: str) -> None:
        """Press Tab until the focus, which must be seen, is on the link with this text; then Enter."""
        for _ in range(80):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "(() => { const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();"
                "return [e.textContent.trim(), s.outlineStyle != 'none' && r.width > 0 && r.left >= 0] })()"
            )
            assert focused[1], focused[0]
            if focused[0].startswith(text):
                here = page.url
                page.keyboard.press("Enter")
                page.wait_for_url(partial(ne, here), wait_until="load")
                return
        pytest.fail(f"no way to {text!r} by the keyboard on {page.url}")

    to("Skip to content")
    assert page.evaluate("document.activeElement.id") == "main"
    to("Most rewritten")
    to(PROJECT)
    to("Link to this change")
    assert "/changes/2" in page.url  # an address to send
    to("Stored page")
    assert page.locator("iframe[sandbox]").count() == 1
    context.close()
