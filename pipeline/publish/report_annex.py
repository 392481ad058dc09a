"""The annex of the audit report: which changes stand on one card, in which order, and on which page."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from pipeline.compare.changes import record_of
from pipeline.compare.classify import SEVERITIES, WHOLE_RECORD, severity_of
from pipeline.compare.diff import Comparison
from pipeline.compare.text_diff import changed_words, is_text_change
from pipeline.schema.columns import TABLES

FEWEST_SAME: Final = 3
"""Records with the same edit from which the edit has one card."""

PAGE_BYTES: Final = 1_000_000
"""About how many bytes of cards one page holds; a browser shows as many within a second."""

MOST_PLACES: Final = 1_000
"""Places of the same edit on one card; more go to further cards."""

_CARD_BYTES, _CHANGE_BYTES, _PLACE_BYTES = 1_800, 900, 600  # as measured, without texts
_EXCERPT: Final = 600  # letters of both texts that a change shows, at most
_THAI_BYTES: Final = 3  # of a letter
_CODE: Final = re.compile(r"[0-9A-Za-z_-]{1,40}", re.ASCII)

Row = dict[str, Any]


@dataclass
class Card:
    """Changes that are shown together: of one record, or one edit in several records.

    record: the code; empty where the card is one edit of several records
    """

    severity: str
    record: str
    rows: list[Row]
    size: float
    anchor: str = ""


@dataclass
class Page:
    """One page of the annex. number: from 1"""

    number: int
    cards: list[Card] = field(default_factory=list)

    def by_severity(self) -> list[tuple[str, list[Card]]]:
        """Its cards by severity, most severe first."""
        found = [(severity, [card for card in self.cards if card.severity == severity]) for severity in SEVERITIES]
        return [(severity, cards) for severity, cards in found if cards]


class Annex:
    """The cards of a comparison in their order, and the pages they stand on.

    rows: changes without the parts of whole records; each gets its `severity`, `anchor` and `size`
    page_bytes: None for one page, however large
    """

    def __init__(self, comparison: Comparison, rows: list[Row], *, page_bytes: int | None = PAGE_BYTES) -> None:
        nights = [one.harvest_id or str(one.day or name) for name, one in comparison.snapshots.items()]
        for row in rows:
            row["severity"] = severity_of(row["meaning"], row["detail"], row["cause"])
            row["anchor"] = anchor_of(row, nights)
            row["size"] = size_of(row)
        self.rows = rows
        self.cards = _cards(rows)
        self.pages = _pages(self.cards, page_bytes)
        self.page_of = {row["anchor"]: page.number for page in self.pages for card in page.cards for row in card.rows}

    def first_of(self, meaning: str) -> Row:
        """The first change of a meaning, as the annex shows them."""
        return next(row for card in self.cards for row in card.rows if row["meaning"] == meaning)


def anchor_of(row: Mapping[str, Any], nights: list[str]) -> str:
    """The address of a change within the report: the same in every report of the same two nights."""
    parts = [row[name] for name in ("table", "key", "column", "change", "meaning", "detail")]
    return f"c-{hashlib.sha256(json.dumps([*parts, *nights]).encode()).hexdigest()[:12]}"


def safe_name(text: str) -> str:
    """A text as a part of an id or attribute, whatever the portal printed as a code."""
    return text if _CODE.fullmatch(text) else hashlib.sha256(text.encode()).hexdigest()[:16]


def size_of(row: Mapping[str, Any]) -> float:
    """How large a change is, from 0 to 100: points of a percentage, share of a number or text, days of a year."""
    before, after = row["before"], row["after"]
    if not row["column"] or before is None or after is None:
        return 100.0
    column = next((one for one in TABLES[row["table"]].columns if one.name == row["column"]), None)
    kind = column.type if column else "string"
    if kind == "date":
        return min(100.0, abs((date.fromisoformat(after[:10]) - date.fromisoformat(before[:10])).days) / 3.65)
    if kind in ("int", "float"):
        numbers = float(before), float(after)
        moved, largest = abs(numbers[1] - numbers[0]), max(map(abs, numbers)) or 1.0
        return min(100.0, moved if column and column.unit == "percent" else 100 * moved / largest)
    return 100 * _changed_share(before, after)


def _changed_share(before: str, after: str) -> float:
    """About which share of the longer text lies between the equal beginning and the equal end."""
    longest, shortest = max(len(before), len(after)), min(len(before), len(after))
    head = next((place for place in range(shortest) if before[place] != after[place]), shortest)
    tail = next((place for place in range(shortest - head) if before[-1 - place] != after[-1 - place]), shortest - head)
    return (longest - head - tail) / longest if longest else 0.0


def _cards(rows: Iterable[Row]) -> list[Card]:
    same: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        same.setdefault(_edit(row), []).append(row)
    cards: list[Card] = []
    of_record: dict[tuple[str, str], list[Row]] = {}
    for edits in same.values():
        if len({record_of(row) for row in edits}) >= FEWEST_SAME:
            edits.sort(key=lambda row: (record_of(row), row["key"]))
            for first in range(0, len(edits), MOST_PLACES):
                chosen = edits[first : first + MOST_PLACES]
                cards.append(Card(chosen[0]["severity"], "", chosen, max(row["size"] for row in chosen)))
        else:
            for row in edits:
                of_record.setdefault((row["severity"], record_of(row)), []).append(row)
    for (severity, code), own in of_record.items():
        own.sort(key=lambda row: -row["size"])
        cards.append(Card(severity, code, own, own[0]["size"]))
    for card in cards:
        card.anchor = (
            f"r-{card.severity}-{safe_name(card.record)}" if card.record else f"e-{card.rows[0]['anchor'][2:]}"
        )
    order = {severity: place for place, severity in enumerate(SEVERITIES)}
    return sorted(
        cards,
        key=lambda card: (
            order[card.severity], bool(card.record), -card.size if card.record else -len(card.rows), card.anchor,
        ),
    )  # fmt: skip


def _edit(row: Row) -> tuple[str, ...]:
    """What makes two edits the same: of two texts the words that changed, else both values; whole records of one fate."""
    about = (row["severity"], row["meaning"], row["detail"] or "", row["table"], row["column"] or row["change"])
    if row["meaning"] in WHOLE_RECORD:
        return about
    if is_text_change(row):
        pieces = changed_words(row["before"], row["after"])
        return (*about, *(f"{piece.operation} {piece.text}" for piece in pieces if piece.operation != "same"))
    return (*about, str(row["before"]), str(row["after"]))


def _pages(cards: list[Card], page_bytes: int | None) -> list[Page]:
    pages = [Page(1)]
    used = 0
    for card in cards:
        size = _estimated_bytes(card)
        if page_bytes is not None and pages[-1].cards and used + size > page_bytes:
            pages.append(Page(len(pages) + 1))
            used = 0
        pages[-1].cards.append(card)
        used += size
    return pages


def _estimated_bytes(card: Card) -> int:
    shown = card.rows if card.record else card.rows[:1]
    texts = sum(min(len(row["before"] or "") + len(row["after"] or ""), _EXCERPT) for row in shown)
    places = 0 if card.record else len(card.rows) * _PLACE_BYTES
    return _CARD_BYTES + len(shown) * _CHANGE_BYTES + texts * _THAI_BYTES + places
