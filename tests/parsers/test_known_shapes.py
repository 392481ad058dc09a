"""Lines in shapes that real pages have: titles over several lines, levels of the plan above a list, the newer page."""

from typing import Any

import pytest
from support.sample_pages import ITEM, KPI, LIST, MEASURES, PROJECT, after, instead, page_of, same_record

from parsers import ParsedPage, facts_sha256, parse_page
from parsers.grammar import Outline, Section
from parsers.pages import kpi


def read(lines: list[str], url: str | None = None) -> ParsedPage:
    return parse_page(page_of(lines).encode(), url=url)


def ok(page: ParsedPage, table: str) -> dict[str, Any]:
    """The first row of a table of a page that is read whole."""
    assert (page.verdict, page.unclaimed) == ("ok", [])
    row: dict[str, Any] = page.tables[table][0]
    return row


def test_a_projects_title_may_have_two_lines() -> None:
    lines = instead(PROJECT, [PROJECT[3]], "โครงการอาสาสมัครชักลากมูลฝอย", "ในชุมชน : 50330000-3073")
    assert ok(read(lines), "projects")["name"] == "โครงการอาสาสมัครชักลากมูลฝอย ในชุมชน"


@pytest.mark.parametrize("agency", ["สำนักงานเขตพระโขนง", "** สํานักพัฒนาสังคม"])
def test_an_agency_without_its_year_is_named(agency: str) -> None:
    page = read(instead(PROJECT, ["สำนักงานเขตบางรัก : (2564)"], agency))
    row = page.tables["projects"][0]
    assert (row["agency_name"], row["fiscal_year_be"]) == (agency.lstrip("* ").replace("สํานัก", "สำนัก"), None)
    missing = [(finding["rule"], finding["column"]) for finding in page.findings if finding["severity"] == "error"]
    assert (page.verdict, page.unclaimed, missing) == ("suspect", [], [("part_missing", "fiscal_year_be")])


def test_the_unit_that_answers_is_no_agency() -> None:
    lines = instead(PROJECT, ["สำนักงานเขตบางรัก : (2564)", "80"])
    page = read(instead(lines, ["นายสมมติ"], "สำนักงานวัฒนธรรม"))
    assert page.tables["projects"][0]["agency_name"] is None
    assert page.tables["contacts"][0]["contact"] == "สำนักงานวัฒนธรรม"


@pytest.mark.parametrize("what", ["expand", "collapse"])
def test_headings_that_a_browser_made_fold_are_the_same(what: str) -> None:
    headings = kpi.SECTIONS.headings
    same_record(read([f"{line} click to {what} contents" if line in headings else line for line in KPI]), KPI)


@pytest.mark.parametrize("contact", ["นายสมมติ", "6914"])
def test_below_progress_that_is_blank_stands_the_contact(contact: str) -> None:
    lines = instead(PROJECT, ["80", "ความคืบหน้าโครงการ ร้อยละ 80", "นายสมมติ"], "ความคืบหน้าโครงการ ร้อยละ", contact)
    page = read(lines)
    assert ok(page, "projects")["progress_percent"] is None
    assert ok(page, "contacts")["contact"] == contact


def test_an_indicators_title_may_have_three_lines() -> None:
    lines = instead(KPI, [KPI[2]], "ร้อยละของถนนที่สะอาด", "- ถนนสายหลัก", "(ร้อยละ 12) : 5016-0801")
    assert ok(read(lines), "kpis")["name"] == "ร้อยละของถนนที่สะอาด - ถนนสายหลัก (ร้อยละ 12)"


def test_a_title_whose_first_line_is_not_clear_makes_the_page_suspect() -> None:
    lines = instead(PROJECT, [PROJECT[3]], "ชื่อ : โครงการ", PROJECT[3])
    page = read(lines)
    assert (page.verdict, page.unclaimed) == ("suspect", ["ชื่อ : โครงการ"])
    assert "title_unclear" in [finding["rule"] for finding in page.findings]


def test_an_items_name_may_have_four_lines_twice() -> None:
    name = ["ร้อยละของถนน", "- ถนนสายหลัก", "- ถนนสายรอง", "(ร้อยละ 12)"]
    item = [f"(1) {name[0]}", *name[1:], "[มิติที่ 1 : ตัวชี้วัดเจรจา]", "ด้านที่ ๑ – ก", *name, *ITEM[4:]]
    row = ok(read(["Home Home SED", *LIST[:2], *item]), "result_list_items")
    assert (row["name"], row["strategy"]) == (" ".join(name), "ด้านที่ ๑ – ก")


