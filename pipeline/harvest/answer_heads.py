"""The heads of answers as old servers send them: stray lines among the headers are dropped, as browsers do."""

import re
import ssl
from collections.abc import Iterable
from typing import Any, Final

import httpcore

_END: Final = re.compile(rb"\n\r?\n")
_LONGEST: Final = 65_536  # bytes; a longer head is given on as it comes
_NAME: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_STRAY: Final = re.compile(rb"^(?!" + _NAME + rb":[\t -~\x80-\xff]*\r?$|[\t ]|\r?$).*\n", re.MULTILINE)
_BLANK_BEFORE_COLON: Final = re.compile(rb"^(" + _NAME + rb")[\t ]+:", re.MULTILINE)


def clean_head(head: bytes) -> bytes:
    """A status line and headers, without the lines that are no headers: such as what PHP prints of its warnings."""
    status, newline, headers = head.partition(b"\n")
    return status + newline + _STRAY.sub(b"", _BLANK_BEFORE_COLON.sub(rb"\1:", headers))


class LenientBackend(httpcore.AsyncNetworkBackend):
    """Network connections on which every answer's head is cleaned before it is read."""

    def __init__(self) -> None:
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect; see httpcore."""
        return _Stream(await self._backend.connect_tcp(host, port, timeout, local_address, socket_options))

    async def sleep(self, seconds: float) -> None:
        """Sleep; see httpcore."""
        await self._backend.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._waits_for_head = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        piece = await self._stream.read(max_bytes, timeout)
        if not self._waits_for_head:
            return piece
        self._waits_for_head = False
        head = piece.lstrip(b"\r\n")
        while piece and not (end := _END.search(head)) and len(head) < _LONGEST:
            piece = await self._stream.read(max_bytes, timeout)
            head = (head + piece).lstrip(b"\r\n")
        if not piece or not end:
            return head
        return clean_head(head[: end.end()]) + head[end.end() :]

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._waits_for_head = True  # one request at a time: what comes next is the head of its answer
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
