"""The parser's laws, by Hypothesis: what is printed is read back, whatever the markup; and whatever the bytes, a verdict.

The suite runs the same examples every time. `LAW_EXAMPLES=20000 pytest tests/parsers/test_laws.py -n 0` looks for new ones.
"""

import json
import time
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.invented_records import Tables, kpis, projects
from support.laws import KINDS, boilerplate, headers, injured_pages, law, markups, printings, reads_back, wrappers
from support.rendering import (
    LAYOUTS,
    Markup,
    Printing,
    print_kpi,
    print_project,
    with_boilerplate,
)
from support.sample_pages import KPI, PROJECT, page_of

from parsers import parse_page

VERDICTS = {"ok", "suspect", "blocked", "empty", "not_found"}


# --- what is printed is read back --------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
@law(4)
@given(st.data())
def test_a_project_reads_back_from_any_markup(layout: str, data: st.DataObject) -> None:
    tables = data.draw(projects())
    page = print_project(tables, data.draw(printings))
    body = data.draw(markups(layout)).write(page)
    reads_back(tables, parse_page(body), "project")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "project"])
@law(2)
@given(st.data())
def test_a_smaller_page_reads_back_from_any_markup(kind: str, layout: str, data: st.DataObject) -> None:
    records, printer = KINDS[kind]
    tables = data.draw(records)
    body = data.draw(markups(layout)).write(printer(tables, data.draw(printings)))
    reads_back(tables, parse_page(body), kind)


@pytest.mark.parametrize("apart", ["whole", "label", "value", "alone"])
@law(3)
@given(st.data())
def test_a_name_may_begin_like_the_line_of_progress(apart: str, data: st.DataObject) -> None:
    tables = data.draw(projects())
    tables["projects"][0]["name"] = "ความคืบหน้าโครงการ ร้อยละ 100 ของเป้าหมาย"
    markup = replace(data.draw(markups()), apart=apart)
    reads_back(tables, parse_page(markup.write(print_project(tables, data.draw(printings)))), "project")


@pytest.mark.parametrize("apart", ["whole", "label", "value", "alone"])
@law(3)
@given(st.data())
def test_a_name_may_begin_like_the_line_of_the_target(apart: str, data: st.DataObject) -> None:
    tables = data.draw(kpis())
    tables["kpis"][0]["name"] = "ค่าเป้าหมาย ร้อยละ : 100 ของเขต"
    markup = replace(data.draw(markups()), apart=apart)
    reads_back(tables, parse_page(markup.write(print_kpi(tables, data.draw(printings)))), "kpi")


@law(5)
@given(st.data())
def test_a_text_may_begin_like_the_heading_below_it(data: st.DataObject) -> None:
    tables = data.draw(projects())
    tables["projects"][0]["objectives"] = "เป้าหมายของโครงการ ตามแผน"
    tables["projects"][0]["rationale"] = "วัตถุประสงค์ของโครงการ ตามนโยบาย"
    markup = replace(data.draw(markups()), glued="headings")
    reads_back(tables, parse_page(markup.write(print_project(tables, data.draw(printings)))), "project")


@pytest.mark.parametrize("kind", KINDS)
@law(20)
@given(st.data())
def test_boilerplate_changes_nothing(kind: str, data: st.DataObject) -> None:
    records, printer = KINDS[kind]
    page = printer(data.draw(records), data.draw(printings))
    markup = data.draw(markups())
    bare = parse_page(markup.write(page))
    among = parse_page(
        with_boilerplate(markup, data.draw(boilerplate) + data.draw(headers), data.draw(wrappers)).write(page)
    )
    assert (among.kind, among.verdict, among.tables) == (bare.kind, bare.verdict, bare.tables)
    assert (among.findings, among.unclaimed) == (bare.findings, bare.unclaimed)


@pytest.mark.parametrize("kind", KINDS)
@law(3)
@given(st.data())
def test_parsing_is_deterministic(kind: str, data: st.DataObject) -> None:
    records, printer = KINDS[kind]
    body = data.draw(markups()).write(printer(data.draw(records), data.draw(printings)))
    assert parse_page(body).document("a") == parse_page(bytes(bytearray(body))).document("a")


# --- any bytes at all -----------------------------------------------------------------------------------------------------


def gives_a_verdict(body: bytes) -> None:
    start = time.process_time()
    page = parse_page(body)
    seconds = time.process_time() - start
    assert page.verdict in VERDICTS
    json.dumps(page.document("any"), allow_nan=False)
    assert seconds < max(1.0, len(body) / 1e6)


