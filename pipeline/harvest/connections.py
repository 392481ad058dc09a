"""Network connections for httpcore, straight on asyncio's transports, by httpcore's public interface.

httpcore's own go through anyio, which serves two event loops, goes round the loop once more at every read and write, and
asks the socket for its addresses whenever the pool looks at an idle connection: of a night's CPU 12 %, of a night without
changes 18 % (`tests/benchmarks/harvest_scale.py`).
"""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any, Final

import httpcore

from pipeline.harvest.answer_heads import clean_start
from pipeline.harvest.rate_limit import SENDING

_ENOUGH: Final = 1 << 20  # bytes waiting to be read, at which the peer is asked to stop
_FAMILY_DELAY: Final = 0.25  # seconds until the next address of a host is tried beside the first, as RFC 8305 advises


class AsyncioBackend(httpcore.AsyncNetworkBackend):
    """Opens connections for httpcore's pool; see httpcore."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> "Connection":
        """Connect. Raises httpcore.ConnectTimeout and ConnectError."""
        if slot := SENDING.get():
            slot.leave()  # opening a connection may take long
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                _, connection = await loop.create_connection(Connection, host, port, happy_eyeballs_delay=_FAMILY_DELAY)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        return connection

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class Connection(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """One connection: what came and was not read yet, and who waits for more. The head of every answer is cleaned."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._reading = True
        self._ended = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._waits_for_head = False

    # --- what asyncio calls -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP transports are
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Keep what came."""
        self._received += data
        if len(self._received) > _ENOUGH and self._reading and self._transport:
            self._reading = False
            self._transport.pause_reading()
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

    # --- what httpcore calls -----------------------------------------------------------------------------------------

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes, at least one; none at the end. Raises httpcore.ReadTimeout and ReadError."""
        piece = await self._read(max_bytes, timeout)
        if self._waits_for_head:
            self._waits_for_head = False
            return await clean_start(piece, lambda: self._read(max_bytes, timeout))
        return piece

    async def _read(self, max_bytes: int, timeout: float | None) -> bytes:
        if not self._received and not self._ended:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(timeout):
                    await self._reader
            except TimeoutError as error:
                raise httpcore.ReadTimeout(str(error)) from error
            finally:
                self._reader = None
        if not self._received:
            if self._error is not None:
                raise httpcore.ReadError(str(self._error)) from self._error
            return b""
        data = bytes(self._received[:max_bytes])
        del self._received[:max_bytes]
        if not self._reading and self._transport and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send a request's bytes when its slot comes. Raises httpcore.WriteTimeout and WriteError."""
        if not buffer:  # the end of a request without a body
            return
        self._waits_for_head = True  # one request at a time: what comes next is the head of its answer
        slot = SENDING.get()
        if slot:
            await slot.take()
        if self._transport is None or self._transport.is_closing():
            raise httpcore.WriteError(str(self._error or "the connection is closed")) from self._error
        self._transport.write(buffer)
        if not self._room.is_set():
            try:
                async with asyncio.timeout(timeout):
                    await self._room.wait()
            except TimeoutError as error:
                raise httpcore.WriteTimeout(str(error)) from error
        if slot:
            await slot.sent()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> "Connection":
        """Encrypt the connection. Raises httpcore.ConnectTimeout and ConnectError."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                if self._transport is None or self._transport.is_closing():
                    raise ConnectionResetError("the connection was closed")
                encrypted = await loop.start_tls(self._transport, self, ssl_context, server_hostname=server_hostname)
        except TimeoutError as error:
            await self.aclose()
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:  # among them all errors of TLS
            await self.aclose()
            raise httpcore.ConnectError(str(error)) from error
        if encrypted is None:
            raise httpcore.ConnectError("the connection was closed while TLS was being agreed")
        self._transport = encrypted
        return self

    async def aclose(self) -> None:
        """Close without waiting for the peer."""
        if self._transport is None:
            return
        self._transport.close()
        await asyncio.sleep(0)
        self._transport.abort()

    def get_extra_info(self, info: str) -> Any:
        """`is_readable`: whether an idle connection has something to read or is closed; else asyncio's own items."""
        if info == "is_readable":
            return bool(self._received) or self._ended or self._transport is None or self._transport.is_closing()
        names = {"client_addr": "sockname", "server_addr": "peername"}
        return self._transport.get_extra_info(names.get(info, info)) if self._transport else None
