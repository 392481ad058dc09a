"""A harvest from portal to Parquet, without Prefect: real HTTP on loopback, real files, kills and second runs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from support.harvests import harvest

from pipeline.api import open_store
from pipeline.errors import PortalError, StoreBusyError, StoreError
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.portal import code_ref
from pipeline.harvest.result import Scope
from pipeline.harvest.run import HarvestRun, run_harvest
from pipeline.harvest.spool import COMMIT_INTERVAL, Spool
from pipeline.operate.status import condition
from pipeline.settings import load_settings
from pipeline.store.looks import looks_at
from pipeline.store.verify import verify_store
from pipeline.store.writer import create_store, open_archive, open_writer


def test_published_tables_have_the_seeds_values(three_nights: Path) -> None:
    projects = pd.read_parquet(three_nights / "latest" / "projects.parquet").set_index("project_code")
    seed = projects.loc["24000000-2964"]
    assert (seed.agency_name, seed.fiscal_year_be, seed.progress_percent) == ("สำนักพัฒนาสังคม", 2563, 100.0)
    assert len(seed.page_sha256) == 64
    assert seed.first_seen_at <= seed.changed_at < seed.checked_at
    reports = pd.read_parquet(three_nights / "latest" / "progress_reports.parquet").query(
        "project_code == '24000000-2964'"
    )
    assert reports["report_index"].tolist() == list(range(1, 14))
    assert str(reports["reported_on_date"].iloc[0].date()) == "2019-10-29"
    steps = pd.read_parquet(three_nights / "latest" / "plan_steps.parquet").query("project_code == '24000000-2964'")
    assert steps["weight_percent"].sum() == 100


def test_budgets_of_the_newer_front_end_join_the_project(three_nights: Path) -> None:
    projects = pd.read_parquet(three_nights / "latest" / "projects.parquet").set_index("project_code")
    assert projects.index.is_unique
    merged = projects.loc["50460000-3697"]
    assert merged.budget_received_baht == 120_000
    assert merged.budget_spent_baht == 0
    assert merged.rationale is not None
    assert "/mobile/myproject.php" in merged.source_url


def test_outcomes_of_three_nights(three_nights: Path) -> None:
    harvests = open_store(three_nights).harvests()
    assert harvests["published"].all()
    counts = harvests[["new", "changed", "unchanged", "blank"]].fillna(0).astype(int).to_numpy().tolist()
    assert counts[0][1:] == [0, 0, 0]
    assert counts[1] == [0, 2, counts[0][0] - 3, 1]
    assert counts[2] == [0, 1, counts[0][0] - 2, 1]


def test_a_record_ends_at_the_second_miss_only(three_nights: Path) -> None:
    store = open_archive(three_nights)
    ids = store.harvest_ids()
    codes = [store.arrow("projects", id_)["project_code"].to_pylist() for id_ in ids]
    assert ["50500000-0745" in found for found in codes] == [True, True, False]
    looks = looks_at(store, "50500000-0745")
    assert [look["outcome"] for look in looks] == ["new", "blank", "blank"]
    assert [look["ended_at"] is None for look in looks] == [True, True, False]


def test_export_of_any_night_is_what_was_published(three_nights: Path, tmp_path: Path) -> None:
    store = open_archive(three_nights)
    for id_ in store.harvest_ids():
        store.export(id_, tmp_path / id_)
        published = {file.name: file.read_bytes() for file in (three_nights / "snapshots" / id_).glob("*.parquet")}
        exported = {file.name: file.read_bytes() for file in (tmp_path / id_).glob("*.parquet")}
        assert exported == published
    copy = tmp_path / "copy"
    shutil.copytree(three_nights, copy, symlinks=True)
    shutil.rmtree(copy / "snapshots")  # derived: what harvests/ hold is enough
    (copy / "snapshots").mkdir()
    for id_ in store.harvest_ids():
        open_archive(copy).export(id_, tmp_path / "again" / id_)
        for file in (tmp_path / id_).glob("*.parquet"):
            assert (tmp_path / "again" / id_ / file.name).read_bytes() == file.read_bytes(), file.name


def test_bytes_are_stored_as_served(three_nights: Path, fixtures_html: Path) -> None:
    store = open_archive(three_nights)
    page = looks_at(store, "24000000-2964")[0]
    assert (
        store.body(page["body_harvest_id"], page["page_sha256"]) == (fixtures_html / "24000000-2964.html").read_bytes()
    )


def test_a_whole_store_verifies_deeply(three_nights: Path) -> None:
    assert verify_store(three_nights, deep=True) == []


def test_any_changed_byte_is_found(three_nights: Path, tmp_path: Path) -> None:
    files = sorted(path for path in three_nights.rglob("*") if path.is_file() and not path.is_symlink())
    files = [path for path in files if "latest" not in path.relative_to(three_nights).parts and path.stat().st_size]
    assert len(files) > 60
    for number, file in enumerate(files):
        content = file.read_bytes()
        for place in {number * 7919 % len(content), len(content) - 1}:
            try:
                file.write_bytes(content[:place] + bytes([content[place] ^ 0x01]) + content[place + 1 :])
                assert verify_store(three_nights), (
                    f"a changed byte {place} of {file.relative_to(three_nights)} is not found"
                )
            finally:
                file.write_bytes(content)
    foreign = three_nights / "harvests" / open_archive(three_nights).harvest_ids()[0] / "extra.parquet"
    foreign.write_bytes(b"x")
    assert [problem.what for problem in verify_store(three_nights)] == ["a foreign file"]
    foreign.unlink()
    missing = three_nights / "harvests" / open_archive(three_nights).harvest_ids()[0] / "plan_steps.parquet"
    moved = missing.rename(tmp_path / "moved")
    assert [problem.what for problem in verify_store(three_nights)] == ["missing"]
    moved.rename(missing)
    assert verify_store(three_nights) == []


def test_contacts_can_be_withheld(tmp_path: Path) -> None:
    with DemoPortal() as portal:
        harvest(portal, tmp_path / "store", publish_contacts=False)
    assert len(pd.read_parquet(tmp_path / "store" / "latest" / "contacts.parquet")) == 0
    assert len(pd.read_parquet(tmp_path / "store" / "latest" / "projects.parquet")) == 16


def test_only_the_requested_pages_are_fetched(tmp_path: Path) -> None:
    with DemoPortal() as portal:
        refs = tuple(code_ref(code, portal.url) for code in ("24000000-2964", "2400-1013"))
        harvest(portal, tmp_path / "store", Scope(pages=refs))
        asked = [path for path in portal.requests if path != "/robots.txt"]
    assert sorted(asked) == ["/mobile/mykpi.php?pid=2400-1013", "/mobile/myproject.php?pid=24000000-2964"]


def test_a_page_is_requested_once_however_often_it_is_linked(tmp_path: Path) -> None:
    with DemoPortal() as portal:
        harvest(portal, tmp_path / "store")
        assert len(portal.requests) == len(set(portal.requests))
        assert not [path for path in portal.requests if "print" in path]


def test_sample_limits_the_pages_with_records(tmp_path: Path) -> None:
    with DemoPortal() as portal:
        result = harvest(portal, tmp_path / "store", Scope(sample=5))
    assert sum(group.ok for group in result.coverage if group.kind != "result_list") == 5


def test_an_unreachable_portal_changes_nothing(tmp_path: Path) -> None:
    data = tmp_path / "store"
    with DemoPortal() as portal:
        harvest(portal, data)
        url = portal.url
    before = {path: path.read_bytes() for path in (data / "latest").resolve().iterdir()}
    store = open_archive(data)
    with open_writer(store.root) as store:
        run = HarvestRun.begin(load_settings(portal=url, data=data, rate=1000, retries=0, backoff=0), store, Scope())
        try:
            with pytest.raises(PortalError, match=r"robots\.txt"):
                run_harvest(run)
        finally:
            run.close()
    assert {path: path.read_bytes() for path in (data / "latest").resolve().iterdir()} == before
    assert len(store.harvest_ids()) == 1


def test_a_harvest_of_a_portal_with_fewer_pages_is_held_back(tmp_path: Path, fixtures_html: Path) -> None:
    data, fixtures = tmp_path / "store", tmp_path / "fixtures"
    shutil.copytree(fixtures_html, fixtures)
    with DemoPortal(fixtures) as portal:
        first = harvest(portal, data)
        for page in sorted(fixtures.glob("*-????.html"))[:20]:
            page.write_text("<html><body><h1>Request Rejected</h1>The requested URL was rejected.</body></html>")
        second = harvest(portal, data)
        assert not second.published
        assert "gave no answer" in (second.held_back or "")
        store = open_archive(data)
        assert store.latest_id() == first.harvest_id
        assert store.harvest_ids() == [first.harvest_id, second.harvest_id]
        shutil.rmtree(fixtures)
        shutil.copytree(fixtures_html, fixtures)
        third = harvest(portal, data)
    assert third.published
    assert third.outcomes["unchanged"] == first.outcomes["new"]
    assert verify_store(data, deep=True) == []


def test_a_second_writer_is_refused_with_the_firsts_name(tmp_path: Path) -> None:
    store = create_store(tmp_path / "store", "http://127.0.0.1:1")
    with (
        open_writer(store.root),
        pytest.raises(StoreBusyError, match=f"process {os.getpid()}, started 20"),
        open_writer(store.root),
    ):
        pass
    with open_writer(store.root) as store:
        pass


def test_one_store_holds_one_portal(tmp_path: Path) -> None:
    create_store(tmp_path / "store", "http://127.0.0.1:1")
    with pytest.raises(StoreError, match="name another folder"):
        create_store(tmp_path / "store", "http://127.0.0.1:2")


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    create_store(tmp_path / "store", "http://127.0.0.1:1")
    (tmp_path / "store" / "store.json").write_text(json.dumps({"format": 99, "portal": "x"}))
    with pytest.raises(StoreError, match="newer"):
        open_archive(tmp_path / "store")


def test_a_harvest_killed_while_it_was_planned_starts_again(tmp_path: Path) -> None:
    with DemoPortal() as portal:
        store = create_store(tmp_path / "store", portal.url)
        Spool(store.root / "runs" / "20200101T000000Z" / "spool.sqlite").close()
        result = harvest(portal, tmp_path / "store")
    assert result.published
    assert not result.resumed
    assert [path.name for path in (store.root / "runs").iterdir()] == [result.harvest_id]


_LIMITED = """
import resource, sys
from pathlib import Path
from pipeline.errors import refused_by_machine
from pipeline.harvest.result import Scope
from pipeline.harvest.run import HarvestRun, run_harvest
from pipeline.settings import load_settings
from pipeline.store.writer import create_store, open_writer

