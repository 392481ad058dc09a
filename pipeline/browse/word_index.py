"""The words by which a search finds records: trigrams of what they say now, and of what their changes said.

They are made from the other tables of an index, in the same file. Pages without a search need none of them.
"""

import hashlib
import sqlite3
import zlib
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final

import orjson

SEARCHED: Final = {
    "projects": ("name", "agency_name", "rationale", "objectives", "targets"),
    "progress_reports": ("note", "problems", "obstacles"),
    "plan_steps": ("description",),
    "kpis": ("name", "definition", "summary"),
    "kpi_quarters": ("narrative",),
}
"""The texts that a search finds, by table."""
_RECORDS: Final = """
DROP TABLE IF EXISTS words_terms; DROP TABLE IF EXISTS texts; DROP TABLE IF EXISTS words;
CREATE TABLE texts (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT UNIQUE, sha256 BLOB);
CREATE VIRTUAL TABLE words USING fts5 (text, content = '', tokenize = 'trigram');
CREATE VIRTUAL TABLE words_terms USING fts5vocab (words, row);
"""
_CHANGES: Final = """
CREATE TABLE IF NOT EXISTS change_texts (id INTEGER PRIMARY KEY, code TEXT, harvest_id TEXT, change_no INTEGER);
CREATE VIRTUAL TABLE IF NOT EXISTS change_words USING fts5 (text, content = '', tokenize = 'trigram');
CREATE VIRTUAL TABLE IF NOT EXISTS change_words_terms USING fts5vocab (change_words, row);
"""


def add_words(connection: sqlite3.Connection) -> None:
    """Add the words that an index does not hold yet."""
    _add_words_of_changes(connection)
    _add_words_of_records(connection)


def _add_words_of_changes(connection: sqlite3.Connection) -> None:
    connection.executescript(_CHANGES)
    last, night = connection.execute(
        "SELECT coalesce(max(id), 0), coalesce(max(harvest_id), '') FROM change_texts"
    ).fetchone()
    connection.execute(
        "INSERT INTO change_texts (code, harvest_id, change_no) SELECT coalesce(project_code, kpi_code), harvest_id, change_no "
        "FROM changes WHERE own AND harvest_id > ? ORDER BY harvest_id, change_no",
        (night,),
    )
    connection.execute(
        "INSERT INTO change_words (rowid, text) SELECT id, coalesce(before, '') || ' \n' || coalesce(after, '') || ' \n' "
        "FROM change_texts JOIN changes USING (harvest_id, change_no) WHERE id > ? ORDER BY id",
        (last,),
    )


def _add_words_of_records(connection: sqlite3.Connection) -> None:
    """Add the texts that differ from the last night's. Words of an older text stay, and lead to no record any more."""
    if not _is_mostly_known(connection):
        connection.executescript(_RECORDS)
    known = dict(connection.execute("SELECT code, sha256 FROM texts").fetchall())
    for code, text in _texts(connection):
        digest = hashlib.sha256(text.encode()).digest()
        if known.pop(code, None) == digest:
            continue
        new = connection.execute("INSERT OR REPLACE INTO texts (code, sha256) VALUES (?, ?)", (code, digest))
        connection.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (new.lastrowid, text))
    connection.executemany("DELETE FROM texts WHERE code = ?", ((code,) for code in known))


def _is_mostly_known(connection: sqlite3.Connection) -> bool:
    """Whether there are words, and at least half of them of texts that still stand."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'texts'").fetchone() is None:
        return False
    last, standing = connection.execute("SELECT coalesce(max(id), 0), count(*) FROM texts").fetchone()
    return bool(last <= 2 * standing)


def _texts(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """The searched text of each record; of one that ended, what is still known of it.

    A blank ends each text, so that its last two letters are the begin of a trigram, too.
    """
    chosen = ", ".join(f"'{name}'" for name in SEARCHED)
    documents = connection.execute(
        f'SELECT code, "table", rows FROM documents WHERE "table" IN ({chosen}) ORDER BY code'  # noqa: S608 - names of ours
    )
    for code, parts in groupby(documents, itemgetter(0)):
        tables = {name: orjson.loads(zlib.decompress(rows)) for _, name, rows in parts}
        shown = [
            row[column] for name, columns in SEARCHED.items() for row in tables.get(name, ()) for column in columns
        ]
        yield code, "".join(f"{text} \n" for text in (code, *filter(None, shown)))
    ended = connection.execute("SELECT code, name, agency_name FROM records WHERE ended = 1")
    yield from ((code, f"{code} \n{name or ''} \n{agency or ''} \n") for code, name, agency in ended)
