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
    """The title in a page's head. A name may quote titles and codes: it ends at the *last* ` : ` before its code.

    Where the head has the title more than once, the last is it: a trail of links above it names the record too.

    title_line: name and code in one line; code_line: a code alone
    ends_head: whether a line stands below every title
    """
    title = _next_title(lines, 0, title_line, code_line, ends_head)
    while title and any(title.code in line for line in lines[title.end :]):
        again = _next_title(lines, title.end, title_line, code_line, ends_head)
        if again is None or again.code != title.code or not again.name or not title.name.endswith(again.name):
            break
        title = again
    return title


def _next_title(
    lines: list[str],
    first: int,
    title_line: re.Pattern[str],
    code_line: re.Pattern[str],
    ends_head: Callable[[str], bool],
) -> Title | None:
    for place in range(first, len(lines)):
        line = lines[place]
        has_code = "-" in line  # as all codes have
        found = title_line.fullmatch(line) if has_code else None
        if found and found[1] and _code_below(lines, place, code_line) in (None, found[2]):
            return Title(place, place + 1, found[1], found[2])
        if ends_head(line) and not _code_below(lines, place, code_line):  # a name may begin like that line
            return None
        if not has_code:
            continue
        bare = found[2] if found and not found[1] else line if code_line.fullmatch(line) else None
        if bare is None or (found is None and _code_below(lines, place, code_line)):  # a name can be a code itself
            continue
        before = place - 2 if place > first + 1 and lines[place - 1] == ":" else place - 1
        if place > first and lines[before] not in FURNITURE:
            return Title(before, place + 1, lines[before].removesuffix(":").rstrip(), bare)
        return Title(place, place + 1, "", bare)
    return None


def _code_below(lines: list[str], place: int, code_line: re.Pattern[str]) -> str | None:
    """The code that stands below a line, in a cell of its own."""
    below = [line for line in lines[place + 1 : place + 3] if line != ":"][:1]
    code = below[0].removeprefix(":").strip() if below else ""
    return code if code_line.fullmatch(code) else None
