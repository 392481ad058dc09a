"""A store as users see it: read-only and small; and read where no file locks are."""

import shutil
import subprocess
import sys
from pathlib import Path

from pipeline.api import open_store
from pipeline.operate.status import condition
from pipeline.store.archive import Archive
from pipeline.store.verify import verify_store
from pipeline.store.writer import StoreWriter, create_store

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
    assert writers >= {"publish", "compact", "migrate", "prune_snapshots"}
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


def test_reading_needs_no_fcntl(three_nights: Path, tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
sys.modules["fcntl"] = None  # as where there is none: importing it raises ImportError
from pipeline.api import open_store, timeline_text, write_evidence
from pipeline.errors import StoreError
from pipeline.operate.status import condition, status_document
from pipeline.publish.export import export_state
from pipeline.store.archive import Archive
from pipeline.store.writer import open_writer
data, out = Path(sys.argv[1]), Path(sys.argv[2])
store = open_store(data)
assert len(store.table("projects")) == len(store.latest()["projects"]) > 0
assert len(store.diff("previous", "latest")) and store.verify(deep=True) == []
assert timeline_text(store, "24000000-3051") and write_evidence(store, "24000000-3051", out / "evidence")
export_state(Archive(data), "latest", out / "export")
assert status_document(Archive(data), condition(Archive(data), 1e9))["good"]
try:
    with open_writer(data):
        raise SystemExit("it was opened for writing")
except StoreError as error:
    print(error)
"""
    command = [sys.executable, "-c", code, str(three_nights), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("this system has no file locks of Unix")
    assert (tmp_path / "export" / "projects.parquet").is_file()


def test_a_store_that_was_just_made_is_whole(tmp_path: Path) -> None:
    create_store(tmp_path / "store", "http://portal.example")
    assert verify_store(tmp_path / "store", deep=True) == []
