"""The portal's printed labels, once, as data; and the patterns of the lines they begin.

All patterns run over *cleaned* lines (`parsers.thai.clean`). `\\s*` stands where the portal prints a blank or none, or
where another markup puts label and value into cells of their own.
"""

import re
from typing import Final

DIGIT: Final = "[0-9๐-๙]"
PROJECT_CODE: Final = f"{DIGIT}{{8}}-{DIGIT}{{4}}"
KPI_CODE: Final = f"{DIGIT}{{4}}-{DIGIT}{{3,4}}"

# --- headings of a project page, in the order every page has them ------------------------------------------------

PROJECT_HEADINGS: Final[dict[str, str]] = {
    "rationale": "หลักการและเหตุผล",
    "objectives": "วัตถุประสงค์ของโครงการ",
    "targets": "เป้าหมายของโครงการ",
    "strategies": "สนับสนุนยุทธศาสตร์กรุงเทพมหานครฯ",
    "reports": "ผลการดำเนินงาน",
    "plan": "แผนการดำเนินงานฯ",
    "kpis": "สนับสนุนตัวชี้วัดตามแผนฯ",
    "evaluations": "** ผลการประเมินโครงการ (รายไตรมาส) **",
}

# --- headings of a KPI page ---------------------------------------------------------------------------------------

KPI_HEADINGS: Final[dict[str, str]] = {
    "quarters": "ผลงานเทียบกับเป้าหมายรายไตรมาส",
    "narrative_1": "รายงานผลฯ ไตรมาสที่ 1",
    "narrative_2": "รายงานผลฯ ไตรมาสที่ 2",
    "narrative_3": "รายงานผลฯ ไตรมาสที่ 3",
    "narrative_4": "รายงานผลฯ ไตรมาสที่ 4",
    "summary": "** สรุปผลการดำเนินงาน **",
    "definition": "นิยาม หรือความหมายของตัวชี้วัด",
}

NARRATIVE_LABEL: Final = re.compile("รายงานผลฯ ไตรมาสที่ ?([1-4๑-๔])")

# --- fixed furniture: printed on every page, says nothing of the record -------------------------------------------

PROJECT_PAGE_TITLE: Final = "ความคืบหน้าโครงการ/กิจกรรม"
KPI_PAGE_TITLE: Final = "รายละเอียดตัวชี้วัด"
RESULT_LIST_TITLE: Final = "ผลการปฏิบัติราชการประจำปี"
RESULT_LIST_WAITS: Final = re.compile(rf"{RESULT_LIST_TITLE}\s*:?\s*(?:ของหน่วยงาน)?\s*:")  # for an agency's code
YII_CODE_LABEL: Final = "รหัสโครงการ"
YII_CODE_LINE: Final = re.compile(rf"{YII_CODE_LABEL}[\s:]*{PROJECT_CODE}")

PLAN_LINK: Final = "ดูโครงการแผนปีฯ"  # below the contact
FURNITURE: Final = frozenset(
    (
        *("Back Home", "BackHome", "Back", "Home", "FusionCharts will render here", "FusionCharts"),
        *(PLAN_LINK, "รายละเอียดตัวชี้วัดฯ", "พิมพ์ข้อมูล"),
        *(f"{link}{colon}" for link in (PLAN_LINK, "รายละเอียดตัวชี้วัดฯ") for colon in (" :", ":")),
        *(f"{link}{colon}พิมพ์ข้อมูล" for link in (PLAN_LINK, "รายละเอียดตัวชี้วัดฯ", "") for colon in (" : ", " :", ": ", ":")),
        PROJECT_PAGE_TITLE,
        KPI_PAGE_TITLE,
    )
)

# --- what nobody knows -----------------------------------------------------------------------------------------------

LABELLED: Final = re.compile(r"[^\W\d_][^:0-9๐-๙]{1,60} :.*")
"""A line like `<label> : <value>`: below a text of one line it is not that text's second line."""

# --- around the record: what sites print above and below it -----------------------------------------------------------

