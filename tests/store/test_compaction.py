"""A month in one file: every answer stays what it was, every byte is still proven, and a kill in the middle costs nothing."""

import hashlib
import os
import random
import shutil
import signal
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.verifying import verify_deeply

from flows.cli import main
from pipeline.compare.diff import states_differ
from pipeline.compare.timeline import timeline_text
from pipeline.errors import StoreDamagedError
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.replay import parser_changes
from pipeline.harvest.result import Scope
from pipeline.harvest.run import HarvestRun, run_harvest
from pipeline.operate.status import condition, status_view
from pipeline.publish.evidence import write_evidence
from pipeline.settings import load_settings
from pipeline.store import packs
from pipeline.store.verify import verify_store
from pipeline.store.writer import StoreWriter, create_store, open_archive, open_writer

NEXT_MONTH = datetime(2090, 1, 1, tzinfo=UTC)
IDS = ("20261031T165959Z", "20261031T170000Z", "20261031T235959Z")  # of one month in UTC, of two in Bangkok


def night(portal: DemoPortal, data: Path) -> None:
    settings = load_settings(portal=portal.url, data=data, rate=1_000_000, retries=0, backoff=0, keep_snapshots=1)
    store = create_store(data, portal.url)
    with open_writer(store.root) as store:
        begun = HarvestRun.begin(settings, store, Scope())
        assert run_harvest(begun)
        begun.close()


@pytest.fixture(scope="module")
def three_nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("packed") / "store"
    begins = iter(IDS)
    with DemoPortal() as portal, pytest.MonkeyPatch.context() as at_its_time:
        at_its_time.setattr("pipeline.harvest.run.new_harvest_id", lambda store: next(begins))
        for number in (1, 2, 3):
            portal.night = number
            night(portal, data)
    return data


def answers(data: Path, out: Path) -> dict[str, Any]:
    """The hashes of everything the store is asked."""
    store = open_archive(data)
    ids = store.harvest_ids()
    found: dict[str, Any] = {
        f"{name} as of {id_}": hashlib.sha256(repr(store.arrow(name, id_).to_pylist()).encode()).hexdigest()
        for id_ in ids
        for name in store.tables
    }
    found["manifests"] = [store.manifest(id_) for id_ in ids]
    found["history"] = timeline_text(store, "24000000-3051")
    found["status"] = str(status_view(store, condition(store, 1e9))).partition("hours ago")[2]
    found["diff"] = states_differ(store, ids[0], ids[-1]).to_pylist()
    found["replay"] = (parser_changes(store, ids[0])[1:], len(parser_changes(store, ids[0])[0]))
    write_evidence(store, "24000000-3051", out)
    found["evidence"] = {
        file.relative_to(out).as_posix(): file.read_bytes()
        for file in out.rglob("*.json*")
        if file.name != "bundle.json"
    }
    return found


def test_packing_a_month_changes_no_answer(three_nights: Path, tmp_path: Path) -> None:
    data = tmp_path / "store"
    shutil.copytree(three_nights, data, symlinks=True)
    before = answers(data, tmp_path / "before")
    files = {path.relative_to(data): path.read_bytes() for path in (data / "harvests").rglob("*") if path.is_file()}
    store = open_archive(data)
    with open_writer(store.root) as store:
        (pack,) = store.compact(NEXT_MONTH)
        assert store.compact(NEXT_MONTH) == []
    assert [path.name for path in (data / "harvests").iterdir()] == [pack.name]
    assert answers(data, tmp_path / "after") == before
    assert verify_deeply(data) == []
    with zipfile.ZipFile(pack) as archive:  # any unzip gives the very files back
        assert {Path("harvests") / name: archive.read(name) for name in archive.namelist()} == files
    shutil.rmtree(data / "snapshots")  # derived: made anew from the pack
    (data / "snapshots").mkdir()
    with open_writer(store.root) as store:
        pass
    assert answers(data, tmp_path / "again") == before


