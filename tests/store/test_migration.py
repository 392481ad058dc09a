"""A store that an older version wrote: it opens, its old states come out right, and it is migrated when asked."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows.cli import main
from pipeline.compare.diff import states_differ
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.result import Scope
from pipeline.harvest.run import HarvestRun, run_harvest
from pipeline.settings import load_settings
from pipeline.store.archive import Archive
from pipeline.store.durable import canonical_json, file_sha256
from pipeline.store.head import write_head
from pipeline.store.snapshots import snapshot_document
from pipeline.store.verify import verify_store
from pipeline.store.writer import create_store, open_archive, open_writer

ADDED = {"projects": "evaluation_score", "progress_reports": "report_no", "findings": "printed"}
"""Columns that the older version did not have yet."""


def night(portal: DemoPortal, data: Path) -> None:
    store = create_store(data, portal.url)
    with open_writer(store.root) as store:
        begun = HarvestRun.begin(load_settings(portal=portal.url, data=data, rate=1_000_000, retries=0), store, Scope())
        assert run_harvest(begun)
        begun.close()


def make_older(data: Path) -> None:
    """Rewrite a store as a version without the columns ADDED would have written it, hashes and chain included."""
    previous = None
    for folder in sorted((data / "harvests").iterdir()):
        _drop_columns(folder)
        manifest = json.loads((folder / "manifest.json").read_bytes())
        for name, about in manifest["files"].items():
            about |= {"bytes": (folder / name).stat().st_size, "sha256": file_sha256(folder / name)}
        manifest |= {"schema_version": "older", "previous_manifest_sha256": previous}
        (folder / "manifest.json").write_bytes(canonical_json(manifest))
        previous = file_sha256(folder / "manifest.json")
    for folder in sorted((data / "snapshots").iterdir()):
        _drop_columns(folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pipeline.store.snapshots.schema_version", lambda: "older")
            for later in ("datapackage.json", "index.json"):
                (folder / later).unlink()
            (folder / "snapshot.json").write_bytes(snapshot_document(sorted(folder.glob("*.parquet")), folder.name))
    (data / "head.json").unlink()
    write_head(Archive(data), Archive(data).portal)


def _drop_columns(folder: Path) -> None:
    for table, column in ADDED.items():
        rows = pq.read_table(folder / f"{table}.parquet")
        pq.write_table(rows.drop([column]), folder / f"{table}.parquet")


@pytest.fixture
def older(tmp_path: Path) -> tuple[DemoPortal, Path]:
    with DemoPortal() as portal:
        for number in (1, 2):
            portal.night = number
            night(portal, tmp_path / "store")
    make_older(tmp_path / "store")
    return portal, tmp_path / "store"


def test_an_older_store_opens_and_its_states_come_out_right(older: tuple[DemoPortal, Path]) -> None:
    _, data = older
    assert verify_store(data, deep=True) == []
    store = open_archive(data)
    first, second = store.harvest_ids()
    for id_ in (first, second):
        for table, column in ADDED.items():
            rows = store.arrow(table, id_).to_pandas()
            assert column in rows.columns
            assert rows[column].isna().all()
    assert len(store.arrow("projects", first).to_pandas()) == 16
    before, after = (
        store.arrow("progress_reports", id_).to_pandas().set_index(["project_code", "report_index"])
        for id_ in (first, second)
    )
    key = ("24000000-3051", 1)
    assert (before.loc[key, "progress_percent"], after.loc[key, "progress_percent"]) == (5, 8)


def test_a_migration_gives_latest_the_new_columns_and_changes_no_harvest(
    older: tuple[DemoPortal, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, data = older
    harvests = {file: file.read_bytes() for file in (data / "harvests").rglob("*") if file.is_file()}
    assert "evaluation_score" not in pq.read_schema(data / "latest" / "projects.parquet").names
    main(["migrate", "--data", str(data)])
    assert capsys.readouterr().out.count("has this version's columns now") == 2
    assert "evaluation_score" in pq.read_schema(data / "latest" / "projects.parquet").names
    assert {file: file.read_bytes() for file in harvests} == harvests
    assert verify_store(data, deep=True) == []
    main(["migrate", "--data", str(data)])
    assert "already" in capsys.readouterr().out
    main(["export", "latest", "--data", str(data), "--out", str(tmp_path / "out")])
    assert "evaluation_score" in pq.read_schema(tmp_path / "out" / "projects.parquet").names
    assert list((data / "tmp").iterdir()) == []


def test_harvests_and_comparisons_go_on_in_an_older_store(older: tuple[DemoPortal, Path]) -> None:
    _, data = older
    settings_portal = Archive(data).portal
    with DemoPortal() as other:
        # the same store, whose portal answers on another port now
        for file in ("store.json", "head.json"):
            (data / file).write_text((data / file).read_text().replace(settings_portal, other.url))
        (data / "head.json").unlink()
        other.night = 3
        night(other, data)
    store = open_archive(data)
    first, _, third = store.harvest_ids()
    changed = states_differ(store, first, third).to_pandas()
    assert {"progress_percent", "note"} <= set(changed["column"].dropna())
    assert not set(changed["column"]) & set(ADDED.values())  # what nobody had written down yet is no change
    assert verify_store(data, deep=True) == []
