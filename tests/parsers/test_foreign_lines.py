"""A line that no rule knows is reported, and becomes no neighbour's value: wherever it stands, on every kind of page."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.laws import KINDS, law, printings
from support.rendering import Line, Markup
from support.sample_pages import ITEM, KPI, LIST, MEASURES, PROJECT, QUARTERS, ROWS, after, instead, page_of

from parsers import ParsedPage, parse_page

FOREIGN = "งบประมาณที่ใช้ : 120,000 บาท"
YII = [
    *("รหัสโครงการ50460000-3697", "ปี2566", "ชื่อโครงการโครงการทดสอบ", "งบฯ ที่ได้รับ (บาท)120,000", "งบฯ ที่ใช้ไป (บาท)0"),
    *("คืบหน้าล่าสุด80", "หน่วยงานสำนักงานเขตคลองสามวา", "Start Date2022-10-01 00:00:00.000"),
    *("Finish Date2023-09-30 00:00:00.000", "Kpi ID5015-2026", "หลักการและเหตุผลเหตุผล"),
]
FREE_TEXTS = {
    *("rationale", "objectives", "targets", "note", "problems", "obstacles", "description"),
    *("definition", "summary", "narrative", "report", "method", "source"),
}
"""Columns of which an officer's text of several lines is all that is between two labels."""


def told(page: ParsedPage, foreign: str = FOREIGN) -> bool:
    return foreign in json.dumps([page.unclaimed, page.findings], ensure_ascii=False)


def differences(page: ParsedPage, bare: ParsedPage) -> list[tuple[str, str, Any, Any]]:
    """What a page's rows say otherwise than those of another: table, column, value there and before."""
    found: list[tuple[str, str, Any, Any]] = []
    for table, rows in bare.tables.items():
        ours = [row for row in page.tables.get(table, []) if set(row.values()) - {None, FOREIGN} != set(_key(row))]
        if len(rows) != len(ours):
            found.append((table, "rows", len(ours), len(rows)))
            continue
        for row, before in zip(ours, rows, strict=True):
            found += [
                (table, column, row[column], before[column]) for column in before if row[column] != before[column]
            ]
    return found


def _key(row: dict[str, Any]) -> list[Any]:
    """The key of a row that might hold a foreign narrative and nothing else."""
    return [row.get(column) for column in ("kpi_code", "quarter")] if FOREIGN in row.values() else []


PLACES = [
    (PROJECT, "โครงการทดสอบ : 50040000-2210"),
    (PROJECT, "ความคืบหน้าโครงการ ร้อยละ 80"),
    (PROJECT, "นายสมมติ"),
    (PROJECT, "ดูโครงการแผนปีฯ : พิมพ์ข้อมูล"),
    (PROJECT, "50040000/50040000"),
    (PROJECT, "(1) ความคืบหน้าโครงการฯ ร้อยละ 80.00 (2021-05-31)"),
    (PROJECT, "80.00"),
    (PROJECT, "** ปัญหาของโครงการ :ไม่มี"),
    (PROJECT, "ขั้นตอน 1"),
    (PROJECT, ":100%"),
    (PROJECT, "ประเภทตัวชี้วัด : ตัวชี้วัดตามภารกิจ"),
    (KPI, "จำนวนแห่ง : 5004-0852"),
    (KPI, "0"),
    (LIST, ITEM[0]),
    (LIST, ITEM[1]),
    (instead(LIST, [ITEM[2]], "ด้านที่ ๑ – มหานครปลอดภัย"), "ด้านที่ ๑ – มหานครปลอดภัย"),
    (LIST, ITEM[3]),
    (LIST, ITEM[6]),
]


@pytest.mark.parametrize(("lines", "place"), PLACES, ids=[place[:12] for _, place in PLACES])
def test_a_foreign_line_becomes_no_neighbours_value(lines: list[str], place: str) -> None:
    bare = parse_page(page_of(lines).encode())
    page = parse_page(page_of(after(lines, place, FOREIGN)).encode())
    assert differences(page, bare) == []
    assert page.unclaimed == [FOREIGN]


@pytest.mark.parametrize("kind", KINDS)
@law(60)
@given(st.data())
def test_a_foreign_line_is_told_and_changes_no_other_value(kind: str, data: st.DataObject) -> None:
    records, printer = KINDS[kind]
    printed = printer(data.draw(records), data.draw(printings))
    markup = Markup(layout=data.draw(st.sampled_from(("divs", "breaks", "nineties"))))
    place = data.draw(st.integers(1, len(printed)))
    bare = parse_page(markup.write(printed))
    page = parse_page(markup.write([*printed[:place], Line(FOREIGN), *printed[place:]]))
    differing = differences(page, bare)
    kept = [
        value
        for _, column, value, before in differing
        if FOREIGN in (value or "") and (column in FREE_TEXTS or (column, before) == ("strategy", None))
    ]
    assert len(kept) == len(differing) <= 1, differing
    assert told(page) or FOREIGN in json.dumps(page.tables, ensure_ascii=False)


