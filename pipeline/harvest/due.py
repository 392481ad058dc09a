"""Which times of a schedule the harvests of a store answer."""

from datetime import datetime

from pipeline.store.archive import Archive
from pipeline.store.layout import harvest_start, is_in_future


def answered_until(store: Archive) -> datetime | None:
    """The last time of a schedule that a harvest answers; None where there was none.

    A harvest answers the time it was begun for, and every time before its own start. What only read stored pages again
    answers none, nor does a sample, or a harvest of some pages, that nobody's schedule began.
    """
    for id_ in reversed(store.harvest_ids()):
        manifest = store.manifest(id_)
        if manifest["cause"] == "parser" or is_in_future(id_):
            continue
        due = manifest.get("due_at")
        if not due and (manifest.get("report") or {}).get("is_part"):
            continue
        return max(harvest_start(id_), datetime.fromisoformat(due)) if due else harvest_start(id_)
    return None
