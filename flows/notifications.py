"""Notifications of how a harvest ended, by every way that the settings name. Does not import Prefect."""

import time
from typing import Final

from flows.run_control import HarvestOutcome, StateName
from pipeline.operate.notify import Event, What, event_of, ping, send_event, sent_log
from pipeline.operate.status import condition
from pipeline.operate.watch import notify_watched
from pipeline.settings import Settings
from pipeline.store.archive import Archive

_EVENTS: Final[dict[StateName, What]] = {"HeldBack": "held_back", "CouldNotRun": "failed", "Completed": "recovered"}


def notify_finished(settings: Settings, outcome: HarvestOutcome, harvest_id: str | None) -> list[str]:
    """Notify how a harvest ended; returns why a notification could not be sent.

    A requested stop sends nothing; a published harvest sends `recovered` only after one that was not published.
    """
    what = _EVENTS.get(outcome.state)
    if what is None:
        return []
    log = sent_log(settings.data)
    event = Event(what, str(settings.data), settings.portal, harvest_id, outcome.message)
    problems = send_event(event, settings, log)
    if outcome.state == "Completed":
        problems += notify_changes(settings, harvest_id)
    return problems + ping(settings, good=outcome.state == "Completed", reason=outcome.message)


def notify_changes(settings: Settings, published: str | None = None) -> list[str]:
    """Notify of the changes that are watched, also of earlier harvests where that failed; published: just now"""
    return notify_watched(Archive(settings.data), settings, sent_log(settings.data), published)


def notify_killed(settings: Settings, harvest_id: str, reason: str) -> list[str]:
    """Notify that a harvest's process was killed; returns why that could not be sent."""
    event = Event("failed", str(settings.data), settings.portal, harvest_id, reason)
    return send_event(event, settings, sent_log(settings.data)) + ping(settings, good=False, reason=reason)


def notify_late(settings: Settings) -> list[str]:
    """Notify once if what is published is too old."""
    store = Archive(settings.data)
    event: Event | None
    if store.harvest_ids():
        event = event_of(store, condition(store, settings.late_hours))
    else:
        hours = (time.time() - (store.root / "store.json").stat().st_mtime) / 3600
        reason = (
            f"the store was made {hours:,.1f} hours ago, more than {settings.late_hours:g}, and holds no harvest yet"
        )
        event = Event("late", store.place, store.portal, None, reason) if hours > settings.late_hours else None
    if event is None or event.event != "late":
        return []
    return send_event(event, settings, sent_log(settings.data), once=True)
