"""How harvests of this process are stopped, and how a harvest ended. Does not import Prefect."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipeline.harvest.result import HarvestResult

if TYPE_CHECKING:  # who only hears of harvests needs no parser and no tables
    from pipeline.harvest.run import HarvestRun

StateName = Literal["Completed", "HeldBack", "CouldNotRun", "Interrupted", "Skipped", "Killed"]


@dataclass(frozen=True, slots=True)
class HarvestOutcome:
    """How a harvest ended.

    message: one sentence, as Prefect shows it; result: None where nothing was committed
    warnings: what else an operator should know, one sentence each; line: all of it in one line for the journal
    """

    state: StateName
    message: str
    result: HarvestResult | None = None
    warnings: tuple[str, ...] = ()
    line: str = ""


class RunControl:
    """The harvests that one command runs in this process: reports their progress and stops all of them.

    on_progress: called when a run begins and after each page, with the run
    """

    def __init__(self, on_progress: "Callable[[HarvestRun], None]" = lambda run: None) -> None:
        self.on_progress = on_progress
        self.runs: list[HarvestRun] = []
        self.fetching: list[HarvestRun] = []
        self.stop_requested = False

    def request_stop(self) -> None:
        """Stop all runs after the pages they are fetching."""
        self.stop_requested = True
        for run in self.runs:
            run.stop_requested = True

    @contextmanager
    def stops(self, run: "HarvestRun") -> Iterator[None]:
        """Take a run under control while it fetches."""
        self.runs.append(run)
        self.fetching.append(run)
        run.stop_requested = self.stop_requested
        self.on_progress(run)
        try:
            yield
        finally:
            self.fetching.remove(run)

    @contextmanager
    def sigterm(self) -> Iterator[None]:
        """The first SIGTERM stops the runs as `request_stop` does; the next one, and any outside of runs, is as before."""
        if threading.current_thread() is not threading.main_thread():  # the others receive no signals
            yield
            return
        before = signal.getsignal(signal.SIGTERM)

        def stop(*_: object) -> None:
            signal.signal(signal.SIGTERM, before)
            if self.fetching:
                self.request_stop()
            else:
                signal.raise_signal(signal.SIGTERM)

        signal.signal(signal.SIGTERM, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)
