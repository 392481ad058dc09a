"""What a server prints into a page, or in place of it: errors of PHP, ASP and databases, firewalls, logins, "not found".

All patterns are in small letters and run over text in small letters. None of them can take more than linear time: no
nested repeats, and every gap between two words is bounded. What costs time is asked only where a literal mark stands.
"""

import re
from collections.abc import Iterable
from typing import Final, Literal

from parsers.text_damage import latin_text

MessageVerdict = Literal["blocked", "not_found"]

# --- errors in the middle of a page ---------------------------------------------------------------------------------

_PHP: Final = (
    r"(?<![a-z])(?:parse error|fatal error|warning|notice|deprecated|strict standards)\s{0,3}(?:\(\d{1,5}\)\s{0,3})?:"
)
_LITERALS: Final = (
    "a php error was encountered|a database error occurred|exception' with message|stack trace:|access denied for user '"
    "|too many connections|unknown column '|error query [|unclosed quotation mark|incorrect syntax near|server error in '"
    "|conversion failed when converting|object reference not set to an instance"
).split("|")
_MESSAGES: Final = tuple(
    (mark, tuple(map(re.compile, patterns)))
    for mark, *patterns in (
        *((literal,) for literal in _LITERALS),
        ("line ", _PHP, r"(?:on|,) line \d"),
        ("line ", r"thrown in ", r"on line \d"),
        ("uncaught ", r"uncaught (?:error|\w{0,60}exception)"),
        ("#", r"^#\d{1,4} (?:/|[a-z]:\\|\{main\})"),
        ("resource id #", r"^resource id #\d{1,9}$"),
        ("select ", r"^select ", r" from ", r"[*=`_]"),
        (
            "sql",
            r"you have an error in your sql syntax|sqlstate(?:\[|\] =>)|mysql server (?:has gone away|version for the right)",
        ),
        ("mysql", r"(?:can't|can’t|could not|lost|unable to) connect(?:ion)? (?:through|to) (?:the |local )?mysql"),
        ("sql", r"(?<![a-z])(?:mysqli?|mssql|sqlsrv)_\w{1,40}\(\)"),
        ("odbc", r"\[odbc [^\]]{0,60}driver|(?<![a-z])odbc_\w{1,40}\(\)"),
        ("pg_", r"(?<![a-z])pg_\w{1,40}\(\)"),
        ("oci", r"(?<![a-z])oci_?\w{1,40}\(\)"),
        ("doesn't exist", r"table '[^']{1,100}' doesn't exist"),
        ("error '", r"microsoft .{1,60}? error '[0-9a-f]{8}'"),
        (".asp", r"^/\S{0,200}\.aspx?, line \d"),
        ("ora-", r"(?<![a-z])ora-\d{5}"),
    )
)
"""A line with the literal mark in which all patterns are found is a server's message, wherever in the line it stands."""


def _letters(latin: str) -> bytes:
    """A Latin text without blanks, digits and the signs of dates and numbers: of a good page little is left to search."""
    return latin.encode("latin-1").translate(None, b"\n 0123456789.,:;-/()")


def _any_of(marks: Iterable[str]) -> re.Pattern[bytes]:
    return re.compile(b"|".join(sorted({re.escape(_letters(mark)) for mark in marks})))


_MARKED: Final = _any_of(mark for mark, *_ in _MESSAGES)


def server_message_places(lines: list[str], latin: str) -> list[int]:
    """Which lines of a page were printed by a server's error messages; latin: their `latin_text`, a line each."""
    if not _MARKED.search(_letters(latin)):
        return []
    marked = [(mark, patterns) for mark, patterns in _MESSAGES if mark in latin]
    places = [place for place, line in enumerate(latin.split("\n")) if any(mark in line for mark, _ in marked)]
    return [place for place in places if _is_message(lines[place].lower(), marked)]


def _is_message(line: str, messages: list[tuple[str, tuple[re.Pattern[str], ...]]]) -> bool:
    return any(mark in line and all(pattern.search(line) for pattern in patterns) for mark, patterns in messages)


# --- what stands in place of a page ---------------------------------------------------------------------------------

