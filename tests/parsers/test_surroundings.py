"""What a site puts around a record, and odd ways to show one: nothing of it may become the record's, or lose it."""

import re
from typing import Any

import pytest
from support.sample_pages import (
    HARDSHIPS,
    HEADER,
    ITEM,
    KPI,
    LIST,
    MEASURES,
    PROJECT,
    QUARTERS,
    REPORT,
    ROWS,
    after,
    instead,
    page_of,
    same_record,
)

from parsers import parse_page

BUTTONS = [
    "<input type=button value=ปิดหน้าต่าง>",
    "<INPUT TYPE='submit' VALUE='พิมพ์'>",
    "<input type=reset value='Close'>",
]


@pytest.mark.parametrize("button", BUTTONS)
@pytest.mark.parametrize("line", ["ก", "สรุป", "ความหมาย"])
def test_a_buttons_caption_is_no_text_of_an_indicator(button: str, line: str) -> None:
    page = parse_page(page_of(after(KPI, line, button)).encode())
    same_record(page, KPI)
    assert page.unclaimed == []


def test_a_buttons_caption_is_no_text_of_a_project() -> None:
    page = parse_page(page_of(after(PROJECT, "เป้าหมาย", BUTTONS[0])).encode())
    same_record(page, PROJECT)


@pytest.mark.parametrize(
    ("below", "left"),
    [
        ("Back Home", []),
        ("<p><a href='#'>กลับขึ้นด้านบน</a></p>", []),
        ("<div>ปิดหน้าต่าง</div><div>พิมพ์</div>", []),
        ("<hr><center>Copyright 2563 กรุงเทพมหานคร</center>", []),
        ("<hr>พัฒนาระบบโดย กองสารสนเทศ<br>โทร. 0", ["โทร. 0"]),
        ("<p>จำนวนผู้เข้าชม : 12,345 ครั้ง</p>", []),
        ("<p>สงวนลิขสิทธิ์ พ.ศ. 2563</p>", []),
        ("<p>สงวนลิขสิทธิ์ © 2563</p><p>สำนักยุทธศาสตร์</p><p>Back</p>", ["สำนักยุทธศาสตร์"]),
        ("<footer><p>สำนักยุทธศาสตร์</p><a href='x.php'>ติดต่อ</a></footer>", ["สำนักยุทธศาสตร์", "ติดต่อ"]),
        (
            "<nav><a href='x.php'>ติดต่อ</a></nav><footer>สำนักยุทธศาสตร์</footer><script>1</script>",
            ["ติดต่อ", "สำนักยุทธศาสตร์"],
        ),
    ],
)
@pytest.mark.parametrize("lines", [KPI, KPI[:-1], PROJECT], ids=["kpi", "kpi without definition", "project"])
def test_what_a_site_prints_below_is_not_the_records(lines: list[str], below: str, left: list[str]) -> None:
    page = parse_page(page_of([*lines, below]).encode())
    same_record(page, lines)
    assert page.unclaimed == left
    assert page.links == (["x.php"] if "x.php" in below else [link for link in page.links if link == "#"])


WARNING = "<b>Warning</b>: mysql_query() expects parameter 2 in <b>C:\\web\\a.php</b> on line <b>7</b><br>"


@pytest.mark.parametrize(
    "report",
    [
        ["1 ประชุมคณะกรรมการ", "เบิกจ่าย 50/100"],
        ["2 ครั้ง คิดเป็น 3/4"],
        ["4 / 5"],
        ["(1) สำรวจ", "(2) ออกแบบ", "[ภาพกิจกรรม]"],
        ["3 แห่ง 1/2"],
        ["31/3/2563 : เสร็จ"],
        ["12,000/15,000 คน"],
    ],
)
def test_a_report_may_begin_like_a_quarter_or_an_item(report: list[str]) -> None:
    lines = [*LIST[:-1], *report, *(line.replace("(1)", "(2)") for line in ITEM)]
    page = parse_page(page_of(lines).encode())
    assert [row["report"] for row in page.tables["result_list_items"]] == [" ".join(report), "รายงาน"]
    assert len(page.tables["result_list_quarters"]) == 8
    assert [finding for finding in page.findings if finding["severity"] != "note"] == page.unclaimed == []


@pytest.mark.parametrize("text", ["จำนวนผู้เข้าชม 1,200 คน", "ลิขสิทธิ์ หมายถึง สิทธิของผู้สร้างสรรค์งาน"])
def test_a_text_that_ends_a_page_may_read_like_a_notice(text: str) -> None:
    assert parse_page(page_of([*KPI[:-1], text]).encode()).tables["kpis"][0]["definition"] == text
    assert parse_page(page_of([*LIST[:-1], text]).encode()).tables["result_list_items"][0]["report"] == text


def test_a_text_above_a_heading_may_begin_like_a_notice() -> None:
    page = parse_page(page_of(instead(KPI, ["สรุป"], "ออกแบบและพัฒนาโดยกองสารสนเทศ")).encode())
    assert (page.verdict, page.unclaimed) == ("ok", [])
    assert page.tables["kpis"][0]["summary"] == "ออกแบบและพัฒนาโดยกองสารสนเทศ"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (LIST[:1], ["ผลการปฏิบัติราชการประจำปี", ":", "ของหน่วยงาน", ":", "50040000"]),
        (LIST[1:2], ["มิติที่", "1", "ก"]),
    ],
)
def test_a_lists_lines_may_be_joined_or_split(old: list[str], new: list[str]) -> None:
    page = parse_page(page_of(instead(LIST, old, *new)).encode())
    same_record(page, LIST)
    assert page.unclaimed == []


@pytest.mark.parametrize("heading", ["<span>[มิติที่ 1 :</span><span>ก]</span>", "<span>[</span><b>มิติที่ 1 : ก</b><i>]</i>"])
def test_an_items_heading_may_stand_in_several_boxes(heading: str) -> None:
    boxes = f'<div style="display: flex">{heading}</div>'
    same_record(parse_page(page_of(instead(LIST, ["[มิติที่ 1 : ก]"], boxes)).encode()), LIST)


