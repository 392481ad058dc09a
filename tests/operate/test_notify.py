"""Notifications, with a real server on loopback and a real command."""

import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flows.cli import main
from pipeline.compare.classify import MEANINGS
from pipeline.errors import SettingsError
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.operate import delivery, notify
from pipeline.operate.notify import Event, event_of, send_event, sent_log
from pipeline.operate.status import condition
from pipeline.operate.watch import notify_watched, watched_changes
from pipeline.setting_values import Watch
from pipeline.settings import load_settings
from pipeline.store.writer import create_store, open_archive

TOKEN = "T0ken-nobody-may-see"


class Hook:
    """A webhook: what came to it; statuses: what it answers, then 200."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.came: list[tuple[str, dict[str, str]]] = []


@contextmanager
def webhook(*statuses: int) -> Iterator[tuple[str, Hook]]:
    hook = Hook(*statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            hook.came.append((self.path, json.loads(body)))
            self.send_response(hook.statuses.pop(0) if hook.statuses else 200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hooks/{TOKEN}", hook
    finally:
        server.shutdown()
        server.server_close()


def command_that_keeps(folder: Path, *, status: int = 0) -> str:
    """A command that keeps what it receives in a file; its name has a space, its argument characters of a shell."""
    script = folder / "keep it.py"
    script.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        "env = dict(os.environ)\n"
        "event = dict(argv=sys.argv[1:], stdin=json.load(sys.stdin), env=env)\n"
        f"open({str(folder / 'received.jsonl')!r}, 'a').write(json.dumps(event) + chr(10))\nsys.exit({status})\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return f"'{script}' '$(touch {folder}/shell); x'"


def received(folder: Path) -> list[dict[str, dict[str, str]]]:
    file = folder / "received.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


EVENT = Event(
    "held_back", "data/x", "http://127.0.0.1:1", "20261122T190000Z", "20 of 34 pages gave no answer; $(rm -rf /)"
)


def test_webhook_and_command_get_the_same_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook() as (address, hook):
        monkeypatch.setenv("BMA_PROGRESS_NOTIFY_WEBHOOK", address)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", TOKEN)
        settings = load_settings(notify_command=command_that_keeps(tmp_path))
        assert TOKEN not in repr(settings)
        assert TOKEN not in str(settings)
        assert send_event(EVENT, settings, tmp_path / "log") == []
    assert hook.came == [(f"/hooks/{TOKEN}", EVENT.document())]
    assert EVENT.document()["text"].startswith(
        "bma-progress: the harvest of http://127.0.0.1:1 was held back (data/x): 20 of"
    )
    (call,) = received(tmp_path)
    assert call["stdin"] == EVENT.document()
    assert call["argv"] == [f"$(touch {tmp_path}/shell); x"]
    assert call["env"]["BMA_EVENT_REASON"] == EVENT.reason
    assert call["env"]["BMA_EVENT_EVENT"] == "held_back"
    assert TOKEN not in json.dumps(call)
    assert call["env"]["PATH"] == os.environ["PATH"]
    assert not (tmp_path / "shell").exists()


def test_an_event_is_sent_once_and_a_recovery_after_it(tmp_path: Path) -> None:
    settings, log = load_settings(notify_command=command_that_keeps(tmp_path)), tmp_path / "log"
    good = Event("recovered", "data/x", "http://a", "20261124T190000Z", "published")
    late = Event("late", "data/x", "http://a", "20261122T190000Z", "too old")
    send_event(good, settings, log)
    assert received(tmp_path) == []
    for _ in range(3):
        send_event(late, settings, log, once=True)
    send_event(EVENT, settings, log)
    send_event(EVENT, settings, log, once=True)
    send_event(EVENT, settings, log)  # the next harvest failed the same way: without `once` it is sent
    send_event(good, settings, log)
    send_event(good, settings, log)
    assert [call["stdin"]["event"] for call in received(tmp_path)] == ["late", "held_back", "held_back", "recovered"]


def test_a_failure_of_one_way_does_not_send_the_other_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMA_PROGRESS_NOTIFY_WEBHOOK", f"http://127.0.0.1:9/{TOKEN}")
    settings, log = load_settings(notify_command=command_that_keeps(tmp_path)), tmp_path / "log"
    for _ in range(2):
        (problem,) = send_event(EVENT, settings, log, once=True)
        assert problem.startswith("the webhook on 127.0.0.1 gave no answer")
    assert len(received(tmp_path)) == 1
    with webhook(200) as (address, hook):
        monkeypatch.setenv("BMA_PROGRESS_NOTIFY_WEBHOOK", address)
        for _ in range(2):
            assert send_event(EVENT, load_settings(notify_command=settings.notify_command), log, once=True) == []
    assert (len(received(tmp_path)), len(hook.came)) == (1, 1)


def test_a_command_that_does_not_end_is_stopped_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_COMMAND_SECONDS", 1.0)
    started = tmp_path / "started"
    script = f"sleep 100 & echo $! > {started}; wait"
    (problem,) = send_event(EVENT, load_settings(notify_command=f"sh -c '{script}'"), tmp_path / "log")
    assert problem == "the command sh did not end within 1 s and was stopped"
    child = Path("/proc") / started.read_text().strip() / "stat"
    deadline = time.monotonic() + 10
    while child.exists() and child.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline, "a child of the command is still running"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("statuses", "calls", "problem"),
    [((503,), 2, None), ((503, 503, 503), 3, "answered with status 503"), ((404,), 1, "answered with status 404")],
)
def test_a_webhook_is_tried_three_times_at_most(
    statuses: tuple[int, ...], calls: int, problem: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook(*statuses) as (address, hook):
        monkeypatch.setenv("BMA_PROGRESS_NOTIFY_WEBHOOK", address)
        problems = send_event(EVENT, load_settings(), tmp_path / "log")
    assert len(hook.came) == calls
    assert len(problems) == (problem is not None)
    for sentence in problems:
        assert problem
        assert problem in sentence
        assert "the webhook on 127.0.0.1" in sentence
        assert TOKEN not in sentence
    assert (tmp_path / "log").exists() == (not problems), "an unsent event is sent the next time"


def test_a_failure_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMA_PROGRESS_NOTIFY_WEBHOOK", f"http://127.0.0.1:9/{TOKEN}")
    settings = load_settings(notify_command="/nowhere/to-be-found --x")
    problems = send_event(EVENT, settings, tmp_path / "log")
    assert problems == [
        "the webhook on 127.0.0.1 gave no answer (ConnectError), so the event 'held_back' was not sent there",
        "the command /nowhere/to-be-found cannot be run (No such file or directory)",
    ]
    monkeypatch.delenv("BMA_PROGRESS_NOTIFY_WEBHOOK")
    failing = load_settings(notify_command=command_that_keeps(tmp_path, status=3))
    (problem,) = send_event(EVENT, failing, tmp_path / "log")
    assert problem.endswith("ended with status 3")


def test_a_secret_is_not_read_from_a_file_and_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMA_PROGRESS_NOTIFY_WEBHOOK", f"ftp://x/{TOKEN}")
    with pytest.raises(SettingsError, match="its value is not shown") as caught:
        load_settings()
    assert TOKEN not in str(caught.value)
    monkeypatch.delenv("BMA_PROGRESS_NOTIFY_WEBHOOK")
    file = tmp_path / "own.toml"
    file.write_text(f'notify_webhook = "https://x/{TOKEN}"')
    monkeypatch.setenv("BMA_PROGRESS_CONFIG", str(file))
    with pytest.raises(SettingsError, match="by the environment variable BMA_PROGRESS_NOTIFY_WEBHOOK only") as caught:
        load_settings()
    assert TOKEN not in str(caught.value)


def test_status_shows_and_sends_what_is_not_good(
    three_nights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BMA_PROGRESS_NOTIFY_COMMAND", command_that_keeps(tmp_path))
    sent_log(three_nights).unlink(missing_ok=True)
    store = open_archive(three_nights)

    def status(*arguments: str) -> int:
        try:
            main(["status", "--data", str(three_nights), *arguments])
        except SystemExit as ended:
            return int(str(ended.code))
        return 0

    assert status("--notify") == 0
    assert received(tmp_path) == []
    assert event_of(store, condition(store, 36)) is None
    for _ in range(2):
        assert status("--late-hours", "0.000001", "--notify", "--format", "json") == 1
    document = json.loads(capsys.readouterr().out.partition("\n{")[2].join(["{", ""]).split("\n}\n")[0] + "\n}")
    assert (document["state"], document["good"], document["published_id"]) == ("late", False, store.latest_id())
    (call,) = received(tmp_path)
    assert call["stdin"]["event"] == "late"
    assert "hours ago, more than" in call["stdin"]["reason"]
    assert call["stdin"]["harvest_id"] == store.latest_id()
    sent_log(three_nights).unlink()


def test_a_failed_harvest_is_sent_and_shown_by_status(prefect_environment: dict[str, str], tmp_path: Path) -> None:
    """A good harvest sends nothing; then the portal is gone; then it is back. No file has the secret."""
    data = tmp_path / "store"
    command = [sys.executable, "-c", "from flows.cli import main; main()"]
    with webhook() as (address, hook):
        environment = {**prefect_environment, "BMA_PROGRESS_NOTIFY_WEBHOOK": address, "BMA_PROGRESS_RETRIES": "0"}

        def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
            return subprocess.run(
                [*command, *arguments, "--data", str(data)],
                env=environment,
                capture_output=True,
                timeout=120,
                check=False,
            )

        with DemoPortal() as portal:
            harvest = ("harvest", "--portal", portal.url, "--rate", "1000")
            assert run(*harvest, "--orchestrator", "none").returncode == 0
            port = int(portal.url.rpartition(":")[2])
        assert hook.came == []
        done = run(*harvest)
        assert done.returncode == 2
        assert [document["event"] for _, document in hook.came] == ["failed"]
        assert "robots.txt could not be read" in hook.came[0][1]["reason"]
        status = run("status", "--notify")
        assert status.returncode == 1
        assert b"FAILED: " in status.stdout
        assert len(hook.came) == 1, "sent already"
        with DemoPortal(port=port):
            assert run(*harvest, "--orchestrator", "none").returncode == 0
        assert [document["event"] for _, document in hook.came] == ["failed", "recovered"]
        assert run("status").returncode == 0
    left = [path for path in data.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(left) > 20
    assert all(TOKEN.encode() not in path.read_bytes() for path in left)
    home = Path(prefect_environment["PREFECT_HOME"])
    with closing(sqlite3.connect(home / "prefect.db")) as prefect:
        assert TOKEN not in "\n".join(prefect.iterdump())


def test_a_store_without_a_harvest_has_no_condition(tmp_path: Path) -> None:
    create_store(tmp_path / "new", "http://127.0.0.1:1")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BMA_")}
    command = [
        sys.executable,
        "-c",
        "from flows.cli import main; main()",
        "status",
        "--data",
        str(tmp_path / "new"),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"holds no harvest yet" in done.stderr


def test_services_of_apprise_get_the_event_and_their_secrets_stay_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(delivery, "_TRIES", 1)
    with webhook() as (address, hook):
        port = address.split(":")[2].partition("/")[0]
        urls = f"json://user:{TOKEN}@127.0.0.1:{port}/a json://127.0.0.1:9/{TOKEN} slack://{TOKEN} json://:{TOKEN}@chat.example.org/"
        monkeypatch.setenv("BMA_PROGRESS_NOTIFY_URLS", urls)
        settings = load_settings()
        problems = send_event(EVENT, load_settings(notify_urls=urls.split()[:3]), tmp_path / "log")
        send_event(EVENT, load_settings(notify_urls=urls.split()[:1]), tmp_path / "log", once=True)  # after a restart
    ((path, document),) = hook.came
    assert (path, document["message"], document["type"]) == ("/a", EVENT.text, "failure")
    assert problems[0].startswith("the address json://… of notify_urls did not take the notification")
    assert problems[1].startswith("the address slack://… of notify_urls is none that apprise knows")
    (warning,) = notify.unencrypted(settings)  # what stays on this machine is nobody else's
    assert warning.startswith("the setting notify_urls names an address by json://, so anybody on the way can read")
    shown = f"{settings!r} {problems} {warning} {(tmp_path / 'log').read_text()} {caplog.text}"
    assert TOKEN not in shown
    monkeypatch.setenv("BMA_PROGRESS_NOTIFY_URLS", TOKEN)
    with pytest.raises(SettingsError, match="its value is not shown") as refused:
        load_settings()
    assert TOKEN not in str(refused.value)


def test_a_good_night_pings_and_a_bad_one_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    came: list[tuple[str, bytes]] = []
    monkeypatch.setattr(notify, "post", lambda address, content: (came.append((address, content)), (b"", ""))[1])
    settings = load_settings(ping_url="https://hc.example.org/ping/1?rid=2")
    assert notify.ping(settings, good=True, reason="published") == []
    assert notify.ping(settings, good=False, reason="held back") == []
    assert [address for address, _ in came] == [
        "https://hc.example.org/ping/1?rid=2",
        "https://hc.example.org/ping/1/fail?rid=2",
    ]
    assert notify.ping(load_settings(), good=True, reason="") == []


def test_watched_changes_are_sent_once_and_again_only_where_that_failed(three_nights: Path, tmp_path: Path) -> None:
    store, log = open_archive(three_nights), tmp_path / "log"
    first, _, last = store.harvest_ids()
    watch = {"meanings": list(MEANINGS)}
    settings = load_settings(notify_command=command_that_keeps(tmp_path), watch=watch)
    assert notify_watched(store, settings, log) == []
    assert received(tmp_path) == []  # nothing was published since this was set up
    broken = load_settings(notify_command=command_that_keeps(tmp_path, status=1), watch=watch)
    assert notify_watched(store, broken, log, first)
    (tmp_path / "received.jsonl").unlink()
    settings = load_settings(notify_command=command_that_keeps(tmp_path), watch=watch)
    for _ in range(2):
        assert notify_watched(store, settings, log, first) == []
    assert notify_watched(store, settings, log) == []
    told = [call["stdin"] for call in received(tmp_path)]
    assert [event["event"] for event in told] == ["watched"] * len(told)
    assert told[-1]["harvest_id"] == last
    assert len({event["harvest_id"] for event in told}) == len(told) > 0
    assert re.search(r"\d+ reports? (new|edited|deleted) in \d{8}", " ".join(event["reason"] for event in told))
    assert watched_changes(store, last, Watch(codes=("99999999-0001",))) == ""
