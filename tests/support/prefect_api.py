"""Asks Prefect's server, as its own clients do."""

import time
from collections.abc import Callable
from typing import Any

import httpx


def answer_of(ask: Callable[[], httpx.Response]) -> dict[str, Any]:
    """What the server says; it answers 503 while its database is locked, and its own clients ask again."""
    for _ in range(30):
        answer = ask()
        if answer.status_code != 503:
            break
        time.sleep(1)
    assert answer.is_success, answer.text
    content: dict[str, Any] = answer.json()
    return content
