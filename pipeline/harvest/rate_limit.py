"""When the next request to a host may leave: one even rate, however many tasks and processes send requests."""

import asyncio
import os
import struct
import time
from pathlib import Path
from typing import Protocol

from pipeline.store.lock import LOCK_EX, LOCK_UN, flock


class Limiter(Protocol):
    """Gives out the moments (slots) at which a request may leave.

    interval: seconds between two slots. All times are durations, so that a limiter may live on another machine.
    """

    interval: float

    async def due(self) -> float:
        """Seconds until the next slot; 0 or less when it is free."""

    async def take(self) -> float:
        """Take the slot if it is free and return 0; else return the seconds to wait before trying again."""

    async def pause(self, seconds: float) -> None:
        """Give out no slot before so many seconds have passed."""

    def close(self) -> None:
        """Release what the limiter holds."""


class RateLimiter:
    """One even rate for a host, shared by all tasks and processes that open the same file.

    The file holds the time of the next free slot, on the machine's monotonic clock, which all processes share and
    which cannot be set. Taking a slot moves it on by one interval under a lock; waiting happens outside the lock. It costs 4 µs
    a request, so a process that is alone uses the same file.

    longest_pause: seconds; a slot further ahead than that was written before the machine was restarted
    """

    def __init__(self, path: Path, interval: float, *, longest_pause: float = 3600.0) -> None:
        self.interval = interval
        self._longest_pause = longest_pause
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    async def due(self) -> float:
        """Seconds until the next slot."""
        now = time.monotonic()
        return self._next(now) - now

    async def take(self) -> float:
        """Take the slot, or return the seconds to wait."""
        flock(self._descriptor, LOCK_EX)
        try:
            now = time.monotonic()
            wait = self._next(now) - now
            if wait > 0:
                return wait
            self._write(now + self.interval)
            return 0.0
        finally:
            flock(self._descriptor, LOCK_UN)

    async def pause(self, seconds: float) -> None:
        """Give out no slot before so many seconds have passed."""
        flock(self._descriptor, LOCK_EX)
        try:
            now = time.monotonic()
            self._write(max(self._next(now), now + seconds))
        finally:
            flock(self._descriptor, LOCK_UN)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _next(self, now: float) -> float:
        raw = os.pread(self._descriptor, 8, 0)
        slot: float = struct.unpack("<d", raw)[0] if len(raw) == 8 else 0.0
        # the monotonic clock starts again when the machine does: what lies too far ahead is from before
        return slot if slot <= now + self._longest_pause + self.interval else 0.0

    def _write(self, slot: float) -> None:
        os.pwrite(self._descriptor, struct.pack("<d", slot), 0)


class SendSlot:
    """The slot of one request, from waiting for it until the bytes have left.

    A slot counts from the moment the bytes leave. So a request first waits until a slot is free, then gets a
    connection, and takes the slot when that is there. Only one request is in this stretch at a time; one that has to
    open a new connection lets the others pass meanwhile.

    queue: held by the request that is next
    deadline: of the page; it begins when the request leaves, and ends so many `seconds` later
    """

    __slots__ = ("_deadline", "_is_next", "_limiter", "_queue", "_seconds")

    def __init__(self, queue: asyncio.Lock, limiter: Limiter, deadline: asyncio.Timeout, seconds: float) -> None:
        self._queue = queue
        self._limiter = limiter
        self._deadline = deadline
        self._seconds = seconds
        self._is_next = False

    async def wait(self) -> None:
        """Wait until this request is next and a slot is free."""
        await self._queue.acquire()
        self._is_next = True
        while (due := await self._limiter.due()) > 0:
            await asyncio.sleep(due)

    async def take(self) -> None:
        """Take the slot; the request's bytes leave at once."""
        if not self._is_next:
            await self.wait()
        while (due := await self._limiter.take()) > 0:  # another process was quicker
            await asyncio.sleep(due)
        self._deadline.reschedule(asyncio.get_running_loop().time() + self._seconds)

    async def sent(self) -> None:
        """The request's bytes have left: the interval counts from here, however late that was."""
        await self._limiter.pause(self._limiter.interval)
        self.leave()

    def leave(self) -> None:
        """Let the next request pass."""
        if self._is_next:
            self._is_next = False
            self._queue.release()
