"""Plan against actual: by hand on small plans, by law on any, in pandas' own arithmetic on the fixtures."""

from datetime import date, timedelta

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.states import SEED, State

from pipeline.schema.plan_vs_actual import plan_vs_actual, planned_curve, planned_percent
from pipeline.store.writer import open_archive


def steps(*rows: tuple[float | None, str | None, str | None], code: str = "24000000-0001") -> pa.Table:
    return pa.table({
        "project_code": pa.array([code] * len(rows), pa.string()),
        "weight_percent": pa.array([row[0] for row in rows], pa.float64()),
        "start_date": pa.array([pd.Timestamp(row[1]) if row[1] else None for row in rows], pa.timestamp("us")),
        "end_date": pa.array([pd.Timestamp(row[2]) if row[2] else None for row in rows], pa.timestamp("us")),
    })  # fmt: skip


PLAN = steps((40, "2020-01-01", "2020-01-10"), (60, "2020-02-01", "2020-02-01"))


@pytest.mark.parametrize(
    ("day", "percent"),
    [
        ("2019-12-31", 0),
        ("2020-01-01", 4),
        ("2020-01-05", 20),
        ("2020-01-10", 40),
        ("2020-01-31", 40),
        ("2020-02-01", 100),
        ("2030-01-01", 100),
    ],
)
def test_a_step_progresses_evenly_and_a_day_is_done_in_the_evening(day: str, percent: float) -> None:
    assert planned_percent(PLAN, day).to_dict() == {"24000000-0001": percent}


def test_weights_count_as_printed_and_an_unreadable_step_makes_the_plan_null() -> None:
    assert (
        planned_percent(steps((30, "2020-01-01", "2020-01-01"), (30, "2020-01-02", "2020-01-02")), "2021-01-01").item()
        == 60
    )
    for broken in ((None, "2020-01-01", "2020-01-01"), (10, None, "2020-01-01"), (10, "2020-01-01", None)):
        assert pd.isna(planned_percent(pa.concat_tables([PLAN, steps(broken)]), "2019-01-01").item())
    turned = steps((10, "2020-01-20", "2020-01-01"))
    assert [planned_percent(turned, day).item() for day in ("2020-01-19", "2020-01-20")] == [0, 10]


days = st.dates(date(2019, 1, 1), date(2021, 12, 31))
plans = st.lists(st.tuples(st.floats(0, 100), days, st.integers(0, 200)), min_size=1, max_size=8)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(plan=plans, day=days)
def test_planned_progress_only_rises_from_nothing_to_the_sum_of_weights(
    plan: list[tuple[float, date, int]], day: date
) -> None:
    table = steps(*((weight, str(start), str(start + timedelta(length))) for weight, start, length in plan))
    percents = [planned_percent(table, day + timedelta(offset)).item() for offset in (-2000, 0, 1, 2000)]
    assert percents == sorted(percents)
    assert percents[0] == 0
    assert percents[-1] == pytest.approx(sum(weight for weight, _, _ in plan), abs=1e-3)
    corners = planned_curve(table.to_pylist())
    assert [percent for _, percent in corners] == pytest.approx(
        [planned_percent(table, at).item() for at, _ in corners]
    )


def test_the_seed_month_by_month() -> None:
    tables = State().tables()
    rows = plan_vs_actual(tables["projects"], tables["plan_steps"], tables["progress_reports"]).to_pandas()
    seed = rows[rows.project_code == SEED]
    assert seed.month_end_date.dt.strftime("%Y-%m-%d").tolist()[:3] == ["2019-10-31", "2019-11-30", "2019-12-31"]
    assert seed.month_end_date.dt.strftime("%Y-%m-%d").tolist()[-1] == "2020-09-30"
    assert seed.reported_percent.iloc[[0, -2, -1]].tolist() == [5, 80, 100]
    assert seed.planned_percent.iloc[-1] == 100
    plan = pd.DataFrame(State().of("plan_steps", project_code=SEED))
    start, end = pd.to_datetime(plan.start_date), pd.to_datetime(plan.end_date)
    for row in seed.itertuples():
        elapsed = ((row.month_end_date - start).dt.days + 1) / ((end - start).dt.days + 1)
        assert row.planned_percent == pytest.approx((plan.weight_percent * elapsed.clip(0, 1)).sum(), abs=1e-3)
        assert row.variance_percent == pytest.approx(row.reported_percent - row.planned_percent, abs=1e-3)


def test_unknown_progress_is_null() -> None:
    tables = State().tables()
    arguments = tables["projects"], tables["plan_steps"], tables["progress_reports"]
    rows = plan_vs_actual(*arguments, as_of=date(2020, 3, 30)).to_pandas()
    seed = rows[rows.project_code == SEED]
    assert seed.reported_percent.notna().tolist() == [True] * 5 + [False] * 7
    assert seed.planned_percent.notna().all()
    late = State()
    late.one("progress_reports", project_code=SEED, report_index=1)["reported_on_date"] = None
    tables = late.tables()
    rows = plan_vs_actual(tables["projects"], tables["plan_steps"], tables["progress_reports"]).to_pandas()
    assert pd.isna(rows[rows.project_code == SEED].reported_percent.iloc[0]), "before the first report"
    nothing = State()
    for table in ("projects", "plan_steps", "progress_reports"):
        nothing.rows[table] = []
    tables = nothing.tables()
    assert len(plan_vs_actual(tables["projects"], tables["plan_steps"], tables["progress_reports"])) == 0
    only = State()
    for table in ("plan_steps", "progress_reports"):
        only.rows[table] = []
    tables = only.tables()
    rows = plan_vs_actual(tables["projects"], tables["plan_steps"], tables["progress_reports"]).to_pandas()
    assert len(rows) == 12 * tables["projects"]["fiscal_year_ce"].is_valid().to_pylist().count(True)
    assert rows[["planned_percent", "reported_percent", "variance_percent"]].isna().all(axis=None)


def test_every_harvest_publishes_it(three_nights: pytest.TempPathFactory) -> None:
    store = open_archive(str(three_nights))
    for id_ in store.harvest_ids():
        rows = pd.read_parquet(f"{three_nights}/snapshots/{id_}/plan_vs_actual.parquet")
        assert str(rows.month_end_date.dtype) == "datetime64[us]"
        assert rows.groupby("project_code").size().eq(12).all()
        assert set(rows.project_code) <= set(store.arrow("projects", id_).to_pandas().project_code)
        pd.testing.assert_frame_equal(store.arrow("plan_vs_actual", id_).to_pandas(), rows, check_dtype=False)
