"""One connection to the portal and the HTTP/1.1 on it: parsed by h11, straight on asyncio's transports.

httpx's own way leads through httpcore, which serves several event loops, threads and HTTP/2: it locks and traces each
connection many times a request, and goes round the event loop for each.
"""

import asyncio
import re
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NamedTuple

import h11
import httpx

from pipeline.harvest.content_coding import decoder_of
from pipeline.harvest.fetched import NoUsableAnswerError
from pipeline.harvest.rate_limit import SendSlot

_KEEPALIVE: Final = 4.0  # Apache closes an idle connection after 5 s; a request sent just then would fail
_PIECE: Final = 65_536  # bytes read at once
_ENOUGH: Final = 1 << 20  # bytes waiting to be read, at which the peer is asked to stop
_LONGEST_HEAD: Final = 100 * 1024  # bytes
_LONGEST_REDIRECT_BODY: Final = 65_536  # bytes
_LONGEST_CLEANED: Final = 65_536  # bytes; a longer head is given on as it comes
_END_OF_HEAD: Final = re.compile(rb"\n\r?\n")
_NAME: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_STRAY: Final = re.compile(rb"^(?!" + _NAME + rb":[\t -~\x80-\xff]*\r?$|[\t ]|\r?$).*\n", re.MULTILINE)
_BLANK_BEFORE_COLON: Final = re.compile(rb"^(" + _NAME + rb")[\t ]+:", re.MULTILINE)

Header = tuple[bytes, bytes]

KEPT_HEADERS: Final = frozenset(
    "content-type content-encoding content-length date etag last-modified location retry-after server".split()
)
"""The headers of an answer that matter as evidence."""


class Address(NamedTuple):
    """Where a request goes: scheme, host and port; what its header Host says; what its request line names."""

    origin: tuple[str, str, int]
    netloc: bytes
    target: bytes


@lru_cache(maxsize=16)
def _checked(headers: tuple[Header, ...]) -> h11.Request:
    """A request with headers that h11 has looked at, one by one: as a rule they are those of the request before."""
    return h11.Request(method="GET", target="/", headers=list(headers))


def _clean_head(head: bytes) -> bytes:
    """A status line and headers, without the lines that are no headers: such as what PHP prints of its warnings."""
    status, newline, headers = head.partition(b"\n")
    return status + newline + _STRAY.sub(b"", _BLANK_BEFORE_COLON.sub(rb"\1:", headers))


