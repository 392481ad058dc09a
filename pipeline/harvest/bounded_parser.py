"""Parses large pages in a process of its own, with limits of CPU time and memory, so that one page costs only so much.

A page of `PARSED_HERE` bytes, more than any the portal has shown, is parsed where it is: with the worst markup that was
found it takes 0.3 s and 50 MB (`python -m tests.benchmarks.fuzz pages`). A larger one goes to a child process, which ends
with the page that is over its limits, and is started again for the next.
"""

import atexit
import os
import pickle
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any, Final

from selectolax.lexbor import SelectolaxError

from parsers import PARSER_VERSION, ParsedPage, parse_page

PARSED_HERE: Final = 128_000
"""Bytes of the largest page that is parsed in the process that asks."""
COSTLY: Final = f"parser {PARSER_VERSION} gave this page up"
"""How the error of a page over the limits begins; another parser tries the same bytes again."""

_SECONDS: Final = 3.0  # of CPU, for a page
_SECONDS_A_MEGABYTE: Final = 1.0  # more; a large page of the usual kind takes a tenth of it
_MEMORY: Final = 768 << 20  # bytes of addresses, for the interpreter and its libraries
_MEMORY_A_BYTE: Final = 256  # more, for each byte of the page
_WORN_OUT: Final = 512 << 20  # bytes of memory that the process has used, after which a new one is started
_CLOCK_SECONDS: Final = 120.0  # by the clock, where the process gets no CPU at all
_PROGRAM: Final = "import sys; sys.path[:] = sys.argv[1:]; from pipeline.harvest.bounded_parser import work; work()"


class CostlyPageError(Exception):
    """A page takes more CPU time or memory to parse than one page may."""


def parse_bounded(body: bytes, **about: Any) -> ParsedPage:
    """Parse a page as `parsers.parse_page` does, in bounded time and memory. about: its other arguments

    Raises CostlyPageError where the page is over the limits.
    """
    if len(body) <= PARSED_HERE or sys.platform == "win32":
        return parse_page(body, **about)
    return _CHILD.parse(body, about)


class _Child:
    """The process that parses large pages, one after the other; started when the first one comes."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._one_at_a_time = threading.Lock()

    def parse(self, body: bytes, about: dict[str, Any]) -> ParsedPage:
        with self._one_at_a_time:
            process = self._started()
            seconds, memory = _SECONDS + _SECONDS_A_MEGABYTE * len(body) / 1e6, _MEMORY + _MEMORY_A_BYTE * len(body)
            answer = self._answer(process, pickle.dumps((body, about, seconds, memory)))
            if answer is None:
                process.kill()
                self.close()
                raise CostlyPageError(
                    f"{COSTLY}: its {len(body) / 1e6:,.1f} MB take more than {seconds:,.0f} s or {memory / 1e6:,.0f} MB of "
                    "memory to read"
                )
            parsed, used = answer
            if used > _WORN_OUT:
                self.close()
        if isinstance(parsed, ParsedPage):
            return parsed
        raise RuntimeError(parsed)

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter and this program
                [sys.executable, "-I", "-c", _PROGRAM, *(os.path.abspath(entry) for entry in sys.path)],  # noqa: PTH100
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
                start_new_session=True,  # a Ctrl-C on the terminal is for the harvest alone
            )
        return self._process

    def _answer(self, process: "subprocess.Popen[bytes]", question: bytes) -> tuple[ParsedPage | str, int] | None:
        """What the process says of a page; None where it ended at it."""
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
        alarm = threading.Timer(_CLOCK_SECONDS, process.kill)
        alarm.daemon = True
        alarm.start()
        try:
            process.stdin.write(question)
            process.stdin.flush()
            answer: tuple[ParsedPage | str, int] = pickle.load(process.stdout)  # noqa: S301 - of our own process
        except (EOFError, OSError, pickle.UnpicklingError):
            return None
        else:
            return answer
        finally:
            alarm.cancel()

    def close(self) -> None:
        """End the process."""
        if (process := self._process) is None:
            return
        self._process = None
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                pipe.close() if pipe else None
        process.kill()
        process.wait()


_CHILD: Final = _Child()
atexit.register(_CHILD.close)


def work() -> None:
    """Parse the pages that come on standard input, until it is closed: what the child process does."""
    import resource

    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            body, about, seconds, memory = pickle.load(sys.stdin.buffer)  # noqa: S301 - of the process that started us
        except EOFError:
            return
        resource.setrlimit(resource.RLIMIT_AS, (memory, resource.RLIM_INFINITY))
        signal.setitimer(signal.ITIMER_PROF, seconds)  # its signal ends the process, in C code too
        answer: ParsedPage | str
        try:
            answer = parse_page(body, **about)
        except (MemoryError, SelectolaxError):  # the latter where lexbor gets no memory
            os._exit(1)
        except Exception as error:  # noqa: BLE001 - a defect of the parser costs the page that shows it
            answer = f"{type(error).__name__}: {error}"
        signal.setitimer(signal.ITIMER_PROF, 0)
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        pickle.dump((answer, used), answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()
