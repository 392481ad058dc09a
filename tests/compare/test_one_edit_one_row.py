"""One edit is one row, with the most severe meaning that fits: pairs of small states that differ in known ways."""

import hashlib
import json
from collections.abc import Callable
from copy import deepcopy
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from pipeline.compare.changes import record_of
from pipeline.compare.classify import COMPARISON_VERSION, DETAILS, MEANINGS, severity_of
from pipeline.compare.compare import compare
from pipeline.schema.columns import arrow_schema
from pipeline.store.parquet import to_table

Row = dict[str, Any]
Tables = dict[str, list[Row]]
Found = tuple[str, str | None, str | None]

NOTES = (
    "แต่งตั้งคณะกรรมการกำหนดคุณลักษณะเฉพาะ",
    "ประกาศเชิญชวนผู้รับจ้างยื่นข้อเสนอราคา",
    "ลงนามในสัญญาจ้างและส่งมอบพื้นที่ก่อสร้าง",
    "ขุดลอกคลองและปรับปรุงแนวเขื่อนช่วงแรก",
    "ตรวจรับงานงวดที่สองพร้อมเบิกจ่าย",
    "ติดตั้งเครื่องสูบน้ำและทดสอบระบบควบคุม",
)
DAYS = ("2019-11-05", "2019-12-20", "2020-02-14", "2020-04-30", "2020-06-18", "2020-08-07")


def project(code: str, reports: int = 6, steps: int = 5) -> Tables:
    """One project with an indicator, numbered as the portal does."""
    key = {"project_code": code}
    kpi = {**key, "kpi_code": "2400-0001", "name": "ร้อยละของงานที่แล้วเสร็จ", "unit": "ร้อยละ", "target_value": 100.0}
    return {
        "projects": [
            {
                **key,
                "name": "โครงการ",
                "agency_code": code[:8],
                "agency_name": "สำนัก",
                "fiscal_year_be": 2563,
                "fiscal_year_ce": 2020,
                "progress_percent": 60.0,
                "unit_code": "24010000",
                "unit_code_second": "24010000",
            }
        ],
        "contacts": [{**key, "contact": "นายก โทร. 1", "contact_name": "นายก", "contact_phone": "1"}],
        "progress_reports": [
            {
                **key,
                "report_index": place + 1,
                "report_no": reports - place,
                "progress_percent": 10.0 * (place + 1),
                "reported_on_date": DAYS[place],
                "note": NOTES[place],
            }
            for place in range(reports)
        ],
        "plan_steps": [
            {
                **key,
                "step_no": place + 1,
                "description": NOTES[-1 - place],
                "weight_percent": 20.0,
                "start_date": f"2020-0{place + 1}-01",
                "end_date": f"2020-0{place + 1}-28",
            }
            for place in range(steps)
        ],
        "project_strategies": [
            {**key, "position": level, "level": level, "strategy_code": ".".join("1" * level), "name": f"ระดับ {level}",
             "plan": "ด้าน"}
            for level in (1, 2, 3)
        ],
        "project_kpis": [{**kpi, "kpi_level": "output"}],
        "project_kpi_quarters": [
            {**key, "kpi_code": "2400-0001", "quarter": quarter, "result_value": 25.0 * quarter} for quarter in (1, 2, 3, 4)
        ],
    }  # fmt: skip


def portal(projects: int = 1, **shape: int) -> Tables:
    tables: Tables = {}
    for number in range(projects):
        for name, rows in project(f"24000000-{number:04}", **shape).items():
            tables.setdefault(name, []).extend(rows)
    return tables


def arrow(tables: Tables) -> dict[str, pa.Table]:
    return {
        name: to_table([dict.fromkeys(schema.names) | row for row in rows], schema)
        for name, rows in tables.items()
        for schema in [arrow_schema(name, facts_only=True)]
    }


def changes(edit: Callable[[Tables], object], before: Tables | None = None, **context: Any) -> list[Row]:
    before = before or portal()
    after = deepcopy(before)
    edit(after)
    rows = compare(arrow(before), arrow(after), **context).to_pylist()
    assert all(row["meaning"] in MEANINGS and (row["detail"] is None or row["detail"] in DETAILS) for row in rows)
    return rows


