"""Pages that would harm who looks at them, and readers beside a harvest: asked in this process, as a browser asks."""

import html
import json
import re
import shutil
import threading
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from selectolax.lexbor import LexborHTMLParser
from support.harvests import harvest
from support.served_store import served_store

from pipeline.browse import server
from pipeline.browse.static_site import write_site
from pipeline.harvest.demo_portal import FIXTURES, DemoPortal
from pipeline.store.writer import open_archive

PROJECT = "24000000-3051"
EVIL = (
    "</style></title><script>alert(1)</script><img src=x onerror=alert(2)><svg onload=alert(3)>{{ 7*7 }}"
    "\u202e\u2066\ufffe javascript:alert(4) \" onmouseover=x ' <iframe src=//evil.example>"
)
HUGE = "ก้" * 60_000


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two nights of a portal that attacks: in a changed note, in a name, and with scripts of its own."""
    folder = tmp_path_factory.mktemp("hostile")
    pages = folder / "pages"
    shutil.copytree(FIXTURES, pages)
    nights = json.loads((pages / "nights.json").read_bytes())
    edits = next(change["edits"] for change in nights["2"] if change["file"] == f"{PROJECT}.html")
    edits[2][1] = f"<p>31/1/2563 : สำรวจความต้องการ {html.escape(EVIL)} {HUGE}</p>"
    (pages / "nights.json").write_text(json.dumps(nights), encoding="utf-8")
    page = (pages / f"{PROJECT}.html").read_text(encoding="utf-8")
    page = page.replace("<main>", "<main><script>alert(5)</script><svg><script>alert(6)</script></svg>")
    page = page.replace("โครงการศูนย์พัฒนาเด็กเล็กน่าอยู่", f"ศูนย์ {html.escape(EVIL)}")
    (pages / f"{PROJECT}.html").write_text(page, encoding="utf-8")
    data = folder / "store"
    with DemoPortal(fixtures=pages) as portal:
        for portal.night in (1, 2):
            harvest(portal, data)
    return data


def check_inert(page: str) -> None:
    """Our pages have no element or attribute of the portal's making, and no character that turns the text."""
    tree = LexborHTMLParser(page)
    assert tree.css("script, img, object, embed, base, svg[onload], [onerror], [onmouseover], [style]") == []
    assert [frame.attributes.get("sandbox", "none") for frame in tree.css("iframe")] in ([], [""], [None])
    assert not {"\u202e", "\u2066"} & set(page)
    for link in tree.css("[href], [src]"):
        address = (link.attributes.get("href") or link.attributes.get("src") or "").strip()
        assert address == "data:," or not re.match(r"[a-z]+:|//", address), address


def test_what_the_portal_prints_stays_text(hostile: Path, tmp_path: Path) -> None:
    with served_store(hostile) as client:
        look_at_hostile_pages(client)
    write_site(open_archive(hostile), tmp_path / "site")
    for name in ("index", f"projects/{PROJECT}", "changes", f"nights/{open_archive(hostile).latest_id()}", "search"):
        check_inert((tmp_path / "site" / f"{name}.html").read_text(encoding="utf-8"))


