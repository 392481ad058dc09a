"""What a site puts around a record, and odd ways to show one: nothing of it may become the record's, or lose it."""

from typing import Any

import pytest

from parsers import ParsedPage, parse_page
from parsers.labels import PROJECT_HEADINGS

HEADER = "<tr><td>ไตรมาสที่<br>(1 - 4)</td><td>*ผลงาน*<br>(แห่ง)</td><td>*ผลประเมินตัวชี้วัด*<br>(* 2.1 / 2.2 *)</td></tr>"
ROWS = "".join(f"<tr><td>{q}</td><td>1.00</td><td></td><td>20 / 20</td></tr>" for q in range(1, 5))
QUARTERS = f"<table>{HEADER}{ROWS}</table>"
MEASURES = ["ค่าเป้าหมาย แห่ง : 5", "ผลงานที่ทำได้ แห่ง : 3", "ประเภทตัวชี้วัด : ตัวชี้วัดตามภารกิจ"]
KPI = [
    *("รายละเอียดตัวชี้วัด", "Back Home", "จำนวนแห่ง : 5004-0852", *MEASURES, "(ตัวชี้วัดระดับผลผลิต (output))", "0"),
    *(
        "รายละเอียดตัวชี้วัดฯ : พิมพ์ข้อมูล",
        "*** สยป. ตรวจประเมินตัวชี้วัด : ไตรมาสที่ 4 : 60",
        "ผลงานเทียบกับเป้าหมายรายไตรมาส",
        QUARTERS,
    ),
    *("รายงานผลฯ ไตรมาสที่ 1", "ก", "รายงานผลฯ ไตรมาสที่ 2", "-", "รายงานผลฯ ไตรมาสที่ 3", "รายงานผลฯ ไตรมาสที่ 4"),
    *("** สรุปผลการดำเนินงาน **", "สรุป", "นิยาม หรือความหมายของตัวชี้วัด", "ความหมาย"),
]
REPORT = ["(1) ความคืบหน้าโครงการฯ ร้อยละ 80.00 (2021-05-31)", "80.00", "31/5/2564 : ทำแล้ว"]
HARDSHIPS = ["** ปัญหาของโครงการ :ไม่มี", "** อุปสรรคของโครงการ :ฝน"]
HEADINGS = ["หลักการและเหตุผล", "ผลการดำเนินงาน", "แผนการดำเนินงานฯ"]
PROJECT = [
    *("ความคืบหน้าโครงการ/กิจกรรม", "Back Home", "FusionCharts will render here", "โครงการทดสอบ : 50040000-2210"),
    *("สำนักงานเขตบางรัก : (2564)", "80", "ความคืบหน้าโครงการ ร้อยละ 80", "นายสมมติ", "ดูโครงการแผนปีฯ : พิมพ์ข้อมูล"),
    *("*** สยป. ประเมินโครงการ : ไตรมาสที่ 2 75", "หลักการและเหตุผล", "เหตุผล", "50040000/50040000"),
    *("วัตถุประสงค์ของโครงการ", "วัตถุประสงค์", "เป้าหมายของโครงการ", "เป้าหมาย", "สนับสนุนยุทธศาสตร์กรุงเทพมหานครฯ"),
    *(
        "ยุทธศาสตร์ที่ ๔ –ชื่อ",
        "๔.๓ ข",
        "ผลการดำเนินงาน",
        *REPORT,
        *HARDSHIPS,
        "------------------&amp;&amp;&amp;--------------------",
    ),
    *("แผนการดำเนินงานฯ", "ขั้นตอน 1", ":สำรวจ", ":100%", "เริ่มต้น :2020-10-01 00:00:00", "สิ้นสุด :2020-10-31 00:00:00"),
    *("สนับสนุนตัวชี้วัดตามแผนฯ", "รายละเอียดเกี่ยวกับตัวชี้วัด : 5004-0852", "ตัวชี้วัด : จำนวนแห่ง", *MEASURES),
    *("ตัวชี้วัดระดับผลผลิต (output)", QUARTERS, "** ผลการประเมินโครงการ (รายไตรมาส) **"),
]


def page_of(lines: list[str], line: str = "<div>{}</div>") -> str:
    shown = "\n".join(text if text.startswith("<") else line.format(text) for text in lines)
    return f"<html><head><meta charset=utf-8></head><body>\n{shown}\n</body></html>"


