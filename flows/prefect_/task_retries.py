"""When Prefect retries a task that fetches or reads a batch, here and on other machines."""

from typing import Any

from pipeline.errors import BmaProgressError


def is_worth_a_retry(task: Any, run: Any, state: Any) -> bool:
    """True where a failed batch is tried again: not where a person or the portal has to change something first."""
    return not isinstance(state.data, BmaProgressError)
