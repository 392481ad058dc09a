"""Texts whose letters were lost or changed on their way through databases and converters, before the page was sent.

Letters written as numbers (`&amp;#3585;`, `\\u0e01`) are put back: such a reference means one letter, and no other.
All else is reported, never guessed: a whole page that was encoded twice is undone in `parsers.encoding`, where that is
certain; of a single text it never is.
"""

import re
from collections.abc import Callable
from typing import Final

from parsers.thai import clean

_REFERENCE: Final = re.compile(
    r"&(?:amp;){0,3}#(?:(3[56][0-9]{2})|x0?(e[0-9a-f]{2}));|[\\%]u0(e[0-5][0-9a-f])", re.IGNORECASE
)
_HALF_REFERENCE: Final = re.compile(r"&(?:amp;){0,3}#(?:3[56]|x0?e)[0-9a-f]{0,2}(?![0-9a-f;])", re.IGNORECASE)

_PERCENT: Final = re.compile(r"(?:%E0%B[89]%[89AB][0-9A-F]){2}", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"://|www\.|\.php")

_QUESTION_MARKS: Final = re.compile(r"(?<![A-Za-zก-๛?])\?{2,}+|\?{6,}+")
"""Words of nothing else; a few behind a letter are an officer's own."""
_LOST: Final = 4  # question marks in such words, in one line; a text of an officer's may have `???`
_LOST_LINES: Final = 3  # lines with such words: a short word in a column, such as a unit
_REPLACED: Final = 3  # U+FFFD in one line, where bytes could not be read: one letter cut in half gives up to two

_LATIN_MARKS: Final = "àãò¹¡èí¤ñõô§çá"
"""One of them, or its capital, stands in nearly every Thai word that was taken for Latin-1: the bytes of `เ ร า น ก`."""
_AS_LATIN: Final = re.compile("à[¸¹]|[À-ÿ]{3}|[¡-ÿ][¡-¥¨ª¬¯´¸ºÀ-ÿ]*[¡-¥¨ª¬¯´¸º][¡-ÿ]|[¡-¥¨ª¬¯´¸º][¡-ÿ]")
_AS_CP874: Final = re.compile(r"(?:เ[ธน][^เ\n]?){3}")


def latin_text(text: str) -> str:
    """All that a text has in Latin letters and signs, in small letters: quicker to search for marks than Thai text."""
    return text.encode("latin-1", "ignore").decode("latin-1").lower()


def put_back_references(lines: list[str], latin: str) -> list[str]:
    """The lines with Thai letters in place of their printed references; the very same list where none has any."""
    if ("#" in latin or "u0" in latin) and _REFERENCE.search(latin):
        return [clean(_REFERENCE.sub(_letter, line)) for line in lines]
    return lines


def _letter(reference: re.Match[str]) -> str:
    code = int(reference[1]) if reference[1] else int(reference[2] or reference[3], 16)
    return chr(code) if 0x0E01 <= code <= 0x0E5B else reference[0]


def text_damage(lines: list[str], text: str, latin: str, *, undecodable: int = 0) -> dict[str, str]:
    """The findings on the page's texts: each rule that is broken, with the first line that breaks it.

    text: all lines; latin: its `latin_text`; undecodable: how many characters of the source could not be read
    """
    checks: list[tuple[str, Callable[[str], object]]] = []
    if "\ufffd" in text:
        checks.append(("text_lost", lambda line: line.count("\ufffd") >= (_REPLACED if undecodable else 1)))
    if "??" in latin:
        least = _LOST if sum(map(bool, map(_QUESTION_MARKS.search, lines))) < _LOST_LINES else 2
        checks.append(("text_lost", lambda line: sum(map(len, _QUESTION_MARKS.findall(line))) >= least))
    if not latin.isascii() and any(mark in latin for mark in _LATIN_MARKS):
        checks.append(("text_misencoded", _AS_LATIN.search))
    if "เธ" in text:
        checks.append(("text_misencoded", _AS_CP874.search))
    if "&#" in latin or "amp;#" in latin:
        checks.append(("text_misencoded", _HALF_REFERENCE.search))
    if "%e0%" in latin:
        checks.append(("text_misencoded", lambda line: _PERCENT.search(line) and not _ADDRESS.search(line)))
    found: dict[str, str] = {}
    for rule, is_damaged in checks:
        if rule not in found and (line := next(filter(is_damaged, lines), None)) is not None:
            found[rule] = line
    return found
