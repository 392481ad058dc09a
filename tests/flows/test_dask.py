"""A harvest on a Dask cluster: a scheduler and two worker processes, one of them killed in the middle."""

import io
import itertools
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from support.dask_cluster import cluster
from support.faulty_portal import FaultyPortal, cut, page, reset, status, truncated
from support.harvests import harvest
from support.older_parser import older_parser
from support.synthetic_portal import AGENCIES, code_of, list_page, project_page

from pipeline.compare.formats import format_changes
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.replay import parser_changes
from pipeline.harvest.result import Scope
from pipeline.harvest.run import HarvestRun, run_harvest
from pipeline.settings import load_settings
from pipeline.store.verify import verify_store
from pipeline.store.writer import create_store, open_archive, open_writer

WITHOUT_PACKAGE = """
import sys
sys.modules["parsers"] = sys.modules["pipeline"] = sys.modules["flows"] = None
from distributed.cli.dask_worker import main
main(sys.argv[1:])
"""
PROJECTS = 240
RATE = 90.0
BLOCK_PAGE = b"<html><body><h1>Request Rejected</h1><p>The requested URL was rejected. Support ID: 1</p></body></html>"
OF_THE_RUN = {"harvest_id", "outcome_since", "version_harvest_id", "body_harvest_id", "record_body_harvest_id"} | {
    "first_seen_at",
    "changed_at",
    "checked_at",
    "fetched_at",
}
"""Columns that say when a page was looked at, and so differ between any two harvests of the same pages."""

KNOBS = {"concurrency": 8, "retries": 2, "backoff": 0.01, "breaker_failures": 100, "breaker_pause": 0.1}


def misbehaving() -> FaultyPortal:
    """The same pages with the same faults each time it is made: some pass, three pages never come."""
    lists = {f"/mobile/index101.php?selDEP={agency}": list_page(agency, PROJECTS) for agency in AGENCIES}
    projects = {
        f"/mobile/myproject.php?pid={code_of(number)}": project_page(number, 1, 0.0) for number in range(PROJECTS)
    }
    portal = FaultyPortal({**lists, **projects}, robots="User-agent: *\nDisallow: /secret/\n")
    chance = random.Random(7)
    for number, path in enumerate(sorted(projects)):
        if number in (5, 150, 239):
            portal.always(path, reset)
        elif chance.random() < 0.3:
            portal.script(path, *chance.choices([reset, truncated, cut, status(503), page(BLOCK_PAGE)], k=2))
    return portal


def kept_pages(store: Path) -> int:
    return sum(file.read_bytes().count(b"\n") for file in store.glob("runs/*/parts/*.jsonl"))


def content(store: Path) -> dict[str, bytes]:
    """Every table of `latest` and of the harvest as bytes, without the columns that say when, and the portal's port."""
    found, portal = {}, open_archive(store).portal
    for file in sorted([*store.glob("latest/*.parquet"), *store.glob("harvests/*/*.parquet")]):
        table, out = pq.read_table(file), io.BytesIO()
        table = table.drop_columns([name for name in table.column_names if name in OF_THE_RUN])
        for place, name in enumerate(table.column_names):
            if name in ("url", "source_url"):
                table = table.set_column(place, name, pc.replace_substring(table[name], portal, "http://portal"))
        pq.write_table(table, out)
        found[f"{'latest' if 'latest' in file.parts else 'harvest'}/{file.name}"] = out.getvalue()
    return found


def harvest_here(data: Path) -> None:
    with misbehaving() as portal:
        store = create_store(data, portal.url)
        with open_writer(store.root) as store:
            run = HarvestRun.begin(load_settings(portal=portal.url, data=data, rate=2_000, **KNOBS), store, Scope())
            result = run_harvest(run)
    assert result is not None
    assert result.published


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_costs_nothing(tmp_path: Path, prefect_environment: dict[str, str]) -> None:
    data = tmp_path / "cluster"
    environment = prefect_environment | {f"BMA_PROGRESS_{name.upper()}": str(value) for name, value in KNOBS.items()}
    environment |= {"BMA_PROGRESS_BATCH_SIZE": "40", "BMA_PROGRESS_ORCHESTRATOR": "none"}
    with misbehaving() as portal, cluster(tmp_path, 2) as (address, workers):
        command = [
            sys.executable,
            "-c",
            "from flows.cli import main; main()",
            "harvest",
            "--portal",
            portal.url,
        ]
        command += ["--data", str(data), "--rate", str(RATE), "--runner", "dask", "--dask-address", address]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as harvest:
            deadline = time.monotonic() + 120
            while len(portal.log) < 150 or not kept_pages(data):
                assert harvest.poll() is None, harvest.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            workers[0].send_signal(signal.SIGKILL)
            stdout, stderr = harvest.communicate(timeout=180)
        log = list(portal.log)
    assert harvest.returncode == 0, (stdout, stderr)
    assert b"Traceback" not in stderr

    # one rate for all workers: as many requests as it allows, and no two closer than a late server can explain
    times = [asked.at for asked in log]
    assert (len(times) - 1) / (times[-1] - times[0]) <= RATE * 1.02
    gaps = sorted(after - before for before, after in itertools.pairwise(times))
    assert gaps[len(gaps) // 20] > 0.7 / RATE

    harvest_here(tmp_path / "here")
    assert content(data) == content(tmp_path / "here")
    assert verify_store(data, deep=True) == []
    assert not list(data.glob("runs/*/parts")), "what workers left was taken in and cleared away"
    assert len(open_archive(data).arrow("projects").to_pandas()) == PROJECTS - 3
    # robots.txt is read once for all, and the kill costs no more than the pages the worker was fetching
    asked = Counter(line.path for line in log)
    assert asked["/robots.txt"] == 1
    well = [path for path, count in asked.items() if path.startswith("/mobile/myproject") and count == 1]
    assert len(well) > 0.6 * PROJECTS


@pytest.mark.slow
def test_stored_pages_are_read_again_on_the_cluster_as_they_are_here(
    tmp_path: Path, prefect_environment: dict[str, str]
) -> None:
    data = tmp_path / "store"
    with DemoPortal() as portal, older_parser():
        for number in (1, 2):
            portal.night = number
            harvest(portal, data, retries=0)
    here, read, unreadable = parser_changes(open_archive(data), "2026-01-01")
    assert unreadable == []
    with cluster(tmp_path, 2) as (address, _):
        command = [sys.executable, "-c", "from flows.cli import main; main()", "replay", "--data", "store"]
        command += ["--since", "2026-01-01", "--runner", "dask", "--dask-address", address]

        def replay() -> subprocess.CompletedProcess[bytes]:
            return subprocess.run(
                command, cwd=tmp_path, env=prefect_environment, capture_output=True, timeout=180, check=False
            )

        done = replay()  # the workers run in another folder
        alien = [sys.executable, "-c", WITHOUT_PACKAGE, address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        with subprocess.Popen(
            alien, cwd=tmp_path, env=prefect_environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as worker:
            assert worker.stdout
            assert any(b"Registered to" in line for line in worker.stdout)
            refused = replay()
            worker.kill()
    assert done.returncode == 1, done.stderr
    assert done.stdout == format_changes(here, "table"), done.stderr
    assert f"{read:,} stored pages were read again." in done.stderr.decode()
    assert len(here) > 5
    assert refused.returncode == 2
    assert b"cannot run bma-progress (import of parsers halted" in refused.stderr
