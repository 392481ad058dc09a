"""The prompt of `bma-progress sql`: line editing, and a history that is kept from session to session."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pipeline.errors import StoreError
from pipeline.location import user_folder

_MOST_LINES: Final = 1_000


def history_file() -> Path | None:
    """The file with the lines typed so far, in the user's state folder; None for a user who has none."""
    try:
        return user_folder("XDG_STATE_HOME", ".local/state") / "sql_history"
    except StoreError:
        return None


@contextmanager
def line_reader() -> Iterator[Callable[[str], str]]:
    """A function that shows a prompt and returns the next line, or an empty text at the end of input (Ctrl-D).

    Input from a pipe or file is read without prompt and history. Only the user can read the history file; where it cannot
    be used, the history lasts for this session only.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield lambda _: sys.stdin.readline()
        return
    try:
        import readline
    except ImportError:  # on Windows the console edits lines
        yield _typed_line
        return
    file = history_file()
    if file is None:
        yield _typed_line
        return
    with suppress(OSError):
        readline.read_history_file(file)
    readline.set_history_length(_MOST_LINES)
    try:
        yield _typed_line
    finally:
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.touch(mode=0o600)
            readline.write_history_file(file)
            file.chmod(0o600)


def _typed_line(prompt: str) -> str:
    try:
        return input(prompt) + "\n"
    except EOFError:
        print()
        return ""
