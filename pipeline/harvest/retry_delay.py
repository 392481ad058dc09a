"""How long to wait before another try."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_LONGEST_BACKOFF: Final = 60.0


def backoff(seconds: float, attempt: int) -> float:
    """Seconds after an attempt that failed, counted from 1: doubled with each, with jitter."""
    jitter = random.uniform(0.5, 1.5)  # noqa: S311 - so that not all come back at once; no secret
    return min(seconds * 2.0 ** (attempt - 1), _LONGEST_BACKOFF) * jitter


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to wait by an answer's Retry-After, in seconds or as a date of the portal's clock; 0 without one."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    until = _http_date(text)
    # the answer's Date is of the same clock, which may be hours apart from this machine's
    now = _http_date(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds()) if until else 0.0


def _http_date(text: str) -> datetime | None:
    """A date of HTTP, in its old forms too; one that names no zone is GMT (RFC 9110, 5.6.7). None for anything else."""
    try:
        instant = parsedate_to_datetime(text)
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def in_words(seconds: float) -> str:
    """A wait as messages give it: `7,200 s (2 hours)`."""
    if seconds < 3600:
        return f"{seconds:,.0f} s"
    hours = seconds / 3600
    return f"{seconds:,.0f} s ({hours:,.1f} hours)" if hours < 48 else f"{seconds:,.0f} s ({hours / 24:,.0f} days)"