def test_the_command_packs_the_months_that_are_over(
    three_nights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "store"
    shutil.copytree(three_nights, data, symlinks=True)
    compacted = StoreWriter.compact
    next_month = datetime(2026, 11, 1, tzinfo=UTC)
    for now in (next_month - timedelta(seconds=1), next_month):  # the month of the ids, not the one in Bangkok
        monkeypatch.setattr(StoreWriter, "compact", lambda self, now=now: compacted(self, now))
        main(["compact", "--data", str(data)])
        if now < next_month:
            assert capsys.readouterr().out == "every month that is over is packed already\n"
    assert capsys.readouterr().out.endswith(".zip holds 3 harvests\n")
    assert verify_store(data) == []


def test_harvests_go_on_after_packing(three_nights: Path, tmp_path: Path) -> None:
    data = tmp_path / "store"
    shutil.copytree(three_nights, data, symlinks=True)
    with DemoPortal() as portal:
        (data / "store.json").write_bytes((data / "store.json").read_bytes())
        store = open_archive(data)
        with open_writer(store.root) as store:
            store.compact(NEXT_MONTH)
        settings = load_settings(portal=store.portal, data=data, rate=1_000_000, retries=0, backoff=0)
        assert settings.portal == store.portal
        portal.night = 3
    # a month that is packed and gets another harvest is packed again, with the former ones
    folder = packs.harvest_folder(data / "harvests", store.harvest_ids()[-1])
    assert isinstance(folder, zipfile.Path)
    unpacked = data / "harvests" / store.harvest_ids()[-1]
    unpacked.mkdir()
    for file in folder.iterdir():
        (unpacked / file.name).write_bytes(file.read_bytes())
    with open_writer(store.root) as store:  # as after a kill between the pack and the folders' end
        assert not unpacked.exists()
    assert verify_store(data) == []


@pytest.mark.slow
def test_any_changed_byte_of_a_pack_is_found(three_nights: Path, tmp_path: Path) -> None:
    data = tmp_path / "store"
    shutil.copytree(three_nights, data, symlinks=True)
    store = open_archive(data)
    with open_writer(store.root) as store:
        (pack,) = store.compact(NEXT_MONTH)
    content, chance = pack.read_bytes(), random.Random(9)
    places = [0, 5, len(content) - 1, len(content) - 20, *(chance.randrange(len(content)) for _ in range(20))]
    for place in places:
        pack.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert any(pack.name in problem.where for problem in verify_store(data)), place
    pack.write_bytes(content)
    assert verify_store(data) == []
    pack.unlink()
    assert verify_store(data)
    with pytest.raises(StoreDamagedError, match="missing or altered"), open_writer(store.root):
        pass


@pytest.mark.slow
def test_a_kill_at_any_step_of_packing_costs_nothing(three_nights: Path, tmp_path: Path) -> None:
    ids = open_archive(three_nights).harvest_ids()
    for step in range(1, 200):
        data = tmp_path / f"store-{step}"
        shutil.copytree(three_nights, data, symlinks=True)
        child = os.fork()
        if not child:
            import sys

            left = step

            def strike(event: str, arguments: tuple[Any, ...], data: Path = data) -> None:
                nonlocal left
                if event in ("os.rename", "os.remove", "os.rmdir", "open") and str(data) in str(arguments[:2]):
                    if event == "open" and not (arguments[2] or 0) & os.O_WRONLY:
                        return
                    left -= 1
                    if left == 0:
                        os.kill(os.getpid(), signal.SIGKILL)

            store = open_archive(data)
            with open_writer(store.root) as store:
                sys.addaudithook(strike)
                store.compact(NEXT_MONTH)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert [
            problem for problem in verify_store(data) if problem.what_to_do != "the next harvest sets it right"
        ] == [], step
        store = open_archive(data)
        assert store.harvest_ids() == ids
        with open_writer(store.root) as store:
            store.compact(NEXT_MONTH)
        assert verify_store(data) == [], step
        assert store.arrow("projects", ids[0]).num_rows
        shutil.rmtree(data)
        if os.WIFEXITED(status):
            break
    assert 5 < step < 199
