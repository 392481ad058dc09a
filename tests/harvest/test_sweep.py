"""The sweep asks for serials night by night, none of them twice, and leaves no trace of those that have no page."""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from support.faulty_portal import FaultyPortal, status, well
from support.harvests import harvest
from support.synthetic_portal import list_page, project_page

from pipeline.errors import SettingsError
from pipeline.harvest.request import HarvestRequest
from pipeline.harvest.result import Scope
from pipeline.harvest.sweep import read_range, sweep_of_night
from pipeline.settings import load_settings


def test_a_sweep_goes_on_night_by_night(tmp_path: Path) -> None:
    numbers = {1: 0, 2: 54, 7: 324}
    pages = {f"/mobile/myproject.php?pid=24000000-{n:04d}": project_page(m, 1, 0.02) for n, m in numbers.items()}
    pages["/mobile/index101.php?selDEP=24000000"] = list_page("24000000", 1)
    data = tmp_path / "store"
    options = {"sweep": ("2400:1-9",), "sweep_share": 4 / 86_400 / 1000, "concurrency": 16}
    with FaultyPortal(pages) as portal:
        first = harvest(portal, data, Scope(agencies=("24000000",)), **options)
        assert first.sweep["24000000:1-9"]["next"] == 5
        harvest(portal, data, Scope(agencies=("24000000",)), **options)
        third = harvest(portal, data, Scope(agencies=("24000000",)), **options)
        fourth = harvest(portal, data, Scope(agencies=("24000000",)), **options)
        asked = Counter(line.path for line in portal.log if "myproject" in line.path and "mobile62" not in line.path)
    assert third.sweep["24000000:1-9"]["next"] == fourth.sweep["24000000:1-9"]["next"] == 10
    never = [f"/mobile/myproject.php?pid=24000000-{n:04d}" for n in (3, 4, 5, 6, 8, 9)]
    assert [asked[path] for path in never] == [1] * 6
    projects = pd.read_parquet(data / "latest" / "projects.parquet")
    assert list(projects["project_code"]) == ["24000000-0001", "24000000-0002", "24000000-0007"]
    keys = set(pd.read_parquet(data / "latest" / "pages.parquet")["page_key"])
    assert {key for key in keys if key.startswith("project/")} == {f"project/24000000-000{n}" for n in numbers}


def test_a_round_begins_again_after_its_time() -> None:
    settings = load_settings(portal="http://portal", sweep="city:1-3", rate=1)
    refs, progress = sweep_of_night(settings, {}, ["city_indicator/2"], date(2026, 11, 1))
    assert [ref.page_key for ref in refs] == ["city_indicator/1", "city_indicator/3"]
    assert sweep_of_night(settings, progress, [], date(2026, 11, 2))[0] == []
    assert len(sweep_of_night(settings, progress, [], date(2026, 11, 1) + timedelta(days=90))[0]) == 3


def test_ranges_are_checked_before_anything_begins() -> None:
    assert read_range("5001:1-7200").name == "50010000:1-7200"
    for text in ("5001", "5001:9-2", "city:0-3", "501:1-2"):
        with pytest.raises(SettingsError, match="is no sweep"):
            HarvestRequest(settings={"sweep": [text]}).load()


def test_a_sweep_is_offered_where_lists_lead_to_few_projects(tmp_path: Path) -> None:
    codes = ("24000000", "22000000", "50010000")
    pages = {
        f"/mobile/index101.php?selDEP={code}": list_page(code, 60).replace(b"/mobile/myproject.php?pid=", b"#")
        for code in codes
    }
    with FaultyPortal(pages) as portal:
        result = harvest(portal, tmp_path / "store", concurrency=16, max_suspect_share=1)
        assert any("3 lists lead to 0 projects only" in remark for remark in result.remarks)
    linked = {path: body.replace(b"#", b"/mobile/myproject.php?pid=") for path, body in pages.items()}
    with FaultyPortal(linked) as portal:
        portal.every(lambda exchange: (status(500) if "myproject" in exchange.asked.path else well)(exchange))
        result = harvest(portal, tmp_path / "failing", concurrency=16, max_suspect_share=1, breaker_failures=10_000)
    assert not any("A sweep asks" in remark for remark in result.remarks), "it led to projects: they failed"
