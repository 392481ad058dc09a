"""Small pages of each kind as lists of lines, and how to write, change and compare them."""

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
YII_LABELS = [
    *("ปี", "งบฯ ที่ได้รับ (บาท)", "งบฯ ที่ใช้ไป (บาท)", "คืบหน้าล่าสุด", "หน่วยงาน", "Start Date", "Finish Date", "Kpi ID"),
    "หลักการและเหตุผล",
]
"""What every newer page of a project prints below its code, with a value or without."""
