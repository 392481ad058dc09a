"""What a night and a question cost after many nights: `python tests/benchmarks/many_nights.py [--nights 400] [--pages 1500]`.

Nights of invented pages, 2 % of them edited each, are committed by the store's own writer; nothing is fetched. Night 10,
every hundredth and the last one, and the questions after night 40 and after those, run in processes of their own. For each:
CPU seconds without the start of Python, files opened below the store (reported by the kernel, so Linux only), how many different
ones. At the end the months are packed and the questions are asked once more.
"""

import argparse
import contextlib
import ctypes
import hashlib
import json
import os
import random
import select
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.synthetic_portal import code_of, project_page

from parsers import parse_page
from pipeline.compare.diff import states_differ
from pipeline.compare.timeline import timeline
from pipeline.harvest.commit import commit
from pipeline.harvest.page_status import PageRow
from pipeline.harvest.plan import known_pages
from pipeline.harvest.reading import read_page
from pipeline.harvest.spool import SpooledPage
from pipeline.harvest.staging import stage
from pipeline.store.layout import harvest_id_at
from pipeline.store.verify import verify_store
from pipeline.store.writer import create_store, open_archive, open_writer

PORTAL = "http://portal.test"
START = datetime(2025, 1, 1, 19, tzinfo=UTC)
SHARE = 0.02
EARLY = 10
QUESTIONS_EARLY = 40
"""The first night on which every kind of snapshot is there: the last seven, the first of a month, none between."""
QUESTIONS = ("as of yesterday", "as of the middle", "diff of two nights", "history", "verify")


def start_of(night: int) -> datetime:
    return START + timedelta(days=night - 1)


def is_edited(number: int, night: int) -> bool:
    return random.Random(f"{number}/{night}").random() < SHARE


def answers(night: int, pages: int, known: dict[str, PageRow]) -> Iterator[SpooledPage]:
    """What a harvest's spool would hold: edited pages parsed, the others recognised by their bytes."""
    for number in sorted(range(pages), key=code_of):
        code = code_of(number)
        about = {
            "page_key": f"project/{code}",
            "kind": "project",
            "code": code,
            "url": f"{PORTAL}/mobile/myproject.php?pid={code}",
            "http_status": 200,
            "headers": {"content-type": "text/html; charset=utf-8"},
            "fetched_at": start_of(night) + timedelta(seconds=number),
            "attempts": 1,
        }
        row = known.get(about["page_key"])
        if row is not None and not is_edited(number, night):
            yield SpooledPage(**about, sha256=row["record_sha256"], size=row["bytes"])
            continue
        body = project_page(number, night, SHARE)
        digest = hashlib.sha256(body).hexdigest()
        parsed = parse_page(body, url=about["url"], fetched_at=about["fetched_at"])
        yield read_page(SpooledPage(**about, sha256=digest, body=body), body, parsed)


def harvest_night(data: Path, night: int, pages: int) -> None:
    """Commit and publish one night, from taking the lock to pruning."""
    store = create_store(data, PORTAL)
    harvest_id = harvest_id_at(start_of(night))
    with open_writer(store.root) as writer:
        known = known_pages(writer)
        staged = stage(writer, harvest_id, answers(night, pages, known), known)
        commit(staged, held_back=None, report={})
        writer.prune_snapshots(7)
        writer.prune_runs(30, 400)


