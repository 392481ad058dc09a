"""The examples of the README and of docs/ are run as written."""

import io
import os
import re
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from support.harvests import harvest

from pipeline.api import Store, open_store
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.publish.sql import Session
from pipeline.schema.columns import TABLES
from pipeline.store.writer import open_archive

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with what `bma-progress demo` makes."""
    folder = tmp_path_factory.mktemp("docs")
    with DemoPortal() as portal:
        for portal.night in (1, 2, 3):
            assert harvest(portal, folder / "data" / "demo").published
    return folder


def examples(file: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / file).read_text(encoding="utf-8"), re.DOTALL)


def run(code: str, file: str, seen: dict[str, Any]) -> dict[str, Any]:
    exec(compile(code, file, "exec"), seen)
    return seen


def test_the_first_questions_are_answered(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo)
    by_agency, missed, gains, comfort = [run(code, "README.md", {}) for code in examples("README.md")]
    assert comfort["store"].tables == tuple(TABLES)
    store = open_store(demo / "data" / "demo")
    projects, months = store.table("projects"), store.table("plan_vs_actual").dropna()
    behind: dict[str, list[float]] = {}
    for project in projects.itertuples():
        own = months[months.project_code == project.project_code]
        if len(own):
            behind.setdefault(str(project.agency_name), []).append(own.variance_percent.iloc[-1])
    found = by_agency["by_agency"]
    assert dict(found["mean"]) == {name: pytest.approx(sum(values) / len(values)) for name, values in behind.items()}
    assert len(found) > 5
    assert missed["missed"]["kpi_code"].to_list() == ["0900-2017", "5004-0852", "5015-2026"]
    gained = {
        (project.agency_name, project.name) for project in projects.itertuples() if september(store, project) >= 20
    }
    assert {row[:2] for row in gains["gains"].fetchall()} == gained
    assert len(gained) > 2


def september(store: Store, project: Any) -> float:
    """What a project gained in the September that ends its fiscal year."""
    months = store.table("plan_vs_actual").set_index(["project_code", "month_end_date"]).reported_percent
    year = project.fiscal_year_ce
    own = months.loc[project.project_code] if project.project_code in months.index.get_level_values(0) else {}
    last = own.get(pd.Timestamp(year, 9, 30)), own.get(pd.Timestamp(year, 8, 31))
    return float(last[0] - last[1]) if None not in last else float("nan")


def test_ten_questions_are_answered(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo)
    page = "docs/how-to/questions.md"
    queries = re.findall(r"```sql\n(.*?);\n```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert len(queries) == 10
    answers = []
    with Session(open_archive("data/demo")) as session:
        for query in queries:
            session.answer(query, "csv", out := io.BytesIO())
            answers.append(pd.read_csv(io.BytesIO(out.getvalue())))
    assert all(map(len, answers))
    _, behind, _, _, _, rewritten, *_ = answers
    by_pandas, by_polars = [run(code, page, {}) for code in examples(page)]
    assert by_pandas["behind"]["mean"].round(1).to_dict() == dict(
        zip(behind["agency_name"], behind["mean"], strict=True)
    )
    assert (
        dict(by_polars["behind"].select("agency_name", pl.col("mean").round(1)).iter_rows())
        == by_pandas["behind"]["mean"].round(1).to_dict()
    )
    assert len(by_pandas["rewritten"]) == len(by_polars["rewritten"]) == len(rewritten)


def test_the_store_is_read_without_our_library(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo)
    store = open_store("data/demo")
    state = store.as_of(store.harvests()["harvest_id"][0])
    expected = state["progress_reports"].sort_values(["project_code", "report_index"], ignore_index=True)
    seen: dict[str, Any] = {}
    blocks = examples("docs/store-format.md")
    assert len(blocks) == 4
    for block in blocks:
        before = seen.get("reports")
        run(block, "store-format.md", seen)
        found = seen["reports"]
        if found is before:
            continue
        frame = found.to_pandas() if isinstance(found, pl.DataFrame) else found
        frame = frame.sort_values(["project_code", "report_index"], ignore_index=True)
        assert len(frame) == len(expected) > 50
        for column in ("project_code", "progress_percent", "note"):
            pd.testing.assert_series_equal(frame[column], expected[column], check_dtype=False)
    text = (ROOT / "docs" / "store-format.md").read_text(encoding="utf-8")
    for table in re.findall(r'"(data/demo/latest/\w+\.parquet)"', text):
        assert len(pd.read_parquet(table)) == len(pl.read_parquet(table)) == 15
    assert os.path.realpath("data/demo/latest").endswith(store.harvests()["harvest_id"].iloc[-1])