def after(lines: list[str], line: str, *more: str) -> list[str]:
    place = lines.index(line) + 1
    return [*lines[:place], *more, *lines[place:]]


def instead(lines: list[str], old: list[str], *new: str) -> list[str]:
    place = lines.index(old[0])
    assert lines[place : place + len(old)] == old
    return [*lines[:place], *new, *lines[place + len(old) :]]


def same_record(page: ParsedPage, lines: list[str]) -> None:
    bare = parse_page(page_of(lines).encode())
    assert bare.verdict == "ok"
    assert [finding for finding in bare.findings if finding["severity"] != "note"] == []
    assert (page.kind, page.verdict, page.tables) == (bare.kind, "ok", bare.tables)


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
        ("<hr><center>Copyright 2563 กรุงเทพมหานคร</center>", ["Copyright 2563 กรุงเทพมหานคร"]),
        ("<p>สงวนลิขสิทธิ์ © 2563</p><p>สำนักยุทธศาสตร์</p><p>Back</p>", ["สงวนลิขสิทธิ์ © 2563", "สำนักยุทธศาสตร์"]),
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
ITEM = [
    "(1) จำนวนแห่ง",
    "[มิติที่ 1 : ก]",
    "ด้านที่ ๑",
    "จำนวนแห่ง",
    "หน่วยนับ :แห่ง",
    "เป้าหมาย :5",
    "ผลงาน :3",
    QUARTERS,
    "รายงาน",
]
LIST = ["ผลการปฏิบัติราชการประจำปีของหน่วยงาน : 50040000", "มิติที่ 1 ก", *ITEM]


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


def test_a_footer_that_is_not_the_last_is_text() -> None:
    page = parse_page(page_of(after(KPI, "สรุป", "<footer>ต่อ</footer>")).encode())
    assert page.tables["kpis"][0]["summary"] == "สรุป ต่อ"


@pytest.mark.parametrize("lines", [KPI, PROJECT], ids=["kpi", "project"])
def test_a_stray_nul_costs_nothing(lines: list[str]) -> None:
    same_record(parse_page(page_of(lines).replace("Back Home", "Back Home\0").encode()), lines)


@pytest.mark.parametrize(
    "line", ["<span class=line>{}</span>", '<a href="#" class="list-group-item">{}</a>', "<b>{}</b>"]
)
@pytest.mark.parametrize("lines", [KPI, PROJECT], ids=["kpi", "project"])
def test_lines_that_a_stylesheet_makes_are_found(lines: list[str], line: str) -> None:
    page = parse_page(page_of(lines, line).encode())
    same_record(page, lines)
    assert page.findings[-1]["rule"] == "lines_by_elements"


@pytest.mark.parametrize("place", ["ความคืบหน้าโครงการ/กิจกรรม", "FusionCharts will render here", "นายสมมติ", PROJECT[9]])
def test_a_menu_of_headings_is_no_section(place: str) -> None:
    menu = "<ul>{}</ul>".format("".join(f"<li><a href='#{n}'>{text}</a></li>" for n, text in enumerate(HEADINGS)))
    page = parse_page(page_of(after(PROJECT, place, menu)).encode())
    same_record(page, PROJECT)
    assert page.unclaimed == []


@pytest.mark.parametrize("above", ["<h1>{}</h1>", "<div>หน้าแรก / {}</div>", "<p>หน้าแรก &gt; โครงการ &gt; {}</p>"])
@pytest.mark.parametrize(("lines", "title"), [(KPI, KPI[2]), (PROJECT, PROJECT[3])], ids=["kpi", "project"])
def test_a_title_that_stands_above_too_is_passed_over(lines: list[str], title: str, above: str) -> None:
    same_record(parse_page(page_of([above.format(title), *lines]).encode()), lines)


def value(lines: list[str], table: str, *columns: str) -> tuple[Any, ...]:
    page = parse_page(page_of(lines).encode())
    assert page.verdict == "ok"
    return tuple(page.tables[table][0][column] for column in columns)


def test_measures_in_one_line_are_parted() -> None:
    lines = instead(KPI, MEASURES, " ".join(MEASURES))
    columns = ("unit", "target_value", "achieved_value", "kpi_type")
    assert value(lines, "kpis", *columns) == ("แห่ง", 5.0, 3.0, "ตัวชี้วัดตามภารกิจ")


