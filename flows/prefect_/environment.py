"""Prefect's environment, set before it is imported: no usage data is sent, and its state is kept beside the store."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from pipeline.errors import BmaProgressError
from pipeline.store.layout import beside

_DEFAULTS: Final = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # a fresh home takes some 25 s of database migrations, minutes on a busy machine; the default is 20 s
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
    # the commands print what matters in a sentence; the run's log and Prefect's UI have the rest
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_LOGGERS_PREFECT_FLOW_RUNS_LEVEL": "INFO",
    "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL": "INFO",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_CLI_COLORS": "false",
    "DASK_LOGGING__DISTRIBUTED": "error",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    # our servers wait for most of a day: what looks around in the database every few seconds looks once a minute, and what
    # serves automations, the feed of events and work pools, of which we use none, is off
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "60",
    # seconds; a harvest may begin so much after it was due. After three questions without an answer Prefect's runner gives up;
    # at this pace it outlives a server that is started again (33 s on a busy machine)
    "PREFECT_RUNNER_POLL_FREQUENCY": "60",
}


def prepare(store: Path) -> Path:
    """Set the defaults that the user has not set; returns Prefect's home.

    The home is beside the store, not in it: the store holds only evidence. PREFECT_HOME moves it.
    """
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    for name in ("NO_PROXY", "no_proxy"):  # a server on loopback is never asked through a proxy
        hosts = [os.environ[name]] if os.environ.get(name) else []
        os.environ[name] = ",".join([*hosts, "127.0.0.1", "localhost", "::1"])
    home = Path(os.environ.setdefault("PREFECT_HOME", str(beside(store, "prefect"))))
    home.mkdir(parents=True, exist_ok=True, mode=0o700)  # its database holds secrets, where blocks are used
    _check_home(home)
    _check_working_folder(Path.cwd())
    # what Prefect starts with -m must not find a file of the working folder first
    os.environ["PYTHONSAFEPATH"] = "1"
    return home


def _check_home(home: Path) -> None:
    """Raise BmaProgressError where others could have put something into Prefect's home: it can hold what Prefect runs."""
    if not hasattr(os, "getuid"):
        return
    about = home.lstat()
    if home.is_symlink() or about.st_uid != os.getuid() or about.st_mode & 0o022:
        raise BmaProgressError(
            f"{home} is a link, another user's, or others can write to it; name a folder of yours in PREFECT_HOME"
        )


def _check_working_folder(folder: Path) -> None:
    """Raise BmaProgressError where a file of the working folder would configure Prefect: it is configured here alone."""
    for name, mark in (("prefect.toml", ""), (".env", "prefect_"), ("pyproject.toml", "[tool.prefect")):
        file = folder / name
        with suppress(OSError):
            if mark in file.read_text(encoding="utf-8", errors="replace").lower():
                raise BmaProgressError(
                    f"{file} would configure Prefect; start in another folder, or with --orchestrator none"
                )


def uses_own_server() -> bool:
    """True where Prefect starts a server of its own for the flow (no PREFECT_API_URL)."""
    return not os.environ.get("PREFECT_API_URL")
