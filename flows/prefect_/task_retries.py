"""What the tasks that fetch batches have in common, here and on other machines."""

from typing import Any

from pipeline.errors import BmaProgressError


def is_worth_a_retry(task: Any, run: Any, state: Any) -> bool:
    """Whether a failed batch is begun once more: not where a person or the portal has to change something first."""
    return not isinstance(state.data, BmaProgressError)
