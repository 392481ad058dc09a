"""Notifications of how a harvest ended, by the settings' webhook and command, with secrets from Prefect's blocks."""

import asyncio
from typing import Any, Final

from prefect.blocks.system import Secret
from pydantic import SecretStr

from flows.run_control import HarvestOutcome, StateName
from pipeline.operate.notify import Event, What, event_of, send_event, sent_log
from pipeline.operate.status import condition
from pipeline.settings import Settings
from pipeline.store.archive import Archive

_EVENTS: Final[dict[StateName, What]] = {"HeldBack": "held_back", "CouldNotRun": "failed", "Completed": "recovered"}


async def notify_finished(settings: Settings, outcome: HarvestOutcome, harvest_id: str | None) -> list[str]:
    """Notify how a harvest ended; returns why a notification could not be sent.

    A requested stop sends nothing; a published harvest sends `recovered` only after one that was not published.
    """
    what = _EVENTS.get(outcome.state)
    if what is None:
        return []
    settings, problems = await with_secrets(settings)
    event = Event(what, str(settings.data), settings.portal, harvest_id, outcome.message)
    return problems + await asyncio.to_thread(send_event, event, settings, sent_log(settings.data))


async def notify_late(settings: Settings) -> list[str]:
    """Notify once if what is published is too old."""
    store = Archive(settings.data)
    if not store.harvest_ids():
        return []
    event = event_of(store, condition(store, settings.late_hours))
    if event is None or event.event != "late":
        return []
    settings, problems = await with_secrets(settings)
    return problems + await asyncio.to_thread(send_event, event, settings, sent_log(settings.data), once=True)


async def with_secrets(settings: Settings) -> tuple[Settings, list[str]]:
    """The settings with the webhook's address from the Prefect block they name; and why it could not be read."""
    name = settings.notify_webhook_block
    if not name or settings.notify_webhook:
        return settings, []
    try:
        block: Any = await Secret.aload(name)
    except Exception as error:  # noqa: BLE001 - no block, no server, another type: notifying must not fail a harvest
        return settings, [f"the Prefect block {name!r} cannot be read ({type(error).__name__})"]
    return settings.model_copy(update={"notify_webhook": SecretStr(str(block.get()))}), []
