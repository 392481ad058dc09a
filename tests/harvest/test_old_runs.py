"""Each night has its own date: an old unfinished harvest is not resumed, and a harvest records what it answers."""

import asyncio
import errno
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.events import Listener
from flows.execute import execute_harvest
from flows.run_control import HarvestOutcome, RunControl
from pipeline.harvest import commit as harvest_commit
from pipeline.harvest import run as harvest_run
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.due import answered_until
from pipeline.harvest.request import HarvestRequest
from pipeline.harvest.run import HarvestRun
from pipeline.operate.status import condition, status_view
from pipeline.store import verify_bytes
from pipeline.store.layout import harvest_id_at
from pipeline.store.verify import verify_store
from pipeline.store.writer import create_store, open_archive, open_writer

DUE = datetime(2026, 11, 29, 19, tzinfo=UTC)


def request(portal: DemoPortal, data: Path, **settings: object) -> HarvestRequest:
    chosen = {"portal": portal.url, "data": str(data), "rate": 1000, "agencies": "2400", "retries": 0, **settings}
    return HarvestRequest(settings=chosen, due=DUE)


def interrupt(asked: HarvestRequest, hours_ago: float, monkeypatch: pytest.MonkeyPatch, pages: int = 3) -> str:
    """Leave a harvest that was killed after some pages; returns its id."""
    began = harvest_id_at(datetime.now(UTC) - timedelta(hours=hours_ago))
    settings, scope = asked.load()
    with monkeypatch.context() as long_ago, open_writer(create_store(settings.data, settings.portal).root) as store:
        long_ago.setattr(harvest_run, "new_harvest_id", lambda store: began)
        run = HarvestRun.begin(settings, store, scope, due=asked.due)

        def on_page() -> None:
            run.stop_requested = run.counts.total() >= pages

        if pages:
            asyncio.run(run.fetch_all(on_page))
        run.close()
    return began


def execute(asked: HarvestRequest) -> HarvestOutcome:
    return asyncio.run(execute_harvest(asked, RunControl(), Listener()))