@pytest.mark.parametrize("number", [1, 2])
def test_an_items_name_may_have_numbered_lines(number: int) -> None:
    above = ITEM if number == 2 else []
    name = ["ความยาวถนน", "(1) สายหลัก", "(2) สายรอง"]
    item = [f"({number}) {name[0]}", *name[1:], "[มิติที่ 1 : ก]", *name, *ITEM[4:]]
    page = read([*LIST[:2], *above, *item])
    assert (page.verdict, page.unclaimed) == ("ok", [])
    row = page.tables["result_list_items"][-1]
    assert (row["item_no"], row["name"]) == (number, " ".join(name))


def test_levels_of_the_plan_above_a_list_are_no_dimension() -> None:
    levels = ["ด้านที่ ๒ – มหานครสีเขียว", "มิติที่ ๒.๓ - พื้นที่สีเขียว"]
    item = [ITEM[0], "[มิติที่ 1 : ]", "จำนวนแห่ง", *ITEM[4:]]
    page = read([LIST[0], *levels, *item], url="https://x/mobile/index11.php?selDEP=50040000")
    row = ok(page, "result_list_items")
    assert (row["dimension_no"], row["dimension_name"], row["list_name"]) == (1, None, "index11")
    assert row["strategy"] == " ".join(levels)


@pytest.mark.parametrize(
    ("above", "between", "names", "strategies"),
    [
        (["มิติที่ 1 ก"], ["มิติที่ 2 ข"], ["ก", "ข"], ["ด้านที่ ๑", "ด้านที่ ๑"]),
        (["มิติที่ 1 ก"], ["มิติที่ 1 ก"], ["ก", None], ["ด้านที่ ๑", "ด้านที่ ๑"]),
        (
            ["ด้านที่ ๒ – ก", "มิติที่ ๒.๓ - ข"],
            ["มิติที่ ๒.๔ - ค"],
            [None, None],
            ["ด้านที่ ๒ – ก มิติที่ ๒.๓ - ข", "ด้านที่ ๒ – ก มิติที่ ๒.๔ - ค"],
        ),
    ],
)
def test_a_heading_between_two_items_is_about_the_items_below_it(
    above: list[str], between: list[str], names: list[str | None], strategies: list[str]
) -> None:
    first = [line for line in ITEM if not (line == "ด้านที่ ๑" and strategies[0] != line)]
    second = ["(2) จำนวนแห่ง", "[มิติที่ 2 : ก]", *first[2:]]
    page = read([LIST[0], *above, *first, *between, *second])
    rows = page.tables["result_list_items"]
    assert [row["report"] for row in rows] == ["รายงาน", "รายงาน"]
    assert [row["dimension_name"] for row in rows] == names
    assert [row["strategy"] for row in rows] == strategies
    assert [finding["rule"] for finding in page.findings if finding["severity"] != "note"] == (
        ["dimensions_differ"] if names == ["ก", None] else []
    )


def test_below_a_dimension_a_report_may_have_lines_like_levels() -> None:
    report = ["ผลการประเมิน", "ด้านที่ 1 - กายภาพ", "ด้านที่ 2 - สังคม"]
    page = read([*LIST[:-1], *report, "(2) จำนวนแห่ง", *ITEM[1:]])
    first, second = page.tables["result_list_items"]
    assert (first["report"], second["strategy"]) == (" ".join(report), "ด้านที่ ๑")
    assert (page.verdict, page.unclaimed) == ("ok", [])


def test_below_an_items_measures_a_report_may_have_lines_like_them() -> None:
    report = ["ทำแล้ว", "เป้าหมาย : 10 แห่ง", "ผลงาน : 5 แห่ง"]
    page = read([*LIST[:-1], *report])
    row = ok(page, "result_list_items")
    assert (row["target_value"], row["report"]) == (5, " ".join(report))
    assert [one["printed"] for one in page.findings if one["rule"] == "line_not_understood"] == report[1:]
    assert read([*LIST, *ITEM[2:]]).verdict == "suspect"  # an item that has lost its number and brackets


