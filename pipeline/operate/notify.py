"""Notify people when a harvest was not good, by a webhook or a command, once for each event."""

import hashlib
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit, urlunsplit

from pipeline.operate.delivery import is_encrypted, post, run_command, send_text
from pipeline.operate.status import Condition
from pipeline.settings import Settings
from pipeline.store.catalog import Catalog
from pipeline.store.layout import beside

What = Literal["held_back", "failed", "late", "recovered", "watched"]
"""A harvest was committed but not published; could not run; is overdue; is good again; changed what is watched."""

_SENTENCES: Final[dict[What, str]] = {
    "held_back": "was held back",
    "failed": "could not be run",
    "late": "is late",
    "recovered": "is good again",
    "watched": "shows changes",
}

_SEVERITY: Final[Mapping[What, str]] = {
    "held_back": "failure",
    "failed": "failure",
    "late": "warning",
    "recovered": "success",
    "watched": "info",
}
"""How services such as Slack mark an event, in apprise's words."""


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a store, for people and for programs.

    store: its folder or address; harvest_id: the harvest concerned, None where none began; reason: a sentence
    at: UTC; host: the machine that sends it
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
        """The event as it is sent. Chat programs show the `text` of a webhook."""
        return {**asdict(self), "text": self.text}


def sent_log(store: Path) -> Path:
    """The file beside a store with the last event that was sent each way."""
    return beside(store, "told")  # the name since the first version: another one would send every event again


def event_of(store: Catalog, found: Condition) -> Event | None:
    """The event of a store's condition; None where it is good."""
    what: What
    match found.state:
        case "good":
            return None
        case "in_future" | "damaged":
            what = "failed"  # programs know the events above alone
        case state:
            what = state
    return Event(what, store.place, store.portal, found.harvest_id, found.reason)


def send_event(event: Event, settings: Settings, log: Path, *, once: bool = False) -> list[str]:
    """Send an event every way that the settings name. Returns what went wrong, as sentences without secrets.

    log: the file with the last event sent each way, see `sent_log`
    once: do not send an event that any process already sent. A recovery is only sent after a bad event
    Never raises: a failed notification must not fail a harvest.
    """
    sent = read_log(log)
    name = "recovered" if event.event == "recovered" else f"{event.event} {event.harvest_id}"
    problems: list[str] = []
    for way, send in ways_of(settings).items():
        last = sent.get(way)
        if (name == "recovered" and last in (None, "recovered")) or (once and last == name):
            continue
        failed = send(event)
        if not failed:
            sent[way] = name
            failed = write_log(log, sent)  # after each way: a failure of one does not send the other again
        problems += failed
    return problems


def ways_of(settings: Settings) -> dict[str, Callable[[Event], list[str]]]:
    """How events are sent: name of the way, without secrets → what sends one and returns what went wrong."""
    ways: dict[str, Callable[[Event], list[str]]] = {}
    if webhook := settings.notify_webhook:
        ways["webhook"] = partial(_post, webhook.get_secret_value())
    if settings.notify_command:
        ways["command"] = partial(_run, settings.notify_command)
    for secret in settings.notify_urls:
        address = secret.get_secret_value()
        ways[f"url {hashlib.sha256(address.encode()).hexdigest()[:12]}"] = partial(_send_text, address)
    return ways


def ping(settings: Settings, *, good: bool, reason: str) -> list[str]:
    """Tell the service behind `ping_url` that a harvest was good, or was not; returns what went wrong, as sentences."""
    if settings.ping_url is None:
        return []
    parts = urlsplit(settings.ping_url.get_secret_value())
    address = urlunsplit(parts if good else parts._replace(path=f"{parts.path.rstrip('/')}/fail"))
    _, why = post(address, content=reason.encode())
    return [f"the ping to {parts.hostname} {why}"] if why else []


def unencrypted(settings: Settings) -> list[str]:
    """Which of the settings' addresses send their secrets unencrypted, as sentences."""
    named = {
        "notify_webhook": [settings.notify_webhook],
        "notify_urls": settings.notify_urls,
        "ping_url": [settings.ping_url],
    }
    warnings = []
    for name, secrets in named.items():
        for address in (secret.get_secret_value() for secret in secrets if secret):
            if not is_encrypted(address):
                scheme = address.partition("://")[0]
                warning = (
                    f"the setting {name} names an address by {scheme}://, so anybody on the way can read its secrets; use its "
                    "encrypted form"
                )
                warnings.append(warning)
    return warnings


def read_log(log: Path) -> dict[str, str]:
    """Way → the last event sent; empty where the file is missing or damaged."""
    try:
        sent = json.loads(log.read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(way): str(name) for way, name in sent.items()} if isinstance(sent, dict) else {}


def write_log(log: Path, sent: Mapping[str, str]) -> list[str]:
    """Write it; returns what went wrong, as sentences."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(json.dumps(sent) + "\n", encoding="utf-8")
    except OSError as error:
        return [f"{log} cannot be written ({error.strerror}), so the event may be sent again"]
    return []


def _send_text(address: str, event: Event) -> list[str]:
    return send_text(address, "bma-progress", event.text, _SEVERITY[event.event])


def _post(address: str, event: Event) -> list[str]:
    where = f"the webhook on {urlsplit(address).hostname}"  # its path may hold a token
    _, why = post(address, json=event.document())
    return [f"{where} {why}, so the event {event.event!r} was not sent there"] if why else []


def _run(command: str, event: Event) -> list[str]:
    """Run the command: the event is JSON on its standard input, and its parts are in the environment."""
    variables = {f"BMA_EVENT_{name.upper()}": _without_nulls(value or "") for name, value in event.document().items()}
    return run_command(command, json.dumps(event.document(), ensure_ascii=False).encode(), variables)


def _without_nulls(text: str) -> str:
    """Text without null characters, which an environment variable cannot contain."""
    return text.replace("\x00", "")
