"""The examples of docs/ are run as they stand there."""

import os
import re
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from pipeline.embedded_portal import EmbeddedPortal
from pipeline.harvest import Night, Scope, run_night
from pipeline.settings import load_settings
from pipeline.store import Store, open_store

DOCS = Path(__file__).parents[1] / "docs"


def test_the_store_is_read_without_our_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with EmbeddedPortal() as portal:
        store = Store.create(Path("data/demo"), portal.url)
        for number in (1, 2, 3):
            portal.night = number
            with store.writer():
                settings = load_settings(portal=portal.url, data=store.root, rate=1_000_000, retries=0)
                night = Night.begin(settings, store, Scope())
                assert run_night(night)
                night.close()
    state = open_store("data/demo").as_of(store.harvest_ids()[0])
    expected = state["progress_reports"].sort_values(["project_code", "report_index"], ignore_index=True)
    seen: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "store-format.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        before = seen.get("reports")
        exec(compile(block, "store-format.md", "exec"), seen)
        found = seen["reports"]
        if found is before:
            continue
        frame = found.to_pandas() if isinstance(found, pl.DataFrame) else found
        frame = frame.sort_values(["project_code", "report_index"], ignore_index=True)
        assert len(frame) == len(expected) > 50
        for column in ("project_code", "progress_percent", "note"):
            pd.testing.assert_series_equal(frame[column], expected[column], check_dtype=False)
    for table in re.findall(
        r'"(data/demo/latest/\w+\.parquet)"', (DOCS / "store-format.md").read_text(encoding="utf-8")
    ):
        assert len(pd.read_parquet(table)) == len(pl.read_parquet(table)) == 15
    assert os.path.realpath("data/demo/latest").endswith(store.harvest_ids()[-1])
