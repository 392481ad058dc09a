"""Reading the body of an answer: content encodings undone, never more bytes than allowed."""

import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final, Literal

import httpx

from pipeline.harvest.fetched import NoUsableAnswerError

KEPT_HEADERS: Final = frozenset(
    "content-type content-encoding content-length date etag last-modified location retry-after server".split()
)
"""The headers of an answer that matter as evidence."""

_IS_COMPRESSED: Final = {"": False, "identity": False, "gzip": True, "x-gzip": True, "deflate": True}
_LONGEST_REDIRECT_BODY: Final = 65_536


def kept_headers(response: httpx.Response) -> dict[str, str]:
    """KEPT_HEADERS of an answer, names in lower case."""
    kept: dict[str, str] = {}
    for raw_name, value in response.headers.raw:
        name = raw_name.lower().decode("latin-1")
        if name in KEPT_HEADERS:
            kept[name] = value.decode("latin-1")
    return kept


async def read_body(
    response: httpx.Response, headers: Mapping[str, str], limit: int, is_complete: Callable[[bytes], bool] | None
) -> tuple[bytes, int]:
    """Read a whole body; returns it decoded, and its length as it travelled.

    limit: most bytes accepted, decoded
    is_complete: True for a body that has its end; asked when the announced length has come; None where it does not matter
    Raises NoUsableAnswerError.
    """

    def failed(kind: Literal["transport", "truncated", "too_large"], text: str) -> NoUsableAnswerError:
        return NoUsableAnswerError(kind, text, response.status_code, headers)

    coding = headers.get("content-encoding", "").strip().lower()
    if coding not in _IS_COMPRESSED:
        raise failed("transport", f"compressed as {coding!r}, which was not asked for")
    decoder = _Decoder(limit) if _IS_COMPRESSED[coding] else None
    # where the server miscounts, the rest of a page would be read as the answer to the next request
    announced = int(headers["content-length"]) if response.status_code == 200 and "content-length" in headers else -1
    pieces: list[bytes] = []
    wire = size = 0
    try:
        async for piece in _pieces(response):
            wire += len(piece)
            decoded = decoder.decode(piece) if decoder else piece
            size += len(decoded)
            if size > limit:
                raise failed("too_large", f"larger than {limit:,} bytes")
            pieces.append(decoded)
            if wire == announced and decoder is None:
                pieces = [b"".join(pieces)]
                if is_complete and not is_complete(pieces[0]):
                    break  # the rest may follow; left unread, it closes its connection
    except zlib.error:
        raise failed("transport", "the answer's compression is broken") from None
    if decoder and wire and not decoder.is_at_end:
        raise failed("truncated", "the compressed answer is cut off")
    return b"".join(pieces), wire


async def skip_body(response: httpx.Response) -> None:
    """Read the few bytes of a redirect, so that its connection can be used again; a long one is left unread."""
    left = _LONGEST_REDIRECT_BODY
    async for piece in _pieces(response):
        left -= len(piece)
        if left < 0:
            return


def _pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise TypeError("an asynchronous transport answers with an asynchronous stream")
    return aiter(response.stream)


class _Decoder:
    """Undoes gzip and deflate piece by piece, and stops one byte beyond the limit, so a bomb fills no memory."""

    def __init__(self, limit: int) -> None:
        self._room = limit + 1
        self._unzip = zlib.decompressobj(wbits=47)  # gzip or zlib, by the first bytes
        self._start: bytes | None = b""  # until the first two bytes, which show the format, have come

    @property
    def is_at_end(self) -> bool:
        return self._unzip.eof

    def decode(self, piece: bytes) -> bytes:
        if self._start is not None:
            piece = self._start + piece
            if len(piece) < 2:
                self._start = piece
                return b""
        found = []
        while piece and self._room > 0:
            if self._unzip.eof:
                if not piece.startswith(b"\x1f\x8b"):
                    break  # padding after the end, which browsers ignore too
                self._unzip = zlib.decompressobj(wbits=47)
            try:
                out = self._unzip.decompress(piece, self._room)
            except zlib.error:
                if self._start is None:
                    raise
                self._unzip = zlib.decompressobj(wbits=-15)  # "deflate" without its wrapper, as old servers send it
                out = self._unzip.decompress(piece, self._room)
            self._start = None
            self._room -= len(out)
            found.append(out)
            piece = self._unzip.unused_data if self._unzip.eof else self._unzip.unconsumed_tail
        return b"".join(found)
