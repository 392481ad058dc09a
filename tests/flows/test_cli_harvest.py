"""The commands that run Prefect flows, as a person runs them: another process, a server of Prefect's own, real signals."""

import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from flows.cli import main
from pipeline.errors import SettingsError
from pipeline.harvest.backfill import read_backfill
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.store.writer import open_archive

COMMAND = [sys.executable, "-c", "from flows.cli import main; main()"]


@pytest.fixture
def environment(prefect_environment: dict[str, str]) -> dict[str, str]:
    return prefect_environment


def run(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=180, check=False, env=environment
    )


def test_demo_shows_what_it_did(environment: dict[str, str], tmp_path: Path) -> None:
    data = tmp_path / "demo"
    result = run(environment, "demo", "--data", data)
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    assert len(re.findall(r"^Night \d: harvest", result.stdout, re.MULTILINE)) == 3
    for meaning in ("new_report", "report_edited", "project_gone", "target_moved", "progress_up"):
        assert re.search(rf"^{meaning} ", result.stdout, re.MULTILINE), meaning
    assert f'pd.read_parquet("{data}/latest/projects.parquet")' in result.stdout
    projects = pd.read_parquet(data / "latest" / "projects.parquet").set_index("project_code")
    assert projects.loc["24000000-2964", "agency_name"] == "สำนักพัฒนาสังคม"
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    question = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert question
    program = question[1].replace("data/demo", str(data))
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "Empty DataFrame" not in answer.stdout


def test_exit_status_says_published_held_back_and_could_not_run(
    environment: dict[str, str], tmp_path: Path, fixtures_html: Path
) -> None:
    data, fixtures = tmp_path / "store", tmp_path / "fixtures"
    shutil.copytree(fixtures_html, fixtures)
    environment = {**environment, "BMA_PROGRESS_BACKOFF": "0.01"}
    with DemoPortal(fixtures) as portal:
        arguments = ("harvest", "--portal", portal.url, "--data", data, "--rate", 1000)
        first = run(environment, *arguments)
        assert first.returncode == 0, first.stderr
        assert ": published." in first.stdout
        for page in sorted(fixtures.glob("*-????.html"))[:20]:
            page.write_text("<html><body>ปิดปรับปรุงระบบชั่วคราว</body></html>", encoding="utf-8")
        second = run(environment, *arguments)
        assert second.returncode == 1, second.stderr
        assert "HELD BACK" in second.stdout
        assert "Traceback" not in second.stderr
    published = open_archive(data).latest_id()
    third = run(environment, *arguments)
    assert third.returncode == 2
    assert "Traceback" not in third.stderr
    assert re.search(r"^bma-progress: .*robots\.txt could not be read", third.stderr, re.MULTILINE), third.stderr
    assert open_archive(data).latest_id() == published
    status = run(environment, "status", "--data", data)
    assert status.returncode == 1
    assert "HELD BACK" in status.stdout


def test_prefect_shows_coverage_changes_and_a_batch_retried(
    environment: dict[str, str], tmp_path: Path, fixtures_html: Path
) -> None:
    """The second batch fails in its middle: it is retried as a batch, and no page is asked for twice."""
    data, fixtures = tmp_path / "store", tmp_path / "fixtures"
    shutil.copytree(fixtures_html, fixtures)
    request = f"HarvestRequest(settings={{'portal': sys.argv[1], 'data': {str(data)!r}, 'rate': 1000.0}})"
    program = f"""
import sys
from flows.run import harvest_for_command
from pipeline.harvest import run as harvest
from pipeline.harvest.request import HarvestRequest

real, batches = harvest.fetch_pages, []

async def once_broken(tasks, *rest):
    batches.append(tasks)
    await real(tasks[:30] if len(batches) == 2 else tasks, *rest)
    if len(batches) == 2:
        raise RuntimeError("this worker's disk went away")

harvest.fetch_pages = once_broken
print(harvest_for_command({request}).published)
"""
    environment = {**environment, "BMA_PROGRESS_BACKOFF": "0.01", "BMA_PROGRESS_RETRIES": "1"}
    with DemoPortal(fixtures) as portal:
        command = [sys.executable, "-c", program, portal.url]
        for published in ("True", "False"):
            done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False, env=environment)
            assert done.stdout.strip() == published, done.stderr
            if published == "True":
                assert len(portal.requests) == len(set(portal.requests))
            for page in sorted(fixtures.glob("*-????.html"))[:20]:
                page.write_text("<html><body>ปิดปรับปรุงระบบชั่วคราว</body></html>", encoding="utf-8")
    with sqlite3.connect(Path(environment["PREFECT_HOME"]) / "prefect.db") as prefect:
        like = f"127.0.0.1:{portal.url.rpartition(':')[2]} 2%"
        runs = dict(prefect.execute("SELECT id, state_name FROM flow_run WHERE name LIKE ? ORDER BY name", [like]))
        assert list(runs.values()) == ["Completed", "HeldBack"]
        shown = [
            dict(prefect.execute("SELECT key, data FROM artifact WHERE flow_run_id = ? AND key IS NOT NULL", [run]))
            for run in runs
        ]
        assert [set(artifacts) for artifacts in shown] == [
            {"coverage", "report"},
            {"coverage", "report", "changes", "changes-page"},
        ]
        (page_of_changes,) = data.glob("runs/*/changes.html")
        assert page_of_changes.as_uri() in shown[1]["changes-page"]
        assert page_of_changes.as_uri() in shown[1]["report"]
        assert "HELD BACK" in shown[1]["report"]
        first = list(runs)[:1]
        tasks = dict(prefect.execute("SELECT name, run_count FROM task_run WHERE flow_run_id = ?", first))
        assert tasks["batch 2"] == 2
        said = [message for (message,) in prefect.execute("SELECT message FROM log WHERE flow_run_id = ?", first)]
        assert any("this worker's disk went away" in message and "Retry 1/1" in message for message in said)


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_finishes_the_pages_being_fetched_and_says_how_to_go_on(
    asked: signal.Signals, environment: dict[str, str], tmp_path: Path
) -> None:
    with DemoPortal() as portal:
        arguments = [*COMMAND, "harvest", "--portal", portal.url, "--data", str(tmp_path / "store"), "--rate", "20"]
        with subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        ) as process:
            deadline = time.monotonic() + 120
            while len(portal.requests) < 20 and time.monotonic() < deadline:
                time.sleep(0.1)
            process.send_signal(asked)
            _, stderr = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "the same command goes on from there" in stderr
        assert "Traceback" not in stderr
        kept = {path for path in portal.requests if path != "/robots.txt"}
        portal.requests.clear()
        result = run(environment, *arguments[len(COMMAND) : -1], "1000")
        assert result.returncode == 0, result.stderr
        assert not kept & set(portal.requests)


