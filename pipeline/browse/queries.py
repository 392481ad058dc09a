"""The questions of the browser's pages, answered from the index: plain rows, no HTML."""

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

import pyarrow as pa

from parsers.thai import ARABIC_DIGITS, clean
from pipeline.browse.index import Index
from pipeline.compare.classify import MEANINGS, SEVERITIES
from pipeline.schema.project_overview import BEHIND_POINTS, SILENT_DAYS
from pipeline.schema.row_text import row_of_text

PER_PAGE: Final = 50
_TRIGRAM: Final = 3
_SHORTEST: Final = 2
"""Letters of a word that trigrams can find: of two letters, all trigrams that begin with them."""
_MOST_WORDS: Final = 10
_MOST_FOUND: Final = 5_000
"""Of the changes that hold a word, a page looks at so many, the newest: a common word is in nearly all. The page says so."""
_NO_LIMIT: Final = -1
_LONGEST_YEAR: Final = 4
_LAST_LETTER: Final = "\U0010ffff"
_THAI_DIGITS: Final = {arabic: thai for thai, arabic in ARABIC_DIGITS.items()}
_AGENCY_LETTERS: Final = 8

_HOLDING: Final = (
    "SELECT json_group_array(code) AS codes FROM ("
    "SELECT code FROM texts WHERE id IN (SELECT rowid FROM words WHERE words MATCH ?) UNION SELECT code FROM change_texts "
    "WHERE id IN (SELECT rowid FROM change_words WHERE change_words MATCH ? ORDER BY rowid DESC LIMIT ?))"
)
"""The records that hold a word now, or in a change, as one JSON list."""
_SORTS: Final = {
    "rewritten": "rewritten DESC, flags DESC, code",
    "flags": "flags DESC, rewritten DESC, code",
    "behind": "variance NULLS LAST, code",
    "silent": "silent_days DESC, code",
    "code": "code",
}
FACETS: Final = {
    "behind": f"variance <= {BEHIND_POINTS}",
    "flagged": "flags > 0",
    "silent": f"(silent_days > {SILENT_DAYS} AND progress < 100)",
    "rewritten": "rewritten > 0",
    "ended": "ended = 1",
}
"""Yes-or-no facets of a search, by name."""


