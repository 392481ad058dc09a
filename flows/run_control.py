"""How a command controls the harvests it runs, and how a harvest ended. Does not import Prefect."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from pipeline.harvest.result import HarvestResult
from pipeline.harvest.run import HarvestRun

StateName = Literal["Completed", "HeldBack", "CouldNotRun", "Interrupted", "Skipped"]


@dataclass(frozen=True, slots=True)
class HarvestOutcome:
    """How a harvest ended.

    message: one sentence, as Prefect shows it; result: None where nothing was committed
    warnings: what else an operator should know, one sentence each
    """

    state: StateName
    message: str
    result: HarvestResult | None = None
    warnings: tuple[str, ...] = ()


class RunControl:
    """The harvests that one command runs in this process: reports their progress and stops all of them.

    on_progress: called when a run begins and after each page, with the run
    """

    def __init__(self, on_progress: Callable[[HarvestRun], None] = lambda run: None) -> None:
        self.on_progress = on_progress
        self.runs: list[HarvestRun] = []
        self.stop_requested = False
        self._under_way = 0
        self._sigterm_before: signal._HANDLER = signal.SIG_DFL

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make this the control of the flows called inside."""
        token = _active.set(self)
        try:
            yield
        finally:
            _active.reset(token)

    def request_stop(self) -> None:
        """Stop all runs after the pages they are fetching."""
        self.stop_requested = True
        for run in self.runs:
            run.stop_requested = True

    @contextmanager
    def stops(self, run: HarvestRun) -> Iterator[None]:
        """Take a run under control: the first SIGTERM stops it as `request_stop` does, the next one is Prefect's."""
        self.runs.append(run)
        run.stop_requested = self.stop_requested
        is_main = threading.current_thread() is threading.main_thread()
        if is_main:
            self._take_sigterm()
        self._under_way += 1
        self.on_progress(run)
        try:
            yield
        finally:
            self._under_way -= 1
            if is_main and not self._under_way:
                signal.signal(signal.SIGTERM, self._sigterm_before)

    def _take_sigterm(self) -> None:
        """Install our handler; again for each run, since Prefect installs its own at the start of each flow."""
        before = signal.signal(signal.SIGTERM, self._on_sigterm)
        if before != self._on_sigterm:
            self._sigterm_before = before

    def _on_sigterm(self, *_: object) -> None:
        self.request_stop()
        signal.signal(signal.SIGTERM, self._sigterm_before)


_active: ContextVar[RunControl] = ContextVar("active run control")


def active_control() -> RunControl:
    """The control of the command that called this flow; a new one where a worker or a schedule started it."""
    return _active.get(None) or RunControl()
