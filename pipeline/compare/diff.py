"""Two sides compared: their differences, how complete each side is, and what could not be compared."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.compare.changes import SCHEMA
from pipeline.compare.classify import WHOLE_RECORD
from pipeline.compare.compare import compare
from pipeline.compare.formats import render
from pipeline.compare.inputs import FolderSnapshot, ParquetRows, Snapshot, StoreSnapshot, number_of_rows
from pipeline.compare.state_pair import Rows
from pipeline.compare.states import compare_states
from pipeline.schema.columns import RECORD_TABLES, TABLES
from pipeline.store.archive import Archive

__all__ = ["Comparison", "Uncompared", "compare_snapshots", "folders_differ", "render", "states_differ"]

_NOT_CONFIRMED: Final = {
    "failed": "the page could not be fetched or read that night: the last good version stands in for it",
    "blocked": "a firewall or maintenance page came instead: the last good version stands in for it",
    "skipped": "the page was not asked for that night: the last good version stands in for it",
    "not_found": "the portal said not found, for the first time: the last good version stands until it says so again",
    "blank": "the portal showed a page without a record, for the first time: the last good version stands until then",
}
"""Why a record of a side is older than its night, by the page's outcome."""


class Uncompared(NamedTuple):
    """Something that could not be compared as it should be.

    side: `A`, `B` or `both`; what: a table, a column or kind of page; number: of rows or pages; examples: codes
    """

    side: str
    what: str
    why: str
    number: int
    examples: tuple[str, ...] = ()


@dataclass
class Comparison:
    """Two sides and all that was found; `changes` is a table of `pipeline.compare.changes.SCHEMA`."""

    before: Snapshot
    after: Snapshot
    changes: pa.Table
    uncompared: list[Uncompared] = field(default_factory=list)


def compare_snapshots(before: Snapshot, after: Snapshot, *, contacts: bool = True) -> Comparison:
    """Compare two sides.

    contacts: false where contact lines are withheld: that one changed is told, not what it says
    """
    comparison = Comparison(before, after, SCHEMA.empty_table())
    same_store = isinstance(before, StoreSnapshot) and isinstance(after, StoreSnapshot) and _same_store(before, after)
    if same_store and before.harvest_id == after.harvest_id:
        pass
    elif isinstance(before, StoreSnapshot) and isinstance(after, StoreSnapshot) and same_store:
        gone = before.state.ended_codes()
        comparison.changes = compare_states(before.state, after.state, gone_before=gone)
    else:
        old, new = _comparable(comparison)
        comparison.changes = compare(old, new, seen_on=before.day)
        comparison.uncompared += _other_parsers(before, after)
        _drop_unread(comparison)
    for name, side in (("A", before), ("B", after)):
        comparison.uncompared += _not_confirmed(name, side)
    if not contacts:
        comparison.changes = withhold_contacts(comparison.changes)
    return comparison


def states_differ(store: Archive, before: str, after: str) -> pa.Table:
    """What differs between two nights of a store; a table of `pipeline.compare.changes.SCHEMA`."""
    sides = (StoreSnapshot(store, store.resolve(when)) for when in (before, after))
    return compare_snapshots(*sides).changes


def folders_differ(before: Path, after: Path) -> pa.Table:
    """What differs between two folders of exported Parquet files. Raises StoreError where one holds none."""
    return compare_snapshots(FolderSnapshot(before), FolderSnapshot(after)).changes


def _same_store(before: StoreSnapshot, after: StoreSnapshot) -> bool:
    return before.store.root.resolve() == after.store.root.resolve()


def _comparable(comparison: Comparison) -> tuple[dict[str, Rows], dict[str, Rows]]:
    """The tables and columns that both sides have; what only one has is noted, not taken for a change."""
    sides = {"A": comparison.before, "B": comparison.after}
    old, new = dict(comparison.before.tables), dict(comparison.after.tables)
    for table in RECORD_TABLES:
        for name, here, there in (("A", old, new), ("B", new, old)):
            if table not in here and table in there:
                why = f"side {name} has no file of this table"
                comparison.uncompared.append(Uncompared(name, table, why, number_of_rows(there[table])))
                del there[table]
    columns = {name: side.lacks for name, side in sides.items()}  # known only now that the tables were read
    for name, lacks in columns.items():
        for table, missing in lacks.items():
            if table in old and table in new:
                why = f"side {name} was written without this column"
                comparison.uncompared += [
                    Uncompared(name, f"{table}.{column}", why, number_of_rows(new[table])) for column in missing
                ]
                old[table], new[table] = (_Blanked(one[table], missing) for one in (old, new))
    if "contacts" in old and "contacts" in new:
        withheld = [_withheld(tables) for tables in (old, new)]
        if withheld[0] != withheld[1]:
            name, there = ("A", new) if withheld[0] else ("B", old)
            why = f"side {name} was published without contact lines"
            comparison.uncompared.append(Uncompared(name, "contacts", why, number_of_rows(there["contacts"])))
            del old["contacts"], new["contacts"]
    for table, rows in old.items():
        other = new.get(table)
        if isinstance(rows, ParquetRows) and isinstance(other, ParquetRows) and rows.has_bytes_of(other):
            new[table] = rows
    return old, new


class _Blanked:
    """Rows without some columns, which read as nulls."""

    def __init__(self, rows: Rows, columns: tuple[str, ...]) -> None:
        self._rows, self._columns = rows, columns

    def select(self, names: list[str], /) -> pa.Table:
        table = self._rows.select(names)
        for place, name in enumerate(names):
            if name in self._columns:
                kind = table.schema.field(place).type
                table = table.set_column(place, pa.field(name, kind), pa.nulls(len(table), kind))
        return table


