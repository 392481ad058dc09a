"""What a harvest says while it runs, for anyone who shows it: plain data that can be sent to another process."""

from dataclasses import dataclass
from typing import Any

from flows.run_control import HarvestOutcome
from pipeline.harvest.request import HarvestRequest
from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Begun:
    """A harvest has begun or was resumed. store: its folder"""

    harvest_id: str
    portal: str
    store: str


@dataclass(frozen=True, slots=True)
class BatchBegun:
    """The first page of a batch was saved. number: counted from 1"""

    number: int


@dataclass(frozen=True, slots=True)
class BatchDone:
    """All pages of a batch are saved. counts: pages by result; percent: of all pages found so far"""

    counts: dict[str, int]
    percent: float


@dataclass(frozen=True, slots=True)
class CommitBegun:
    """All pages are fetched."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a harvest changed. before: the harvest compared with; by_…: counts

    page: file of the page of all changes; markdown: the most severe of them
    """

    before: str
    by_meaning: list[dict[str, Any]]
    by_severity: dict[str, int]
    page: str
    markdown: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The harvest has ended. changes: None where nothing was published before"""

    outcome: HarvestOutcome
    changes: Changes | None = None


Event = Begun | BatchBegun | BatchDone | CommitBegun | Ended


@dataclass(frozen=True, slots=True)
class Opened:
    """The harvests of one flow follow, each event with its harvest's number among the requests.

    flow: harvest (one request) or backfill; block: the Secret block that is to be read, or nothing
    """

    flow: str
    requests: list[HarvestRequest]
    hosts_at_once: int
    block: str


Message = Opened | tuple[int, Event]


class Listener:
    """Receives the events of a harvest by `on_event`, which returns at once and never raises; this one ignores them."""

    def on_event(self, event: Event) -> None:
        """Receive an event."""

    def with_secrets(self, settings: Settings) -> tuple[Settings, list[str]]:
        """The settings with the webhook's address from the Prefect block they name; and why it could not be read."""
        if not settings.notify_webhook_block or settings.notify_webhook:
            return settings, []
        return settings, [
            f"the Prefect block {settings.notify_webhook_block!r} is not read without Prefect; set the environment "
            "variable BMA_PROGRESS_NOTIFY_WEBHOOK"
        ]
