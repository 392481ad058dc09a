"""Known edits give exactly those differences, each with its meaning; another way of printing the same gives none."""

import json
import random
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.states import SEED, State, edited, number_reports

from pipeline.compare.changes import SCHEMA
from pipeline.compare.classify import DETAILS, MEANINGS, is_jump_to_100
from pipeline.compare.compare import compare
from pipeline.schema.columns import RECORD_TABLES

Found = tuple[str, str | None, str, str, str | None]


def differences(*edits: Callable[[State], object], **context: Any) -> list[Found]:
    """(meaning, detail, table, change, column) of each difference that some edits make."""
    before, after = edited(*edits)
    rows = compare(before, after, **context).to_pylist()
    assert all(row["meaning"] in MEANINGS and (row["detail"] is None or row["detail"] in DETAILS) for row in rows)
    return [(row["meaning"], row["detail"], row["table"], row["change"], row["column"]) for row in rows]


def report(index: int, **values: object) -> Callable[[State], object]:
    return lambda state: state.one("progress_reports", project_code=SEED, report_index=index).update(values)


def value(table: str, column: str, new: object, **key: object) -> Callable[[State], object]:
    return lambda state: state.one(table, **key).__setitem__(column, new)


ON_TOP = {
    "reported_on_date": "2020-09-30",
    "note_date": "2020-09-30",
    "note": "ส่งมอบงานงวดสุดท้าย",
    "progress_percent": 100.0,
}
REPORTS = 13


def test_a_state_does_not_differ_from_itself() -> None:
    assert differences() == []


@pytest.mark.parametrize(
    ("column", "new", "detail"),
    [
        ("progress_percent", 7.0, "percent_rewritten"),
        ("note", "ข้อความอื่น", "text_rewritten"),
        ("problems", "งบประมาณล่าช้า", "text_rewritten"),
        ("obstacles", "ฝนตกหนัก", "text_rewritten"),
        ("reported_on_date", "2020-01-15", "date_rewritten"),
        ("note_date", None, "date_rewritten"),
    ],
)
@pytest.mark.parametrize("index", [1, 5, REPORTS])
def test_an_edited_report_rewrites_history(index: int, column: str, new: object, detail: str) -> None:
    assert differences(report(index, **{column: new})) == [
        ("report_edited", detail, "progress_reports", "changed", column)
    ]


@pytest.mark.parametrize("index", [1, 2, 7, REPORTS])
def test_a_report_inserted_below_others_rewrites_history(index: int) -> None:
    old = {**ON_TOP, "reported_on_date": "2020-02-11", "note": "เพิ่มเติมย้อนหลัง"}
    assert differences(lambda state: state.insert_report(index, **old)) == [
        ("report_edited", "report_inserted", "progress_reports", "added", None)
    ]


def test_a_report_on_top_with_an_earlier_date_counts_as_inserted() -> None:
    backdated = {**ON_TOP, "reported_on_date": "2020-02-11"}
    assert differences(lambda state: state.insert_report(REPORTS + 1, **backdated)) == [
        ("report_edited", "report_inserted", "progress_reports", "added", None)
    ]


@pytest.mark.parametrize(
    ("index", "detail"),
    [(1, "old_report_removed"), (6, "old_report_removed"), (REPORTS, "newest_report_removed")],
)
def test_a_removed_report_rewrites_history(index: int, detail: str) -> None:
    assert differences(lambda state: state.remove_report(index)) == [
        ("report_removed", detail, "progress_reports", "removed", None)
    ]


def test_a_removed_report_need_not_change_the_numbers_of_the_others() -> None:
    def remove(state: State) -> None:
        state.remove("progress_reports", project_code=SEED, report_index=4)
        for row in state.of("progress_reports", project_code=SEED):
            row["report_index"] -= row["report_index"] > 4

    assert differences(remove) == [("report_removed", "old_report_removed", "progress_reports", "removed", None)]


def test_a_new_report_on_top_is_normal() -> None:
    assert differences(lambda state: state.insert_report(REPORTS + 1, **ON_TOP)) == [
        ("new_report", None, "progress_reports", "added", None)
    ]


def test_two_new_reports_and_an_edit_in_one_harvest() -> None:
    assert differences(
        report(REPORTS, note="แก้คำ"),
        lambda state: state.insert_report(REPORTS + 1, **ON_TOP),
        lambda state: state.insert_report(REPORTS + 2, **{**ON_TOP, "note": "อีกครั้ง"}),
    ) == [
        ("report_edited", "text_rewritten", "progress_reports", "changed", "note"),
        ("new_report", None, "progress_reports", "added", None),
        ("new_report", None, "progress_reports", "added", None),
    ]


