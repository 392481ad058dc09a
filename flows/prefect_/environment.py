"""Prefect's environment, set before it is imported: no usage data is sent, and its state is kept beside the store."""

import os
from pathlib import Path
from typing import Final

from pipeline.store.layout import beside

_DEFAULTS: Final = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # a fresh home takes some 25 s of database migrations, minutes on a busy machine; the default is 20 s
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300",
    # the commands print what matters in a sentence; the run's log and Prefect's UI have the rest
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_LOGGERS_PREFECT_FLOW_RUNS_LEVEL": "INFO",
    "PREFECT_LOGGING_LOGGERS_PREFECT_TASK_RUNS_LEVEL": "INFO",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_CLI_COLORS": "false",
    "DASK_LOGGING__DISTRIBUTED": "error",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
}


def prepare(store: Path) -> Path:
    """Set the defaults that the user has not set; returns Prefect's home.

    The home is beside the store, not in it: the store holds only evidence. PREFECT_HOME moves it.
    """
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    home = Path(os.environ.setdefault("PREFECT_HOME", str(beside(store, "prefect"))))
    home.mkdir(parents=True, exist_ok=True, mode=0o700)  # its database holds secrets, where blocks are used
    return home


def uses_own_server() -> bool:
    """True where Prefect starts a server of its own for the flow (no PREFECT_API_URL)."""
    return not os.environ.get("PREFECT_API_URL")
