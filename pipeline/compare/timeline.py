"""The history of one project or indicator: each version that the portal showed, when, and its changes."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import pyarrow.compute as pc

from parsers.thai import BANGKOK
from pipeline.compare.changes import SCHEMA
from pipeline.compare.classify import DETAILS, MEANINGS, meaning_order
from pipeline.compare.diff import withhold_contacts
from pipeline.compare.text_diff import excerpt
from pipeline.plain_text import printable
from pipeline.schema.codes import PROJECT_CODE
from pipeline.schema.row_text import row_of_text
from pipeline.store.archive import Archive
from pipeline.store.layout import harvest_day
from pipeline.store.looks import runs_of_looks
from pipeline.store.parquet_files import read_as
from pipeline.terminal import one_line

_LONGEST: Final = 160  # columns of a value, or of changed words, on one line
OUTCOMES: Final = {
    "new": "first seen",
    "changed": "changed",
    "unchanged": "confirmed",
    "not_found": "not found",
    "blank": "shown without a record",
    "blocked": "blocked by a firewall or login page",
    "failed": "not read",
}


@dataclass
class Entry:
    """One outcome of one page, in one harvest or in several consecutive ones.

    outcome: as in the table `pages`; nights: how many harvests; changes: rows of `pipeline.compare.changes.SCHEMA`, most
    severe first
    """

    kind: str
    outcome: str
    harvest_id: str
    last_harvest_id: str
    fetched_at: datetime | None
    page_sha256: str | None
    published: bool
    ended: bool
    nights: int = 1
    error: str | None = None
    changes: list[dict[str, Any]] = field(default_factory=list)


def timeline(store: Archive, code: str, *, contacts: bool = True) -> list[Entry]:
    """The entries of one code, oldest first. Raises StoreError for an unknown code.

    contacts: false withholds contact lines: that one changed is reported, not its text
    """
    entries: list[Entry] = []
    newest: dict[str, Entry] = {}
    for run in runs_of_looks(store, code):
        look, published = run.first, run.published
        id_, ended, page = look["harvest_id"], look["ended_at"] is not None, look["page_key"]
        last = newest.get(page)
        same = last is not None and (last.outcome, last.published, last.ended) == (look["outcome"], published, ended)
        if last is not None and same and look["outcome"] not in ("new", "changed"):
            last.nights, last.last_harvest_id = last.nights + run.nights, run.last_harvest_id
            continue
        entry = Entry(
            *(look["kind"], look["outcome"], id_, run.last_harvest_id, look["fetched_at"], look["page_sha256"]),
            *(published, ended, run.nights, look["error"]),
        )
        newest[page] = entry
        entries.append(entry)
    column = "project_code" if PROJECT_CODE.fullmatch(code) else "kpi_code"
    with_changes: set[str] = set()
    for entry in entries:
        if entry.harvest_id not in with_changes:  # a project has two pages: its changes are listed with the first
            entry.changes = _changes(store, entry.harvest_id, column, code, contacts=contacts)
            with_changes.update({entry.harvest_id} if entry.changes else ())
    return entries


def _changes(store: Archive, harvest_id: str, column: str, code: str, *, contacts: bool) -> list[dict[str, Any]]:
    chosen = pc.field(column) == code
    if column == "kpi_code":  # the changes of the indicator's own page, not of projects that list it
        chosen &= pc.field("project_code").is_null()
    rows = read_as(store.file(harvest_id, "changes"), SCHEMA, chosen)
    rows = rows if contacts else withhold_contacts(rows)
    own = pc.invert(pc.fill_null(pc.equal(rows["detail"], "part_of_record"), False))
    return sorted(rows.filter(own).to_pylist(), key=meaning_order)


def timeline_text(store: Archive, code: str, *, contacts: bool = True) -> str:
    """The timeline for a terminal."""
    entries = timeline(store, code, contacts=contacts)
    harvests = len(store.harvest_ids())
    listed = {entry.harvest_id for entry in entries if entry.changes}
    lines = [f"{code} in {harvests:,} harvest{'s' * (harvests != 1)} of {store.portal}"]
    for entry in entries:
        outcome = OUTCOMES.get(entry.outcome, entry.outcome)
        until = f" in {entry.nights:,} harvests until {harvest_day(entry.last_harvest_id)}" if entry.nights > 1 else ""
        notes = [
            "" if entry.kind in ("project", "kpi") else f"page kind {entry.kind}",
            "the record ended" if entry.ended else "",
            "" if entry.published else "this harvest was held back",
            printable(entry.error or ""),
        ]
        note = "; ".join(filter(None, notes))
        at = (
            f"{entry.fetched_at.astimezone(BANGKOK):%Y-%m-%d %H:%M}"
            if entry.fetched_at
            else str(harvest_day(entry.harvest_id))
        )
        lines += ["", f"{at}  {outcome}{until}{f' ({note})' if note else ''}"]
        if entry.page_sha256 and entry.outcome in ("new", "changed"):
            lines.append(f"    harvest {entry.harvest_id}, page {entry.page_sha256}")
        for change in entry.changes:
            lines += [f"    {line}" for line in _change_lines(change)]
        if entry.outcome == "changed" and entry.harvest_id not in listed:
            lines.append(f"    {_why_nothing_is_listed(store, entry.harvest_id)}")
    return "\n".join(lines) + "\n"


def _why_nothing_is_listed(store: Archive, harvest_id: str) -> str:
    """Why a page counts as changed in a harvest that has no change of its record."""
    ids = store.harvest_ids()
    this, before = (store.manifest(id_) for id_ in (harvest_id, ids[max(0, ids.index(harvest_id) - 1)]))
    if not before["published"]:
        return "no difference to the last published harvest: only the one held back before it said otherwise"
    if this["parser_version"] != before["parser_version"]:
        return "no difference in what both versions of the parser read"
    return "only printed numbers or the order of rows changed, nothing of what they say"


def timeline_json(store: Archive, code: str, *, contacts: bool = True) -> str:
    """The timeline for programs: one JSON array of entries."""
    rows = []
    for entry in timeline(store, code, contacts=contacts):
        row = {**vars(entry), "fetched_at": entry.fetched_at.isoformat() if entry.fetched_at else None}
        row["changes"] = [{**change, "key": row_of_text(change["key"])} for change in entry.changes]
        rows.append(row)
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"


def _change_lines(change: dict[str, Any]) -> list[str]:
    place = "/".join(str(part) for part in list(row_of_text(change["key"]).values())[1:])
    what = " ".join(part for part in (change["table"], place, change["column"] or "") if part)
    meaning = change["meaning"]
    rule = DETAILS.get(change["detail"] or "", "") or MEANINGS.get(meaning, "")
    by_parser = " (our parser's reading, not the portal)" if change["cause"] == "parser" else ""
    lines = [f"{meaning}: {what}: {rule}{by_parser}"]
    if change["column"]:
        lines.append(f"    {excerpt(change, _LONGEST)}")
    elif change["before"] or change["after"]:
        lines.append(f"    {one_line(change['after'] or change['before'], _LONGEST)}")
    return lines
