"""What a site puts around a record, and odd ways to show one: nothing of it may become the record's, or lose it."""

import re
from typing import Any

import pytest

from parsers import ParsedPage, parse_page

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
        ("<hr>พัฒนาระบบโดย กองสารสนเทศ<br>โทร. 0", ["พัฒนาระบบโดย กองสารสนเทศ", "โทร. 0"]),
        ("<p>จำนวนผู้เข้าชม : 12,345 ครั้ง</p>", ["จำนวนผู้เข้าชม : 12,345 ครั้ง"]),
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


@pytest.mark.parametrize(
    "report",
    [
        ["1 ประชุมคณะกรรมการ", "เบิกจ่าย 50/100"],
        ["2 ครั้ง คิดเป็น 3/4"],
        ["4 / 5"],
        ["(1) สำรวจ", "(2) ออกแบบ", "[ภาพกิจกรรม]"],
        ["3 แห่ง 1/2"],
    ],
)
def test_a_report_may_begin_like_a_quarter_or_an_item(report: list[str]) -> None:
    lines = [*LIST[:-1], *report, *(line.replace("(1)", "(2)") for line in ITEM)]
    page = parse_page(page_of(lines).encode())
    assert [row["report"] for row in page.tables["result_list_items"]] == [" ".join(report), "รายงาน"]
    assert len(page.tables["result_list_quarters"]) == 8
    assert [finding for finding in page.findings if finding["severity"] != "note"] == page.unclaimed == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (ITEM[4:7], [" ".join(ITEM[4:7])]),
        (ITEM[5:7], [" ".join(ITEM[5:7])]),
        (LIST[:1], ["ผลการปฏิบัติราชการประจำปี", ":", "ของหน่วยงาน", ":", "50040000"]),
        (LIST[1:2], ["มิติที่", "1", "ก"]),
    ],
)
def test_a_lists_lines_may_be_joined_or_parted(old: list[str], new: list[str]) -> None:
    page = parse_page(page_of(instead(LIST, old, *new)).encode())
    same_record(page, LIST)
    assert page.unclaimed == []


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
def test_an_icon_belongs_to_the_item_in_whose_box_it_stands(box: str) -> None:
    parts = "".join(line if line.startswith("<") else f"<div>{line}</div>" for line in ITEM[1:])
    items = [box.format(no=no, parts=parts, icon=ICON.format(code)) for no, code in enumerate(CODES, 1)]
    page = parse_page(page_of([*LIST[:2], *items]).encode())
    assert [row["kpi_code"] for row in page.tables["result_list_items"]] == CODES
    assert page.unclaimed == []


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
    assert page.unclaimed == HEADINGS


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
        ([(1, "5", "8", "0 /<br>2"), (2, "3", "", "0 /<br>3")], [(5, 8, 0, 2), (3, None, 0, 3)]),
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
    assert bool(page.unclaimed) == (len(read) < len(rows))


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


def test_two_telephones_stay_together() -> None:
    lines = instead(PROJECT, ["นายสมมติ"], "นายสมมติ โทร. 6541 และ 6542")
    assert value(lines, "contacts", "contact_name", "contact_phone") == ("นายสมมติ", "6541 และ 6542")


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


@pytest.mark.parametrize("number", ["", "<{0}>{1}</{0}>"])
def test_a_grid_prints_all_labels_above_all_values(number: str) -> None:
    head = number.format("th", "#") + "".join(f"<th><a href='#'>{label}</a></th>" for label in YII)
    filters = "<td>&nbsp;</td>" * (len(YII) + bool(number))
    values = number.format("td", "1") + "".join(f"<td>{text}</td>" for text in YII.values())
    grid = f"<div>แสดง <b>1-1</b> จาก <b>1</b> ผลลัพธ์</div><table><tr>{head}<th></th><tr>{filters}<td><tr>{values}<td></table>"
    page = parse_page(page_of([grid, YII_BUTTONS]).encode())
    same_record(page, YII_ROWS)
    assert page.unclaimed == []


@pytest.mark.parametrize(
    "line", ["เป้าหมาย 3,000 คน", "วัตถุประสงค์ : เพื่อประชาชน", "ปี 2566 ต่อเนื่อง", "หน่วยงานที่เกี่ยวข้อง", "ปี"]
)
@pytest.mark.parametrize("lines", [YII_ROWS, YII_GLUED], ids=["rows", "glued"])
def test_a_line_of_a_text_may_begin_like_a_label(lines: list[str], line: str) -> None:
    *above, last = lines
    more = last.replace("</table>", f"<br>{line}</table>") if lines is YII_ROWS else f"{last}<br>{line}"
    page = parse_page(page_of([*above, more]).encode())
    assert page.tables["projects"][0]["rationale"] == f"เหตุผล {line}"
    assert (page.verdict, page.unclaimed) == ("ok", [])


@pytest.mark.parametrize("cut", ["<ul><li>", "<dl><dt>", "<section>", "<p><b>", "<h4 class=x> "])
@pytest.mark.parametrize("lines", [KPI, LIST, YII_GLUED], ids=["kpi", "list", "yii"])
def test_a_page_that_ends_in_an_open_element_is_cut_off(lines: list[str], cut: str) -> None:
    page = parse_page((page_of(lines).removesuffix("\n</body></html>") + cut).encode())
    assert (page.verdict, page.findings[-1]["rule"]) == ("suspect", "page_cut_off")
    assert parse_page((page_of(lines).removesuffix("\n</body></html>") + "<p><li>").encode()).verdict == "ok"


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


def test_a_list_of_another_agency_than_asked_for_is_suspect() -> None:
    body = page_of(LIST).encode()
    assert parse_page(body, url="https://x/mobile/index101.php?selDEP=50040000").verdict == "ok"
    page = parse_page(body, url="https://x/mobile/index101.php?y=2563&selDEP=50050000")
    assert (page.verdict, page.findings[-1]["rule"]) == ("suspect", "url_contradicts")
