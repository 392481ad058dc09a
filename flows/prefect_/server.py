"""Prefect's server as a child process, for schedules."""

import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from flows.prefect_ import environment as prefect_setup
from flows.prefect_.database import make_database
from pipeline.errors import BmaProgressError
from pipeline.plain_text import complain, say

SECRET_FILE: Final = "api-secret"  # noqa: S105 - a name
"""The file in Prefect's home with what its UI and its API ask for."""

_SET_PARENT_DEATH_SIGNAL: Final = 1  # of prctl(2)
_STARTS: Final = 2  # in a row that end at once, after which the server is given up
_SHORT_LIFE: Final = 60  # seconds
_START_TIMEOUT: Final = 300  # seconds; a new home needs a database first


@contextmanager
def prefect_server(home: Path, port: int = 0, lost: threading.Event | None = None) -> Iterator[str]:
    """The address of Prefect's server: the one PREFECT_API_URL names, or one started here on loopback.

    port: of the server started here; 0 takes any free one; lost: is set when it ends and cannot be started again
    Raises BmaProgressError where it does not start.
    """
    if not prefect_setup.uses_own_server():
        yield os.environ["PREFECT_API_URL"]
        return
    port = port or free_port()
    address = f"http://127.0.0.1:{port}/api"
    if _answers(address):
        raise BmaProgressError(
            f"a Prefect server answers at 127.0.0.1:{port} already; name another --port, or use that server: "
            f"PREFECT_API_URL={address}"
        )
    if why := _refused(port):
        raise BmaProgressError(f"no server can listen at 127.0.0.1:{port} ({why}); name another --port")
    say("starting Prefect's server …", err=True)
    command = [sys.executable, "-m", "flows.prefect_.quiet_server", str(port)]
    make_database(home)
    with _locked(home, port), (home / "server.log").open("ab") as log:
        environment = {**os.environ, "PREFECT_HOME": str(home), "PREFECT_SERVER_UI_API_URL": address}
        server = _Server(command, environment, log)
        try:
            deadline = time.monotonic() + _START_TIMEOUT
            while not _answers(address):
                if server.has_ended or time.monotonic() > deadline:
                    raise BmaProgressError(f"Prefect's server did not start; {home / 'server.log'} says why")
                time.sleep(0.5)
            server.keep_running(lost or threading.Event())
            _use_server(address)
            yield address
        finally:
            _use_server(None)
            if "prefect.logging.handlers" in sys.modules:
                # its thread may have lines left to send
                sys.modules["prefect.logging.handlers"].APILogWorker.drain_all(timeout=5)
            server.end()


@contextmanager
def _locked(home: Path, port: int) -> Iterator[None]:
    """Have the server answer only anyone who knows a secret that this user alone can read, and no page of another origin."""
    secret = os.environ.get("PREFECT_SERVER_API_AUTH_STRING")
    if not secret:
        file = home / SECRET_FILE
        with suppress(FileExistsError), open(file, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as new:
            new.write(f"bma-progress:{secrets.token_urlsafe(32)}\n")
        secret = file.read_text(encoding="ascii").strip()
    names = ("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_CORS_ALLOWED_ORIGINS")
    before = {name: os.environ[name] for name in names if name in os.environ}
    os.environ.update(dict(zip(names, (secret, secret, f"http://127.0.0.1:{port}"), strict=True)) | before)
    try:
        yield
    finally:
        for name in names:
            del os.environ[name]
        os.environ.update(before)


class _Server:
    """The server's process; after `keep_running` it is started again where it ends."""

    def __init__(self, command: list[str], environment: dict[str, str], log: IO[bytes]) -> None:
        self._command, self._environment, self._log = command, environment, log
        self._process = self._start()
        self._is_wanted = True

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603 - a program of ours
            self._command,
            env=self._environment,
            stdout=self._log,
            stderr=self._log,
            stdin=subprocess.DEVNULL,
            preexec_fn=_end_with_parent,
        )

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def keep_running(self, lost: threading.Event) -> None:
        threading.Thread(target=self._restart, args=[lost], daemon=True).start()

    def _restart(self, lost: threading.Event) -> None:
        self._process.wait()
        short_lives = 0
        while self._is_wanted:
            if short_lives == _STARTS:
                lost.set()
                return
            complain(
                f"Prefect's server ended (status {self._process.returncode}); it is started again, and a harvest goes on"
            )
            time.sleep(1)
            began = time.monotonic()
            # the system ends it with the thread that started it, which is this one
            self._process = self._start()
            self._process.wait()
            short_lives = short_lives + 1 if time.monotonic() - began < _SHORT_LIFE else 0

    def end(self) -> None:
        self._is_wanted = False
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _end_with_parent() -> None:
    """Have the system stop this new process when the one that started it ends, also by a kill."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def _use_server(address: str | None) -> None:
    """Make Prefect, in this process and its children, use the server at an address; None: no particular one."""
    from prefect.context import refresh_global_settings_context

    os.environ.pop("PREFECT_API_URL", None)
    if address:
        os.environ["PREFECT_API_URL"] = address
    refresh_global_settings_context()  # else Prefect, where it was imported before, starts a second server


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=2) as answer:  # noqa: S310 - an address of our own making
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _refused(port: int) -> str | None:
    """Why no server can listen at a port of loopback; None where one can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server will
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.strerror
    return None


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
