"""The spool commits pages together, each within its interval, and says what a commit by itself failed with."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.harvest.portal import PageRef, project_ref
from pipeline.harvest.spool import COMMIT_INTERVAL, Spool, SpooledPage

_REF = project_ref("http://127.0.0.1", "24000000-2964")
_LINK = PageRef("kpi/2400-1013", "kpi", "2400-1013", "http://127.0.0.1/mobile/mykpi.php?pid=2400-1013")
_PAGE = SpooledPage(
    _REF.page_key, "project", _REF.code, _REF.url, 200, {}, datetime.now(UTC), 1, "0" * 64, body=b"page"
)


def committed(file: Path) -> list[str]:
    """The keys of the pages that would be there after a kill at this moment."""
    with closing(sqlite3.connect(file)) as other:
        return [key for (key,) in other.execute("SELECT page_key FROM pages ORDER BY page_key")]


def test_pages_are_committed_together_within_the_interval(tmp_path: Path) -> None:
    async def save(spool: Spool) -> None:
        spool.put(_PAGE, [_LINK])
        spool.put(replace(_PAGE, page_key="project/2"))
        assert committed(spool.path) == []
        await asyncio.sleep(3 * COMMIT_INTERVAL)
        assert committed(spool.path) == ["project/2", _REF.page_key]
        spool.put(replace(_PAGE, page_key="project/3"))

    with Spool(tmp_path / "spool.sqlite") as spool:
        spool.add([("asked", _REF)])
        asyncio.run(save(spool))
        assert spool.size == 2
        assert [ref for ref, _ in spool.pending()] == [_LINK]
    assert committed(spool.path) == ["project/2", _REF.page_key, "project/3"]


def test_without_an_event_loop_each_page_is_committed_at_once(tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.sqlite") as spool:
        spool.put(_PAGE)
        assert committed(spool.path) == [_REF.page_key]


def test_a_commit_that_fails_by_itself_is_raised_at_the_next_page(tmp_path: Path) -> None:
    async def save(spool: Spool) -> None:
        spool.put(_PAGE)
        spool._db.execute("INSERT INTO child VALUES (1)")  # refused by the commit, as a full disk may be
        await asyncio.sleep(3 * COMMIT_INTERVAL)

    spool = Spool(tmp_path / "spool.sqlite")
    spool._db.execute("CREATE TABLE parent (number INTEGER PRIMARY KEY)")
    spool._db.execute("CREATE TABLE child (number INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")
    spool._db.execute("PRAGMA foreign_keys = ON")
    asyncio.run(save(spool))
    with pytest.raises(sqlite3.IntegrityError):
        spool.put(_PAGE)
    spool.close()
