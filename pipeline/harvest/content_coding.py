"""Content codings of answers, as servers name them, rightly or wrongly."""

import zlib
from typing import Any, Final, Protocol

_DECODED: Final = frozenset(("gzip", "x-gzip", "deflate"))
_MOST_CODINGS: Final = 3  # a page compressed more often is an attack
_FORMAT_SHOWS: Final = 512  # bytes at the start that show whether a body is compressed at all
_NOT_IN_TEXT: Final = bytes({*range(32), 127} - set(b"\t\n\f\r\x1b"))  # every compressed body has some of them soon
_GZIP: Final = 31
_ZLIB: Final = 15
_BARE: Final = -15


class Decoder(Protocol):
    """Undoes the content codings of one body.

    decode: the next bytes, decoded; finish: the last ones. Both may raise zlib.error; finish raises EOFError for data that is
    cut off, ValueError with the name of a coding that cannot be undone.
    """

    def decode(self, piece: bytes) -> bytes: ...  # noqa: D102

    def finish(self) -> bytes: ...  # noqa: D102


def decoder_of(header: str, limit: int) -> Decoder | None:
    """What undoes the codings that a Content-Encoding header names; None where it names none.

    Servers name codings that are none (`none`, `UTF-8`), and name one that they did not use. So the first bytes of a body
    decide: what is no compressed data stays as it is, as in browsers.
    """
    codings = [coding for part in header.split(",") if (coding := part.strip().lower()) not in ("", "identity")]
    if not codings:
        return None
    if len(codings) == 1 and codings[0] not in _DECODED:
        return _Unknown(codings[0])
    return _Chain([_Inflate(limit) for _ in codings[:_MOST_CODINGS]])


class _Unknown:
    """Text under a coding that is not known is taken as it is; finish raises ValueError for anything else."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._start = b""

    def decode(self, piece: bytes) -> bytes:
        if len(self._start) < _FORMAT_SHOWS:
            self._start += piece[:_FORMAT_SHOWS]
        return piece

    def finish(self) -> bytes:
        if not _is_text(self._start):
            raise ValueError(repr(self._coding))
        return b""


class _Chain:
    """Undoes several codings, one after the other."""

    def __init__(self, steps: list["_Inflate"]) -> None:
        self._steps = steps

    def decode(self, piece: bytes) -> bytes:
        for step in self._steps:
            piece = step.decode(piece)
        return piece

    def finish(self) -> bytes:
        rest = b""
        for step in self._steps:
            rest = step.decode(rest) + step.finish()
        return rest


class _Inflate:
    """Undoes gzip, zlib and bare deflate piece by piece, and stops one byte beyond the limit, so a bomb fills no memory."""

    def __init__(self, limit: int) -> None:
        self._room = limit + 1
        self._start = b""  # kept until it shows the format
        self._is_known = False
        self._unzip: Any = None  # None: not compressed

    def decode(self, piece: bytes) -> bytes:
        if not self._is_known:
            self._start += piece
            if len(self._start) < _FORMAT_SHOWS:
                return b""
            piece = self._recognise()
        return self._inflated(piece) if self._unzip else piece

    def finish(self) -> bytes:
        """What is left at the end of the body. Raises EOFError where the compressed data is cut off."""
        rest = b""
        if not self._is_known and self._start:
            rest = self._recognise()
            rest = self._inflated(rest) if self._unzip else rest
        if self._unzip and not self._unzip.eof and self._room > 0:
            raise EOFError
        return rest

    def _recognise(self) -> bytes:
        """Find out the format; returns the bytes kept for that."""
        start, self._start, self._is_known = self._start, b"", True
        bits = _format_of(start)
        self._unzip = zlib.decompressobj(bits) if bits else None
        return start

    def _inflated(self, piece: bytes) -> bytes:
        found = []
        while piece and self._room > 0:
            if self._unzip.eof:
                if not piece.startswith(b"\x1f\x8b"):
                    break  # padding after the end, which browsers ignore too
                self._unzip = zlib.decompressobj(_GZIP)
            out = self._unzip.decompress(piece, self._room)
            self._room -= len(out)
            found.append(out)
            piece = self._unzip.unused_data if self._unzip.eof else self._unzip.unconsumed_tail
        return b"".join(found)


def _format_of(start: bytes) -> int | None:
    """zlib's `wbits` for compressed data that begins so; None for what is not compressed."""
    if b"\x1f\x8b".startswith(start[:2]):
        return _GZIP
    if _is_text(start):
        return None
    for bits in (_ZLIB, _BARE):  # "deflate" without its wrapper, as old servers send it
        try:
            zlib.decompressobj(bits).decompress(start, 1)
        except zlib.error:
            continue
        return bits
    return None


def _is_text(start: bytes) -> bool:
    return len(start.translate(None, _NOT_IN_TEXT)) == len(start)