def test_the_newest_report_replaced_by_another_one() -> None:
    assert differences(
        lambda state: state.remove_report(REPORTS), lambda state: state.insert_report(REPORTS, **ON_TOP)
    ) == [
        ("report_removed", "newest_report_removed", "progress_reports", "removed", None),
        ("new_report", "jump_to_100", "progress_reports", "added", None),
    ]


def test_the_first_reports_of_a_project_are_new() -> None:
    before, after = State(), State()
    before.remove("progress_reports", project_code=SEED)
    rows = compare(before.tables(), after.tables()).to_pylist()
    assert {row["meaning"] for row in rows} == {"new_report"}
    assert len(rows) == REPORTS


def test_a_report_moved_among_the_others_is_renumbered() -> None:
    def move(state: State) -> None:
        reports = state.of("progress_reports", project_code=SEED)
        state.remove("progress_reports", project_code=SEED)
        reports.insert(2, reports.pop(8))
        state.rows["progress_reports"] += number_reports(reports)

    assert differences(move) == [("report_edited", "report_renumbered", "progress_reports", "changed", "report_index")]


def test_swapped_numbers_of_two_reports_are_a_renumbering() -> None:
    def exchange(state: State) -> None:
        one, other = (state.one("progress_reports", project_code=SEED, report_index=place) for place in (3, 8))
        one["report_no"], other["report_no"] = other["report_no"], one["report_no"]

    expected = ("report_edited", "report_renumbered", "progress_reports", "changed", "report_no")
    assert differences(exchange) == [expected, expected]


@pytest.mark.parametrize("renumber", [lambda number, count: number + 7, lambda number, count: count + 1 - number])
def test_another_way_of_numbering_reports_is_no_difference(renumber: Callable[[int, int], int]) -> None:
    def edit(state: State) -> None:
        for row in state.rows["progress_reports"]:
            row["report_no"] = renumber(
                row["report_no"], len(state.of("progress_reports", project_code=row["project_code"]))
            )

    assert differences(edit) == []


def test_a_new_report_with_a_fall_or_a_jump() -> None:
    def low(state: State) -> None:
        state.one("progress_reports", project_code=SEED, report_index=REPORTS)["progress_percent"] = 50.0

    first, second = State(), State()
    low(first)
    low(second)
    second.insert_report(REPORTS + 1, **ON_TOP)
    assert compare(first.tables(), second.tables())["detail"].to_pylist() == ["jump_to_100"]
    assert differences(lambda state: state.insert_report(REPORTS + 1, **{**ON_TOP, "progress_percent": 40.0})) == [
        ("new_report", "percent_fell", "progress_reports", "added", None)
    ]
    assert not is_jump_to_100(None, 100, date(2020, 9, 30), 2020)


STEP = {"project_code": SEED, "step_no": 3}


@pytest.mark.parametrize("column", ["start_date", "end_date", "weight_percent"])
def test_a_plan_that_moved_before_and_after_its_date(column: str) -> None:
    state = State()
    step = state.one("plan_steps", **STEP)
    new: object = 1.5 if column == "weight_percent" else "2021-01-31"
    early, late = date(2019, 1, 1), date(2026, 1, 1)
    edit = value("plan_steps", column, new, **STEP)
    expected = "weight_changed" if column == "weight_percent" else "dates_moved"
    assert differences(edit, seen_on=early) == [("plan_moved", expected, "plan_steps", "changed", column)]
    assert differences(edit, seen_on=late) == [("plan_moved", "moved_after_date", "plan_steps", "changed", column)]
    assert differences(edit) == [("plan_moved", expected, "plan_steps", "changed", column)]
    ends = date.fromisoformat(step["end_date"] if column == "weight_percent" else step[column])
    assert differences(edit, seen_on=ends)[0][1] == expected, "on the day itself the date has not passed"


def test_an_inserted_step_is_one_difference() -> None:
    def insert(state: State) -> None:
        for row in state.of("plan_steps", project_code=SEED):
            row["step_no"] += row["step_no"] >= 3
        state.rows["plan_steps"].append(
            {**state.one("plan_steps", project_code=SEED, step_no=1), "step_no": 3, "description": "ประชาสัมพันธ์โครงการ"}
        )

    assert differences(insert) == [("plan_moved", "step_added", "plan_steps", "added", None)]

    def remove(state: State) -> None:
        state.remove("plan_steps", project_code=SEED, step_no=2)
        for row in state.of("plan_steps", project_code=SEED):
            row["step_no"] -= row["step_no"] > 2

    assert differences(remove) == [("plan_moved", "step_removed", "plan_steps", "removed", None)]


def test_swapped_steps_are_renumbered_once() -> None:
    def exchange(state: State) -> None:
        one, other = state.one("plan_steps", project_code=SEED, step_no=2), state.one("plan_steps", **STEP)
        one["step_no"], other["step_no"] = other["step_no"], one["step_no"]

    assert differences(exchange) == [("plan_moved", "step_renumbered", "plan_steps", "changed", "step_no")]


