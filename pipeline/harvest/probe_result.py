"""The result of a first look at a portal, as plain data."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ProbedPage:
    """One page of the look.

    kind: what its address promises; shows: the kind that the parser sees; file: where its bytes are, None where they are
    not kept; links: pages it leads to, by kind; seconds: from its request to the end of its answer
    """

    kind: str
    code: str
    url: str
    http_status: int | None
    verdict: str | None
    shows: str | None
    error: str | None
    encoding: str | None
    bytes: int
    seconds: float
    fiscal_year_be: int | None = None
    findings: list[dict[str, Any]] = field(default_factory=list)
    unclaimed: list[str] = field(default_factory=list)
    links: dict[str, int] = field(default_factory=dict)
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """The result of a look.

    robots: robots.txt in words; found: how many pages of each kind the menus and lists lead to
    stopped: why the look ended early, or None; is_good: True where nothing has to be looked at before a harvest
    advice: what to do next, one sentence each
    """

    portal: str
    robots: list[str]
    menus: list[ProbedPage]
    lists: list[ProbedPage]
    pages: list[ProbedPage]
    found: dict[str, int]
    seconds: float
    stopped: str | None
    is_good: bool
    advice: list[str]

    def document(self) -> dict[str, Any]:
        """The result as plain data."""
        return asdict(self)
