"""What the pages say in English and in Thai. Meanings, details, severities and red flags have the texts of the report."""

from typing import Final

from pipeline.publish import report_words
from pipeline.publish.charts import MONTHS_EN, MONTHS_TH
from pipeline.schema.columns import TABLES

LANGUAGES: Final = ("th", "en")

_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "title": ("What the portal said", "สิ่งที่เว็บไซต์เคยแสดง"),
    "nights": ("Nights", "คืนที่เก็บข้อมูล"),
    "night": ("Night", "คืน"),
    "search": ("Search", "ค้นหา"),
    "search_hint": ("code, name, agency, words of a note or of a changed text", "รหัส ชื่อ หน่วยงาน หรือคำในบันทึก"),
    "projects": ("Projects", "โครงการ"),
    "project": ("Project", "โครงการ"),
    "kpis": ("Indicators", "ตัวชี้วัด"),
    "kpi": ("Indicator", "ตัวชี้วัด"),
    "agencies": ("Agencies", "หน่วยงาน"),
    "agency": ("Agency", "หน่วยงาน"),
    "changes": ("Changes", "การเปลี่ยนแปลง"),
    "change": ("Change", "การเปลี่ยนแปลง"),
    "flags": ("Red flags", "ข้อสังเกต"),
    "dictionary": ("Data dictionary", "พจนานุกรมข้อมูล"),
    "published": ("published", "เผยแพร่แล้ว"),
    "held_back": ("held back", "ระงับการเผยแพร่"),
    "outcome": ("Outcome", "ผล"),
    "pages": ("Pages", "หน้าเว็บ"),
    "page": ("Stored page", "หน้าเว็บที่เก็บไว้"),
    "day": ("Day", "วันที่"),
    "code": ("Code", "รหัส"),
    "name": ("Name", "ชื่อ"),
    "fiscal_year": ("Fiscal year", "ปีงบประมาณ"),
    "progress": ("Progress", "ความคืบหน้า"),
    "planned": ("Planned", "ตามแผน"),
    "variance": ("Against plan", "เทียบแผน"),
    "last_report": ("Last report", "รายงานล่าสุด"),
    "silent_days": ("Days without report", "วันที่ไม่มีรายงาน"),
    "rewritten": ("Nights rewritten", "คืนที่แก้ประวัติ"),
    "ended": ("no longer shown by the portal", "เว็บไซต์ไม่แสดงแล้ว"),
    "timeline": ("Timeline", "ลำดับเหตุการณ์"),
    "all_rows": ("All rows", "ข้อมูลทั้งหมด"),
    "before": ("Before", "เดิม"),
    "after": ("After", "ใหม่"),
    "nothing": ("(nothing)", "(ไม่มี)"),
    "from": ("From", "จาก"),
    "to": ("To", "ถึง"),
    "meaning": ("Meaning", "ความหมาย"),
    "severity": ("Severity", "ความสำคัญ"),
    "filter": ("Show", "แสดง"),
    "any": ("any", "ทั้งหมด"),
    "download": ("Download", "ดาวน์โหลด"),
    "next": ("Next page", "หน้าถัดไป"),
    "rows": ("rows", "รายการ"),
    "newest_only": (
        "These words stand in very many changes: this page looked at the newest 5,000. The downloads look at all.",
        "คำนี้อยู่ในรายการเปลี่ยนแปลงจำนวนมาก หน้านี้จึงค้นเฉพาะ 5,000 รายการล่าสุด ไฟล์ดาวน์โหลดค้นทั้งหมด",
    ),
    "none_found": ("Nothing found.", "ไม่พบข้อมูล"),
    "evidence": ("Evidence (ZIP)", "หลักฐาน (ZIP)"),
    "as_served": ("The page as it was served", "หน้าเว็บตามที่ได้รับ"),
    "quiet": ("without its scripts, and without what it loads from elsewhere", "ไม่รวมสคริปต์และสิ่งที่โหลดจากที่อื่น"),
    "as_read": ("What was read from it", "ข้อมูลที่อ่านได้"),
    "withheld": (
        "Pages show contact lines; they are withheld by the setting publish_contacts.",
        "หน้าเว็บมีข้อมูลผู้ติดต่อ จึงไม่แสดงตามการตั้งค่า publish_contacts",
    ),
    "fetched": ("Fetched", "เวลาที่เก็บ"),
    "address": ("Address", "ที่อยู่เว็บ"),
    "behind": ("Behind plan", "ล่าช้ากว่าแผน"),
    "silent": ("Unfinished, 90 days without report", "ยังไม่เสร็จและไม่มีรายงาน 90 วัน"),
    "trend": ("Rewrites per 100 projects", "การแก้ประวัติต่อ 100 โครงการ"),
    "reason": ("What was seen", "สิ่งที่พบ"),
    "calendar": ("Calendar", "ปฏิทิน"),
    "newest_changes": ("The newest changes", "การเปลี่ยนแปลงล่าสุด"),
    "compared": ("Two nights compared", "เปรียบเทียบสองคืน"),
    "feed": ("Feed", "ฟีด"),
    "skip": ("Skip to content", "ข้ามไปยังเนื้อหา"),
    "not_found": ("There is no such page.", "ไม่พบหน้านี้"),
    "chart": ("Plan against reported progress", "แผนเทียบกับรายงาน"),
    "rule": ("Rule", "กฎ"),
    "key": ("Row", "แถว"),
    "most_rewritten": ("Most rewritten", "แก้ประวัติบ่อยที่สุด"),
    "intro": (
        "Every night this program reads the portal, whose pages are overwritten in place, and keeps what they said. "
        "Find a project, see its life, compare any two nights, and prove each difference by the stored bytes.",
        "ทุกคืนโปรแกรมอ่านเว็บไซต์ซึ่งเขียนทับข้อมูลเดิม และเก็บสิ่งที่เว็บไซต์แสดงไว้ ค้นหาโครงการ ดูประวัติ "
        "เปรียบเทียบสองคืนใดก็ได้ และพิสูจน์ทุกความแตกต่างด้วยหน้าเว็บที่เก็บไว้",
    ),
    "start_here": ("Start here", "เริ่มที่นี่"),
    "good_night": ("published", "เผยแพร่แล้ว"),
    "bad_night": ("held back", "ระงับการเผยแพร่"),
    "no_night": ("no harvest", "ไม่มีการเก็บข้อมูล"),
    "coverage": ("Read", "อ่านได้"),
    "sort": ("Order by", "เรียงตาม"),
    "kind": ("Kind", "ประเภท"),
    "flagged": ("With red flags", "มีข้อสังเกต"),
    "any_rewritten": ("Rewritten", "แก้ประวัติ"),
    "gone": ("No longer shown", "ไม่แสดงแล้ว"),
    "previous_page": ("Previous page", "หน้าก่อน"),
    "link_to_change": ("Link to this change", "ลิงก์ถึงการเปลี่ยนแปลงนี้"),
    "proof": ("The stored pages that prove it", "หน้าเว็บที่เก็บไว้เป็นหลักฐาน"),
    "page_before": ("The page before", "หน้าเว็บก่อนเปลี่ยน"),
    "page_after": ("The page after", "หน้าเว็บหลังเปลี่ยน"),
    "compare_nights": ("Compare two nights", "เปรียบเทียบสองคืน"),
    "all_changes": ("All changes", "การเปลี่ยนแปลงทั้งหมด"),
    "night_hint": ("a day such as 2026-11-22, or a harvest", "วันที่ เช่น 2026-11-22 หรือรหัสการเก็บ"),
    "plan_line": ("plan", "แผน"),
    "reported_line": ("reported", "รายงาน"),
    "unclaimed": ("Lines that no rule reads", "บรรทัดที่ไม่มีกฎใดอ่าน"),
    "bytes": ("Bytes", "ไบต์"),
    "bytes_file": ("The bytes as served", "ไบต์ตามที่ได้รับ"),
    "not_found_help": (
        "The address may be mistyped, or the record was never shown by the portal. Search for its code or name.",
        "ที่อยู่อาจพิมพ์ผิด หรือเว็บไซต์ไม่เคยแสดงรายการนี้ โปรดค้นหาด้วยรหัสหรือชื่อ",
    ),
    "last_nights": ("The changes of the last nights", "การเปลี่ยนแปลงของคืนล่าสุด"),
    "days": ("days ago", "วันก่อน"),
}

