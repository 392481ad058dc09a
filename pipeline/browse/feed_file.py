"""The newest changes as an Atom feed in a file, `latest/changes.atom`, for whoever serves or syncs the folder."""

import uuid
from typing import Any, Final

import pyarrow.compute as pc

from pipeline.browse.feeds import Feed, atom, change_path
from pipeline.browse.texts import Words
from pipeline.store.archive import Archive
from pipeline.store.layout import harvest_day, harvest_start
from pipeline.store.snapshots import add_to_snapshot

FEED_FILE: Final = "changes.atom"
_NIGHTS: Final = 7
_ENTRIES: Final = 500


def write_feed(store: Archive, harvest_id: str) -> None:
    """Write the feed of a published harvest and the nights before it beside its tables, without contact lines."""
    nights = [id_ for id_ in store.harvest_ids() if id_ <= harvest_id][-_NIGHTS:]
    changes = store.arrow("changes", harvest_id)
    recent = pc.and_(pc.greater_equal(changes["harvest_id"], nights[0]), pc.not_equal(changes["table"], "contacts"))
    rows = sorted(changes.filter(recent).to_pylist(), key=lambda row: row["harvest_id"], reverse=True)

    def name(row: dict[str, Any]) -> str:
        return uuid.uuid5(uuid.NAMESPACE_URL, f"{store.portal}{change_path(row)}").urn

    entries = [{**row, "day": harvest_day(row["harvest_id"]).isoformat()} for row in rows[:_ENTRIES]]
    began = harvest_start(harvest_id).isoformat()
    feed = Feed(FEED_FILE, store.portal, None, began, lambda row: store.portal, name)
    add_to_snapshot(store, harvest_id, FEED_FILE, atom(entries, feed, Words("th")))
