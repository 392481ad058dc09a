"""The title of a record: its name, ` : ` and its code, in one line or in cells of their own."""

import re
from collections.abc import Callable
from typing import NamedTuple

from parsers.labels import FURNITURE


class Title(NamedTuple):
    """Where a title stands (first line, line after it), and what it says."""

    start: int
    end: int
    name: str
    code: str


def find_title(
    lines: list[str], title_line: re.Pattern[str], code_line: re.Pattern[str], ends_head: Callable[[str], bool]
) -> Title | None:
    """The first title. A name may quote titles and codes: it ends at the *last* ` : ` before its code.

    title_line: name and code in one line; code_line: a code alone
    ends_head: whether a line stands below every title
    """
    for place, line in enumerate(lines):
        found = title_line.fullmatch(line)
        if found and found[1]:
            return Title(place, place + 1, found[1], found[2])
        if ends_head(line) and not _is_code_below(lines, place, code_line):  # a name may begin like that line
            return None
        bare = found[2] if found else line if code_line.fullmatch(line) else None
        if bare is None or (found is None and _is_code_below(lines, place, code_line)):  # a name can be a code itself
            continue
        before = place - 2 if place > 1 and lines[place - 1] == ":" else place - 1
        if place and lines[before] not in FURNITURE:
            return Title(before, place + 1, lines[before].removesuffix(":").rstrip(), bare)
        return Title(place, place + 1, "", bare)
    return None


def _is_code_below(lines: list[str], place: int, code_line: re.Pattern[str]) -> bool:
    below = [line for line in lines[place + 1 : place + 3] if line != ":"][:1]
    return bool(below and code_line.fullmatch(below[0].removeprefix(":").strip()))