@pytest.mark.parametrize("heading", [["[", "มิติที่ 1 : ก", "]"], ["[มิติที่ 1 :", "ก]"]])
def test_an_item_without_its_unit_is_told_whatever_its_heading(heading: list[str]) -> None:
    lines = instead(instead(LIST, ["[มิติที่ 1 : ก]"], *heading), ["หน่วยนับ :แห่ง"])
    page = parse_page(page_of([*lines, *(line.replace("(1)", "(2)") for line in ITEM)]).encode())
    assert page.verdict == "suspect"
    assert [row["item_no"] for row in page.tables["result_list_items"]] == [1, 2]


def test_quarters_that_belong_to_no_item_are_reported() -> None:
    page = parse_page(page_of([*LIST[:2], "จำนวนแห่ง", QUARTERS, *LIST[2:]]).encode())
    assert {"part_missing", "out_of_order"} <= {finding["rule"] for finding in page.findings}
    assert page.verdict == "suspect"


def test_an_items_name_may_be_numbered_and_lead_to_its_record() -> None:
    name = "(1) <a href='mykpi.php?pid=5004-0852'>(2) จำนวนแห่ง</a>"
    again = name.removeprefix("(1) ")
    lines = [*LIST[:2], f"<p>{name}</p>", *LIST[3:5], f"<p>{again}</p>", *LIST[6:]]
    page = parse_page(page_of(lines).encode())
    assert (page.verdict, page.unclaimed) == ("ok", [])
    assert [row["name"] for row in page.tables["result_list_items"]] == ["(2) จำนวนแห่ง"]


@pytest.mark.parametrize("label", ["<dt>หน่วยนับ :</dt>", "<dt>หน่วยนับ</dt><dd>:</dd>"])
def test_an_items_unit_may_be_called_like_its_result(label: str) -> None:
    lines = instead(LIST, ["หน่วยนับ :แห่ง"], f"<dl>{label}<dd>ผลงาน</dd></dl>")
    page = parse_page(page_of(lines).encode())
    assert (page.verdict, page.unclaimed) == ("ok", [])
    assert [(row["unit"], row["achieved_value"]) for row in page.tables["result_list_items"]] == [("ผลงาน", 3.0)]


@pytest.mark.parametrize("code", ["5004-0852", "๕๐๐๔-๐๘๕๒"])
def test_a_links_parameter_may_be_written_in_capitals_and_its_code_in_thai_digits(code: str) -> None:
    lines = instead(LIST, ["(1) จำนวนแห่ง"], f"<p>(1) <A HREF='MyKpi.php?Y=1&amp;PID={code}'>จำนวนแห่ง</A></p>")
    page = parse_page(page_of(lines).encode())
    assert [row["kpi_code"] for row in page.tables["result_list_items"]] == ["5004-0852"]


@pytest.mark.parametrize(
    "link",
    [
        "<a href='{}'><h3>(1) จำนวนแห่ง</h3></a>",
        "<ul><li><a href='{}'>\n<img src=go.gif>\n<h2>(1) จำนวนแห่ง</h2><p></p></a></li></ul>",
        "<table><tr onclick=\"location='{}'\"><td></td><td>(1)</td><td>จำนวนแห่ง</td></tr></table>",
    ],
)
def test_a_link_may_hold_boxes(link: str) -> None:
    lines = instead(LIST, ["(1) จำนวนแห่ง"], link.format("mykpi.php?pid=5004-0852"))
    page = parse_page(page_of(lines).encode())
    assert (page.verdict, page.unclaimed) == ("ok", [])
    assert [row["kpi_code"] for row in page.tables["result_list_items"]] == ["5004-0852"]


@pytest.mark.parametrize(("list_", "line"), [(LIST, "มิติที่ 2 ข"), ([LIST[0], "ด้านที่ ๑ – ก", *LIST[2:]], "ด้านที่ ๒ – ข")])
def test_a_heading_without_items_is_unclaimed(list_: list[str], line: str) -> None:
    page = parse_page(page_of([*list_, line]).encode())
    assert (page.verdict, page.unclaimed) == ("ok", [line])
    assert page.tables == parse_page(page_of(list_).encode()).tables


def test_an_item_without_its_quarters_is_not_whole() -> None:
    page = parse_page(page_of(instead(LIST, [QUARTERS])).encode())
    assert page.verdict == "suspect"


ICON = '<a href="mykpi.php?pid={}"><img src=go.gif alt=""></a>'
CODES = ["5004-0852", "5004-903"]


@pytest.mark.parametrize(
    "box",
    [
        "<div class=card><div>({no}) จำนวนแห่ง</div>{parts}<p>{icon}</p></div>",
        "<div class=card><p>{icon}</p><div>({no}) จำนวนแห่ง</div>{parts}</div>",
        "<table><tr><td>({no}) จำนวนแห่ง<td>{icon}<tr><td>{parts}</table>",
        "<table><tr><td><td>({no}) จำนวนแห่ง{parts}</td></tr><tr><td colspan=2>{icon}</table>",
        "<table><tr><td>{icon}<td>({no}) จำนวนแห่ง</table>{parts}",
        "<ul><li>({no}) จำนวนแห่ง{parts}<ul><li>{icon}</li></ul></ul>",
    ],
)
def test_a_link_without_text_between_two_items_is_nobodys(box: str) -> None:
    parts = "".join(line if line.startswith("<") else f"<div>{line}</div>" for line in ITEM[1:])
    items = [box.format(no=no, parts=parts, icon=ICON.format(code)) for no, code in enumerate(CODES, 1)]
    page = parse_page(page_of([*LIST[:2], *items]).encode())
    codes = [row["kpi_code"] for row in page.tables["result_list_items"]]
    assert all(code in (None, right) for code, right in zip(codes, CODES, strict=True))
    assert sum(finding["rule"] == "kpi_code_missing" for finding in page.findings) == codes.count(None)
    assert (page.verdict, page.unclaimed) == ("ok", [])