def look_at_hostile_pages(client: httpx.Client) -> None:
    timeline = client.get(f"/projects/{PROJECT}?format=json").json()["timeline"]
    change = next(row for row in timeline[0]["changes"] if row["column"] == "note")
    assert EVIL.split("{{")[0] in change["after"]
    assert len(change["after"]) > len(HUGE)
    sha256 = timeline[0]["page_sha256"]
    for path in (
        "/",
        f"/projects/{PROJECT}",
        "/changes",
        f"/changes/{change['harvest_id']}/{change['change_no']}",
        f"/pages/{sha256}",
        "/search?q=alert(1)",
        "/search?q=onerror",
        "/changes?q=onerror",
        f"/search?q={EVIL.replace('&', '')}",
        "/flags",
        f"/nothing/{EVIL}",
    ):
        answer = client.get(path)
        check_inert(answer.text)
        assert "script-src" not in answer.headers["content-security-policy"]
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert PROJECT in client.get("/search?q=onerror&format=json").text
    assert "<mark>onerror</mark>" in client.get("/search?q=onerror").text
    feed = client.get("/changes.atom").text
    assert "onerror" in feed
    assert "<script" not in feed
    ElementTree.fromstring(feed)
    served = client.get(f"/pages/{sha256}/body")
    assert b"<script>alert(5)" in served.content  # as served, and inert
    framed = client.get(f"/pages/{sha256}/quiet")
    assert "<script" not in framed.text
    for answer in (served, framed):
        assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_only_addresses_of_this_machine_and_paths_of_the_site_are_answered(three_nights: Path) -> None:
    with served_store(three_nights) as client:
        ask_for_what_is_not_there(client)


def ask_for_what_is_not_there(client: httpx.Client) -> None:
    for host, status in (
        ("evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("localhost:1", 200),
        ("[::1]:1", 200),
    ):
        assert client.get("/agencies", headers={"host": host}).status_code == status, host
    for path in (
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/pages/..%2f..%2fstore.json",
        "/pages/" + "0" * 64,
        "/style.css/../server.py",
        "/projects/..%2f24000000-3051",
        "/changes/20261122T190000Z/1%20OR%201=1",
        "/changes/20261122T190000Z/99999999999999999999",
        "/kpis/2400-1013%00",
    ):
        for language, sentence in (("en", "There is no such page."), ("th", "ไม่พบหน้านี้")):
            answer = client.get(path, headers={"accept-language": language})
            assert (answer.status_code, sentence in answer.text) == (404, True), path
    head = client.head("/projects/" + PROJECT)
    assert (head.status_code, head.content, int(head.headers["content-length"]) > 1_000) == (200, b"", True)
    assert client.get("/projects/" + PROJECT, headers={"if-none-match": head.headers["etag"]}).status_code == 304
    for query in ("agency=%27%20OR%201=1", "year=9999999999999999999", "q=%22*%20NEAR(", "sort=code;DROP", "kind=%00"):
        assert client.get(f"/search?{query}").status_code == 200, query


def test_a_reader_never_sees_two_nights_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "store"
    monkeypatch.setattr(server, "_LOOK_AGAIN", 0.0)
    seen: list[tuple[str, Any]] = []
    with DemoPortal() as portal:
        first = harvest(portal, data).harvest_id
        with served_store(data) as client:
            over = threading.Event()

            def read() -> None:
                while not over.is_set():
                    for path in (
                        "/projects/03000000-0102",
                        *(f"{one}?format=json" for one in ("/search", "/changes", "/")),
                    ):
                        seen.append((path, client.get(path)))

            readers = [threading.Thread(target=read) for _ in range(3)]
            for reader in readers:
                reader.start()
            try:
                portal.night = 2
                second = harvest(portal, data).harvest_id
                until = time.monotonic() + 60
                while client.get("/search?format=json").json()["harvest_id"] != second and time.monotonic() < until:
                    time.sleep(0.05)
            finally:
                over.set()
                for reader in readers:
                    reader.join()
    nights = {first: 0, second: 0}
    for path, answer in seen:
        assert answer.status_code == 200
        if path.startswith("/projects"):
            assert ("35 %" in answer.text, "60 %" in answer.text) == (
                first in footer(answer.text),
                second in footer(answer.text),
            )
            continue
        document = answer.json()
        nights[document["harvest_id"]] += 1
        known = {row.get("harvest_id") for row in document["rows"]} - {None}
        assert all(id_ <= document["harvest_id"] for id_ in known), path
        if path.startswith(("/?", "/changes")) and document["harvest_id"] == second:
            assert second in known
    assert all(nights.values())


def footer(page: str) -> str:
    return page[page.index("<footer") :]
