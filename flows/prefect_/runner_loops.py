"""Prefect's runner asks its server for work again and again; here it bears that the server is started again."""

import inspect
from typing import Any, Final

_ROUNDS: Final = 5
"""Of three vain questions each, the pauses doubled from round to round: five minutes, and Prefect would give up after one."""


def outlive_restarts() -> None:
    """Have the loops of Prefect's runner go on while its server is away for some minutes, and write nothing meanwhile.

    What is wrong with the server is said by who keeps it running, in a sentence and not in the traceback of each question.
    """
    from prefect.utilities.services import critical_service_loop

    ours: dict[str, Any] = {"backoff": _ROUNDS, "printer": lambda *_: None}
    parameters = inspect.signature(critical_service_loop).parameters.values()
    critical_service_loop.__defaults__ = tuple(
        ours.get(one.name, one.default) for one in parameters if one.default is not one.empty
    )