@pytest.mark.parametrize("place", ["first", "before the last text", "last", "below the notice", "in the footer"])
@pytest.mark.parametrize("lines", [KPI, PROJECT, LIST], ids=["kpi", "project", "list"])
def test_a_servers_message_is_found_wherever_it_stands(lines: list[str], place: str) -> None:
    notice = "<p>Copyright 2563</p>"
    shown = {
        "first": [WARNING, *lines],
        "before the last text": [*lines[:-1], WARNING, lines[-1]],
        "last": [*lines, WARNING],
        "below the notice": [*lines, notice, WARNING],
        "in the footer": [*lines, f"<footer>ติดต่อ<br>{WARNING}</footer>"],
    }[place]
    bare = parse_page(page_of(lines).encode())
    page = parse_page(page_of(shown).encode())
    assert bare.verdict == "ok"
    assert (page.verdict, page.tables) == ("suspect", bare.tables)
    assert [finding["rule"] for finding in page.findings if finding["severity"] == "error"] == ["error_message_in_page"]


def test_what_an_officer_numbers_is_no_servers_message() -> None:
    page = parse_page(page_of(instead(KPI, ["สรุป"], "งานข้อ#1 /ข้อ#2")).encode())
    assert (page.verdict, page.tables["kpis"][0]["summary"]) == ("ok", "งานข้อ#1 /ข้อ#2")


FRAMEWORK = (
    "<h4>A PHP Error was encountered</h4><p>Severity: Notice</p><p>Message: Undefined index</p><p>Filename: a.php</p>"
    "<p>Line Number: 5</p>"
)
ASP = "<p>Microsoft VBScript runtime error '800a000d'</p><p>Type mismatch: 'CInt'</p><p>/mobile/a.asp, line 33</p>"
CONNECTIONS = "<p>ไม่สามารถเชื่อมต่อฐานข้อมูลได้ : Too many connections</p>"
CAKE = "<pre class=cake-error>Notice (8): Undefined variable [APP/a.php, line 3]</pre>"


@pytest.mark.parametrize("message", [CONNECTIONS, CAKE, "<p>Resource id #5</p>", FRAMEWORK, ASP])
@pytest.mark.parametrize("lines", [KPI, PROJECT, LIST], ids=["kpi", "project", "list"])
def test_a_page_with_a_servers_message_is_suspect_and_a_line_of_it_no_text(lines: list[str], message: str) -> None:
    bare = parse_page(page_of(lines).encode())
    for place in range(1, len(lines) + 1):
        page = parse_page(page_of([*lines[:place], message, *lines[place:]]).encode())
        assert page.verdict == "suspect"
        assert "error_message_in_page" in {finding["rule"] for finding in page.findings}
        if message not in (FRAMEWORK, ASP):
            assert (page.tables, page.unclaimed) == (bare.tables, [])


def test_a_footer_that_is_not_the_last_is_text() -> None:
    page = parse_page(page_of(after(KPI, "สรุป", "<footer>ต่อ</footer>")).encode())
    assert page.tables["kpis"][0]["summary"] == "สรุป ต่อ"


@pytest.mark.parametrize("lines", [KPI, PROJECT], ids=["kpi", "project"])
def test_a_stray_nul_costs_nothing(lines: list[str]) -> None:
    same_record(parse_page(page_of(lines).replace("Back Home", "Back Home\0").encode()), lines)


@pytest.mark.parametrize(
    "menu",
    [
        "☰ เกี่ยวกับเรา | แผนผังเว็บไซต์",
        "<a href=#main>Skip to main content</a>",
        "ไทย | EN",
        "<b>×</b>",
        "ลงทะเบียน<br>ช่วยเหลือ",
    ],
)
@pytest.mark.parametrize("lines", [KPI, PROJECT], ids=["kpi", "project"])
def test_the_words_of_menus_are_known(lines: list[str], menu: str) -> None:
    page = parse_page(page_of([f"<div>{menu}</div>", *lines]).encode())
    same_record(page, lines)
    assert page.unclaimed == []


@pytest.mark.parametrize("above", ["<h1>{}</h1>", "<div>หน้าแรก / {}</div>", "<p>หน้าแรก &gt; โครงการ &gt; {}</p>"])
@pytest.mark.parametrize(("lines", "title"), [(KPI, KPI[2]), (PROJECT, PROJECT[3])], ids=["kpi", "project"])
def test_a_title_that_stands_above_too_is_passed_over(lines: list[str], title: str, above: str) -> None:
    same_record(parse_page(page_of([above.format(title), *lines]).encode()), lines)


EVALUATION = "*** สยป. ตรวจประเมินตัวชี้วัด : ไตรมาสที่ 4 : 60"
DETAILS = "รายละเอียดตัวชี้วัดฯ : พิมพ์ข้อมูล"
PLAN = "ดูโครงการแผนปีฯ : พิมพ์ข้อมูล"
CELLS = "<table><tr>{}</tr></table>"


@pytest.mark.parametrize(
    ("lines", "old", "new"),
    [
        (KPI, EVALUATION, CELLS.format("".join(f"<td>{cell}" for cell in re.split(" (?=[:ไ])|(?<=:) ", EVALUATION)))),
        (PROJECT, PROJECT[9], CELLS.format("".join(f"<td>{cell}" for cell in PROJECT[9].rsplit(" ", 2)))),
        *((KPI, DETAILS, DETAILS.replace(" : ", joint)) for joint in (":", " :", ": ")),
        *((PROJECT, PLAN, PLAN.replace(" : ", joint)) for joint in (":", " :", ": ")),
        (KPI, "รายงานผลฯ ไตรมาสที่ 1", "รายงานผลฯ ไตรมาสที่ ๑"),
        (KPI, "** สรุปผลการดำเนินงาน **", "<b>**สรุปผลการดำเนินงาน**</b>"),
        (KPI, "นิยาม หรือความหมายของตัวชี้วัด", "นิยามหรือความหมายของตัวชี้วัด"),
        (PROJECT, PROJECT[-1], "**ผลการประเมินโครงการ(รายไตรมาส)**"),
    ],
)
def test_blanks_and_cells_inside_a_printed_line_do_not_matter(lines: list[str], old: str, new: str) -> None:
    page = parse_page(page_of(instead(lines, [old], new)).encode())
    same_record(page, lines)
    assert page.unclaimed == []


