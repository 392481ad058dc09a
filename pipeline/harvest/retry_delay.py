"""How long to wait before another try."""

import random
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

_LONGEST_BACKOFF: Final = 60.0


def backoff(seconds: float, attempt: int) -> float:
    """Seconds after an attempt that failed, counted from 1: doubled with each, with jitter."""
    jitter = random.uniform(0.5, 1.5)  # noqa: S311 - so that not all come back at once; no secret
    return min(seconds * 2.0 ** (attempt - 1), _LONGEST_BACKOFF) * jitter


def retry_after(header: str | None) -> float:
    """Seconds to wait by a Retry-After header, in seconds or as a date; 0 without one."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        until = parsedate_to_datetime(text)
        # a date that names no zone is GMT (RFC 9110, 5.6.7), wherever this machine stands
        return max(0.0, (until if until.tzinfo else until.replace(tzinfo=UTC)).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0


def in_words(seconds: float) -> str:
    """A wait as messages give it: `7,200 s (2 hours)`."""
    if seconds < 3600:
        return f"{seconds:,.0f} s"
    hours = seconds / 3600
    return f"{seconds:,.0f} s ({hours:,.1f} hours)" if hours < 48 else f"{seconds:,.0f} s ({hours / 24:,.0f} days)"
