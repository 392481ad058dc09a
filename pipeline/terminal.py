"""Output for people: text in columns, colours, and tables that fit a terminal."""

import io
import re
import sys
from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment

from pipeline.plain_text import printable, say

_JOINED: Final = re.compile(r"[\u0E31\u0E33-\u0E3A\u0E47-\u0E4E\u0300-\u036F\u200D\uFE0F]")
_LEADING_VOWELS: Final = "เแโใไ"
_PIPED_WIDTH: Final = 10_000
"""Columns of piped output: far wider than any line, so that nothing is wrapped or cut."""


def one_line(value: str | None, longest: int) -> str:
    """A value on one line, cut so that it takes at most `longest` columns."""
    if value is None:
        return "(nothing)"
    return clipped(printable(" ".join(value.split())), longest)


def clipped(text: str, columns: int) -> str:
    """The beginning of a text that takes at most so many columns, with `…` where it was cut, between two letters."""
    if cell_len(text) <= columns:
        return text
    place, width = 0, 0
    while (width := width + cell_len(text[place])) < columns:
        place += 1
    while place > 0 and not can_cut(text, place):
        place -= 1
    return f"{text[:place]}…"


def can_cut(text: str, place: int) -> bool:
    """Whether a text may be cut before a place: no mark is separated from its letter, no leading vowel from the next."""
    return not _JOINED.match(text[place]) and text[place - 1] not in _LEADING_VOWELS


def as_text(content: RenderableType) -> str:
    """Rich content as plain lines, for files and pipes: no colour, nothing wrapped, no blanks at the ends of lines."""
    out = io.StringIO()
    Console(file=out, width=_PIPED_WIDTH, color_system=None, force_terminal=False).print(content, soft_wrap=True)
    return "".join(f"{line.rstrip()}\n" for line in printable(out.getvalue()).split("\n")[:-1])


class _Plain:
    """Rich content whose texts are made plain before they are coloured."""

    def __init__(self, content: RenderableType) -> None:
        self._content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._content, options):
            yield Segment(printable(segment.text), segment.style, segment.control)


def show(content: RenderableType) -> None:
    """Print rich content on standard output: in colour and fitted to the width of a terminal, plain elsewhere."""
    if sys.stdout.isatty():
        Console(highlight=False).print(_Plain(content))
    else:
        say(as_text(content), nl=False)


def terminal_width() -> int:
    """Columns of the terminal."""
    return Console().width


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines with aligned columns; Thai marks take no width. Faster than a rich table of many rows."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)
