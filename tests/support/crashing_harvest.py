"""A harvest that is killed: `crashing_harvest.py random URL DATA SEED KILLS` or `… steps URL DATA WORK HOW [STRIDE]`.

Every try is a forked child of this one process, so that none pays for imports, and dies by SIGKILL: nothing of it is
cleaned up. What it must leave behind is checked from outside. Prints one JSON document.
"""

import errno
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.harvest.result import Scope
from pipeline.harvest.run import HarvestRun, run_harvest
from pipeline.harvest.run_folder import unfinished_run
from pipeline.settings import load_settings
from pipeline.store.archive import Archive
from pipeline.store.verify import verify_store
from pipeline.store.writer import create_store, open_writer

_STEPS = frozenset(("open", "os.rename", "os.remove", "os.symlink", "os.mkdir", "os.rmdir", "os.truncate"))


def harvest(url: str, data: Path, rate: float = 1_000_000, before_finish: Callable[[], None] = lambda: None) -> None:
    """One harvest, or the rest of one that was begun."""
    settings = load_settings(portal=url, data=data, rate=rate, retries=0, backoff=0)
    store = create_store(data, url)
    with open_writer(store.root) as store:
        night = HarvestRun.begin(settings, store, Scope())
        finish = night.finish

        def announced() -> Any:
            before_finish()
            return finish()

        night.finish = announced  # type: ignore[method-assign]
        run_harvest(night)


def in_child(work: Callable[[], None]) -> int:
    """Run in a forked child; returns its process id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except BaseException:  # noqa: BLE001 - the child ends here
        traceback.print_exc()
    finally:
        os._exit(status)


def fingerprint(data: Path) -> str:
    """The hash of all that `latest` shows; a state of which a file cannot be read is an error."""
    digest = hashlib.sha256()
    for file in sorted((data / "latest" / "").glob("*.parquet")):
        pq.read_table(file)
        digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def complaints(data: Path) -> list[str]:
    """What verify finds that the next harvest would not set right by itself."""
    return [str(problem) for problem in verify_store(data) if problem.what_to_do != "the next harvest sets it right"]


def killed_at_random(url: str, data: Path, seed: int, kills: int) -> dict[str, Any]:
    """Kill one harvest again and again at random moments: `kills` times while it fetches, as often after the last page."""
    chance, count, late, wrong = random.Random(seed), 0, 0, []
    before = fingerprint(data) if (data / "latest").exists() else None
    committed = len(create_store(data, url).harvest_ids())
    while True:
        reader, writer = os.pipe()
        child = in_child(lambda writer=writer: harvest(url, data, 100, lambda: os.write(writer, b"!")))  # type: ignore[misc]
        os.close(writer)
        near_end = count >= kills
        if not near_end:
            time.sleep(chance.uniform(0.02, 0.2))
            os.kill(child, signal.SIGKILL)
        elif late < kills and os.read(reader, 1):  # empty: it ended before its end was near
            time.sleep(chance.uniform(0, 0.2))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(reader)
        killed = os.WIFSIGNALED(status)
        count, late = count + (killed and not near_end), late + (killed and near_end)
        if killed:
            wrong += complaints(data)
            if before is not None and unfinished_run(Archive(data)) and fingerprint(data) != before:
                wrong.append("latest changed although nothing was committed")
        if not killed or len(Archive(data).harvest_ids()) > committed:
            with open_writer(data):  # what the next start does first
                return {"kills": count + late, "late": late, "wrong": wrong, "status": 0 if killed else status}


def killed_at_step(url: str, data: Path, step: int, how: str) -> bool:
    """Let the end of a harvest fail at its nth change to the disk; returns whether there was an nth."""

    def work() -> None:
        left = step

        def strike() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                if how == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                raise OSError(errno.ENOSPC, "No space left on device")

        def on_event(event: str, arguments: tuple[Any, ...]) -> None:
            if event in _STEPS and str(data) in str(arguments[:2]):
                if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR):
                    return
                strike()

        def arm() -> None:
            sync, write_table = os.fsync, pq.ParquetWriter.write_table

            def fsync(descriptor: int) -> None:
                strike()
                sync(descriptor)

            def write(self: Any, *arguments: Any, **more: Any) -> None:
                strike()
                write_table(self, *arguments, **more)

            os.fsync, pq.ParquetWriter.write_table = fsync, write
            sys.addaudithook(on_event)

        harvest(url, data, before_finish=arm)

    _, status = os.waitpid(in_child(work), 0)
    return os.waitstatus_to_exitcode(status) != 0


def every_step(url: str, data: Path, work: Path, how: str, stride: int = 1) -> dict[str, Any]:
    """Strike at every step of a harvest's end, each time on a fresh copy of a store whose pages are all fetched.

    stride: strike only at every so many steps; kills then strike at other steps than failures
    """
    before, step, wrong = fingerprint(data), {"kill": 1, "fail": 1 + stride // 2}[how] - stride, []
    shutil.copytree(data, work, symlinks=True)
    harvest(url, work)
    after = fingerprint(work)
    while True:
        step += stride
        shutil.rmtree(work)
        shutil.copytree(data, work, symlinks=True)
        if not killed_at_step(url, work, step, how):
            break
        if fingerprint(work) not in (before, after):
            wrong.append(f"step {step}: latest is neither the old state nor the new one")
        wrong += [f"step {step}: {complaint}" for complaint in complaints(work)]

        def again() -> None:
            store = Archive(work)
            with open_writer(store.root) as store:
                committed = unfinished_run(store) is None
            if not committed:
                harvest(url, work)

        _, status = os.waitpid(in_child(again), 0)
        if os.waitstatus_to_exitcode(status) or fingerprint(work) != after or verify_store(work):
            wrong.append(f"step {step}: the next start did not lead to the undisturbed state {verify_store(work)}")
    return {"steps": step, "wrong": wrong, "changed": before != after}


def main() -> None:
    mode, url, data, *more = sys.argv[1:]
    if mode == "random":
        print(json.dumps(killed_at_random(url, Path(data), int(more[0]), int(more[1]))))
    else:
        print(json.dumps(every_step(url, Path(data), Path(more[0]), more[1], *map(int, more[2:]))))


if __name__ == "__main__":
    main()