@pytest.mark.parametrize(
    ("rows", "read"),
    [
        (
            [(1, "5", "", "/"), (2, "5", "8", " / "), (3, "5", "7", "/ 4")],
            [(5, None, None, None), (5, 8, None, None), (5, 7, None, 4)],
        ),
        ([(1, "5", "8", "0<br>/ 2"), (2, "3", "", "0<br>/ 3")], [(5, 8, 0, 2), (3, None, 0, 3)]),
        ([(1, "5", "8", "0 /<br>2"), (2, "3", "", "0 /<br>3")], [(5, 8, 0, None)]),
        ([(1, "5", "8", "7 /"), (2, "3", "", "0 / 3")], [(5, 8, 7, None), (3, None, 0, 3)]),
        ([(1, "5", "8", "0", "/", "2"), (2, "3", "", "0", "/", "3")], [(5, 8, 0, 2), (3, None, 0, 3)]),
        ([(1, "", "5", "", "8", "", "2 / 4"), (2, "", "5", "", "", "", "2 / 4")], [(5, 8, 2, 4), (5, None, 2, 4)]),
        ([(1, "5", "", "2 / 4"), (2, "", "", ""), (3, "5", "", "2 / 4")], [(5, None, 2, 4)]),
    ],
)
def test_a_row_of_quarters_is_read_or_left_never_guessed(
    rows: list[tuple[Any, ...]], read: list[tuple[Any, ...]]
) -> None:
    table = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    page = parse_page(page_of(instead(KPI, [QUARTERS], QUARTERS.replace(ROWS, table))).encode())
    columns = ("result_value", "score", "evaluation_2_1", "evaluation_2_2")
    assert [tuple(row[column] for column in columns) for row in page.tables["kpi_quarters"]][: len(read)] == read
    told = [finding for finding in page.findings if finding["severity"] == "error"]
    assert bool(page.unclaimed or told) == (len(read) < len(rows))


def value(lines: list[str], table: str, *columns: str) -> tuple[Any, ...]:
    page = parse_page(page_of(lines).encode())
    assert page.verdict == "ok"
    return tuple(page.tables[table][0][column] for column in columns)


@pytest.mark.parametrize(
    ("page", "lines"), [(KPI, MEASURES), (PROJECT, HARDSHIPS), (LIST, ITEM[4:7])], ids=["kpi", "project", "list"]
)
def test_a_page_with_a_label_inside_a_line_is_suspect(page: list[str], lines: list[str]) -> None:
    read = parse_page(page_of(instead(page, lines, " ".join(lines))).encode())
    assert (read.verdict, read.findings[0]["rule"]) == ("suspect", "part_missing")


def test_a_name_may_quote_a_code() -> None:
    lines = instead(KPI, [KPI[2]], "<table><tr><td>จำนวน : 2400-1013</td><td>:</td><td>5004-0852</td></tr></table>")
    assert value(lines, "kpis", "kpi_code", "name") == ("5004-0852", "จำนวน : 2400-1013")


TWO_ROWS = (
    "<tr><td rowspan=2>ไตรมาสที่ (1 - 4)</td><td>*ผลงาน*</td><td colspan=2>*ผลประเมินตัวชี้วัด*</td></tr>"
    "<tr><td>(แห่ง)</td><td colspan=2>(* 2.1 / 2.2 *)</td></tr>"
)


@pytest.mark.parametrize(
    "header",
    [
        TWO_ROWS,
        TWO_ROWS.replace(" rowspan=2", "").replace(" (1 - 4)", "").replace("<td>(แห่ง)", "<td>(1 - 4)</td><td>(แห่ง)"),
        TWO_ROWS.replace("(แห่ง)", ""),
        TWO_ROWS.replace("แห่ง", ""),
        HEADER.replace("<br>(แห่ง)", ""),
        HEADER.replace("</tr>", "<td></td></tr>"),
        HEADER.replace("<td>*ผลป", "<td></td><td>*ผลป").replace("</tr>", "<td>&nbsp;</td></tr><tr><td></td></tr>"),
    ],
    ids=["over two", "two", "two, no unit", "two, blank unit", "no unit", "closing cell", "many cells"],
)
def test_the_quarters_header_has_any_shape(header: str) -> None:
    for lines in (KPI, PROJECT):
        same_record(parse_page(page_of(instead(lines, [QUARTERS], QUARTERS.replace(HEADER, header))).encode()), lines)


UNIT_PAIRS = [
    "<table><tr><td>50040000</td><td>/</td><td>50040100</td></tr></table>",
    "<table><tr><td>50040000 /</td><td>50040100</td></tr></table>",
    "<table><tr><td>50040000</td><td>/ 50040100</td></tr></table>",
]


@pytest.mark.parametrize("pair", UNIT_PAIRS)
def test_the_unit_pair_may_stand_in_cells(pair: str) -> None:
    lines = instead(PROJECT, ["50040000/50040000"], pair)
    assert value(lines, "projects", "unit_code", "unit_code_second", "rationale") == ("50040000", "50040100", "เหตุผล")


PAIRS = {
    "in three cells": ("20</td><td>/</td><td>20", 20.0),
    "the stroke with the first": ("20 /</td><td>20", 20.0),
    "the stroke with the second": ("20</td><td>/ 20", 20.0),
    "the second empty": ("20</td><td>/</td><td>", None),
    "the second missing": ("20 /", None),
}


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("score", [None, 50.0])
@pytest.mark.parametrize(
    ("lines", "table"), [(KPI, "kpi_quarters"), (PROJECT, "project_kpi_quarters")], ids=["kpi", "project"]
)
def test_the_quarters_pair_may_stand_in_cells(lines: list[str], table: str, pair: str, score: float | None) -> None:
    cells, second = PAIRS[pair]
    quarters = QUARTERS.replace("<td></td>", f"<td>{score or ''}</td>").replace("20 / 20", cells)
    page = parse_page(page_of(instead(lines, [QUARTERS], quarters)).encode())
    assert (page.verdict, page.unclaimed) == ("ok", [])
    columns = ("quarter", "result_value", "score", "evaluation_2_1", "evaluation_2_2")
    rows = [tuple(row[column] for column in columns) for row in page.tables[table]]
    assert rows == [(quarter, 1.0, score, 20.0, second) for quarter in range(1, 5)]


