"""The table of agencies: what may exist, what the portal has shown, and under which name."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from pipeline.schema.agencies import agencies, agencies_by_code
from pipeline.schema.agency_table import agency_table
from pipeline.schema.columns import schema_version
from pipeline.store.verify import verify_store


def test_every_possible_agency_is_there_and_what_pages_show_is_marked(three_nights: Path) -> None:
    table = pd.read_parquet(three_nights / "latest" / "agencies.parquet").set_index("agency_code")
    assert len(table) == 24 + 15 + 50
    assert table.loc["24000000", ["name_th", "name_en", "kind"]].tolist() == [
        "สำนักพัฒนาสังคม",
        "Social Development Department",
        "department",
    ]
    assert table.loc["50040000", ["name_en", "kind", "district_no"]].tolist() == [
        "Bang Rak District Office",
        "district",
        "1004",
    ]
    assert table.loc["50240000", "district_no"] == "1024"  # by its name: the portal's numbers are its own
    assert table.loc["50030000", "district_no"] == "1013"
    assert table.kind.value_counts().to_dict() == {"district": 50, "department": 24, "sub_office": 15}
    assert table.loc[["24000000", "50040000"], "seen"].all()
    assert not table.loc["01000000", "seen"]


def test_agencies_of_codes_met_are_added_and_printed_names_win() -> None:
    pages = pa.table(
        {
            "page_key": ["project/24000000-0001", "project/61000000-0001", "kpi/9900-101", "city_indicator/8"],
            "version_harvest_id": ["1", "1", None, "1"],
        }
    )
    projects = pa.table(
        {
            "agency_code": ["24000000", "24000000", "50020000", "61000000"],
            "agency_name": ["ชื่อเดิม", "ชื่อใหม่", "สำนักงานเขตดุสิต", "สำนักใหม่"],
            "fiscal_year_be": [2563, 2566, 2566, 2567],
        }
    )
    kpis = pa.table({"kpi_code": ["6200-1001"]})
    links = pa.table({"linked_code": ["63010000-0001"]})
    rows = {row["agency_code"]: row for row in agency_table(pages, projects, kpis, links).to_pylist()}
    assert rows["24000000"]["name_th"] == "ชื่อใหม่"
    assert (rows["50020000"]["district_no"], rows["50020000"]["name_en"]) == ("1002", "Dusit District Office")
    assert rows["61000000"] == {
        "agency_code": "61000000",
        "name_th": "สำนักใหม่",
        "name_en": None,
        "kind": "department",
        "district_no": None,
        "seen": True,
    }
    assert [code for code, row in rows.items() if row["seen"]] == ["24000000", "61000000", "62000000", "63010000"]
    assert "99000000" not in rows


@pytest.fixture
def fewer_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if this version knew no agency by its name."""
    caches = agencies, agencies_by_code, schema_version
    for cached in caches:
        cached.cache_clear()
    monkeypatch.setattr("pipeline.schema.agencies._known", lambda: {})
    monkeypatch.setattr("pipeline.schema.columns.NAMES_SHA256", "")
    yield
    for cached in caches:
        cached.cache_clear()


@pytest.mark.usefixtures("fewer_names")
def test_another_version_that_knows_other_names_finds_no_damage(three_nights: Path) -> None:
    assert verify_store(three_nights, deep=True) == []
