"""Single printed values: numbers, percentages, whole numbers, calendar days. Each gives its value, and says what is odd.

A value that cannot be read is null and a finding, never a guess. `-` is null without one, as is what is blank: no reader
is asked for that.
"""

import re
from datetime import date
from functools import lru_cache
from math import isinf
from typing import Final

from parsers.findings import Scope
from parsers.thai import ARABIC_DIGITS

BUDDHIST_OFFSET: Final = 543
"""Buddhist-era year minus Common-era year."""

FIRST_YEAR: Final = 2001
LAST_YEAR: Final = 2060
"""The years (Common Era) that the portal can print: its oldest records are of 2018, its plans reach to 2037."""

NONE_WORDS: Final = frozenset({"", "-", "ไม่มี"})
"""What the portal prints for "none" where an officer was asked for problems or obstacles."""

NO_DATES: Final = frozenset(
    ("1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1901-01-01", "1970-01-01", "2000-01-01", "2079-06-06")
)
"""What databases print for "no date", besides the years 0, 1 and 9999."""

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?(?:\.[0-9]+)?", re.ASCII)
_INTEGER: Final = re.compile("0*([0-9]{1,9})")  # so many digits fit the tables' int32
_STAMP: Final = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:[ T][0-9:.]+)?", re.ASCII)
_ONLY_SEPARATORS: Final = re.compile(" ?(?:[,&;/–-]|และ|ถึง)? ?(?:วันที่)? ?")
TYPED_DATE: Final = re.compile(
    "[0-9๐-๙](?<![0-9๐-๙/].)[0-9๐-๙]? ?/ ?[0-9๐-๙]{1,2} ?/ ?(?:[0-9๐-๙]{4}|[0-9๐-๙]{2})(?![0-9๐-๙/])"
)

# --- values with their findings ---------------------------------------------------------------------------------------


def text(printed: str, scope: Scope, column: str) -> str | None:
    """Read a text as it is printed."""
    return printed


def without_mark(agency: str, scope: Scope, column: str) -> str | None:
    """Read the name of an agency, without the mark of sub-offices (`** `)."""
    return agency.lstrip("* ").rstrip() or None


def unless_none(printed: str, scope: Scope, column: str) -> str | None:
    """Read a text; the portal's word for "none" is null."""
    return None if printed in NONE_WORDS else printed


def number(printed: str, scope: Scope, column: str) -> float | None:
    """Read a number; what is neither one nor `-` is null and a finding."""
    value = parse_number(printed)
    if value is None and printed != "-":
        scope.add("number_unreadable", column, printed)
    return value


def percent(printed: str, scope: Scope, column: str) -> float | None:
    """Read a number as `number` does; one below 0 or above 100 is a finding, too."""
    value = number(printed, scope, column)
    if value is not None and not 0 <= value <= 100:
        scope.add("percent_out_of_range", column, printed)
    return value


def integer(printed: str, scope: Scope, column: str) -> int | None:
    """Read a whole number; what is neither one nor `-` is null and a finding."""
    value = parse_integer(printed)
    if value is None and printed != "-":
        scope.add("number_unreadable", column, printed)
    return value


def fiscal_year(printed: str, scope: Scope, column: str) -> int | None:
    """Read a fiscal year of the Buddhist era; one that the portal cannot print is null and a finding."""
    year = integer(printed, scope, column)
    if year is not None and not FIRST_YEAR <= year - BUDDHIST_OFFSET <= LAST_YEAR:
        scope.add("number_unreadable", column, printed)
        return None
    return year


def day(printed: str, scope: Scope, column: str) -> str | None:
    """Read a machine's stamp (`2019-10-01`, `2019-10-01 00:00:00.000`) as an ISO calendar day.

    A year of the Buddhist era gives the day it means and a finding; a database's "no date" is null and a finding.
    """
    value, rule = parse_day(printed)
    if rule and printed != "-":
        scope.add(rule, column, printed)
    return value


