"""The service's supervisor: killed harvests are begun again twice, missed ones are made up for once, all is notified."""

import asyncio
import json
import os
import socket
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from flows import supervise
from flows.notifications import notify_late
from flows.supervise import Supervisor
from parsers.thai import BANGKOK
from pipeline.errors import BmaProgressError
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.result import Scope
from pipeline.harvest.run import HarvestRun, run_harvest
from pipeline.operate.status import condition
from pipeline.settings import Settings, load_settings
from pipeline.store.archive import Archive
from pipeline.store.writer import create_store, open_writer


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a new store, whose notifications are lines of a file."""
    command = (
        f"{sys.executable} -c \"import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + chr(10))\" {tmp_path}/sent"
    )
    made = load_settings(portal="http://127.0.0.1:9", data=tmp_path / "store", notify_command=command, resume_hours=12)
    create_store(made.data, made.portal)
    return made


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, datetime]]:
    """What the supervisor has Prefect begin: name, and the time it answers. A server would take half a minute."""
    asked: list[tuple[str, datetime]] = []

    async def begin_harvest(deployment_id: UUID, name: str, due: datetime) -> None:
        asked.append((name, due))

    async def drop_overdue(deployment_id: UUID) -> None:
        pass

    monkeypatch.setattr(supervise, "begin_harvest", begin_harvest)
    monkeypatch.setattr(supervise, "drop_overdue", drop_overdue)
    return asked


def supervisor(settings: Settings, cron: str = "0 * * * *", lost: threading.Event | None = None) -> Supervisor:
    from prefect.server.schemas.schedules import CronSchedule

    schedule = CronSchedule(cron=cron, timezone="Asia/Bangkok")
    return Supervisor(settings, schedule, uuid4(), lost or threading.Event())


def watch(settings: Settings, seconds: float = 0.5) -> None:
    async def some_looks() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(seconds):
                await supervisor(settings).watch()

    asyncio.run(some_looks())


def kill_harvest(settings: Settings, scope: Scope = Scope()) -> str:  # noqa: B008 - it is frozen
    """Begin or go on with a harvest in a process that kills itself; returns its id."""
    if (process := os.fork()) == 0:
        writer = open_writer(settings.data)
        HarvestRun.begin(settings, writer.__enter__(), scope)
        os.kill(os.getpid(), 9)
    os.waitpid(process, 0)
    (folder,) = (settings.data / "runs").iterdir()
    return folder.name


def sent(settings: Settings) -> list[dict[str, str]]:
    file = settings.data.parent / "sent"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_a_killed_harvest_is_notified_and_begun_again_at_most_twice(
    settings: Settings, begun: list[tuple[str, datetime]], capsys: pytest.CaptureFixture[str]
) -> None:
    for times in (1, 2, 3):
        id_ = kill_harvest(settings)
        watch(settings)
        watch(settings)  # another start of the service does not see it again
        assert len(sent(settings)) == times
        assert len(begun) == min(times, 2)
    assert {name for name, _ in begun} == {"a killed harvest"}
    assert all(event["event"] == "failed" and event["harvest_id"] == id_ for event in sent(settings))
    assert capsys.readouterr().out.count(f"harvest {id_} of {settings.portal}: failed: its process was killed") == 3
    assert condition(Archive(settings.data), 36).state == "failed"


def test_of_a_killed_sample_no_harvest_of_the_whole_portal_is_made(
    settings: Settings, begun: list[tuple[str, datetime]]
) -> None:
    id_ = kill_harvest(settings, Scope(sample=5))
    watch(settings)
    assert [event["harvest_id"] for event in sent(settings)] == [id_]
    assert begun == []


def test_what_was_stopped_or_runs_is_not_taken_for_killed(
    settings: Settings, begun: list[tuple[str, datetime]]
) -> None:
    with open_writer(settings.data) as store:
        run = HarvestRun.begin(settings, store, Scope())
        watch(settings)
        run.log("stopped")
        run.close()
    watch(settings)
    assert (begun, sent(settings)) == ([], [])


def test_a_missed_time_is_answered_once(
    tmp_path: Path, begun: list[tuple[str, datetime]], capsys: pytest.CaptureFixture[str]
) -> None:
    due = (datetime.now(BANGKOK) - timedelta(hours=3)).replace(minute=0, second=0, microsecond=0).astimezone(UTC)
    cron = f"0 {due.astimezone(BANGKOK):%H} * * *"  # due again in twenty hours at the earliest
    with DemoPortal() as portal:
        settings = load_settings(portal=portal.url, data=tmp_path / "store", rate=1000, agencies="2400")
        create_store(settings.data, portal.url)
        asyncio.run(supervisor(settings, cron).begin())
        assert begun == []  # a new store says when it will
        assert "is due at" in capsys.readouterr().out
        for answers in (due - timedelta(hours=1), due):
            with open_writer(settings.data) as store, pytest.MonkeyPatch.context() as at_its_time:
                at_its_time.setattr("pipeline.harvest.run.new_harvest_id", lambda _, at=answers: f"{at:%Y%m%dT%H%M%SZ}")
                run = HarvestRun.begin(settings, store, Scope(agencies=("24000000",)), due=answers)
                assert run_harvest(run)
                run.close()
            asyncio.run(supervisor(settings, cron).begin())
            assert (
                f"the newest harvest of {portal.url} is {answers:%Y%m%dT%H%M%SZ}: published" in capsys.readouterr().out
            )
    assert begun == [("a missed harvest", due)]


def test_systemd_hears_that_the_service_lives(
    settings: Settings, begun: list[tuple[str, datetime]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0bma-progress-test")
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", "@bma-progress-test")
        watch(settings)
        assert systemd.recv(100) == b"WATCHDOG=1"


def test_a_lost_server_ends_the_service(settings: Settings, begun: list[tuple[str, datetime]]) -> None:
    lost = threading.Event()
    lost.set()
    with pytest.raises(BmaProgressError, match="Prefect's server has ended and cannot be started again"):
        asyncio.run(supervisor(settings, lost=lost).watch())


def test_a_store_that_never_had_a_harvest_is_late_too(settings: Settings) -> None:
    assert notify_late(settings) == []
    assert sent(settings) == []
    made = settings.data / "store.json"
    os.utime(made, (made.stat().st_mtime - 37 * 3600,) * 2)
    assert notify_late(settings) == []
    assert notify_late(settings) == []
    (event,) = sent(settings)
    assert (event["event"], event["harvest_id"]) == ("late", None)
    assert "more than 36, and holds no harvest yet" in event["reason"]
