"""The contact line: free text that mixes a name (of people or of a unit) and telephone numbers.

Rules, in order:

1. a number behind `โทร` (`โทร. 7033`, `โทร.6541`, `โทร 6888`, `/ โทร.6375`), `โทรสาร`, `มือถือ`
   or a `ต่อ` of its own (`ต่อ 6541`) is a telephone number;
2. so is a number alone in parentheses (`(3027)`), with three digits or more;
3. so is a bare number of four digits or more (`6914`, `0 2643 3159`).

A number may be a range (`5636-5638`), a list (`5884,5885`, `6541 และ 6542`), may hold blanks and hyphens, and may go on with an
extension (`022257612 ต่อ 111`). What is left is the name: honorifics and job titles stay, two people stay together.
"""

import re
from functools import lru_cache

from parsers.thai import arabic_digits

_DIGIT = "[0-9๐-๙]"
_RUN = rf"{_DIGIT}(?:[0-9๐-๙ .,/–-]*{_DIGIT})?"
_AREA = rf"\(\s*[0๐]{_DIGIT}{{0,2}}\s*\)[ -]*"  # of Bangkok, in parentheses
_PHONE = rf"(?:{_AREA})?{_RUN}(?:\s*(?:ต่อ|[Ee]xt\.?|และ|หรือ)\s*{_RUN})*"
_LABEL = r"(?:หมายเลข|เบอร์)?(?:โทรศัพท์|โทรสาร|โทร|มือถือ|[Tt][Ee][Ll])\s*\.?\s*:?\s*"
_TELEPHONE = re.compile(
    rf"[/,]?\s*(?:{_LABEL}|(?<![^\s(/,])ต่อ\s*)({_PHONE})|(?!{_AREA}{_DIGIT})\(\s*({_PHONE})\s*\)"
    rf"|[/,]?\s*(?<![0-9๐-๙])({_PHONE})"
)
_LABEL_ALONE = re.compile(rf"[/,]?\s*(?:{_LABEL})(?=[\s)/,-]|$)")
_EMPTY_PARENTHESES = re.compile(r"\(\s*\)")
_LEAST_DIGITS = (1, 3, 4)  # by the rules above: labelled, in parentheses, bare


@lru_cache(maxsize=10_000)  # an officer answers for several projects
def split_contact(contact: str) -> tuple[str | None, str | None]:
    """Name and telephone of a cleaned contact line; the telephone as printed, without `โทร.` and parentheses.

    Several telephone numbers in different places are joined by `, `.
    """
    phones: list[str] = []

    def take(match: re.Match[str]) -> str:
        rule = next(i for i, group in enumerate(match.groups()) if group)
        phone = " ".join(match[rule + 1].replace("(", "").replace(")", " ").split())
        if sum(character.isdigit() for character in arabic_digits(phone)) < _LEAST_DIGITS[rule]:
            return match[0]
        phones.append(phone)
        return " "

    name = " ".join(_TELEPHONE.sub(take, contact).split())
    name = _EMPTY_PARENTHESES.sub(" ", _LABEL_ALONE.sub(" ", name))
    name = " ".join(name.split()).replace("( ", "(").replace(" )", ")").strip(" /,:-")
    return name or None, ", ".join(phones) or None
