"""The heads of answers as old servers send them: stray lines among the headers are dropped, as browsers do."""

import re
from collections.abc import Awaitable, Callable
from typing import Final

_END: Final = re.compile(rb"\n\r?\n")
_LONGEST: Final = 65_536  # bytes; a longer head is given on as it comes
_NAME: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_STRAY: Final = re.compile(rb"^(?!" + _NAME + rb":[\t -~\x80-\xff]*\r?$|[\t ]|\r?$).*\n", re.MULTILINE)
_BLANK_BEFORE_COLON: Final = re.compile(rb"^(" + _NAME + rb")[\t ]+:", re.MULTILINE)


def clean_head(head: bytes) -> bytes:
    """A status line and headers, without the lines that are no headers: such as what PHP prints of its warnings."""
    status, newline, headers = head.partition(b"\n")
    return status + newline + _STRAY.sub(b"", _BLANK_BEFORE_COLON.sub(rb"\1:", headers))


async def clean_start(piece: bytes, read: Callable[[], Awaitable[bytes]]) -> bytes:
    """The beginning of an answer with its head cleaned; piece: its first bytes, read: gives the next ones."""
    head = piece.lstrip(b"\r\n")
    while piece and not (end := _END.search(head)) and len(head) < _LONGEST:
        piece = await read()
        head = (head + piece).lstrip(b"\r\n")
    if not piece or not end:
        return head
    return clean_head(head[: end.end()]) + head[end.end() :]