@pytest.mark.parametrize("score", [None, 50.0])
def test_an_empty_pair_is_no_half_of_one(score: float | None) -> None:
    quarters = QUARTERS.replace("<td></td>", f"<td>{score or ''}</td>").replace("20 / 20", "/")
    page = parse_page(page_of(instead(PROJECT, [QUARTERS], quarters)).encode())
    rows = [(row["score"], row["evaluation_2_1"]) for row in page.tables["project_kpi_quarters"]]
    assert (rows, page.unclaimed) == ([(score, None)] * 4, [])


@pytest.mark.parametrize(
    "spaced",
    [
        QUARTERS.replace("</tr>", "</tr><tr><td colspan=4></td></tr>"),
        QUARTERS.replace("<tr>", "<tr><td width=1></td>"),
        QUARTERS.replace("</tr>", "<td>&nbsp;</td></tr>"),
    ],
    ids=["rows", "cells before", "cells behind"],
)
def test_quarters_may_be_spaced(spaced: str) -> None:
    same_record(parse_page(page_of(instead(PROJECT, [QUARTERS], spaced)).encode()), PROJECT)


QUARTERS_IN_BOXES = {
    "boxes of a row": '<div style="{style}"><div>{}</div><div>{}</div><div>{}</div><div>{}</div></div>',
    "boxes of one kind": '<div style="{style}"><span>{}</span><span>{}</span><span>{}</span><span>{}</span></div>',
    "inline boxes of a row": '<div style="{style}"><span>{}</span><span>{}</span><b>{}</b><span>{}</span></div>',
}


@pytest.mark.parametrize("row", QUARTERS_IN_BOXES)
@pytest.mark.parametrize("style", ["display:flex", "display: grid; grid-template-columns: repeat(4, 1fr)"])
@pytest.mark.parametrize("result", [1.0, None])
@pytest.mark.parametrize("score", [50.0, None])
def test_the_boxes_of_a_row_are_cells(row: str, style: str, result: float | None, score: float | None) -> None:
    """An empty result is as good as an empty score: the boxes are counted."""
    cells = [(quarter, result or "", score or "", "20 / 20") for quarter in range(1, 5)]
    heads = ("ไตรมาสที่<br>(1 - 4)", "*ผลงาน*<br>(แห่ง)", "", "*ผลประเมินตัวชี้วัด*<br>(* 2.1 / 2.2 *)")
    rows = [QUARTERS_IN_BOXES[row].format(*each, style=style) for each in (heads, *cells)]
    page = parse_page(page_of(instead(KPI, [QUARTERS], *rows)).encode())
    assert (page.verdict, page.unclaimed) == ("ok", [])
    read = [
        tuple(row[column] for column in ("quarter", "result_value", "score")) for row in page.tables["kpi_quarters"]
    ]
    assert read == [(quarter, result, score) for quarter in range(1, 5)]


def test_rows_of_quarters_without_any_marks_between_cells_are_reported() -> None:
    rows = [f"{quarter}1.00{score}20 / 20" for quarter, score in enumerate(("", "50.00", "", ""), 1)]
    for lines in (KPI, LIST):
        page = parse_page(page_of(instead(lines, [QUARTERS], f"<table>{HEADER}</table>", *rows)).encode())
        assert page.verdict == "suspect"
        assert "part_missing" in [finding["rule"] for finding in page.findings]


REPORT_SHAPES = {
    "percent again in the heading's line": [f"{REPORT[0]} <b>80.00</b>", *REPORT[2:], *HARDSHIPS],
    "the heading's label in cells": [
        "<table><tr><td>(1)</td><td>ความคืบหน้าโครงการฯ</td><td>ร้อยละ 80.00</td><td>(2021-05-31)</td></tr></table>",
        *REPORT[1:],
        *HARDSHIPS,
    ],
    "the heading as label and value": [
        "<dl><dt>(1) ความคืบหน้าโครงการฯ</dt><dd>ร้อยละ 80.00 (2021-05-31)</dd></dl>",
        *REPORT[1:],
        *HARDSHIPS,
    ],
    "percent and note in one line": [REPORT[0], f"<b>80.00</b> {REPORT[2]}", *HARDSHIPS],
}


@pytest.mark.parametrize("shape", REPORT_SHAPES)
def test_a_report_may_have_other_lines(shape: str) -> None:
    rule = "------------------&amp;&amp;&amp;--------------------"
    old, new = [*REPORT, *HARDSHIPS], REPORT_SHAPES[shape]
    if new[-1].endswith("--"):
        old.append(rule)
    page = parse_page(page_of(instead(PROJECT, old, *new)).encode())
    same_record(page, PROJECT)
    assert page.unclaimed == []


PROGRESS = ["80", "ความคืบหน้าโครงการ ร้อยละ 80"]
LINKS = [
    "(ทดสอบ) แสดงขั้นตอนการดำเนินงานโครงการ : 50040000-2210",
    "(คลิก) ขั้นตอนการปฏิบัติงานของโครงการ : 50040000-2210",
]
EVALUATION = ["ดูโครงการแผนปีฯ : พิมพ์ข้อมูล", "*** สยป. ประเมินโครงการ : ไตรมาสที่ 2 75"]
LINE_SHAPES = {
    "progress as label and value": (PROGRESS, "80", "<dl><dt>ความคืบหน้าโครงการ</dt><dd>ร้อยละ 80</dd></dl>"),
    "progress in cells": (
        PROGRESS,
        "<table><tr><td>80</td><td>ความคืบหน้าโครงการ</td><td>ร้อยละ</td><td>80</td></tr></table>",
    ),
    "evaluation behind the links": (EVALUATION, " ".join(EVALUATION)),
}


