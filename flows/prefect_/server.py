"""Prefect's server as a child process, for schedules and for workers that must reach it."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click

from flows.prefect_ import environment as prefect_setup
from pipeline.errors import BmaProgressError
from pipeline.settings import Settings

_SET_PARENT_DEATH_SIGNAL: Final = 1  # of prctl(2)
_START_TIMEOUT: Final = 300  # seconds; a new home needs a database first


@contextmanager
def prefect_server(home: Path, port: int = 0) -> Iterator[str]:
    """The address of Prefect's server: the one PREFECT_API_URL names, or one started here on loopback.

    port: of the server started here; 0 takes any free one. Raises BmaProgressError where it does not start.
    """
    if not prefect_setup.uses_own_server():
        yield os.environ["PREFECT_API_URL"]
        return
    port = port or _free_port()
    address = f"http://127.0.0.1:{port}/api"
    if _answers(address):
        raise BmaProgressError(
            f"a Prefect server answers at 127.0.0.1:{port} already; name another --port, or use that server: "
            f"PREFECT_API_URL={address}"
        )
    if why := _refused(port):
        raise BmaProgressError(f"no server can listen at 127.0.0.1:{port} ({why}); name another --port")
    click.echo("starting Prefect's server (about half a minute, the first time) …", err=True)
    environment = {**os.environ, "PREFECT_HOME": str(home), "PREFECT_SERVER_UI_API_URL": address}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "server.log").open("ab") as log:
        server = subprocess.Popen(  # noqa: S603
            command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=_end_with_parent
        )
    try:
        deadline = time.monotonic() + _START_TIMEOUT
        while not _answers(address):
            if server.poll() is not None or time.monotonic() > deadline:
                raise BmaProgressError(f"Prefect's server did not start; {home / 'server.log'} says why")
            time.sleep(0.5)
        _use_server(address)
        yield address
    finally:
        _use_server(None)
        if "prefect.logging.handlers" in sys.modules:
            # its thread may have lines left to send
            sys.modules["prefect.logging.handlers"].APILogWorker.drain_all(timeout=5)
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


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


def server_for_workers(settings: Settings, home: Path) -> AbstractContextManager[object]:
    """A Prefect server that workers of a cluster can reach; without a cluster none, since Prefect starts one for the flow."""
    if settings.runner == "local":
        return nullcontext()
    host = urlsplit(settings.dask_address).hostname
    if prefect_setup.uses_own_server() and host not in (None, "localhost", "127.0.0.1", "::1"):
        raise BmaProgressError(
            f"workers at {settings.dask_address} cannot reach a Prefect server on this machine's loopback; start one that "
            "they can reach and name it with PREFECT_API_URL"
        )
    return prefect_server(home)


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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
