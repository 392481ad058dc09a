"""`verify --deep` finds what was altered although every hash was redone, and says what it cannot compare."""

import shutil
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from support.command import run
from support.forging import Rows, edit_table, redo_hashes

from pipeline.api import open_store
from pipeline.harvest.verify_rows import RowCheck
from pipeline.store.archive import Archive
from pipeline.store.harvests import ids_in
from pipeline.store.verify import verify_store

WRITTEN_BEFORE = Path(__file__).parents[1] / "store" / "written_before.zip"


@pytest.fixture
def store(three_nights: Path, tmp_path: Path) -> Path:
    root = tmp_path / "store"
    shutil.copytree(three_nights, root, symlinks=True)
    return root


def test_a_store_as_it_was_written_is_whole(three_nights: Path) -> None:
    done = run("verify", "--deep", "--data", three_nights)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, f"{three_nights} is whole")


def test_every_altered_row_is_found_although_all_hashes_agree(store: Path) -> None:
    first, second, third = ids_in(store / "harvests")
    told: dict[str, tuple[str, ...]] = {}

    def percent(rows: Rows) -> None:
        rows[0]["progress_percent"] = 99.0
        told[f"harvests/{first}/projects.parquet"] = (rows[0]["project_code"], "progress_percent is 99.0")

    def day(rows: Rows) -> None:
        row = next(row for row in rows if row["start_date"])
        row["start_date"] += timedelta(days=1)
        where = f"project_code={row['project_code']}, step_no={row['step_no']}: start_date is {row['start_date']}"
        told[f"harvests/{first}/plan_steps.parquet"] = (where,)

    def added(rows: Rows) -> None:
        rows.append({**rows[-1], "quarter": 9})
        told[f"harvests/{first}/kpi_quarters.parquet"] = ("quarter=9: a row that the stored page does not give",)

    def removed(rows: Rows) -> None:
        row = rows.pop(0)
        where = f"project_code={row['project_code']}, position={row['position']}: the row is missing"
        told[f"harvests/{first}/project_strategies.parquet"] = (where,)

    def change(rows: Rows) -> None:
        row = next(row for row in rows if row["column"] is not None)
        row["after"] = "otherwise"
        told[f"harvests/{second}/changes.parquet"] = (row["key"], f"column={row['column']}: after is otherwise")

    def finding(rows: Rows) -> None:
        rows[0]["printed"] = "otherwise"
        where = f"page_key={rows[0]['page_key']}, finding_no=1: printed is otherwise"
        told[f"harvests/{first}/findings.parquet"] = (where,)

    edits = {"projects": percent, "plan_steps": day, "kpi_quarters": added, "project_strategies": removed}
    for name, edit in edits.items():
        edit_table(store / "harvests" / first / f"{name}.parquet", edit)
    edit_table(store / "harvests" / second / "changes.parquet", change)
    edit_table(store / "harvests" / first / "findings.parquet", finding)
    redo_hashes(store)
    assert verify_store(store) == []
    done = run("verify", "--deep", "--data", store)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    for file, texts in told.items():
        found = [line for line in lines if line.startswith(f"{file}: ")]
        assert any(all(text in line for text in texts) for line in found), (file, texts, found)
    # an altered state makes other changes too, and has more or fewer rows than its manifest counts; nothing else is reported
    counts = {f"harvests/{id_}/manifest.json" for id_ in (first, second, third)}
    assert {line.partition(": ")[0] for line in lines} <= {*told, *counts} | {
        f"harvests/{id_}/changes.parquet" for id_ in (second, third)
    }
    assert len(open_store(store).verify(deep=True)) == len(lines)


def test_an_altered_row_is_named_beside_snapshots_that_were_left_as_they_were(store: Path, tmp_path: Path) -> None:
    first, *_ = ids_in(store / "harvests")
    shutil.copytree(store / "snapshots", tmp_path / "true")

    def percent(rows: Rows) -> None:
        rows[0]["progress_percent"] = 99.0

    edit_table(store / "harvests" / first / "projects.parquet", percent)
    redo_hashes(store)
    shutil.rmtree(store / "snapshots")
    (tmp_path / "true").rename(store / "snapshots")
    done = run("verify", "--deep", "--data", store)
    assert done.returncode == 1
    files = {line.partition(": ")[0] for line in done.stdout.splitlines()}
    assert {f"snapshots/{first}/projects.parquet", f"harvests/{first}/projects.parquet"} <= files


def test_a_version_said_to_be_of_another_parser_is_found(store: Path) -> None:
    _, second, _ = ids_in(store / "harvests")

    def edit(rows: Rows) -> None:
        row = next(row for row in rows if row["version_harvest_id"] == second)
        row["parser_version"] = "3"  # so that nobody compares it
        row["progress_percent"] = 99.0

    edit_table(store / "harvests" / second / "pages.parquet", edit)
    redo_hashes(store)
    done = run("verify", "--deep", "--data", store)
    assert done.returncode == 1
    assert "parser_version is 3, which no manifest so far names" in done.stdout


def test_an_unreadable_page_is_a_problem_and_no_traceback(store: Path) -> None:
    first, *_ = ids_in(store / "harvests")

    def edit(rows: Rows) -> None:
        rows[0]["headers"] = "no JSON"

    edit_table(store / "harvests" / first / "bodies.parquet", edit)
    redo_hashes(store)
    done = run("verify", "--deep", "--data", store)
    assert done.returncode == 1
    problems = list(RowCheck()(Archive(store)))
    assert [problem.where for problem in problems] == [f"harvests/{first}/pages.parquet"]
    assert "is damaged" in problems[0].what


def test_what_another_parser_wrote_is_counted_and_no_damage(tmp_path: Path) -> None:
    root = tmp_path / "store"
    with zipfile.ZipFile(WRITTEN_BEFORE) as files:
        files.extractall(root)
    (root / "tmp").mkdir()
    (root / "latest").symlink_to(f"snapshots/{ids_in(root / 'harvests')[-1]}")
    done = run("verify", "--deep", "--data", root)
    assert done.returncode == 0, done.stdout
    remark, whole, *_ = done.stdout.splitlines()
    assert remark.startswith("not compared, because another version of this program wrote it")
    assert whole == f"{root} is whole"
