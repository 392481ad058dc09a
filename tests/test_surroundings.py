"""What a site puts around a record, and odd ways to show one: nothing of it may become the record's, or lose it."""

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


XDEBUG = (
    "<table><tr><th colspan=5><span>( ! )</span> Warning: mysqli_query() expects mysqli in C:\\a.php on line <i>12</i></th></tr>"
    "<tr><th colspan=5>Call Stack</th></tr>"
    "<tr><th>#</th><th>Time</th><th>Memory</th><th>Function</th><th>Location</th></tr>"
    "<tr><td>1</td><td>0.0010</td><td>361240</td><td>{main}(  )</td><td>..\\a.php:0</td></tr></table>"
)
FRAMEWORK = (
    "<h4>A PHP Error was encountered</h4><p>Severity: Notice</p><p>Message: Undefined index</p><p>Filename: a.php</p>"
    "<p>Line Number: 5</p>"
)
DATABASE = (
    "<b>A Database Error Occurred</b><br>Error Number: 1146<br>Table 'a' doesn't exist<br>SELECT * FROM `a`<br>"
    "Line Number: 3"
)
ASP = "<p>Microsoft VBScript runtime error '800a000d'</p><p>Type mismatch: 'CInt'</p><p>/mobile/a.asp, line 33</p>"
ODBC = (
    "<p>Microsoft OLE DB Provider for ODBC Drivers error '80040e14'</p>"
    "<p>[Microsoft][ODBC SQL Server Driver][SQL Server]Incorrect syntax</p><p>/a.asp, line 3</p>"
)
CONNECTIONS = "<p>ไม่สามารถเชื่อมต่อฐานข้อมูลได้ : Too many connections</p>"
CAKE = "<pre class=cake-error>Notice (8): Undefined variable [APP/a.php, line 3]</pre>"


@pytest.mark.parametrize(
    "message", [XDEBUG, FRAMEWORK, DATABASE, ASP, ODBC, CONNECTIONS, CAKE, "<p>Resource id #5</p>"]
)
@pytest.mark.parametrize("lines", [KPI, PROJECT, LIST], ids=["kpi", "project", "list"])
def test_a_message_of_several_lines_is_no_text_of_the_record(lines: list[str], message: str) -> None:
    bare = parse_page(page_of(lines).encode())
    for place in range(1, len(lines) + 1):
        page = parse_page(page_of([*lines[:place], message, *lines[place:]]).encode())
        assert (page.verdict, page.tables, page.unclaimed) == ("suspect", bare.tables, [])
        errors = {finding["rule"] for finding in page.findings if finding["severity"] == "error"}
        assert errors == {"error_message_in_page"}


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
