"""Errors for failures of Prefect and for its absence. Does not import Prefect."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from pipeline.errors import BmaProgressError, first_line


class PrefectFailedError(BmaProgressError):
    """Prefect, or the connection to its server, failed."""


def require_prefect() -> None:
    """Raise BmaProgressError where Prefect is not installed; commands that only read work without it."""
    if find_spec("prefect") is None:
        raise BmaProgressError(
            "this command needs Prefect, which is not installed; get it with: pip install 'prefect>=3.9.1,<4', or harvest "
            "without it: BMA_PROGRESS_ORCHESTRATOR=none"
        )


@contextmanager
def prefect_failures() -> Iterator[None]:
    """Around calls of Prefect: whatever they raise becomes PrefectFailedError; our own errors pass."""
    try:
        yield
    except BmaProgressError:
        raise
    except Exception as error:
        raise PrefectFailedError(
            f"Prefect could not go on ({first_line(error)}); see that its server answers and its disk has room, then start "
            "again: what was fetched is kept"
        ) from error
