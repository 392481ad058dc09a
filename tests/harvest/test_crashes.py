"""Kills at random moments and at every step of the commit: what was published stands, and the next start goes on."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.result import Scope
from pipeline.harvest.run import HarvestRun, run_harvest
from pipeline.harvest.spool import COMMIT_INTERVAL
from pipeline.settings import load_settings
from pipeline.store.verify import verify_store
from pipeline.store.writer import create_store, open_archive, open_writer

_PROGRAM = Path(__file__).parents[1] / "support" / "crashing_harvest.py"
_OF_THE_RUN = ("_at", "harvest_id", "outcome_since")


def crash(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, str(_PROGRAM), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = {**json.loads(done.stdout), "stderr": done.stderr}
    return said


def harvest(url: str, data: Path, *, finish: bool = True) -> None:
    settings = load_settings(portal=url, data=data, rate=1_000_000, retries=0, backoff=0)
    store = create_store(data, url)
    with open_writer(store.root) as store:
        run = HarvestRun.begin(settings, store, Scope())
        if not finish:
            run.finish = lambda: None  # type: ignore[method-assign, assignment, return-value]
        run_harvest(run)
        run.close()


def facts(data: Path) -> dict[str, Any]:
    store = open_archive(data)
    tables = {name: store.arrow(name) for name in store.tables}
    return {
        name: table.select([column for column in table.column_names if not column.endswith(_OF_THE_RUN)]).to_pylist()
        for name, table in tables.items()
    }


@pytest.mark.slow
def test_harvests_killed_twenty_times_give_the_same_result(tmp_path: Path) -> None:
    kills = late = 0
    with DemoPortal() as portal:
        for night in (1, 2):
            portal.night = night
            harvest(portal.url, tmp_path / "undisturbed")
            portal.requests.clear()
            said = crash("random", portal.url, tmp_path / "killed", night, 10)
            assert said["wrong"] == []
            assert said["status"] == 0, said["stderr"]
            kills, late = kills + said["kills"], late + said["late"]
            asked = [path for path in portal.requests if path != "/robots.txt"]
            # a page in hand when a kill came is asked for again: one for each of the four requests under way, and what
            # came since the last commit at the hundred pages a second of that harvest
            assert len(asked) - len(set(asked)) <= (4 + 100 * COMMIT_INTERVAL) * said["kills"]
        assert facts(tmp_path / "killed") == facts(tmp_path / "undisturbed")
    assert kills >= 20
    assert late >= 1
    assert verify_store(tmp_path / "killed", deep=True) == []
    assert len(open_archive(tmp_path / "killed").harvest_ids()) == 2


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "fail"])
def test_the_commit_may_stop_at_any_step(tmp_path: Path, how: str) -> None:
    with DemoPortal() as portal:
        harvest(portal.url, tmp_path / "store")
        portal.night = 2
        harvest(portal.url, tmp_path / "store", finish=False)
        # every step in turn takes minutes: leave the stride out for that
        said = crash("steps", portal.url, tmp_path / "store", tmp_path / "work", how, 13)
    assert said["wrong"] == []
    assert said["changed"]
    assert said["steps"] > 50