@pytest.mark.parametrize("text", ["มิติที่ 1 ด้านประสิทธิผล ทำแล้ว", "ด้านที่ 1 - กายภาพ"])
def test_a_quarters_report_may_begin_like_a_heading_of_items(text: str) -> None:
    reports = [
        line for quarter in range(1, 5) for line in (f"รายงานผลฯ ไตรมาสที่ {quarter}", text if quarter < 4 else "-")
    ]
    for above in (LIST[1], "ด้านที่ ๒ – ก"):
        page = read([LIST[0], above, *ITEM[:-1], *reports, "(2) จำนวนแห่ง", *ITEM[1:]])
        assert (page.verdict, page.unclaimed, len(page.tables["result_list_items"])) == ("ok", [], 2)
        narratives = [row["narrative"] for row in page.tables["result_list_quarters"][:4]]
        assert narratives == [text, text, text, "-"]
    if "1 ด้าน" in text:  # below a level of the plan stands no dimension, only levels
        page = read([LIST[0], "ด้านที่ ๒ – ก", *ITEM[:-1], text, "(2) จำนวนแห่ง", *ITEM[1:]])
        assert [row["report"] for row in page.tables["result_list_items"]] == [text, ITEM[-1]]


def test_below_a_numbered_report_a_report_may_begin_like_a_measure() -> None:
    page = read([*LIST[:-1], "(1) สำรวจ", "เป้าหมายที่ตั้งไว้ทำได้ครบ", "ผลงานเป็นไปตามแผน"])
    assert ok(page, "result_list_items")["report"] == "(1) สำรวจ เป้าหมายที่ตั้งไว้ทำได้ครบ ผลงานเป็นไปตามแผน"
    reports = ["รายงานผลฯ ไตรมาสที่ 1", "(1) สำรวจ", "รายงานผลฯ ไตรมาสที่ 2", "ผลงาน : 5 แห่ง"]
    page = read([*LIST[:-1], *reports, "รายงานผลฯ ไตรมาสที่ 3", "รายงานผลฯ ไตรมาสที่ 4"])
    assert ok(page, "result_list_quarters")["narrative"] == "(1) สำรวจ"


def test_an_items_name_may_stand_in_one_line_above_the_brackets_and_in_several_below() -> None:
    name = ["การคัดแยกมูลฝอย", "- ร้อยละของมูลฝอย (ร้อยละ 12)", "- ร้อยละของมูลฝอยอันตราย (ร้อยละ 5)"]
    level = "มิติที่ ๑.๑ - ปลอดมลพิษ เป้าหมายที่ ๑.๑.๒ กรุงเทพมหานครมีการลดมูลฝอย การจั"
    row = ok(
        read([*LIST[: -len(ITEM)], f"(1) {' '.join(name)}", ITEM[1], level, *name, *ITEM[4:]]), "result_list_items"
    )
    assert (row["name"], row["strategy"]) == (" ".join(name), level)


def test_a_lists_items_have_the_heading_of_quarters_that_an_indicators_page_has() -> None:
    level = "มิติที่ ๗.๓ - การบริหาร เป้าหมายที่ ๗.๓.๑ บุคลากรเป็นที่เชื่"
    item = ["(1) 3.2 จำนวนแห่ง", "[มิติที่ 3 : ]", level, "3.2  จำนวนแห่ง", *ITEM[4:7], "ผลงานเทียบกับเป้าหมายรายไตรมาส"]
    reports = [f"รายงานผลฯ ไตรมาสที่ {quarter}" for quarter in range(1, 5)]
    head = ["ผลการปฏิบัติราชการประจำปี : ของหน่วยงาน : 50040000", "Home Home SED", "มิติที่ 3 ด้านคุณภาพ"]
    page = read([*head, *item, ITEM[7], *reports, item[0].replace("1", "2"), *item[1:], ITEM[7], *reports])
    row = ok(page, "result_list_items")
    assert (page.kind, len(page.tables["result_list_quarters"])) == ("result_list", 8)
    assert (row["name"], row["strategy"], row["achieved_value"]) == ("3.2 จำนวนแห่ง", level, 3)
    assert {finding["rule"] for finding in page.findings} == {"kpi_code_missing"}
    reports = [reports[0], "ค่าเป้าหมาย ร้อยละ : 80", reports[1], "ผลงานที่ทำได้ ร้อยละ 92", *reports[2:]]
    page = read([*head, *item, ITEM[7], *reports])
    assert ok(page, "result_list_quarters")["narrative"] == "ค่าเป้าหมาย ร้อยละ : 80"
    parts = ["** สรุปผลการดำเนินงาน **", "สรุป", "นิยาม หรือความหมายของตัวชี้วัด", "ความหมาย"]  # not seen in a list
    page = read([*head, *item, ITEM[7], *reports, *parts, item[0].replace("1", "2"), *item[1:], ITEM[7], *reports])
    assert (page.verdict, page.unclaimed, len(page.tables["result_list_items"])) == ("ok", ["สรุป", "ความหมาย"], 2)
    assert [row["narrative"] for row in page.tables["result_list_quarters"]][2:4] == [None, None]


