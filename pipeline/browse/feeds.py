"""Changes as Atom and as JSON Feed."""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlencode
from xml.sax.saxutils import escape, quoteattr

from pipeline.browse.texts import Words
from pipeline.plain_text import printable


def title_of(row: dict[str, Any], words: Words) -> str:
    """One change in one line."""
    what = " ".join(part for part in (row["table"], row["column"]) if part)
    code = row["project_code"] or row["kpi_code"] or row["agency_code"] or ""
    return printable(f"{words.meaning(row['meaning'])}: {code} {what}")


def _text_of(row: dict[str, Any], words: Words) -> str:
    before, after = (row[side] if row[side] is not None else words("nothing") for side in ("before", "after"))
    return printable(f"{words.detail(row['detail'])}\n{before} → {after}".strip())


class Feed(NamedTuple):
    """What a feed says of itself, and where its changes are.

    portal: whose changes they are; name: what names the feed for ever; here, home, following: addresses of the feed, of
        the list as a page, of the next rows where there are more; updated: the newest night's instant; address: the page
        of a change
    """

    portal: str
    name: str
    here: str
    home: str
    following: str | None
    updated: str
    address: Callable[[dict[str, Any]], str]


def change_path(row: Mapping[str, Any]) -> str:
    """The path of one change."""
    return f"/changes/{row['harvest_id']}/{row['change_no']}"


def change_name(portal: str, row: Mapping[str, Any]) -> str:
    """What names one change of a portal for ever, wherever its page lies."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{portal}{change_path(row)}").urn


def feed_name(portal: str, words: Words, filters: Mapping[str, str] = MappingProxyType({})) -> str:
    """What names the feed of a portal's changes, or of some of them, wherever it lies."""
    query = urlencode({"lang": words.lang, **filters})
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{portal}/changes.atom?{query}").urn


def atom(rows: Iterable[dict[str, Any]], feed: Feed, words: Words) -> bytes:
    """An Atom feed."""
    entries = [
        f"<entry><id>{change_name(feed.portal, row)}</id><title>{escape(title_of(row, words))}</title>"
        f"<updated>{row['day']}T00:00:00+07:00</updated><link href={quoteattr(feed.address(row))}/>"
        f'<content type="text">{escape(_text_of(row, words))}</content></entry>'
        for row in rows
    ]
    following = f'<link rel="next" href={quoteattr(feed.following)}/>' if feed.following else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<feed xmlns="http://www.w3.org/2005/Atom"><id>{escape(feed.name)}</id><title>{escape(words("changes"))}</title>'
        f"<updated>{feed.updated}</updated><author><name>bma-progress</name></author>"
        f'<link rel="self" href={quoteattr(feed.here)}/><link href={quoteattr(feed.home)}/>'
        f"{following}{''.join(entries)}</feed>\n"
    ).encode()


def json_feed(rows: Iterable[dict[str, Any]], feed: Feed, words: Words) -> bytes:
    """A JSON Feed 1.1."""
    items = [
        {
            "id": change_name(feed.portal, row),
            "url": feed.address(row),
            "title": title_of(row, words),
            "content_text": _text_of(row, words),
            "date_published": f"{row['day']}T00:00:00+07:00",
            "tags": [row["meaning"], *([row["detail"]] if row["detail"] else [])],
            "_change": row,
        }
        for row in rows
    ]
    document: dict[str, Any] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": words("changes"),
        "home_page_url": feed.home,
        "feed_url": feed.here,
        "items": items,
    }
    if feed.following:
        document["next_url"] = feed.following
    return json.dumps(document, ensure_ascii=False).encode()
