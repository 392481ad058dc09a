"""Tables for whoever wants one table: changes of all nights, red flags, an overview of projects, and the index of files."""

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from pipeline.schema import red_flags as flags
from pipeline.schema.columns import arrow_schemas
from pipeline.schema.kpi_targets import attainment_percent, target_direction
from pipeline.schema.red_flags import RULES, red_flags
from pipeline.store.archive import Archive
from pipeline.store.parquet import to_table
from pipeline.store.state import State

Row = dict[str, Any]
CODE = "24000000-0001"


def test_changes_are_those_of_every_night(three_nights: Path) -> None:
    store = Archive(three_nights)
    table = pd.read_parquet(three_nights / "latest" / "changes.parquet")
    ids = store.harvest_ids()
    assert list(table.harvest_id.unique()) == ids[1:]
    for id_ in ids:
        own = pd.read_parquet(three_nights / "harvests" / id_ / "changes.parquet")
        mine = table[table.harvest_id == id_]
        assert list(mine.meaning) == list(own.meaning)
        assert list(mine.change_no) == list(range(1, len(own) + 1))
    assert table.harvest_date.dtype.kind == "M"
    scratch = State(store, ids[-1]).table("changes")
    assert scratch.equals(store.arrow("changes", ids[-1])), "built on the night before, as from all nights"
    assert len(store.arrow("changes", ids[0])) == 0


def test_what_contact_lines_say_is_in_no_table_of_changes(tmp_path: Path) -> None:
    from pipeline.compare.changes import SCHEMA
    from pipeline.store.parquet import write_parquet
    from pipeline.store.state import changes_of_harvest

    row = dict.fromkeys(SCHEMA.names, "x") | {"table": "contacts", "before": None, "after": "นายก โทร. 1"}
    write_parquet(pa.Table.from_pylist([row, {**row, "table": "projects"}], SCHEMA), tmp_path / "c.parquet", "changes")
    rows = changes_of_harvest(tmp_path / "c.parquet", "20261129T184229Z").to_pylist()
    assert [(one["before"], one["after"]) for one in rows] == [(None, "(withheld)"), (None, "นายก โทร. 1")]
    assert rows[0]["harvest_date"].date() == date(2026, 11, 30)


def test_the_overview_has_one_row_a_project(three_nights: Path) -> None:
    latest = three_nights / "latest"
    overview = pd.read_parquet(latest / "project_overview.parquet").set_index("project_code")
    projects = pd.read_parquet(latest / "projects.parquet").set_index("project_code")
    reports = pd.read_parquet(latest / "progress_reports.parquet")
    assert list(overview.index) == list(projects.index)
    assert overview.loc["24000000-3051", "times_rewritten"] == 1
    assert overview.times_rewritten.sum() == 1
    assert overview.reports.sum() == len(reports)
    seed = overview.loc["24000000-2964"]
    assert (seed.reports, seed.steps) == (13, 7)
    assert seed.progress_percent == projects.loc["24000000-2964", "progress_percent"]
    assert seed.variance_percent == pytest.approx(seed.progress_percent - seed.planned_percent)
    found = pd.read_parquet(latest / "red_flags.parquet").project_code.value_counts()
    assert overview.red_flags[overview.red_flags > 0].to_dict() == found.to_dict()


