"""Where a search found its words: the words around each hit, with the hit marked."""

import re
from collections.abc import Iterator
from typing import Any, Final

from pipeline.browse import queries
from pipeline.browse.index import Index
from pipeline.browse.shown import whole_row
from pipeline.browse.texts import Words
from pipeline.browse.word_index import SEARCHED
from pipeline.publish.excerpts import Run, around_hit, with_hits

_MOST: Final = 3  # of one record


def with_snippets(index: Index, rows: list[dict[str, Any]], asked: list[str], words: Words) -> list[dict[str, Any]]:
    """Found records with `hits`: the record's name, its words marked, and the other places that hold a word.

    asked: the words of the search
    """
    return [{**row, "hits": (_name(row, asked), list(_places(index, row, asked, words)))} for row in rows]


def _name(row: dict[str, Any], asked: list[str]) -> list[Run]:
    return with_hits(row["name"] or "", _expression(asked))


def _places(index: Index, row: dict[str, Any], asked: list[str], words: Words) -> Iterator[tuple[str, list[Run]]]:
    """What each place is called, and its excerpt; a place for each word that the record's line does not show."""
    shown = "\n".join(filter(None, (row["code"], row["name"], row["agency_name"])))
    missing = [word for word in asked if not _expression([word]).search(shown)]
    places = 0
    for name, text in _texts(index, row["code"], words):
        if not missing or places == _MOST:
            return
        if found := around_hit(text, _expression(missing)):
            yield name, found
            places += 1
            missing = [word for word in missing if not _expression([word]).search(text)]


def _texts(index: Index, code: str, words: Words) -> Iterator[tuple[str, str]]:
    """The texts of a record, now and then in its changes, each with what it is called."""
    for table, columns in SEARCHED.items():
        for row in index.part(code, table):
            yield from ((words.column(table, column), row[column]) for column in columns if row[column])
    for change in queries.changes_of(index, code):
        for side in filter(None, (change["after"], change["before"])):
            if change["column"] is None:
                yield f"{words('changes')} {words.day(change['day'])}", " · ".join(whole_row(side).values()) or side
            else:
                yield f"{words.column(change['table'], change['column'])} {words.day(change['day'])}", side


def _expression(words: list[str]) -> re.Pattern[str]:
    spelt = (
        re.escape(spelling) for word in sorted(words, key=len, reverse=True) for spelling in queries.spellings(word)
    )
    return re.compile("|".join(spelt), re.IGNORECASE)
