"""Harvests of one command stop together, by SIGTERM too, in whatever order they begin and end."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flows.run_control import RunControl
from pipeline.harvest.run import HarvestRun, Scope
from pipeline.settings import load_settings
from pipeline.store.writer import create_store, open_writer


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[list[HarvestRun]]:
    """Three harvests under way, each of its own store."""
    with ExitStack() as stack:
        begun = []
        for name in ("a", "b", "c"):
            settings = load_settings(portal="http://127.0.0.1:9", data=tmp_path / name)
            store = stack.enter_context(open_writer(create_store(settings.data, settings.portal).root))
            begun.append(HarvestRun.begin(settings, store, Scope()))
            stack.callback(begun[-1].close)
        yield begun


def test_a_stop_reaches_the_runs_under_way_and_those_that_begin_later(runs: list[HarvestRun]) -> None:
    seen: list[HarvestRun] = []
    control = RunControl(seen.append)
    with control.stops(runs[0]), control.stops(runs[1]):
        control.request_stop()
    with control.stops(runs[2]):
        assert [run.stop_requested for run in runs] == [True, True, True]
    assert seen == runs


def test_the_first_sigterm_stops_all_runs_and_the_next_is_for_whoever_had_it_before(runs: list[HarvestRun]) -> None:
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        control = RunControl()
        with control.sigterm():
            first, second = control.stops(runs[0]), control.stops(runs[1])
            first.__enter__()
            second.__enter__()
            first.__exit__(None, None, None)  # it ends before the one that began after it
            os.kill(os.getpid(), signal.SIGTERM)
            assert (runs[1].stop_requested, received) == (True, [])
            os.kill(os.getpid(), signal.SIGTERM)
            assert received == [signal.SIGTERM]
            second.__exit__(None, None, None)
        with RunControl().sigterm():  # nothing is being fetched: there is nothing to finish
            os.kill(os.getpid(), signal.SIGTERM)
        assert received == [signal.SIGTERM] * 2
    finally:
        signal.signal(signal.SIGTERM, before)