_FIREWALLS: Final = _any_of(
    (
        "requested url was rejected|your support id is|web page blocked|fortiguard|fortiweb|fortigate|you have been blocked"
        "|cloudflare ray id|attention required!|checking your browser before|verify you are human|verifying you are human"
        "|are you a robot|unusual traffic|captcha|incapsula incident|incident id:|request unsuccessful"
        "|sucuri website firewall|web application firewall|mod_security|modsecurity|access denied. reference #"
        "|access to this page has been denied|enable javascript and cookies to continue|please enable cookies"
        "|ddos protection by|imunify360|request rejected|request blocked|access blocked|intrusion prevention|malicious"
        "|suspicious activity|barracuda networks|sophos|wordfence|palo alto networks|web filter|kerio control|blocked by"
    ).split("|")
)
_FIREWALLS_IN_THAI: Final = ("ถูกบล็อก", "ไฟร์วอลล์", "ระบบป้องกันการบุกรุก")
"""Printed by firewalls alone; such a page may be of any length."""

_THING: Final = r"(?:page|url|resource|file|object|document|site|data|record|result|item|project|indicator)s?"
_NOT_FOUND: Final = re.compile(
    r"ไม่พบ\s?(?:ข้อมูล|หน้า|เว็บ|โครงการ|กิจกรรม|ตัวชี้วัด|รายการ|รายละเอียด|เอกสาร|ไฟล์|เพจ|ผลการค้นหา|ผลลัพธ์|รหัส|สิ่งที่|url)"
    r"|^\W{0,9}ไม่พบ\W{0,9}(?:404\W{0,9})?$|ไม่(?:มี|ปรากฏ)\s?(?:ข้อมูล|โครงการ|ตัวชี้วัด|รายการ|หน้า|ผลลัพธ์)"
    r"|ไม่มีอยู่(?:ในระบบ|หรือ|$)|รหัส.{0,30}ไม่ถูกต้อง"
    r"|(?:ข้อมูล|โครงการ|ตัวชี้วัด|รายการ|หน้า)(?:นี้|ดังกล่าว)?\s?(?:ได้)?ถูก(?:ลบ|ยกเลิก)"
    r"|\b404\b.{0,80}(?:not found|error|ไม่พบ)|^\W{0,9}(?:error |http )?404\b.{0,20}$|^\W{0,9}not found\b"
    rf"|\b{_THING}\b.{{0,80}}(?:\b(?:not|can't|cannot) (?:be )?(?:found|exist)|n[’']t (?:be found|exist))"
    rf"|\bno (?:such |matching )?{_THING}\b.{{0,20}}\b(?:found|available|exists?)|^0 results?\b|not found on this server"
    r"|^\W{0,9}(?:nothing found|no (?:records|rows|results|data)\b|empty result)|isn[’']t available"
    r"|no input file specified|unable to resolve the request|invalid (?:project |indicator |kpi )?(?:code|id)\b",
    re.MULTILINE,
)
"""The word of the portal, or of its server, that there is no such record or page."""
_NOT_OF_A_RECORD: Final = re.compile("รหัสผ่าน|password|ผู้ใช้|not acceptable")
"""Something else was not found: no such user, a representation of the resource."""
_REFUSED: Final = re.compile(
    r"(?<!เ)ปิด(?:ปรับปรุง|ระบบ|ให้บริการ)|(?:กำลัง|ระหว่าง|ระหว่างการ)(?:ปรับปรุง|แก้ไข|บำรุงรักษา)(?:ระบบ|เว็บ|เซิร์ฟเวอร์)|ระบบ.{0,20}(?:ปรับปรุง|บำรุงรักษา)|บำรุงรักษาระบบ"
    r"|ย้ายระบบ|งดให้บริการ|จะเปิดให้บริการ|สิ้นสุดการรายงาน|(?:ระบบ|เทคนิค|เครื่อง|เหตุ).{0,20}ขัดข้อง"
    r"|(?:เกิด|พบ|มี).{0,9}ผิดพลาด|ข้อผิดพลาด|ไม่สามารถ(?:เชื่อมต่อ|แสดง|เข้า|เปิด|ใช้|ให้บริการ|ติดต่อ|ประมวลผล|โหลด)|ขออภัย"
    r"|กรุณา(?:ลอง|เข้า|ล็อก|ติดต่อ|รอ)|กำลังโหลด|เข้าสู่ระบบ|รหัสผ่าน|ชื่อผู้ใช้|ไม่มีสิทธิ|ไม่ได้รับ(?:สิทธิ|อนุญาต)|ถูกปฏิเสธ|ถูกระงับ|ถูกบล็อก"
    r"|(?:เซสชัน|session|โดเมน|ลิงก์).{0,20}หมดอายุ"
    r"|maintenance|(?:back|coming) soon|under construction|log ?in\b|sign in|password|username|denied|forbidden|unauthori[sz]ed"
    r"|unavailable|not acceptable|bad (?:gateway|request)|time-?d? ?out|rejected|blocked|firewall|suspicious|javascript"
    r"|exceeded|expired|it works|default .{0,30}page|welcome to|connection (?:refused|failed|reset|error)|connect to|sql server"
    r"|database (?:error|connection|server)|error .{0,20}database|invalid (?:url|hostname)|went wrong|loading|redirecting"
    r"|server error|error\b|domain is parked|domain name"
)
"""What maintenance, logins, firewalls and failures say."""
_MOST_LINES: Final = 20
_MOST_CHARACTERS: Final = 4_000
_HEADLINES: Final = 3