def test_backfill_harvests_several_portals_each_into_its_own_store(environment: dict[str, str], tmp_path: Path) -> None:
    """Two on one host take turns; one that cannot be reached costs the others nothing."""
    file = tmp_path / "portals.toml"
    with DemoPortal() as one, DemoPortal() as other:
        other.night = 3
        tables = [
            {"portal": one.url, "data": tmp_path / "one"},
            {"portal": "http://127.0.0.1:9", "data": tmp_path / "dead"},
            {"portal": other.url, "data": tmp_path / "other"},
            {"portal": one.url, "data": tmp_path / "part", "agencies": "2400"},
        ]
        file.write_text(
            "\n".join(
                "[[harvest]]\nrate = 1000\nbackoff = 0\n"
                + "\n".join(f'{name} = "{value}"' for name, value in table.items())
                for table in tables
            )
        )
        done = run(environment, "backfill", file)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert [line.split(" (")[0] for line in done.stdout.splitlines()] == [
        str(tmp_path / name) for name in ("one", "other", "part")
    ]
    assert re.search(rf"^bma-progress: {tmp_path / 'dead'} .*could not run: .*refused", done.stderr, re.MULTILINE)
    stores = {name: open_archive(tmp_path / name) for name in ("one", "other", "part")}
    assert len(stores["one"].arrow("projects").to_pandas()) > len(stores["part"].arrow("projects").to_pandas()) > 0
    assert set(stores["part"].arrow("projects").to_pandas().agency_code) == {"24000000"}
    assert stores["other"].portal != stores["one"].portal
    assert stores["part"].harvest_ids() > stores["one"].harvest_ids(), "one host is asked by one harvest at a time"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("harvest = 1", "names no portal"),
        ('[[harvest]]\nportal = "http://a"', "the 1st [[harvest]] of {file} has no 'data'"),
        ('[[harvest]]\nportal = "http://a"\ndata = "x"\nrat = 1', "rat is no setting (did you mean rate?)"),
        ('[[harvest]]\nportal = "http://a"\ndata = "x"\nsample = "all"', "sample: Input should be a valid integer"),
        (
            '[[harvest]]\nportal = "http://a"\ndata = "x"\n' * 2,
            "the 2nd [[harvest]] of {file} has the store of the 1st",
        ),
        ("[[harvest", "cannot be read"),
    ],
)
def test_a_wrong_backfill_is_refused_before_anything_begins(text: str, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "portals.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_backfill(file)
    assert complaint.format(file=file) in str(caught.value)


def test_a_backfill_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=re.escape("cannot be read (No such file or directory); write one")):
        read_backfill(tmp_path / "nothing.toml")


@pytest.mark.parametrize("place", ["/proc/store", "/dev/null/store"])
def test_a_place_where_no_store_can_be_is_one_sentence(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["harvest", "--portal", "http://127.0.0.1:9", "--data", place])
    assert ended.value.code == 2
    assert f"{place} cannot be made (" in capsys.readouterr().err


def test_an_address_of_workers_without_their_runner_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["harvest", "--portal", "http://127.0.0.1:9", "--dask-address", "tcp://10.0.0.5:8786"])
    assert ended.value.code == 2
    assert "--dask-address is for the dask runner; add --runner dask" in capsys.readouterr().err


def test_a_demo_takes_no_store_that_is_not_its_own(three_nights: Path, tmp_path: Path) -> None:
    data = tmp_path / "store"
    shutil.copytree(three_nights, data, symlinks=True)
    command = [Path(sys.executable).with_name("bma-progress"), "demo", "--data", data]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr == f"bma-progress: {data} holds a store that is no demo's; name another folder with --data\n"
    assert len(list((data / "harvests").iterdir())) == 3