def test_the_index_names_every_table_with_its_hash(three_nights: Path) -> None:
    latest = three_nights / "latest"
    index = json.loads((latest / "index.json").read_bytes())
    assert index["harvest_id"] == Archive(three_nights).latest_id()
    assert {one["file"] for one in index["tables"].values()} == {file.name for file in latest.glob("*.parquet")}
    projects = index["tables"]["projects"]
    content = (latest / projects["file"]).read_bytes()
    assert (projects["bytes"], projects["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert projects["rows"] == len(pd.read_parquet(latest / "projects.parquet"))


@pytest.mark.parametrize(
    ("unit", "direction"),
    [
        *[("ลดลงร้อยละ", "less"), ("ร้อยละ (ลดลง)", "less"), ("ไม่เกินร้อยละ", "less"), ("<วัน", "less")],
        *[(">ร้อยละ", "more"), ("ไม่น้อยกว่าร้อยละ", "more"), ("เพิ่มขึ้นร้อยละ", "more")],
        *[("ร้อยละ", None), ("แห่ง", None), (None, None)],
    ],
)
def test_the_direction_of_a_target_is_what_its_unit_says(unit: str | None, direction: str | None) -> None:
    assert target_direction(unit) == direction
    assert attainment_percent(unit, 80, 60) == (None if direction == "less" else 75)


def test_attainment_is_null_where_it_cannot_be_computed(three_nights: Path) -> None:
    assert [attainment_percent("ร้อยละ", *pair) for pair in ((None, 1), (1, None), (0, 1), (-1, 1))] == [None] * 4
    kpis = pd.read_parquet(three_nights / "latest" / "kpis.parquet").set_index("kpi_code")
    assert kpis.loc["2400-1013", ["agency_code", "agency_name"]].tolist() == ["24000000", "สำนักพัฒนาสังคม"]
    assert set(kpis.target_direction.dropna()) <= {"more", "less"}
    rated = kpis.dropna(subset="attainment_percent")
    assert len(rated)
    assert ((100 * rated.achieved_value / rated.target_value) - rated.attainment_percent).abs().max() < 0.001


# --- red flags: each rule finds what it names, and not what is next to it ---------------------------------------------

NOTE = "ดำเนินการประชุมคณะกรรมการและตรวจรับงานประจำเดือนแล้วเสร็จ"


def report(index: int, percent: float, day: str, note: str | None = None, code: str = CODE) -> Row:
    return {
        "project_code": code,
        "report_index": index,
        "progress_percent": percent,
        "reported_on_date": day,
        "note": note,
    }


def change(**values: Any) -> Row:
    same = {"harvest_id": "20200901T190000Z", "table": "progress_reports", "key": "{}", "project_code": CODE}
    return {**same, "change": "changed", "cause": "portal", "meaning": "new_report", **values}


def flagged(day: str = "2020-11-01", **rows: list[Row]) -> list[str]:
    project = {"project_code": CODE, "fiscal_year_ce": 2020, "progress_percent": 100.0, "version_harvest_id": "v"}
    given = {"projects": [project], **rows}
    tables = []
    for name, columns in flags.NEEDED.items():
        schema = pa.schema([pa.field(column, arrow_schemas()[name].field(column).type) for column in columns])
        tables.append(to_table([dict.fromkeys(columns) | row for row in given.get(name, [])], schema))
    found = red_flags(tables, date.fromisoformat(day))
    assert found.schema.equals(arrow_schemas()["red_flags"])
    assert all(row["printed"] and json.loads(row["evidence"]) for row in found.to_pylist())
    return [row["rule"] for row in found.to_pylist() if row["project_code"] == CODE]


def project(**values: Any) -> list[Row]:
    return [{"project_code": CODE, "fiscal_year_ce": 2020, "progress_percent": 100.0, **values}]


RISING = [report(1, 20, "2020-01-05"), report(2, 50, "2020-05-05"), report(3, 100, "2020-09-20")]
ADDED = [change(change="added", key=json.dumps({"report_index": place})) for place in (1, 2, 3)]
TARGET = {"table": "project_kpis", "kpi_code": "2400-1", "column": "target_value", "meaning": "target_moved"}
LOWERED = change(detail="target_lowered", before="100", after="80", **TARGET)
RAISED = change(detail="target_raised", before="5", after="9", **TARGET)


def indicator(unit: str, achieved: float) -> list[Row]:
    return [{"project_code": CODE, "kpi_code": "2400-1", "unit": unit, "achieved_value": achieved}]


CASES: list[tuple[str, dict[str, Any], bool]] = [
    ("backdated_report", {"changes": [change(detail="backdated", after='{"reported_on_date": "2020-08-01"}')]}, True),
    ("backdated_report", {"changes": [change(detail="backdated", cause="parser", after="{}")]}, False),
    ("progress_without_report",
     {"changes": [change(table="projects", detail="progress_without_report", before="1", after="2")]}, True),
    ("reports_in_one_night", {"changes": ADDED, "progress_reports": RISING}, True),
    ("reports_in_one_night", {"changes": ADDED[:2], "progress_reports": RISING}, False),
    ("target_moved_to_result", {"changes": [LOWERED], "project_kpis": indicator("ร้อยละ", 85)}, True),
    ("target_moved_to_result", {"changes": [LOWERED], "project_kpis": indicator("ร้อยละ", 70)}, False),
    ("target_moved_to_result", {"changes": [LOWERED], "project_kpis": indicator("ไม่เกินวัน", 85)}, False),
    ("target_moved_to_result", {"changes": [RAISED], "project_kpis": indicator("ไม่เกินวัน", 8)}, True),
    ("same_note_in_projects",
     {"progress_reports": [report(1, 5, "2020-01-05", NOTE, code) for code in (CODE, "b", "c")]}, True),
    ("same_note_in_projects",
     {"progress_reports": [report(1, 5, "2020-01-05", NOTE, code) for code in (CODE, "b")]}, False),
    ("same_note_in_projects",
     {"progress_reports": [report(1, 5, "2020-01-05", "ดำเนินการ", code) for code in (CODE, "b", "c")]}, False),
    ("same_note_in_running_reports", {"progress_reports": [{**row, "note": NOTE} for row in RISING]}, True),
    ("same_note_in_running_reports", {"progress_reports": [{**row, "note": NOTE} for row in RISING[:2]]}, False),
    ("complete_with_unspent_budget",
     {"projects": project(budget_received_baht=100.0, budget_spent_baht=50.0)}, True),
    ("complete_with_unspent_budget",
     {"projects": project(budget_received_baht=100.0, budget_spent_baht=95.0)}, False),
    ("complete_after_plan",
     {"progress_reports": RISING, "plan_steps": [{"project_code": CODE, "step_no": 1, "end_date": "2020-08-31"}]}, True),
    ("complete_after_plan",
     {"progress_reports": RISING, "plan_steps": [{"project_code": CODE, "step_no": 1, "end_date": "2020-09-20"}]}, False),
    ("silent_before_year_end", {"projects": project(progress_percent=60.0), "progress_reports": RISING[:2]}, True),
    ("silent_before_year_end", {"projects": project(progress_percent=60.0), "progress_reports": RISING}, False),
    ("silent_before_year_end", {"projects": project(progress_percent=60.0), "day": "2020-09-29"}, False),
    ("weights_not_100", {"plan_steps": [{"project_code": CODE, "step_no": 1, "weight_percent": 90.0}]}, True),
    ("weights_not_100", {"plan_steps": [{"project_code": CODE, "step_no": 1, "weight_percent": 100.0}]}, False),
    ("progress_fell_and_returned",
     {"progress_reports": [report(1, 50, "2020-01-05"), report(2, 20, "2020-02-05"), report(3, 55, "2020-03-05")]}, True),
    ("progress_fell_and_returned",
     {"progress_reports": [report(1, 50, "2020-01-05"), report(2, 20, "2020-02-05"), report(3, 45, "2020-03-05")]}, False),
    ("progress_fell_and_returned",
     {"changes": [change(meaning="progress_down", before="60", after="40"),
                  change(meaning="progress_up", before="40", after="60")]}, True),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "rows", "expected"), CASES)
def test_a_rule_finds_what_it_names(rule: str, rows: dict[str, Any], expected: bool) -> None:
    assert (rule in flagged(**rows)) == expected


def test_every_rule_has_a_test_and_a_reason() -> None:
    assert {rule for rule, _, expected in CASES if expected} == set(RULES)
    assert all(rule.title and rule.title_th and rule.reason for rule in RULES.values())
    assert {rule.severity for rule in RULES.values()} <= {"critical", "major", "minor"}