def test_without_its_address_a_list_has_no_name() -> None:
    assert ok(read(LIST), "result_list_items")["list_name"] is None


YII = [
    *("รายละเอียดโครงการ/กิจกรรม: 50460000-3697", "คืบหน้าล่าสุด : ร้อยละ 80", "ข้อมูลโครงการ/กิจกรรม พิมพ์ PDF"),
    *("รหัสโครงการ50460000-3697", "ชื่อโครงการทดสอบ", "ปี2566", "งบฯ ที่ได้รับ (บาท)120,000", "งบฯ ที่ใช้ไป (บาท)0"),
    *("คืบหน้าล่าสุด80", "หน่วยงานสำนักงานเขตคลองสามวา", "Start Date2022-10-01 00:00:00.000"),
    *("Finish Date2023-09-30 00:00:00.000", "Kpi ID(ไม่ได้ตั้ง)", "Policy ID30", "Branch ID1307", "หลักการและเหตุผลทางเท้า"),
]


def test_the_newer_page_names_policy_and_branch() -> None:
    row = ok(read(YII), "projects")
    assert (row["policy_id"], row["branch_id"], row["name"]) == ("30", "1307", "ทดสอบ")


def test_the_newer_page_may_have_two_columns_and_an_empty_branch() -> None:
    rows = "<tr><th>Policy ID<td>30<tr><th>Branch ID<td><tr><th>หลักการและเหตุผล<td>ทางเท้า"
    page = read([*YII[:-3], f"<table>{rows}</table>"])
    row = ok(page, "projects")
    assert (row["policy_id"], row["branch_id"], row["rationale"]) == ("30", None, "ทางเท้า")


CITY = [
    *("โครงการจัดทำฐานข้อมูลตัวชี้วัดการพัฒนาเมือง (2562-2563)", "Back Home", "๓. จำนวนพื้นที่สีเขียว : 87"),
    *("ค่าเป้าหมาย ≥1 : แห่ง", "ลักษณะข้อมูล : ตัวชี้วัดเป้าประสงค์", "สนับสนุนยุทธศาสตร์กรุงเทพมหานครฯ"),
    *(":ด้านที่ ๓ - มหานคร", ":มิติที่ ๓.๒ - ก", ":เป้าหมายที่ ๓.๒.๑ ข%", "1.นิยาม หรือความหมายของตัวชี้วัด", "นิยาม"),
    *("2.วิธีการคำนวณ หรือ เกณฑ์การประเมิน", "วิธี", "3.แหล่งข้อมูล/เจ้าของข้อมูล", "แหล่ง"),
]


@pytest.mark.parametrize("text", ["หน่วยงานของกรุงเทพมหานคร", "หลักการและเหตุผล ทางเท้าทรุด", "ปีงบประมาณ 2566"])
def test_the_newer_pages_rationale_may_begin_like_a_label(text: str) -> None:
    page = read([*YII[:-1], f"<table><tr><th>หลักการและเหตุผล<td>{text}</table>"])
    assert ok(page, "projects")["rationale"] == text


def test_a_city_indicator_has_a_table_of_its_own() -> None:
    page = read(CITY, url="https://x/mobile/mykpi2563.php?pid=87")
    row = ok(page, "city_indicators")
    assert (page.kind, page.code, row["printed_no"], row["fiscal_years"]) == ("city_indicator", "87", "3", "2562-2563")
    assert (row["name"], row["unit"], row["target"]) == ("จำนวนพื้นที่สีเขียว", "≥1", "แห่ง")
    assert (row["definition"], row["method"], row["source"]) == ("นิยาม", "วิธี", "แหล่ง")
    levels = [(level["level"], level["strategy_code"]) for level in page.tables["city_indicator_strategies"]]
    assert levels == [(1, "3"), (2, "3.2"), (3, "3.2.1")]


@pytest.mark.parametrize(
    ("printed", "unit", "target"),
    [
        *(("อัตราส่วน : 1:20", "อัตราส่วน", "1:20"), ("อัตราส่วน : 1 : 20", "อัตราส่วน", "1 : 20")),
        ("สัดส่วน : 80 : 20", "สัดส่วน", "80 : 20"),
        *(("ราย:เดือน : 5", "ราย:เดือน", "5"), ("ร้อยละ 2 : 2", "ร้อยละ 2", "2"), ("ระดับ 1 : 5 : 5", "ระดับ 1 : 5", "5")),
    ],
)
def test_a_target_may_be_a_ratio(printed: str, unit: str, target: str) -> None:
    row = ok(read([line.replace("≥1 : แห่ง", printed) for line in CITY]), "city_indicators")
    assert (row["unit"], row["target"]) == (unit, target)


