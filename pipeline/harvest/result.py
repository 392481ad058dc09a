"""The scope of a harvest and its result, as plain data."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.harvest.checks import BoundResult, Coverage
from pipeline.harvest.oddities import Oddity
from pipeline.harvest.portal import PageRef, agency_codes
from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Scope:
    """The pages that a harvest requests.

    pages: only these pages; agencies: only these (8 digits); sample: at most so many pages with records; probe: pages
    of a range of serials beside all others. Nothing of it: the whole portal.
    """

    pages: tuple[PageRef, ...] = ()
    agencies: tuple[str, ...] = ()
    sample: int | None = None
    probe: tuple[PageRef, ...] = ()

    @classmethod
    def of_settings(cls, settings: Settings) -> "Scope":
        """What a harvest requests where nothing else is asked for: the whole portal, or the agencies that are set."""
        return cls(agencies=tuple(agency_codes(settings.agencies)) if settings.agencies else ())

    @property
    def is_whole(self) -> bool:
        """True where it is the whole portal."""
        return not (self.pages or self.agencies or self.sample)

    @property
    def fingerprint(self) -> str:
        """Names the scope, so that an unfinished harvest is resumed with the same scope only."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class HarvestResult:
    """The result of a harvest.

    held_back: why it does not replace the last one; None when it is published
    remarks: what else an operator should know, one sentence each
    sweep: how far the sweep is after this harvest, see `pipeline.harvest.sweep`
    is_part: whether it was asked for a part of what the settings name
    unclaimed, findings, unknown: the most frequent lines that no rule read, findings, and pages of unknown kind
    """

    harvest_id: str
    published: bool
    held_back: str | None
    outcomes: dict[str, int]
    rows: dict[str, int]
    changes: dict[str, int]
    coverage: list[Coverage]
    bounds: list[BoundResult]
    failures: list[dict[str, str | None]]
    seconds: float
    requests_interval: float
    resumed: bool
    remarks: list[str]
    sweep: dict[str, dict[str, Any]] = field(default_factory=dict)
    unclaimed: list[Oddity] = field(default_factory=list)
    findings: list[Oddity] = field(default_factory=list)
    unknown: list[Oddity] = field(default_factory=list)
    unknown_pages: int = 0
    is_part: bool = False

    def summary(self) -> dict[str, Any]:
        """The part of the result that goes into the manifest."""
        return {
            "bounds": [asdict(bound) for bound in self.bounds if not bound.held],
            "resumed": self.resumed,
            **({"is_part": True} if self.is_part else {}),
            "seconds": self.seconds,
            **({"sweep": self.sweep} if self.sweep else {}),
            "unclaimed": [asdict(oddity) for oddity in self.unclaimed],
            "findings": [asdict(oddity) for oddity in self.findings],
            "unknown": [asdict(oddity) for oddity in self.unknown],
            "unknown_pages": self.unknown_pages,
        }
