"""Files of lines that were kept elsewhere, each with the time-stamps and signatures that follow it.

    bma-progress-head 1 …
    -----BEGIN RFC 3161 TIME-STAMP-----
    … base64 of the authority's answer …
    -----END RFC 3161 TIME-STAMP-----

What is stamped and signed is the line with its line end: the file that `bma-progress head --out` writes.
"""

import base64
import re
import textwrap
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.errors import BmaProgressError, shortened
from pipeline.store.head_line import PREFIX, HeadLine, parsed_line

_STAMP: Final = "RFC 3161 TIME-STAMP"
_SIGNATURE: Final = "SSH SIGNATURE"
_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z0-9 -]+)-----\n(.*?)\n-----END \1-----", re.DOTALL)
_LARGEST: Final = 1 << 24  # bytes of a file of lines: twenty years of stamped nights have a fifth


class KeptLine(NamedTuple):
    """A line that was kept, with the answers of time-stamp authorities (DER) and the signatures (armoured) below it."""

    line: HeadLine
    stamps: tuple[bytes, ...] = ()
    signatures: tuple[str, ...] = ()


def stamp_block(stamp: bytes) -> str:
    """A time-stamp as it stands in a file of lines."""
    text = "\n".join(textwrap.wrap(base64.b64encode(stamp).decode(), 64))
    return f"-----BEGIN {_STAMP}-----\n{text}\n-----END {_STAMP}-----\n"


def read_lines(line_or_file: str) -> list[KeptLine]:
    """The lines that a person kept: one line, or a file of lines. Raises BmaProgressError for anything else."""
    text = line_or_file
    if not text.lstrip().startswith(PREFIX):
        text = _file_text(Path(line_or_file))
    kept: list[KeptLine] = []
    for line in _with_blocks_in_one(text):
        if (found := parsed_line(line)) is not None:
            kept.append(KeptLine(found))
        elif kept and (block := _BLOCK.fullmatch(line)):
            kept[-1] = _with_block(kept[-1], block)
        else:
            raise _no_line(line)
    if not kept:
        raise _no_line("")
    return kept


def _with_blocks_in_one(text: str) -> list[str]:
    """The lines of a text that are not empty; a block counts as one."""
    text = "\n".join(line.strip() for line in text.splitlines())
    found, at = [], 0
    for block in _BLOCK.finditer(text):
        found += [*text[at : block.start()].splitlines(), block[0]]
        at = block.end()
    return [line for line in [*found, *text[at:].splitlines()] if line]


def _with_block(kept: KeptLine, block: re.Match[str]) -> KeptLine:
    if block[1] == _SIGNATURE:
        return kept._replace(signatures=(*kept.signatures, f"{block[0]}\n"))
    try:
        if block[1] != _STAMP:
            raise ValueError
        stamp = base64.b64decode("".join(block[2].split()), validate=True)
    except ValueError:
        raise _no_line(block[0]) from None
    return kept._replace(stamps=(*kept.stamps, stamp))


def _no_line(text: str) -> BmaProgressError:
    shown = shortened(text.partition("\n")[0])
    return BmaProgressError(f"{shown!r} is no line that `bma-progress head` prints; copy it anew, whole")


def _file_text(file: Path) -> str:
    try:
        if file.stat().st_size > _LARGEST:
            raise BmaProgressError(f"{file} is too large for a file of lines; name the one that holds the line")
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or "it is not UTF-8"
        raise BmaProgressError(f"the line's file {file} cannot be read ({cause}); name the line or its file") from None
