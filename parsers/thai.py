"""Thai text as the portal really prints it: one spelling for what looks the same, digits.

General libraries were considered and left: `pythainlp.util.normalize` also drops repeated tone marks and reorders
vowels, which changes what was printed.
"""

import re
import unicodedata
from datetime import timedelta, timezone
from typing import Final

BANGKOK: Final = timezone(timedelta(hours=7))
"""Its clocks have not been changed since 1920."""

ARABIC_DIGITS: Final = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")
_NIKHAHIT, _AA, _AM = "\u0e4d", "\u0e32", "\u0e33"
_TONES: Final = "\u0e48\u0e49\u0e4a\u0e4b"
# Sara am typed or stored in pieces, with the tone mark anywhere among them (น้ํา, นํ้า, นำ้), and ำ + า (left by PDF).
_AM_TRACE: Final = re.compile(f"{_AM}[{_TONES}{_AA}]")
_AM_PIECES: Final = re.compile(f"[{_TONES}{_NIKHAHIT}{_AA}{_AM}]{{2,}}+")
_INVISIBLE: Final = re.compile(
    # controls, soft hyphen, zero-width blanks and joiners, directional marks, word joiners, byte order mark
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]+"
)
_OLD_FONTS: Final = dict(zip(range(0xF700, 0xF71B), "ฐิีึื่้๊๋์่้๊๋์ญัํ็่้๊๋์ฺุู", strict=True))
"""The private codes U+F700 … U+F71A, under which fonts of Windows 95, and PDF files, keep a letter's further shapes."""


def clean(text: str) -> str:
    """Return `text` in NFC, each letter in its one right spelling and white space as a reader sees it.

    No-break blanks become plain, zero-width characters go, runs of white space become one blank, ends are trimmed;
    the private codes of old Thai fonts become their letters; see also `normalise_spelling`.
    Everything else stays as printed. `clean(clean(x)) == clean(x)`.
    """
    text = " ".join(text.split())
    if not text.isprintable():  # one quick test for all that is invisible, and for private codes
        text = " ".join(_INVISIBLE.sub("", text).translate(_OLD_FONTS).split())
    return normalise_spelling(text)


def normalise_spelling(text: str) -> str:
    """The part of `clean` that is about `ำ` and `แ`; for the text of a whole page at once."""
    text = unicodedata.normalize("NFC", text)
    text = text.replace("เเ", "แ")
    if _NIKHAHIT in text:
        text = text.replace(_NIKHAHIT + _AA, _AM)  # the usual case, by the quickest means
    return _AM_PIECES.sub(compose_sara_am, text) if _NIKHAHIT in text or _AM_TRACE.search(text) else text


def compose_sara_am(pieces: re.Match[str]) -> str:
    """Put a run of tone marks, ํ, า and ำ in order.

    A ํ and the next า or ำ are one ำ; tone marks go before a ำ; an า behind a ำ goes.
    """
    placed: list[str] = []  # from the end of the run to its last ํ or ำ in order
    leading: list[str] = []  # what stands before those, the end first
    tones, has_aa = 0, False  # so many of `leading` are known to be tone marks; whether there is an า behind them
    for piece in reversed(pieces[0]):
        if piece == _NIKHAHIT and not has_aa:
            if placed[-1:] != [_AM]:
                placed += [*leading, _NIKHAHIT]
                leading, tones = [], 0
        elif piece in (_NIKHAHIT, _AM):
            placed.append(_AM)
            leading[tones:] = [mark for mark in leading[tones:] if mark != _AA]
            tones, has_aa = len(leading), False
        else:
            leading.append(piece)
            has_aa = has_aa or piece == _AA
    return "".join(reversed([*placed, *leading]))
