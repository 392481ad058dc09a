"""Who is told how a harvest ended: the settings' webhook and command, with secrets from Prefect's blocks."""

import asyncio
from typing import Any

from prefect.blocks.system import Secret
from prefect.client.schemas.objects import State
from pydantic import SecretStr

from pipeline.operate.notify import Event, What, event_of, send_event, sent_log
from pipeline.operate.status import condition
from pipeline.settings import Settings
from pipeline.store.archive import Archive

_EVENTS: dict[str, What] = {"HeldBack": "held_back", "CouldNotRun": "failed", "Completed": "recovered"}


async def notify_finished(settings: Settings, state: State[Any], harvest_id: str | None) -> list[str]:
    """Tell how a harvest ended, where it is worth telling; returns what went wrong with that.

    A stop that a person asked for is not told, a good night only after a bad one.
    """
    what = _EVENTS.get(str(state.name))
    if what is None:
        return []
    settings, problems = await with_secrets(settings)
    event = Event(what, str(settings.data), settings.portal, harvest_id, state.message or "")
    return problems + await asyncio.to_thread(send_event, event, settings, sent_log(settings.data))


async def notify_late(settings: Settings) -> list[str]:
    """Tell once if what is published is too old."""
    store = Archive(settings.data)
    if not store.harvest_ids():
        return []
    event = event_of(store, condition(store, settings.late_hours))
    if event is None or event.event != "late":
        return []
    settings, problems = await with_secrets(settings)
    return problems + await asyncio.to_thread(send_event, event, settings, sent_log(settings.data), once=True)


async def with_secrets(settings: Settings) -> tuple[Settings, list[str]]:
    """The settings with the webhook's address from the Prefect block they name; and why it is not to be had."""
    name = settings.notify_webhook_block
    if not name or settings.notify_webhook:
        return settings, []
    try:
        block: Any = await Secret.aload(name)
    except Exception as error:  # noqa: BLE001 - no block, no server, another type: telling must not fail a night
        return settings, [f"the Prefect block {name!r} cannot be read ({type(error).__name__})"]
    return settings.model_copy(update={"notify_webhook": SecretStr(str(block.get()))}), []