@pytest.mark.parametrize(
    ("new", "detail"), [(90.0, "target_lowered"), (110.0, "target_raised"), (None, "target_withdrawn")]
)
def test_a_target_that_moved(new: float | None, detail: str) -> None:
    assert differences(value("kpis", "target_value", new, kpi_code="2400-1013")) == [
        ("target_moved", detail, "kpis", "changed", "target_value")
    ]


def quarters(code: str, results: list[float | None]) -> Callable[[State], object]:
    def edit(state: State) -> None:
        for quarter, result in enumerate(results, 1):
            state.one("kpi_quarters", kpi_code=code, quarter=quarter)["result_value"] = result

    return edit


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([20, 40, 0, 0], [25, 40, 0, 0], [("result_restated", None)]),
        ([20, 40, 0, 0], [20, 45, 0, 0], [("result_restated", None)]),
        ([20, 40, 0, 0], [20, 40, 60, 0], [("other", "result_reported")]),
        ([20, 40, None, None], [20, 40, 60, None], [("other", "result_reported")]),
        ([0, 40, 0, 0], [5, 40, 0, 0], [("result_restated", None)]),
        ([20, 40, 60, 80], [20, 40, None, 80], [("result_restated", "result_withdrawn")]),
    ],
)
def test_the_result_of_a_quarter(
    before: list[float | None], after: list[float | None], expected: list[tuple[str, str | None]]
) -> None:
    states = State(), State()
    for state, results in zip(states, (before, after), strict=True):
        quarters("2400-1013", results)(state)
    rows = compare(*(state.tables() for state in states)).to_pylist()
    assert [(row["meaning"], row["detail"]) for row in rows] == expected


@pytest.mark.parametrize(
    ("table", "column", "key"),
    [
        ("projects", "name", {"project_code": SEED}),
        ("projects", "rationale", {"project_code": SEED}),
        ("projects", "objectives", {"project_code": SEED}),
        ("projects", "targets", {"project_code": SEED}),
        ("plan_steps", "description", STEP),
        ("kpis", "definition", {"kpi_code": "2400-1013"}),
        ("kpi_quarters", "narrative", {"kpi_code": "2400-1013", "quarter": 1}),
    ],
)
def test_a_text_that_was_edited(table: str, column: str, key: dict[str, object]) -> None:
    before, after = State(), State()
    before.one(table, **key)[column] = "ข้อความเดิมของหน่วยงาน"
    after.one(table, **key)[column] = "ข้อความใหม่ทั้งหมด"
    rows = compare(before.tables(), after.tables()).to_pylist()
    assert [(row["meaning"], row["detail"], row["column"]) for row in rows] == [("text_edited", None, column)]
    after.one(table, **key)[column] = None
    assert compare(before.tables(), after.tables())["detail"].to_pylist() == ["text_removed"]
    assert compare(after.tables(), before.tables())["detail"].to_pylist() == ["text_added"]


def test_a_contact_a_budget_and_a_finish_day() -> None:
    assert differences(value("contacts", "contact", "นางสาวสมมติ ตัวอย่าง", project_code=SEED)) == [
        ("contact_changed", None, "contacts", "changed", "contact")
    ]
    assert differences(value("projects", "budget_spent_baht", 12.0, project_code=SEED)) == [
        ("other", "budget_changed", "projects", "changed", "budget_spent_baht")
    ]
    code = "50460000-3697"
    assert differences(lambda state: state.one("projects", project_code=code).update(finish_date="2031-01-01")) == [
        ("plan_moved", "dates_moved", "projects", "changed", "finish_date")
    ]


def without(code: str) -> dict[str, Any]:
    state = State()
    for table in RECORD_TABLES:
        state.rows[table] = [
            row for row in state.rows[table] if row.get("project_code") != code or table.startswith("result_")
        ]
    return state.tables()


def test_a_record_new_gone_and_back() -> None:
    whole = State().tables()
    children = sum(
        len(State().of(table, project_code=SEED)) for table in RECORD_TABLES if not table.startswith("result_")
    )
    for before, after, known, meaning in (
        (without(SEED), whole, (), "project_new"),
        (whole, without(SEED), (), "project_gone"),
        (without(SEED), whole, (SEED,), "project_back"),
    ):
        rows = compare(before, after, known_earlier=known).to_pylist()
        assert {row["meaning"] for row in rows} == {meaning}
        assert len(rows) == children
        assert [row["table"] for row in rows if row["detail"] is None] == ["projects"]


LIST = {"agency_code": "09000000", "list_name": "index101"}


