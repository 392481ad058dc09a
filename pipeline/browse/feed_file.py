"""The newest changes as an Atom feed in a file, `latest/changes.atom`, so that a served or copied folder has one."""

from typing import Final

import pyarrow.compute as pc

from pipeline.browse.feeds import Feed, atom, feed_name
from pipeline.browse.texts import Words
from pipeline.schema.columns import arrow_schema
from pipeline.store.archive import Archive
from pipeline.store.layout import harvest_day, harvest_start
from pipeline.store.parquet_files import read_as
from pipeline.store.snapshots import add_to_snapshot

FEED_FILE: Final = "changes.atom"
_NIGHTS: Final = 7
_ENTRIES: Final = 500


def write_feed(store: Archive, harvest_id: str) -> None:
    """Write the feed of a published harvest and the nights before it beside its tables, without contact lines."""
    nights = [id_ for id_ in store.harvest_ids() if id_ <= harvest_id][-_NIGHTS:]
    recent = (pc.field("harvest_id") >= nights[0]) & (pc.field("table") != "contacts")
    changes = read_as(store.snapshot_file("changes", harvest_id), arrow_schema("changes"), recent)
    rows = sorted(changes.to_pylist(), key=lambda row: row["harvest_id"], reverse=True)
    entries = [{**row, "day": harvest_day(row["harvest_id"]).isoformat()} for row in rows[:_ENTRIES]]
    began = harvest_start(harvest_id).isoformat()
    words, portal = Words("th"), store.portal
    feed = Feed(portal, feed_name(portal, words), FEED_FILE, portal, None, began, lambda row: portal)
    add_to_snapshot(store, harvest_id, FEED_FILE, atom(entries, feed, words))
