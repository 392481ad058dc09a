"""The history in a browser: every address of a store of three nights, asked as a browser asks."""

import io
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from support.harvests import harvest
from support.served_store import served_store

from pipeline.browse import queries
from pipeline.browse.index import index_folder, open_index
from pipeline.browse.site import Site
from pipeline.browse.texts import Words
from pipeline.compare.diff import states_differ
from pipeline.errors import StoreError
from pipeline.harvest.demo_portal import FIXTURES, DemoPortal
from pipeline.store.writer import open_archive

PROJECT = "24000000-3051"
"""A project of the demo portal whose history is rewritten on the third night."""


@contextmanager
def browser(data: Path, *, contacts: bool = True) -> Iterator[httpx.Client]:
    """A client of `bma-progress browse`, as users start it."""
    command = [sys.executable, "-c", "from flows.cli import main; main()", "browse", "--data", str(data), "--port", "0"]
    environment = {**os.environ, "BMA_PROGRESS_PUBLISH_CONTACTS": str(contacts).lower(), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().split(" ")[0]
            with httpx.Client(base_url=address, headers={"accept-language": "en"}, timeout=30) as client:
                yield client
        finally:
            process.send_signal(signal.SIGINT)
            status = process.wait(20)
    assert status in (0, 130)


@pytest.fixture(scope="module")
def client(three_nights: Path, cache: Path) -> Iterator[httpx.Client]:
    with browser(three_nights) as client:
        yield client


def first_page_hash(client: httpx.Client) -> str:
    timeline = client.get(f"/projects/{PROJECT}?format=json").json()["timeline"]
    return str(next(look["page_sha256"] for look in timeline if look["page_sha256"]))


def test_every_link_of_every_page_leads_somewhere(client: httpx.Client) -> None:
    to_do = ["/", "/search?q=", f"/projects/{PROJECT}", f"/pages/{first_page_hash(client)}"]
    seen: set[str] = set()
    while to_do and len(seen) < 150:
        path = to_do.pop(0)
        answer = client.get(path)
        assert answer.status_code == 200, path
        seen.add(path)
        if answer.headers["content-type"].startswith("text/html") and "/body" not in path and path != "/dictionary":
            links = re.findall(r'(?:href|src)="(/[^"#]*|\?[^"#]*)"', answer.text)
            to_do += (
                {
                    link.replace("&amp;", "&") if link[0] == "/" else path.split("?")[0] + link.replace("&amp;", "&")
                    for link in links
                }
                - seen
                - set(to_do)
            )
    client.cookies.clear()  # the switch of languages was among the links
    kinds = {re.split(r"[/?]", path)[1] for path in seen}
    assert kinds >= {
        "",
        "search",
        "projects",
        "kpis",
        "agencies",
        "changes",
        "flags",
        "pages",
        "dictionary",
        "changes.atom",
    }


def test_a_rewrite_is_found_read_and_proved(client: httpx.Client, three_nights: Path) -> None:
    found = client.get("/search", params={"rewritten": "1", "format": "json"}).json()["rows"]
    assert PROJECT in [row["code"] for row in found]
    page = client.get(f"/projects/{PROJECT}")
    assert "history rewritten" in page.text
    [change] = [
        row
        for row in client.get(
            "/changes", params={"code": PROJECT, "meaning": "report_edited", "format": "json"}
        ).json()["rows"]
        if row["column"] == "progress_percent"
    ]
    address = f"/changes/{change['harvest_id']}/{change['change_no']}"
    assert client.get(f"{address}?format=json").json() == change
    sha256 = re.search(r"/pages/([0-9a-f]{64})", client.get(address).text)
    assert sha256
    archive = open_archive(three_nights)
    body = client.get(f"/pages/{sha256[1]}/body")
    assert body.content in [
        archive.body(id_, sha256[1]) for id_ in archive.harvest_ids() if sha256[1] in archive.stored_pages(id_)
    ]
    bundle = client.get(f"/projects/{PROJECT}/evidence.zip")
    assert bundle.content[:2] == b"PK"


def test_two_nights_are_compared_as_diff_compares_them(client: httpx.Client, three_nights: Path) -> None:
    archive = open_archive(three_nights)
    first, _, third = archive.harvest_ids()
    rows = client.get("/changes", params={"from": first, "to": third, "format": "json"}).json()["rows"]
    told = [row for row in states_differ(archive, first, third).to_pylist() if row["detail"] != "part_of_record"]
    assert sorted((row["key"], row["column"] or "") for row in rows) == sorted(
        (row["key"], row["column"] or "") for row in told
    )


def test_search_finds_words_of_notes_and_of_changed_texts(client: httpx.Client) -> None:
    def codes(**query: Any) -> list[str]:
        return [row["code"] for row in client.get("/search", params={"format": "json", **query}).json()["rows"]]

    everything = codes()
    assert PROJECT in codes(q=PROJECT[:8])
    assert set(codes(q="โครงการ")) < set(everything)
    assert codes(q="ไม่มีคำนี้แน่นอน") == []
    assert codes(q="%") == codes(q="' OR 1=1 --") == codes(q='"') == []
    reports = client.get(f"/projects/{PROJECT}?format=json").json()["tables"]["progress_reports"]
    note = next(row["note"] for row in reports if row["note"] and len(row["note"]) > 10)
    assert PROJECT in codes(q=note.split()[0][:12])
    assert PROJECT in codes(q=note[-2:]), "two letters, and where a text ends"
    assert codes(q="ฅฅ") == []
    thai = PROJECT.translate(str.maketrans("0123456789", "๐๑๒๓๔๕๖๗๘๙"))
    assert PROJECT in codes(q=thai)
    assert codes(q=thai[:2]) == codes(q=PROJECT[:2])
    first = client.get("/?format=json").json()["rows"][-1]["harvest_id"]
    for between in ("", f"from={first}&to=latest&"):
        lists = [
            client.get(f"/changes?{between}format=json&{filters}").json()["rows"]
            for filters in (f"code={PROJECT}&agency={PROJECT[:8]}", f"code={thai}&agency={thai[:4]}", "q=None")
        ]
        assert lists[0] == lists[1] != lists[2] == []


def test_a_search_shows_the_words_around_its_hits(client: httpx.Client) -> None:
    def found(words: str) -> str:
        row = re.search(f'/projects/{PROJECT}">.*?</tr>', client.get("/search", params={"q": words}).text, re.DOTALL)
        return row[0] if row else ""

    reports = client.get(f"/projects/{PROJECT}?format=json").json()["tables"]["progress_reports"]
    note = next(row["note"] for row in reports if row["note"] and len(row["note"]) > 25)
    word = note[10:20].strip()
    (name,) = re.findall(r"<h1>.*<bdi>(.*?)</bdi>", client.get(f"/projects/{PROJECT}").text)
    assert f"<mark>{word}</mark>" in found(word)
    assert f"<mark>{name[:8]}</mark>{name[8:20]}" in found(name[:8]), "in the name itself"
    assert found(f"{word} {name[:8]}").count("<mark>") >= 2


def test_lists_come_as_data_and_feeds_are_well_formed(client: httpx.Client) -> None:
    table = client.get("/changes?format=csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert len(table.text.splitlines()) > 1
    assert client.get("/agencies?format=parquet").content[:4] == b"PAR1"
    feed = ElementTree.fromstring(client.get("/changes.atom").content)
    entries = feed.findall("{http://www.w3.org/2005/Atom}entry")
    items = client.get("/changes.json").json()["items"]
    assert len(entries) == len(items) > 0
    assert all(client.get(item["url"]).status_code == 200 for item in items[:3])
    elsewhere = client.get("/changes.json", headers={"host": f"localhost:{client.base_url.port}"}).json()["items"]
    assert elsewhere[0]["url"] != items[0]["url"]
    assert [item["id"] for item in elsewhere] == [item["id"] for item in items], "a reader knows them again"


def test_nothing_can_be_changed_and_nothing_of_the_portal_runs(client: httpx.Client) -> None:
    for method in ("post", "put", "delete", "patch"):
        assert getattr(client, method)("/search").status_code == 405
    assert client.head("/").status_code == 200
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
    sha256 = first_page_hash(client)
    assert (
        client.get(f"/pages/{sha256}/body").headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    )
    page = client.get(f"/pages/{sha256}")
    assert "<iframe sandbox " in page.text
    assert "script" not in page.headers["content-security-policy"]
    for path in (
        "/pages/../../etc/passwd",
        "/projects/x",
        "/changes/x/1",
        "/kpis/%2e%2e",
        f"/kpis/{PROJECT}",
        "/nothing",
    ):
        assert client.get(path).status_code == 404, path
    for query in ("from=2569-01-01&to=latest", "page=x", "page=0", "night=nonsense"):
        answer = client.get(f"/changes?{query}")
        assert answer.status_code == 400, query
        assert "Traceback" not in answer.text
    assert client.get("/search?format=xml").status_code == 200  # an unknown format is shown as a page


def test_an_unchanged_page_is_not_sent_again_and_thai_is_thai(client: httpx.Client) -> None:
    client.cookies.clear()
    first = client.get("/flags")
    assert client.get("/flags", headers={"if-none-match": first.headers["etag"]}).status_code == 304
    thai = client.get("/flags", headers={"accept-language": "th-TH,th;q=0.9"})
    assert '<html lang="th">' in thai.text
    assert thai.headers["etag"] != first.headers["etag"]
    switched = client.get("/flags?lang=th")
    assert "lang=th" in switched.headers["set-cookie"]
    again = client.get("/flags?lang=th", headers={"if-none-match": f'"other", W/{switched.headers["etag"]}'})
    assert (again.status_code, again.headers["set-cookie"]) == (304, switched.headers["set-cookie"])
    client.cookies.clear()


def test_contacts_are_withheld_with_the_pages_that_print_them(three_nights: Path, cache: Path) -> None:
    with browser(three_nights, contacts=False) as client:
        sha256 = first_page_hash(client)
        assert "contacts" not in client.get(f"/projects/{PROJECT}?format=json").json()["tables"]
        assert client.get(f"/pages/{sha256}?format=json").json()["document"] is None
        for path in (f"/pages/{sha256}/body", f"/projects/{PROJECT}/evidence.zip"):
            assert client.get(path).status_code == 403


def test_a_damaged_index_is_made_again_and_an_old_one_extended(three_nights: Path, cache: Path) -> None:
    archive = open_archive(three_nights)
    file = open_index(archive, contacts=True).file
    kept = file.stat().st_mtime_ns
    killed = file.with_name("new-killed")
    killed.touch()
    os.utime(killed, (0, 0))
    assert open_index(archive, contacts=True).file.stat().st_mtime_ns == kept
    with file.open("r+b") as stream:
        stream.seek(5_000)
        stream.write(b"\xff" * 3_000)
    assert open_index(archive, contacts=True).rows("SELECT count(*) AS n FROM records")[0]["n"] > 10
    connection = sqlite3.connect(file)  # as it was before the last night
    newest = archive.harvest_ids()[-1]
    connection.execute("UPDATE about SET value = 'older' WHERE name = 'head'")
    for table in ("nights", "looks", "bodies", "changes"):
        connection.execute(f"DELETE FROM {table} WHERE harvest_id = ?", (newest,))
    connection.execute("UPDATE texts SET sha256 = x'00' WHERE code = ?", (PROJECT,))
    connection.execute("INSERT INTO texts (code) VALUES ('24000000-0000')")
    connection.commit()
    connection.close()
    extended = open_index(archive, contacts=True)
    assert not killed.exists()
    assert {row["harvest_id"] for row in extended.rows("SELECT harvest_id FROM nights")} == set(archive.harvest_ids())
    assert extended.rows("SELECT count(*) AS n FROM changes WHERE harvest_id = ?", newest)[0]["n"] > 0
    found = {row["code"] for row in queries.search(extended, {"q": PROJECT[:8]}, None).rows}
    assert PROJECT in found
    known = {row["code"] for row in extended.rows("SELECT code FROM texts")}
    assert known == {row["code"] for row in extended.rows("SELECT code FROM records")}
    assert index_folder(archive).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("address", ["search", "changes", "flags"])
def test_a_downloaded_file_holds_the_whole_list(
    address: str, three_nights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "PER_PAGE", 2)
    archive = open_archive(three_nights)
    site = Site(archive, open_index(archive, contacts=True), Words("en"), contacts=True)
    show = getattr(site, address)
    page = json.loads(show({"format": "json"}).body)
    assert len(page["rows"]) == 2 < page["total"]
    assert page["next"] == "format=json&page=2"
    none = show({"format": "csv", "code": "0", "q": "nowhere"}).body
    assert pa_csv.read_csv(io.BytesIO(none)).num_rows == 0, "a list of nothing has its columns"
    assert f'?page={-(-page["total"] // 2)}"' in show({"page": "999"}).body.decode(), "back to the last page there is"
    assert len(pq.read_table(io.BytesIO(show({"format": "parquet"}).body))) == page["total"]
    assert pa_csv.read_csv(io.BytesIO(show({"format": "csv"}).body)).num_rows == page["total"]


def test_a_page_that_looked_at_few_changes_says_so(three_nights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = open_archive(three_nights)
    site = Site(archive, open_index(archive, contacts=True), Words("en"), contacts=True)
    said = "this page looked at the newest"
    word = {"q": "แล้ว"}
    everything = json.loads(site.changes({**word, "format": "json"}).body)["total"]
    assert everything > 1
    assert said not in site.changes(word).body.decode()
    monkeypatch.setattr(queries, "_MOST_FOUND", 1)
    assert json.loads(site.changes({**word, "format": "json"}).body)["total"] == 1
    assert said in site.changes(word).body.decode()
    assert said in site.search(word).body.decode()
    assert pa_csv.read_csv(io.BytesIO(site.changes({**word, "format": "csv"}).body)).num_rows == everything
    chosen = {**word, "meaning": "report_edited", "format": "json"}
    assert json.loads(site.changes(chosen).body)["total"] == 1, "what another filter leaves is not missed"


def test_what_is_lost_while_the_server_runs_is_made_again(three_nights: Path, cache: Path) -> None:
    with served_store(three_nights) as client:
        file = open_index(open_archive(three_nights), contacts=True).file
        file.write_bytes(b"no index")
        assert [client.get(f"/search?q={PROJECT}&page={page}").status_code for page in (1, 2)] == [200, 200]
        file.unlink()
        assert PROJECT in client.get("/search?format=json").text


def test_damage_is_the_servers_fault_until_it_is_repaired(three_nights: Path, tmp_path: Path) -> None:
    store = shutil.copytree(three_nights, tmp_path / "store", symlinks=True)
    newest = open_archive(store).harvest_ids()[-1]
    (sha256, *_) = open_archive(store).stored_pages(newest)
    files = {file: file.read_bytes() for file in (store / "harvests").glob("*/bodies.parquet")}
    with served_store(store) as client:
        for file, content in files.items():
            file.write_bytes(content[: len(content) // 2])
        damaged = client.get(f"/pages/{sha256}")
        assert (damaged.status_code, "restore it" in damaged.text) == (500, True)
        for file, content in files.items():
            file.write_bytes(content)
        assert client.get(f"/pages/{sha256}").status_code == 200


class _EmptiedPortal(DemoPortal):
    """A portal that for one night shows its template with no record in place of most projects."""

    emptied = False

    def answer(self, path: str) -> tuple[int, str, bytes]:
        if self.emptied and "myproject" in path:
            return 200, "text/html; charset=UTF-8", (FIXTURES / "verdicts/empty/template-project.html").read_bytes()
        return super().answer(path)


def test_the_page_before_a_change_is_the_one_that_was_published(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    shutil.copytree(FIXTURES, pages)
    nights = json.loads((pages / "nights.json").read_bytes())
    city = [["20 ของแหล่งน้ำที่สำรวจ", "10 ของแหล่งน้ำที่สำรวจ"]]
    nights["2"].append({"file": "city-87.html", "why": "a lower target of the city", "edits": city})
    (pages / "nights.json").write_text(json.dumps(nights), encoding="utf-8")
    with _EmptiedPortal(fixtures=pages) as portal:
        harvest(portal, tmp_path / "store")
        portal.emptied = True
        assert harvest(portal, tmp_path / "store").held_back
        portal.emptied, portal.night = False, 2
        newest = harvest(portal, tmp_path / "store").harvest_id
    with served_store(tmp_path / "store") as client:
        rows = client.get(f"/changes?night={newest}&format=json").json()["rows"]
        for row in rows:
            if row["column"] not in ("note", "target"):
                continue
            shown = client.get(f"/changes/{newest}/{row['change_no']}").text
            before, after = re.findall(r"/pages/([0-9a-f]{64})", shown)
            assert row["before"] in client.get(f"/pages/{before}?format=json").text
            assert row["after"] in client.get(f"/pages/{after}?format=json").text
        assert {"progress_reports", "city_indicators"} <= {row["table"] for row in rows}
        assert client.get(f"/projects/{PROJECT}").text.count("✗ held back") == 1


def test_an_index_lies_where_only_this_user_can_put_one(
    three_nights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = open_archive(three_nights)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert index_folder(archive).is_relative_to(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/cache")
    with pytest.raises(StoreError, match=r"cannot be made .* XDG_CACHE_HOME"):
        index_folder(archive)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "bma-progress").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "shared"))
    folder = index_folder(archive)  # a user may keep caches on another disk
    assert folder.resolve().parent == tmp_path / "elsewhere"
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(StoreError, match="is a link or another user's"):
        index_folder(archive)
    folder.unlink()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(StoreError, match="is a link or another user's"):
        index_folder(archive)