def differences(edit: Callable[[Tables], object], before: Tables | None = None, **context: Any) -> list[Found]:
    """(meaning, detail, column or change) of each difference that an edit makes."""
    rows = changes(edit, before, **context)
    return sorted((row["meaning"], row["detail"], row["column"] or row["change"]) for row in rows)


def reorder(
    table: str, order: Callable[[list[Row]], list[Row]], code: str = "24000000-0000"
) -> Callable[[Tables], None]:
    """Put the rows of one project in another order; the portal numbers them by their place."""

    def edit(tables: Tables) -> None:
        mine = [row for row in tables[table] if row["project_code"] == code]
        rows = order(deepcopy(mine))
        for place, row in enumerate(rows, 1):
            row |= (
                {"step_no": place}
                if table == "plan_steps"
                else {"report_index": place, "report_no": len(rows) + 1 - place}
            )
        tables[table] = [row for row in tables[table] if row["project_code"] != code] + rows

    return edit


def swap(one: int, other: int) -> Callable[[list[Row]], list[Row]]:
    def order(rows: list[Row]) -> list[Row]:
        rows[one], rows[other] = rows[other], rows[one]
        return rows

    return order


def report(place: int, **values: object) -> Callable[[Tables], None]:
    return lambda tables: tables["progress_reports"][place].update(values)


def first(table: str, **values: object) -> Callable[[Tables], None]:
    return lambda tables: tables[table][0].update(values)


RENUMBERED = ("plan_moved", "step_renumbered", "step_no")
REPORT_MOVED = ("report_edited", "report_renumbered", "report_index")


@pytest.mark.parametrize(
    ("table", "count", "order", "expected"),
    [
        ("plan_steps", {"steps": 2}, swap(0, 1), [RENUMBERED]),
        ("plan_steps", {"steps": 5}, lambda rows: rows[::-1], [RENUMBERED] * 4),
        ("progress_reports", {"reports": 2}, swap(0, 1), [REPORT_MOVED]),
        ("progress_reports", {"reports": 6}, swap(2, 3), [REPORT_MOVED]),
    ],
)
def test_a_list_turned_round_is_reported(
    table: str, count: dict[str, int], order: Callable[[list[Row]], list[Row]], expected: list[Found]
) -> None:
    assert differences(reorder(table, order), portal(**count)) == expected


def test_a_portal_that_prints_from_the_other_end_is_said_once() -> None:
    def turn(tables: Tables) -> None:
        for number in range(4):
            for table in ("progress_reports", "plan_steps"):
                reorder(table, lambda rows: rows[::-1], f"24000000-{number:04}")(tables)

    rows = changes(turn, portal(4))
    assert [(row["table"], row["meaning"], row["detail"], row["key"]) for row in rows] == [
        ("progress_reports", "other", "order_turned", "{}"),
        ("plan_steps", "other", "order_turned", "{}"),
    ]
    assert {record_of(row) for row in rows} == {""}
    assert {severity_of(row["meaning"], row["detail"]) for row in rows} == {"normal"}

    def turn_and_edit(tables: Tables) -> None:
        report(2, note="ข้อความอื่น")(tables)
        turn(tables)

    assert ("report_edited", "text_rewritten", "note") in differences(turn_and_edit, portal(4))
    assert len(differences(turn_and_edit, portal(4))) == 3


def test_steps_with_other_numbers_in_the_same_order_are_reported() -> None:
    assert differences(lambda tables: tables["plan_steps"][4].update(step_no=9)) == [RENUMBERED]


def test_a_removed_step_may_leave_its_number_free_or_not() -> None:
    assert differences(lambda tables: tables["plan_steps"].pop(2)) == [("plan_moved", "step_removed", "removed")]
    assert differences(reorder("plan_steps", lambda rows: rows[:2] + rows[3:])) == [
        ("plan_moved", "step_removed", "removed")
    ]


