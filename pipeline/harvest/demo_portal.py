"""A small portal on loopback, over real HTTP: the pages of `fixtures_html/`, on several nights.

`fixtures_html/portal.json` says which address shows which page, `nights.json` what is different from which night on:
texts that must stand in a page exactly once and are replaced, or another page shown instead. Links of the pages to other
hosts stay as they are: they lead away from this portal.
"""

import json
import sys
import threading
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

from pipeline.errors import PortalError

_INSTALLED: Final = Path(__file__).parent / "demo_pages"  # where the wheel puts them
FIXTURES: Final = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[2] / "fixtures_html"


@dataclass
class DemoPortal:
    """The portal as a context manager: `with DemoPortal() as portal: portal.url`; set `night` to move on.

    port: 0 is any free one; requests: path and query of every request so far

    Raises PortalError where the folder's pages do not fit together.
    """

    fixtures: Path = FIXTURES
    night: int = 1
    port: int = 0
    requests: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._check()
        portal = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                portal.requests.append(self.path)
                status, content_type, body = portal.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._server = _Server(("127.0.0.1", self.port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The portal's address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @cached_property
    def _about(self) -> dict[str, Any]:
        about: dict[str, Any] = json.loads((self.fixtures / "portal.json").read_text(encoding="utf-8"))
        return {**about, "pages": {_address(path): page for path, page in about["pages"].items()}}

    @cached_property
    def _nights(self) -> dict[int, list[dict[str, Any]]]:
        nights = json.loads((self.fixtures / "nights.json").read_text(encoding="utf-8"))
        return {int(night): changes for night, changes in nights.items()}

    @property
    def nights(self) -> int:
        """The last night on which something is different."""
        return max(self._nights, default=1)

    def _check(self) -> None:
        """Show every page of every night once, so that a wrong edit is found here and not by a visitor."""
        try:
            for page in self._about["pages"].values():
                self._body(page["file"], self.nights)
        except FileNotFoundError as error:
            raise PortalError(f"{error.filename} is not there; portal.json or nights.json names it") from None

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body for one address, on this night."""
        if path == "/robots.txt":
            return 200, "text/plain; charset=utf-8", str(self._about["robots_txt"]).encode()
        page = self._about["pages"].get(_address(path))
        if page is None:
            return 404, "text/html; charset=utf-8", b"<html><body><h1>Not Found</h1></body></html>"
        return 200, page["content_type"], self._body(page["file"], self.night)

    def _body(self, file: str, until: int) -> bytes:
        body: bytes = (self.fixtures / file).read_bytes()
        for night in range(2, until + 1):
            for change in self._nights.get(night, ()):
                if change["file"] == file:
                    body = self._changed(body, change)
        return body

    def _changed(self, body: bytes, change: dict[str, Any]) -> bytes:
        if "instead" in change:
            other: bytes = (self.fixtures / change["instead"]).read_bytes()
            return other
        for before, after in change["edits"]:
            if body.count(before.encode()) != 1:
                raise PortalError(f"nights.json: {before!r} must stand exactly once in {change['file']}; correct it")
            body = body.replace(before.encode(), after.encode())
        return body


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        # a visitor that goes away in the middle, or is killed, is no error of the portal's
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _address(path: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    parts = urlsplit(path)
    return parts.path, tuple(sorted(parse_qsl(parts.query)))
