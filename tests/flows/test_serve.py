"""The nightly service as it is started by the README: a real Prefect server, a real deployment, a missed harvest made up for."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
from support.ports import free_port
from support.prefect_api import answer_of

from flows.cli import main
from flows.prefect_.server import SECRET_FILE, prefect_server
from parsers.thai import BANGKOK
from pipeline.errors import BmaProgressError
from pipeline.harvest import run as harvest_run
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.result import Scope
from pipeline.harvest.run import HarvestRun, run_harvest
from pipeline.settings import load_settings
from pipeline.store.layout import beside
from pipeline.store.lock import service_lock
from pipeline.store.verify import verify_store
from pipeline.store.writer import create_store, open_archive, open_writer


@pytest.mark.slow
def test_a_missed_harvest_is_made_up_for_once_and_the_service_stops_cleanly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, port = tmp_path / "store", free_port()
    with DemoPortal() as portal:
        with monkeypatch.context() as long_ago:
            long_ago.setattr(harvest_run, "new_harvest_id", lambda store: "20260101T190000Z")
            store = create_store(data, portal.url)
            with open_writer(store.root) as store:
                run = HarvestRun.begin(load_settings(portal=portal.url, data=data, rate=1_000_000), store, Scope())
                assert run_harvest(run)
                run.close()
        # the command of the systemd unit, with the settings where the unit has them
        unit = (Path(__file__).parents[2] / "docs" / "deploy" / "bma-progress.service").read_text(encoding="utf-8")
        started = re.search(r"^ExecStart=\S+/bma-progress (.*)$", unit, re.MULTILINE)
        assert started
        assert '--cron "0 2 * * *"' in started[1]
        cron = f"0 {datetime.now(BANGKOK) - timedelta(hours=3):%H} * * *"  # not due again while this test runs
        command = [sys.executable, "-c", "from flows.cli import main; main()", *shlex.split(started[1]), "--cron", cron]
        config = tmp_path / "bma-progress.toml"
        config.write_text(f'portal = "{portal.url}"\ndata = "{data}"\nrate = 500\n')
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        environment |= {"BMA_PROGRESS_CONFIG": str(config), "PREFECT_RUNNER_POLL_FREQUENCY": "2"}
        with (tmp_path / "said").open("wb") as said:
            service = subprocess.Popen([*command, "--port", str(port)], env=environment, stderr=said, stdout=said)
            try:
                for _ in range(1200):
                    if len(store.harvest_ids()) == 2 or service.poll() is not None:
                        break
                    time.sleep(0.1)
                servers = _second_servers(service.pid)
                time.sleep(2)  # a second one would begin now
                secret = beside(data, "prefect") / SECRET_FILE
                late, refused = _what_others_reach(f"http://127.0.0.1:{port}/api", secret, tmp_path / "ran")
            finally:
                service.send_signal(signal.SIGTERM)
                status = service.wait(60)
    output = (tmp_path / "said").read_text()
    assert status == 0, output
    assert late == ("COMPLETED", "Skipped"), output  # a run that the machine slept through
    assert refused == ("FAILED", "CouldNotRun"), output  # a parameter that names a command
    assert not (tmp_path / "ran").exists()
    assert secret.stat().st_mode & 0o077 == 0
    assert servers == []  # the one that the service started, and no other
    assert "was missed: harvesting now" in output
    assert f"{cron} (Asia/Bangkok)" in output
    due = rf"the next harvest of http://\S+ is due at \d{{4}}-\d\d-\d\d {cron.split()[1]}:00 \(Asia/Bangkok\)"
    assert re.search(due, output)
    assert len(re.findall(r"^harvest \w+ of \S+: published; \d+ pages, 0 failed, \d+ s; changes: ", output, re.M)) == 1
    assert len(open_archive(data).harvest_ids()) == 2, output
    assert verify_store(data) == []
    with socket.socket() as probe:  # the embedded server went with the service
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def _what_others_reach(api: str, secret: Path, ran: Path) -> tuple[tuple[str, str], tuple[str, str]]:
    """How two runs end: one that was due before the newest harvest began, one whose parameters name a command.

    Without the secret nobody is answered, nor with it under another name.
    """
    for headers in ({}, {"Authorization": "Basic b3RoZXI6b3RoZXI="}):
        assert httpx.post(f"{api}/deployments/filter", json={}, headers=headers).status_code == 401
    user, _, password = secret.read_text().strip().partition(":")
    with httpx.Client(base_url=api, timeout=30, auth=(user, password)) as prefect:
        assert prefect.post("/deployments/filter", json={}, headers={"Host": "evil.example"}).status_code == 400
        (deployment,) = prefect.post("/deployments/filter", json={}).json()
        due = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        overdue = {"state": {"type": "SCHEDULED", "state_details": {"scheduled_time": due}}}
        command = {"request": {"settings": {"notify_command": ["touch", str(ran)]}}}
        create = partial(prefect.post, f"/deployments/{deployment['id']}/create_flow_run")
        wanted = (overdue, {"state": {"type": "SCHEDULED"}, "parameters": command})
        runs = [answer_of(partial(create, json=content))["id"] for content in wanted]
        late, refused = (_end(prefect, run) for run in runs)
    return late, refused


def _end(prefect: httpx.Client, run: str) -> tuple[str, str]:
    """The type and the name of the state in which a flow run ends."""
    for _ in range(600):
        state = answer_of(partial(prefect.get, f"/flow_runs/{run}"))
        if state["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
            break
        time.sleep(0.1)
    return state["state_type"], state["state_name"]


def _second_servers(service: int) -> list[str]:
    """Servers that Prefect started for itself, among the processes of a service."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue  # it is gone
        if parent == service and "uvicorn" in command:
            found.append(command)
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux stops a process when its parent is gone")
def test_a_killed_service_leaves_no_server_behind(prefect_environment: dict[str, str], tmp_path: Path) -> None:
    port = free_port()
    code = (
        "import sys, time; from pathlib import Path; from flows.prefect_.server import prefect_server\n"
        "with prefect_server(Path(sys.argv[1]), int(sys.argv[2])): print('up', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code, prefect_environment["PREFECT_HOME"], str(port)]
    with subprocess.Popen(command, env=prefect_environment, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout
        assert service.stdout.readline() == "up\n"
        service.kill()
        service.wait(10)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return
        time.sleep(0.2)
    pytest.fail("the server goes on without its service")


@pytest.mark.parametrize("cron", ["at night", "@daily", "0 2 31 2 *", "0 2 * * * *", ""])
def test_a_wrong_schedule_is_refused_before_anything_starts(
    cron: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--data", str(tmp_path / "store"), "--cron", cron])
    assert ended.value.code == 2
    assert f"{cron!r} is not a schedule" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["serve"], ["serve", "--cron", "0 3 * * *"]])
def test_a_store_has_one_service(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = create_store(tmp_path / "store", "http://127.0.0.1:9")
    with service_lock(store.root), open_writer(store.root), pytest.raises(SystemExit) as ended:
        main([*command, "--data", str(store.root), "--portal", store.portal])
    assert ended.value.code == 2
    assert "is served by another process already; stop that one first" in capsys.readouterr().err
    with (
        open_writer(store.root) as store,
        service_lock(store.root),
    ):  # a harvest that is under way does not hinder a service
        pass


def test_a_port_that_another_program_has_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        sentence = rf"^no server can listen at 127\.0\.0\.1:{port} \(Address already in use\); name another --port$"
        with pytest.raises(BmaProgressError, match=sentence), prefect_server(tmp_path, port):
            pass


def test_a_server_that_is_not_there_costs_no_harvest(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment |= {"PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api", "PREFECT_HOME": str(tmp_path / "home")}
    with DemoPortal() as portal:
        command = [Path(sys.executable).with_name("bma-progress"), "harvest", "--portal", portal.url]
        command += ["--data", tmp_path / "store", "--rate", "1000", "--agencies", "2400"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "bma-progress: Prefect cannot show this harvest (Failed to reach API at" in done.stderr
