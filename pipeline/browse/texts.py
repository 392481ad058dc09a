"""What the pages say in English and in Thai. Meanings, details and severities have their texts with the report."""

from typing import Final

from pipeline.compare.classify import DETAILS, MEANINGS, SEVERITIES
from pipeline.publish.report_texts import DETAILS_TH, MEANINGS_TH, SEVERITIES_TH

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
    "reports": ("Progress reports", "รายงานความคืบหน้า"),
    "steps": ("Plan", "แผนการดำเนินงาน"),
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
    "none_found": ("Nothing found.", "ไม่พบข้อมูล"),
    "evidence": ("Evidence (ZIP)", "หลักฐาน (ZIP)"),
    "as_served": ("The page as it was served", "หน้าเว็บตามที่ได้รับ"),
    "as_read": ("What was read from it", "ข้อมูลที่อ่านได้"),
    "withheld": (
        "Pages show contact lines; they are withheld by the setting publish_contacts.",
        "หน้าเว็บมีข้อมูลผู้ติดต่อ จึงไม่แสดงตามการตั้งค่า publish_contacts",
    ),
    "fetched": ("Fetched", "เวลาที่เก็บ"),
    "address": ("Address", "ที่อยู่เว็บ"),
    "behind": ("Behind plan", "ล่าช้ากว่าแผน"),
    "silent": ("Silent", "ไม่มีรายงาน"),
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


class Words:
    """The texts of one language: `words("nights")`. An unknown key is its own text."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._place = 1 if language == "th" else 0

    def __call__(self, key: str) -> str:
        """A text of the pages."""
        return _TEXTS[key][self._place] if key in _TEXTS else key

    def outcome(self, key: str) -> str:
        """What became of a page."""
        return _OUTCOMES[key][self._place] if key in _OUTCOMES else key

    def meaning(self, key: str) -> str:
        """A meaning of `pipeline.compare.classify`."""
        return MEANINGS_TH.get(key, key) if self._place else MEANINGS.get(key, key)

    def detail(self, key: str | None) -> str:
        """A detail; empty where there is none."""
        return (DETAILS_TH if self._place else DETAILS).get(key or "", "")

    def severity(self, key: str) -> str:
        """A severity's title."""
        return (SEVERITIES_TH if self._place else SEVERITIES).get(key, key)

    def day(self, day: str | None) -> str:
        """A day such as 2026-11-22; in Thai with its Buddhist year beside it."""
        if not day:
            return ""
        return f"{day[:10]} ({int(day[:4]) + 543})" if self._place else day[:10]
