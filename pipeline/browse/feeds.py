"""Changes as Atom and as JSON Feed."""

import json
from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from pipeline.browse.texts import Words
from pipeline.publish.html_pages import plain_text


def title_of(row: dict[str, Any], words: Words) -> str:
    """One change in one line."""
    what = " ".join(part for part in (row["table"], row["column"]) if part)
    code = row["project_code"] or row["kpi_code"] or row["agency_code"] or ""
    return plain_text(f"{words.meaning(row['meaning'])}: {code} {what}")


def _text_of(row: dict[str, Any], words: Words) -> str:
    before, after = (row[side] if row[side] is not None else words("nothing") for side in ("before", "after"))
    return plain_text(f"{words.detail(row['detail'])}\n{before} → {after}".strip())


def atom(rows: Iterable[dict[str, Any]], base: str, query: str, updated: str, words: Words) -> bytes:
    """An Atom feed. base: the address of the site; query: the filters of the list; updated: the newest night's instant"""
    here = f"{base}/changes.atom{query}"
    entries = [
        f"<entry><id>{escape(_address(base, row))}</id><title>{escape(title_of(row, words))}</title>"
        f"<updated>{row['day']}T00:00:00+07:00</updated><link href={quoteattr(_address(base, row))}/>"
        f'<content type="text">{escape(_text_of(row, words))}</content></entry>'
        for row in rows
    ]
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<feed xmlns="http://www.w3.org/2005/Atom"><id>{escape(here)}</id><title>{escape(words("changes"))}</title>'
        f"<updated>{updated}</updated><author><name>bma-progress</name></author>"
        f'<link rel="self" href={quoteattr(here)}/><link href={quoteattr(f"{base}/changes{query}")}/>'
        f"{''.join(entries)}</feed>\n"
    ).encode()


def json_feed(rows: Iterable[dict[str, Any]], base: str, query: str, next_url: str | None, words: Words) -> bytes:
    """A JSON Feed 1.1. next_url: the address of the next rows, where there are more"""
    items = [
        {
            "id": _address(base, row),
            "url": _address(base, row),
            "title": title_of(row, words),
            "content_text": _text_of(row, words),
            "date_published": f"{row['day']}T00:00:00+07:00",
            "tags": [row["meaning"], *([row["detail"]] if row["detail"] else [])],
            "_change": row,
        }
        for row in rows
    ]
    feed: dict[str, Any] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": words("changes"),
        "home_page_url": f"{base}/changes{query}",
        "feed_url": f"{base}/changes.json{query}",
        "items": items,
    }
    if next_url:
        feed["next_url"] = next_url
    return json.dumps(feed, ensure_ascii=False).encode()


def _address(base: str, row: dict[str, Any]) -> str:
    return f"{base}/changes/{row['harvest_id']}/{row['change_no']}"
