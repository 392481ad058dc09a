"""Reports the harvests of a command to Prefect, through a process of its own. Does not import Prefect."""

import json
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from flows.events import Event, Listener, Message, Opened
from flows.prefect_ import environment as prefect_setup
from pipeline.harvest.request import HarvestRequest
from pipeline.setting_values import SecretStr
from pipeline.settings import Settings

_START: Final = 300.0  # seconds for Prefect's server to start; a new home needs a database first
_END: Final = 60.0  # seconds for Prefect to show the end of a harvest
_STOPPED: Final = 3.0  # the same after a stop was requested: a person waits
_SAID: Final = 3.0  # seconds of waiting after which it is said
_SECRET: Final = 20.0  # seconds for a Secret block to be read


class PrefectReporter:
    """Reports harvests to Prefect: `with PrefectReporter(settings, say) as reporter`, then `open` before each flow.

    say: shows a sentence to the person. What fails here is said, once, and reaches no harvest. At the end it waits until
    Prefect shows all harvests; not long where `stopped` is set.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self.stopped = False
        self._home = prefect_setup.prepare(settings.data)
        self._say = say
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._answered = threading.Condition()
        self._serving = False
        self._opened = self._shown = 0
        self._secret: str | None = None
        self.why_lost: str | None = None

    def __enter__(self) -> Self:
        with (self._home / "companion.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "flows.companion"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # a Ctrl-C on the terminal is for the harvest alone
            )
        for work in (self._write, self._read):
            threading.Thread(target=work, daemon=True).start()
        self._started = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._wait_until_shown()
            self._messages.put(None)
            self._process.wait(_STOPPED if self.stopped or kind or self.why_lost else _END)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            pass
        finally:
            self._end()

    def open(self, flow: str, requests: list[HarvestRequest], hosts_at_once: int = 1) -> list[Listener]:
        """Begin to report the harvests of a flow, `harvest` or `backfill`; returns a listener for each request."""
        self._opened += 1
        settings = requests[0].load()[0]
        block = "" if settings.notify_webhook else settings.notify_webhook_block
        self._messages.put(Opened(flow, requests, hosts_at_once, block))
        return [_HarvestListener(self, number) for number in range(len(requests))]

    def report(self, number: int, event: Event) -> None:
        """Report an event of a harvest."""
        self._messages.put((number, event))

    def secret(self) -> str | None:
        """The value of the Secret block, once it was read; None where it was not."""
        with self._answered:
            self._answered.wait_for(lambda: self._secret or self.why_lost, _SECRET if self._serving else _START)
        return self._secret

    def _wait_until_shown(self) -> None:
        began = time.monotonic()
        said = False
        with self._answered:
            while self._shown < self._opened and not self.why_lost:
                now = time.monotonic()
                patience = _STOPPED if self.stopped else _END
                if now > max(began + patience, 0 if self._serving or self.stopped else self._started + _START):
                    self._lose("it takes too long")
                elif now > began + _SAID and not said and not self.stopped:
                    said = True
                    self._say("waiting until Prefect shows this harvest (Ctrl-C leaves that out) …")
                self._answered.wait(0.2)

    def _lose(self, why: str) -> None:
        """Give Prefect up; said once."""
        if self.why_lost is None:
            self.why_lost = why
            if not self.stopped:
                self._say(
                    f"Prefect cannot show this harvest ({why}); see that its server answers and its disk has room: the "
                    "harvest goes on without it"
                )

    def _write(self) -> None:
        """Send the messages; alone in a thread, since a process that hangs does not read."""
        stdin = self._process.stdin
        try:
            while stdin and not stdin.closed:
                message = self._messages.get()
                pickle.dump(message, stdin)
                stdin.flush() if message is not None else stdin.close()
        except (BrokenPipeError, ValueError):  # `_read` says why it has ended
            pass

    def _read(self) -> None:
        """Take the answers, and the end of the process."""
        failed = "its process has ended"
        for line in self._process.stdout or ():
            answer = json.loads(line)
            with self._answered:
                self._serving |= "serving" in answer
                self._shown += "shown" in answer
                self._secret = answer.get("secret") or self._secret
                failed = answer.get("failed") or failed
                self._answered.notify_all()
        with self._answered:
            if self._shown < self._opened:
                self._lose(failed)
            self._answered.notify_all()

    def _end(self) -> None:
        """End the process and its server, which are a session of their own."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class _HarvestListener(Listener):
    """Reports one harvest to Prefect."""

    def __init__(self, reporter: PrefectReporter, number: int) -> None:
        self._reporter = reporter
        self._number = number

    def on_event(self, event: Event) -> None:
        """Send the event."""
        self._reporter.report(self._number, event)

    def with_secrets(self, settings: Settings) -> tuple[Settings, list[str]]:
        """The settings with the webhook's address from the Prefect block they name; and why it could not be read."""
        if not settings.notify_webhook_block or settings.notify_webhook:
            return settings, []
        secret = self._reporter.secret()
        if secret is None:
            cause = self._reporter.why_lost or "it gave none"
            return settings, [f"the Prefect block {settings.notify_webhook_block!r} cannot be read ({cause})"]
        return settings.changed(notify_webhook=SecretStr(secret)), []
