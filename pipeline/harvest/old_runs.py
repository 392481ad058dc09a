"""An unfinished harvest that is too old to be resumed: what it fetched is kept under its own date, as evidence."""

import shutil
from datetime import UTC, datetime, timedelta
from typing import Final

from pipeline.errors import PortalError
from pipeline.harvest.plan import known_pages
from pipeline.harvest.result import Scope
from pipeline.harvest.run import HarvestRun
from pipeline.harvest.run_folder import unfinished_run
from pipeline.settings import Settings
from pipeline.store.layout import harvest_start
from pipeline.store.writer import StoreWriter

_HALF_A_DAY: Final = 12.0


def is_too_old(harvest_id: str, settings: Settings) -> bool:
    """True where an unfinished harvest began too long ago to be resumed."""
    return datetime.now(UTC) - harvest_start(harvest_id) > timedelta(hours=settings.resume_hours or _HALF_A_DAY)


def keep_old_run(settings: Settings, store: StoreWriter) -> list[str]:
    """Commit what a harvest fetched that is too old to be resumed, held back; returns what was done, as sentences."""
    id_ = unfinished_run(store)
    if id_ is None or not is_too_old(id_, settings):
        return []
    why = f"It was interrupted, and not resumed within {settings.resume_hours or _HALF_A_DAY:g} hours (resume_hours)."
    run = HarvestRun(settings, store, Scope(), id_, known_pages(store), resumed=True)
    try:
        ids = store.harvest_ids()
        if ids and id_ < ids[-1]:
            raise PortalError("a later harvest was committed")
        run.take_over()
        result = run.finish(why)
    except PortalError as error:  # nothing came, or it was killed before it was planned
        run.close()
        shutil.rmtree(run.folder)
        return [f"the unfinished harvest {id_} is too old to be resumed (resume_hours) and was discarded: {error}"]
    finally:
        run.close()
    pages = sum(count for outcome, count in result.outcomes.items() if outcome != "skipped")
    return [
        f"the unfinished harvest {id_} is too old to be resumed (resume_hours): its {pages:,} pages are kept as evidence, "
        "held back, and a new harvest begins"
    ]