def test_a_corrected_date_that_moves_its_report_is_no_removal() -> None:
    def correct(rows: list[Row]) -> list[Row]:
        rows[1]["reported_on_date"] = "2020-07-01"
        return sorted(rows, key=lambda row: row["reported_on_date"])

    rows = changes(reorder("progress_reports", correct))
    assert sorted((row["detail"], row["column"]) for row in rows) == [
        ("date_rewritten", "reported_on_date"),
        ("report_renumbered", "report_index"),
    ]
    assert {json.loads(row["key"])["report_index"] for row in rows} == {5}, "the report that moved, not those it passed"


def test_a_report_edited_and_moved_is_the_same_report() -> None:
    def rewrite(rows: list[Row]) -> list[Row]:
        rows[4]["note"] += " ครบถ้วนแล้ว"
        return [rows[4], *rows[:4], rows[5]]

    assert differences(reorder("progress_reports", rewrite)) == [
        REPORT_MOVED,
        ("report_edited", "text_rewritten", "note"),
    ]


def test_notes_exchanged_beside_a_removed_report_are_two_edited_texts() -> None:
    before = portal()
    before["progress_reports"][4]["note"] = None

    def rewrite(rows: list[Row]) -> list[Row]:
        rows[3]["note"], rows[4]["note"] = rows[4]["note"], rows[3]["note"]
        return [*rows[:1], *rows[2:]]

    assert differences(reorder("progress_reports", rewrite), before) == [
        *[("report_edited", "text_rewritten", "note")] * 2,
        ("report_removed", "old_report_removed", "removed"),
    ]


def test_a_report_without_a_note_edited_and_moved_is_the_same_report() -> None:
    before = portal()
    before["progress_reports"][4] |= {"note": None, "problems": "ขาดบุคลากร"}

    def rewrite(rows: list[Row]) -> list[Row]:
        rows[4]["problems"] = None
        return [rows[4], *rows[:4], rows[5]]

    assert differences(reorder("progress_reports", rewrite), before) == [
        REPORT_MOVED,
        ("report_edited", "text_rewritten", "problems"),
    ]


def test_one_of_several_equal_steps_is_edited_where_it_stands() -> None:
    before = portal()
    for step in before["plan_steps"]:
        step |= {**before["plan_steps"][0], "step_no": step["step_no"]}

    def heavier(tables: Tables) -> None:
        tables["plan_steps"][0]["weight_percent"] += 3

    assert differences(heavier, before) == [("plan_moved", "weight_changed", "weight_percent")]

    def heavier_and_longer(tables: Tables) -> None:
        heavier(tables)
        tables["plan_steps"].append({**tables["plan_steps"][0], "step_no": 9, "description": "ประเมินผลโครงการ"})

    assert differences(heavier_and_longer, before) == [
        ("plan_moved", "step_added", "added"),
        ("plan_moved", "weight_changed", "weight_percent"),
    ]


def test_of_steps_with_one_text_each_keeps_its_days() -> None:
    before = portal()
    for step in before["plan_steps"]:
        step |= {"description": "ดำเนินการตามแผน", "weight_percent": 25.0}

    def split_and_edit(rows: list[Row]) -> list[Row]:
        rows[0]["weight_percent"] = 12.0
        rows[1]["end_date"] = "2020-09-29"
        rows[2]["weight_percent"] = 28.0
        return [rows[0], {**rows[0], "description": "ประเมินผล", "weight_percent": 13.0}, *rows[1:]]

    assert differences(reorder("plan_steps", split_and_edit), before) == [
        ("plan_moved", "dates_moved", "end_date"),
        ("plan_moved", "step_added", "added"),
        *[("plan_moved", "weight_changed", "weight_percent")] * 2,
    ]


