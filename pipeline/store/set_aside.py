"""Takes harvests that a wrong clock dated in the future out of a store. They are kept beside it, as evidence."""

from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.store.durable import file_sha256, remove, sync_folder
from pipeline.store.harvests import Harvests
from pipeline.store.head import write_head
from pipeline.store.layout import MANIFEST, beside, is_in_future


def first_in_future(ids: list[str]) -> str | None:
    """The first of a store's harvests that is dated in the future by this machine's clock, or None."""
    return next((id_ for id_ in ids if is_in_future(id_)), None)


def set_aside(harvests: Harvests, portal: str, harvest_id: str) -> tuple[Path, list[str]]:
    """Move a harvest dated in the future, and all after it, out of a store; returns where they are now, and their ids.

    Killed at any step, the store is as before, or the next start finishes it or leaves it to the same command.
    Raises StoreError where the harvest is not in the future by this machine's clock, or where none would be left.
    """
    root, ids = harvests.root, harvests.harvest_ids()
    if harvest_id not in ids:
        raise StoreError(f"{root} holds no harvest {harvest_id}; the newest is {ids[-1] if ids else 'none'}")
    if not is_in_future(harvest_id):
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        raise StoreError(f"harvest {harvest_id} is not in the future, as it is {now} by this machine's clock; it stays")
    gone = [id_ for id_ in ids if id_ >= harvest_id]
    if gone == ids:
        raise StoreError(
            f"every harvest of {root} is dated after now: correct this machine's clock, or begin a new store"
        )
    if packed := [id_ for id_ in gone if not (root / "harvests" / id_).is_dir()]:
        raise StoreError(f"harvest {packed[0]} is in a pack, which is never opened again; restore a copy of the store")
    place = beside(root, "set-aside")
    place.mkdir(exist_ok=True)
    last = ids[ids.index(harvest_id) - 1]
    newest = last, file_sha256(harvests.harvest_folder(last) / MANIFEST)
    write_head(harvests, portal, newest=newest)  # from here on the store ends before them
    for id_ in reversed(gone):
        remove(root / "snapshots" / id_)
        for name, former in (("run", root / "runs" / id_), ("harvest", root / "harvests" / id_)):
            if former.is_dir():
                (place / id_).mkdir(exist_ok=True)
                former.rename(place / id_ / name)
        sync_folder(place / id_)
    sync_folder(root / "harvests")
    return place, gone
