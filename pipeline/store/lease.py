"""The lease of a store in object storage: one writer at a time, wherever others run."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from pipeline.errors import StoreBusyError, StoreError
from pipeline.store.object_storage import ObjectStorage

LEASE: Final = "lock.json"
_SECONDS: Final = 900.0  # without renewal, after which a writer is taken for dead; clocks may differ by minutes
_RENEWAL: Final = 60.0


@contextmanager
def lease(objects: ObjectStorage, mirror: Path) -> Iterator[None]:
    """Be the only writer. Raises StoreBusyError that names the one there is.

    mirror: the folder on this machine whose writer takes the lease; its own lock is held
    """
    name = f"{socket.gethostname()}:{mirror}"
    tag = _take(objects, name)
    over = threading.Event()

    def renew() -> None:
        nonlocal tag
        while not over.wait(_RENEWAL):
            try:
                tag = objects.write(LEASE, _text(name), tag=tag)
            except StoreError:  # somebody took it over: the commit will find that out
                return

    keeper = threading.Thread(target=renew, daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()
        found = objects.read_tagged(LEASE)
        if found is not None and found[1] == tag:
            objects.delete(LEASE)


def _take(objects: ObjectStorage, name: str) -> str | None:
    try:
        return objects.write(LEASE, _text(name), only_new=True)
    except StoreBusyError:
        found = objects.read_tagged(LEASE)
    if found is None:
        return objects.write(LEASE, _text(name), only_new=True)
    holder = objects.parsed(LEASE, found[0])
    age = (datetime.now(UTC) - datetime.fromisoformat(holder["renewed_at"])).total_seconds()  # below 0: clocks differ
    # this process holds the mirror's lock, so an earlier holder of the lease with this mirror is dead
    if holder["mirror"] != name and abs(age) < _SECONDS:
        raise StoreBusyError(
            f"{objects.url} is being written by process {holder['process']} on {holder['host']}, alive "
            f"{max(age, 0):.0f} s ago; wait for it to end (a dead one is replaced after {_SECONDS / 60:.0f} minutes)"
        )
    return objects.write(LEASE, _text(name), tag=found[1])


def _text(name: str) -> bytes:
    return orjson.dumps(
        {
            "host": socket.gethostname(),
            "process": os.getpid(),
            "mirror": name,
            "renewed_at": datetime.now(UTC).isoformat(),
        }
    )