@pytest.mark.parametrize("number", ["8888", "12.5"])
def test_a_foreign_number_on_a_kpi_page_is_reported(number: str) -> None:
    page = parse_page(page_of(after(KPI, "0", number)).encode())
    assert page.unclaimed == [number]


@pytest.mark.parametrize(
    ("place", "column"), [(0, "target_value"), (1, "achieved_value"), (2, "kpi_type")], ids=["target", "result", "type"]
)
def test_a_blank_measure_takes_no_foreign_line(place: int, column: str) -> None:
    blank = MEASURES[place].rpartition(" : ")[0] + " :"
    page = parse_page(page_of(instead(KPI, [MEASURES[place]], blank, FOREIGN)).encode())
    assert (page.tables["kpis"][0][column], page.tables["kpis"][0]["unit"]) == (None, "แห่ง")
    assert page.unclaimed == [FOREIGN]


UNLABELLED = "ข้อเสนอแนะอื่น"


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        *((PROJECT, place) for place in ("FusionCharts will render here", "เหตุผล", "วัตถุประสงค์", "31/5/2564 : ทำแล้ว")),
        *((PROJECT, place) for place in ("** อุปสรรคของโครงการ :ฝน", ":สำรวจ", "ตัวชี้วัด : จำนวนแห่ง")),
        *((KPI, place) for place in ("Back Home", "ก", "ความหมาย")),
        *((LIST, place) for place in (ITEM[0], "รายงาน")),
        *((YII, place) for place in ("ชื่อโครงการโครงการทดสอบ", "หลักการและเหตุผลเหตุผล")),
    ],
)
@pytest.mark.parametrize("foreign", [UNLABELLED, f"** {UNLABELLED} **", f"** {UNLABELLED} :ไม่มี"])
def test_a_line_without_a_label_is_told_where_it_is_read_as_more_of_a_text(
    lines: list[str], place: str, foreign: str
) -> None:
    bare = parse_page(page_of(lines).encode())
    assert (bare.verdict, told(bare, "several_lines")) == ("ok", False)
    assert told(parse_page(page_of(after(lines, place, foreign)).encode()), foreign)


def test_a_label_in_a_steps_text_is_reported() -> None:
    page = parse_page(page_of(after(PROJECT, ":สำรวจ", FOREIGN)).encode())
    assert page.verdict == "ok"
    assert page.tables["plan_steps"][0]["description"] == f"สำรวจ {FOREIGN}"
    assert [f["printed"] for f in page.findings if f["rule"] == "line_not_understood"] == [FOREIGN]


YII_CODES = after(YII, "Kpi ID5015-2026", "Policy ID22", "Branch ID1307")
RULE = "------------------&amp;&amp;&amp;--------------------"
CITY = [
    *("โครงการจัดทำฐานข้อมูลตัวชี้วัดการพัฒนาเมือง (2562-2563)", "1. ชื่อ : 87", "ค่าเป้าหมาย ร้อยละ : 20 ของแหล่งน้ำ"),
    *("ลักษณะข้อมูล : ก", "สนับสนุนยุทธศาสตร์กรุงเทพมหานครฯ", ":ด้านที่ ๓ - ข", "1.นิยาม หรือความหมายของตัวชี้วัด"),
    *("2.วิธีการคำนวณ หรือ เกณฑ์การประเมิน", "3.แหล่งข้อมูล/เจ้าของข้อมูล"),
]