@pytest.mark.parametrize(("resume_hours", "hours_ago"), [(None, 13), (1, 2)])
def test_an_old_unfinished_harvest_is_kept_under_its_own_date(
    resume_hours: float | None, hours_ago: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DemoPortal() as portal:
        asked = request(portal, tmp_path / "store", **({"resume_hours": resume_hours} if resume_hours else {}))
        old = interrupt(asked, hours_ago, monkeypatch)
        outcome = execute(asked)
    store = open_archive(tmp_path / "store")
    assert outcome.result
    assert store.harvest_ids() == [old, outcome.result.harvest_id]
    assert store.published_id() == outcome.result.harvest_id
    assert not outcome.result.resumed
    assert str(store.manifest(old)["held_back"]).startswith("It was interrupted, and not resumed within")
    assert outcome.warnings[0].startswith(f"the unfinished harvest {old} is too old to be resumed (resume_hours): its ")
    assert verify_store(tmp_path / "store") == []


def test_what_was_tried_by_hand_and_stopped_does_not_keep_the_night_from_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DemoPortal() as portal:
        whole = request(portal, tmp_path / "store", agencies=(), concurrency=16)
        tried = interrupt(replace(whole, sample=5), 1, monkeypatch)
        assert "of other pages is unfinished" in execute(replace(whole, agencies=("2400",))).message
        outcome = execute(whole)
    store = open_archive(tmp_path / "store")
    assert outcome.state == "Completed"
    assert outcome.result
    assert store.published_id() == outcome.result.harvest_id
    assert store.manifest(tried)["held_back"] == "It was interrupted, and a harvest of all pages began."
    assert outcome.warnings[0].startswith(f"the unfinished harvest {tried} is of other pages than this one: its ")
    assert verify_store(tmp_path / "store") == []


def test_of_an_old_harvest_without_a_page_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with DemoPortal() as portal:
        asked = request(portal, tmp_path / "store")
        old = interrupt(asked, 13, monkeypatch, pages=0)
        outcome = execute(asked)
    assert len(open_archive(tmp_path / "store").harvest_ids()) == 1
    assert not (tmp_path / "store" / "runs" / old).exists()
    assert f"the unfinished harvest {old} is too old to be resumed" in outcome.warnings[0]
    assert "was discarded" in outcome.warnings[0]


def test_a_young_one_is_resumed_and_answers_the_later_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with DemoPortal() as portal:
        asked = request(portal, tmp_path / "store")
        young = interrupt(asked, 11, monkeypatch)
        later = replace(asked, due=DUE + timedelta(hours=2))
        outcome = execute(later)
    store = open_archive(tmp_path / "store")
    assert outcome.result
    assert (outcome.result.harvest_id, outcome.result.resumed) == (young, True)
    assert store.manifest(young)["due_at"] == "2026-11-29T21:00:00+00:00"


def test_a_harvest_that_began_a_second_early_answers_its_time(tmp_path: Path) -> None:
    ahead = (datetime.now(UTC) + timedelta(seconds=30)).replace(microsecond=0)
    with DemoPortal() as portal:
        asked = replace(request(portal, tmp_path / "store"), due=ahead)
        assert answered_until(create_store(tmp_path / "store", portal.url)) is None
        assert execute(asked).state == "Completed"
        assert answered_until(open_archive(tmp_path / "store")) == ahead
        asked = replace(request(portal, tmp_path / "store"), agencies=("2400", "2200"), due=None)
        assert execute(asked).state == "Completed"
    store = open_archive(tmp_path / "store")
    assert answered_until(store) == ahead, "what somebody looks at by hand answers no schedule"
    shown = str(status_view(store, condition(store, 36)))
    assert "0.0 hours ago; it was asked for a part of the portal only" in shown


@pytest.mark.parametrize(("step", "committed"), [("write_later_sums", 0), ("publish", 1)])
def test_a_disk_that_is_full_at_the_commit_leaves_nothing_altered(
    step: str, committed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "store" / "x"))

    with DemoPortal() as portal:
        asked = request(portal, tmp_path / "store")
        assert execute(asked).state == "Completed"
        with monkeypatch.context() as on_full_disk:
            on_full_disk.setattr(harvest_commit, step, full)
            assert "free some space" in execute(asked).message
        store = open_archive(tmp_path / "store")
        assert len(store.harvest_ids()) == 1 + committed
        if not committed:
            assert condition(store, 36).reason.endswith("then start again: what was saved stays"), "a sentence"
        assert execute(asked).state == "Completed"
    assert verify_store(tmp_path / "store") == []


@pytest.mark.parametrize(("step", "committed"), [("write_later_sums", False), ("publish", True)])
def test_ctrl_c_during_the_commit_leaves_the_log_whose_hash_is_committed(
    step: str, committed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with DemoPortal() as portal:
        asked = request(portal, tmp_path / "store")
        assert execute(asked).state == "Completed"
        with monkeypatch.context() as stopped:
            stopped.setattr(harvest_commit, step, interrupted)
            assert execute(asked).state == "Interrupted"
        assert len(open_archive(tmp_path / "store").harvest_ids()) == 1 + committed
        assert execute(asked).state == "Completed"
    assert verify_store(tmp_path / "store") == []


def test_of_old_runs_the_hashes_stay(three_nights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "store"
    shutil.copytree(three_nights, data, symlinks=True)
    with open_writer(data) as writer:
        first, second, last = writer.harvest_ids()
        writer.prune_runs(1, 2)
    left = {id_: {path.name for path in (data / "runs" / id_).iterdir()} for id_ in (first, second, last)}
    assert "SHA256SUMS" in left[first] <= {"SHA256SUMS", "SHA256SUMS.later"}
    assert {"report.json", "report.txt"} <= left[second]
    assert "log.jsonl" not in left[second]
    assert "log.jsonl" in left[last]
    assert {problem.what for problem in verify_store(data)} == {"missing"}  # a report of one of the newest is damage
    monkeypatch.setattr(verify_bytes, "REPORTS_KEPT", 2)
    assert verify_store(data) == []
