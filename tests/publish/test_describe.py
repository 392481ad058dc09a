"""A store describes its tables, and frames carry the meaning of their columns."""

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from pipeline.api import open_store
from pipeline.errors import StoreDamagedError, StoreError
from pipeline.schema.columns import TABLES
from pipeline.store.writer import create_store


def test_tables_are_described(three_nights: Path) -> None:
    store = open_store(three_nights)
    found = store.describe()
    assert list(found.index) == list(TABLES)
    assert all(found.loc[name, "rows"] == len(store.table(name)) for name in TABLES)
    assert list(found.index[found.personal]) == ["contacts"]
    first = store.harvests()["harvest_id"][0]
    assert store.describe(when=first).loc["projects", "rows"] == len(store.table("projects", first))


@pytest.mark.parametrize("name", TABLES)
def test_columns_are_described_as_a_frame_counts_them(three_nights: Path, name: str) -> None:
    store = open_store(three_nights)
    found, frame = store.describe(name), store.table(name)
    assert list(found.index) == list(frame.columns)
    for column in TABLES[name].columns:
        described = found.loc[column.name]
        assert described.missing_percent == pytest.approx(100 * frame[column.name].isna().mean(), abs=0.05)
        if column.personal:
            assert described[["distinct", "lowest", "highest", "example"]].isna().all()
            continue
        assert described.distinct == frame[column.name].nunique()
        if column.type == "float" and described.distinct:
            assert float(described.lowest) == pytest.approx(frame[column.name].min())


def test_frames_know_their_units_however_they_are_read(three_nights: Path) -> None:
    ours = open_store(three_nights).table("plan_steps")
    plain = pd.read_parquet(three_nights / "latest" / "plan_steps.parquet")
    assert ours.attrs == plain.attrs
    assert plain.attrs["units"] == {"weight_percent": "percent"}
    ours.attrs["units"]["weight_percent"] = "spoilt"
    assert open_store(three_nights).table("plan_steps").attrs == plain.attrs


def test_a_store_shows_itself(three_nights: Path, tmp_path: Path) -> None:
    store = open_store(three_nights)
    assert repr(store).startswith(f"<Store {three_nights}: 3 harvests of http://127.0.0.1:")
    shown = store._repr_html_()
    assert all(f"<th>{name}</th>" in shown for name in TABLES)
    create_store(tmp_path / "<b>", "http://portal.example")
    empty = open_store(tmp_path / "<b>")
    assert "none published" in repr(empty)
    assert "&lt;b&gt;" in empty._repr_html_()
    with pytest.raises(StoreError, match="no harvest yet"):
        empty.describe()
    with pytest.raises(StoreError, match="is no table"):
        store.describe("project")


def test_a_damaged_table_is_one_sentence(three_nights: Path, tmp_path: Path) -> None:
    data = tmp_path / "store"
    shutil.copytree(three_nights, data, symlinks=True)
    file = (data / "latest" / "findings.parquet").resolve()
    file.write_bytes(file.read_bytes()[:200])
    store = open_store(data)
    for ask in (store.describe, lambda: store.describe("findings"), lambda: store.table("findings")):
        with pytest.raises(StoreDamagedError, match=r"findings\.parquet is missing or altered; .*verify"):
            ask()
    assert "findings.parquet is missing or altered" in store._repr_html_()
    assert len(store.table("projects")) == 15
    assert len(store.table("findings", store.harvests()["harvest_id"][0])) > 0


def test_nothing_of_prefect_is_imported(three_nights: Path) -> None:
    code = (
        "import sys; from pipeline import open_store; store = open_store(sys.argv[1]); store.describe(); "
        "store._repr_html_(); assert 'prefect' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(three_nights)], check=True)
