"""What leaves this machine after a harvest: a request to an address, or an operator's command. Both end in time."""

import logging
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

_TRIES: Final = 3
_TIMEOUT: Final = 10.0  # seconds for each try
_COMMAND_SECONDS: Final = 60.0
_ENVIRONMENT: Final = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "SYSTEMROOT",
)
"""What a command needs to find its programs, its files and its keys; no setting and no secret of ours."""


def post(address: str, **content: Any) -> tuple[bytes, str]:
    """Send a POST, with further tries where that may help; returns the answer, and why there is none.

    content: as `httpx.post` takes it. Redirects are not followed.
    """
    import httpx  # a sixth of a second, and most commands send nothing

    why = ""
    for attempt in range(_TRIES):
        time.sleep(attempt)
        try:
            answer = httpx.post(address, timeout=_TIMEOUT, follow_redirects=False, **content)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            why = f"gave no answer ({type(error).__name__})"
            continue
        if answer.is_success:
            return answer.content, ""
        why = f"answered with status {answer.status_code}"
        if answer.status_code < 500 and answer.status_code != 429:
            break
    return b"", why


def send_text(address: str, title: str, text: str, severity: str) -> list[str]:
    """Send a text to a service that apprise knows, with further tries. Returns what went wrong, as sentences.

    address: as apprise writes it; only what stands before `://` is ever shown; severity: info, success, warning or failure
    """
    service = _service(address)
    where = f"the address {address.partition('://')[0]}://… of notify_urls"
    if service is None:
        return [f"{where} is none that apprise knows; see what it writes for that service"]
    for attempt in range(_TRIES):
        time.sleep(attempt)
        if service.notify(body=text, title=title, notify_type=severity):
            return []
    return [f"{where} did not take the notification; see that it is right, and that the service answers"]


def is_encrypted(address: str) -> bool:
    """Whether what is sent to an address of the web or of apprise is encrypted, or stays on this machine."""
    parts = urlsplit(address)
    if parts.hostname in ("localhost", "127.0.0.1", "::1"):
        return True
    if parts.scheme in ("http", "https"):
        return parts.scheme == "https"
    service = _service(address)
    return service is None or bool(service.secure)


def _service(address: str) -> Any:
    import apprise  # half a second of CPU, and few stores name an address for it

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # its warnings may quote what is secret
    return apprise.Apprise.instantiate(address)


def run_command(command: str, given: bytes, variables: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """Run an operator's command without a shell. Returns what went wrong, as sentences.

    given: what it reads on standard input; variables: of its environment, beside what every command needs
    """
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    arguments = shlex.split(command)
    try:
        process = subprocess.Popen(  # noqa: S603 - the operator's own command, without any text of the portal
            arguments,
            env={**environment, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        return [f"the command {arguments[0]} cannot be run ({error.strerror})"]
    try:
        process.communicate(given, timeout=_COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # and its child processes
        process.wait()
        return [f"the command {arguments[0]} did not end within {_COMMAND_SECONDS:g} s and was stopped"]
    return [f"the command {arguments[0]} ended with status {process.returncode}"] if process.returncode else []
