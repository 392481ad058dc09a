"""What a client counts, and what it has learnt of a portal that another client need not learn again."""

from dataclasses import dataclass, replace
from typing import Final

KNOWN_GOOD_PAGES: Final = 16
"""How many addresses of whole pages are remembered."""


@dataclass(slots=True)
class RequestStats:
    """The requests of a client so far, those for robots.txt and after redirects included; longest_retry_after: in seconds."""

    requests: int = 0
    retries: int = 0
    wire_bytes: int = 0
    pauses: int = 0
    longest_retry_after: float = 0.0


@dataclass(frozen=True, slots=True)
class ClientState:
    """What a client has learnt of a portal.

    robots: robots.txt as read, b"" where there is none, None where it was not read; robots_age: seconds since then
    ends_seen, ends_missed: whether pages of this portal have an end that can be missing
    good_pages: addresses of pages that came whole, to be requested when others fail
    """

    robots: bytes | None = None
    robots_age: float = 0.0
    ends_seen: bool = False
    ends_missed: int = 0
    good_pages: tuple[str, ...] = ()

    def joined(self, other: "ClientState") -> "ClientState":
        """The state of two clients joined; robots.txt as this one read it."""
        new = (page for page in other.good_pages if page not in self.good_pages)
        return replace(
            self,
            ends_seen=self.ends_seen or other.ends_seen,
            ends_missed=max(self.ends_missed, other.ends_missed),
            good_pages=(*self.good_pages, *new)[-KNOWN_GOOD_PAGES:],
        )