def test_texts_exchanged_between_two_reports_are_two_edited_texts() -> None:
    def exchange(tables: Tables) -> None:
        one, other = tables["progress_reports"][1], tables["progress_reports"][4]
        one["note"], other["note"] = other["note"], one["note"]

    assert differences(exchange) == [("report_edited", "text_rewritten", "note")] * 2

    def exchange_days(tables: Tables) -> None:
        one, other = tables["progress_reports"][1], tables["progress_reports"][4]
        one["reported_on_date"], other["reported_on_date"] = other["reported_on_date"], one["reported_on_date"]

    assert differences(exchange_days) == [("report_edited", "date_rewritten", "reported_on_date")] * 2


def test_a_step_rescheduled_and_moved_keeps_its_severity() -> None:
    def move(rows: list[Row]) -> list[Row]:
        rows[0] |= {"start_date": "2020-08-01", "end_date": "2020-08-31"}
        return [*rows[1:], rows[0]]

    assert differences(reorder("plan_steps", move), seen_on=date(2020, 6, 1)) == [
        ("plan_moved", "moved_after_date", column) for column in ("end_date", "start_date", "step_no")
    ]


def test_descriptions_exchanged_between_two_steps_are_two_edited_texts() -> None:
    def exchange(tables: Tables) -> None:
        one, other = tables["plan_steps"][1], tables["plan_steps"][3]
        one["description"], other["description"] = other["description"], one["description"]

    assert differences(exchange) == [("text_edited", None, "description")] * 2

    def exchange_notes_of_which_one_stands_twice(tables: Tables) -> None:
        one, other = tables["progress_reports"][1], tables["progress_reports"][4]
        one["note"], other["note"] = other["note"], one["note"]

    before = portal()
    before["progress_reports"][1]["note"] = NOTES[0]
    assert (
        differences(exchange_notes_of_which_one_stands_twice, before)
        == [("report_edited", "text_rewritten", "note")] * 2
    )

    def exchange_and_report(tables: Tables) -> None:
        exchange_notes_of_which_one_stands_twice(tables)
        add_report("2020-09-20", 82.0)(tables)

    assert differences(exchange_and_report, before) == [
        ("new_report", None, "added"),
        *[("report_edited", "text_rewritten", "note")] * 2,
    ]


REWRITTEN = {"progress_percent": 33.0, "reported_on_date": "2020-03-03", "note": "ยกเลิกสัญญาเดิมและจัดหาผู้รับจ้างรายใหม่"}
REWRITTEN_ROWS = [
    ("report_edited", "date_rewritten", "reported_on_date"),
    ("report_edited", "percent_rewritten", "progress_percent"),
    ("report_edited", "text_rewritten", "note"),
]


@pytest.mark.parametrize("place", [0, 3, 4])
def test_a_report_rewritten_in_all_its_columns_is_the_same_report(place: int) -> None:
    assert differences(report(place, **REWRITTEN)) == REWRITTEN_ROWS

    def rewrite_and_add(tables: Tables) -> None:
        report(place, **REWRITTEN)(tables)
        add_report("2020-08-31")(tables)

    assert differences(rewrite_and_add) == [("new_report", None, "added"), *REWRITTEN_ROWS]


def test_printed_numbers_of_reports_are_compared_where_the_reports_stayed() -> None:
    renumbered = ("report_edited", "report_renumbered", "report_no")
    assert differences(report(0, report_no=20)) == [renumbered]
    assert differences(report(2, report_no=None)) == [renumbered]
    assert (
        differences(lambda tables: [row.update(report_no=row["report_no"] + 1) for row in tables["progress_reports"]])
        == []
    )
    assert differences(lambda tables: [row.update(report_no=None) for row in tables["progress_reports"]]) == []


def test_one_mistyped_year_does_not_make_later_reports_rewritten_history() -> None:
    before = portal(reports=5)
    later = {**before["progress_reports"][0], "reported_on_date": "2020-08-20", "note": "ส่งมอบงานงวดสุดท้ายแล้ว",
             "progress_percent": 55.0}  # fmt: skip
    add = reorder("progress_reports", lambda rows: [*rows, deepcopy(later)])
    for place, day in ((2, "2021-02-14"), (4, "2021-06-18"), (4, "2563-06-18"), (0, "2020-11-05")):
        mistyped = deepcopy(before)
        mistyped["progress_reports"][place]["reported_on_date"] = day
        assert differences(add, mistyped) == [("new_report", None, "added")], day
    later["reported_on_date"] = "2019-08-20"
    assert differences(add, before) == [("new_report", None, "added")]
    later["reported_on_date"] = "2020-01-20"
    assert differences(add, before) == [("report_edited", "report_inserted", "added")]


