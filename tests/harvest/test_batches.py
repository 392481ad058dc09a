"""Batches as workers on other machines run them: what they leave in the run's folder, and when they refuse."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from support.faulty_portal import FaultyPortal, status
from support.synthetic_portal import code_of, project_page

from pipeline.errors import BmaProgressError
from pipeline.harvest.batches import PARTS, Batch, BatchFiles, drop_parts, for_one_worker, process_batch, read_parts
from pipeline.harvest.client_state import ClientState
from pipeline.harvest.fetch import FetchOptions, FetchTask
from pipeline.harvest.portal import code_ref
from pipeline.harvest.rate_limit import RateLimiter
from pipeline.settings import load_settings

PAGES = {f"/mobile/myproject.php?pid={code_of(number)}": project_page(number, 1, 0.0) for number in range(24)}


def batch_of(portal: FaultyPortal, folder: Path, files: BatchFiles) -> Batch:
    settings = load_settings(portal=portal.url, rate=5_000, concurrency=4, retries=0, robots=False)
    refs = [code_ref(path.rpartition("=")[2], portal.url) for path in PAGES]
    tasks = tuple(FetchTask(ref) for ref in refs if ref)
    return Batch(1, str(folder), files.name, tasks, for_one_worker(FetchOptions(settings), 2), ClientState())


def work(batch: Batch, folder: Path) -> ClientState:
    return asyncio.run(process_batch(batch, RateLimiter(folder / "clock", 1.0)))


def test_a_second_execution_fetches_only_what_the_first_did_not_save(tmp_path: Path) -> None:
    with FaultyPortal(PAGES) as portal, BatchFiles(tmp_path) as files:
        batch = batch_of(portal, tmp_path, files)
        broken = sorted(PAGES)[2]
        portal.script(broken, status(500))
        learnt = work(batch, tmp_path)
        assert len(learnt.good_pages) == 16
        (part,) = (tmp_path / PARTS).glob("*.jsonl")
        lines = part.read_bytes().splitlines(keepends=True)
        assert len(lines) == 24
        part.write_bytes(b"".join(lines[:3]) + lines[3][:-200])  # killed while the fourth page was written
        before = len(portal.log)
        kept = {page.page_key for page, _ in read_parts(tmp_path, batch.name) if page.error is None}
        work(batch, tmp_path)
        assert len(portal.log) - before == 24 - len(kept) >= 21
    pages = read_parts(tmp_path, batch.name)
    assert [page.page_key for page, _ in pages] == sorted(task.ref.page_key for task in batch.tasks)
    for page, found in pages:
        assert page.error is None
        assert page.body == PAGES[f"/mobile/myproject.php?pid={page.code}"]
        assert page.tables
        assert {ref.kind for ref in found} <= {"project", "kpi", "result_list"}
    assert list((tmp_path / PARTS).glob("wanted-*")) == []
    drop_parts(tmp_path)
    assert read_parts(tmp_path) == []


def test_a_worker_that_cannot_work_says_why(tmp_path: Path) -> None:
    with FaultyPortal(PAGES) as portal:
        with BatchFiles(tmp_path) as files:
            batch = batch_of(portal, tmp_path, files)
            with pytest.raises(
                BmaProgressError, match=r"has bma-progress .*, its work came from 9\.9 with parser 8; install"
            ):
                work(replace(batch, software=("9.9", "8")), tmp_path)
            with pytest.raises(BmaProgressError, match=r"does not see .*; the store must lie on a file system"):
                work(replace(batch, folder=str(tmp_path / "elsewhere")), tmp_path)
        with pytest.raises(BmaProgressError, match="of a harvest that was stopped"):
            work(batch, tmp_path)
        assert portal.log == []


def test_a_worker_stops_when_its_batch_is_no_longer_wanted(tmp_path: Path) -> None:
    with FaultyPortal(PAGES) as portal, BatchFiles(tmp_path) as files:
        batch = batch_of(portal, tmp_path, files)

        class Impatient(RateLimiter):
            taken = 0

            async def take(self) -> float:
                self.taken += 1
                if self.taken == 2:
                    files.withdraw()
                return await super().take()

        asyncio.run(process_batch(batch, Impatient(tmp_path / "clock", 1.0)))
        assert 2 <= len(portal.log) < len(PAGES)
    assert len(read_parts(tmp_path, batch.name)) == len(portal.log), "the pages in hand are kept"
    with BatchFiles(tmp_path) as newer:
        assert newer.name != files.name
        assert read_parts(tmp_path, replace(batch, session=newer.name).name) == []
