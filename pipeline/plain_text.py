"""Text that is safe to print: the one function that makes foreign text plain, and the one way to a terminal for all commands."""

import re
from typing import Final

import click

UNSAFE: Final = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b\u200c\u200e\u200f\u202a-\u202e"
    "\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
)
"""The letters that command a terminal, reorder a line or do not show, as a class of an expression: Unicode's Cc and Cf.

With two that are no letters, and make a document no XML; without line breaks, tabulators, and the zero-width joiner, which
some scripts need.
"""
_UNSAFE: Final = re.compile(f"[{UNSAFE}\ud800-\udfff]")  # and halves of letters, which cannot be written


def printable(text: str) -> str:
    """The text with `�` for control and direction characters: a page or a folder could hold some, and a terminal obeys them."""
    # most texts are: searching one letter by letter costs more
    return text if text.isprintable() else _UNSAFE.sub("�", text)


def json_printable(document: str) -> str:
    """The same JSON, with an escape for every letter that a terminal would obey."""
    return _UNSAFE.sub(lambda found: _escape(found[0]), document)


def _escape(letter: str) -> str:
    import json

    return json.dumps(letter)[1:-1] if ord(letter) > 0xFFFF else f"\\u{ord(letter):04x}"


def _echo(content: str | bytes, *, err: bool = False, nl: bool = True) -> None:
    try:
        click.echo(content, err=err, nl=nl)
    except OSError as error:
        error.filename = error.filename or ("standard error" if err else "standard output")
        raise


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Write text to standard output or standard error, made plain. nl: with a line break at its end"""
    _echo(printable(text), err=err, nl=nl)


def complain(sentence: str) -> None:
    """Write a sentence of this program to standard error."""
    say(f"bma-progress: {sentence}", err=True)


def say_utf8(text: str) -> None:
    """Write whole lines for programs to standard output, made plain, as UTF-8 in every locale."""
    _echo(printable(text).encode(), nl=False)


def say_json(document: bytes) -> None:
    """Write a JSON document to standard output, as UTF-8 in every locale."""
    _echo(json_printable(document.decode()).rstrip("\n").encode())


def say_bytes(content: bytes) -> None:
    """Write content that is plain already, such as CSV and HTML, to standard output as it is."""
    _echo(content, nl=False)
