"""A store as users see it: read-only and small; and read where no file locks are."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pipeline.api import open_store
from pipeline.operate.status import condition
from pipeline.store.archive import Archive
from pipeline.store.verify import verify_store
from pipeline.store.writer import StoreWriter, create_store

ROOT = Path(__file__).parents[2]

READS = {
    "as_of",
    "changes",
    "describe",
    "diff",
    "harvest_ids",
    "harvests",
    "history",
    "latest",
    "place",
    "portal",
    "table",
    "tables",
    "to_polars",
    "verify",
}


def test_a_store_shows_a_dozen_names_and_no_writers(three_nights: Path) -> None:
    names = {name for name in dir(open_store(three_nights)) if not name.startswith("_")}
    assert names == READS
    writers = {name for name in vars(StoreWriter) if not name.startswith("_")}
    assert writers >= {"compact", "migrate", "prune_snapshots", "set_aside"}
    assert not names & writers


def test_a_store_answers_as_before(three_nights: Path) -> None:
    store = open_store(three_nights)
    first, second, third = store.harvests()["harvest_id"]
    assert store.latest().harvest_id == third
    assert store.harvest_ids(published_only=True) == [first, second, third]
    assert store.as_of("previous").harvest_id == second
    assert store.as_of(first)["projects"].equals(store.table("projects", first))
    assert store.as_of(first).arrow("projects").num_rows == len(store.table("projects", first))
    assert store.place == str(three_nights)
    assert store.portal.startswith("http://127.0.0.1:")
    assert len(store.diff(first, third))
    assert len(store.history("24000000-2964")) >= 3
    assert store.verify() == []


def test_a_copy_without_the_link_latest_is_read_too(three_nights: Path, tmp_path: Path) -> None:
    data = tmp_path / "store"
    shutil.copytree(three_nights, data, symlinks=True)
    (data / "latest").unlink()
    store = open_store(data)
    assert "none published" not in repr(store)
    assert "<th>projects</th>" in store._repr_html_()
    assert store.latest()["projects"].equals(open_store(three_nights).table("projects"))
    assert condition(Archive(data), 1e9).is_good


def test_reading_needs_nothing_that_only_unix_has(three_nights: Path, tmp_path: Path) -> None:
    """As on Windows: without locks, links, users and a console in UTF-8, on a copy of a store whose links became folders."""
    code = """
import asyncio, os, sys  # Python's own modules for Unix may use what only Unix has
lacking = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "readline"}
for name in lacking:
    sys.modules[name] = None  # importing it raises ImportError
for name in ("fork", "getuid", "geteuid", "symlink", "pread", "pwrite", "statvfs", "sysconf", "mkfifo", "killpg", "chown"):
    delattr(os, name)
from flows.cli import main
for line in sys.argv[1:]:
    try:
        main(line.split())
    except SystemExit as end:
        print("ended", line.split()[0], end.code or 0, file=sys.stderr, flush=True)
    else:
        print("ended", line.split()[0], 0, file=sys.stderr, flush=True)
"""
    store = shutil.copytree(three_nights, tmp_path / "store", symlinks=False)
    expected = {
        "status": 0,
        "history 24000000-3051": 0,
        "diff previous latest": 1,
        "export latest --out tables": 0,
        "sql FROM/**/projects": 0,
        "verify --deep": 0,
        "head": 0,
        "evidence 24000000-3051 --out bundle": 0,
        "report --out report.html": 0,
        "compact": 2,
        "harvest --orchestrator none --data new": 2,
        "demo --data demo": 2,
    }
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}", *expected],
        env={**os.environ, "BMA_PROGRESS_DATA": str(store), "PYTHONUTF8": "0", "PYTHONIOENCODING": "cp874"},
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=180,
    )
    said = done.stderr.decode("cp874")
    ended = [tuple(line.split()[1:]) for line in said.splitlines() if line.startswith("ended")]
    assert ended == [(line.split()[0], str(status)) for line, status in expected.items()], said
    assert said.count("this system has no file locks of Unix") == 3, said
    assert (tmp_path / "tables" / "projects.parquet").is_file()
    assert (tmp_path / "report.html").is_file()


def test_a_store_that_was_just_made_is_whole(tmp_path: Path) -> None:
    create_store(tmp_path / "store", "http://portal.example")
    assert verify_store(tmp_path / "store", deep=True) == []