def test_of_three_newest_reports_removed_one_was_the_newest() -> None:
    assert differences(reorder("progress_reports", lambda rows: rows[:3])) == [
        ("report_removed", "newest_report_removed", "removed"),
        ("report_removed", "old_report_removed", "removed"),
        ("report_removed", "old_report_removed", "removed"),
    ]


def test_an_indicator_unlinked_is_one_serious_row_and_its_quarters_are_part_of_it() -> None:
    def unlink(tables: Tables) -> None:
        tables["project_kpis"], tables["project_kpi_quarters"] = [], []

    rows = changes(unlink)
    own = [row for row in rows if row["detail"] != "part_of_record"]
    assert [(row["meaning"], row["detail"]) for row in own] == [("other", "indicator_unlinked")]
    assert severity_of(own[0]["meaning"], own[0]["detail"]) == "major"
    assert {row["table"] for row in rows if row not in own} == {"project_kpi_quarters"}


def test_an_indicator_with_another_code_is_said_to_have_it() -> None:
    def recode(tables: Tables) -> None:
        for table in ("project_kpis", "project_kpi_quarters"):
            for row in tables[table]:
                row["kpi_code"] = "2400-9999"

    (row,) = changes(recode)
    assert (row["detail"], row["column"], row["before"], row["after"]) == (
        "indicator_recoded", "kpi_code", "2400-0001", "2400-9999",
    )  # fmt: skip

    def recode_and_restate(tables: Tables) -> None:
        recode(tables)
        tables["project_kpi_quarters"][1]["result_value"] = 1.0

    assert [found[0] for found in differences(recode_and_restate)] == ["other", "result_restated"]


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (first("projects", fiscal_year_be=2564, fiscal_year_ce=2021), [("fiscal_year_changed", None, "fiscal_year_be")]),
        (first("projects", fiscal_year_ce=2021), [("fiscal_year_changed", None, "fiscal_year_ce")]),
        (first("projects", agency_name="สำนักอื่น"), [("agency_changed", None, "agency_name")]),
        (
            first("contacts", contact="นายข โทร. 2", contact_name="นายข", contact_phone="2"),
            [("contact_changed", None, "contact")],
        ),
        (
            first("projects", unit_code="24020000", unit_code_second="24020000"),
            [("other", "responsible_unit_changed", "unit_code")],
        ),
        (
            first("projects", unit_code="24020000", unit_code_second="24030000"),
            [("other", "responsible_unit_changed", "unit_code"), ("other", "responsible_unit_changed", "unit_code_second")],
        ),
        (first("project_kpis", unit="ครั้ง"), [("unit_changed", None, "unit")]),
        (first("project_kpis", kpi_level="outcome"), [("level_changed", None, "kpi_level")]),
        (
            lambda tables: [row.update(plan="ยุทธศาสตร์") for row in tables["project_strategies"]],
            [("other", "strategy_changed", "plan")],
        ),
    ],
)  # fmt: skip
def test_one_edit_is_one_row_with_a_meaning_of_its_own(edit: Callable[[Tables], None], expected: list[Found]) -> None:
    assert differences(edit) == expected


@pytest.mark.parametrize(
    ("column", "meaning"),
    [("target", "target_moved"), ("method", "text_edited"), ("source", "text_edited"), ("unit", "unit_changed")],
)
def test_a_city_indicator_has_words_of_its_own(column: str, meaning: str) -> None:
    before: Tables = {"city_indicators": [{"indicator_no": "87", "name": "พื้นที่สีเขียว", "unit": "ไร่", "target": "100 ไร่"}]}
    assert differences(first("city_indicators", **{column: "120 แห่ง"}), before)[0][0] == meaning


