"""What a person sees while a command works: a bar on a terminal, lines elsewhere, nothing with `--quiet`."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pipeline.plain_text import say

if TYPE_CHECKING:
    from rich.progress import Progress

SILENT_SECONDS: Final = 2.0
"""Work that takes no longer shows nothing."""
_BETWEEN_LINES: Final = 10.0
_BETWEEN_LINES_VERBOSE: Final = 1.0
_BETWEEN_FRAMES: Final = 0.1


class Waiting:
    """Shows on standard error how far a command is: a listener of `pipeline.progress`."""

    def __init__(self, verbosity: Callable[[], int]) -> None:
        self._verbosity, self._terminal = verbosity, sys.stderr.isatty()
        self._last = time.monotonic()
        self._bar: Progress | None = None

    def __call__(self, what: str, done: int, of: int) -> None:
        """Show how much is done, not too often."""
        if done == of:
            self.close()
        elif self._verbosity() >= 0 and time.monotonic() - self._last >= self._pause():
            self._last = time.monotonic()
            if self._terminal:
                self._draw(what, done, of)
            else:
                say(f"{what}: {done:,} of {of:,}", err=True)

    def _pause(self) -> float:
        if self._terminal:
            return SILENT_SECONDS if self._bar is None else _BETWEEN_FRAMES
        return _BETWEEN_LINES_VERBOSE if self._verbosity() > 0 else _BETWEEN_LINES

    def _draw(self, what: str, done: int, of: int) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._bar.add_task(what, total=of)
        self._bar.update(self._bar.task_ids[0], description=what, completed=done, total=of)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
