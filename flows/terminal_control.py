"""Progress of harvests on a terminal, and the first Ctrl-C."""

import signal
import sys
import time
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Self, get_args

from flows.run_control import RunControl
from pipeline.harvest.fetched import ErrorKind
from pipeline.harvest.run import HarvestRun
from pipeline.plain_text import say

if TYPE_CHECKING:
    from rich.progress import Progress

_INTERVAL_TERMINAL: Final = 0.25
_INTERVAL_LOG: Final = 30.0


class TerminalControl(RunControl):
    """A progress bar on a terminal, plain lines elsewhere; the first Ctrl-C stops after the pages being fetched."""

    def __init__(self) -> None:
        super().__init__(self._show)
        self._bar = _bar() if sys.stderr.isatty() else None
        self._began: float | None = None
        self._shown = 0.0
        self._done_before = 0

    def __enter__(self) -> Self:
        self._signals = ExitStack()
        self._signals.callback(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, self._on_sigint))
        self._signals.enter_context(self.sigterm())
        if self._bar:
            self._bar.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        if self._bar:
            self._bar.__exit__(*error)
        self._signals.close()

    def _show(self, _: HarvestRun) -> None:
        now = time.monotonic()
        if self._began is not None and now - self._shown < (_INTERVAL_TERMINAL if self._bar else _INTERVAL_LOG):
            return
        self._shown = now
        counts: Counter[str] = sum((run.counts for run in self.runs), Counter())
        done = counts.total()
        if self._began is None:
            self._began = now
            self._done_before = done  # by the starts before this one
            return
        failed = sum(counts[kind] for kind in get_args(ErrorKind))
        left = sum(run.spool.counts()["pending"] for run in self.runs if run.is_open)
        rate = (done - self._done_before) / max(now - self._began, 0.001)
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=done, total=done + left, rate=rate, failed=failed)
        else:
            say(f"{done:,} pages fetched, {left:,} left, {failed:,} failed, {rate:.1f}/s", err=True)

    def _on_sigint(self, number: int, frame: object) -> None:
        if not self.fetching or self.stop_requested:
            raise KeyboardInterrupt
        self.request_stop()
        say("\nstopping after the pages being fetched (Ctrl-C again stops at once) …", err=True)


def _bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.1f}/s, {task.fields[failed]} failed"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    bar.add_task("fetching", total=None, rate=0.0, failed=0)
    return bar
