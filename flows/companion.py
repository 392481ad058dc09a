"""A process beside a command that reports its harvests to Prefect: whatever happens here, the harvests go on.

The command starts it as `python -m flows.companion` and writes pickled messages to its standard input: `Opened`
before the harvests of one flow, then each event with the number of its harvest. It answers with lines of JSON. When the
input ends, so does this process, and its server with it. It imports the flows, which import `flows.prefect_`: so it
is no part of that package.
"""

import asyncio
import json
import os
import pickle
import queue
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

from flows.events import Ended, Event, Message, Opened
from flows.prefect_ import environment as prefect_setup
from flows.prefect_.database import make_database
from flows.prefect_.server import free_port
from flows.run_control import HarvestOutcome
from flows.startup import collect_garbage_rarely
from pipeline.errors import first_line

_DRAIN: Final = 10.0  # seconds
_LAST_WORDS: Final = 5.0  # seconds for reporting to Prefect that the command was killed


def main() -> None:
    """Report to Prefect what comes on standard input, until its end."""
    collect_garbage_rarely()
    for ignored in (signal.SIGINT, signal.SIGTERM):  # the command that started this ends it
        signal.signal(ignored, signal.SIG_IGN)
    try:
        messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        threading.Thread(target=_read, args=(sys.stdin.buffer, messages), daemon=True).start()
        with _server() as address:
            _say(serving=address)
            asyncio.run(_follow(messages))
            _drain()
    except Exception as error:  # noqa: BLE001 - said to the command, which has nothing else to do with it
        _fail(error)
    os._exit(0)  # Prefect's threads may still wait for a server that is gone


def _fail(error: Exception) -> NoReturn:
    """Say why nothing can be reported to Prefect, and end at once, whatever threads wait for."""
    _say(failed=first_line(error))
    os._exit(1)


@contextmanager
def _server() -> Iterator[str]:
    """The address of the server that PREFECT_API_URL names, or of one in a thread of this process."""
    if not prefect_setup.uses_own_server():
        yield os.environ["PREFECT_API_URL"]
        return
    port = free_port()
    make_database(Path(os.environ["PREFECT_HOME"]))
    # before Prefect is imported. Only this process knows the password; blocks are registered by `serve`, which shows them
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    os.environ["PREFECT_SERVER_API_AUTH_STRING"] = os.environ["PREFECT_API_AUTH_STRING"] = f"own:{secrets.token_hex()}"
    os.environ["PREFECT_API_BLOCKS_REGISTER_ON_START"] = "false"
    os.environ["PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION"] = (
        "false"  # or all collections are imported, for a hash
    )
    from flows.prefect_.quiet_server import serve_in_thread

    server, thread = serve_in_thread(port)
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("its server did not start")
        time.sleep(0.1)
    yield os.environ["PREFECT_API_URL"]
    server.should_exit = True
    thread.join()


def _drain() -> None:
    """Send what Prefect's threads have not sent yet: task runs and lines of the log."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    EventsWorker.drain_all(timeout=_DRAIN)
    APILogWorker.drain_all(timeout=_DRAIN)


async def _follow(messages: "queue.SimpleQueue[Message | None]") -> None:
    from flows.backfill import backfill
    from flows.harvest import Events, follow, harvest
    from flows.prefect_.secret_blocks import secret_of

    flows: dict[str, Any] = {"harvest": harvest, "backfill": backfill}
    while (opened := await asyncio.to_thread(messages.get)) is not None:
        if not isinstance(opened, Opened):
            raise TypeError(f"{opened} opens no flow")
        if opened.block:
            with suppress(Exception):  # no such block, or of another type: the command says that it has none
                _say(secret=await secret_of(opened.block))
        queues = [Events() for _ in opened.requests]
        forwarding = asyncio.create_task(_forward(messages, queues))
        arguments = opened.requests if opened.flow == "harvest" else (opened.requests, opened.hosts_at_once)
        try:
            with follow(queues):
                await flows[opened.flow](*arguments, return_state=True)
        except Exception as error:  # noqa: BLE001 - the event loop would not end while a thread waits for messages
            _fail(error)
        await forwarding
        _say(shown=opened.flow)


async def _forward(messages: "queue.SimpleQueue[Message | None]", queues: "list[asyncio.Queue[Event]]") -> None:
    """Give each harvest its events until all have ended; where the input ends before, the command was killed."""
    left = set(range(len(queues)))
    while left:
        message = await asyncio.to_thread(messages.get)
        if message is None:
            for number in left:
                queues[number].put_nowait(Ended(HarvestOutcome("Killed", "its process was killed")))
            messages.put(None)
            return
        if isinstance(message, Opened):
            raise TypeError("one flow after another")
        number, event = message
        queues[number].put_nowait(event)
        if isinstance(event, Ended):
            left.remove(number)


def _read(stream: BinaryIO, messages: "queue.SimpleQueue[Message | None]") -> None:
    """Read the messages; None is the last one. Where the stream ends without it, the command was killed."""
    message: Message | None = None
    while True:
        try:
            message = pickle.load(stream)  # noqa: S301 - from the command that started this process
        except (EOFError, pickle.UnpicklingError):  # a kill may cut one off
            threading.Timer(_LAST_WORDS, os._exit, [1]).start()
            message = None
        messages.put(message)
        if message is None:
            return


def _say(**what: object) -> None:
    try:
        print(json.dumps(what), flush=True)
    except BrokenPipeError:
        os._exit(1)


if __name__ == "__main__":
    main()