def add_report(day: str, percent: float = 60.0) -> Callable[[Tables], None]:
    row = {"reported_on_date": day, "note": "ส่งมอบงานงวดสุดท้ายแล้ว", "progress_percent": percent}
    return reorder("progress_reports", lambda rows: [*rows, {**rows[0], **row}])


@pytest.mark.parametrize(("day", "detail"), [("2020-08-31", "backdated"), ("2020-09-01", None), ("2020-09-03", None)])
def test_a_report_dated_before_a_night_that_did_not_show_it_is_backdated(day: str, detail: str | None) -> None:
    seen = date(2020, 9, 1)
    assert differences(add_report(day), seen_on=seen) == [("new_report", detail, "added")]
    assert differences(add_report(day)) == [("new_report", None, "added")], "without that night nothing is proved"
    late = {"24000000-0000": date(2020, 8, 20)}
    assert differences(add_report(day), seen_on=seen, checked_on=late) == [("new_report", None, "added")], (
        "not read that night"
    )


@pytest.mark.parametrize(
    ("before", "after", "detail"),
    [
        (60, 70, "progress_without_report"),
        (60, 100, "jump_to_100_without_report"),
        (90, 100, "progress_without_report"),
    ],
)
def test_progress_that_rose_without_a_report(before: float, after: float, detail: str) -> None:
    tables = portal()
    tables["projects"][0]["progress_percent"] = before
    rise = first("projects", progress_percent=after)
    assert differences(rise, tables) == [("progress_up", detail, "progress_percent")]

    def with_report(tables: Tables) -> None:
        rise(tables)
        add_report("2020-08-20", after)(tables)

    details = [found[1] for found in differences(with_report, tables) if found[0] == "progress_up"]
    assert details == [None]
    tables["progress_reports"], tables["plan_steps"] = [], []
    assert differences(rise, tables) == [("progress_up", None, "progress_percent")], "a page that prints no reports"


@pytest.mark.parametrize(
    ("before", "after", "day", "expected"),
    [
        (100, 60, "2020-09-20", ("progress_down", None)),
        (60, 70, "2020-09-20", ("progress_up", None)),
        (60, 100, "2020-09-20", ("progress_up", "jump_to_100")),
        (80, 100, "2020-09-30", ("progress_up", "jump_to_100")),
        (80.5, 100, "2020-09-30", ("progress_up", None)),
        (60, 100, "2020-09-02", ("progress_up", None)),
        (60, 100, "2020-09-03", ("progress_up", "jump_to_100")),
        (60, 100, "2020-10-01", ("progress_up", None)),
        (60, 100, "2020-03-20", ("progress_up", None)),
    ],
)
def test_progress_that_fell_and_progress_that_jumped(
    before: float, after: float, day: str, expected: tuple[str, str | None]
) -> None:
    tables = portal(reports=2)
    tables["projects"][0]["progress_percent"] = before

    def edit(tables: Tables) -> None:
        tables["projects"][0]["progress_percent"] = after
        add_report(day, after)(tables)

    assert [found[:2] for found in differences(edit, tables) if found[2] == "progress_percent"] == [expected]


def test_the_rules_of_comparing_have_a_version() -> None:
    """A change of rules changes what these edits give: then COMPARISON_VERSION must rise, and this with it."""
    edits: list[Callable[[Tables], object]] = [
        reorder("plan_steps", lambda rows: rows[::-1]),
        report(1, note="ข้อความอื่น", progress_percent=1.0),
        add_report("2020-09-20", 100.0),
        first("projects", fiscal_year_be=2564, fiscal_year_ce=2021, progress_percent=100.0),
        lambda tables: tables["project_kpis"].clear(),
    ]

    def all_of_them(tables: Tables) -> None:
        for edit in edits:
            edit(tables)

    rows = changes(all_of_them, seen_on=date(2020, 9, 25))
    digest = hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()[:12]
    assert (COMPARISON_VERSION, len(rows), digest) == (12, 10, "729c76341099")
