"""What came of one request for a page: an answer or a failure, and what kind of failure it is."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Literal

ErrorKind = Literal[
    "timeout", "transport", "truncated", "status", "blocked", "certificate", "redirect", "too_large", "robots"
]
"""Why there is no usable answer. The first three and some statuses may be temporary and are retried; the others are not."""

_TEMPORARY_STATUSES: Final = frozenset((408, 425, 429, 500, 502, 503, 504, 507, 520, 521, 522, 523, 524))
_REFUSALS: Final = frozenset((401, 403, 407, 451))
_SHA256_OF_NOTHING: Final = hashlib.sha256(b"").hexdigest()
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of one page. A failure is a result, not an exception.

    url: as asked; final_url: after redirects; body: the entity's bytes, content encodings undone; sha256: of body, hex
    headers: those worth keeping as evidence, as sent, names in lower case; wire_bytes: length of the body as it travelled
    fetched_at: UTC, when the answer was whole; attempts: tries made, each one request and its redirects
    error: None, or why there is no usable answer; incomplete: the page's end is missing, its text is kept all the same
    """

    url: str
    final_url: str
    status: int | None
    headers: Mapping[str, str]
    body: bytes
    sha256: str
    fetched_at: datetime
    attempts: int
    error: str | None = None
    error_kind: ErrorKind | None = None
    incomplete: bool = False
    wire_bytes: int = 0

    @property
    def not_modified(self) -> bool:
        """True where the server said that the page has not changed (304)."""
        return self.status == 304 and self.error is None

    @property
    def may_mean_outage(self) -> bool:
        """True where the answer, or the lack of one, may mean that the portal is down or keeps us out."""
        if self.error_kind == "status":
            return self.status in _TEMPORARY_STATUSES
        return self.error_kind not in (None, "too_large", "robots")

    @property
    def is_worth_a_retry(self) -> bool:
        """True where another try may succeed."""
        if self.error_kind == "status":
            return self.status in _TEMPORARY_STATUSES
        if self.error_kind == "blocked":
            return self.status == 200  # a refusal by status is meant; a firewall's page comes and goes
        return self.incomplete or self.error_kind in ("timeout", "transport", "truncated")


class NoUsableAnswerError(Exception):
    """Ends one try inside the client; it becomes a `Fetched` with this kind and text, and never leaves the client."""

    def __init__(
        self, kind: ErrorKind, text: str, status: int | None = None, headers: Mapping[str, str] = _NO_HEADERS
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
        self.status = status
        self.headers = headers

    def as_fetched(self, url: str, attempts: int) -> Fetched:
        """The failure as a result."""
        now = datetime.now(UTC)
        return Fetched(
            url, url, self.status, self.headers, b"", _SHA256_OF_NOTHING, now, attempts, self.text, self.kind
        )


def status_error(status: int, *, conditional: bool) -> tuple[str | None, ErrorKind | None]:
    """The error that a status means, and its kind; both None for an answer about the page.

    conditional: validators were sent, so that 304 is an answer
    """
    if status in (200, 203, 404, 410) or (status == 304 and conditional):
        return None, None
    return f"HTTP status {status}", "blocked" if status in _REFUSALS else "status"
