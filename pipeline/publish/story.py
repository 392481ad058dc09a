"""The story of one record for readers: what changed on which night, both texts, in Thai or in English, as one HTML file."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from parsers.thai import BANGKOK
from pipeline.compare.classify import DETAILS, MEANINGS
from pipeline.compare.text_diff import changed_words, is_text_change
from pipeline.compare.timeline import OUTCOMES, Entry
from pipeline.publish.html_pages import html_environment
from pipeline.publish.report_texts import DETAILS_TH, MEANINGS_TH, OUTCOMES_TH
from pipeline.schema.columns import TABLES
from pipeline.schema.row_text import row_of_text
from pipeline.store.layout import harvest_start

LANGUAGES: Final = ("th", "en")

_MONTHS_TH: Final = "ม.ค. ก.พ. มี.ค. เม.ย. พ.ค. มิ.ย. ก.ค. ส.ค. ก.ย. ต.ค. พ.ย. ธ.ค.".split()
_WORDS: Final[dict[str, dict[str, str]]] = {
    "th": {
        "title": "ความเป็นมาของ {code}",
        "intro": "สิ่งที่เว็บไซต์ {portal} แสดงในแต่ละคืน เรียงจากเก่าไปใหม่ หน้าเว็บที่บันทึกไว้อยู่ใน pages/ วิธีตรวจสอบอยู่ใน README.th.txt",
        "made": "จัดทำโดย {software} (โปรแกรมอ่านรุ่น {parser_version})",
        "nights": "เหมือนเดิมใน {count} คืน จนถึง {until}",
        "ended": "รายการสิ้นสุด",
        "held_back": "คืนนี้ไม่ได้เผยแพร่",
        "page": "หน้าเว็บที่บันทึกไว้ SHA-256",
        "before": "ก่อน",
        "after": "หลัง",
        "none": "ไม่มี",
        "parser": "โปรแกรมอ่านต่างไป เว็บไซต์ไม่ได้เปลี่ยน",
        "no_change": "ไม่มีข้อมูลใดเปลี่ยน",
    },
    "en": {
        "title": "The story of {code}",
        "intro": "What {portal} showed, night by night, oldest first. The stored pages are in pages/; README.en.txt says "
        "how to check them.",
        "made": "Made by {software} (parser version {parser_version})",
        "nights": "the same in {count} harvests until {until}",
        "ended": "the record ended",
        "held_back": "this harvest was held back and not published",
        "page": "stored page, SHA-256",
        "before": "before",
        "after": "after",
        "none": "nothing",
        "parser": "our parser's reading changed, not the portal",
        "no_change": "no value changed",
    },
}
_TEXTS: Final = {
    "th": (OUTCOMES_TH, MEANINGS_TH, DETAILS_TH),
    "en": (OUTCOMES, MEANINGS, DETAILS),
}


def story_html(entries: Iterable[Entry], made: Mapping[str, Any], language: str) -> str:
    """The page. made: what made it, as `bundle.json` has it; language: one of LANGUAGES"""
    environment = html_environment("pipeline.publish")
    words = {name: text.format(**made, count="{count}", until="{until}") for name, text in _WORDS[language].items()}
    nights = [_night(entry, words, language) for entry in entries]
    return environment.get_template("story.html.jinja").render(words=words, language=language, nights=nights)


def _night(entry: Entry, words: Mapping[str, str], language: str) -> dict[str, Any]:
    """One entry as the template shows it."""
    outcomes, *_ = _TEXTS[language]
    notes = [
        words["nights"].format(count=f"{entry.nights:,}", until=_day(entry.last_harvest_id, language))
        if entry.nights > 1
        else "",
        words["ended"] if entry.ended else "",
        "" if entry.published else words["held_back"],
        entry.error or "",
    ]
    return {
        "day": _day(entry.harvest_id, language),
        "harvest_id": entry.harvest_id,
        "outcome": outcomes.get(entry.outcome, entry.outcome),
        "notes": [note for note in notes if note],
        "sha256": entry.page_sha256 if entry.outcome in ("new", "changed") else None,
        "looked_same": entry.outcome in ("changed", "unchanged"),
        "changes": [_change(row, words, language) for row in entry.changes],
    }


def _change(row: Mapping[str, Any], words: Mapping[str, str], language: str) -> dict[str, Any]:
    _, meanings, details = _TEXTS[language]
    place = "/".join(str(part) for part in list(row_of_text(row["key"]).values())[1:])
    column = next((one for one in TABLES[row["table"]].columns if one.name == row["column"]), None)
    label = column.label_th if column and language == "th" and column.label_th else row["column"] or ""
    pieces = changed_words(row["before"], row["after"]) if is_text_change(row) else None
    return {
        "meaning": details.get(row["detail"] or "") or meanings.get(row["meaning"], row["meaning"]),
        "where": " ".join(part for part in (row["table"], place, label) if part),
        "by_parser": row["cause"] == "parser",
        "before": _side(row["before"], pieces, "removed"),
        "after": _side(row["after"], pieces, "added"),
    }


def _side(value: str | None, pieces: Any, own: str) -> list[tuple[str, bool]]:
    """One of the two texts, whole, as runs of letters and whether they changed."""
    if pieces is None:
        return [] if value is None else [(value, True)]
    return [(piece.text, piece.operation == own) for piece in pieces if piece.operation in ("same", own)]


def _day(harvest_id: str, language: str) -> str:
    """The day and time at which a harvest began, in Bangkok."""
    at = harvest_start(harvest_id).astimezone(BANGKOK)
    if language == "th":
        return f"{at.day} {_MONTHS_TH[at.month - 1]} {at.year + 543} {at:%H:%M} น."
    return f"{at:%Y-%m-%d %H:%M} (Bangkok)"