def read_note(text: str, reported: str | None, scope: Scope) -> tuple[str | None, str | None]:
    """The one typed date that leads a note, and the note without it; a date that cannot be stays in the note.

    reported: the day in the report's heading
    """
    dates = typed_dates(text)
    if not dates:
        rule = "note_date_absent"
    elif len(dates) > 1 and _heads_more_entries(text, dates):
        rule = "note_dates_several"
    elif (typed := typed_date_day(dates[0][0])) is None:
        rule = "note_date_impossible"
    else:
        if reported and typed != reported:
            scope.add("note_date_differs", "note_date", f"{dates[0][0]} | {reported}")
        return typed, text[dates[0].end() :].lstrip(" ").removeprefix(":").lstrip(" ") or None
    scope.add(rule, "note_date", text[:80] or None)
    return None, text or None


def _heads_more_entries(text: str, dates: list[re.Match[str]]) -> bool:
    """Whether dates beside the leading one head entries of their own: `25/2/2563 : … 26/2/2563 : …`, or adjoin it."""
    if _ONLY_SEPARATORS.fullmatch(text[dates[0].end() : dates[1].start()]):
        return True
    return any(text[found.end() :].lstrip().startswith(":") for found in dates[1:])


# --- what is printed, read alone --------------------------------------------------------------------------------------


@lru_cache(maxsize=10_000)  # a portal prints the same few numbers and days over and over
def parse_number(printed: str) -> float | None:
    """Read `1,407.52`, `๒๒.๕`, `100%`; None where it is not a number (the caller tells blank from unreadable)."""
    text = printed.translate(ARABIC_DIGITS).removesuffix("%").strip()
    if not _NUMBER.fullmatch(text) or not text.strip("+-"):
        return None
    value = float(text.replace(",", "")) + 0.0  # + 0.0: no negative zero
    return None if isinf(value) else value


@lru_cache(maxsize=10_000)
def parse_integer(printed: str) -> int | None:
    """Read a whole number in Thai or Arabic digits; None where it is not one, or more than anything here can count."""
    found = _INTEGER.fullmatch(printed.translate(ARABIC_DIGITS))
    return int(found[1]) if found else None


@lru_cache(maxsize=10_000)
def parse_day(printed: str) -> tuple[str | None, str | None]:
    """The ISO day of a machine's stamp, and the name of the rule that it breaks."""
    found = _STAMP.fullmatch(printed.translate(ARABIC_DIGITS).strip())
    if found is None:
        return None, "date_unreadable"
    year, month, day_of_month = map(int, found.groups())
    if iso := _iso(year, month, day_of_month):
        return iso, None
    if year in (0, 1, 9999) or f"{year}-{month:02}-{day_of_month:02}" in NO_DATES:
        return None, "date_is_no_date"
    iso = _iso(year - BUDDHIST_OFFSET, month, day_of_month)
    return iso, "buddhist_year" if iso else "date_unreadable"


def typed_dates(text: str) -> list[re.Match[str]]:
    """All `d/m/y` an officer typed, in Thai or Arabic digits or both, where one of them leads the text; else none."""
    leading = TYPED_DATE.match(text)
    if leading is None:
        return []
    further = TYPED_DATE.finditer(text, leading.end()) if "/" in text[leading.end() :] else ()
    return [leading, *further]


@lru_cache(maxsize=10_000)
def typed_date_day(printed: str) -> str | None:
    """Read one typed date as day/month/Buddhist year, as an ISO day.

    None where that cannot be: `1/31/2021` (other order and era), 31/02/2563, 29/02/2566 (no leap day), years of two
    digits, and years that the portal cannot print.
    """
    day_of_month, month, year = map(int, printed.split("/"))  # int() reads Thai digits, and leaves blanks aside
    return _iso(year - BUDDHIST_OFFSET, month, day_of_month)


def _iso(year: int, month: int, day_of_month: int) -> str | None:
    """The ISO day; None where there is none, or its year is none that the portal can print."""
    try:
        return date(year, month, day_of_month).isoformat() if FIRST_YEAR <= year <= LAST_YEAR else None
    except ValueError:
        return None