class Connection(asyncio.Protocol):
    """One connection: what came and was not read yet, and who waits for more. One request at a time.

    origin: scheme, host and port that it leads to; read_timeout: seconds without a byte at which the peer is given up
    forwarded_to: what comes before the path in the request line, where it leads to a proxy; added_headers: what that wants
    transport: asyncio's, once it is made
    idle_since: the moment (`time.monotonic`) at which its last answer ended; None while it is in use, and when it is closed
    """

    def __init__(self, origin: tuple[str, str, int], read_timeout: float) -> None:
        self.origin = origin
        self.forwarded_to = b""
        self.added_headers: tuple[Header, ...] = ()
        self.idle_since: float | None = None
        self.is_closed = False
        self._read_timeout = read_timeout
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        self.transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._reading = True
        self._ended = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self._room.set()

    # --- what asyncio calls -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP transports are
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Keep what came."""
        self._received += data
        if len(self._received) > _ENOUGH and self._reading and self.transport:
            self._reading = False
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """Close the connection: the peer sends no more."""
        self._ended = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is closed."""
        self._ended = True
        self._error = exc
        self._room.set()
        self._wake()

    def pause_writing(self) -> None:
        """Stop writing: the peer is slow to read."""
        self._room.clear()

    def resume_writing(self) -> None:
        """Go on writing."""
        self._room.set()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    # --- requests ---------------------------------------------------------------------------------------------------

    async def get(self, address: "Address", headers: Sequence[Header], slot: SendSlot) -> "Answer":
        """Send a request when its slot comes; the body of its answer is not read yet. Raises httpx.TransportError."""
        sent = (b"Host", address.netloc), *self.added_headers, *headers
        head = await self.exchange("GET", self.forwarded_to + address.target, sent, slot)
        kept: dict[str, str] = {}
        raw = head.headers.raw_items()
        for raw_name, raw_value in raw:
            name = raw_name.lower().decode("latin-1")
            if name in KEPT_HEADERS:
                value = raw_value.decode("latin-1")
                kept[name] = f"{kept[name]}, {value}" if name == "content-encoding" and name in kept else value
        return Answer(head.status_code, kept, raw, self)

    async def exchange(self, method: str, target: bytes, headers: tuple[Header, ...], slot: SendSlot) -> h11.Response:
        """Send the head of a request, and read that of its answer; after an error the connection is closed."""
        self.idle_since = None
        try:
            try:
                message = (
                    self._http.send(h11.Request(method=method, target=target, headers=_checked(headers).headers)) or b""
                )
                self._http.send(h11.EndOfMessage())
            except h11.LocalProtocolError as error:
                raise httpx.LocalProtocolError(str(error)) from error
            await slot.take()
            if self.transport is not None and not self.transport.is_closing():  # the answer may be there all the same
                self.transport.write(message)
            if not self._room.is_set():
                await self._drained()
            await slot.sent()
            return await self._head()
        except BaseException:
            self.close()
            raise

    async def _drained(self) -> None:
        try:
            async with asyncio.timeout(self._read_timeout):
                await self._room.wait()
        except TimeoutError as error:
            raise httpx.WriteTimeout(str(error)) from error

    # --- answers ----------------------------------------------------------------------------------------------------

    async def _head(self) -> h11.Response:
        """The head of an answer, cleaned: old servers send stray lines before and among the headers."""
        piece = await self._read()
        head = piece.lstrip(b"\r\n")
        while piece and not (end := _END_OF_HEAD.search(head)) and len(head) < _LONGEST_CLEANED:
            piece = await self._read()
            head = (head + piece).lstrip(b"\r\n")
        self._receive(_clean_head(head[: end.end()]) + head[end.end() :] if piece and end else head)
        while True:
            event = await self._event()
            if isinstance(event, h11.Response):
                return event

    async def piece(self) -> bytes:
        """The next piece of an answer's body; none at its end. Raises httpx.TransportError."""
        while True:
            event = await self._event()
            if isinstance(event, h11.Data):
                return bytes(event.data)
            if event is h11.PAUSED or isinstance(event, h11.EndOfMessage):
                return b""

    async def _event(self) -> object:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise httpx.RemoteProtocolError(str(error)) from error
            if event is not h11.NEED_DATA:
                return event
            self._receive(await self._read())

    def _receive(self, data: bytes) -> None:
        if not data and self._http.their_state is h11.SEND_RESPONSE:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        self._http.receive_data(data)

    async def _read(self) -> bytes:
        """The next bytes, at least one; none at the end."""
        if not self._received and not self._ended:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(self._read_timeout):
                    await self._reader
            except TimeoutError as error:
                raise httpx.ReadTimeout(str(error)) from error
            finally:
                self._reader = None
        if not self._received:
            if self._error is not None:
                raise httpx.ReadError(str(self._error)) from self._error
            return b""
        data = bytes(self._received[:_PIECE])
        del self._received[:_PIECE]
        if not self._reading and self.transport and not self.transport.is_closing():
            self._reading = True
            self.transport.resume_reading()
        return data

    def finish(self) -> None:
        """Keep the connection for the next request where its answer was read to the end, else close it."""
        is_done = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if is_done and not (self._http.trailing_data[0] or self._received or self._ended):
            self._http.start_next_cycle()
            self.idle_since = time.monotonic()
        else:
            self.close()

    # --- opening and closing ------------------------------------------------------------------------------------------

    def is_usable(self) -> bool:
        """True where it can be used again: it is idle, not for long, and the peer has neither closed it nor sent anything."""
        if self.idle_since is None or self.idle_since < time.monotonic() - _KEEPALIVE:
            return False
        return not (self._received or self._ended)

    def begin_tunnel(self) -> None:
        """From here on the connection leads through the proxy that has agreed to it."""
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)

    def close(self) -> None:
        """Close without waiting for the peer."""
        self.is_closed = True
        self.idle_since = None
        if self.transport is not None:
            self.transport.close()
            asyncio.get_running_loop().call_soon(self.transport.abort)


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer, and the connection on which its body comes; see `Connection.finish`.

    headers: KEPT_HEADERS, names in lower case; the values of a content-encoding that comes several times are joined
    raw_headers: all of them, as they came
    """

    status: int
    headers: dict[str, str]
    raw_headers: Sequence[Header]
    connection: Connection

    async def body(self, limit: int, *, beginning_only: bool = False) -> tuple[bytes, int]:
        """Read the whole body, the last that is asked of an answer; returns it decoded, and its length as it travelled.

        limit: most bytes accepted, decoded; beginning_only: read no further than that, and return what came
        Raises NoUsableAnswerError.
        """

        def failed(kind: Literal["transport", "truncated", "too_large"], text: str) -> NoUsableAnswerError:
            return NoUsableAnswerError(kind, text, self.status, self.headers)

        coding = self.headers.get("content-encoding")
        decoder = decoder_of(coding, limit) if coding else None
        pieces: list[bytes] = []
        wire = size = 0
        try:
            while piece := await self.connection.piece():
                wire += len(piece)
                decoded = decoder.decode(piece) if decoder else piece
                size += len(decoded)
                pieces.append(decoded)
                if size > limit:
                    if beginning_only:
                        return b"".join(pieces), wire
                    raise failed("too_large", f"larger than {limit:,} bytes")
            if decoder and wire:
                pieces.append(decoder.finish())
        except zlib.error:
            raise failed("transport", "the answer's compression is broken") from None
        except EOFError:
            raise failed("truncated", "the compressed answer is cut off") from None
        except ValueError as unknown:
            raise failed("transport", f"compressed as {unknown}, which was not asked for") from None
        finally:
            self.connection.finish()
        body = b"".join(pieces)
        if len(body) > limit and not beginning_only:
            raise failed("too_large", f"larger than {limit:,} bytes")
        return body, wire

    async def skip_body(self) -> None:
        """Read the few bytes of a redirect, so that its connection can be used again; a long one is left unread."""
        left = _LONGEST_REDIRECT_BODY
        while left >= 0 and (piece := await self.connection.piece()):
            left -= len(piece)