def message_verdict(lines: list[str]) -> MessageVerdict | None:
    """What a page without a record says in place of one; None where it says nothing of that kind.

    A page of many lines is a message only if a firewall or a server's error is on it, or its first lines say so. A
    refusal goes first: "no such user, please log in" does not say that a record is gone.

    lines: the printed lines, without those of menus
    """
    text = "\n".join(lines)
    words = latin_text(text)
    is_firewall = _FIREWALLS.search(_letters(words)) or any(name in text for name in _FIREWALLS_IN_THAI)
    if is_firewall or server_message_places(lines, words):
        return "blocked"
    if len(lines) > _MOST_LINES or len(text) > _MOST_CHARACTERS:
        text = "\n".join(lines[:_HEADLINES])[:_MOST_CHARACTERS]
    text = text.lower()
    if _NOT_FOUND.search(text):
        return "blocked" if _NOT_OF_A_RECORD.search(text) else "not_found"
    return "blocked" if _REFUSED.search(text) else None


# --- what a page without any text says in its scripts ---------------------------------------------------------------

_TAGS: Final = re.compile("<[^<>]{0,2000}>")
_ALERT: Final = re.compile(r"""\b(?:alert|confirm)\s{0,9}\(\s{0,9}["']([^"'<>]{1,500})["']""")
_LEADS_AWAY: Final = re.compile(
    r"""http-equiv\s{0,9}=\s{0,9}["']?refresh|\blocation(?:\.href)?\s{0,9}=(?!=)|\blocation\.(?:replace|assign|reload)\s{0,9}\("""
    r"""|<frame\b|type\s{0,9}=\s{0,9}["']?password|_incapsula_|_cf_chl|captcha"""
)
"""In a page that prints nothing: it sends the browser elsewhere, or asks for something."""
_NOSCRIPTS: Final = 20
_NOSCRIPT_TEXT: Final = 2_000  # characters


def unseen_verdict(source: str) -> Literal["blocked", "not_found", "empty"]:
    """The verdict on a page that prints nothing: scripts may say or do something all the same."""
    source = source.lower()
    told = _ALERT.findall(source)
    for noscript in source.split("<noscript", _NOSCRIPTS)[1:]:
        inside = noscript.partition("</noscript")[0].partition(">")[2]
        told.append(_TAGS.sub(" ", inside[:_NOSCRIPT_TEXT]))
    told = [line for line in map(str.strip, "\n".join(told).split("\n")) if line]
    if (verdict := message_verdict(told)) is not None:
        return verdict
    return "blocked" if told or _LEADS_AWAY.search(source) else "empty"
