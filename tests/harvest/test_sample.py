"""Samples: what is drawn differs, few lists are asked for, and nothing published is replaced."""

from collections import Counter
from pathlib import Path

from support.harvests import harvest

from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.portal import kpi_ref, project_ref
from pipeline.harvest.result import Scope
from pipeline.harvest.sample import spread
from pipeline.store.archive import Archive

PORTAL = "http://portal"


def test_kinds_and_agencies_take_turns() -> None:
    projects = [project_ref(PORTAL, f"{agency}0000-{n:04d}") for agency in (5001, 5002, 2400) for n in range(30)]
    kpis = [kpi_ref(PORTAL, f"2400-{n:04d}") for n in range(5)]
    drawn = spread([*projects, *kpis])
    assert sorted(drawn) == sorted([*projects, *kpis])
    first = drawn[:6]
    assert Counter(ref.kind for ref in first) == {"project": 3, "kpi": 3}
    assert len({ref.agency_code for ref in first if ref.kind == "project"}) == 3
    again = spread([ref for ref in projects if ref not in first], first)[:3]
    assert len({ref.agency_code for ref in again}) == 3


def test_a_sample_asks_few_lists_and_never_replaces_what_is_published(tmp_path: Path) -> None:
    data = tmp_path / "store"
    with DemoPortal() as portal:
        first = harvest(portal, data, Scope(sample=8))
        asked = [path for path in portal.requests if "selDEP" in path]
        assert first.published
        assert len(asked) <= 8
        ok = [group for group in first.coverage if group.kind != "result_list" and group.ok]
        assert {group.kind for group in ok} >= {"project", "kpi", "yii_project", "city_indicator"}
        assert sum(group.fetched + group.failed for group in first.coverage if group.kind != "result_list") == 8
        second = harvest(portal, data, Scope(sample=3))
    assert second.held_back == "a sample never replaces what is published: it is kept as evidence."
    store = Archive(data)
    assert store.latest_id() == first.harvest_id
    assert store.harvest_ids()[-1] == second.harvest_id
