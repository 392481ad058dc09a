"""A store that version 0.1.0 wrote opens, is whole, and is exported with the same bytes.

`written_before.zip` holds three nights of three pages of the demo's portal: new, edited and gone.
"""

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support.verifying import verify_deeply

from pipeline.api import open_store
from pipeline.publish.export import export_state
from pipeline.schema.columns import TABLES, schema_version
from pipeline.store.archive import Archive
from pipeline.store.writer import open_writer

WRITTEN = Path(__file__).parent / "written_before.zip"
IDS = ["20261129T184229Z", "20261129T184230Z", "20261129T184231Z"]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The store, as its writer left it."""
    root = tmp_path / "store"
    with zipfile.ZipFile(WRITTEN) as files:
        files.extractall(root)
    (root / "tmp").mkdir()
    (root / "latest").symlink_to(f"snapshots/{IDS[-1]}")
    return root


def test_it_is_whole(written: Path) -> None:
    assert verify_deeply(written) == []
    store = open_store(written)
    assert list(store.harvests()["harvest_id"]) == IDS
    assert store.latest().harvest_id == IDS[-1]
    meanings = store.diff(IDS[0], "latest")["meaning"].value_counts()
    assert {"report_edited", "target_moved", "project_gone"} <= set(meanings.index)


@pytest.mark.parametrize("id_", IDS)
def test_it_is_exported_as_it_was(written: Path, tmp_path: Path, id_: str) -> None:
    kept = {file.name: file for file in (written / "snapshots" / id_).glob("*.parquet")}
    bare = tmp_path / "bare"  # so that every table is derived from the harvests
    shutil.copytree(written, bare, symlinks=True)
    shutil.rmtree(bare / "snapshots")
    export_state(Archive(bare), id_, tmp_path / "out")
    same_columns = json.loads((written / "snapshots" / id_ / "snapshot.json").read_bytes())["schema_version"]
    for name in TABLES:
        file, before = tmp_path / "out" / f"{name}.parquet", kept.get(f"{name}.parquet")
        if before is None:  # a table that came later
            continue
        if same_columns == schema_version():
            assert file.read_bytes() == before.read_bytes(), name
        old = pq.read_table(before)
        new = pq.read_table(file).select(old.column_names)
        assert new.equals(old), name


def test_writing_to_it_alters_nothing_of_it(written: Path) -> None:
    def head() -> dict[str, str]:
        known = json.loads((written / "head.json").read_bytes())
        return {name: known[name] for name in ("harvest_id", "manifest_sha256", "portal")}

    def hashes() -> dict[str, str]:
        # head.json is derived, and gets the list of harvests that older versions did not write
        files = (file for file in written.rglob("*") if file.is_file() and file.name not in (".lock", "head.json"))
        return {str(file.relative_to(written)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    before = head(), hashes()
    with open_writer(written):
        pass
    assert (head(), hashes()) == before
