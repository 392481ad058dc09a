"""Thirty nights of a portal that edits, drops and brings back: each night can be had again exactly as it was published."""

import random
import threading
from collections import Counter
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from support.synthetic_portal import Handler, changes_until, code_of, is_gone

from parsers import parse_page
from pipeline.compare.diff import states_differ
from pipeline.harvest.result import Scope
from pipeline.harvest.run import HarvestRun, run_harvest
from pipeline.settings import load_settings
from pipeline.store import looks
from pipeline.store.stored_pages import file_of
from pipeline.store.verify import verify_store
from pipeline.store.writer import create_store, open_archive, open_writer

PROJECTS, NIGHTS, SHARE = 40, 30, 0.05
Nights = tuple[Path, dict[str, dict[str, pa.Table]]]
"""The store, and the tables of each harvest as they were published."""

pytestmark = pytest.mark.slow


class Portal(Handler):
    projects, share, requests = PROJECTS, SHARE, []


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Nights:
    data = tmp_path_factory.mktemp("nights") / "store"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Portal)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    published = {}
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        settings = load_settings(portal=url, data=data, rate=1_000_000, max_gone_share=1)
        store = create_store(data, url)
        for night in range(1, NIGHTS + 1):
            Portal.night = night
            with open_writer(store.root) as store:
                begun = HarvestRun.begin(settings, store, Scope())
                result = run_harvest(begun)
                begun.close()
            assert result is not None
            assert result.published
            published[result.harvest_id] = {name: store.arrow(name) for name in store.tables}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    return data, published


def test_nights_are_had_again_as_they_were_published(nights: Nights) -> None:
    data, published = nights
    store = open_archive(data)
    assert store.harvest_ids() == list(published)
    assert len(list((data / "snapshots").iterdir())) < NIGHTS  # most states are derived, not copied
    for id_ in [*list(published)[::4], *list(published)[-2:]]:
        for name, table in published[id_].items():
            assert store.arrow(name, id_).equals(table), f"{name} as of {id_}"


def test_what_each_night_changed_is_what_the_portal_edited(
    nights: Nights,
) -> None:
    data, published = nights
    store, ids = open_archive(data), list(published)
    for night in range(2, NIGHTS + 1):
        edited = {code_of(n) for n in range(PROJECTS) if night in changes_until(n, night, SHARE)}
        dropped = {code_of(n) for n in range(PROJECTS) if is_gone(n, night)}
        ended = {code_of(n) for n in range(PROJECTS) if is_gone(n, night) and is_gone(n, night - 1)}
        came_back = {code_of(n) for n in range(PROJECTS) if is_gone(n, night - 1) and not is_gone(n, night)}
        changes = states_differ(store, ids[night - 2], ids[night - 1]).to_pandas()
        found = set(changes["project_code"].dropna()) if len(changes) else set()
        assert found - ended - came_back == edited - dropped - came_back, f"night {night}"
        meanings = Counter(changes["meaning"]) if len(changes) else Counter()
        assert bool(meanings["project_back"]) == bool(came_back), f"night {night}"


def test_runs_of_looks_are_the_looks_and_open_few_files(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = nights
    store = open_archive(data)
    opened: list[str] = []
    monkeypatch.setattr(looks, "file_of", lambda *file: (opened.append(file[1]), file_of(*file))[1])
    for number in range(PROJECTS):
        expected: list[list[Any]] = []
        every = looks.looks_at(store, code_of(number))
        for look in sorted(every, key=lambda look: look["page_key"]):
            same = [look["page_key"], look["outcome"], look["ended_at"] is None]
            if expected and expected[-1][:3] == same and look["outcome"] not in ("new", "changed"):
                expected[-1][4] += 1
            else:
                expected.append([*same, look["fetched_at"], 1, look["page_sha256"]])
        opened.clear()
        runs = sorted(looks.runs_of_looks(store, code_of(number)), key=lambda run: run.first["page_key"])
        assert [
            [
                look["page_key"],
                look["outcome"],
                look["ended_at"] is None,
                look["fetched_at"],
                count,
                look["page_sha256"],
            ]
            for look, _, _, count in runs
        ] == expected
        assert len(opened) <= 3 * len(runs)


def test_stored_bytes_prove_every_version(nights: Nights) -> None:
    data, published = nights
    store = open_archive(data)
    for id_ in list(published)[::7]:
        pages = store.arrow("pages", id_).to_pylist()
        names = {row["project_code"]: row["name"] for row in store.arrow("projects", id_).to_pylist()}
        for page in pages:
            if page["kind"] == "project" and page["version_harvest_id"] and page["ended_at"] is None:
                body = store.body(page["record_body_harvest_id"], page["record_sha256"])
                assert parse_page(body).tables["projects"][0]["name"] == names[page["project_code"]]
    assert verify_store(data, deep=True) == []


def test_any_changed_byte_is_found(nights: Nights) -> None:
    data, _ = nights
    chance = random.Random(30)
    files = [
        path for path in sorted(data.rglob("*")) if path.is_file() and not path.is_symlink() and path.name != ".lock"
    ]
    for file in chance.sample(files, 40):
        content = file.read_bytes()
        place = chance.randrange(len(content))
        file.write_bytes(content[:place] + bytes([content[place] ^ (1 << chance.randrange(8))]) + content[place + 1 :])
        assert verify_store(data), f"{file.relative_to(data)}, byte {place}"
        file.write_bytes(content)
    assert verify_store(data) == []
