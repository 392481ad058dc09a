"""The portal's robots.txt: what it forbids, how slowly and at which hours it wants to be visited."""

import re
import time
from datetime import UTC, datetime
from typing import Final

from protego import Protego

from pipeline.errors import PortalError
from pipeline.harvest.fetched import Fetched

_NAME: Final = "bma-progress"
MOST_BYTES: Final = 512_000
"""Bytes of robots.txt that are read: RFC 9309 asks for at least 500 KiB. The rest does not count."""

_LONGEST_AGE: Final = 86_400  # seconds; RFC 9309 asks not to trust a copy for more than a day
_AGENT_LINE: Final = re.compile(r"^(\s*user[ -]?agent(?:\s*:\s*|\s+))(.*)", re.IGNORECASE)
_TOKEN: Final = re.compile(r"[A-Za-z_-]*")


_PATHS: Final = (
    "/mobile/",
    "/mobile/myproject.php?pid=24000000-2964",
    "/mobile/mykpi.php?pid=2400-1013",
    "/mobile/mykpi2563.php?pid=87",
    "/mobile/index101.php?selDEP=24000000",
    "/bs2568/frontend/web/index.php?project_id=24000000-2964&r=tbl-project-main%2Fview",
)
"""An address of each kind of page."""


class OutsideVisitTimeError(PortalError):
    """robots.txt allows no visit at this hour."""


class RobotsRules:
    """The rules of one robots.txt for this program.

    text: as read, b"" where the portal has none: then everything is allowed; age: seconds since it was read
    interval: seconds between two requests that it asks for; 0 where it asks for nothing
    """

    def __init__(self, text: bytes, age: float = 0.0) -> None:
        self.text = text
        self._read_at = time.monotonic() - age
        self._rules = Protego.parse(_with_tokens(text.decode("utf-8-sig", "replace"))) if text else None
        self.interval = self._interval()

    @property
    def age(self) -> float:
        """Seconds since it was read."""
        return time.monotonic() - self._read_at

    @property
    def is_outdated(self) -> bool:
        """True where it must be read again."""
        return self.age > _LONGEST_AGE

    def _interval(self) -> float:
        """The slower of crawl-delay and request-rate. A request-rate for certain hours is kept at all hours."""
        if self._rules is None:
            return 0.0
        slowest = float(self._rules.crawl_delay(_NAME) or 0)
        wanted = self._rules.request_rate(_NAME)
        if wanted and wanted.requests:
            slowest = max(slowest, wanted.seconds / wanted.requests)
        return slowest

    def allows(self, url: str) -> bool:
        """True where the page may be requested."""
        return self._rules is None or bool(self._rules.can_fetch(url, _NAME))

    def in_words(self, portal: str, interval: float) -> list[str]:
        """What it means for a harvest, one sentence each. interval: seconds between two requests that the harvest keeps"""
        if self._rules is None:
            words = ["The portal has no robots.txt: everything is allowed."]
        else:
            forbidden = [path for path in _PATHS if not self.allows(f"{portal}{path}")]
            words = [
                f"robots.txt forbids {', '.join(forbidden)}." if forbidden else "robots.txt allows all known pages."
            ]
        if self.interval:
            words.append(f"It asks for {self.interval:g} s between two requests.")
        if (hours := self._rules.visit_time(_NAME) if self._rules else None) is not None:
            words.append(f"It allows visits from {hours.start_time:%H:%M} to {hours.end_time:%H:%M} UTC only.")
        return [*words, f"A harvest sends one request every {interval:.3g} s."]

    def check_visit_time(self, at: datetime | None = None) -> None:
        """Raise OutsideVisitTimeError where no visit is allowed; at: UTC, now without it."""
        allowed = self._rules.visit_time(_NAME) if self._rules else None
        if allowed is None:
            return
        start, end = allowed.start_time, allowed.end_time
        now = (
            (at or datetime.now(UTC)).time().replace(second=0, microsecond=0)
        )  # in minutes, as the rule: 2359 ends a day
        inside = start <= now <= end if start <= end else now >= start or now <= end
        if not inside:
            raise OutsideVisitTimeError(
                f"robots.txt allows visits from {start:%H:%M} to {end:%H:%M} UTC only; start the harvest then: what was "
                "fetched is kept"
            )


def robots_rules(fetched: Fetched) -> RobotsRules:
    """The rules that an answer means, by RFC 9309: 4xx allows everything, 5xx and silence nothing.

    Raises PortalError where robots.txt could not be read, so that nothing may be requested, OutsideVisitTimeError where it
    allows no visit now.
    """
    # a redirect that leads nowhere makes it "unavailable", in the words of the RFC, as 4xx does; 429 says "later",
    # and 407 is the proxy's word
    status = fetched.status or 0
    if fetched.error_kind == "redirect" or (400 <= status < 500 and status not in (407, 429)):
        return RobotsRules(b"")
    if fetched.error is not None:
        raise PortalError(
            f"{fetched.url} could not be read ({fetched.error}), so nothing may be fetched; check the portal's "
            "address, or try again when it answers"
        )
    is_cut = len(fetched.body) > MOST_BYTES  # half a line would be another rule
    rules = RobotsRules(fetched.body[:MOST_BYTES].rpartition(b"\n")[0] if is_cut else fetched.body)
    rules.check_visit_time()
    return rules


def _with_tokens(text: str) -> str:
    """The text with product tokens as RFC 9309 (2.2.1) compares them: whole, and without what follows them, as a version.

    Protego takes a part of the name for the name, and a version for a part of it.
    """
    return "\n".join(_AGENT_LINE.sub(_token_line, line) for line in text.splitlines())


def _token_line(line: re.Match[str]) -> str:
    agent = line[2].partition("#")[0].strip()
    token = _TOKEN.match(agent)
    if agent == "*" or (token and token[0].lower() == _NAME):
        return f"{line[1]}{_NAME if agent != '*' else agent}"
    return f"{line[1]}another"