@law(150)
@given(st.binary(max_size=3000))
@example(b"")
@example(b"\xff\xfe<")
@example(b"<p>a</p><a\\q>b")
@example(b"<p>a</p><a(b>b</a(b></html>")
@example(b"<pre>" + b"\n" * 3000)
@example("<p>ค่าเป้าหมาย</p><a\\g<b(".encode() + b">")
def test_random_bytes_get_a_verdict(body: bytes) -> None:
    gives_a_verdict(body)


@law(120)
@given(injured_pages())
def test_injured_pages_get_a_verdict(body: bytes) -> None:
    gives_a_verdict(body)


@law(30)
@given(projects(), printings, markups(), st.floats(0, 1))
def test_a_page_cut_short_never_shows_rows_it_did_not_print(
    tables: Tables, printing: Printing, markup: Markup, share: float
) -> None:
    body = markup.write(print_project(tables, printing))
    page = parse_page(body[: int(len(body) * share)])
    assert page.verdict in VERDICTS
    if page.verdict == "ok":
        reads_back(tables, page, "project")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "project"])
@law(30)
@given(st.data(), st.sampled_from((1, 2, 3)), st.floats(0, 1))
def test_a_smaller_page_cut_short_never_shows_rows_it_did_not_print(
    kind: str, data: st.DataObject, framed: int, share: float
) -> None:
    # without a frame, or within a text of several lines, nobody can tell whether more was to come
    records, printer = KINDS[kind]
    tables = data.draw(records)
    markup = replace(data.draw(markups()), wrapper=framed, broken=0)
    body = markup.write(printer(tables, data.draw(printings)))
    page = parse_page(body[: int(len(body) * share)])
    assert page.verdict in VERDICTS
    if page.verdict == "ok":
        reads_back(tables, page, kind)


LIST = [
    *("ผลการปฏิบัติราชการประจำปีของหน่วยงาน : 09000000", "(1) ร้อยละของ", "[มิติที่ 1 : ตัวชี้วัดเจรจา]", "ก", "ร้อยละของ"),
    *("หน่วยนับ :ร้อยละ", "เป้าหมาย :100.00", "ผลงาน :100.00"),
]
YII = ["รหัสโครงการ50460000-3697", "ปี2566", "งบฯ ที่ได้รับ (บาท)120,000", "คืบหน้าล่าสุด80", "หลักการและเหตุผลก"]
SKELETONS = {"project": PROJECT, "kpi": KPI, "result_list": LIST, "yii_project": YII}
WORST = (
    *(":5%", "9", ":", "1 / 1", "(1)", "โทร.7033 ", "(3027)", "ขั้นตอน 1", "ขั้นตอน 99999999999", "(1) ข้อ", "ไตรมาสที่"),
    *("** ปัญหาของโครงการ :", "เริ่มต้น :", "รายละเอียดเกี่ยวกับตัวชี้วัด : 5004-0852", "รายงานผลฯ ไตรมาสที่ 1", "ค่าเป้าหมาย ก : "),
    *(
        "ก : 50040000-2210",
        "(1) ความคืบหน้าโครงการฯ ร้อยละ 80.00 (2021-05-31)",
        "๑.๔.๑",
        "\u0e4d\u0e32",
        "-",
        "*",
        "\u00a0ก",
    ),
)


@pytest.mark.parametrize("kind", SKELETONS)
@law(25)
@given(st.sampled_from(WORST), st.integers(0, 40), st.booleans())
@example("9", 2, False)
@example("(1)", 23, True)
@example("9", 3, True)
@example("ก<br>", 4, False)
@example(":5%", 22, True)
@example("โทร.7033 ", 8, False)
def test_one_thing_over_and_over_gets_a_verdict(kind: str, piece: str, place: int, in_lines: bool) -> None:
    lines = list(SKELETONS[kind])
    place %= len(lines)
    pieces = [piece] * min(120_000 // len(piece.encode()), 20_000 if in_lines else 120_000)
    if in_lines:
        lines[place + 1 : place + 1] = pieces
    else:
        lines[place] += "".join(pieces)
    gives_a_verdict(page_of(lines).encode())


@pytest.mark.parametrize(("place", "line"), [(4, "* ยุทธศาสตร์การศึกษา"), (len(LIST), "© กรุงเทพมหานคร")])
def test_a_line_of_a_list_without_end_gets_a_verdict(place: int, line: str) -> None:
    gives_a_verdict(page_of([*LIST[:place], *[line] * 100_000, *LIST[place:]]).encode())
