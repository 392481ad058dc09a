"""An unfinished harvest that is not resumed: what it fetched is kept under its own date, as evidence.

One that is too old; and one of other pages, such as a sample that was stopped, before a harvest of all that the settings
name: what somebody tried by hand must not keep the nights from running.
"""

import shutil
from datetime import UTC, datetime, timedelta
from typing import Final

from pipeline.errors import PortalError
from pipeline.harvest.plan import known_pages
from pipeline.harvest.result import Scope
from pipeline.harvest.run import HarvestRun
from pipeline.harvest.run_folder import is_of_scope, unfinished_run
from pipeline.settings import Settings
from pipeline.store.layout import harvest_start, is_in_future
from pipeline.store.writer import StoreWriter

_HALF_A_DAY: Final = 12.0


def is_too_old(harvest_id: str, settings: Settings) -> bool:
    """True where an unfinished harvest began too long ago to be resumed."""
    return datetime.now(UTC) - harvest_start(harvest_id) > timedelta(hours=settings.resume_hours or _HALF_A_DAY)


def keep_old_run(settings: Settings, store: StoreWriter, scope: Scope) -> list[str]:
    """Commit what a harvest fetched that is not resumed, held back; returns what was done, as sentences.

    scope: of the harvest that is to begin
    """
    id_ = unfinished_run(store)
    if id_ is None or is_in_future(id_):  # the times of what that one fetched are wrong
        return []
    hours = f"{settings.resume_hours or _HALF_A_DAY:g}"
    run = HarvestRun(settings, store, Scope(), id_, known_pages(store), resumed=True)
    try:
        if is_too_old(id_, settings):
            said = "is too old to be resumed (resume_hours)"
            why = f"It was interrupted, and not resumed within {hours} hours (resume_hours)."
        elif scope == Scope.of_settings(settings) and not is_of_scope(run.folder, scope.fingerprint):
            said = "is of other pages than this one"
            why = "It was interrupted, and a harvest of all pages began."
        else:
            return []
        return [f"the unfinished harvest {id_} {said}{_kept(run, why)}"]
    finally:
        run.close()


def _kept(run: HarvestRun, why: str) -> str:
    """Commit what a harvest fetched, held back; returns what became of it, as the end of a sentence."""
    ids = run.store.harvest_ids()
    try:
        if ids and run.harvest_id < ids[-1]:
            raise PortalError("a later harvest was committed")
        run.take_over()
        result = run.finish(why)
    except PortalError as error:  # nothing came, or it was killed before it was planned
        run.close()
        shutil.rmtree(run.folder)
        return f" and was discarded: {error}"
    pages = sum(count for outcome, count in result.outcomes.items() if outcome != "skipped")
    return f": its {pages:,} pages are kept as evidence, held back, and a new harvest begins"
