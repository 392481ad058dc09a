"""The site of static files: every link leads somewhere, only what changed is written, nothing of others is touched."""

import json
import re
from hashlib import sha256
from pathlib import Path
from posixpath import dirname, join, normpath
from xml.etree import ElementTree

import pytest
from support.command import run

from pipeline.store.writer import open_archive

PROJECT = "24000000-3051"


@pytest.fixture(scope="module")
def site(three_nights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site") / "out"
    assert write(three_nights, out).startswith("0 ")
    return out


def write(data: Path, out: Path, *options: str) -> str:
    """Run the command; its exit status and both outputs."""
    done = run("site", "--data", str(data), "--out", str(out), *options)
    return f"{done.returncode} {done.stdout}{done.stderr}"


def own_files(site: Path) -> dict[str, bytes]:
    return {str(path.relative_to(site)): path.read_bytes() for path in sorted(site.rglob("*")) if path.is_file()}


def test_every_link_leads_to_a_file_and_every_anchor_to_an_element(site: Path) -> None:
    files = own_files(site)
    pages = {path: body.decode() for path, body in files.items() if path.endswith(".html")}
    assert {"index.html", f"projects/{PROJECT}.html", f"en/projects/{PROJECT}.html", "en/flags.html"} <= pages.keys()
    ids = {path: set(re.findall(r' id="([^"]+)"', text)) for path, text in pages.items()}
    checked = 0
    for path, text in pages.items():
        assert "None" not in re.findall(r'(?:href|src)="([^"]*)"', text)
        for link in re.findall(r'(?:href|src)="([^"]*)"', text):
            if link.startswith("data:"):
                continue
            assert not re.match(r"[a-z]+:|/|\?", link), (path, link)
            name, _, anchor = link.partition("#")
            target = normpath(join(dirname(path), name)) if name else path
            assert target in files, (path, link)
            assert not anchor or anchor in ids[target] | {"main"}, (path, link)
            checked += 1
    assert checked > 1_000


def test_feeds_have_an_absolute_name_and_no_next_page(site: Path) -> None:
    for folder in (site, site / "en"):
        assert "next_url" not in json.loads((folder / "changes.json").read_bytes())
        name = ElementTree.parse(folder / "changes.atom").findtext("{http://www.w3.org/2005/Atom}id")
        assert str(name).startswith("urn:uuid:")


def test_it_shows_what_changed_and_withholds_contacts(site: Path, three_nights: Path) -> None:
    page = (site / f"en/projects/{PROJECT}.html").read_text(encoding="utf-8")
    assert "history rewritten" in page
    assert "<script" not in page
    lines = open_archive(three_nights).arrow("contacts")["contact"].drop_null().to_pylist()
    everything = b"".join(own_files(site).values()).decode("utf-8", "replace")
    personal = [line for line in lines if "โทร" in line]  # one line is only the name of an office
    assert personal
    assert [line for line in personal if line in everything] == []


def test_index_sitemap_and_feeds_say_what_is_there(site: Path, three_nights: Path, tmp_path: Path) -> None:
    about = json.loads((site / "index.json").read_bytes())
    assert about["harvest_id"] == open_archive(three_nights).latest_id()
    for path, file in about["data"].items():
        assert sha256((site / path).read_bytes()).hexdigest() == file["sha256"]
    out = tmp_path / "published"
    assert write(three_nights, out, "--url", "https://example.org/bma", "--contacts", "--nights", "1").startswith("0 ")
    space = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
    found = [element.text or "" for element in ElementTree.parse(out / "sitemap.xml").iter(f"{space}loc")]
    assert f"https://example.org/bma/en/projects/{PROJECT}.html" in found
    assert all((out / address.removeprefix("https://example.org/bma/")).is_file() for address in found)
    items = json.loads((out / "en/changes.json").read_bytes())["items"]
    assert items
    assert all(
        item["url"].startswith("https://example.org/bma/en/") and item["id"][:9] == "urn:uuid:" for item in items
    )
    everything = b"".join(own_files(out).values()).decode("utf-8", "replace")
    assert open_archive(three_nights).arrow("contacts")["contact"].drop_null()[-1].as_py() in everything


def test_only_what_changed_is_written_and_nothing_of_others_is_touched(site: Path, three_nights: Path) -> None:
    before = {path: (site / path).stat().st_mtime_ns for path in own_files(site)}
    page, own, foreign = site / f"projects/{PROJECT}.html", site / "kpis/0000-0000.html", site / "notes.txt"
    page.write_bytes(b"changed")
    own.write_bytes(b"of an earlier night")
    foreign.write_bytes(b"of somebody else")
    outside = site.parent / "outside.txt"
    outside.write_bytes(b"not in the folder")
    listed = site / "site-files.txt"
    listed.write_text(listed.read_text(encoding="utf-8") + "kpis/0000-0000.html\n../outside.txt\n", encoding="utf-8")
    assert "1 files written" in write(three_nights, site)
    written = [path for path in before if (site / path).stat().st_mtime_ns != before[path]]
    assert sorted(written) == [f"projects/{PROJECT}.html", "site-files.txt"]
    assert not own.exists()
    assert foreign.read_bytes() == b"of somebody else"
    assert outside.exists()


def test_a_folder_of_another_and_withheld_contacts_are_refused(
    three_nights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index.html").write_text("another site")
    assert "is there and not of this site" in write(three_nights, tmp_path)
    assert (tmp_path / "index.html").read_text() == "another site"
    assert "lies in the store" in write(three_nights, three_nights / "latest" / "site")
    assert "is no address of a site" in write(three_nights, tmp_path / "new", "--url", "example.org")
    monkeypatch.setenv("BMA_PROGRESS_PUBLISH_CONTACTS", "false")
    assert write(three_nights, tmp_path / "new", "--contacts").startswith("2 ")
