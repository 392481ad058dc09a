"""Thai text as the portal really prints it: spelling repairs, digits, numbers, Buddhist-era dates.

General libraries were considered and left: `pythainlp.util.normalize` also drops repeated tone marks and reorders
vowels, which changes what was printed; date libraries read Buddhist-era years silently wrong.
"""

import re
import unicodedata
from datetime import date, timedelta, timezone
from functools import lru_cache
from math import isinf

BANGKOK = timezone(timedelta(hours=7))
"""Its clocks have not been changed since 1920."""

BUDDHIST_OFFSET = 543
"""Buddhist-era year minus Common-era year."""

_DIGITS = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")
_NIKHAHIT, _AA, _AM = "\u0e4d", "\u0e32", "\u0e33"
_TONES = "\u0e48-\u0e4b"
# Sara am typed or stored in pieces, with the tone mark anywhere among them (น้ํา, นํ้า, นำ้), and ำ + า (left by PDF).
_AM_TRACE = re.compile(f"{_AM}[{_TONES}{_AA}]")
_AM_PIECES = re.compile(f"[{_TONES}{_NIKHAHIT}{_AA}{_AM}]{{2,}}+")
_TONE_MARKS = frozenset("\u0e48\u0e49\u0e4a\u0e4b")
_DOUBLE_SARA_E = re.compile("เเ")
_INVISIBLE = re.compile(
    # controls, soft hyphen, zero-width blanks and joiners, directional marks, word joiners, byte order mark
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]+"
)
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)?(?:\.[0-9]+)?", re.ASCII)
_MOST_DIGITS = 9  # of a whole number: what fits the tables' int32
_ISO_STAMP = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:[ T][0-9:.]+)?", re.ASCII)
_DIGIT = "[0-9๐-๙]"
_TYPED_DATE = re.compile(
    f"(?<![0-9๐-๙/])({_DIGIT}{{1,2}}) ?/ ?({_DIGIT}{{1,2}}) ?/ ?({_DIGIT}{{2}}|{_DIGIT}{{4}})(?![0-9๐-๙/])"
)

NONE_WORDS = frozenset({"", "-", "ไม่มี"})
"""What the portal prints for "none" where an officer was asked for problems or obstacles."""


def clean(text: str) -> str:
    """Return `text` in NFC, with `ำ` and `แ` in their one right spelling and white space as a reader sees it.

    No-break blanks become plain, zero-width characters go, runs of white space become one blank, ends are trimmed.
    Everything else stays as printed. `clean(clean(x)) == clean(x)`.
    """
    text = " ".join(text.split())
    if not text.isprintable():  # one quick test for all that is invisible
        text = " ".join(_INVISIBLE.sub("", text).split())
    return normalise_spelling(text)


def normalise_spelling(text: str) -> str:
    """The part of `clean` that is about letters: for a text without invisible characters and with single blanks."""
    text = unicodedata.normalize("NFC", text)
    if _DOUBLE_SARA_E.search(text):  # three times as quick as `in`
        text = text.replace("เเ", "แ")
    if _NIKHAHIT in text:
        text = text.replace(_NIKHAHIT + _AA, _AM)  # the usual case, by the quickest means
    return _AM_PIECES.sub(_whole_am, text) if _NIKHAHIT in text or _AM_TRACE.search(text) else text


def _whole_am(pieces: re.Match[str]) -> str:
    """Tone marks, ํ, า and ำ in a row, mended: a ํ and the next า or ำ are one ำ; tone marks go before a ำ; an า behind it goes."""
    mended: list[str] = []  # single letters, and several ำ as one item
    last = 0  # how many ำ come behind them
    for piece in pieces[0]:
        if piece == _NIKHAHIT:
            mended += [_AM * last, piece] if last else [piece]
            last = 0
        elif piece not in (_AA, _AM):
            mended.append(piece)
        elif last:
            last += piece == _AM
        else:
            is_am, place = piece == _AM, len(mended)
            while not last:
                while place and mended[place - 1] in _TONE_MARKS:
                    place -= 1
                if not place or mended[place - 1] != _NIKHAHIT:
                    break
                is_am, place = True, place - 1
                del mended[place]
                if place and mended[place - 1][0] == _AM:
                    place -= 1
                    last = len(mended.pop(place))
            if is_am:
                last += 1
            else:
                mended.append(piece)
    return "".join(mended) + _AM * last


def arabic_digits(text: str) -> str:
    """Thai digits written as Arabic ones; everything else unchanged."""
    return text if text.isascii() else text.translate(_DIGITS)


@lru_cache(maxsize=10_000)  # a portal prints the same few numbers and days over and over
def parse_number(printed: str) -> float | None:
    """Read `1,407.52`, `๒๒.๕`, `100%`; None where it is not a number (the caller tells blank from unreadable)."""
    text = arabic_digits(printed).removesuffix("%").strip()
    if not _NUMBER.fullmatch(text) or not text.strip("+-"):
        return None
    value = float(text.replace(",", "")) + 0.0  # + 0.0: no negative zero
    return None if isinf(value) else value


@lru_cache(maxsize=10_000)
def parse_integer(printed: str) -> int | None:
    """Read a whole number in Thai or Arabic digits; None where it is not one, or more than anything here can count."""
    text = arabic_digits(printed)
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MOST_DIGITS else None


@lru_cache(maxsize=10_000)
def parse_iso_day(printed: str) -> str | None:
    """Read a machine's stamp (`2019-10-01`, `2019-10-01 00:00:00.000`) as an ISO calendar day, or None."""
    match = _ISO_STAMP.fullmatch(arabic_digits(printed).strip())
    return _iso(int(match[1]), int(match[2]), int(match[3])) if match else None


def typed_dates(text: str) -> list[re.Match[str]]:
    """All `d/m/y` an officer typed, in Thai or Arabic digits or both, where one of them leads the text; else none."""
    leading = _TYPED_DATE.match(text)
    if leading is None:
        return []
    if "/" not in text[leading.end() :]:
        return [leading]
    return [leading, *_TYPED_DATE.finditer(text, leading.end())]


@lru_cache(maxsize=10_000)
def typed_date_day(printed: str) -> str | None:
    """Read one typed date as day/month/Buddhist year, as an ISO day.

    None where that cannot be: `1/31/2021` (other order and era), 31/02/2563, 29/02/2566 (no leap day), years of two
    digits, and years that no project of the portal can have (before 2500 or after 2699).
    """
    day, month, year = map(int, printed.split("/"))  # int() reads Thai digits, and leaves blanks aside
    if not 2500 <= year <= 2699:
        return None
    return _iso(year - BUDDHIST_OFFSET, month, day)


def _iso(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None
