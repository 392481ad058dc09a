"""The browser of a store, answering in this process."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn

from pipeline.browse.server import application
from pipeline.store.writer import open_archive


@contextmanager
def served_store(data: Path | str, *, contacts: bool = True) -> Iterator[httpx.Client]:
    """A client of the server's application, over real HTTP."""
    app = application(
        open_archive(data), lambda: open_archive(data), contacts=contacts, hosts=("127.0.0.1", "localhost", "[::1]")
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            with httpx.Client(
                base_url=address, headers={"accept-language": "en"}, timeout=60, trust_env=False
            ) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()