_TABLES: Final = {
    "projects": ("Project", "โครงการ"),
    "contacts": ("Contact", "ผู้ประสานงาน"),
    "project_strategies": ("Place in the city's plan", "ยุทธศาสตร์"),
    "progress_reports": ("Progress report", "รายงานความคืบหน้า"),
    "plan_steps": ("Step of the plan", "ขั้นตอนตามแผน"),
    "project_kpis": ("Indicator of the project", "ตัวชี้วัดของโครงการ"),
    "project_kpi_quarters": ("Quarter of the project's indicator", "ผลรายไตรมาสของตัวชี้วัดโครงการ"),
    "kpis": ("Indicator", "ตัวชี้วัด"),
    "kpi_quarters": ("Quarter of the indicator", "ผลรายไตรมาส"),
    "plan_vs_actual": ("Plan against reported, by month", "แผนเทียบผลรายเดือน"),
    "red_flags": ("Red flag", "ข้อสังเกต"),
    "result_list_items": ("Item of a result list", "รายการในบัญชีผล"),
    "result_list_quarters": ("Quarter of a result list", "ผลรายไตรมาสในบัญชีผล"),
    "result_list_links": ("Link of a result list", "ลิงก์ในบัญชีผล"),
    "city_indicators": ("City indicator", "ตัวชี้วัดการพัฒนาเมือง"),
    "city_indicator_strategies": ("Place of a city indicator", "ยุทธศาสตร์ของตัวชี้วัดเมือง"),
}
"""A row of each table, in a few words."""

