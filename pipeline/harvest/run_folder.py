"""The folders of harvests under way, `runs/<id>/`: the name of a new one, and the one an interrupted harvest left."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pipeline.errors import StoreError
from pipeline.harvest.batches import PARTS
from pipeline.harvest.spool import Spool
from pipeline.store.archive import Archive
from pipeline.store.layout import SPOOL, harvest_id_at, harvest_start
from pipeline.store.lock import is_locked
from pipeline.store.run_files import LOG
from pipeline.store.run_log import last_event
from pipeline.store.set_aside import first_in_future

RATE_FILE: Final = "clock"
"""The file in which the processes of this machine share one rate."""


def new_harvest_id(store: Archive) -> str:
    """The id of a harvest that starts now. Raises StoreError where the newest one is dated in the future."""
    now = datetime.now(UTC).replace(microsecond=0)
    ids = store.harvest_ids()
    if ids and (first := first_in_future(ids)):
        days = (harvest_start(ids[-1]) - now) / timedelta(days=1)
        raise StoreError(
            f"the newest harvest {ids[-1]} lies {days:,.1f} days in the future; correct this machine's clock, or, where it "
            f"was wrong that night, run `bma-progress set-aside {first} --data {store.place}`"
        )
    if ids and harvest_start(ids[-1]) >= now:  # two harvests in one second, or a clock that was set back a little
        now = harvest_start(ids[-1]) + timedelta(seconds=1)
    return harvest_id_at(now)


def unfinished_run(store: Archive) -> str | None:
    """The newest run that has a spool and no committed harvest."""
    runs = sorted(path.parent.name for path in (store.root / "runs").glob(f"*/{SPOOL}"))
    committed = set(store.harvest_ids()) if runs else ()
    for id_ in reversed(runs):
        if id_ not in committed:
            return id_
        drop_spool(store.root / "runs" / id_)  # killed between commit and clean-up
    return None


def after_newest(store: Archive, unfinished: str) -> str:
    """The id of an unfinished run: another one where a harvest that began later was committed since, such as a replay."""
    ids = store.harvest_ids()
    if not ids or unfinished > ids[-1]:
        return unfinished
    id_ = new_harvest_id(store)
    (store.root / "runs" / unfinished).rename(store.root / "runs" / id_)
    return id_


def is_of_scope(folder: Path, fingerprint: str) -> bool:
    """True where an unfinished run is of this scope, or was killed before it was planned. fingerprint: of a `Scope`"""
    with Spool(folder / SPOOL) as spool:
        return spool.meta().get("scope") in (None, fingerprint)


def drop_spool(folder: Path) -> None:
    """Delete what only a harvest under way needs."""
    for left in (*folder.glob(f"{SPOOL}*"), folder / RATE_FILE):
        left.unlink(missing_ok=True)
    shutil.rmtree(folder / PARTS, ignore_errors=True)  # a worker that was cut off may still write there


def killed_run(store: Archive) -> Path | None:
    """The folder of the unfinished run whose process ended without a word; None where none did, or one is at work."""
    if is_locked(store.root):
        return None
    ids = store.harvest_ids()
    folders = sorted(path.parent for path in (store.root / "runs").glob(f"*/{SPOOL}"))
    if not folders or (ids and folders[-1].name <= ids[-1]):
        return None
    logged = last_event(folders[-1] / LOG).get("event") in ("failed", "stopped", "killed")
    return None if logged or is_locked(store.root) else folders[-1]  # one may have begun meanwhile