TO_TOP: Final = ("กลับขึ้นด้านบน", "กลับด้านบน", "ขึ้นด้านบน", "Top", "Back to top")
NAVIGATION: Final = FURNITURE - {PROJECT_PAGE_TITLE, KPI_PAGE_TITLE} | frozenset(
    (
        *TO_TOP,
        *("กลับหน้าหลัก", "กลับหน้าแรก", "หน้าหลัก", "หน้าแรก", "ย้อนกลับ", "กลับ"),
        *("พิมพ์", "พิมพ์หน้านี้", "ปิด", "ปิดหน้าต่าง", "ออกจากระบบ", "Print", "Close", "Logout"),
        *("เข้าสู่ระบบ", "เมนู", "ค้นหา", "ติดต่อเรา", "Login", "Menu", "Search"),
    )
)
_MENU_WORDS: Final = (  # of any site: known where no rule read them, but never taken out of a record
    *("เกี่ยวกับเรา", "แผนผังเว็บไซต์", "ข่าวประชาสัมพันธ์", "คู่มือการใช้งาน", "คำถามที่พบบ่อย", "ช่วยเหลือ", "ลงทะเบียน", "สมัครสมาชิก"),
    *("กลับสู่หน้าหลัก", "กลับสู่ด้านบน", "ข้ามไปยังเนื้อหาหลัก", "ภาษาไทย", "ไทย", "กำลังโหลด..."),
    *(
        "About",
        "About us",
        "Contact",
        "Contact us",
        "Sitemap",
        "Help",
        "Sign in",
        "Sign out",
        "Register",
        "English",
        "EN",
        "TH",
    ),
    *("Skip to content", "Skip to main content", "Toggle navigation", "Loading...", "×", "☰", "▲", "▼"),
)
_SITE_WORDS: Final = sorted({*NAVIGATION, *_MENU_WORDS, PROJECT_PAGE_TITLE, KPI_PAGE_TITLE}, key=len, reverse=True)
NAVIGATION_LINE: Final = re.compile(  # one of them, or several in a line: `หน้าแรก | เข้าสู่ระบบ`
    rf"(?:[\s:|/<>«»‹›•·]|{'|'.join(map(re.escape, _SITE_WORDS))})++"
)
COPYRIGHT: Final = re.compile(
    r"(?:copyright|all rights reserved|สงวนลิขสิทธิ์|ลิขสิทธิ์)\b|.*©"
    r"|(?:powered|developed|designed) by\b|(?:ออกแบบและพัฒนา|พัฒนาระบบ)โดย|จำนวน(?:ผู้เข้าชม|ผู้เยี่ยมชม|ผู้เข้าใช้)\s*:?\s*[0-9]",
    re.IGNORECASE,
)

YII_FURNITURE: Final = re.compile(  # what Yii's own templates print around a record: trails, buttons, menus, notices
    r"(?:หน้าแรก|หน้าหลัก|Home)\s*[/»›>].*"
    r"|(?:(?:หน้าแรก|หน้าหลัก|เข้าสู่ระบบ|ออกจากระบบ|แก้ไข|ปรับปรุง|ลบ|Home|About|Contact|Signup|Login|Logout(?: \([^()]*\))?"
    r"|Update|Delete|Toggle navigation|My Company|My Application|(?:Create )?Tbl Project Mains?"
    rf"|{PROJECT_CODE})[\s/|]*)+"
    r"|#|แสดง \S+ จาก \S+ ผลลัพธ์|Showing \S+ of \S+ items?\."
    r"|©\s*My (?:Company|Application)\s*[0-9]{4}[\s/|]*(?:Powered by\s*Yii Framework)?|Powered by\s*Yii Framework"
)

# --- one line of a project page -----------------------------------------------------------------------------------

