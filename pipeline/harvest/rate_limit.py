"""When the next request to a host may leave: one even rate, whoever asks."""

import fcntl
import os
import struct
import time
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Hands out the moments at which a request may leave.

    interval: seconds between two of them. All times are durations, so that a clock may live on another machine.
    """

    interval: float

    async def due(self) -> float:
        """Seconds until the next slot; 0 or less when it is free."""

    async def take(self) -> float:
        """Take the slot if it is free and return 0; else return the seconds to wait before trying again."""

    async def hold(self, seconds: float) -> None:
        """Let nobody ask again before so many seconds have passed."""

    def close(self) -> None:
        """Let go of what the clock needs."""


class RateLimiter:
    """One even rate for a host, shared by all tasks and processes that open the same file.

    The file holds the time of the next free slot, on the machine's monotonic clock, which all processes share and
    nobody sets. Taking a slot moves it on by one interval under a lock; waiting happens outside the lock. A request
    costs 4 µs of this, so there is no other way for a process that is alone.
    """

    def __init__(self, path: Path, interval: float, *, longest_hold: float = 3600.0) -> None:
        self.interval = interval
        self._longest_hold = longest_hold
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    async def due(self) -> float:
        """Seconds until the next slot."""
        now = time.monotonic()
        return self._next(now) - now

    async def take(self) -> float:
        """Take the slot or say how long to wait."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            now = time.monotonic()
            wait = self._next(now) - now
            if wait > 0:
                return wait
            self._book(now + self.interval)
            return 0.0
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    async def hold(self, seconds: float) -> None:
        """Hold everybody back."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            now = time.monotonic()
            self._book(max(self._next(now), now + seconds))
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _next(self, now: float) -> float:
        raw = os.pread(self._descriptor, 8, 0)
        booked: float = struct.unpack("<d", raw)[0] if len(raw) == 8 else 0.0
        # the monotonic clock starts again when the machine does: what lies too far ahead is from before
        return booked if booked <= now + self._longest_hold + self.interval else 0.0

    def _book(self, slot: float) -> None:
        os.pwrite(self._descriptor, struct.pack("<d", slot), 0)
