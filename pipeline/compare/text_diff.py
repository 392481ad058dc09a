"""Find the words that changed in a text.

Thai has no spaces between words: a comparison by spaces would mark whole paragraphs, and one by letters would separate
vowel and tone marks from their letters. BudouX, a small trained model, splits the words; no piece begins with a mark.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from rich.cells import cell_len

from pipeline.compare.classify import REPORT_TEXTS, TEXTS
from pipeline.plain_text import printable
from pipeline.terminal import can_cut, clipped, one_line

if TYPE_CHECKING:
    import budoux

Operation = Literal["same", "removed", "added"]

_PIECES: Final = re.compile(r"[\u0E00-\u0E7F]+|[^\W\u0E00-\u0E7F]+(?:[.,/:-][^\W\u0E00-\u0E7F]+)*|\s+|.", re.DOTALL)
_MOST_WORDS: Final = 4_000  # of both texts together; longer texts count as replaced: matching would take seconds
_AROUND: Final = 12  # letters of unchanged text that an excerpt keeps on either side of a change
_SHORTEST: Final = 8  # columns of a removed or added text in an excerpt
MARKS: Final = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}
"""How plain text marks the words that changed."""

_CONTEXT: Final = 40  # letters of the equal ends that are split together with the rest, so that no word is cut there


class Piece(NamedTuple):
    """A run of words with one operation."""

    operation: Operation
    text: str


def is_text_change(row: Mapping[str, Any]) -> bool:
    """Whether a row of changes has two texts, so that its changed words can be found."""
    return row["column"] in TEXTS | REPORT_TEXTS and row["before"] is not None and row["after"] is not None


def changed_words(before: str, after: str) -> list[Piece]:
    """Both texts as one sequence of pieces.

    Without the `added` pieces it is exactly `before`, without the `removed` pieces exactly `after`.
    """
    if before == after:
        return [Piece("same", before)] if before else []
    head, tail = _equal_ends(before, after)
    middle = [text[head : len(text) - tail] for text in (before, after)]
    words = [split_words(text) for text in middle]
    pieces = [Piece("same", before[:head]), *_compare(*words), Piece("same", before[len(before) - tail :])]
    return _joined(pieces)


def excerpt(row: Mapping[str, Any], columns: int) -> str:
    """What changed in a row of changes, on one line of at most so many columns.

    Of two texts the changed words as [-removed-] and {+added+}, with some text around them; so too of other values that
    do not fit side by side.
    """
    before, after = row["before"], row["after"]
    whole = f"{one_line(before, columns)} → {one_line(after, columns)}"
    if before is None or after is None or (cell_len(whole) <= columns and not is_text_change(row)):
        return clipped(whole, columns)
    pieces = changed_words(" ".join(before.split()), " ".join(after.split()))
    share = max(_SHORTEST, (columns - 2 * _AROUND - 10) // 2)
    parts = []
    for place, piece in enumerate(pieces):
        text = printable(piece.text)
        if piece.operation != "same":
            parts.append(MARKS[piece.operation].format(clipped(text, share)))
        elif len(text) <= 2 * _AROUND + 1:
            parts.append(text)
        else:
            head = "" if place == 0 else text[: _cut_near(text, _AROUND)]
            tail = "" if place == len(pieces) - 1 else text[_cut_near(text, len(text) - _AROUND) :]
            parts.append(f"{head}…{tail}")
    return clipped("".join(parts), columns)


def _cut_near(text: str, place: int) -> int:
    while place < len(text) and not can_cut(text, place):
        place += 1
    return place


def _compare(before: list[str], after: list[str]) -> Iterator[Piece]:
    if len(before) + len(after) > _MOST_WORDS:
        yield Piece("removed", "".join(before))
        yield Piece("added", "".join(after))
        return
    for tag, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            yield Piece("same", "".join(before[a:b]))
        else:
            yield Piece("removed", "".join(before[a:b]))
            yield Piece("added", "".join(after[c:d]))


def _equal_ends(before: str, after: str) -> tuple[int, int]:
    """Lengths of the equal beginning and end, shortened so that both texts split into the same words at the edges."""
    head = 0
    for one, other in zip(before, after, strict=False):
        if one != other:
            break
        head += 1
    tail = 0
    for one, other in zip(reversed(before[head:]), reversed(after[head:]), strict=False):
        if one != other:
            break
        tail += 1
    head = max(0, head - _CONTEXT)
    tail = max(0, tail - _CONTEXT)
    while head > 0 and not can_cut(before, head):
        head -= 1
    while tail > 0 and not can_cut(before, len(before) - tail):
        tail -= 1
    return head, tail


def split_words(text: str) -> list[str]:
    """The words of a text, spaces and signs included: joined, they are the text."""
    words: list[str] = []
    for piece in _PIECES.findall(text):
        parts = _thai_words(piece) if "\u0e00" <= piece[0] <= "\u0e7f" else [piece]
        for part in parts:
            if words and not can_cut(words[-1][-1] + part[0], 1):
                words[-1] += part
            else:
                words.append(part)
    return words


@lru_cache(maxsize=4096)  # most of a text before and after is the same
def _thai_words(text: str) -> list[str]:
    return _splitter().parse(text)


@cache
def _splitter() -> "budoux.Parser":
    import budoux  # reads HTML too, and most nights change no text

    return budoux.load_default_thai_parser()


def _joined(pieces: list[Piece]) -> list[Piece]:
    """The pieces with neighbours of one operation joined; in a run of changes, removed words come before added ones."""
    joined: list[Piece] = []
    for piece in pieces:
        if not piece.text:
            continue
        if joined and joined[-1].operation == piece.operation:
            joined[-1] = Piece(piece.operation, joined[-1].text + piece.text)
        elif (
            piece.operation == "removed"
            and len(joined) > 1
            and joined[-1].operation == "added"
            and joined[-2].operation == "removed"
        ):
            joined[-2] = Piece("removed", joined[-2].text + piece.text)
        else:
            joined.append(piece)
    return joined
