"""The commands that harvest, as a person runs them: another process, a server of Prefect's own, real signals."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pandas as pd
import pytest
from support.faulty_portal import FaultyPortal, stall
from support.harvests import harvest

from flows.cli import main
from pipeline.errors import SettingsError
from pipeline.harvest.backfill import read_backfill
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.store.writer import open_archive

COMMAND = [sys.executable, "-c", "from flows.cli import main; main()"]


@pytest.fixture
def environment(prefect_environment: dict[str, str]) -> dict[str, str]:
    """Without Prefect, unless a test is about it: nothing else depends on that."""
    return {**prefect_environment, "BMA_PROGRESS_ORCHESTRATOR": "none"}


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


def test_prefect_shows_batches_coverage_and_changes(
    prefect_environment: dict[str, str], tmp_path: Path, fixtures_html: Path
) -> None:
    """A night that is held back, with a proxy in the environment that nothing on this machine goes through."""
    data, fixtures = tmp_path / "store", tmp_path / "fixtures"
    shutil.copytree(fixtures_html, fixtures)
    proxy = "http://127.0.0.1:9"
    environment = {**prefect_environment, "HTTP_PROXY": proxy, "http_proxy": proxy, "BMA_PROGRESS_BACKOFF": "0"}
    with DemoPortal(fixtures) as portal:
        assert harvest(portal, data).published
        for page in sorted(fixtures.glob("*-????.html"))[:20]:
            page.write_text("<html><body>ปิดปรับปรุงระบบชั่วคราว</body></html>", encoding="utf-8")
        done = run(environment, "harvest", "--portal", portal.url, "--data", data, "--rate", 1000)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    with closing(sqlite3.connect(Path(environment["PREFECT_HOME"]) / "prefect.db")) as prefect:
        like = f"127.0.0.1:{portal.url.rpartition(':')[2]} 2%"
        (flow_run,) = prefect.execute("SELECT id, state_name FROM flow_run WHERE name LIKE ?", [like])
        assert flow_run[1] == "HeldBack", done.stderr
        artifacts = dict(prefect.execute("SELECT key, data FROM artifact WHERE flow_run_id = ?", flow_run[:1]))
        assert set(artifacts) == {None, "coverage", "report", "changes", "changes-page"}
        assert "file://" not in str(artifacts)
        assert artifacts["changes-page"].count("| meaning | record | where | before | after |") == 1
        assert "lost: blocked" in artifacts["changes"]
        assert any("สำนัก" in row["agency"] for row in json.loads(json.loads(artifacts["coverage"])))
        assert "HELD BACK" in artifacts["report"]
        tasks = dict(prefect.execute("SELECT name, state_name FROM task_run WHERE flow_run_id = ?", flow_run[:1]))
        assert tasks["batch 1"] == "Completed"
        assert any(name.startswith("commit") for name in tasks)


def companion_of(harvest: int) -> int:
    """The process that reports a harvest to Prefect."""
    children = Path(f"/proc/{harvest}/task/{harvest}/children").read_text().split()
    (companion,) = (int(child) for child in children if b"companion" in Path(f"/proc/{child}/cmdline").read_bytes())
    return companion


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_gone(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_night_goes_on_without_prefect_and_leaves_no_server(
    prefect_environment: dict[str, str], tmp_path: Path
) -> None:
    """Its server is killed under it: the night ends as it would have. It is killed itself: so is its server."""
    with DemoPortal() as portal:
        arguments = [*COMMAND, "harvest", "--portal", portal.url, "--data", str(tmp_path / "store"), "--rate"]
        with subprocess.Popen(
            [*arguments, "5"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=prefect_environment
        ) as killed:
            until(lambda: len(portal.requests) > 3)
            companion = companion_of(killed.pid)
            killed.kill()
            killed.wait()
            until(lambda: is_gone(companion), 15)
        with subprocess.Popen(
            [*arguments, "200"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=prefect_environment
        ) as goes_on:
            until(lambda: len(portal.requests) > 20)
            os.kill(companion_of(goes_on.pid), signal.SIGKILL)
            stdout, stderr = goes_on.communicate(timeout=120)
    assert goes_on.returncode == 0, stderr
    assert ": published." in stdout
    assert stderr.count("Prefect cannot show this harvest (its process has ended)") == 1
    assert "Traceback" not in stderr


def test_a_full_disk_under_prefects_home_costs_no_night(prefect_environment: dict[str, str], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    mounted = 'mount -t tmpfs -o size=64k,mode=0700 none "$0" && exec "$@"'
    full_disk = ("unshare", "--mount", "sh", "-c", mounted, str(home))
    try:
        tried = subprocess.run([*full_disk, "true"], capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no mounts of one's own here: {error}")
    if tried.returncode:
        pytest.skip(f"no mounts of one's own here: {tried.stderr}")
    with DemoPortal() as portal:
        done = subprocess.run(
            [
                *full_disk,
                *COMMAND,
                "harvest",
                "--portal",
                portal.url,
                "--data",
                str(tmp_path / "store"),
                "--rate",
                "1000",
            ],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            env={**prefect_environment, "PREFECT_HOME": str(home)},
        )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert ": published." in done.stdout
    assert done.stderr.count("Prefect cannot show this harvest (") == 1
    assert "its disk has room: the harvest goes on without it" in done.stderr


def test_a_ctrl_c_on_a_terminal_ends_within_seconds(prefect_environment: dict[str, str], tmp_path: Path) -> None:
    """The terminal sends it to every process of its group; a page that never comes is given up."""
    with FaultyPortal(serve=lambda path: (404, "text/html", b"<html></html>")) as portal:
        portal.always("/mobile/", stall(60))
        portal.always("/mobile/index101.php?selDEP=03000000", stall(60))
        command = [*COMMAND, "harvest", "--portal", portal.url, "--data", str(tmp_path / "store"), "--rate", "50"]
        leader, terminal = os.openpty()
        with subprocess.Popen(
            command, stdin=terminal, stdout=terminal, stderr=terminal, env=prefect_environment, start_new_session=True
        ) as process:
            os.close(terminal)
            until(lambda: len(portal.log) > 10)
            companion = companion_of(process.pid)
            pressed = time.monotonic()
            os.killpg(process.pid, signal.SIGINT)
            status = process.wait(30)
            took = time.monotonic() - pressed
        with suppress(OSError):  # EIO: the end of a terminal
            said = b""
            while more := os.read(leader, 65536):
                said += more
        os.close(leader)
    assert status == 2
    assert b"the same command goes on from there" in said
    assert took < 10
    assert b"Traceback" not in said
    assert is_gone(companion)


def test_a_stop_finishes_the_pages_being_fetched_and_says_how_to_go_on(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with DemoPortal() as portal:
        arguments = [*COMMAND, "harvest", "--portal", portal.url, "--data", str(tmp_path / "store"), "--rate", "20"]
        with subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        ) as process:
            until(lambda: len(portal.requests) >= 20)
            process.send_signal(signal.SIGTERM)
            _, stderr = process.communicate(timeout=60)
        assert process.returncode == 2
        assert "the same command goes on from there" in stderr
        assert "Traceback" not in stderr
        kept = {path for path in portal.requests if path != "/robots.txt"}
        portal.requests.clear()
        result = run(environment, *arguments[len(COMMAND) : -1], "1000")
        assert result.returncode == 0, result.stderr
        assert not kept & set(portal.requests)


def test_backfill_harvests_several_portals_each_into_its_own_store(
    prefect_environment: dict[str, str], tmp_path: Path
) -> None:
    """Two on one host take turns; one that cannot be reached costs the others nothing."""
    file = tmp_path / "portals.toml"
    with DemoPortal() as one, DemoPortal() as other:
        other.night = 3
        tables = [
            {"portal": one.url, "data": tmp_path / "one", "agencies": "2400,0900"},
            {"portal": "http://127.0.0.1:9", "data": tmp_path / "dead"},
            {"portal": other.url, "data": tmp_path / "other", "agencies": "2400"},
            {"portal": one.url, "data": tmp_path / "part", "agencies": "2400"},
        ]
        file.write_text(
            "\n".join(
                "[[harvest]]\nrate = 1000\nbackoff = 0\n"
                + "\n".join(f'{name} = "{value}"' for name, value in table.items())
                for table in tables
            )
        )
        done = run(prefect_environment, "backfill", file)
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
    asked = {name: store.arrow("pages")["fetched_at"].drop_null().to_pylist() for name, store in stores.items()}
    assert min(asked["part"]) >= max(asked["one"]), "one host is asked by one harvest at a time"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("harvest = 1", "names no portal"),
        ('[[harvest]]\nportal = "http://a"', "the 1st [[harvest]] of {file} has no 'data'"),
        ('[[harvest]]\nportal = "http://a"\ndata = "x"\nrat = 1', "rat is no setting (did you mean rate?)"),
        ('[[harvest]]\nportal = "http://a"\ndata = "x"\nsample = "all"', "sample: Input should be a valid integer"),
        ('[[harvest]]\nportal = "http://a"\ndata = "x"\nsample = 0', "sample should be greater than or equal to 1"),
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