@pytest.mark.parametrize("shape", LINE_SHAPES)
def test_a_line_may_be_two_and_two_be_one(shape: str) -> None:
    old, *new = LINE_SHAPES[shape]
    usual = instead(PROJECT, ["ยุทธศาสตร์ที่ ๔ –ชื่อ"], "ด้านที่ ๔ – ชื่อ : Safe City") if "English" in shape else PROJECT
    page = parse_page(page_of(instead(PROJECT, list(old), *new)).encode())
    same_record(page, usual)
    assert page.unclaimed == []


@pytest.mark.parametrize(
    "links",
    [
        LINKS,
        [" ".join(LINKS)],
        [" ".join(LINKS).replace("2210 (", "2210(")],
        [
            f"<table><tr><td>{link.replace(') ', ')</td><td>').replace(' : ', '</td><td>:</td><td>')}</td></tr></table>"
            for link in LINKS
        ],
    ],
    ids=["lines", "one line", "glued", "cells"],
)
def test_the_links_below_the_plan_are_no_text(links: list[str]) -> None:
    page = parse_page(page_of(after(PROJECT, "สิ้นสุด :2020-10-31 00:00:00", *links)).encode())
    same_record(page, PROJECT)
    assert page.unclaimed == []


def test_an_indicators_name_may_have_two_lines() -> None:
    lines = instead(PROJECT, ["ตัวชี้วัด : จำนวนแห่ง"], "ตัวชี้วัด : จำนวน<br>ตัวชี้วัดที่ดี<br>(แห่ง)")
    assert value(lines, "project_kpis", "name", "target_value") == ("จำนวน ตัวชี้วัดที่ดี (แห่ง)", 5.0)


WORDS_OF_A_SITE = [
    "<nav><a href=/>หน้าแรก</a> <a href=/login>เข้าสู่ระบบ</a></nav>",
    "<ul><li>เมนู<li>หน้าแรก<li>ออกจากระบบ</ul>",
    "<div>หน้าแรก | ค้นหา &raquo; Login</div>",
    "<div>« Back | Home</div>",
]


def test_the_boilerplate_may_stand_in_one_line() -> None:
    title, back, chart = PROJECT[:3]
    page = parse_page(page_of([f"{title} {back} <span>{chart}</span>", *PROJECT[3:]]).encode())
    same_record(page, PROJECT)
    assert page.unclaimed == []


@pytest.mark.parametrize("words", WORDS_OF_A_SITE)
@pytest.mark.parametrize("lines", [KPI, PROJECT, LIST], ids=["kpi", "project", "list"])
def test_the_words_of_a_sites_links_are_known(lines: list[str], words: str) -> None:
    page = parse_page(page_of([words, *lines]).encode())
    same_record(page, lines)
    assert page.unclaimed == []


def doubled(lines: list[str], first: str, last: str) -> list[str]:
    place, end = lines.index(first), lines.index(last) + 1
    return [*lines[:place], *lines[place:end] * 2, *lines[end:]]


# Pages for wide and for narrow screens print a part twice; only a stylesheet hides one of the two.


def test_an_indicator_listed_twice_with_other_values_is_reported() -> None:
    first, last = "รายละเอียดเกี่ยวกับตัวชี้วัด : 5004-0852", QUARTERS
    lines = doubled(PROJECT, first, last)
    lines[len(lines) - lines[::-1].index("ค่าเป้าหมาย แห่ง : 5") - 1] = "ค่าเป้าหมาย แห่ง : 6"
    page = parse_page(page_of(lines).encode())
    assert page.tables == parse_page(page_of(PROJECT).encode()).tables
    assert "duplicate_key" in {finding["rule"] for finding in page.findings}


@pytest.mark.parametrize("kind", ["text", "datetime", "datetime-local", "month", "", "thai"])
def test_any_field_shows_its_value(kind: str) -> None:
    field = f"เริ่มต้น :<input type='{kind}' value='2020-10-01 00:00:00'>"
    page = parse_page(page_of(instead(PROJECT, ["เริ่มต้น :2020-10-01 00:00:00"], field)).encode())
    same_record(page, PROJECT)


@pytest.mark.parametrize("kind", ["checkbox", "RADIO", "password", "file", "image", "range", "color"])
def test_a_field_that_shows_no_value_prints_none(kind: str) -> None:
    page = parse_page(page_of(after(PROJECT, "เป้าหมาย", f"<input type={kind} value=1>")).encode())
    same_record(page, PROJECT)


@pytest.mark.parametrize(
    "place", ["50040000/50040000", "วัตถุประสงค์", "เป้าหมาย", "๔.๓ ข", "สิ้นสุด :2020-10-31 00:00:00", QUARTERS]
)
def test_a_link_back_to_the_top_is_no_text(place: str) -> None:
    page = parse_page(page_of(after(PROJECT, place, "<a href=#top>กลับขึ้นด้านบน</a>")).encode())
    same_record(page, PROJECT)
    assert page.unclaimed == []


def test_a_print_button_is_no_contact() -> None:
    page = parse_page(page_of(after(PROJECT, "นายสมมติ", "<button>พิมพ์</button>")).encode())
    same_record(page, PROJECT)


EMPTY_PARTS = [
    line
    for line in PROJECT
    if line not in (*REPORT, *HARDSHIPS, "------------------&amp;&amp;&amp;--------------------")
]
EMPTY_PARTS = instead(EMPTY_PARTS, ["ขั้นตอน 1", ":สำรวจ", ":100%", *EMPTY_PARTS[EMPTY_PARTS.index(":100%") + 1 :][:2]])


