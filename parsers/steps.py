"""The section of the plan: its lines parted into steps, and each step into its parts."""

from parsers.labels import (
    STEP_DATES_AT_END,
    STEP_END_LABEL,
    STEP_LABEL,
    STEP_LINE,
    STEP_LINK_MARK,
    STEP_LINKS,
    STEP_START_LABEL,
    WEIGHT_AT_END,
    WEIGHT_LINE,
)
from parsers.thai import parse_integer

_STEP_DATE_LABELS = (STEP_START_LABEL, STEP_END_LABEL)


def step_starts(lines: list[str]) -> list[tuple[int, int, str, str | None]]:
    """Where steps begin: first line, first line of the text, number, text glued to the number.

    A step begins only once the one above has its end: a description may quote the label.
    """
    starts: list[tuple[int, int, str, str | None]] = []
    ended = True
    for place, line in enumerate(lines):
        if line.startswith(STEP_END_LABEL):
            ended = True
        elif ended and line.startswith(STEP_LABEL):
            if found := STEP_LINE.fullmatch(line):
                starts.append((place, place + 1, found[1], found[2]))
                ended = False
            elif line == STEP_LABEL and place + 1 < len(lines) and parse_integer(lines[place + 1]) is not None:
                starts.append((place, place + 2, lines[place + 1], None))
                ended = False
    return starts


def part_dates(lines: list[str]) -> list[str]:
    """The plan's lines where a step's dates stand in one line, or all of a step does: its two dates parted off."""
    parted: list[str] = []
    for line in lines:
        found = STEP_DATES_AT_END.fullmatch(line)
        parted += [part for part in found.groups() if part] if found else [line]
    return parted


def part_step_links(lines: list[str]) -> list[str]:
    """The lines with one link a line, where both stand in one, or what stands in parentheses in a cell of its own."""
    parted: list[str] = []
    for line in lines:
        if parted and STEP_LINK_MARK.fullmatch(parted[-1]) and STEP_LINKS.fullmatch(f"{parted[-1]} {line}"):
            line = f"{parted.pop()} {line}"
        second = STEP_LINK_MARK.search(line, 1) if line[0] == "(" else None
        if second and STEP_LINKS.fullmatch(first := line[: second.start()].rstrip()):
            parted.append(first)
            line = line[second.start() :]
        parted.append(line)
    return parted


def last_label(block: list[str], label: str) -> int | None:
    """Where the last line stands that begins with a label; None where none does."""
    for place in range(len(block) - 1, -1, -1):
        if block[place].startswith(label):
            return place
    return None


def split_step_text(lines: list[str]) -> tuple[list[str], str, list[str]]:
    """The lines of a step's description, its weight, and the lines that are neither.

    `:<text>` and `:5%` stand each in a line, with the colon in a cell of its own, or both in one line.
    """
    weight, end, below = "", len(lines), len(lines)
    for place in range(len(lines) - 1, -1, -1):
        line, is_last = lines[place], place == len(lines) - 1
        colon_above = place > 0 and lines[place - 1] == ":"
        if (is_last or line[0] == ":" or colon_above) and (found := WEIGHT_LINE.fullmatch(line)):
            weight, end, below = found[1], place - colon_above, place + 1
            break
        if (is_last or line[0] == ":") and (found := WEIGHT_AT_END.fullmatch(line)):
            lines = [*lines[:place], found[1], *lines[place + 1 :]]
            weight, end, below = found[2], place + 1, place + 1
            break
    start = next((place for place, line in enumerate(lines[:end]) if line[0] == ":"), 0)
    return lines[start:end], weight, [*lines[:start], *lines[below:]]


def step_day(block: list[str], place: int | None, label: str) -> tuple[str, int]:
    """What is printed at a step's label, and how many lines it took."""
    if place is None:
        return "", 0
    printed, taken = block[place].removeprefix(label).lstrip(" :"), 1
    while not printed and place + taken < len(block) and not block[place + taken].startswith(_STEP_DATE_LABELS):
        printed = block[place + taken].lstrip(" :")
        taken += 1
    return printed, taken