@pytest.mark.parametrize(
    ("lines", "old", "new"),
    [
        (LIST, [ITEM[3]], ["จำนวนแหล่ง"]),
        (LIST, ITEM[2:4], ["จำนวนแหล่ง"]),
        (LIST, [ITEM[2]], [ITEM[2], "ข้อความ"]),
        (LIST, [ITEM[2]], ["2020-01-01", ITEM[2]]),
        (KPI, ["รายงานผลฯ ไตรมาสที่ 4"], ["รายงานผลฯ ไตรมาสที่ 4", QUARTERS]),
        (PROJECT, ["เป้าหมาย"], [QUARTERS]),
        (PROJECT, ["31/5/2564 : ทำแล้ว"], [QUARTERS]),
        (PROJECT, ["เหตุผล", "50040000/50040000"], ["เหตุผล 50040000/50040000"]),
        (PROJECT, ["** อุปสรรคของโครงการ :ฝน", RULE], [f"** อุปสรรคของโครงการ :ฝน{RULE}"]),
        (PROJECT, ["ยุทธศาสตร์ที่ ๔ –ชื่อ", "๔.๓ ข"], ["ยุทธศาสตร์ที่ ๔ –ชื่อ ๔.๓ ข"]),
        (PROJECT, ["ยุทธศาสตร์ที่ ๔ –ชื่อ"], ["ยุทธศาสตร์ที่ ๔ –"]),
        (KPI, ["Back Home", "จำนวนแห่ง : 5004-0852"], ["Back Home จำนวนแห่ง : 5004-0852"]),
        (KPI, ["จำนวนแห่ง : 5004-0852"], ["จำนวนแห่ง : 5004-0852จำนวนแห่ง : 5004-0852"]),
        (PROJECT, ["๔.๓ ข"], ["๔.๓ ข", "ยุทธศาสตร์ที่ ๔ –ชื่อ", "๔.๓ ข"]),
        (YII_CODES, ["Policy ID22"], ["Policy ID", "ข้อความ"]),
        (YII_CODES, ["Policy ID22", "Branch ID1307"], ["Policy ID", "Banch ID1307"]),
        (YII, ["หน่วยงานสำนักงานเขตคลองสามวา"], ["หน่วยงาน" + "?" * 20]),
        (PROJECT, ["ยุทธศาสตร์ที่ ๔ –ชื่อ", "๔.๓ ข"], ["ยุทธศาสตร์ที่ ๔ –ชื่อ%๔.๓ ข"]),
        (LIST, ["รายงาน"], ["(2) จำนวนเส้นทาง"]),
        (KPI, ["รายงานผลฯ ไตรมาสที่ 4"], ["55.00", "รายงานผลฯ ไตรมาสที่ 4"]),
        ([*LIST, *(line.replace("(1)", "(2)") for line in ITEM)], ["(2) จำนวนแห่ง"], ["มิติที่ 1", "ข", "(2) จำนวนแห่ง"]),
        (after(PROJECT, "31/5/2564 : ทำแล้ว", "รุ่นที่ 1 - 3"), ["รุ่นที่ 1 - 3"], ["รุ่นที่ 1 - 3", "ข้อความ"]),
        (CITY, ["ลักษณะข้อมูล : ก"], [":ด้านที่ ๓ - ข", "ลักษณะข้อมูล : ก"]),
    ],
)
def test_a_line_glued_or_out_of_place_is_told(lines: list[str], old: list[str], new: list[str]) -> None:
    pages = [parse_page(page_of(one).encode()) for one in (lines, instead(lines, old, *new))]
    bare, told = ({(finding["rule"], finding["printed"]) for finding in page.findings} for page in pages)
    assert (pages[0].verdict, pages[0].unclaimed) == ("ok", [])
    assert pages[1].unclaimed or told - bare


@pytest.mark.parametrize("first", ["0", "5", "", "Q1", "ไตรมาส 1"])
@pytest.mark.parametrize(
    ("lines", "table"), [(KPI, "kpi_quarters"), (PROJECT, "project_kpi_quarters"), (LIST, "result_list_quarters")]
)
def test_an_odd_row_of_quarters_costs_no_other_row(lines: list[str], table: str, first: str) -> None:
    odd = ROWS.replace("<td>1</td>", f"<td>{first}</td>", 1)
    page = parse_page(page_of(instead(lines, [QUARTERS], QUARTERS.replace(ROWS, odd))).encode())
    read = {row["quarter"]: row["evaluation_2_2"] for row in page.tables[table]}
    assert (page.verdict, [read[quarter] for quarter in (2, 3, 4)]) == ("suspect", [20.0] * 3)


@pytest.mark.parametrize("none", ["N/A", "n/a", "#DIV/0!", "#N/A"])
@pytest.mark.parametrize("cell", ["<td>1.00</td>", "<td></td>"])
def test_a_cell_that_says_none_is_null_and_told(cell: str, none: str) -> None:
    rows = ROWS.replace(cell, f"<td>{none}</td>", 1)
    page = parse_page(page_of(instead(KPI, [QUARTERS], QUARTERS.replace(ROWS, rows))).encode())
    assert [row["evaluation_2_2"] for row in page.tables["kpi_quarters"]] == [20.0] * 4
    assert [finding["printed"] for finding in page.findings if finding["severity"] != "note"] == [none]


def test_a_row_of_quarters_that_ends_in_words_is_told() -> None:
    row = "<tr><td>1.00 / ก</td></tr>"
    page = parse_page(page_of(instead(KPI, [QUARTERS], QUARTERS.replace(ROWS, row))).encode())
    assert page.unclaimed == ["1.00 / ก"]
