"""Output for people: text in columns, colours, and tables that fit a terminal."""

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.cells import cell_len

from pipeline.plain_text import printable, say

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

_JOINED: Final = re.compile(r"[\u0E31\u0E33-\u0E3A\u0E47-\u0E4E\u0300-\u036F\u200D\uFE0F]")
_LEADING_VOWELS: Final = "เแโใไ"


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


class _Plain:
    """Rich content whose texts are made plain before they are coloured."""

    def __init__(self, content: "RenderableType") -> None:
        self._content = content

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from rich.segment import Segment

        for segment in console.render(self._content, options):
            yield Segment(printable(segment.text), segment.style, segment.control)


def show(content: "RenderableType") -> None:
    """Print rich content on a terminal: in colour and fitted to its width."""
    from rich.console import Console

    Console(highlight=False).print(_Plain(content))


class Fields(NamedTuple):
    """What is said of one thing. fields: name, text and colour of each; below: lines below them"""

    fields: Sequence[tuple[str, str, str]]
    below: str

    def __str__(self) -> str:
        width = max(len(name) for name, _, _ in self.fields)
        lines = [f"{name:<{width}}  {text}".rstrip() for name, text, _ in self.fields]
        return "\n".join([*lines, self.below])


def show_fields(about: Fields) -> None:
    """Print fields on standard output: as a grid in colour on a terminal, plain elsewhere."""
    if not sys.stdout.isatty():
        say(str(about), nl=False)
        return
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text, colour in about.fields:
        grid.add_row(name, Text(text, colour))
    show(Group(grid, Text(about.below, end="")))


def terminal_width() -> int:
    """Columns of the terminal."""
    from rich.console import Console

    return Console().width


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines with aligned columns; Thai marks take no width. Faster than a rich table of many rows."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)