@pytest.mark.parametrize("place", [0, len(EMPTY_PARTS)], ids=["above", "below"])
def test_a_menu_of_the_headings_of_empty_parts_is_no_section(place: int) -> None:
    menu = "<ul><li>แผนการดำเนินงานฯ<li>ผลการดำเนินงาน</ul>"
    lines = [*EMPTY_PARTS[:place], menu, *EMPTY_PARTS[place:]]
    same_record(parse_page(page_of(lines).encode()), EMPTY_PARTS)


def test_above_a_record_without_steps_may_stand_a_menu_of_its_headings() -> None:
    link = "(ทดสอบ) แสดงขั้นตอนการดำเนินงานโครงการ : 50040000-2210"
    lines = after(EMPTY_PARTS, "แผนการดำเนินงานฯ", link)
    menu = ["หลักการและเหตุผล", "แผนการดำเนินงานฯ", "สนับสนุนตัวชี้วัดตามแผนฯ"]
    same_record(parse_page(page_of([*menu, *lines]).encode()), lines)


YII = {
    **{"รหัสโครงการ": "50460000-3697", "ปี": "2566", "งบฯ ที่ได้รับ (บาท)": "120,000", "งบฯ ที่ใช้ไป (บาท)": ""},
    **{"คืบหน้าล่าสุด": "80", "หน่วยงาน": "สำนักงานเขตคลองสามวา", "Start Date": "2022-10-01 00:00:00.000"},
    **{"Finish Date": "(ไม่ได้ตั้ง)", "Kpi ID": "5015-2026", "หลักการและเหตุผล": "เหตุผล"},
}
YII_ROWS = [f"<table><tr><th>{label}<td>{text}</table>" for label, text in YII.items()]
YII_GLUED = [label + text for label, text in YII.items()]
YII_NOTICE = '<p>&copy; My Company 2026</p><p>Powered by <a href="https://www.yiiframework.com/">Yii Framework</a></p>'
YII_BUTTONS = '<p><a href="index.php?r=update">Update</a> <a href="index.php?r=delete">Delete</a></p>'


@pytest.mark.parametrize(
    ("above", "below"),
    [
        (["หน้าแรก / Tbl Project Mains / 50460000-3697", "<h1>50460000-3697</h1>", YII_BUTTONS], ["<hr>", YII_NOTICE]),
        (["<ul><li><a href='/'>Home</a><li>Tbl Project Mains<li>50460000-3697</ul>"], [YII_BUTTONS]),
        (["My Company", "<ul><li>Home<li>About<li>Contact<li>Login</ul>"], [f"<footer>{YII_NOTICE}</footer>"]),
        ([], [YII_BUTTONS, "© My Company 2026 / Powered by Yii Framework"]),
    ],
)
@pytest.mark.parametrize("lines", [YII_ROWS, YII_GLUED], ids=["rows", "glued"])
def test_what_yiis_templates_print_is_known(lines: list[str], above: list[str], below: list[str]) -> None:
    page = parse_page(page_of([*above, *lines, *below]).encode())
    same_record(page, lines)
    assert page.unclaimed == []
    assert page.tables["projects"][0]["rationale"] == "เหตุผล"


@pytest.mark.parametrize("line", ["เป้าหมาย 3,000 คน", "วัตถุประสงค์ : เพื่อประชาชน", "ปี 2566 ต่อเนื่อง", "หน่วยงานที่เกี่ยวข้อง"])
@pytest.mark.parametrize("lines", [YII_ROWS, YII_GLUED], ids=["rows", "glued"])
def test_a_line_of_a_text_may_begin_like_a_label(lines: list[str], line: str) -> None:
    *above, last = lines
    more = last.replace("</table>", f"<br>{line}</table>") if lines is YII_ROWS else f"{last}<br>{line}"
    page = parse_page(page_of([*above, more]).encode())
    assert page.tables["projects"][0]["rationale"] == f"เหตุผล {line}"
    assert (page.verdict, page.unclaimed) == ("ok", [])


def test_a_value_that_leads_to_a_list_is_not_lost_unsaid() -> None:
    name = "สำนักงานเขตคลองสามวา"
    link = f'<a href="index101.php?selDEP=50460000">{name}</a>'
    page = parse_page(page_of([row.replace(name, link) for row in YII_ROWS]).encode())
    assert page.tables["projects"][0]["agency_name"] == name or page.unclaimed == [name]
    assert parse_page(page_of([*YII_ROWS, f"<footer>{link}</footer>"]).encode()).unclaimed == []


@pytest.mark.parametrize("start", ["พัฒนาระบบโดย", "จัดพิมพ์หนังสือ © "])
def test_a_long_text_may_begin_like_a_notice(start: str) -> None:
    text = start + "ความร่วมมือของสำนักงานเขต" * 8
    page = parse_page(page_of([*YII_ROWS[:-1], YII_ROWS[-1].replace("เหตุผล</table>", f"{text}</table>")]).encode())
    assert (page.verdict, page.tables["projects"][0]["rationale"]) == ("ok", text)
    page = parse_page(page_of([*KPI[:-1], text]).encode())
    assert (page.verdict, page.tables["kpis"][0]["definition"]) == ("ok", text)


@pytest.mark.parametrize("cut", ["<ul><li>", "<dl><dt>", "<section>", "<p><b>", "<h4 class=x> "])
@pytest.mark.parametrize("lines", [KPI, LIST, YII_GLUED], ids=["kpi", "list", "yii"])
def test_a_page_that_ends_in_an_open_element_is_cut_off(lines: list[str], cut: str) -> None:
    page = parse_page((page_of(lines).removesuffix("\n</body></html>") + cut).encode())
    assert (page.verdict, page.findings[-1]["rule"]) == ("suspect", "page_cut_off")
    assert parse_page((page_of(lines).removesuffix("\n</body></html>") + "<p><li>").encode()).verdict == "ok"


CLOSED_BEHIND = {
    "in a box of boxes": "<div><div><div>ก</div></div></div><div><div>ค<br>ว",
    "below a line's end": "<p>ก</p><p>ข</p><p>ค</p><p>ง<br>จ<br>ฉ",
    "in a letter": "<p>ก</p><p>ข &#36",
    "in a letter's sign": "<p>ก</p><p>ข &#xe",
}


