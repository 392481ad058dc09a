"""How long one page's way through the code is: `python tests/benchmarks/page_path.py [--page CODE] [--path]`.

One harvest of one page of `fixtures_html/`, over HTTP from the demo portal, without Prefect. Counted is what the project's
own code does from the start of the harvest until `latest/projects.parquet` is published:

- entered: functions, comprehensions and resumed coroutines entered, in any thread;
- files, functions: how many different ones;
- moves: how often the next one entered lies in another file than the one before;
- back: moves into a file that was entered before.

Shown apart: the whole harvest without coroutines that were only resumed, which depends on how often the network made them
wait; what comes after the page's request, which leaves out what a harvest does before, such as the reading of robots.txt;
what comes after the head of its answer; the same with all of `parsers/` as one file, so that a visit to the
parser is one move; and the moves inside `parsers/`, which are the parser's own affair.
"""

import argparse
import inspect
import os
import sys
import tempfile
import threading
from collections import Counter
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import FrameType
from typing import Any

import h11

from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.portal import project_ref
from pipeline.harvest.result import Scope
from pipeline.harvest.run import HarvestRun, run_harvest
from pipeline.settings import load_settings
from pipeline.store.writer import create_store, open_writer

ROOT = Path(__file__).parents[2]
_SUSPENDABLE = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_NOT_COUNTED = ("pipeline/harvest/demo_portal.py",)


class PathRecorder:
    """Records which functions of the project are entered while one page is on its way; use it as a context manager."""

    def __init__(self, address: str) -> None:
        self._address = address.encode()
        self._prefix = f"{ROOT}{os.sep}"
        self._published = False
        self.entered: list[tuple[str, str]] = []
        self.called: list[tuple[str, str]] = []
        self.asked = self.answered = 0
        self._suspendable: set[FrameType] = set()

    def __enter__(self) -> "PathRecorder":
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)
        return self

    def __exit__(self, *error: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _profile(self, frame: FrameType, event: str, value: Any) -> None:
        code = frame.f_code
        if self._published:
            return
        if event == "call" and code.co_filename.startswith(self._prefix) and code.co_name != "<module>":
            file = code.co_filename.removeprefix(self._prefix)
            if file.startswith(("parsers", "pipeline", "flows")) and file not in _NOT_COUNTED:
                self.entered.append((file, code.co_qualname))
                if not self.asked and code.co_name == "exchange" and frame.f_locals["target"] == self._address:
                    self.asked = len(self.entered) - 1
                if frame not in self._suspendable:
                    self.called.append((file, code.co_qualname))
                if code.co_flags & _SUSPENDABLE:
                    self._suspendable.add(frame)
        elif event == "return" and code.co_name == "exchange" and isinstance(value, h11.Response):
            # the head of an answer has come; where the connection is suspended, it returns what it waits for
            if frame.f_locals["target"] == self._address:
                self.answered = len(self.entered)
        elif event == "return" and code.co_name == "put_in_place":
            self._published = frame.f_locals["place"].name == "latest"


def record(page: str) -> PathRecorder:
    """Harvest one page; returns what was entered on its way."""
    with tempfile.TemporaryDirectory() as folder, DemoPortal() as portal:
        settings = load_settings(portal=portal.url, data=Path(folder) / "store", rate=1_000)
        store = create_store(settings.data, settings.portal)
        ref = project_ref(settings.portal, page)
        with open_writer(store.root) as store, PathRecorder(ref.url.removeprefix(settings.portal)) as recorder:
            result = run_harvest(HarvestRun.begin(settings, store, Scope(pages=(ref,))))
        assert result is not None
        assert result.published
        assert (settings.data / "latest" / "projects.parquet").is_file()
    return recorder


def summary(entered: list[tuple[str, str]]) -> dict[str, int]:
    """The figures of a way: see the top of this module."""
    visits = [file for file, _ in groupby(entered, key=itemgetter(0))]
    moves = max(len(visits) - 1, 0)
    return {
        "entered": len(entered),
        "files": len(set(visits)),
        "functions": len({one for one in entered if not one[1].endswith(">")}),
        "moves": moves,
        "back": moves - len(set(visits[1:]) - set(visits[:1])),
    }


def main() -> None:
    """Record the way and print its figures, and how often each module was visited."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--page", default="24000000-2964", help="a project's code in fixtures_html/portal.json")
    options.add_argument("--path", action="store_true", help="print every visit, in order")
    chosen = options.parse_args()
    recorder = record(chosen.page)
    way = recorder.entered[recorder.answered :]
    if chosen.path:
        for file, visit in groupby(recorder.entered, key=itemgetter(0)):
            print(f"{file:<40} {' '.join(name for _, name in visit)}")
        print()
    figures = {
        "whole harvest": recorder.entered,
        "  without resumptions": recorder.called,
        "from the page's request on": recorder.entered[recorder.asked :],
        "from the answer on": way,
        "  with parsers as one file": [
            ("parsers", name) if file.startswith("parsers") else (file, name) for file, name in way
        ],
        "  inside parsers": [one for one in way if one[0].startswith("parsers")],
    }
    print(f"{'':<28}" + "".join(f"{name:>11}" for name in summary([])))
    for name, entered in figures.items():
        print(f"{name:<28}" + "".join(f"{value:>11,}" for value in summary(entered).values()))
    visits = Counter(file for file, _ in groupby(recorder.entered, key=itemgetter(0)))
    functions = Counter(file for file, _ in set(recorder.entered))
    print(f"\n{'module':<40}{'visits':>8}{'functions':>11}")
    for file, count in sorted(visits.items(), key=lambda item: (-item[1], item[0])):
        print(f"{file:<40}{count:>8}{functions[file]:>11}")


if __name__ == "__main__":
    main()