_COLUMNS: Final = {
    "report_index": ("Report", "รายงานที่"),
    "report_no": ("Printed number", "ลำดับที่พิมพ์"),
    "progress_percent": ("Progress, percent", "ความคืบหน้า ร้อยละ"),
    "reported_on_date": ("Reported on", "วันที่รายงาน"),
    "note_date": ("Date in the note", "วันที่ในบันทึก"),
    "note": ("Note", "บันทึก"),
    "step_no": ("Step", "ขั้นตอน"),
    "description": ("Description", "รายละเอียด"),
    "weight_percent": ("Weight, percent", "น้ำหนัก ร้อยละ"),
    "month_end_date": ("End of the month", "สิ้นเดือน"),
    "planned_percent": ("Planned, percent", "ตามแผน ร้อยละ"),
    "reported_percent": ("Reported, percent", "รายงาน ร้อยละ"),
    "variance_percent": ("Against plan, points", "เทียบแผน จุด"),
    "contact": ("Contact line", "ผู้ประสานงาน"),
    "contact_name": ("Contact's name", "ชื่อผู้ประสานงาน"),
    "contact_phone": ("Contact's telephone", "โทรศัพท์"),
    "position": ("Position", "ลำดับ"),
    "level": ("Level", "ระดับ"),
    "strategy_code": ("Code in the plan", "รหัสยุทธศาสตร์"),
    "name_en": ("Name in English", "ชื่อภาษาอังกฤษ"),
    "score": ("Score", "คะแนน"),
    "unit_code": ("Unit", "หน่วยงานย่อย"),
    "unit_code_second": ("Second unit", "หน่วยงานย่อยที่สอง"),
    "agency_code": ("Agency's code", "รหัสหน่วยงาน"),
    "agency_name": ("Agency", "หน่วยงาน"),
    "target_direction": ("Better is", "ทิศทางเป้าหมาย"),
    "attainment_percent": ("Attained, percent", "บรรลุเป้าหมาย ร้อยละ"),
    "fiscal_year_be": ("Fiscal year, B.E.", "ปีงบประมาณ พ.ศ."),
    "fiscal_year_ce": ("Fiscal year, C.E.", "ปีงบประมาณ ค.ศ."),
    "kpi_code": ("Indicator's code", "รหัสตัวชี้วัด"),
    "source_url": ("Address", "ที่อยู่เว็บ"),
    "page_sha256": ("SHA-256 of the page", "SHA-256 ของหน้าเว็บ"),
    "version_harvest_id": ("Harvest of this version", "คืนของฉบับนี้"),
    "first_seen_at": ("First seen", "พบครั้งแรก"),
    "changed_at": ("This version first seen", "พบฉบับนี้ครั้งแรก"),
    "checked_at": ("Last confirmed", "ยืนยันล่าสุด"),
    "parser_version": ("Version of the parser", "รุ่นของตัวอ่าน"),
}
"""Columns whose name says too little; others are shown by their name, in Thai by the portal's label."""

_LABELS: Final = {
    (name, column.name): column.label_th
    for name, table in TABLES.items()
    for column in table.columns
    if column.label_th
}

_OUTCOMES: Final = {
    "new": ("first seen", "พบครั้งแรก"),
    "changed": ("another version", "มีฉบับใหม่"),
    "unchanged": ("confirmed", "ยืนยันแล้ว"),
    "not_found": ("not found", "ไม่พบหน้า"),
    "blank": ("shown without a record", "ไม่มีข้อมูลโครงการ"),
    "blocked": ("blocked", "ถูกปิดกั้น"),
    "failed": ("not read", "อ่านไม่ได้"),
    "skipped": ("not asked", "ไม่ได้ขอ"),
}


class Words(report_words.Words):
    """The texts of one language: `words("nights")`, and what the report says. An unknown key is its own text."""

    def __init__(self, language: str) -> None:
        super().__init__("th" if language == "th" else "en")

    def __call__(self, key: str) -> str:
        """A text of the pages."""
        return _TEXTS[key][self._place] if key in _TEXTS else key

    def outcome(self, key: str) -> str:
        """What became of a page."""
        return _OUTCOMES[key][self._place] if key in _OUTCOMES else key

    def table(self, name: str) -> str:
        """A row of a table, in a few words."""
        return _TABLES[name][self._place] if name in _TABLES else name.replace("_", " ")

    def column(self, table: str, name: str | None) -> str:
        """A column, as people call it; empty where there is none."""
        if name is None:
            return ""
        if name in _COLUMNS:
            return _COLUMNS[name][self._place]
        label = _LABELS.get((table, name), "") if self._place else ""
        plain = name.removesuffix("_percent").removesuffix("_date").removesuffix("_baht").replace("_", " ")
        return label or plain[:1].upper() + plain[1:]

    def month(self, month: str) -> str:
        """A month such as 2026-11 as a heading."""
        number = int(month[5:7]) - 1
        if self._place:
            return f"{MONTHS_TH[number]} {int(month[:4]) + 543}"
        return f"{MONTHS_EN[number]} {month[:4]}"

    def day(self, day: str | None) -> str:
        """A day such as 2026-11-22; in Thai with its Buddhist year beside it."""
        if not day:
            return ""
        return f"{day[:10]} ({int(day[:4]) + 543})" if self._place else day[:10]
