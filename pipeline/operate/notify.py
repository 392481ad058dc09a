"""Telling people when a night was not good: by a webhook, by a command, once for each event."""

import json
import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import httpx

from pipeline.operate.status import Condition
from pipeline.settings import Settings
from pipeline.store.archive import Archive
from pipeline.store.layout import beside

What = Literal["held_back", "failed", "late", "recovered"]
"""A night was committed and not published; could not be run; has not come; is good again."""

_SENTENCES: Final[dict[What, str]] = {
    "held_back": "was held back",
    "failed": "could not be run",
    "late": "is late",
    "recovered": "is good again",
}
_TRIES: Final = 3
_TIMEOUT: Final = 10.0  # seconds for a try
_COMMAND_SECONDS: Final = 60.0
_SECRETS: Final = ("BMA_PROGRESS_NOTIFY_WEBHOOK",)


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a store, for people and for programs.

    store: its folder or address; harvest_id: the harvest it is about, None where none began; reason: a sentence
    at: UTC; host: the machine that says so
    """

    event: What
    store: str
    portal: str
    harvest_id: str | None
    reason: str
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    host: str = field(default_factory=socket.gethostname)

    @property
    def text(self) -> str:
        """The event in one sentence."""
        return f"bma-progress: the harvest of {self.portal} {_SENTENCES[self.event]} ({self.store}): {self.reason}"

    def document(self) -> dict[str, str | None]:
        """The event as it is sent; `text` is what chat programs show of a webhook."""
        return {**asdict(self), "text": self.text}


def sent_log(store: Path) -> Path:
    """The file beside a store, not in it, that remembers the last event told."""
    return beside(store, "told")


def event_of(store: Archive, found: Condition) -> Event | None:
    """The event that a store's condition is worth; None where it is good."""
    if found.state == "good":
        return None
    return Event(found.state, store.place, store.portal, found.harvest_id, found.reason)


def tell(event: Event, settings: Settings, memory: Path, *, once: bool = False) -> list[str]:
    """Send an event by all the ways the settings name; returns what went wrong.

    memory: the file that remembers what each way was told last of this store
    once: not if that event was told already, by whatever process; a recovery is told after a bad event only
    Never raises: telling must not fail a night. What it returns are sentences without secrets.
    """
    if not settings.notify_webhook and not settings.notify_command:
        return []
    ways: dict[str, Callable[[], list[str]]] = {}
    if webhook := settings.notify_webhook:
        ways["webhook"] = lambda: _post(webhook.get_secret_value(), event)
    if settings.notify_command:
        ways["command"] = lambda: _run(settings.notify_command, event)
    told = _remembered(memory)
    name = "recovered" if event.event == "recovered" else f"{event.event} {event.harvest_id}"
    problems: list[str] = []
    for way, send in ways.items():
        last = told.get(way)
        if (name == "recovered" and last in (None, "recovered")) or (once and last == name):
            continue
        failed = send()
        if not failed:
            told[way] = name
            failed = _remember(memory, told)  # each way by itself: one that fails does not make the other tell again
        problems += failed
    return problems


def _remembered(memory: Path) -> dict[str, str]:
    try:
        told = json.loads(memory.read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(way): str(name) for way, name in told.items()} if isinstance(told, dict) else {}


def _remember(memory: Path, told: Mapping[str, str]) -> list[str]:
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_text(json.dumps(told) + "\n", encoding="utf-8")
    except OSError as error:
        return [f"{memory} cannot be written ({error.strerror}), so the event may be told again"]
    return []


def _post(address: str, event: Event) -> list[str]:
    where = f"the webhook on {urlsplit(address).hostname}"  # its path may hold a token
    why = ""
    for attempt in range(_TRIES):
        time.sleep(attempt)
        try:
            answer = httpx.post(address, json=event.document(), timeout=_TIMEOUT, follow_redirects=False)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            why = f"gave no answer ({type(error).__name__})"
            continue
        if answer.is_success:
            return []
        why = f"answered with status {answer.status_code}"
        if answer.status_code < 500 and answer.status_code != 429:
            break
    return [f"{where} {why}, so the event {event.event!r} was not told there"]


def _run(command: str, event: Event) -> list[str]:
    """The event as JSON on the command's standard input, and its parts in the environment. No shell is involved."""
    arguments = shlex.split(command)
    environment = {name: value for name, value in os.environ.items() if name.upper() not in _SECRETS}
    environment |= {f"BMA_EVENT_{name.upper()}": _plain(value or "") for name, value in event.document().items()}
    try:
        process = subprocess.Popen(  # noqa: S603 - the operator's own command; what the portal says is never part of it
            arguments,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        return [f"the command {arguments[0]} cannot be run ({error.strerror})"]
    try:
        process.communicate(json.dumps(event.document(), ensure_ascii=False).encode(), timeout=_COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # with whatever it started
        process.wait()
        return [f"the command {arguments[0]} did not end within {_COMMAND_SECONDS:g} s and was stopped"]
    return [f"the command {arguments[0]} ended with status {process.returncode}"] if process.returncode else []


def _plain(text: str) -> str:
    """Text as an environment can hold it."""
    return text.replace("\x00", "")