@pytest.mark.parametrize("cut", CLOSED_BEHIND)
def test_a_page_that_was_closed_behind_the_cut_is_cut_off(cut: str) -> None:
    page = parse_page(page_of([*KPI, CLOSED_BEHIND[cut]]).encode())
    assert (page.verdict, page.findings[-1]["rule"]) == ("suspect", "page_cut_off")


def test_a_list_that_ends_in_a_reports_heading_is_cut_off() -> None:
    whole = page_of([*LIST[:-1], *(f"รายงานผลฯ ไตรมาสที่ {quarter}" for quarter in range(1, 5))])
    assert parse_page(whole.encode()).verdict == "ok"
    page = parse_page(whole.removesuffix("\n</body></html>").encode())
    assert (page.verdict, page.findings[-1]["rule"]) == ("suspect", "page_cut_off")


@pytest.mark.parametrize("start", ["<!doctype html><meta charset=utf-8>", "<!doctype html><html lang=th>"])
def test_a_minified_page_may_end_in_its_last_line(start: str) -> None:
    """Minifiers leave out what ends heads, paragraphs and pages."""
    shown = "".join(line if line.startswith("<") else f"<p>{line}" for line in PROJECT)
    page = parse_page(f"{start}<header><a href=/>หน้าแรก</a></header>{shown}".encode())
    same_record(page, PROJECT)
    assert (page.verdict, page.unclaimed) == ("ok", [])
    assert parse_page(f"{start}{shown}"[:-4].encode()).verdict == "suspect"


def test_the_end_of_a_header_is_no_end_of_a_head() -> None:
    shown = "".join(line if line.startswith("<") else f"<p>{line}</p>" for line in PROJECT)
    page = parse_page(f"<!doctype html><meta charset=utf-8><header>Home</header>{shown}".encode())
    assert (page.verdict, page.unclaimed) == ("ok", [])


def test_an_indicators_name_may_be_glued_to_its_code() -> None:
    old = ["รายละเอียดเกี่ยวกับตัวชี้วัด : 5004-0852", "ตัวชี้วัด : จำนวนแห่ง"]
    same_record(parse_page(page_of(instead(PROJECT, old, "".join(old))).encode()), PROJECT)


@pytest.mark.parametrize("heading", ["วัตถุประสงค์ของโครงการ", "เป้าหมายของโครงการ"])
def test_a_heading_may_be_glued_to_its_text_below_a_rationale_without_unit(heading: str) -> None:
    lines = instead(PROJECT, ["50040000/50040000"])
    text = lines[lines.index(heading) + 1]
    same_record(parse_page(page_of(instead(lines, [heading, text], f"{heading} {text}")).encode()), lines)


def test_a_newer_page_shows_all_its_labels() -> None:
    for label in list(YII)[1:]:
        page = parse_page(page_of([row for row in YII_ROWS if f">{label}<" not in row]).encode())
        assert (page.verdict, page.findings[-1]["printed"]) == ("suspect", label)


MENU = ["ความคืบหน้าโครงการ/กิจกรรม", "รายละเอียดตัวชี้วัด", "ผลการปฏิบัติราชการประจำปีของหน่วยงาน", "มิติที่ 2", "รหัสโครงการ"]


@pytest.mark.parametrize(
    "lines", [KPI, PROJECT, LIST, YII_ROWS, YII_GLUED], ids=["kpi", "project", "list", "yii", "glued"]
)
def test_a_menu_may_print_the_titles_of_all_kinds(lines: list[str]) -> None:
    items = "".join(f"<li><a href='x.php'>{title}</a></li>" for title in MENU)
    same_record(parse_page(page_of([f"<ul>{items}</ul>", *lines]).encode()), lines)
    same_record(parse_page(page_of([*lines, f"<footer>{items}</footer>"]).encode()), lines)


@pytest.mark.parametrize("lines", [YII_ROWS, YII_GLUED], ids=["rows", "glued"])
def test_a_newer_page_may_show_its_labels_in_any_order(lines: list[str]) -> None:
    page = parse_page(page_of([*lines[1:4], lines[0], *lines[4:]]).encode())
    same_record(page, lines)
    assert page.unclaimed == []


@pytest.mark.parametrize("lines", [YII_ROWS, YII_GLUED], ids=["rows", "glued"])
def test_a_newer_page_may_mark_a_sub_office(lines: list[str]) -> None:
    marked = [line.replace("สำนักงานเขตคลองสามวา", "** สำนักงานเขตคลองสามวา") for line in lines]
    same_record(parse_page(page_of(marked).encode()), lines)


def test_a_list_of_another_agency_than_asked_for_is_suspect() -> None:
    body = page_of(LIST).encode()
    assert parse_page(body, url="https://x/mobile/index101.php?selDEP=50040000").verdict == "ok"
    page = parse_page(body, url="https://x/mobile/index101.php?y=2563&selDEP=50050000")
    assert (page.verdict, page.findings[-1]["rule"]) == ("suspect", "url_contradicts")


@pytest.mark.parametrize("doctype", ["", '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2//EN">'])
@pytest.mark.parametrize("start", ["<P>", "<LI>", "<TABLE><TR><TD>"])
@pytest.mark.parametrize("lines", [KPI, PROJECT], ids=["kpi", "project"])
def test_a_page_that_never_writes_an_end_is_whole(lines: list[str], start: str, doctype: str) -> None:
    """As pages of the nineties do not; the project's last heading tells the same where even tables stay open."""
    lines = [line.replace("</td>", "").replace("</tr>", "").replace("</th>", "") for line in lines]
    if "TABLE" in start and lines[0] == KPI[0]:
        lines.append("</TABLE>")
    parts = "".join(f"{start if place == 0 else start[-4:]}{line}" for place, line in enumerate(lines))
    page = parse_page(f"{doctype}<HTML><HEAD><TITLE>x</TITLE></HEAD><BODY>{parts}".encode())
    assert (page.verdict, page.unclaimed) == ("ok", [])
