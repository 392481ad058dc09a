"""Output for people: text that is safe on a terminal, and tables that fit it."""

import io
import sys
import unicodedata
from collections.abc import Sequence
from typing import Final

import click
from rich.cells import cell_len
from rich.console import Console, RenderableType

_PIPED_WIDTH: Final = 10_000
"""Columns of piped output: far wider than any line, so that nothing is wrapped or cut."""


def printable(text: str) -> str:
    """The text with control and direction characters shown as `�`: a page could contain some, and a terminal obeys them.

    Line breaks stay, and so does the zero-width joiner, which some scripts need.
    """
    return "".join(
        "�" if unicodedata.category(letter) in ("Cc", "Cf", "Cs") and letter not in "\n\u200d" else letter
        for letter in text
    )


def one_line(value: str | None, longest: int) -> str:
    """A value on one line, cut after `longest` letters."""
    if value is None:
        return "(nothing)"
    text = printable(" ".join(value.split()))
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def as_text(content: RenderableType) -> str:
    """Rich content as plain lines, for files and pipes: no colour, nothing wrapped, no blanks at the ends of lines."""
    out = io.StringIO()
    Console(file=out, width=_PIPED_WIDTH, color_system=None, force_terminal=False).print(content, soft_wrap=True)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def show(content: RenderableType) -> None:
    """Print rich content on standard output: in colour and fitted to the width of a terminal, plain elsewhere."""
    if sys.stdout.isatty():
        Console(highlight=False).print(content)
    else:
        click.echo(as_text(content), nl=False)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines with aligned columns; Thai marks take no width. Faster than a rich table of many rows."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)