def test_an_item_inserted_into_a_result_list_is_the_only_difference() -> None:
    def insert(state: State) -> None:
        for table in ("result_list_items", "result_list_links", "result_list_quarters"):
            for row in state.of(table, **LIST):
                row["item_no"] += row["item_no"] >= 2
        state.rows["result_list_items"].append(
            {**state.one("result_list_items", **LIST, item_no=1), "item_no": 2, "name": "ใหม่", "kpi_code": "0900-9999"}
        )

    assert differences(insert) == [("other", "list_changed", "result_list_items", "added", None)]


def test_an_item_removed_from_a_result_list_with_its_links_and_quarters() -> None:
    def remove(state: State) -> None:
        for table in ("result_list_items", "result_list_links", "result_list_quarters"):
            state.remove(table, **LIST, item_no=2)
            for row in state.of(table, **LIST):
                row["item_no"] -= row["item_no"] > 2

    before, after = edited(remove)
    rows = compare(before, after).to_pylist()
    assert {row["change"] for row in rows} == {"removed"}
    assert {json.loads(row["key"])["item_no"] for row in rows} == {2}
    assert len(rows) == sum(len(State().of(t, **LIST, item_no=2)) for t in RECORD_TABLES if t.startswith("result_list"))


def test_the_target_of_a_list_item_whose_number_moved() -> None:
    def edit(state: State) -> None:
        for table in ("result_list_items", "result_list_links", "result_list_quarters"):
            state.remove(table, **LIST, item_no=1)
            for row in state.of(table, **LIST):
                row["item_no"] -= 1
        state.one("result_list_items", **LIST, item_no=2)["target_value"] = 70.0

    changed = [row for row in differences(edit) if row[3] == "changed"]
    assert changed == [("target_moved", "target_lowered", "result_list_items", "changed", "target_value")]


def test_differences_have_key_agency_and_values() -> None:
    before, after = edited(report(2, progress_percent=12.5))
    table = compare(before, after)
    assert table.schema.equals(SCHEMA)
    (row,) = table.to_pylist()
    assert json.loads(row["key"]) == {"project_code": SEED, "report_index": 2}
    assert (row["agency_code"], row["project_code"], row["kpi_code"]) == ("24000000", SEED, None)
    assert row["after"] == "12.5"


EDITS: dict[str, Callable[[State], object]] = {
    "report_edited": report(4, note="ถ้อยคำอื่นทั้งหมด"),
    "report_removed": lambda state: state.remove_report(9),
    "new_report": lambda state: state.insert_report(len(state.of("progress_reports", project_code=SEED)) + 1, **ON_TOP),
    "target_moved": value("kpis", "target_value", 90.0, kpi_code="2400-1013"),
    "plan_moved": value("plan_steps", "weight_percent", 1.5, **STEP),
    "text_edited": value("projects", "objectives", "อื่น", project_code=SEED),
    "contact_changed": value("contacts", "contact_phone", "9999", project_code=SEED),
    "result_restated": value("kpi_quarters", "result_value", 33.0, kpi_code="2400-1013", quarter=2),
    "progress_down": value("projects", "progress_percent", 1.0, project_code="24000000-3051"),
}


@settings(derandomize=True, max_examples=40, deadline=None)
@given(chosen=st.lists(st.sampled_from(sorted(EDITS)), unique=True, max_size=len(EDITS)))
def test_several_edits_are_found_like_each_alone(chosen: list[str]) -> None:
    assert sorted(row[0] for row in differences(*(EDITS[name] for name in chosen))) == sorted(chosen)


@settings(derandomize=True, max_examples=25, deadline=None)
@given(chosen=st.lists(st.sampled_from(sorted(EDITS)), unique=True), seed=st.integers(0, 9))
def test_the_order_of_rows_in_the_tables_does_not_matter(chosen: list[str], seed: int) -> None:
    before, after = edited(*(EDITS[name] for name in chosen))
    shuffled = {}
    for name, table in after.items():
        places = list(range(len(table)))
        random.Random(seed).shuffle(places)
        shuffled[name] = table.take(places)
    assert compare(before, shuffled).equals(compare(before, after))


@pytest.mark.parametrize(
    ("table", "owner", "place", "detail"),
    [
        ("result_list_items", LIST, "item_no", "list_changed"),
        ("project_strategies", {"project_code": SEED}, "position", "strategy_changed"),
    ],
)
def test_rows_that_change_places_in_any_list_are_told_once(
    table: str, owner: dict[str, str], place: str, detail: str
) -> None:
    def exchange(state: State) -> None:
        for name, rows in state.rows.items():
            for row in rows if name.startswith(table.partition("_items")[0]) else ():
                if owner.items() <= row.items():
                    row[place] = {1: 2, 2: 1}.get(row[place], row[place])

    assert differences(exchange) == [("other", detail, table, "changed", place)]