url, data, limit = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
settings = load_settings(portal=url, data=data, rate=200, retries=0)
store = create_store(data, url)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))  # no file may grow beyond it, as on a disk that fills up
try:
    with open_writer(store.root) as store:
        run_harvest(HarvestRun.begin(settings, store, Scope()))
except Exception as error:
    print(refused_by_machine(error, data))
"""


@pytest.mark.parametrize("limit", [300_000, 2_000_000])
def test_a_full_disk_is_one_sentence_and_loses_nothing(tmp_path: Path, limit: int) -> None:
    data = tmp_path / "store"
    with DemoPortal() as portal:
        command = [sys.executable, "-c", _LIMITED, portal.url, str(data), str(limit)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.startswith(str(data)), done.stdout
        assert done.stdout.endswith(
            "free some space or correct its permissions, then start again: what was saved stays\n"
        )
        assert verify_store(data) == []
        assert condition(open_archive(data), 36).state == "failed"  # although the disk took no line of the log
        first = set(portal.requests)
        portal.requests.clear()
        assert harvest(portal, data).published
    assert condition(open_archive(data), 36).is_good
    again = first.intersection(portal.requests) - {"/robots.txt"}
    # no more than was under way when the disk was full, and what came since the last commit at 200 pages a second
    assert len(again) <= 4 * load_settings().concurrency + 200 * COMMIT_INTERVAL
    assert verify_store(data, deep=True) == []


@pytest.mark.parametrize("content", ["[]", "{}", '"x"', '{"format": 1}', '{"format": 1, "portal": 7}', "", "\x00"])
def test_a_damaged_store_file_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "store.json").write_text(content)
    with pytest.raises(StoreError, match=r"store\.json cannot be read; restore it from a copy of the store"):
        open_archive(tmp_path)
