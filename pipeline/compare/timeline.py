"""The life of one project or indicator: each version the portal showed, from when to when, and what changed with it."""

import json
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import pandas as pd
import pyarrow.compute as pc
import pyarrow.dataset as ds

from pipeline.compare.changes import SCHEMA
from pipeline.compare.classify import DETAILS, MEANINGS
from pipeline.compare.diff import withhold_contacts
from pipeline.compare.formats import by_severity, is_text, plain
from pipeline.compare.text_diff import changed_words
from pipeline.schema.codes import PROJECT_CODE
from pipeline.store.archive import Archive
from pipeline.store.layout import BANGKOK, harvest_day
from pipeline.store.parquet import read_as

_LONGEST: Final = 160  # letters of a value or of changed words in one line of text
_WORDS: Final = {
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
    """Looks at one page that came to the same, on one night or several running.

    outcome: as in the table `pages`; nights: how many; changes: rows of `pipeline.compare.changes.SCHEMA`, gravest first
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

    contacts: false where contact lines are withheld: that one changed is told, not what it says
    """
    looks = store.history(code)
    entries: list[Entry] = []
    newest: dict[str, Entry] = {}
    for look in looks.to_dict("records"):
        id_, published = look["harvest_id"], bool(store.manifest(look["harvest_id"])["published"])
        ended, page = not pd.isna(look["ended_at"]), look["page_key"]
        last = newest.get(page)
        sha256 = look["page_sha256"] if isinstance(look["page_sha256"], str) else None
        same = last is not None and (last.outcome, last.published, last.ended) == (look["outcome"], published, ended)
        if last is not None and same and look["outcome"] not in ("new", "changed"):
            last.nights, last.last_harvest_id = last.nights + 1, id_
            continue
        fetched_at = None if pd.isna(look["fetched_at"]) else look["fetched_at"].to_pydatetime()
        error = look["error"] if isinstance(look["error"], str) else None
        entry = Entry(look["kind"], look["outcome"], id_, id_, fetched_at, sha256, published, ended, error=error)
        newest[page] = entry
        entries.append(entry)
    column = "project_code" if PROJECT_CODE.fullmatch(code) else "kpi_code"
    told: set[str] = set()
    for entry in entries:
        if entry.harvest_id not in told:  # of a project's two pages the first carries the night's changes
            entry.changes = _changes(store, entry.harvest_id, column, code, contacts=contacts)
            told.update({entry.harvest_id} if entry.changes else ())
    return entries


def _changes(store: Archive, harvest_id: str, column: str, code: str, *, contacts: bool) -> list[dict[str, Any]]:
    file = store.harvest_folder(harvest_id) / "changes.parquet"
    chosen = ds.field(column) == code
    if column == "kpi_code":  # the indicator's own page, not the projects that name it
        chosen &= ds.field("project_code").is_null()
    rows = read_as(file, SCHEMA, chosen)
    rows = rows if contacts else withhold_contacts(rows)
    own = pc.invert(pc.fill_null(pc.equal(rows["detail"], "part_of_record"), False))
    return sorted(rows.filter(own).to_pylist(), key=by_severity)


def timeline_text(store: Archive, code: str, *, contacts: bool = True) -> str:
    """The timeline for a terminal."""
    entries = timeline(store, code, contacts=contacts)
    nights = len(store.harvest_ids())
    lines = [f"{code} in {nights:,} {'night' if nights == 1 else 'nights'} of {store.portal}"]
    for entry in entries:
        words = _WORDS.get(entry.outcome, entry.outcome)
        until = f" on {entry.nights:,} nights until {_day(entry.last_harvest_id)}" if entry.nights > 1 else ""
        notes = [
            "" if entry.kind in ("project", "kpi") else f"page kind {entry.kind}",
            "the record ended" if entry.ended else "",
            "" if entry.published else "this night was held back",
            plain(entry.error or ""),
        ]
        told = "; ".join(note for note in notes if note)
        at = (
            f"{entry.fetched_at.astimezone(BANGKOK):%Y-%m-%d %H:%M}"
            if entry.fetched_at
            else str(_day(entry.harvest_id))
        )
        lines += ["", f"{at}  {words}{until}{f' ({told})' if told else ''}"]
        if entry.page_sha256 and entry.outcome in ("new", "changed"):
            lines.append(f"    harvest {entry.harvest_id}, page {entry.page_sha256}")
        for change in entry.changes:
            lines += [f"    {line}" for line in _change_lines(change)]
    return "\n".join(lines) + "\n"


def timeline_json(store: Archive, code: str, *, contacts: bool = True) -> str:
    """The timeline for programs: one JSON array of entries."""
    rows = []
    for entry in timeline(store, code, contacts=contacts):
        row = {**vars(entry), "fetched_at": entry.fetched_at.isoformat() if entry.fetched_at else None}
        row["changes"] = [{**change, "key": json.loads(change["key"])} for change in entry.changes]
        rows.append(row)
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"


def _change_lines(change: dict[str, Any]) -> list[str]:
    place = "/".join(str(part) for part in list(json.loads(change["key"]).values())[1:])
    what = " ".join(part for part in (change["table"], place, change["column"] or "") if part)
    meaning = change["meaning"]
    told = DETAILS.get(change["detail"] or "", "") or MEANINGS.get(meaning, "")
    by_parser = " (our parser's reading, not the portal)" if change["cause"] == "parser" else ""
    lines = [f"{meaning}: {what}: {told}{by_parser}"]
    if is_text(change):
        pieces = changed_words(change["before"], change["after"])
        marks = {"removed": "[-{}-]", "added": "{{+{}+}}"}
        words = (marks[piece.operation].format(piece.text) for piece in pieces if piece.operation != "same")
        lines.append(f"    {_short(' '.join(words))}")
    elif change["column"]:
        lines.append(f"    {_short(change['before'])} → {_short(change['after'])}")
    elif change["before"] or change["after"]:
        lines.append(f"    {_short(change['after'] or change['before'])}")
    return lines


def _short(value: str | None) -> str:
    text = "(nothing)" if value is None else plain(" ".join(value.split()))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _day(harvest_id: str) -> date:
    return harvest_day(harvest_id)
