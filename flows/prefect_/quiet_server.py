"""Prefect's own server, asked to rest: while no flow runs it costs a fifth of what `prefect server start` does.

`python -m flows.prefect_.quiet_server PORT` runs it in a process; `serve_in_thread` in a thread of this one. Its settings
are in `environment`; what has no setting is slowed down here: a worker of background tasks that asks a store in this
process's own memory for work ten times a second.
"""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final

from flows.startup import collect_garbage_rarely

_REST: Final = timedelta(seconds=20)


def run(port: int) -> None:
    """Run a server with UI and schedules until the process is asked to end."""
    _server(port, ephemeral=False).run()


def serve_in_thread(port: int) -> tuple[Any, threading.Thread]:
    """Run a server without UI and schedules in a thread; returns uvicorn's server, `started` once it answers."""
    server = _server(port, ephemeral=True)
    thread = threading.Thread(target=server.run, name="Prefect's server", daemon=True)
    thread.start()
    return server, thread


def _server(port: int, *, ephemeral: bool) -> Any:
    import uvicorn
    from prefect.server.api.server import create_app
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    with suppress(ImportError, KeyError):  # another version has it elsewhere: then it does not rest
        _leave_worker_out() if ephemeral else _slow_worker_down()
    app: Any = create_app(ephemeral=ephemeral)

    class RestingServer(uvicorn.Server):
        async def on_tick(self, counter: int) -> bool:
            await asyncio.sleep(1)  # it looks ten times a second whether it is to end
            return await super().on_tick(10 * counter)

    # a page in somebody's browser that gives its own name this address is not answered
    app = TrustedHostMiddleware(app, ["127.0.0.1", "localhost"])
    return RestingServer(uvicorn.Config(app, "127.0.0.1", port, log_level="error", lifespan="on"))


def _leave_worker_out() -> None:
    """Run no background tasks: all of them clean up or schedule, which a server for one command does not need."""
    from prefect.server.api import background_workers, server

    @asynccontextmanager
    async def no_worker(docket: Any, **modes: bool) -> AsyncIterator[None]:
        docket.register_collection(f"{background_workers.__name__}:task_functions")
        yield

    _replace(server, "background_worker", no_worker)


def _slow_worker_down() -> None:
    """Have the worker look for work, and say that it lives, three times a minute."""
    from prefect.server.api import background_workers, server

    worker, docket = vars(background_workers)["Worker"], vars(server)["Docket"]

    class RestingDocket(docket):  # type: ignore[misc, valid-type]
        @asynccontextmanager
        async def _pubsub(self) -> AsyncIterator[Any]:
            async with super()._pubsub() as pubsub:
                pubsub.get_message = partial(_get_message, pubsub.get_message)
                yield pubsub

    _replace(server, "Docket", partial(RestingDocket, heartbeat_interval=_REST))
    resting = partial(worker, minimum_check_interval=_REST, scheduling_resolution=_REST)
    _replace(background_workers, "Worker", resting)


async def _get_message(get_message: Any, *, timeout: float, **how: Any) -> Any:
    """The next message; None after a rest. Prefect's own waiting starts a thread ten times a second."""
    message = await get_message(timeout=0.0, **how)
    if message is None:
        await asyncio.sleep(_REST.total_seconds())
    return message


def _replace(module: Any, name: str, value: Any) -> None:
    vars(module)[name]  # a KeyError where there is no such name
    setattr(module, name, value)


if __name__ == "__main__":
    collect_garbage_rarely()
    run(int(sys.argv[1]))
