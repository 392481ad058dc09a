"""A store on a real S3 server (moto's, a process of its own on loopback): the same answers, whoever writes, dies or reads."""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
import pyarrow.fs
import pyarrow.parquet as pq
import pytest
from support.served_store import served_store

from flows.cli import main
from pipeline.errors import StoreBusyError, StoreDamagedError, StoreError
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.result import HarvestResult, Scope
from pipeline.harvest.run import HarvestRun, run_harvest
from pipeline.location import local_folder
from pipeline.settings import load_settings
from pipeline.store.mirror import Mirror
from pipeline.store.verify_remote import verify_remote
from pipeline.store.writer import create_store, open_archive, open_writer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("s3") / "log"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with log.open("wb") as stream, subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT) as process:
        try:
            for _ in range(300):
                if found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text()):
                    yield found[0]
                    return
                time.sleep(0.1)
            pytest.fail(f"the S3 server did not start: {log.read_text()}")
        finally:
            process.kill()


@pytest.fixture
def url(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    bucket = f"b{os.getpid()}-{abs(hash(tmp_path)) % 10**8}"
    urllib.request.urlopen(urllib.request.Request(f"{server}/{bucket}", method="PUT")).close()
    return f"s3://{bucket}/portal"


def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """From here on, as on another machine: with a mirror of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / name))


def night(portal: DemoPortal, url: str) -> HarvestResult:
    settings = load_settings(portal=portal.url, data=url, rate=1_000_000, retries=0, backoff=0)
    store = create_store(settings.data, portal.url)
    with open_writer(store.root) as store:
        begun = HarvestRun.begin(settings, store, Scope())
        result = run_harvest(begun)
        begun.close()
    assert result is not None
    return result


def tables(url: str, when: str = "latest") -> dict[str, Any]:
    store = open_archive(url)
    return {name: store.arrow(name, when).to_pylist() for name in store.tables}


def test_nights_from_two_machines_make_one_history(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: str
) -> None:
    with DemoPortal() as portal:
        first = night(portal, url)
        after_first = tables(url)
        elsewhere(monkeypatch, tmp_path, "other")
        portal.night = 2
        portal.requests.clear()
        second = night(portal, url)
        elsewhere(monkeypatch, tmp_path, "state")
        portal.night = 3
        third = night(portal, url)
    assert second.outcomes["unchanged"]  # the second machine knew what the first had kept
    here = tables(url)
    elsewhere(monkeypatch, tmp_path, "reader")
    store = open_archive(url)
    assert store.harvest_ids() == [first.harvest_id, second.harvest_id, third.harvest_id]
    assert tables(url) == here
    assert tables(url, first.harvest_id) == after_first
    assert verify_remote(url, deep=True) == []
    # an analyst needs no library of ours
    files = pyarrow.fs.S3FileSystem(endpoint_override=server, scheme="http", access_key="testing", secret_key="testing")
    root = url.removeprefix("s3://")
    latest = json.loads(files.open_input_stream(f"{root}/latest.json").read())
    projects = pq.read_table(f"{root}/{latest['tables']['projects']}", filesystem=files)
    assert projects.to_pylist() == here["projects"]
    # and the browser shows it as it shows a folder
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with served_store(url) as browser:
        shown = browser.get("/search?kind=project&format=json").json()
        assert shown["harvest_id"] == third.harvest_id
        assert {row["project_code"] for row in here["projects"]} <= {row["code"] for row in shown["rows"]}
        sha256 = browser.get("/projects/24000000-3051?format=json").json()["timeline"][0]["page_sha256"]
        assert hashlib.sha256(browser.get(f"/pages/{sha256}/body").content).hexdigest() == sha256


def test_the_commands_take_the_address(url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with DemoPortal() as portal:
        night(portal, url)
    main(["status", "--data", url])
    assert f"{url}: 1 harvest of http://127.0.0.1" in capsys.readouterr().out
    main(["export", "latest", "--data", url, "--out", str(tmp_path / "out")])
    assert pq.read_table(tmp_path / "out" / "projects.parquet").num_rows == 16
    main(["verify", "--deep", "--data", url])
    assert f"{url} is whole" in capsys.readouterr().out


def test_a_second_writer_is_refused_and_a_dead_ones_lease_replaced(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with DemoPortal() as portal:
        night(portal, url)
        store = open_archive(url)
        with open_writer(store.root) as store:
            elsewhere(monkeypatch, tmp_path, "other")
            with pytest.raises(StoreBusyError, match=rf"written by process {os.getpid()} on .*, alive \d s ago"):
                night(portal, url)
        remote = Mirror(url, local_folder(url))
        holder = {"host": "gone", "process": 1, "mirror": "gone:/x", "renewed_at": "2020-01-01T00:00:00+00:00"}
        obstore.put(remote.objects._objects, "lock.json", json.dumps(holder).encode())
        assert night(portal, url).published
    assert "lock.json" not in remote.objects.names()


def test_two_writers_that_both_think_they_are_alone(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with DemoPortal() as portal:
        night(portal, url)
        store = open_archive(url)
        portal.night = 2
        with pytest.raises(StoreBusyError, match="gone on without"), open_writer(store.root) as store:  # noqa: PT012
            begun = HarvestRun.begin(
                load_settings(portal=portal.url, data=url, rate=1_000_000), store, Scope(agencies=("24000000",))
            )
            assert run_harvest(begun)
            begun.close()
            Mirror(url, store.root).objects.delete("lock.json")
            elsewhere(monkeypatch, tmp_path, "other")
            other = night(portal, url)
        elsewhere(monkeypatch, tmp_path, "reader")
        assert open_archive(url).latest_id() == other.harvest_id
    assert verify_remote(url) == []


@pytest.mark.slow
def test_a_writer_killed_at_any_write_leaves_a_whole_state(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with DemoPortal() as portal:
        night(portal, url)
        before = tables(url)
        portal.night = 2
        step, states = 0, []
        while True:
            step += 7
            done = subprocess.run(
                [
                    sys.executable,
                    str(Path(__file__).parents[1] / "support" / "dying_writer.py"),
                    portal.url,
                    url,
                    str(step),
                ],
                capture_output=True,
                text=True,
                timeout=120,
            )
            elsewhere(monkeypatch, tmp_path, f"reader-{step}")
            states.append(tables(url))
            assert states[-1] == before or done.returncode == 0 or states[-1]["pages"] != before["pages"]
            elsewhere(monkeypatch, tmp_path, "state")
            if done.returncode == 0:
                break
            assert done.returncode == -9, done.stderr
        assert len(open_archive(url).harvest_ids()) == 2  # the one that was killed was pushed by the starts after it
    assert step > 12
    assert states[0] == before
    assert all(state in (before, states[-1]) for state in states)
    assert verify_remote(url, deep=True) == []


def test_a_changed_object_is_found_and_never_believed(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with DemoPortal() as portal:
        result = night(portal, url)
    remote = Mirror(url, local_folder(url))
    for key in sorted(remote.objects.names())[::2]:
        content = bytes(obstore.get(remote.objects._objects, key).bytes())
        middle = len(content) // 2
        obstore.put(
            remote.objects._objects, key, content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]
        )
        assert verify_remote(url), key
        obstore.put(remote.objects._objects, key, content)
    assert verify_remote(url) == []
    obstore.put(remote.objects._objects, f"harvests/{result.harvest_id}/projects.parquet", b"PAR1")
    elsewhere(monkeypatch, tmp_path, "reader")
    with pytest.raises(StoreDamagedError, match=r"projects\.parquet is not what was committed"):
        open_archive(url)


def test_readers_of_one_mirror_do_not_disturb_each_other_nor_a_writer(url: str, tmp_path: Path) -> None:
    with DemoPortal() as portal:
        store_id = night(portal, url).harvest_id
    program = "import sys; from pipeline.store.writer import open_archive; print(open_archive(sys.argv[1]).latest_id())"
    fresh = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "fresh")}
    readers = [
        subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE, text=True, env=fresh)
        for _ in range(4)
    ]
    assert [reader.communicate()[0].strip() for reader in readers] == [store_id] * 4
    with open_writer(local_folder(url)):
        assert open_archive(url).latest_id() == store_id


def test_what_a_dead_writer_uploaded_is_no_damage(url: str) -> None:
    with DemoPortal() as portal:
        night(portal, url)
        objects = Mirror(url, local_folder(url)).objects
        for key in ("harvests/20991231T000000Z/pages.parquet", "runs/20991231T000000Z/report.txt"):
            objects.write(key, b"half")
        assert verify_remote(url) == []
        objects.write("harvests/notes.txt", b"mine")
        assert [problem.where for problem in verify_remote(url)] == ["harvests/notes.txt"]


def test_an_address_that_is_none_and_a_server_that_is_away(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for other in ("gs://bucket/x", "az://bucket/x"):
        with pytest.raises(StoreError, match="are not supported"):
            local_folder(other)
    for wrong in ("ftp://bucket/x", "s3://"):
        with pytest.raises(StoreError, match="no place for a store"):
            local_folder(wrong)
    with pytest.raises(StoreError, match=f"{url} holds no store"):
        open_archive(url)
    with pytest.raises(StoreError, match="s3://no-such-bucket/x names a bucket that does not exist"):
        open_archive("s3://no-such-bucket/x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("pipeline.store.object_storage._RETRIES", 0)  # their pauses would be most of this test
    with pytest.raises(SystemExit) as ended:
        main(["status", "--data", f"{url}-away"])
    assert ended.value.code == 2
    assert "cannot be reached" in capsys.readouterr().err
