"""Which pages a harvest requests, and what it says of pages that contradict each other or change all at once."""

import re
import shutil
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from support.faulty_portal import FaultyPortal
from support.harvests import harvest
from support.synthetic_portal import code_of, project_page

from pipeline.api import open_store
from pipeline.compare.diff import states_differ
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.plan import known_pages, plan
from pipeline.harvest.portal import LISTS, code_ref
from pipeline.harvest.replay import parser_changes
from pipeline.harvest.result import Scope
from pipeline.settings import load_settings
from pipeline.store.archive import Archive

DAY = date(2026, 11, 23)


def test_every_list_of_every_possible_agency_is_requested_at_first(tmp_path: Path) -> None:
    settings = load_settings(portal="http://portal", data=tmp_path / "none")
    keys = {ref.page_key for _, ref in plan(settings, Scope(), {}, DAY)}
    agencies = ("08000000", "21000000", "17000000", "04020000", "50440000")
    assert {f"result_list/{name}/{code}" for name in LISTS for code in agencies} <= keys
    assert {"result_list/index104/50010000", "result_list/index105/50010000"} <= keys


def test_what_was_never_there_is_requested_on_one_day_of_the_week(three_nights: Path) -> None:
    store = Archive(three_nights)
    settings = load_settings(portal=store.portal, data=three_nights)
    known = known_pages(store)
    never = {key: row for key, row in known.items() if row["version_harvest_id"] is None and row["misses"]}
    assert len(never) > 300
    for row in never.values():  # the first harvest requested them, the second did not
        row.update(outcome="skipped", fetched_at=None, outcome_since=f"{DAY:%Y%m%d}T170000Z")  # midnight in Bangkok
    week = [DAY + timedelta(days=day) for day in range(1, 9)]
    asked = [{ref.page_key for _, ref in plan(settings, Scope(), known, day)} for day in week]
    assert never.keys().isdisjoint(asked[0])  # the same day in Bangkok
    for before, keys in pairwise(asked):
        assert 20 < len(never.keys() & keys - before) < 100
        assert before <= keys  # what no harvest requested on its day is requested by the next
    assert never.keys() <= asked[-1]
    always = {key for key, row in known.items() if row["version_harvest_id"] and not row["ended_at"]}
    assert always
    assert all(always <= keys for keys in asked)


def test_agencies_of_every_known_code_have_their_lists_requested(three_nights: Path) -> None:
    store = Archive(three_nights)
    settings = load_settings(portal=store.portal, data=three_nights)
    known = known_pages(store)
    row = next(row for row in known.values() if row["kind"] == "kpi")
    known["kpi/9900-0999"] = {**row, "page_key": "kpi/9900-0999", "kpi_code": "9900-0999"}
    keys = {ref.page_key for _, ref in plan(settings, Scope(), known, DAY)}
    assert "result_list/index101/99000000" in keys


def test_a_city_indicator_is_harvested(three_nights: Path) -> None:
    store = open_store(three_nights)
    row = store.table("city_indicators").set_index("indicator_no").loc["87"]
    assert (row["fiscal_years"], row["unit"], row["target"]) == ("2562-2563", "ร้อยละ", "20 ของแหล่งน้ำที่สำรวจ")
    assert row["source_url"].endswith("/mobile/mykpi2563.php?pid=87")
    levels = store.table("city_indicator_strategies")
    assert levels["strategy_code"].tolist() == ["3", "3.2", "3.2.1"]
    assert store.table("pages").set_index("page_key").loc["city_indicator/87", "outcome"] == "unchanged"


def test_two_pages_of_a_project_with_another_progress_are_a_finding(tmp_path: Path, fixtures_html: Path) -> None:
    fixtures, data = tmp_path / "fixtures", tmp_path / "store"
    shutil.copytree(fixtures_html, fixtures)
    page = fixtures / "yii-50460000-3697.html"
    with DemoPortal(fixtures) as portal:
        assert harvest(portal, data).published
        assert "progress_differs" not in set(open_store(data).table("findings")["rule"])
        text = page.read_text(encoding="utf-8")
        page.write_text(re.sub(r"(คืบหน้าล่าสุด\D*?)80", r"\g<1>40", text), encoding="utf-8")
        for _ in range(2):  # also in a harvest in which neither page changed
            assert harvest(portal, data).published
            store = open_store(data)
            found = store.table("findings").query("rule == 'progress_differs'")
            assert found[["page_key", "key", "printed"]].to_numpy().tolist() == [
                ["yii_project/50460000-3697", "50460000-3697", "40 | 80"]
            ]
            projects = store.table("projects").set_index("project_code")
            assert projects.loc["50460000-3697", "progress_percent"] == 80


def test_half_of_all_records_changed_at_once_is_held_back(tmp_path: Path) -> None:
    data = tmp_path / "store"
    paths = {number: f"/mobile/myproject.php?pid={code_of(number)}" for number in range(20)}

    def pages(changed: int) -> dict[str, bytes]:
        return {path: project_page(number, 2 if number < changed else 1, 1.0) for number, path in paths.items()}

    with FaultyPortal(pages(0)) as portal:
        scope = Scope(pages=tuple(ref for path in paths.values() if (ref := code_ref(path[-13:], portal.url))))
        first = harvest(portal, data, scope)
        assert first.published
        portal.pages.update(pages(11))
        second = harvest(portal, data, scope)
        assert second.held_back is not None
        assert "11 of 20 known records changed at once" in second.held_back
        assert open_store(data).latest().harvest_id == first.harvest_id
        portal.pages.update(pages(10))
        assert harvest(portal, data, scope).published


@pytest.mark.parametrize("column", ["plan", "name_en"])
def test_a_column_that_the_files_lack_is_not_compared(
    column: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an upgrade: the files of the first harvest know nothing of a column that today's parser reads."""
    from pipeline.store import parquet

    data = tmp_path / "store"
    real = parquet.version_schemas

    def without() -> dict[str, object]:
        schemas = dict(real())
        schema = schemas["project_strategies"]
        schemas["project_strategies"] = schema.remove(schema.get_field_index(column))
        return schemas

    with DemoPortal() as portal:
        with monkeypatch.context() as older:
            older.setattr("pipeline.store.parquet.version_schemas", without)
            older.setattr("pipeline.harvest.commit.schema_version", lambda: "older")
            older.setattr("pipeline.harvest.run.needs_replay", lambda *_: False)
            harvest(portal, data)
        store = Archive(data)
        first = store.harvest_ids()[0]
        changes, read, _ = parser_changes(store)
        assert read > 20
        assert changes.num_rows == 0
        portal.night = 2
        harvest(portal, data)
    store = Archive(data)
    assert column not in set(states_differ(store, first, "latest")["column"].to_pylist())
