"""The result of one request for a page: an answer or a failure, and its kind."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, Literal

from pipeline.plain_text import printable

ErrorKind = Literal[
    "timeout", "transport", "truncated", "status", "blocked", "certificate", "redirect", "too_large", "robots"
]
"""Why there is no usable answer. The first three and some statuses may be temporary and are retried; the others are not."""

_SHA256_OF_NOTHING: Final = hashlib.sha256(b"").hexdigest()
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(slots=True)
class Fetched:
    """The result of fetching one page. A failure is a result, not an exception.

    url: as requested; final_url: after redirects; body: the entity's bytes, content encodings undone; sha256: of body, hex
    headers: those worth keeping as evidence, as sent, names in lower case; wire_bytes: length of the body as it travelled
    fetched_at: UTC, when the answer was whole; attempts: tries made, each one request and its redirects
    error: None, or why there is no usable answer; incomplete: the page's end is missing, its text is kept all the same
    not_modified: the server said that the page has not changed (304); verdict: the parser's, where it was asked
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
    not_modified: bool = False
    wire_bytes: int = 0
    seconds: float = 0.0
    verdict: str | None = None


class NoUsableAnswerError(Exception):
    """Ends one try inside the client; it becomes a `Fetched` with this kind and text, and never leaves the client."""

    def __init__(
        self, kind: ErrorKind, text: str, status: int | None = None, headers: Mapping[str, str] = _NO_HEADERS
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = printable(text)  # it may quote a header
        self.status = status
        self.headers = headers

    def as_fetched(self, url: str, attempts: int) -> Fetched:
        """The failure as a result."""
        now = datetime.now(UTC)
        return Fetched(
            url, url, self.status, self.headers, b"", _SHA256_OF_NOTHING, now, attempts, self.text, self.kind
        )
