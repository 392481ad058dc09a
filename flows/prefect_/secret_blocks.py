"""The webhook's address from Prefect's blocks."""

from typing import Any

from prefect.blocks.system import Secret

from pipeline.setting_values import SecretStr
from pipeline.settings import Settings


async def with_secrets(settings: Settings) -> tuple[Settings, list[str]]:
    """The settings with the webhook's address from the Prefect block they name; and why it could not be read."""
    name = settings.notify_webhook_block
    if not name or settings.notify_webhook:
        return settings, []
    try:
        secret = await secret_of(name)
    except Exception as error:  # noqa: BLE001 - no block, no server, another type: notifying must not fail a harvest
        return settings, [f"the Prefect block {name!r} cannot be read ({type(error).__name__})"]
    return settings.changed(notify_webhook=SecretStr(secret)), []


async def secret_of(name: str) -> str:
    """The value of a Secret block."""
    block: Any = await Secret.aload(name)
    return str(block.get())