def ask(data: Path, question: str) -> None:
    store = open_archive(data)
    ids = store.harvest_ids()
    match question:
        case "as of yesterday":
            store.arrow("projects", ids[-2])
        case "as of the middle":
            store.arrow("projects", ids[len(ids) // 2])
        case "diff of two nights":
            states_differ(store, ids[-2], ids[-1])
        case "history":
            timeline(store, code_of(0))
        case "verify":
            assert verify_store(data) == []


def run_once(data: Path, task: str, pages: int) -> None:
    """Do one thing and print its CPU seconds."""
    if task.isdigit():  # the portal's work, which grows with the nights it invents, is done before
        for number in filter(lambda number: is_edited(number, int(task)), range(pages)):
            project_page(number, int(task), SHARE)
    began = time.process_time()
    if task.isdigit():
        harvest_night(data, int(task), pages)
    else:
        ask(data, task)
    print(json.dumps(time.process_time() - began))


class OpenedFiles(threading.Thread):
    """Counts the openings of files below a folder while it is entered, by inotify(7)."""

    _EVENT = struct.Struct("iIII")
    _OPENED, _CREATED, _IS_FOLDER = 0x20, 0x100 | 0x80, 0x40000000

    def __init__(self, root: Path) -> None:
        super().__init__(daemon=True)
        self.files: Counter[str] = Counter()
        self._system = ctypes.CDLL(None)
        self._descriptor = self._system.inotify_init1(os.O_NONBLOCK)
        self._folders: dict[int, str] = {}
        self._over = threading.Event()
        for folder in (root, *(path for path in root.rglob("*") if path.is_dir() and not path.is_symlink())):
            self._watch(str(folder))

    def _watch(self, folder: str) -> None:
        mask = self._OPENED | self._CREATED
        self._folders[self._system.inotify_add_watch(self._descriptor, os.fsencode(folder), mask)] = folder

    def __enter__(self) -> "OpenedFiles":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
        os.close(self._descriptor)

    def run(self) -> None:
        while select.select([self._descriptor], [], [], 0.1)[0] or not self._over.is_set():
            with contextlib.suppress(BlockingIOError):
                self._count(os.read(self._descriptor, 1 << 20))

    def _count(self, events: bytes) -> None:
        place = 0
        while place < len(events):
            watch, kind, _, length = self._EVENT.unpack_from(events, place)
            name = events[place + self._EVENT.size : place + self._EVENT.size + length].rstrip(b"\0").decode()
            place += self._EVENT.size + length
            path = f"{self._folders.get(watch, '')}/{name}"
            if kind & self._IS_FOLDER:
                if kind & self._CREATED:
                    self._watch(path)
            elif kind & self._OPENED and name:
                self.files[path] += 1


def measure(data: Path, task: str, pages: int) -> tuple[float, int, int]:
    """CPU seconds, openings of files, different files."""
    with OpenedFiles(data) as opened:
        command = [sys.executable, __file__, "--task", task, "--data", str(data), "--pages", str(pages)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(done.stdout), opened.files.total(), len(opened.files)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--nights", type=int, default=400)
    options.add_argument("--pages", type=int, default=1500)
    options.add_argument("--data", type=Path)
    options.add_argument("--task")
    chosen = options.parse_args()
    if chosen.task:
        run_once(chosen.data, chosen.task, chosen.pages)
        return
    with tempfile.TemporaryDirectory() as folder:
        data = chosen.data or Path(folder) / "store"
        early: dict[str, tuple[float, int, int]] = {}
        for night in range(1, chosen.nights + 1):
            later = night % 100 == 0 or night == chosen.nights
            if night != EARLY and not later:
                harvest_night(data, night, chosen.pages)
            else:
                report(f"{night}", str(night), measure(data, str(night), chosen.pages), early)
            if night == QUESTIONS_EARLY or later:
                for task in QUESTIONS:
                    report(f"{night}", task, measure(data, task, chosen.pages), early)
        ids = sorted(path.name for path in (data / "harvests").iterdir())
        sizes = [sum(file.stat().st_size for file in (data / "harvests" / id_).iterdir()) for id_ in ids]
        print(f"bytes a night: {sum(sizes[1:]) / len(sizes[1:]) / sizes[0]:.2%} of the first one's {sizes[0]:,}")
        with open_writer(data) as writer:
            writer.compact(start_of(chosen.nights) + timedelta(days=40))
        for task in (str(chosen.nights + 1), *QUESTIONS):
            report("packed", task, measure(data, task, chosen.pages), early)


def report(when: str, task: str, now: tuple[float, int, int], early: dict[str, tuple[float, int, int]]) -> None:
    name = "the night" if task.isdigit() else task
    first = early.setdefault(name, now)
    cpu, openings, files = now
    print(
        f"{when:>6} {name:20} CPU {cpu:6.2f} s ({cpu / first[0]:5.2f} x), {openings:6,} openings ({openings / first[1]:5.2f} x) "
        f"of {files:6,} files ({files / first[2]:5.2f} x)",
        flush=True,
    )


if __name__ == "__main__":
    main()
