"""The files of docs/deploy/ and prefect.yaml work as written: each is used here unchanged."""

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
import zipfile
from functools import partial
from pathlib import Path

import click
import httpx
import pytest
import yaml
from support.ports import free_port
from support.prefect_api import answer_of

from flows.cli import cli
from flows.prefect_.server import prefect_server
from pipeline.api import open_store
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.settings import SETTINGS, load_settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"


def command_named(name: str) -> click.Command:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return command


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(DEPLOY / "bma-progress.service")
    program, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert Path(program).name == "bma-progress"
    context = command_named("serve").make_context("serve", arguments[1:])
    assert context.params["cron"] == "0 2 * * *"
    assert int(unit["Service"]["TimeoutStopSec"]) > SETTINGS["page_timeout"].default
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze here: the unit's own words are not checked")
    text = (DEPLOY / "bma-progress.service").read_text(encoding="utf-8").replace(program, sys.executable)
    (tmp_path / "bma-progress.service").write_text(text, encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "bma-progress.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    command = ["systemd-analyze", "security", "--offline=yes", "--threshold=25", str(tmp_path / "bma-progress.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout  # an exposure of more than 2.5


def test_the_settings_file_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMA_PROGRESS_CONFIG", str(DEPLOY / "bma-progress.toml"))
    settings = load_settings()
    written = tomllib.loads((DEPLOY / "bma-progress.toml").read_text(encoding="utf-8"))
    assert {name: getattr(settings, name) for name in written} == {**written, "data": Path(written["data"])}


def test_the_container_holds_all_that_it_installs(tmp_path: Path) -> None:
    """The files that the container file copies make a wheel, and the wheel has every module and template."""
    lines = (DEPLOY / "Containerfile").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if line.startswith("COPY "):
            *sources, target = line.split()[1:]
            for source in sources:
                there = tmp_path / target / source if len(sources) > 1 else tmp_path / target
                copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
                copy(ROOT / source, there)
    (install,) = [line for line in lines if line.startswith("RUN python -m pip install")]
    assert "-c constraints.txt ." in install
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "wheel")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    homes = {name: name for name in ("bma_progress", "parsers", "pipeline", "flows")}
    wanted = {
        f"{home}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, home in {**homes, "fixtures_html": "pipeline/harvest/demo_pages"}.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name.partition("/")[0] for name in packed if ".dist-info/" not in name} == set(homes)
    assert wanted <= packed
    assert [line.split()[0] for line in lines if line.startswith(("USER", "VOLUME", "HEALTHCHECK"))]
    words = {
        line.split()[0]: line.partition(" ")[2] for line in lines if line.startswith(("ENTRYPOINT", "CMD", "ENV B"))
    }
    command_, *arguments = json.loads(words["ENTRYPOINT"]) + json.loads(words["CMD"])
    assert command_ == "bma-progress"
    assert isinstance(command_named(arguments[0]).make_context(arguments[0], arguments[1:]), click.Context)
    name, _, value = words["ENV"].partition("=")
    assert name.removeprefix("BMA_PROGRESS_").lower() in SETTINGS
    assert value.startswith("/data/")


@pytest.mark.slow
def test_the_container_harvests_on_a_root_that_cannot_be_written_to(tmp_path: Path) -> None:
    """With the container file's user, environment and volume, but this machine's Python and libraries in the image's place."""
    lines = (DEPLOY / "Containerfile").read_text(encoding="utf-8").splitlines()
    (user,) = re.findall(r"useradd .*--uid ([0-9]+)", "\n".join(lines))
    variables = [line.removeprefix("ENV ") for line in lines if line.startswith("ENV ")]
    root, volume = tmp_path / "root", tmp_path / "volume"
    root.mkdir()
    volume.mkdir(mode=0o700)
    # where a virtual environment takes its Python and its libraries from
    libraries = {path for path in sys.path if path.endswith("site-packages")}
    places = {"/usr", "/lib", "/lib64", "/bin", "/etc", str(ROOT), sys.base_prefix, sys.prefix, *libraries}
    shown = sorted(place for place in places if Path(place).exists())

    def contained(*command: str) -> subprocess.CompletedProcess[str]:
        start = [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--ipc",
            "--uts",
            "sh",
            ROOT / "tests/support/start_container.sh",
        ]
        return subprocess.run(
            [*start, root, volume, user, ":".join(shown), "env", "-i", *variables, "PATH=/usr/bin:/bin", *command],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    try:
        os.chown(volume, int(user), int(user))
        tried = contained("sh", "-c", "! touch /x 2>&1 && touch /data/x && id -u")
    except (OSError, AttributeError) as error:
        pytest.skip(f"no namespaces of one's own here: {error}")
    if tried.returncode:
        pytest.skip(f"no namespaces of one's own here: {tried.stderr}")
    assert "Read-only file system" in tried.stdout
    assert tried.stdout.splitlines()[-1] == user
    program = (
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from flows.cli import main; main()",
    )
    with DemoPortal() as portal:
        done = contained(*program, "harvest", "--portal", portal.url, "--rate", "1000", "--orchestrator", "none")
    assert done.returncode == 0, done.stdout + done.stderr
    for line in ("status", "verify", "sql FROM/**/projects", "export latest --out /data/tables"):
        done = contained(*program, *line.split())
        assert (done.returncode, done.stderr) == (0, ""), done
    assert (volume / "tables" / "projects.parquet").stat().st_uid == int(user)


def test_compose_starts_the_container_without_rights() -> None:
    (service,) = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"].values()
    assert (DEPLOY / service["build"]["context"]).resolve() == ROOT
    assert (ROOT / service["build"]["dockerfile"]).is_file()
    assert (service["read_only"], service["cap_drop"], service["volumes"]) == (True, ["ALL"], ["bma-progress:/data"])


@pytest.mark.slow
def test_a_worker_of_a_process_pool_runs_the_deployment(
    prefect_environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands of prefect.yaml, against a real server; only the portal and the store are others."""
    document = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    (deployment,) = document["deployments"]
    assert deployment["schedules"] == [{"cron": "0 2 * * *", "timezone": "Asia/Bangkok", "active": True}]
    commands = re.findall(
        r"^#   (prefect .*?)(?:  #.*)?$", (ROOT / "prefect.yaml").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(commands) == 3
    data = tmp_path / "store"
    for name in list(os.environ):
        if name.startswith("PREFECT_"):
            monkeypatch.delenv(name)
    with DemoPortal() as portal, prefect_server(Path(prefect_environment["PREFECT_HOME"]), free_port()) as address:
        settings = {"BMA_PROGRESS_PORTAL": portal.url, "BMA_PROGRESS_DATA": str(data), "BMA_PROGRESS_RATE": "1000"}
        deployment["work_pool"]["job_variables"]["env"] = settings
        (tmp_path / "prefect.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        environment = {**prefect_environment, "PREFECT_API_URL": address}
        environment["PREFECT_API_AUTH_STRING"] = os.environ["PREFECT_API_AUTH_STRING"]

        def prefect(line: str) -> None:
            command = [sys.executable, "-m", *shlex.split(line)]
            done = subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
            )
            assert done.returncode == 0, done.stdout + done.stderr

        create, deploy, start = commands
        prefect(create)
        prefect(deploy)
        with (tmp_path / "worker.log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", *shlex.split(start)], env=environment, cwd=tmp_path, stdout=log, stderr=log
            )
        try:
            auth = tuple(environment["PREFECT_API_AUTH_STRING"].split(":", 1))
            with httpx.Client(base_url=address, timeout=30, auth=auth) as client:
                made = answer_of(partial(client.get, f"/deployments/name/harvest/{deployment['name']}"))
                answer_of(partial(client.post, f"/deployments/{made['id']}/create_flow_run", json={}))
            deadline = time.monotonic() + 120
            while not (data / "latest").exists():
                assert time.monotonic() < deadline, (tmp_path / "worker.log").read_text()
                time.sleep(0.2)
        finally:
            worker.terminate()
            worker.wait(60)
    assert len(open_store(data).table("projects")) > 10
