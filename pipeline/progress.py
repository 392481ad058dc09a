"""Progress of long tasks: what works through many items reports here, and a listener shows it."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")
Listener = Callable[[str, int, int], None]
"""Is told what is worked through, how many are done, and of how many; at the end, and often before."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def shown_by(listener: Listener) -> Iterator[None]:
    """Have a listener told of all work inside."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def counted(items: Collection[Item], what: str) -> Iterator[Item]:
    """The items one by one, while the listener is told how many are done. what: their name, such as `harvests checked`"""
    tell = _listener.get()
    for done, item in enumerate(items):
        if tell is not None:
            tell(what, done, len(items))
        yield item
    if tell is not None:
        tell(what, len(items), len(items))
