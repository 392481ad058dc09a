"""A portal on loopback that misbehaves as told: raw sockets, so that it can do what no decent server would.

with FaultyPortal({"/mobile/mykpi.php?pid=2400-1013": page}) as portal:
    portal.script("/mobile/mykpi.php?pid=2400-1013", reset, status(503, retry_after="1"))   # then the page
    portal.always("/mobile/mykpi.php?pid=5004-903", stall(30))
    ...
    portal.asked("/mobile/mykpi.php?pid=2400-1013")                                        # what the log says
"""

import contextlib
import gzip
import itertools
import socket
import ssl
import struct
import threading
import time
import zlib
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

Answer = tuple[int, str, bytes]
"""Status, content type and body."""
Serve = Callable[[str], Answer | None]
HTML = "text/html; charset=UTF-8"


@dataclass(frozen=True)
class Asked:
    """One line of the portal's log. at: seconds of the monotonic clock when the request was read."""

    at: float
    path: str
    headers: Mapping[str, str]
    connection: int


@dataclass
class Exchange:
    """One request, and the means to answer it in any way."""

    portal: "FaultyPortal"
    socket: socket.socket
    asked: Asked
    answer: Answer
    close: bool = False

    def send(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, length: int | None = None
    ) -> None:
        """Send an answer; length: what Content-Length says (-1: nothing)."""
        lines = [f"HTTP/1.1 {status} Whatever", "Server: faulty"]
        names = {"Content-Type": self.answer[1], **(headers or {})}
        if length != -1:
            names["Content-Length"] = str(len(body) if length is None else length)
        lines += [f"{name}: {value}" for name, value in names.items()]
        self.socket.sendall("\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + body)

    def pause(self, seconds: float) -> None:
        """Sleep, but not beyond the portal's end."""
        self.portal.ended.wait(seconds)


Fault = Callable[[Exchange], None]


@dataclass
class FaultyPortal:
    """A context manager. pages: by path and query; serve: asked for all others; robots: the text, None is a 404."""

    pages: Mapping[str, bytes | Callable[[], bytes]] = field(default_factory=dict)
    serve: Serve = lambda path: None
    robots: str | None = None
    tls: ssl.SSLContext | None = None
    log: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ended = threading.Event()
        self._scripts: dict[str, deque[Fault]] = defaultdict(deque)
        self._always: dict[str, Fault] = {}
        self._every: Fault | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._connections = itertools.count(1)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    @property
    def url(self) -> str:
        """The portal's address."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def script(self, path: str, *faults: Fault) -> None:
        """What the next requests for a path meet, one each; then it is served."""
        self._scripts[path].extend(faults)

    def always(self, path: str, fault: Fault) -> None:
        """What every request for a path meets, once its script is done."""
        self._always[path] = fault

    def every(self, fault: Fault | None) -> None:
        """What every request for a path without a fault of its own meets; robots.txt excepted. None: it is served."""
        self._every = fault

    def asked(self, path: str | None = None) -> list[Asked]:
        """The log, or its lines about one path."""
        return [line for line in self.log if path in (None, line.path)]

    def gaps(self) -> list[float]:
        """Seconds between one request and the next."""
        times = [line.at for line in self.log]
        return [after - before for before, after in itertools.pairwise(times)]

    # --- the server -------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        while not self.ended.is_set():
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(accepted, next(self._connections)), daemon=True).start()

    def _converse(self, accepted: socket.socket, number: int) -> None:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            if self.tls:
                accepted = self.tls.wrap_socket(accepted, server_side=True)
            stack.enter_context(accepted)
            with self._lock:
                self._open.add(accepted)
            try:
                waiting = b""
                while not self.ended.is_set():
                    while b"\r\n\r\n" not in waiting:
                        got = accepted.recv(65_536)
                        if not got:
                            return
                        waiting += got
                    head, _, waiting = waiting.partition(b"\r\n\r\n")
                    if self._answered(accepted, head.decode("latin-1"), number):
                        return
            finally:
                with self._lock:
                    self._open.discard(accepted)

    def _answered(self, accepted: socket.socket, head: str, number: int) -> bool:
        """Answer one request; returns whether the connection is over."""
        line, *rest = head.split("\r\n")
        path = line.split(" ")[1]
        headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)}
        with self._lock:
            asked = Asked(time.monotonic(), path, headers, number)
            self.log.append(asked)
            script = self._scripts[path]
            fault = script.popleft() if script else self._always.get(path)
        exchange = Exchange(self, accepted, asked, self._served(path))
        if fault is None and path != "/robots.txt":
            fault = self._every
        if fault is None:
            exchange.send(exchange.answer[0], exchange.answer[2])
        else:
            fault(exchange)
        return exchange.close

    def _served(self, path: str) -> Answer:
        if path == "/robots.txt" and self.robots is not None:
            return 200, "text/plain", self.robots.encode()
        page = self.pages.get(path)
        if page is not None:
            return 200, HTML, page if isinstance(page, bytes) else page()
        return self.serve(path) or (404, HTML, b"<html><body><h1>Not Found</h1></body></html>")


# --- faults: each answers one request ---------------------------------------------------------------------------------


def well(exchange: Exchange) -> None:
    """The page as it should be: for scripts that fail later."""
    exchange.send(exchange.answer[0], exchange.answer[2])


def reset(exchange: Exchange) -> None:
    """RST instead of an answer."""
    exchange.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.close = True


def hang_up(exchange: Exchange) -> None:
    """The connection is closed without an answer."""
    exchange.close = True


def no_http(exchange: Exchange) -> None:
    """An answer of another protocol."""
    exchange.socket.sendall(b"220 mail.bangkok.go.th ESMTP\r\n")
    exchange.close = True


def stall(seconds: float) -> Fault:
    """Nothing at all for a long time."""

    def fault(exchange: Exchange) -> None:
        exchange.pause(seconds)
        exchange.close = True

    return fault


def stall_within(seconds: float) -> Fault:
    """Half of the page, then nothing."""

    def fault(exchange: Exchange) -> None:
        body = exchange.answer[2]
        exchange.send(200, body[: len(body) // 2], length=len(body))
        exchange.pause(seconds)
        exchange.close = True

    return fault


def drip(pieces: int, pause: float) -> Fault:
    """The page in so many pieces with a pause after each: no single read is slow, the whole is."""

    def fault(exchange: Exchange) -> None:
        body = exchange.answer[2]
        size = max(1, -(-len(body) // pieces))
        exchange.send(200, b"", length=len(body))
        for start in range(0, len(body), size):
            exchange.socket.sendall(body[start : start + size])
            exchange.pause(pause)

    return fault


def status(code: int, body: bytes | None = None, retry_after: str | None = None) -> Fault:
    """Another status; body: None is a page of the server's."""

    def fault(exchange: Exchange) -> None:
        headers = {"Retry-After": retry_after} if retry_after is not None else {}
        page = b"<html><body><h1>%d</h1></body></html>" % code if body is None else body
        exchange.send(code, page, headers)

    return fault


def status_with_page(code: int) -> Fault:
    """The right page under a wrong status."""

    def fault(exchange: Exchange) -> None:
        exchange.send(code, exchange.answer[2])

    return fault


def truncated(exchange: Exchange) -> None:
    """Content-Length tells the truth, the connection ends in the middle."""
    body = exchange.answer[2]
    exchange.send(200, body[: len(body) // 2], length=len(body))
    exchange.close = True


def cut(exchange: Exchange) -> None:
    """Half of the page in a connection that simply ends, as an HTTP/1.0 server sends it: only the page can tell."""
    body = exchange.answer[2]
    exchange.send(200, body[: len(body) // 2], {"Connection": "close"}, length=-1)
    exchange.close = True


def cut_chunked(exchange: Exchange) -> None:
    """Chunks without the last one."""
    body = exchange.answer[2]
    half = body[: len(body) // 2]
    exchange.send(200, b"%x\r\n" % len(half) + half + b"\r\n", {"Transfer-Encoding": "chunked"}, length=-1)
    exchange.close = True


def chunked(exchange: Exchange) -> None:
    """The whole page in chunks."""
    body = exchange.answer[2]
    exchange.send(200, b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n", {"Transfer-Encoding": "chunked"}, length=-1)


def wrong_length(off_by: int) -> Fault:
    """Content-Length is wrong by so many bytes; the whole page comes."""

    def fault(exchange: Exchange) -> None:
        exchange.send(200, exchange.answer[2], length=len(exchange.answer[2]) + off_by)
        exchange.close = off_by > 0

    return fault


def compressed(encoding: str = "gzip", keep: float = 1.0) -> Fault:
    """The page compressed as "gzip", "deflate", "raw" (deflate without wrapper) or "twice" (two members).

    keep: only that part of the compressed bytes, with a Content-Length to match
    """

    def fault(exchange: Exchange) -> None:
        body = exchange.answer[2]
        half = len(body) // 2
        raw = zlib.compressobj(wbits=-15)
        packed = {
            "gzip": lambda: gzip.compress(body),
            "deflate": lambda: zlib.compress(body),
            "raw": lambda: raw.compress(body) + raw.flush(),
            "twice": lambda: gzip.compress(body[:half]) + gzip.compress(body[half:]) + b"\0\0\0",
        }[encoding]()
        name = "gzip" if encoding in ("gzip", "twice") else "deflate"
        exchange.send(200, packed[: int(len(packed) * keep)], {"Content-Encoding": name})

    return fault


def coded(name: str, body: bytes) -> Fault:
    """Some bytes under a content encoding."""

    def fault(exchange: Exchange) -> None:
        exchange.send(200, body, {"Content-Encoding": name})

    return fault


def gzip_bomb(unfolded_bytes: int) -> Fault:
    """A small answer that unfolds to so many bytes."""
    packer = zlib.compressobj(9, wbits=31)
    nothing = bytes(1_000_000)
    packed = b"".join(packer.compress(nothing) for _ in range(unfolded_bytes // len(nothing))) + packer.flush()
    return coded("gzip", packed)


def redirect(location: str, code: int = 302) -> Fault:
    """Elsewhere."""

    def fault(exchange: Exchange) -> None:
        exchange.send(code, b"moved", {"Location": location})

    return fault


def page(body: bytes, content_type: str = HTML) -> Fault:
    """Another page under 200: a firewall's, a login form, another charset."""

    def fault(exchange: Exchange) -> None:
        exchange.send(200, body, {"Content-Type": content_type})

    return fault


def validated(etag: str | None = None, last_modified: str | None = None) -> Fault:
    """The page with validators, or 304 where the request has them already."""

    def fault(exchange: Exchange) -> None:
        headers = exchange.asked.headers
        same = (etag and headers.get("if-none-match") == etag) or (
            last_modified and headers.get("if-modified-since") == last_modified
        )
        given = {"ETag": etag, "Last-Modified": last_modified}
        validators = {name: value for name, value in given.items() if value}
        if same:
            exchange.send(304, b"", validators, length=-1)
        else:
            exchange.send(200, exchange.answer[2], validators)

    return fault


def endless_listing(path: str) -> Answer | None:
    """For `serve`: every result list leads to the next agency's, every project to the next serial, without an end."""
    if "selDEP=" in path:
        number = int(path[-8:])
        links = [f"index101.php?selDEP={number + 1:08d}", f"myproject.php?pid={number:08d}-0001"]
    elif "myproject.php" in path:
        agency, serial = path.rpartition("=")[2].split("-")
        links = [f"myproject.php?pid={agency}-{(int(serial) + 1) % 10_000:04d}"]
    else:
        return None
    text = "".join(f'<a href="{link}">{link}</a>' for link in links)
    return 200, HTML, f"<html><body>{text}</body></html>".encode()
