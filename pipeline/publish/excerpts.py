"""Excerpts of a text: its changed words, or those that were searched for, with some text around them."""

import re
from typing import Final, NamedTuple

from pipeline.compare.text_diff import Operation, Piece
from pipeline.terminal import can_cut

_KEPT: Final = 60  # letters of unchanged text on either side of a change


class Run(NamedTuple):
    """Consecutive letters of a text. marked: they changed, or were searched for"""

    text: str
    marked: bool


def excerpt(pieces: list[Piece], without: Operation) -> list[Run]:
    """One of the two texts. without: `added` gives the earlier text, `removed` the later one"""
    kept = [piece for piece in pieces if piece.operation != without]
    end_changed = pieces[-1].operation != "same"
    runs = []
    for place, piece in enumerate(kept):
        changed = piece.operation != "same"
        last = place == len(kept) - 1 and not end_changed
        runs.append(Run(piece.text if changed else _shortened(piece.text, first=place == 0, last=last), changed))
    return runs


def with_hits(text: str, hits: re.Pattern[str]) -> list[Run]:
    """The whole text, with what an expression finds marked."""
    runs, end = [], 0
    for hit in hits.finditer(text):
        runs += [Run(text[end : hit.start()], False), Run(hit[0], True)]
        end = hit.end()
    return [run for run in (*runs, Run(text[end:], False)) if run.text]


def around_hit(text: str, hits: re.Pattern[str]) -> list[Run] | None:
    """The words around the first thing that an expression finds in a text, with all hits marked; None for none."""
    hit = hits.search(text)
    if hit is None:
        return None
    start = min(_boundary(text, hit.start() - _KEPT), hit.start()) if hit.start() > _KEPT else 0
    end = _boundary(text, hit.end() + _KEPT) if len(text) > hit.end() + _KEPT else len(text)
    runs = with_hits(text[start:end].strip(), hits)
    before, after = [Run("… ", False)] * (start > 0), [Run(" …", False)] * (end < len(text))
    return [*before, *runs, *after]


def _shortened(text: str, *, first: bool, last: bool) -> str:
    """Unchanged text without the part that is far from any change."""
    if first and not last and len(text) > _KEPT:
        return "… " + text[_boundary(text, len(text) - _KEPT) :]
    if last and not first and len(text) > _KEPT:
        return text[: _boundary(text, _KEPT)] + " …"
    if len(text) > 2 * _KEPT + 20:
        return f"{text[: _boundary(text, _KEPT)]} … {text[_boundary(text, len(text) - _KEPT) :]}"
    return text


def _boundary(text: str, place: int) -> int:
    """The next place from `place` on where a cut separates no mark from its letter; at a space where one is near."""
    near = text.find(" ", place, place + 20)
    if near >= 0:
        return near
    while place < len(text) and not can_cut(text, place):
        place += 1
    return place
