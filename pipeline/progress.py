"""Progress of long tasks: what works through many items reports here, and a listener shows it."""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar

Item = TypeVar("Item")
Listener = Callable[[str, int, int], None]
"""Called with what is worked through, how many are done, and of how many; at the end, and often before."""

_BETWEEN: Final = 0.2  # seconds between two questions
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def shown_by(listener: Listener) -> Iterator[None]:
    """Report all work inside to a listener."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def counted(items: Collection[Item], what: str) -> Iterator[Item]:
    """The items one by one, while the listener learns how many are done. what: their name, such as `harvests checked`"""
    report = _listener.get()
    for done, item in enumerate(items):
        if report is not None:
            report(what, done, len(items))
        yield item
    if report is not None:
        report(what, len(items), len(items))


@contextmanager
def polled(percent: Callable[[], float], what: str) -> Iterator[None]:
    """Inside, ask a library again and again how far it is, and report it. percent: negative while it is unknown"""
    report = _listener.get()
    if report is None:
        yield
        return
    ended = threading.Event()

    def ask() -> None:
        while not ended.wait(_BETWEEN):
            report(what, min(max(int(percent()), 0), 99), 100)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    try:
        yield
    finally:
        ended.set()
        asking.join()
        report(what, 100, 100)
