"""A command that is killed at each of its changes to the disk, one after the other: `python … DATA WORK STRIDE COMMAND…`.

DATA is the store it begins with, copied to WORK for each kill; {data} in COMMAND stands for the copy, {out} for a folder
beside it; `prune` stands for what a harvest does at its end, `compact` for
that command in a later month. Each try is a forked child, so that none pays for imports.
Prints one JSON document.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from support.command import run
from support.crashing_harvest import complaints, fingerprint, in_child

from pipeline.store.verify import verify_store
from pipeline.store.writer import open_writer

_STEPS = frozenset(("open", "os.rename", "os.remove", "os.symlink", "os.link", "os.mkdir", "os.rmdir"))


def kill_at(step: int, place: Path) -> None:
    """Kill this process at its nth change to files below a folder."""
    left, sync = step, os.fsync

    def strike() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_event(event: str, arguments: tuple[Any, ...]) -> None:
        named = str(arguments[:2])
        if event in _STEPS and str(place) in named:
            if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR):
                return
            strike()

    def fsync(descriptor: int) -> None:
        strike()
        sync(descriptor)

    os.fsync = fsync
    sys.addaudithook(on_event)


def work_on(work: Path, arguments: list[str]) -> None:
    """Run the command."""
    if arguments[0] in ("prune", "compact"):
        with open_writer(work) as writer:
            writer.prune_snapshots(1) if arguments[0] == "prune" else writer.compact(datetime(2100, 1, 1, tzinfo=UTC))
    else:
        done = run(*arguments)
        assert done.returncode in (0, 1), done.stderr


def ended(work: Callable[[], Any]) -> int:
    """How a child of this process ended: its exit status, or the signal, negative."""
    _, status = os.waitpid(in_child(work), 0)
    return os.waitstatus_to_exitcode(status)


def every_step(data: Path, work: Path, stride: int, command: list[str]) -> dict[str, Any]:
    """Kill the command at every step; what it must leave, and what the next start must make of it, is checked."""
    out = work.with_name("out")
    arguments = [part.format(data=work, out=out) for part in command]

    def fresh() -> None:
        for folder in (work, out):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(data, work, symlinks=True)

    def states() -> tuple[str, tuple[str, ...]]:
        exported = tuple(sorted(str(pq.read_table(file).num_rows) + file.name for file in out.glob("*.parquet")))
        return fingerprint(work), exported

    fresh()
    before = states()
    work_on(work, arguments)
    after, step, wrong = states(), 0, []
    while True:
        step += stride
        fresh()

        def killed(step: int = step) -> None:
            kill_at(step, work.parent)
            work_on(work, arguments)

        if ended(killed) == 0:
            break
        # a replay has a new time each time: then only that it is whole, and not the state before, can be said
        if states() not in (before, after) and "--publish" not in command:
            wrong.append(f"step {step}: neither the old state nor the new one")
        wrong += [f"step {step}: {complaint}" for complaint in complaints(work)]

        def again() -> None:
            with open_writer(work):
                pass
            assert verify_store(work) == [], verify_store(work)
            if arguments[0] != "export" or not out.exists():
                work_on(work, arguments)

        if ended(again) or verify_store(work):
            wrong.append(f"step {step}: the next start did not set it right: {verify_store(work)}")
        elif "--publish" not in command and states() != after:
            wrong.append(f"step {step}: the next start led to another state")
        if left := [path.name for path in work.parent.glob(".*.partial")]:
            wrong.append(f"step {step}: {left} was left")
    return {"steps": step - stride, "wrong": wrong}


def main() -> None:
    print(json.dumps(every_step(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])))


if __name__ == "__main__":
    main()