def test_problems_and_obstacles_in_one_line_are_parted() -> None:
    lines = instead(PROJECT, HARDSHIPS, " ".join(HARDSHIPS))
    assert value(lines, "progress_reports", "problems", "obstacles") == (None, "ฝน")


def test_a_name_may_quote_a_code() -> None:
    lines = instead(KPI, [KPI[2]], "<table><tr><td>จำนวน : 2400-1013</td><td>:</td><td>5004-0852</td></tr></table>")
    assert value(lines, "kpis", "kpi_code", "name") == ("5004-0852", "จำนวน : 2400-1013")


def test_the_quarters_header_may_have_two_rows() -> None:
    two = (
        "<tr><td rowspan=2>ไตรมาสที่ (1 - 4)</td><td>*ผลงาน*</td><td colspan=2>*ผลประเมินตัวชี้วัด*</td></tr>"
        "<tr><td>(แห่ง)</td><td colspan=2>(* 2.1 / 2.2 *)</td></tr>"
    )
    lines = instead(KPI, [QUARTERS], QUARTERS.replace(HEADER, two))
    assert value(lines, "kpi_quarters", "quarter", "result_value", "evaluation_2_2") == (1, 1.0, 20.0)


def test_two_telephones_stay_together() -> None:
    lines = instead(PROJECT, ["นายสมมติ"], "นายสมมติ โทร. 6541 และ 6542")
    assert value(lines, "contacts", "contact_name", "contact_phone") == ("นายสมมติ", "6541 และ 6542")


UNIT_PAIRS = [
    "<table><tr><td>50040000</td><td>/</td><td>50040100</td></tr></table>",
    "<table><tr><td>50040000 /</td><td>50040100</td></tr></table>",
    "<table><tr><td>50040000</td><td>/ 50040100</td></tr></table>",
]


@pytest.mark.parametrize("pair", UNIT_PAIRS)
def test_the_unit_pair_may_stand_in_cells(pair: str) -> None:
    lines = instead(PROJECT, ["50040000/50040000"], pair)
    assert value(lines, "projects", "unit_code", "unit_code_second", "rationale") == ("50040000", "50040100", "เหตุผล")


def test_the_unit_pair_may_end_the_rationales_line() -> None:
    lines = instead(PROJECT, ["เหตุผล", "50040000/50040000"], "เหตุผล <small>50040000/50040100</small>")
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
    "the rule behind the obstacles": [*REPORT, HARDSHIPS[0], f"{HARDSHIPS[1]} --------&amp;&amp;&amp;--------"],
    "percent and note in one line": [REPORT[0], f"<b>80.00</b> {REPORT[2]}", *HARDSHIPS],
    "the problems in the note's line": [*REPORT[:2], f"{REPORT[2]} {HARDSHIPS[0]}", HARDSHIPS[1]],
    "problems and obstacles in the note's line": [*REPORT[:2], " ".join([REPORT[2], *HARDSHIPS])],
    "a rule above too": ["--------&amp;&amp;&amp;--------", *REPORT, *HARDSHIPS],
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
    "progress in one line": (PROGRESS, "<span>80</span> <span>ความคืบหน้าโครงการ ร้อยละ 80</span>"),
    "progress as label and value": (PROGRESS, "80", "<dl><dt>ความคืบหน้าโครงการ</dt><dd>ร้อยละ 80</dd></dl>"),
    "progress in cells": (
        PROGRESS,
        "<table><tr><td>80</td><td>ความคืบหน้าโครงการ</td><td>ร้อยละ</td><td>80</td></tr></table>",
    ),
    "evaluation behind the links": (EVALUATION, " ".join(EVALUATION)),
    "the links behind the contact": (["นายสมมติ", *EVALUATION], " ".join(["นายสมมติ", *EVALUATION])),
    "the links behind progress": (
        ["ความคืบหน้าโครงการ ร้อยละ 80", "นายสมมติ", *EVALUATION[:1]],
        f"{PROGRESS[1]} {EVALUATION[0]}",
    ),
    "English name below": (
        ["ยุทธศาสตร์ที่ ๔ –ชื่อ"],
        "ด้านที่ ๔ – ชื่อ :",
        "Safe City",
    ),
}