def test_a_fourth_part_that_nobody_has_seen_whole_is_no_source() -> None:
    page = read([*CITY, "4.ผู้รับผิดชอบ", "ก"])
    assert (page.tables["city_indicators"][0]["source"], page.unclaimed) == ("แหล่ง", ["ผู้รับผิดชอบ", "ก"])


def test_a_list_in_a_source_has_no_fourth_part() -> None:
    source = ["1. เขต", "2. สำนัก", "3. ศูนย์", "4. กอง"]
    assert ok(read([*CITY[:-1], *source]), "city_indicators")["source"] == " ".join(source)


def test_only_the_third_level_of_the_plan_has_a_stray_percent_sign() -> None:
    levels = ["๑.๔.๑ ลดลง 50%%", "๑.๔.๑.๑ ลดลง 50%"]
    page = read(after(PROJECT, "สนับสนุนยุทธศาสตร์กรุงเทพมหานครฯ", *levels))
    assert [row["name"] for row in page.tables["project_strategies"]][:2] == ["ลดลง 50%", "ลดลง 50%"]


def test_an_indicators_page_of_which_only_the_main_text_is_left_is_suspect() -> None:
    page = read([*MEASURES[:2], "*** สยป. ตรวจประเมินตัวชี้วัด : ไตรมาสที่ 4 : 60"])
    assert (page.kind, page.verdict, page.tables) == ("kpi", "suspect", {})


@pytest.mark.parametrize("place", [0, 1])
def test_a_menu_of_the_portals_own_lists_is_navigation(place: int) -> None:
    menu = ["<p><a href='index102.php?selDEP=50010000'>มิติที่ 2</a></p>", "<p><a href='/mobile/index11.php'>เขต</a></p>"]
    assert ok(read([*PROJECT[:place], *menu, *PROJECT[place:]]), "projects")["name"] == "โครงการทดสอบ"


def test_an_empty_unit_and_an_empty_type_are_as_printed() -> None:
    blank = {"ค่าเป้าหมาย แห่ง : 5": "ค่าเป้าหมาย : 0", "ผลงานที่ทำได้ แห่ง : 3": "ผลงานที่ทำได้ : 0", MEASURES[2]: "ประเภทตัวชี้วัด :"}
    row = ok(read([blank.get(line, line).replace("(แห่ง)", "()") for line in KPI]), "kpis")
    assert (row["unit"], row["target_value"], row["kpi_type"], row["kpi_level"]) == (None, 0.0, None, "output")


@pytest.mark.parametrize(
    ("printed", "day", "rule"),
    [
        ("2563-10-01 00:00:00", "2020-10-01", "buddhist_year"),
        ("2567-02-29", "2024-02-29", "buddhist_year"),
        ("1900-01-01 00:00:00.000", None, "date_is_no_date"),
        ("0000-00-00 00:00:00", None, "date_is_no_date"),
        ("1970-01-01", None, "date_is_no_date"),
        ("9999-12-31", None, "date_is_no_date"),
        ("2020-02-30", None, "date_unreadable"),
        ("1963-10-01", None, "date_unreadable"),
    ],
)
def test_a_day_is_one_that_the_portal_can_print(printed: str, day: str | None, rule: str) -> None:
    page = read(instead(PROJECT, ["เริ่มต้น :2020-10-01 00:00:00"], f"เริ่มต้น :{printed}"))
    assert page.tables["plan_steps"][0]["start_date"] == day
    assert rule in [finding["rule"] for finding in page.findings]


def test_the_order_of_indicators_is_no_fact() -> None:
    block = PROJECT[PROJECT.index("รายละเอียดเกี่ยวกับตัวชี้วัด : 5004-0852") : -1]
    other = [line.replace("5004-0852", "5004-0853") for line in block]
    pages = [
        read([*PROJECT[: -1 - len(block)], *first, *second, PROJECT[-1]])
        for first, second in ((block, other), (other, block))
    ]
    assert pages[0].tables != pages[1].tables
    assert facts_sha256(pages[0].tables) == facts_sha256(pages[1].tables)


def test_a_section_that_no_reader_takes_is_unclaimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kpi, "SECTIONS", Outline(*kpi.SECTIONS, Section("remark", "หมายเหตุ")))
    assert read([*KPI, "หมายเหตุ", "อยู่ระหว่างปรับปรุง"]).unclaimed == ["อยู่ระหว่างปรับปรุง"]
