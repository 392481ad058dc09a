"""The life of one record, and questions to all nights."""

import json
import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from support.command import run
from support.states import SEED, State

from pipeline.api import open_store
from pipeline.compare.timeline import timeline, timeline_text
from pipeline.compare.trends import most_rewritten, not_reported, silent_projects
from pipeline.errors import StoreError
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.portal import code_ref
from pipeline.harvest.result import Scope
from pipeline.store.writer import open_archive


def test_a_timeline_lists_each_version_and_its_changes(three_nights: Path) -> None:
    store = open_archive(three_nights)
    entries = timeline(store, "24000000-3051")
    assert [(entry.outcome, entry.nights, len(entry.changes)) for entry in entries] == [
        ("new", 1, 0),
        ("changed", 1, 2),
        ("unchanged", 1, 0),
    ]
    assert [change["detail"] for change in entries[1].changes] == ["percent_rewritten", "text_rewritten"]
    assert entries[0].page_sha256 != entries[1].page_sha256
    text = timeline_text(store, "24000000-3051")
    assert "5 → 8" in text
    assert "{+และออกแบบแล้ว+}" in text
    gone = timeline(store, "50500000-0745")
    assert [(entry.outcome, entry.ended) for entry in gone] == [("new", False), ("blank", False), ("blank", True)]
    assert [change["meaning"] for change in gone[-1].changes] == ["project_gone"]
    indicator = timeline(store, "2400-1013")
    assert [[change["meaning"] for change in entry.changes] for entry in indicator] == [[], [], ["target_moved"]]


def test_harvests_that_only_confirm_are_one_entry(tmp_path: Path) -> None:
    from support.harvests import harvest

    with DemoPortal() as portal:
        for _ in range(4):
            assert harvest(portal, tmp_path / "store").published
        store = open_archive(tmp_path / "store")
        assert [(entry.outcome, entry.nights) for entry in timeline(store, SEED)] == [("new", 1), ("unchanged", 3)]
        of_seed = Scope(pages=(code_ref(SEED, portal.url),), sample=1)
        assert not harvest(portal, tmp_path / "store", of_seed).published
        assert harvest(portal, tmp_path / "store").published
    apart = timeline(open_archive(tmp_path / "store"), SEED)  # a harvest that was held back lies between
    assert [(entry.published, entry.nights) for entry in apart[1:]] == [(True, 3), (False, 1), (True, 1)]
    assert "confirmed in 3 harvests until" in timeline_text(store, SEED)
    assert most_rewritten(store).empty


def test_history_on_the_command_line(three_nights: Path) -> None:
    result = run("history", "24000000-3051", "--data", three_nights, "--format", "json")
    assert result.returncode == 0
    rows = json.loads(result.stdout)
    assert rows[1]["changes"][0]["key"] == {"project_code": "24000000-3051", "report_index": 1}
    for code, said in (("nonsense", "is no project's"), ("24000000-9999", "knows no page")):
        wrong = run("history", code, "--data", three_nights)
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert said in wrong.stderr


def test_the_most_rewritten(three_nights: Path) -> None:
    store = open_archive(three_nights)
    ids = store.harvest_ids()
    (row,) = most_rewritten(store).to_dict("records")
    assert (row["code"], row["nights"], row["rewrites"], row["report_edited"]) == ("24000000-3051", 1, 2, 2)
    assert row["last_harvest_id"] == ids[1]
    assert row["name"] == store.arrow("projects").to_pandas().set_index("project_code").loc["24000000-3051", "name"]
    assert most_rewritten(store, since=ids[1]).empty
    assert most_rewritten(store, until=ids[0]).empty


def test_projects_that_stopped_reporting(three_nights: Path) -> None:
    store = open_archive(three_nights)
    silent = not_reported(store, 60)
    assert not silent.empty
    projects, reports = store.arrow("projects").to_pandas(), store.arrow("progress_reports").to_pandas()
    last = reports.groupby("project_code").reported_on_date.max()
    for row in silent.itertuples():
        end = pd.Timestamp(f"{row.fiscal_year_be - 543}-09-30")
        start = last.get(row.project_code, end - pd.DateOffset(years=1) + pd.Timedelta(days=1))
        assert row.days == (end - start).days > 60
    assert silent.days.is_monotonic_decreasing
    assert not set(silent.project_code) & set(projects[projects.progress_percent == 100].project_code)
    assert len(not_reported(store, 10_000)) == 0
    assert str(silent.last_report_date.dtype).startswith("datetime64")


def test_silence_is_counted_up_to_the_state_or_the_end_of_the_year() -> None:
    state = State()
    code = "24000000-3051"
    state.rows["projects"] = [state.one("projects", project_code=code)]
    state.one("projects", project_code=code)["progress_percent"] = 50.0
    state.rows["progress_reports"] = state.of("progress_reports", project_code=code)[:1]
    state.rows["progress_reports"][0]["reported_on_date"] = "2020-01-31"
    tables = state.tables()
    on = [date(2020, 3, 1), date(2020, 9, 30), date(2026, 1, 1)]
    counted = [silent_projects(tables["projects"], tables["progress_reports"], day, 20).days.tolist() for day in on]
    assert counted == [[30], [243], [243]]
    state.rows["progress_reports"] = []
    tables = state.tables()
    row = silent_projects(tables["projects"], tables["progress_reports"], on[2], 20).iloc[0]
    assert row.days == 365
    assert pd.isna(row.last_report_date)


def test_store_diff_gives_a_frame(three_nights: Path) -> None:
    frame = open_store(three_nights).diff("previous", "latest")
    assert frame.meaning.value_counts()["target_moved"] == 1


def test_a_store_with_a_damaged_harvest_is_one_sentence(three_nights: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(three_nights, copy, symlinks=True)
    first = open_archive(copy).harvest_ids()[1]
    (copy / "harvests" / first / "pages.parquet").write_bytes(b"nothing")
    for command in (("history", SEED), ("diff", first, "latest")):
        result = run(*command, "--data", copy)
        assert result.returncode == 2, result.stderr
        assert result.stderr.startswith("bma-progress: ")
        assert len(result.stderr.splitlines()) == 1
    with pytest.raises(StoreError):
        open_archive(tmp_path / "nowhere")