@pytest.mark.parametrize("shape", LINE_SHAPES)
def test_a_line_may_be_two_and_two_be_one(shape: str) -> None:
    old, *new = LINE_SHAPES[shape]
    usual = instead(PROJECT, ["ยุทธศาสตร์ที่ ๔ –ชื่อ"], "ด้านที่ ๔ – ชื่อ : Safe City") if "English" in shape else PROJECT
    usual = instead(PROJECT, ["นายสมมติ"]) if shape == "the links behind progress" else usual
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


TEXTS = {"rationale": "เหตุผล", "objectives": "วัตถุประสงค์", "targets": "เป้าหมาย"}


@pytest.mark.parametrize("column", TEXTS)
def test_a_text_may_begin_with_its_own_heading(column: str) -> None:
    heading = PROJECT[PROJECT.index(TEXTS[column]) - 1]
    expected = {**TEXTS, column: f"{heading} {TEXTS[column]}"}
    assert value(after(PROJECT, heading, heading), "projects", *TEXTS) == tuple(expected.values())


WORDS_OF_A_SITE = [
    "<nav><a href=/>หน้าแรก</a> <a href=/login>เข้าสู่ระบบ</a></nav>",
    "<ul><li>เมนู<li>หน้าแรก<li>ออกจากระบบ</ul>",
    "<div>หน้าแรก | ค้นหา &raquo; Login</div>",
    "<div>« Back | Home</div>",
]


def test_the_furniture_may_stand_in_one_line() -> None:
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
TWICE = [
    ("ความคืบหน้าโครงการ/กิจกรรม", PROJECT[-1]),
    ("โครงการทดสอบ : 50040000-2210", "โครงการทดสอบ : 50040000-2210"),
    ("โครงการทดสอบ : 50040000-2210", "นายสมมติ"),
    ("สำนักงานเขตบางรัก : (2564)", "สำนักงานเขตบางรัก : (2564)"),
    ("80", "ความคืบหน้าโครงการ ร้อยละ 80"),
    ("นายสมมติ", "นายสมมติ"),
    ("*** สยป. ประเมินโครงการ : ไตรมาสที่ 2 75", "*** สยป. ประเมินโครงการ : ไตรมาสที่ 2 75"),
    (REPORT[0], "------------------&amp;&amp;&amp;--------------------"),
    ("ขั้นตอน 1", "สิ้นสุด :2020-10-31 00:00:00"),
    ("รายละเอียดเกี่ยวกับตัวชี้วัด : 5004-0852", QUARTERS),
    (QUARTERS, QUARTERS),
]


@pytest.mark.parametrize("part", TWICE, ids=range(len(TWICE)))
def test_a_part_printed_twice_over_is_read_once(part: tuple[str, str]) -> None:
    page = parse_page(page_of(doubled(PROJECT, *part)).encode())
    same_record(page, PROJECT)
    assert page.unclaimed == []
    assert "printed_twice" in {finding["rule"] for finding in page.findings}


def test_headings_printed_twice_over_are_no_text() -> None:
    lines = [line for line in PROJECT for _ in range(2 if line in PROJECT_HEADINGS.values() else 1)]
    page = parse_page(page_of(lines).encode())
    same_record(page, PROJECT)
    assert page.unclaimed == []


def test_an_indicator_listed_twice_with_other_values_is_told() -> None:
    first, last = "รายละเอียดเกี่ยวกับตัวชี้วัด : 5004-0852", QUARTERS
    lines = doubled(PROJECT, first, last)
    lines[len(lines) - lines[::-1].index("ค่าเป้าหมาย แห่ง : 5") - 1] = "ค่าเป้าหมาย แห่ง : 6"
    page = parse_page(page_of(lines).encode())
    assert page.tables == parse_page(page_of(PROJECT).encode()).tables
    assert "duplicate_key" in {finding["rule"] for finding in page.findings}


@pytest.mark.parametrize("joint", [" ", "<br>"])
def test_reports_with_problems_and_obstacles_in_one_line_are_parted(joint: str) -> None:
    rule = "--------&amp;&amp;&amp;--------"
    older = ["(2) ความคืบหน้าโครงการฯ ร้อยละ 40.00 (2021-02-28)", "40.00", "28/2/2564 : เริ่ม"]
    hardships = ["** ปัญหาของโครงการ :รถติด", "** อุปสรรคของโครงการ :-"]
    both = [*REPORT, joint.join(HARDSHIPS), rule, *older, joint.join(hardships), rule]
    page = parse_page(page_of(instead(PROJECT, [*REPORT, *HARDSHIPS], *both)).encode())
    rows = [(row["note"], row["problems"], row["obstacles"]) for row in page.tables["progress_reports"]]
    assert rows == [("เริ่ม", "รถติด", None), ("ทำแล้ว", None, "ฝน")]
    assert page.unclaimed == []


