"""The contact line: free text that mixes names (of people or of a unit) and telephone numbers.

A telephone number is, in this order of certainty, one behind label words (`โทร. 7033`, `หรือโทร. 2599`), one of three
digits or more alone in parentheses (`(3027)`), or a bare one of four or more (`0 2643 3159`). It may be a range, a list
(`6541 และ 6542`), and go on with an extension (`022257612 ต่อ 111`). What is left is the name, with honorifics and titles.
"""

import re
from functools import lru_cache

_DIGIT = "[0-9๐-๙]"
_RUN = rf"{_DIGIT}(?:(?! {_DIGIT}{{1,2}}[.)] ?[ก-๛])[ .,/–-]*+{_DIGIT})*+"  # what numbers the next person ends it
_AREA = rf"\( ?[0๐]{_DIGIT}{{0,2}} ?\)[ -]?"  # of Bangkok, in parentheses
_PHONE = rf"(?:{_AREA})?\+?{_RUN}(?: ?(?:ต่อ|ext\.?|#|และ|หรือ|ถึง) ?{_RUN})*+"
_LABEL = (  # `โทร.ภายใน`, `เบอร์โทรศัพท์ติดต่อ`; those of the second row only behind one of the first
    r"(?:หมายเลข|เบอร์|ติดต่อ(?= ?(?:เบอร์|โทร))|โทรศัพท์|โทรสาร|โทร|มือถือ|สายตรง|แฟกซ์|tel|fax|mobile)"
    r"(?:[ .:ฯ]*+(?:โทรศัพท์|โทรสาร|โทร|มือถือ|เคลื่อนที่|ติดต่อ|ภายใน|สายใน|ที่ทำงาน|ต่อ))*+[ .:ฯ]*+"
)
_LABEL_APART = r"(?<![^\s(/,])(?:ต่อ|ติดต่อ|ภายใน|สายใน) ?"  # these may end a name: `ฝ่ายตรวจสอบภายใน 7033`
_JOINT = r"(?:[,/;]|(?<![ก-๛])(?:และ|หรือ))? ?"
_TELEPHONE = re.compile(
    rf"{_JOINT}(?:{_LABEL}|{_LABEL_APART})({_PHONE})"
    rf"|(?!{_AREA}{_DIGIT})\( ?({_PHONE}) ?\)"
    rf"|[,/;]? ?(?<![0-9๐-๙a-z@_])({_PHONE})(?![a-z@_])",
    re.IGNORECASE,
)
_LEAST_DIGITS = (1, 3, 4)  # by the rules above
_LABEL_ALONE = re.compile(rf"{_JOINT}{_LABEL}(?=[\s()/,;-]|$)", re.IGNORECASE)
_EMPTY = re.compile(r"\( ?\)|(?<!\S)\.(?!\S)|([,;])(?: ?[,;])+")
_STRAY_BLANK = re.compile(r" (?=[,;)])|(?<=\() ")
_EDGES = " /,;:*-"


@lru_cache(maxsize=10_000)  # an officer answers for several projects
def split_contact(contact: str) -> tuple[str | None, str | None]:
    """Name and telephone of a cleaned contact line; the telephone as printed, without label words and parentheses.

    Several telephone numbers in different places are joined by `, `.
    """
    phones: list[str] = []

    def take(match: re.Match[str]) -> str:
        rule = next(place for place, group in enumerate(match.groups()) if group)
        phone = " ".join(match[rule + 1].replace("(", "").replace(")", " ").split())
        if sum(map(str.isdigit, phone)) < _LEAST_DIGITS[rule]:
            return match[0]
        phones.append(phone)
        return " "

    name = _LABEL_ALONE.sub(" ", _TELEPHONE.sub(take, contact))
    name = _EMPTY.sub(r" \1", " ".join(name.split()))
    name = _STRAY_BLANK.sub("", " ".join(name.split())).strip(_EDGES)
    for joint in ("และ", "หรือ"):
        name = name.removeprefix(f"{joint} ").removesuffix(f" {joint}").strip(_EDGES)
    return name or None, ", ".join(phones) or None
