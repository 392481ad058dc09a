"""Reading the body of an answer: content encodings undone, never more bytes than allowed."""

import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final, Literal

import httpx

from pipeline.harvest.content_coding import decoder_of
from pipeline.harvest.fetched import NoUsableAnswerError

KEPT_HEADERS: Final = frozenset(
    "content-type content-encoding content-length date etag last-modified location retry-after server".split()
)
"""The headers of an answer that matter as evidence."""

_LONGEST_REDIRECT_BODY: Final = 65_536


def kept_headers(response: httpx.Response) -> dict[str, str]:
    """KEPT_HEADERS of an answer, names in lower case; the values of one that comes several times are joined."""
    kept: dict[str, str] = {}
    for raw_name, raw_value in response.headers.raw:
        name = raw_name.lower().decode("latin-1")
        if name in KEPT_HEADERS:
            value = raw_value.decode("latin-1")
            kept[name] = f"{kept[name]}, {value}" if name == "content-encoding" and name in kept else value
    return kept


async def read_body(
    response: httpx.Response,
    headers: Mapping[str, str],
    limit: int,
    is_complete: Callable[[bytes], bool] | None = None,
    *,
    beginning_only: bool = False,
) -> tuple[bytes, int]:
    """Read a whole body; returns it decoded, and its length as it travelled.

    limit: most bytes accepted, decoded; beginning_only: read no further than that, and return what came
    is_complete: True for a body that has its end; asked when the announced length has come; None where it does not matter
    Raises NoUsableAnswerError.
    """

    def failed(kind: Literal["transport", "truncated", "too_large"], text: str) -> NoUsableAnswerError:
        return NoUsableAnswerError(kind, text, response.status_code, headers)

    coding = headers.get("content-encoding")
    decoder = decoder_of(coding, limit) if coding else None
    # where the server miscounts, the rest of a page would be read as the answer to the next request
    announced = int(headers["content-length"]) if response.status_code == 200 and "content-length" in headers else -1
    pieces: list[bytes] = []
    wire = size = 0
    try:
        async for piece in _pieces(response):
            wire += len(piece)
            decoded = decoder.decode(piece) if decoder else piece
            size += len(decoded)
            pieces.append(decoded)
            if size > limit:
                if beginning_only:
                    return b"".join(pieces), wire
                raise failed("too_large", f"larger than {limit:,} bytes")
            if wire == announced and decoder is None:
                pieces = [b"".join(pieces)]
                if is_complete and not is_complete(pieces[0]):
                    break  # the rest may follow; left unread, it closes its connection
        if decoder and wire:
            pieces.append(decoder.finish())
    except zlib.error:
        raise failed("transport", "the answer's compression is broken") from None
    except EOFError:
        raise failed("truncated", "the compressed answer is cut off") from None
    except ValueError as unknown:
        raise failed("transport", f"compressed as {unknown}, which was not asked for") from None
    body = b"".join(pieces)
    if len(body) > limit and not beginning_only:
        raise failed("too_large", f"larger than {limit:,} bytes")
    return body, wire


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
