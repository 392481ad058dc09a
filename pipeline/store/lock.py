"""The locks of a store: one writer, one service. The kernel drops them when their process ends.

Reading needs no lock, so it works on systems without `fcntl`.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pipeline.errors import StoreBusyError, StoreError
from pipeline.store.layout import beside

_PAUSE: Final = 0.05  # seconds between two tries


def _no_flock(descriptor: int, operation: int) -> None:
    raise StoreError(
        "this system has no file locks of Unix, which writing to a store and mirroring object storage need; do that on "
        "Linux or macOS: a copy of a store can be read here"
    )


flock: Callable[[int, int], None]
"""Locks an open file, or unlocks it, as flock(2). Raises StoreError where the system has no such locks."""
try:
    import fcntl
except ImportError:  # only Unix has it, and reading does not need it
    flock, LOCK_EX, LOCK_NB, LOCK_UN = _no_flock, 0, 0, 0
else:
    flock, LOCK_EX, LOCK_NB, LOCK_UN = fcntl.flock, fcntl.LOCK_EX, fcntl.LOCK_NB, fcntl.LOCK_UN


@contextmanager
def write_lock(root: Path) -> Iterator[None]:
    """Be the only writer of a store. Raises StoreBusyError, which names the present one."""
    descriptor = _lock(root)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}, started {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC".encode(), 0)
        yield
    finally:
        os.ftruncate(descriptor, 0)
        os.close(descriptor)


def check_free(root: Path) -> None:
    """Raise StoreBusyError where another process writes to the store now."""
    os.close(_lock(root))


@contextmanager
def service_lock(root: Path) -> Iterator[None]:
    """Be the only service of a store, and able to write to it. Raises StoreBusyError for a second one."""
    with suppress(StoreBusyError):  # a harvest may be under way
        check_free(root)
    with beside(root, "serving").open("ab") as held:
        try:
            _lock_file(held.fileno())
        except BlockingIOError:
            raise StoreBusyError(
                f"{root} is served by another process already; stop that one first, or name another folder"
            ) from None
        yield


@contextmanager
def turn(root: Path) -> Iterator[None]:
    """Be the only process of this machine that fetches into a mirror or begins to write to it; waits for the others."""
    with beside(root, "turn").open("ab") as held:
        _lock_file(held.fileno(), wait=True)
        yield


def is_locked(root: Path) -> bool:
    """Whether a writer may be at work; who may not look at the lock cannot say that none is."""
    try:
        os.close(_lock(root, tries=1))
    except (StoreError, OSError):
        return True
    return False


def _lock(root: Path, tries: int = 10) -> int:
    """The open file whose lock is held now; tries: how often, as `is_locked` holds it for a moment too."""
    descriptor = os.open(root / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    for left in reversed(range(tries)):
        try:
            _lock_file(descriptor)
        except BlockingIOError:
            if left:
                time.sleep(_PAUSE)
                continue
            owner = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip() or "another process"
            os.close(descriptor)
            raise StoreBusyError(f"{root} is being written by {owner}; wait for it to end, or stop it") from None
        break
    return descriptor


def _lock_file(descriptor: int, *, wait: bool = False) -> None:
    """Lock an open file. wait: until no other process holds its lock; else BlockingIOError is raised where one does"""
    flock(descriptor, LOCK_EX | (0 if wait else LOCK_NB))
