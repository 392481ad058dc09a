"""The layout of a store on disk: names, ids and formats that its readers and its writer share.

    latest -> snapshots/<id>       the current state, one complete <table>.parquet each; replaced in one step; derived
    snapshots/<id>/                derived full states: the last seven and the first of every month
    harvests/<id>/                 append-only, the truth: rows of new and changed versions, every page looked at, bodies
    runs/<id>/                     the spool while a harvest runs, then its report and log
    tmp/                           staging; after a crash nothing in it is needed
    store.json, head.json          format of the store; the newest harvest and the hash of its manifest

A harvest comes into being by one rename of tmp/<id> to harvests/<id>: that is the commit.
"""

import os
import re
import zipfile
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

from parsers.thai import BANGKOK
from pipeline.errors import StoreDamagedError

FORMAT: Final = 1
"""Version of the store's layout; a newer one is refused."""

FOLDERS: Final = ("harvests", "snapshots", "runs", "tmp")
PACK: Final = re.compile(r"([0-9]{4})-([0-9]{2})\.zip", re.ASCII)
HARVEST_ID: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)
CLOCKS_DIFFER: Final = timedelta(hours=1)
"""How far two right clocks may be apart: machines that are not kept in time, a clock that was set back."""
MANIFEST: Final = "manifest.json"
HEAD: Final = "head.json"
SNAPSHOT: Final = "snapshot.json"
SPOOL: Final = "spool.sqlite"

Folder = Path | zipfile.Path
"""A harvest's folder, plain or in a pack; a file in it."""

README: Final = """\
# A store of bma-progress

`latest/<table>.parquet` is the current state; any Parquet reader opens it:

    import pandas as pd, os
    latest = os.path.realpath("latest")          # one night for all tables, even while a harvest is published
    projects = pd.read_parquet(f"{latest}/projects.parquet")

`harvests/<id>/` is the truth, one folder a harvest, never rewritten; `<id>` is the start in UTC. `<table>.parquet` there
holds the rows of pages that were new or had changed, with `page_key` and `version_harvest_id`; `pages.parquet` says for
every known page what came and which harvest holds its version: the state as of a harvest is the join of the two.
`bodies.parquet` holds the bytes as served. `manifest.json` has every file's SHA-256 and the hash of the manifest before.
`snapshots/` are derived and may be deleted. `bma-progress verify` checks all of it.
"""
"""README.md of every store. Its hash is in head.json: another text makes stores written before look altered."""


def harvest_id_at(start: datetime) -> str:
    """The id of a harvest that starts at an instant."""
    at = start.astimezone(UTC)
    return f"{at.year:04}{at:%m%dT%H%M%SZ}"  # %Y pads no year before 1000, and ids are compared as text


def harvest_start(harvest_id: str) -> datetime:
    """The UTC instant that a harvest's id names. Raises StoreDamagedError where there is no such instant."""
    try:
        return datetime.fromisoformat(harvest_id)
    except ValueError:  # seventy minutes, the 30th of February: nothing of ours
        raise StoreDamagedError(
            f"{harvest_id} names no instant, so it is no harvest; take it out of the store"
        ) from None


def is_in_future(harvest_id: str) -> bool:
    """Whether a harvest began, by the clock of its machine, well after now by this one's."""
    return harvest_start(harvest_id) > datetime.now(UTC) + CLOCKS_DIFFER


def today_in_bangkok() -> date:
    """The day that it is in Bangkok, wherever this machine stands."""
    return datetime.now(BANGKOK).date()


@lru_cache(maxsize=4096)
def harvest_day(harvest_id: str) -> date:
    """The day in Bangkok on which a harvest began."""
    return harvest_start(harvest_id).astimezone(BANGKOK).date()


def beside(root: Path, what: str) -> Path:
    """The name of what is kept beside the store in `root`, such as `.portal-prefect` beside `portal`."""
    root = Path(os.path.realpath(root))  # which takes links in a circle, too
    return root.parent / f".{root.name}-{what}"
