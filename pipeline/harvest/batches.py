"""Batches on other machines: what a worker is sent, what it leaves in the run's folder, and how that is collected.

The run's folder is on a file system that all workers share. Each execution of a batch appends to a file of its own, one
line a page. So no two workers ever write the same file, and a kill at any moment costs at most the page being written.
"""

import base64
import os
import secrets
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Self

import orjson
import zstandard

from parsers import PARSER_VERSION
from pipeline.errors import BmaProgressError
from pipeline.harvest.client import PortalClient
from pipeline.harvest.client_state import ClientState
from pipeline.harvest.fetch import FetchOptions, FetchTask, fetch_pages
from pipeline.harvest.portal import PageRef
from pipeline.harvest.rate_limit import Limiter
from pipeline.harvest.spool import SpooledPage
from pipeline.store.durable import write_durably

PARTS: Final = "parts"
_WANTED: Final = "wanted-"


def software() -> tuple[str, str]:
    """The versions that must be the same on all machines of a harvest: of the package and of the parser."""
    return version("bma-progress"), PARSER_VERSION


def check_software(wanted: tuple[str, str]) -> None:
    """Raise BmaProgressError where this process runs other software than the one that sent the work."""
    if wanted != software():
        theirs, ours = ("{} with parser {}".format(*both) for both in (wanted, software()))
        raise BmaProgressError(
            f"{_here()} has bma-progress {ours}, its work came from {theirs}; install the same everywhere"
        )


def _here() -> str:
    return f"the worker {os.getpid()} on {socket.gethostname()}"


@dataclass(frozen=True, slots=True)
class Batch:
    """What a worker is sent.

    folder: the run's, on a file system that all share; session: the name of the BatchFiles it belongs to
    """

    number: int
    folder: str
    session: str
    tasks: tuple[FetchTask, ...]
    options: FetchOptions
    client_state: ClientState
    software: tuple[str, str] = field(default_factory=software)

    @property
    def name(self) -> str:
        """Identifies it among all batches ever sent."""
        return f"{self.session}-{self.number:06d}-"


class BatchFiles:
    """A file in the shared folder; while it exists, workers go on with their batches.

    A worker can outlive the harvest that sent its batch. The next start makes another file, and that worker stops.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / PARTS
        self.name = secrets.token_hex(8)

    def __enter__(self) -> Self:
        self._folder.mkdir(exist_ok=True)
        for old in self._folder.glob(f"{_WANTED}*"):
            old.unlink()
        write_durably(self._folder / f"{_WANTED}{self.name}", b"")
        return self

    def __exit__(self, *error: object) -> None:
        self.withdraw()

    def withdraw(self) -> None:
        """Let every worker stop after the pages it is fetching."""
        (self._folder / f"{_WANTED}{self.name}").unlink(missing_ok=True)


async def process_batch(batch: Batch, limiter: Limiter) -> ClientState:
    """Fetch the pages of a batch that no earlier execution of it has saved; returns what the client knows of the portal.

    Raises BmaProgressError where this worker cannot help: another version, no shared folder; PortalError as the client.
    """
    check_software(batch.software)
    here = _here()
    folder = Path(batch.folder)
    wanted = folder / PARTS / f"{_WANTED}{batch.session}"
    if not folder.is_dir():
        raise BmaProgressError(f"{here} does not see {folder}; the store must lie on a file system all workers share")
    if not wanted.exists():
        raise BmaProgressError(f"{here} was sent a batch of a harvest that was stopped")
    saved = {page.page_key for page, _ in read_parts(folder, batch.name) if page.error is None}
    tasks = (task for task in batch.tasks if task.ref.page_key not in saved)
    with _Part(folder, batch.name) as part:
        async with PortalClient(batch.options.settings, limiter, state=batch.client_state) as client:
            await fetch_pages(
                lambda: next(tasks, None) if wanted.exists() else None, client, batch.options, part.append
            )
            return await client.state()


def read_parts(folder: Path, batch: str = "") -> list[tuple[SpooledPage, list[PageRef]]]:
    """The pages that the executions of a batch have saved, each with the pages its links lead to, by key.

    batch: its name; without one of all batches. Of two answers for a page the one without an error counts, else the newer.
    """
    best: dict[str, tuple[SpooledPage, list[PageRef]]] = {}
    for file in _files(folder, batch):
        for page, found in _read_part(file):
            other = best.get(page.page_key)
            if other is None or _rank(page) > _rank(other[0]):
                best[page.page_key] = page, found
    return [best[key] for key in sorted(best)]


def drop_parts(folder: Path, batch: str = "") -> None:
    """Delete what was collected; batch: its name, without one of all batches."""
    for file in _files(folder, batch):
        file.unlink(missing_ok=True)


def _files(folder: Path, batch: str) -> list[Path]:
    return sorted((folder / PARTS).glob(f"{batch}*.jsonl"))


def _rank(page: SpooledPage) -> tuple[bool, datetime]:
    return page.error is None, page.fetched_at


def _read_part(file: Path) -> Iterator[tuple[SpooledPage, list[PageRef]]]:
    """The pages of one execution. A line that a kill cut off is a page that was not saved."""
    with file.open("rb") as lines:
        for line in lines:
            try:
                values = orjson.loads(line)
            except orjson.JSONDecodeError:
                return
            yield _unpacked(values)


class _Part:
    """The file one execution of a batch appends to."""

    def __init__(self, folder: Path, batch: str) -> None:
        path = folder / PARTS / f"{batch}{secrets.token_hex(8)}.jsonl"
        self._file = path.open("xb", buffering=0)
        self._compress = zstandard.ZstdCompressor(level=3).compress

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        os.fsync(self._file.fileno())  # where the disk is another machine's, only this reports a failure
        self._file.close()

    def append(self, page: SpooledPage, found: list[PageRef]) -> None:
        values: dict[str, Any] = {name: getattr(page, name) for name in SpooledPage.__dataclass_fields__}
        values["body"] = base64.b64encode(self._compress(page.body)).decode() if page.body else None
        values["found"] = [asdict(ref) for ref in found]
        line = memoryview(orjson.dumps(values, option=orjson.OPT_APPEND_NEWLINE))
        while line:
            line = line[self._file.write(line) :]


def _unpacked(values: dict[str, Any]) -> tuple[SpooledPage, list[PageRef]]:
    found = [PageRef(**ref) for ref in values.pop("found")]
    body = values["body"]
    values["body"] = zstandard.decompress(base64.b64decode(body)) if body else b""
    values["fetched_at"] = datetime.fromisoformat(values["fetched_at"])
    return SpooledPage(**values), found


def for_one_worker(options: FetchOptions, concurrency: int) -> FetchOptions:
    """The options for one of several workers, without secrets. concurrency: its share of the requests at once"""
    changed = {"concurrency": concurrency, "notify_webhook": None, "notify_urls": (), "ping_url": None}
    return replace(options, settings=options.settings.changed(**changed))
