"""Times as people give them; what is no time is refused in a sentence."""

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.api import open_store
from pipeline.errors import StoreError
from pipeline.store.points_in_time import end_of

DAY = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)  # midnight in Bangkok


@pytest.mark.parametrize(
    ("when", "end"),
    [
        ("2026-11-22", DAY),
        (" 2026-11-22 ", DAY),
        (date(2026, 11, 22), DAY),
        (datetime(2026, 11, 22), DAY),
        (pd.Timestamp("2026-11-22"), DAY),
        (datetime(2026, 11, 22, 10, 30), datetime(2026, 11, 22, 3, 30, 1, tzinfo=UTC)),
        (pd.Timestamp("2026-11-22T10:30Z"), datetime(2026, 11, 22, 10, 30, 1, tzinfo=UTC)),
    ],
)
def test_a_day_and_an_instant(when: Any, end: datetime) -> None:
    assert end_of(when) == end


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ("2569-11-22", "write 2026-11-22"),
        (date(2563, 2, 1), "write 2020-02-01"),
        (pd.Timestamp("2150-01-01"), "still to come"),
        ("9999-12-31", "write 9456-12-31"),
        ("2567-02-29", "2567-02-29 is a day of the Buddhist era; write 2024-02-29"),
        ("2568-02-29", "still to come"),  # 2025-02-29 is no day
        ("yesterday", "no harvest's id, no day"),
        *[(edge, "no harvest's id, no day") for edge in (datetime(1, 1, 1, 5), pd.Timestamp.min)],
        *[(wrong, "no harvest's id, no day") for wrong in (None, 5, 2.5, [], pd.NaT, b"latest", True)],
    ],
)
def test_what_is_no_time_is_refused(when: Any, says: str) -> None:
    with pytest.raises(StoreError, match=says):
        end_of(when)


def test_what_is_still_to_come_is_asked_in_bangkok(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.store.points_in_time.today_in_bangkok", lambda: date(2026, 11, 22))
    assert end_of("2026-11-22") == DAY
    east = datetime(2026, 11, 23, 6, 59, 59, tzinfo=timezone(timedelta(hours=14)))  # where it is tomorrow already
    assert end_of(east) == DAY
    for to_come in (DAY, "2026-11-23"):  # by UTC it is still today
        with pytest.raises(StoreError, match="2026-11-23 is still to come; today is 2026-11-22"):
            end_of(to_come)


def test_tables_are_read_by_name_with_columns_and_at_a_time(three_nights: Path) -> None:
    store = open_store(three_nights)
    assert store["projects"].equals(store.table("projects"))
    chosen = ["name", "project_code"]
    assert list(store.table("projects", columns=chosen)) == chosen
    assert store.to_polars("projects", columns=chosen).columns == chosen
    first, second, third = store.harvest_ids()
    assert set(store.changes().harvest_id) == {second, third}
    assert set(store.changes(since=second).harvest_id) == {third}
    started = pd.Timestamp(store.harvests().started_at[0])
    assert store.as_of(started).harvest_id == first
    assert store.as_of(pd.Timestamp.now(tz="UTC")).harvest_id == third
    with pytest.raises(StoreError, match="on or before 2001-01-01 10:00:00 Bangkok time; the first one is"):
        store.as_of(datetime(2001, 1, 1, 10))
    with pytest.raises(StoreError, match="on or before 0026-11-22; the first one is"):  # a year with two digits
        store.as_of("0026-11-22")
    with pytest.raises(StoreError, match="5 is no project's or indicator's code"):
        store.history(5)  # type: ignore[arg-type]
    for wrong, says in (("nme", "no column of projects"), (5, "no column of projects")):
        with pytest.raises(StoreError, match=says):
            store.table("projects", columns=["project_code", wrong])  # type: ignore[list-item]
    with pytest.raises(StoreError, match="a list of names"):
        store.table("projects", columns="name")
    with pytest.raises(StoreError, match="is no table"):
        store[["projects"]]  # type: ignore[index]
