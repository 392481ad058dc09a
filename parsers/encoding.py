"""Bytes to text: which charset the bytes are in. One decision, made once for the whole page.

The bytes decide, not the labels: what is valid UTF-8 is UTF-8 (Thai in a one-byte charset practically never is), and
servers are known to declare a charset that their pages are not in. A label counts only where the bytes leave a doubt.
"""

import re
from functools import cache
from typing import Final, NamedTuple

_THAI_CHARSETS: Final = frozenset(("windows-874", "cp874", "x-windows-874", "tis-620", "tis620", "iso-8859-11", "thai"))
_CHARSET: Final = re.compile(rb"""charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]+)""", re.IGNORECASE)
_HEAD: Final = 4096  # bytes in which a page declares its charset

_ASCII: Final = bytes(range(128))
_THAI_IN_UTF8: Final = re.compile(rb"\xe0[\xb8\xb9][\x80-\xbf]")
_LEAST_UTF8: Final = 10  # one in so many bytes above ASCII begins a Thai letter of UTF-8: a page in UTF-8, with damage
_MOST_UNDEFINED: Final = 4  # one in so many bytes above ASCII that cp874 leaves undefined: no Thai text
_FIRST_TAG: Final = re.compile("<[!?A-Za-z]")

_MAGIC: Final = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive or an Office document",
    b"\x1f\x8b": "gzip data",
}
_STRAY_NULS: Final = 8  # a browser leaves them out

_WRONG_CODECS: Final = ("cp874", "cp1252", "latin-1")  # what a database or a converter took the bytes for
_FIRST_THAI: Final = re.compile("[ก-๛]")
_UTF_8_AS_CP874: Final = re.compile("เ[ธน].เ[ธน]", re.DOTALL)
_PORTAL_WORDS: Final = ("โครงการ", "ตัวชี้วัด")
"""Every page of the portal prints one of them."""


class Decoded(NamedTuple):
    """The text of a page.

    source: in UTF-8, without a byte order mark; bytes that are no text are U+FFFD, `undecodable` of them
    encoding: the charset the bytes were in, a Python codec name
    misread_as: the codec in which the server had misread its own text before it sent it; undone in `source`
    binary: what kind of file it is, where it is plainly no text; it has no source then
    """

    source: bytes
    encoding: str
    undecodable: int = 0
    misread_as: str | None = None
    binary: str | None = None


def decode(body: bytes, content_type: str | None = None) -> Decoded:
    """Decode the bytes of a page. Never raises, whatever the bytes are.

    content_type: the header's value, for its charset
    """
    if (binary := _binary_kind(body)) is not None:
        return Decoded(b"", "utf-8", binary=binary)
    codec = utf_16_of(body)
    if codec is None:
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            is_cut = error.end == len(body)  # inside the page's last letter
            codec = "cp874" if not is_cut and _is_one_byte_thai(body, content_type) else "utf-8"
        else:
            # a browser leaves NULs out: a file system's hole may hold a part of the page
            nuls = body.count(b"\0") if b"\0" in body else 0
            return _decoded(text, "utf-8", body, nuls if nuls > _STRAY_NULS else 0)
    text = body.decode(codec, "replace")
    return _decoded(text, codec, text.encode("utf-8", "replace"), text.count("\ufffd"))


def _binary_kind(body: bytes) -> str | None:
    if body.startswith(tuple(_MAGIC)):
        return next(name for start, name in _MAGIC.items() if body.startswith(start))
    return "binary data" if body.count(b"\0", 0, 1024) > _STRAY_NULS and not utf_16_of(body) else None


def utf_16_of(body: bytes) -> str | None:
    """The codec of a page in UTF-16, by its mark or, where it has none, by the first tag; None for any other page."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" not in body[:2]:
        return None
    starts = {codec: body[:200].decode(codec, "replace").lstrip() for codec in ("utf-16-le", "utf-16-be")}
    return next((codec for codec, start in starts.items() if _FIRST_TAG.match(start)), None)


def _decoded(text: str, encoding: str, source: bytes, undecodable: int) -> Decoded:
    if (undone := _undo_misreading(text)) is not None:
        text, misread_as = undone
        return Decoded(text.removeprefix("\ufeff").encode(), encoding, undecodable, misread_as)
    return Decoded(source.removeprefix(b"\xef\xbb\xbf"), encoding, undecodable)


def _is_one_byte_thai(body: bytes, content_type: str | None) -> bool:
    """Whether bytes that are not clean UTF-8 are Thai in a one-byte charset."""
    others = len(body.translate(None, _ASCII))
    if _LEAST_UTF8 * len(_THAI_IN_UTF8.findall(body)) >= others:
        return False
    undefined = body.decode("cp874", "replace").count("\ufffd")
    return _MOST_UNDEFINED * undefined < others or _declared_charset(body, content_type) in _THAI_CHARSETS


def _declared_charset(body: bytes, content_type: str | None) -> str:
    declared = _CHARSET.search((content_type or "").encode("ascii", "replace")) or _CHARSET.search(body[:_HEAD])
    return declared[1].decode("ascii").lower() if declared else ""


# --- text that was misread before it was sent -------------------------------------------------------------------------


@cache
def _characters(codec: str) -> list[str]:
    """Of each byte, as browsers and Windows have it: one that the codec leaves undefined is a control."""
    return [bytes((byte,)).decode(codec, "ignore") or chr(byte) for byte in range(256)]


def _undo_misreading(text: str) -> tuple[str, str] | None:
    """The page's right text and the codec it was misread in, where a whole page was encoded twice.

    UTF-8 or one-byte Thai, taken for another charset and encoded again: `เธเธฃเธธเธ`, `à¸à¸£`, `¡ÃØ§à·¾`. Undone only where
    that is certain: every character of the page is one of the wrong charset, the bytes behind them are valid, the text
    has the portal's words, and the way back gives the same characters. None for all other pages.
    """
    first = _FIRST_THAI.search(text)
    if not (_UTF_8_AS_CP874.match(text, first.start()) if first else "à" in text or "Ã" in text):
        return None
    for codec in _WRONG_CODECS:
        bytes_of = {ord(character): byte for byte, character in enumerate(_characters(codec))}
        try:
            misread = text.translate(bytes_of).encode("latin-1")
        except UnicodeEncodeError:
            continue
        if "".join(map(_characters(codec).__getitem__, misread)) != text:
            continue
        for real in ("utf-8", "cp874"):
            right = misread.decode(real, "ignore")
            if right != text and right.encode(real) == misread and any(word in right for word in _PORTAL_WORDS):
                return right, codec
    return None
