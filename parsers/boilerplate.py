"""What sites print around a record: navigation, buttons, notices. It says nothing of the record, and is no unknown line."""

import re
from typing import Final

from parsers.grammar import DIGIT

BOILERPLATE: Final = frozenset((
    *("Back Home", "BackHome", "Back", "Home", "Home Home SED", "SED"),
    *("FusionCharts will render here", "FusionCharts"),
))  # fmt: skip
"""What the portal prints above every record, below the title of the page."""

TO_TOP: Final = frozenset(("กลับขึ้นด้านบน", "กลับด้านบน", "ขึ้นด้านบน", "Back to top"))
NAVIGATION: Final = frozenset((
    *BOILERPLATE,
    *TO_TOP,
    *("กลับหน้าหลัก", "กลับหน้าแรก", "หน้าหลัก", "หน้าแรก", "ย้อนกลับ", "กลับ", "พิมพ์ข้อมูล"),
    *("loading", "พิมพ์", "พิมพ์หน้านี้", "ปิด", "ปิดหน้าต่าง", "ออกจากระบบ", "Print", "Close", "Logout"),
    *("เข้าสู่ระบบ", "เมนู", "ค้นหา", "ติดต่อเรา", "Login", "Menu", "Search", "Top"),
))  # fmt: skip
"""Lines that are taken out of a page's head, and of what stands below a record."""

_MENU_WORDS: Final = (  # of any site: known where no rule read them, but never taken out of a record
    *("เกี่ยวกับเรา", "แผนผังเว็บไซต์", "ข่าวประชาสัมพันธ์", "คู่มือการใช้งาน", "คำถามที่พบบ่อย", "ช่วยเหลือ", "ลงทะเบียน", "สมัครสมาชิก"),
    *("กลับสู่หน้าหลัก", "กลับสู่ด้านบน", "ข้ามไปยังเนื้อหาหลัก", "ภาษาไทย", "ไทย", "กำลังโหลด..."),
    *("About", "About us", "Contact", "Contact us", "Sitemap", "Help", "Sign in", "Sign out", "Signup", "Register"),
    *("English", "EN", "TH", "Skip to content", "Skip to main content", "Toggle navigation", "Loading..."),
    *("แก้ไข", "ปรับปรุง", "ลบ", "Update", "Delete", "พิมพ์ PDF", "My Company", "My Application", "×", "☰", "▲", "▼"),
    *("ความคืบหน้าโครงการ/กิจกรรม", "รายละเอียดตัวชี้วัด"),
)
_WORDS: Final = sorted({*NAVIGATION, *_MENU_WORDS}, key=len, reverse=True)
_NAVIGATION_LINE: Final = re.compile(  # one of them, or several in a line: `หน้าแรก | เข้าสู่ระบบ`; or a trail of links
    rf"(?:[\s:|/<>«»‹›•·#]|{'|'.join(map(re.escape, _WORDS))}|(?:Create )?Tbl Project Mains?|{DIGIT}{{8}}-{DIGIT}{{4}})++"
    r"|(?:หน้าแรก|หน้าหลัก|Home)\s*[/»›>].*"
)
_NOTICE: Final = re.compile(
    r"(?:copyright|all rights reserved)\b|สงวนลิขสิทธิ์|(?:powered|developed|designed) by\b"
    r"|(?:ออกแบบและพัฒนา|พัฒนาระบบ)โดย|จำนวน(?:ผู้เข้าชม|ผู้เยี่ยมชม|ผู้เข้าใช้)\s*:\s*[0-9]",
    re.IGNORECASE,
)
FOLDS: Final = re.compile(r"(?<=.) click to (?:expand|collapse) contents$", re.MULTILINE)
"""What jQuery Mobile adds to a heading, in pages that a browser kept."""
_NOTICE_LINES: Final = 5  # of a copyright notice, at most
_NOTICE_LENGTH: Final = 200  # characters of each, at most: a longer line is a text, which may begin so


def is_boilerplate(line: str) -> bool:
    """Whether a line prints only what sites print around every record."""
    return bool(line in NAVIGATION or line in (":", "␀") or _NAVIGATION_LINE.fullmatch(line) or _is_notice(line))


def _is_notice(line: str) -> bool:
    return len(line) <= _NOTICE_LENGTH and ("©" in line or bool(_NOTICE.match(line)))


def record_end(lines: list[str], end: int, headings: frozenset[str]) -> int:
    """How many of the first `end` lines stand above what a site prints below every record: *Back*, a copyright notice.

    headings: the record's own; none of them stands below a notice
    """
    notice: int | None = end
    while notice is not None:
        below = end = notice
        while below and (lines[below - 1] == "␀" or lines[below - 1] in NAVIGATION):
            below -= 1
            end = end if lines[below] == "␀" else below
        places = (place for place in range(max(end - _NOTICE_LINES, 0), end) if _is_notice(lines[place]))
        notice = next((place for place in places if headings.isdisjoint(lines[place:end])), None)
    return end