def _withheld(tables: Mapping[str, Rows]) -> bool:
    return not number_of_rows(tables["contacts"]) and "projects" in tables and number_of_rows(tables["projects"]) > 0


def withhold_contacts(changes: pa.Table) -> pa.Table:
    """The same differences without what contact lines say."""
    personal = pc.equal(changes["table"], "contacts")
    for name in ("before", "after"):
        hidden = pc.and_(personal, pc.is_valid(changes[name]))
        place = changes.schema.get_field_index(name)
        changes = changes.set_column(place, name, pc.if_else(hidden, "(withheld)", changes[name]))
    return changes


def _not_confirmed(name: str, side: Snapshot) -> list[Uncompared]:
    """Records of a side that its night did not see, or saw only in part."""
    found = []
    if side.held_back:
        found.append(Uncompared(name, "the whole night", f"it was held back and never published: {side.held_back}", 1))
    if side.pages is None:
        why = "there is no table of pages, so nobody can tell which records that night confirmed"
        return [*found, Uncompared(name, "pages", why, 1)]
    pages = side.pages.select(["page_key", "outcome", "version_verdict", "version_harvest_id", "ended_at"])
    reasons: dict[tuple[str, str], list[str]] = {}
    for page in pages.to_pylist():
        kind, _, code = page["page_key"].partition("/")
        if page["ended_at"] is not None:
            continue
        if page["version_harvest_id"] is None:
            if page["outcome"] in ("not_found", "blank"):
                continue  # an address that was tried, and behind which nothing ever was
            why = f"the page is known and was never read (that night: {page['outcome'].replace('_', ' ')})"
        elif page["outcome"] in _NOT_CONFIRMED:
            why = _NOT_CONFIRMED[page["outcome"]]
        elif page["version_verdict"] == "suspect":
            why = "the page lacked parts or contradicted itself: what it showed was taken"
        else:
            continue
        reasons.setdefault((kind, why), []).append(code)
    return found + [
        Uncompared(name, kind, why, len(codes), tuple(sorted(codes)[:_EXAMPLES]))
        for (kind, why), codes in sorted(reasons.items())
    ]


_EXAMPLES: Final = 200


def _drop_unread(comparison: Comparison) -> None:
    """Of two stores or folders, a record whose page one side never managed to read is not gone from there.

    One that a side never looked at, as nothing there linked to it, is told as gone, and noted.
    """
    changes = comparison.changes
    for name, side, change in (("A", comparison.before, "added"), ("B", comparison.after, "removed")):
        if side.pages is None:
            continue
        known, unread = _known_and_unread(side.pages)
        rows = changes.select(["key", "project_code", "kpi_code", "change", "column", "meaning"]).to_pylist()
        pages = [_page_of(row) if row["change"] == change and not row["column"] else "" for row in rows]
        changes = changes.filter(pa.array([page not in unread for page in pages], pa.bool_()))
        whole = {page for page, row in zip(pages, rows, strict=True) if page and row["meaning"] in WHOLE_RECORD}
        for codes, why in (
            (set(pages) & unread, "never managed to read these records, which the other side has"),
            (
                whole - known,
                "never looked at these records, as nothing there linked to them: they are told as not there",
            ),
        ):
            if codes:
                examples = tuple(sorted(codes)[:_EXAMPLES])
                comparison.uncompared.append(Uncompared(name, "records", f"side {name} {why}", len(codes), examples))
    comparison.changes = changes


def _known_and_unread(pages: pa.Table) -> tuple[set[str], set[str]]:
    """Codes, or list and agency, of the pages a side knows; and of those it never read nor was told are not there."""
    read, tried, known = set(), set(), set()
    columns = ("page_key", "outcome", "version_harvest_id")
    for key, outcome, version in zip(*(pages[column].to_pylist() for column in columns), strict=True):
        _, _, page = key.partition("/")
        known.add(page)
        if version is not None:
            read.add(page)
        elif outcome in ("failed", "blocked", "skipped"):
            tried.add(page)
    return known, tried - read


def _page_of(row: Mapping[str, Any]) -> str:
    """The end of the key of the page that a difference comes from: a code, or list and agency."""
    if code := row["project_code"] or row["kpi_code"]:
        return str(code)
    key = json.loads(row["key"])
    return f"{key['list_name']}/{key['agency_code']}"


def _other_parsers(before: Snapshot, after: Snapshot) -> list[Uncompared]:
    """A note where the sides were read by different versions of the parser: a difference may then be its own."""
    if before.pages is None or after.pages is None:
        return []
    versions = [
        sorted(version for version in pc.unique(side.pages["parser_version"]).to_pylist() if version)
        for side in (before, after)
        if side.pages is not None
    ]
    if versions[0] == versions[1]:
        return []
    told = " and ".join(
        f"side {name} by {', '.join(read) or 'none'}" for name, read in zip("AB", versions, strict=True)
    )
    why = f"the pages were read by different versions of the parser ({told}): a difference may be the parser's"
    return [Uncompared("both", "parser", why, 1)]


def coverage(side: Snapshot) -> dict[str, int]:
    """How many pages had which outcome on a side's night; empty where its table of pages is not there."""
    return dict(Counter(side.pages["outcome"].to_pylist()).most_common()) if side.pages is not None else {}


def rows_by_table(side: Snapshot) -> dict[str, int]:
    """How many rows each table of a side has."""
    return {name: number_of_rows(side.tables[name]) for name in TABLES if name in side.tables}
