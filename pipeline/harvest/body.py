"""Reading the body of an answer: content encodings undone, never more bytes than allowed."""

import zlib
from collections.abc import Callable
from typing import Final, Literal

from pipeline.harvest.connections import Answer
from pipeline.harvest.content_coding import decoder_of
from pipeline.harvest.fetched import NoUsableAnswerError

_LONGEST_REDIRECT_BODY: Final = 65_536


async def read_body(
    answer: Answer,
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
        return NoUsableAnswerError(kind, text, answer.status, answer.headers)

    headers = answer.headers
    coding = headers.get("content-encoding")
    decoder = decoder_of(coding, limit) if coding else None
    # where the server miscounts, the rest of a page would be read as the answer to the next request
    announced = int(headers["content-length"]) if answer.status == 200 and "content-length" in headers else -1
    pieces: list[bytes] = []
    wire = size = 0
    try:
        while piece := await answer.connection.piece():
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


async def skip_body(answer: Answer) -> None:
    """Read the few bytes of a redirect, so that its connection can be used again; a long one is left unread."""
    left = _LONGEST_REDIRECT_BODY
    while left >= 0 and (piece := await answer.connection.piece()):
        left -= len(piece)
