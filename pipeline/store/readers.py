"""Programs that read `latest` at this moment, so that a new state is shown between two reads and not within one.

pyarrow, and with it `pd.read_parquet`, opens a file twice: for its footer, and a moment later for its rows. A link that
moves on between the two makes it read one night's rows by another's footer. The kernel says which files are being opened
(inotify, Linux); where it does not, nothing is waited for.
"""

import ctypes
import os
import select
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_OPENED, _CLOSED = 0x20, 0x10  # IN_OPEN, IN_CLOSE_NOWRITE of inotify(7)
_EVENT: Final = struct.Struct("iIII")  # and then the file's name, of so many bytes as the last number says
_QUIET: Final = ((0.3, 0.1), (5.0, 0.02), (20.0, 0.01))
"""Until when to wait, in seconds, for how long a time in which nobody opens or closes a file.

The two openings of one read lie 0.4 ms apart (measured; up to 5 ms on a busy machine).
"""
_QUIET_WITHIN: Final = 1.0
"""The same where a file was opened an odd number of times, so that the second opening of a read may still come."""
_LAST_LOOK: Final = 0.0005
"""Seconds to look once more: a thread of this process that was about to open a file does so meanwhile."""


def rename_over(new: Path, place: Path) -> None:
    """Rename a file or a link over another, and give no other thread of this process a turn just before."""
    if sys.platform != "linux" or ctypes.PyDLL(None).rename(os.fsencode(new), os.fsencode(place)):
        new.replace(place)


def exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two files or folders in one step; false where the system or the disk has no such step."""
    if sys.platform != "linux":
        return False
    rename = getattr(ctypes.PyDLL(None), "renameat2", None)
    at_working_folder, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of renameat2(2)
    return rename is not None and not rename(
        at_working_folder, os.fsencode(one), at_working_folder, os.fsencode(other), swap
    )


class Readers:
    """Watches a folder's files from the moment it is entered: `with Readers(folder) as readers: readers.between(show)`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor = -1
        self._openings: Counter[bytes] = Counter()

    def __enter__(self) -> Self:
        self._since = time.monotonic()
        if sys.platform == "linux" and self._folder.is_dir():
            # calls through PyDLL keep the interpreter's lock: no other thread gets between the last look and the change
            self._system = ctypes.PyDLL(None)
            self._descriptor = self._system.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            if self._descriptor >= 0:
                self._system.inotify_add_watch(self._descriptor, os.fsencode(self._folder), _OPENED | _CLOSED)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def between(self, change: Callable[[], None]) -> None:
        """Make a change when nobody is in the middle of a read; after some seconds in any case."""
        if self._descriptor >= 0:
            self._wait()
        change()

    def _wait(self) -> None:
        began = time.monotonic()
        last = began if self._saw_one(0) else self._since
        while (now := time.monotonic()) < began + _QUIET[-1][0]:
            quiet = next(quiet for until, quiet in _QUIET if now < began + until)
            if any(number % 2 for number in self._openings.values()):
                quiet = _QUIET_WITHIN
            if now - last >= quiet and not self._sees_one():
                return
            if self._saw_one(max(quiet - (now - last), 0)):
                last = time.monotonic()

    def _saw_one(self, patience: float) -> bool:
        """Whether a file was opened or closed since the last look, or is within `patience` seconds."""
        if not select.select([self._descriptor], [], [], patience)[0]:
            return False
        events, place = os.read(self._descriptor, 1 << 16), 0
        while place < len(events):
            _, kind, _, length = _EVENT.unpack_from(events, place)
            name = events[place + _EVENT.size : place + _EVENT.size + length]
            self._openings[name] += bool(kind & _OPENED)
            place += _EVENT.size + length
        return True

    def _sees_one(self) -> bool:
        """Whether a file is opened or closed in this half of a millisecond."""
        waiting = ctypes.create_string_buffer(struct.pack("ihh", self._descriptor, select.POLLIN, 0))
        until = time.perf_counter() + _LAST_LOOK
        while time.perf_counter() < until:
            if self._system.poll(waiting, 1, 0):
                return True
        return False