TITLE_LINE: Final = re.compile(rf"(.*\S)?\s*:\s*({PROJECT_CODE})")
KPI_TITLE_LINE: Final = re.compile(rf"(.*\S)?\s*:\s*({KPI_CODE})")
BARE_CODE_LINE: Final = re.compile(rf"({PROJECT_CODE})")
AGENCY_LINE: Final = re.compile(rf"(.*\S)?\s*:\s*\(\s*({DIGIT}{{4}})?\s*\)")
AGENCY_YEAR: Final = re.compile(rf":?\s*\(\s*(?:{DIGIT}{{4}})?\s*\)")  # the agency's year in a cell of its own
SUB_OFFICE_MARK: Final = re.compile(r"\*+\s*")
PROGRESS_LABEL: Final = "ความคืบหน้าโครงการ ร้อยละ"
PROGRESS_IN_LINE: Final = re.compile(rf"(?:({DIGIT}[0-9๐-๙.,]*)\s*%?\s+)?({PROGRESS_LABEL}.*)")  # behind progress alone
EVALUATION_LINE: Final = re.compile(
    r"\*{2,3}\s*สยป\.\s*(?:ประเมินโครงการ|ตรวจประเมินตัวชี้วัด)\s*:?\s*(?:ไตรมาสที่)?\s*:?\s*"
    rf"(?:({DIGIT})(?![^\s:]))?\s*:?\s*(\S*)"
)
EVALUATION_MARK: Final = re.compile(r"\*{2,3}\s*สยป\.")
BEFORE_LINKS: Final = re.compile(rf"\s+(?=ดูโครงการแผนปีฯ|{EVALUATION_MARK.pattern})")  # where they share a line
UNIT_PAIR: Final = re.compile(rf"({DIGIT}{{8}})?\s*/\s*({DIGIT}{{8}})?")
UNIT_PAIR_AT_END: Final = re.compile(rf"(.*\S)\s+({DIGIT}{{8}}/{DIGIT}{{8}})")  # in one line with the text above it
STRATEGY_LINE: Final = re.compile(rf"(?:(ด้านที่|ยุทธศาสตร์ที่)\s*({DIGIT}+)\b|({DIGIT}+(?:\.{DIGIT}+)+)\.?)\s*[-–—]?\s*(.*)")
NAME_IN_ENGLISH: Final = re.compile(r"(.*\S)\s*:\s*([A-Za-z][\x20-\x7e‘’“”–]*)")

REPORT_START: Final = re.compile(rf"(?:\(\s*{DIGIT}+\s*\)\s*)?ความคืบหน้าโครงการฯ ร้อยละ")
REPORT_HEADING: Final = re.compile(
    rf"\(\s*({DIGIT}+)\s*\)\s*ความคืบหน้าโครงการฯ ร้อยละ\s*:?\s*([^\s()]*)\s*\(\s*([^()]*?)\s*\)"
    rf"(?:\s*({DIGIT}[0-9๐-๙.,]*)\s*%?)?"  # the percent again, where it stands in the same line
)
REPORT_RULE: Final = re.compile(r"-{3,}\s*&+\s*-{3,}")
PROBLEMS_LINE: Final = re.compile(r"\*+\s*ปัญหาของโครงการ\s*:?\s*(.*)")
OBSTACLES_LINE: Final = re.compile(r"\*+\s*อุปสรรคของโครงการ\s*:?\s*(.*)")
PROBLEMS_INSIDE: Final = re.compile(r"\s\*+\s*ปัญหาของโครงการ\s*:")  # behind the note, in its line
OBSTACLES_INSIDE: Final = re.compile(r"\s\*+\s*อุปสรรคของโครงการ\s*:")
# As nearly all are printed, each part in lines of its own: nothing in them can be a quotation. The groups: all of it;
# number, percentage, day; the note, and where one date heads it that and its text; problems, obstacles.
USUAL_REPORT: Final = re.compile(
    rf"(\(({DIGIT}+)\) ความคืบหน้าโครงการฯ ร้อยละ ([0-9]+(?:\.[0-9]+)?) \(([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})\)\n\3\n"
    rf"(?:((?:([0-9]{{1,2}}/[0-9]{{1,2}}/[0-9]{{4}})(?!{DIGIT}|/) ?:? ?([^/\n]*)|[^(*\n-].*))\n)?"
    r"\*\* ปัญหาของโครงการ : *(.*)\n\*\* อุปสรรคของโครงการ : *(.*)\n-{3,}&+-{3,}(?:\n|$))"
)

STEP_LABEL: Final = "ขั้นตอน"
STEP_LINE: Final = re.compile(rf"ขั้นตอน\s*({DIGIT}+)(?:\s*(:.*))?")
STEP_START_LABEL: Final = "เริ่มต้น"
STEP_END_LABEL: Final = "สิ้นสุด"
USUAL_STEP: Final = re.compile(
    rf"(ขั้นตอน ({DIGIT}+)\n:(.*)\n:([0-9.]+)%\nเริ่มต้น :([0-9]{{4}}-[0-9 :-]+)\nสิ้นสุด :([0-9]{{4}}-[0-9 :-]+)(?:\n|$))"
)
STEP_DATES_AT_END: Final = re.compile(
    r"(.*?)\s*(เริ่มต้น\s*:\s*[0-9๐-๙: .-]*?)\s*(สิ้นสุด\s*:\s*[0-9๐-๙: .-]*)"  # where all stand in one line
)
WEIGHT_LINE: Final = re.compile(r":?\s*([^\s%:]*)\s*%")
WEIGHT_AT_END: Final = re.compile(r"(.*\S)\s*:\s*([^\s%:]+)\s*%")
STEP_LINK_MARK: Final = re.compile(r"\(\s*(?:ทดสอบ|คลิก)\s*\)")
STEP_LINKS: Final = re.compile(
    rf"{STEP_LINK_MARK.pattern}\s*(?:แสดงขั้นตอนการดำเนินงานโครงการ|ขั้นตอนการปฏิบัติงานของโครงการ)"
    rf"\s*(?::\s*({PROJECT_CODE})?)?"
)