@pytest.mark.parametrize("kind", ["text", "datetime", "datetime-local", "month", "", "thai"])
def test_any_field_shows_its_value(kind: str) -> None:
    field = f"เริ่มต้น :<input type='{kind}' value='2020-10-01 00:00:00'>"
    page = parse_page(page_of(instead(PROJECT, ["เริ่มต้น :2020-10-01 00:00:00"], field)).encode())
    same_record(page, PROJECT)


@pytest.mark.parametrize("kind", ["checkbox", "RADIO", "password", "file", "image", "range", "color"])
def test_a_field_that_shows_no_value_prints_none(kind: str) -> None:
    page = parse_page(page_of(after(PROJECT, "เป้าหมาย", f"<input type={kind} value=1>")).encode())
    same_record(page, PROJECT)


def test_a_glued_rationale_stands_below_progress_in_one_line() -> None:
    lines = instead(PROJECT, PROGRESS, " ".join(PROGRESS))
    lines = instead(lines, ["หลักการและเหตุผล", "เหตุผล"], "<b>หลักการและเหตุผล :</b> เหตุผล")
    same_record(parse_page(page_of(lines).encode()), PROJECT)


def test_a_unit_pair_in_the_rationales_line_stands_before_a_glued_heading() -> None:
    lines = instead(PROJECT, ["เหตุผล", "50040000/50040000"], "เหตุผล 50040000/50040000")
    lines = instead(lines, ["วัตถุประสงค์ของโครงการ", "วัตถุประสงค์"], "<b>วัตถุประสงค์ของโครงการ</b> วัตถุประสงค์")
    same_record(parse_page(page_of(lines).encode()), PROJECT)


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


def test_without_progress_a_bare_telephone_number_stays_the_contacts() -> None:
    lines = instead(PROJECT, [*PROGRESS, "นายสมมติ"], "-", "ความคืบหน้าโครงการ ร้อยละ", "6914")
    page = parse_page(page_of(lines).encode())
    assert page.tables["projects"][0]["progress_percent"] is None
    assert page.tables["contacts"][0]["contact_phone"] == "6914"
    assert (page.verdict, page.unclaimed) == ("ok", [])


def test_headings_that_a_note_quotes_are_no_menu() -> None:
    """The real ones stand one below the other where the text of the first is missing."""
    note = "<br>".join([REPORT[2], "วัตถุประสงค์ของโครงการ", "ก", "เป้าหมายของโครงการ", "ข"])
    lines = instead(PROJECT, ["วัตถุประสงค์"])
    page = parse_page(page_of(instead(lines, [REPORT[2]], note)).encode())
    assert (page.verdict, page.unclaimed) == ("ok", [])
    assert [page.tables["projects"][0][column] for column in TEXTS] == ["เหตุผล", None, "เป้าหมาย"]
    assert page.tables["progress_reports"][0]["note"] == "ทำแล้ว วัตถุประสงค์ของโครงการ ก เป้าหมายของโครงการ ข"


def test_a_heading_quoted_above_one_that_belongs_before_it_is_text() -> None:
    lines = instead(PROJECT, ["ยุทธศาสตร์ที่ ๔ –ชื่อ", "๔.๓ ข"])
    page = parse_page(page_of(after(lines, "เป้าหมาย", "ผลการดำเนินงาน")).encode())
    assert (page.verdict, page.unclaimed) == ("ok", [])
    assert page.tables["projects"][0]["targets"] == "เป้าหมาย ผลการดำเนินงาน"


@pytest.mark.parametrize("joined", [(0, 2), (1, 3), (0, 5)])
def test_an_indicators_lines_may_be_one(joined: tuple[int, int]) -> None:
    first, last = joined
    block = ["รายละเอียดเกี่ยวกับตัวชี้วัด : 5004-0852", "ตัวชี้วัด : จำนวนแห่ง", *MEASURES]
    new = [*block[:first], " ".join(block[first:last]), *block[last:]]
    page = parse_page(page_of(instead(PROJECT, block, *new)).encode())
    same_record(page, PROJECT)
    assert page.unclaimed == []