class Rows(NamedTuple):
    """A page of a list, or the whole list: its rows, how many rows the list has, the number of this page from 1.

    page: None for the whole list; per_page: rows of a page
    is_cut: only the newest `_MOST_FOUND` of the changes that hold a word were looked at; schema: of the list as a file
    """

    rows: list[dict[str, Any]]
    total: int
    page: int | None
    per_page: int
    is_cut: bool = False
    schema: pa.Schema | None = None

    @property
    def last(self) -> int:
        """The number of the last page."""
        return max(1, -(-self.total // self.per_page))

    @property
    def has_next(self) -> bool:
        """Whether another page follows."""
        return self.page is not None and self.page * self.per_page < self.total


class _Where:
    """Conditions of a query with their values; every value is bound, never part of the text."""

    def __init__(self) -> None:
        self.conditions: list[str] = []
        self.values: list[Any] = []

    def add(self, condition: str, *values: Any) -> None:
        """One more condition. condition: a constant text with a `?` for each value"""
        self.conditions.append(condition)
        self.values += values

    def __str__(self) -> str:
        return " AND ".join(self.conditions) or "1"


def part_of(rows: list[dict[str, Any]], page: int | None, per_page: int = PER_PAGE) -> Rows:
    """A page of rows that are all at hand. page: None for all of them"""
    first = (page - 1) * per_page if page else 0
    return Rows(rows[first : first + per_page] if page else rows, len(rows), page, per_page)


def nights(index: Index) -> list[dict[str, Any]]:
    """Every night, newest first, with its changes by severity."""
    counts: dict[str, dict[str, int]] = {}
    for row in index.known_rows("SELECT harvest_id, severity, number FROM severities"):
        counts.setdefault(row["harvest_id"], {})[row["severity"]] = row["number"]
    rows = index.known_rows("SELECT * FROM nights ORDER BY harvest_id DESC")
    return [{**row, "severities": counts.get(row["harvest_id"], {})} for row in rows]


def changes(index: Index, filters: Mapping[str, str], page: int | None) -> Rows:
    """Changes of published nights, newest night first; filters: from, to, meaning, severity, agency, code, q, night.

    page: None for all of them
    """
    where, is_cut = _Where(), False
    where.add("own = 1")
    if night := filters.get("night"):
        where.add("harvest_id = ?", night)
    if since := filters.get("from"):
        where.add("harvest_id > ?", since)
    if until := filters.get("to"):
        where.add("harvest_id <= ?", until)
    for name in ("meaning", "severity"):
        if filters.get(name):
            where.add(f"{name} = ?", filters[name])
    if agency := typed_code(filters, "agency"):
        if len(agency) < _AGENCY_LETTERS:
            where.add("agency_code >= ? AND agency_code < ?", agency, f"{agency}{_LAST_LETTER}")
        else:
            where.add("agency_code = ?", agency)
    if code := typed_code(filters, "code"):
        where.add("(project_code = ? OR kpi_code = ?)", code, code)
    if text := clean(filters.get("q", "")):
        if len(text) >= _SHORTEST:
            # cut before other filters, older changes that they leave would be missed
            is_cut = page is not None and len(where.conditions) == 1 and _is_common(index, text)
            rows = "SELECT rowid FROM change_words WHERE change_words MATCH ? ORDER BY rowid DESC LIMIT ?"
            found = f"SELECT harvest_id, change_no FROM change_texts WHERE id IN ({rows})"  # noqa: S608 - a constant
            where.add(
                f"(harvest_id, change_no) IN ({found})",
                _match(index, "change_words", text),
                _MOST_FOUND if is_cut else _NO_LIMIT,
            )
        else:
            where.add(*_holding(("before", "after"), text))
    return _page(index, "changes", where, "harvest_id DESC, change_no", page)._replace(is_cut=is_cut)


def change(index: Index, harvest_id: str, number: str) -> dict[str, Any] | None:
    """One change by its address."""
    return index.row("SELECT * FROM changes WHERE harvest_id = ? AND change_no = ?", harvest_id, number)


def search(index: Index, filters: Mapping[str, str], page: int | None) -> Rows:
    """Records whose code, name, agency, notes or changed texts hold all words; filters: q, agency, year, kind, facets, sort.

    page: None for all of them
    """
    where = _matching(index, filters, _NO_LIMIT if page is None else _MOST_FOUND)
    for condition, values in _narrowing(filters).values():
        where.add(condition, *values)
    order = _SORTS.get(filters.get("sort", ""), _SORTS["code"])
    is_cut = page is not None and any(_is_common(index, word) for word in words_of(filters) if len(word) >= _SHORTEST)
    return _page(index, "records", where, order, page)._replace(is_cut=is_cut)


def words_of(filters: Mapping[str, str]) -> list[str]:
    """The words that a search asks for."""
    return clean(filters.get("q", "")).split()[:_MOST_WORDS]


def typed_code(filters: Mapping[str, str], name: str) -> str:
    """A code as codes are kept, also where it was typed in Thai digits; empty where none was asked for."""
    return clean(filters.get(name, "")).translate(ARABIC_DIGITS)


def spellings(word: str) -> list[str]:
    """A word with its digits as typed, in Arabic and in Thai: texts keep them as printed."""
    return sorted({word, word.translate(ARABIC_DIGITS), word.translate(_THAI_DIGITS)})


def _holding(columns: Collection[str], word: str) -> tuple[str, ...]:
    """The condition that one of these columns holds a word, and its values. columns: names of ours"""
    patterns = [f"%{_escaped(spelling)}%" for spelling in spellings(word)]
    each = [f"{column} LIKE ? ESCAPE '\\'" for column in columns for _ in patterns]
    return f"({' OR '.join(each)})", *(patterns * len(columns))


def _is_common(index: Index, word: str) -> bool:
    """Whether more changes hold a word than a page looks at."""
    query = "SELECT count(*) AS number FROM (SELECT 1 FROM change_words WHERE change_words MATCH ? LIMIT ?)"
    found: int = index.known_rows(query, _match(index, "change_words", word), _MOST_FOUND + 1)[0]["number"]
    return found > _MOST_FOUND


def _matching(index: Index, filters: Mapping[str, str], most: int = _MOST_FOUND) -> _Where:
    """The conditions of a search but for its facets. most: changes with a word that are looked at"""
    where = _Where()
    for word in words_of(filters):
        if len(word) >= _SHORTEST:
            matches = (_match(index, table, word) for table in ("words", "change_words"))
            where.add(
                "code IN (SELECT value FROM json_each(?))", index.known_rows(_HOLDING, *matches, most)[0]["codes"]
            )
        else:
            where.add(*_holding(("code", "name", "agency_name"), word))
    if kind := filters.get("kind"):
        where.add("kind = ?", kind)
    return where


def _narrowing(filters: Mapping[str, str]) -> dict[str, tuple[str, tuple[Any, ...]]]:
    """The facets that a search is narrowed by, each with its condition and values."""
    chosen: dict[str, tuple[str, tuple[Any, ...]]] = {}
    if agency := filters.get("agency"):
        chosen["agency"] = ("agency_code = ?", (agency,))
    if (year := filters.get("year", "")).isdecimal() and len(year) <= _LONGEST_YEAR:
        chosen["year"] = ("fiscal_year_be = ?", (int(year),))
    return chosen | {name: (condition, ()) for name, condition in FACETS.items() if filters.get(name)}


def facets(index: Index, filters: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
    """What a search can be narrowed to, with how many records that leaves; agency, year, and each name of FACETS."""
    where = _matching(index, filters)
    yes_no = ", ".join(f"coalesce({condition}, 0) AS {name}" for name, condition in FACETS.items())
    # the numbers of all facets, whichever are chosen, follow from how many records each combination has
    query = (
        f"SELECT agency_code AS agency, fiscal_year_be AS year, {yes_no}, max(agency_name) AS label, count(*) AS number "  # noqa: S608 - names of ours
        f"FROM records WHERE {where} GROUP BY 1, 2, {', '.join(FACETS)}"
    )
    groups = index.known_rows(query, *where.values)
    chosen = {name: next(iter(values), 1) for name, (_, values) in _narrowing(filters).items()}
    found: dict[str, list[dict[str, Any]]] = {}
    for name in ("agency", "year", *FACETS):
        others = [(key, value) for key, value in chosen.items() if key != name]
        lines: dict[Any, dict[str, Any]] = {}
        for group in groups:
            if group[name] and all(group[key] == value for key, value in others):
                line = lines.setdefault(group[name], {"value": group[name], "label": None, "number": 0})
                line["number"] += group["number"]
                line["label"] = max(filter(None, (line["label"], group["label"])), default=None)
        found[name] = [lines[value] for value in sorted(lines)]
    return found


def record(index: Index, code: str) -> dict[str, Any] | None:
    """One project or indicator, as its last state was."""
    return next(iter(index.known_rows("SELECT * FROM records WHERE code = ?", code)), None)


def names(index: Index, codes: Collection[str]) -> dict[str, str]:
    """The names of records, by code."""
    chosen = sorted(codes)
    query = f"SELECT code, name FROM records WHERE code IN ({', '.join('?' * len(chosen))})"  # noqa: S608 - marks alone
    return {row["code"]: row["name"] for row in index.known_rows(query, *chosen)}


def supporting(index: Index, kpi_code: str) -> list[dict[str, Any]]:
    """The projects that support an indicator."""
    return index.known_rows(
        "SELECT code, name FROM records WHERE code IN (SELECT project_code FROM supports WHERE kpi_code = ?) ORDER BY code",
        kpi_code,
    )


def pages_around(index: Index, change: Mapping[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The looks whose stored pages show a record as it was published before a change, and with it; None where none does.

    A night that was held back counts for the published one after it, unless it was answered without the record.
    """
    night = change["harvest_id"]
    rows = index.known_rows(
        "SELECT *, harvest_id <= (SELECT max(harvest_id) FROM nights WHERE published AND harvest_id < ?) AS is_before "
        "FROM looks WHERE code = ? AND harvest_id <= ? AND page_sha256 IS NOT NULL "
        "ORDER BY harvest_id DESC, kind",  # of a project's two pages the one of the first kind has the first word
        *(night, _shown_on(change), night),
    )
    shown = [row for row in rows if row["outcome"] in ("new", "changed")]
    proof = [row for row in rows if row not in shown] if change["meaning"] == "project_gone" else shown
    after = next((row for row in proof if not row["is_before"]), next(iter(proof), None))
    of_page = [row for row in shown if row["is_before"] and after and row["page_key"] == after["page_key"]]
    return next(iter(of_page), None), after


def _shown_on(change: Mapping[str, Any]) -> str | None:
    """The record whose pages show a change, or the key of the page itself where that shows no project or indicator."""
    key = row_of_text(change["key"])
    if "indicator_no" in key:
        return f"city_indicator/{key['indicator_no']}"
    if "list_name" in key:
        return f"result_list/{key['list_name']}/{key['agency_code']}"
    code: str | None = change["project_code"] or change["kpi_code"]
    return code


def looks(index: Index, code: str) -> list[dict[str, Any]]:
    """The looks at a record's pages that brought something new, newest first, each with its night's changes."""
    rows = index.known_rows(
        "SELECT looks.*, held_back FROM looks JOIN nights USING (harvest_id) WHERE code = ? ORDER BY harvest_id DESC, page_key",
        code,
    )
    if not rows:
        return []
    by_night: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(changes_of(index, code), key=change_order):
        by_night.setdefault(row["harvest_id"], []).append(row)
    shown = [{**row, "changes": by_night.pop(row["harvest_id"], [])} for row in rows]
    nothing = dict.fromkeys(rows[0])
    shown += [{**nothing, "harvest_id": night, "changes": changed} for night, changed in by_night.items()]
    return sorted(shown, key=lambda row: row["harvest_id"], reverse=True)


def changes_of(index: Index, code: str) -> list[dict[str, Any]]:
    """The changes of one record, newest night first."""
    return index.known_rows(
        "SELECT * FROM changes WHERE own = 1 AND project_code = ? UNION ALL "
        "SELECT * FROM changes WHERE own = 1 AND project_code IS NULL AND kpi_code = ? "
        "ORDER BY harvest_id DESC, change_no",
        *(code, code),
    )


def change_order(row: Mapping[str, Any]) -> tuple[int, int, int]:
    """Sort key of changes: the most severe first."""
    severities, meanings = list(SEVERITIES), list(MEANINGS)
    meaning = meanings.index(row["meaning"]) if row["meaning"] in MEANINGS else len(meanings)
    return severities.index(row["severity"]), meaning, row["change_no"] or 0


def flags(index: Index, filters: Mapping[str, str], page: int | None) -> Rows:
    """Red flags, the most severe first; filters: rule, severity, agency, code. page: None for all of them"""
    where = _Where()
    for name in ("rule", "severity"):
        if filters.get(name):
            where.add(f"{name} = ?", filters[name])
    if code := typed_code(filters, "code"):
        where.add("project_code = ?", code)
    if agency := typed_code(filters, "agency"):
        where.add("project_code LIKE ? ESCAPE '\\'", f"{_escaped(agency)}%")
    order = "CASE severity WHEN 'critical' THEN 0 WHEN 'major' THEN 1 ELSE 2 END, rule, project_code, flag_no"
    return _page(index, "flags", where, order, page)


def agencies(index: Index, code: str | None = None) -> list[dict[str, Any]]:
    """The league table: one row an agency with projects, most rewrites per 100 projects first. code: only this one"""
    return index.known_rows(
        "SELECT r.agency_code, coalesce(max(a.name_th), max(r.agency_name)) AS name_th, max(a.name_en) AS name_en, "
        "count(*) AS projects, sum(r.rewritten > 0) AS rewritten, round(100.0 * sum(r.rewritten) / count(*), 1) AS trend, "
        "sum(r.silent_days > ? AND r.progress < 100) AS silent, sum(r.variance <= ?) AS behind, sum(r.flags) AS flags "
        "FROM records r LEFT JOIN agencies a USING (agency_code) WHERE r.kind = 'project' AND r.ended = 0 "
        "AND (? IS NULL OR r.agency_code = ?) GROUP BY r.agency_code ORDER BY trend DESC, flags DESC, r.agency_code",
        *(SILENT_DAYS, BEHIND_POINTS, code, code),
    )


def agency(index: Index, code: str) -> dict[str, Any] | None:
    """One agency with its line of the league table, where it has projects; None for an unknown code."""
    line = next(iter(agencies(index, code)), None)
    return line or index.row("SELECT * FROM agencies WHERE agency_code = ?", code)


def stored_page(index: Index, sha256: str) -> dict[str, Any] | None:
    """Where the bytes with this hash are, and of which record they are."""
    return index.row(
        "SELECT b.*, (SELECT code FROM looks l WHERE l.page_key = b.page_key AND code != page_key LIMIT 1) AS code, "
        "(SELECT kind FROM looks l WHERE l.page_key = b.page_key LIMIT 1) AS kind FROM bodies b WHERE page_sha256 = ?",
        sha256.lower(),
    )


def _page(index: Index, table: str, where: _Where, order: str, page: int | None) -> Rows:
    """One page of a list, or all of it. table, order: constants of this module"""
    number = index.known_rows(f"SELECT count(*) AS number FROM {table} WHERE {where}", *where.values)[0]["number"]  # noqa: S608 - names of ours
    rows = index.rows(
        f"SELECT * FROM {table} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608 - names of ours
        *where.values,
        _NO_LIMIT if page is None else PER_PAGE,
        (page - 1) * PER_PAGE if page else 0,
    )
    return Rows(rows, number, page, PER_PAGE, schema=index.schema(table))


def _match(index: Index, table: str, word: str) -> str:
    """A full-text query for a word. table: of the texts that are asked"""
    terms = spellings(word)
    if len(word) < _TRIGRAM:
        query = f"SELECT term FROM {table}_terms WHERE term >= ? AND term < ?"  # noqa: S608 - a name of ours
        begins = [one.lower() for one in terms]
        found = [row["term"] for one in begins for row in index.known_rows(query, one, f"{one}{_LAST_LETTER}")]
        terms = found or terms
    return " OR ".join('"' + term.replace('"', '""') + '"' for term in terms)


def _escaped(text: str) -> str:
    """A text as a part of a LIKE pattern."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