# --- an indicator, inside a project page or on its own page --------------------------------------------------------

KPI_BLOCK_LABEL: Final = "รายละเอียดเกี่ยวกับตัวชี้วัด"
KPI_NAME_LABEL: Final = "ตัวชี้วัด"
KPI_NAME_LINE: Final = re.compile(r"ตัวชี้วัด\s*:\s*(.*)")
TARGET_LABEL: Final = "ค่าเป้าหมาย"
ACHIEVED_LABEL: Final = "ผลงานที่ทำได้"
TYPE_LABEL: Final = "ประเภทตัวชี้วัด"
BEHIND_KPI_CODE: Final = re.compile(rf"({KPI_CODE})\s*({KPI_NAME_LABEL}\s*:.*)")  # its name in the same line
BEFORE_TARGET: Final = re.compile(rf"\s(?={TARGET_LABEL}(?:\s[^:]*)?:)")
ANOTHER_MEASURE: Final = re.compile(rf" (?=(?:{ACHIEVED_LABEL}|{TYPE_LABEL})(?:\s[^:]*)?:)")
LEVEL_LINE: Final = re.compile(
    r"\(?\s*ตัวชี้วัดระดับ(?:ผลผลิต|ผลลัพธ์)?\s*(?:\(\s*(output|outcome)\s*\))?\s*\)?", re.IGNORECASE
)
LEVEL_AT_END: Final = re.compile(
    r"(.*?)\s*(\(?\s*ตัวชี้วัดระดับ(?:ผลผลิต|ผลลัพธ์)\s*(?:\(\s*(?:output|outcome)\s*\))?\s*\)?)", re.IGNORECASE
)
USUAL_MEASURES: Final = re.compile(  # each in a line of its own; the unit, target, result, type, level
    rf"{TARGET_LABEL} ([^\s:][^:\n]*) : ([^\s:]+)\n{ACHIEVED_LABEL} \1 : ([^\s:]+)\n{TYPE_LABEL} : ([^\s:][^:\n]*)\n"
    r"ตัวชี้วัดระดับ(?:ผลผลิต|ผลลัพธ์) \((output|outcome)\)"
)
LEVEL_WORDS: Final[dict[str, str]] = {"ผลผลิต": "output", "ผลลัพธ์": "outcome"}

QUARTER_HEADER_LABEL: Final = "ไตรมาสที่"
_QUARTERS_DETAIL: Final = r"(?:\(\s*1\s*-\s*4\s*\)[\s␀]*)?"
QUARTER_HEADER: Final = re.compile(  # with empty cells (␀: parsers.plain.EMPTY_CELL), and details in a row of their own
    rf"ไตรมาสที่[\s␀]*{_QUARTERS_DETAIL}\*\s*ผลงาน\s*\*[\s␀]*(?:\((.*?)\)[\s␀]*)?"
    rf"\*\s*ผลประเมินตัวชี้วัด\s*\*[\s␀]*{_QUARTERS_DETAIL}(?:\(([^*]*?)\)[\s␀]*)?"
    r"\(\s*\*\s*2\.1\s*/\s*2\.2\s*\*\s*\)",
    re.DOTALL,
)
QUARTER_HEADER_LINES: Final = 12
"""What the lines of a header come to at most, empty cells among them."""
USUAL_QUARTER: Final = re.compile(r"\n([1-4])\n([0-9.,]+|-|␀)\n([0-9.,]+|-|␀)\n([0-9.,]+) / ([0-9.,]+)(?=\n|$)")
QUARTER_ROW: Final = re.compile(  # the quarter, result and score, the pair; spacer rows and cells may stand between
    r"[\s␀]*([1-4๑-๔])(?:[ \n](.*?))??[ \n]([^\s/]*) */ *([^\s/]*)(?=\n|$)", re.DOTALL
)
