"""What one setting may be: its type and bounds, and how a value from the environment, the file or a caller is read.

A reader returns the value to keep, or raises ValueError with what is allowed, in words.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin
from urllib.parse import urlsplit

from pipeline.location import is_url, local_folder
from pipeline.schema.codes import full_agency_code

_AGENCIES: Final = "codes of 8 digits such as 50240000, or their first 4, in quotes and separated by commas"
_SWITCH: Final = {
    **dict.fromkeys(("true", "yes", "on", "1", "t", "y"), True),
    **dict.fromkeys(("false", "no", "off", "0", "f", "n"), False),
}
_WATCH: Final = 'a table such as { agencies = ["50240000"], codes = [], meanings = ["report_removed"] }'


class SecretStr:
    """A text that is never shown by accident: `get_secret_value` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        """The text."""
        return self._value

    def __repr__(self) -> str:
        return "'**********'"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretStr) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True)
class Watch:
    """The changes that are notified: those of these agencies, of these projects or indicators, with these meanings.

    What is empty says nothing; all empty is none.
    """

    agencies: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    meanings: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.agencies or self.codes or self.meanings)


@dataclass(frozen=True, eq=False, repr=False)
class Setting:
    """What is declared of one setting: its type (one that may be None has None as its default), purpose, bounds, reader."""

    type: Any
    default: Any
    description: str
    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    read: Callable[[Any], Any] | None = None

    def value(self, given: Any) -> Any:
        """The value to keep for one that was given. Raises ValueError with what is allowed."""
        if given is None and self.default is None:
            return None
        typed = self._typed(given)
        if typed is None:
            raise ValueError(self.allowed())
        return self.read(typed) if self.read else typed

    def _typed(self, given: Any) -> Any:
        """A value of the setting's type, None where it is of another; of lists and tables only their reader knows."""
        kind = self.type
        if kind is bool:
            return given if isinstance(given, bool) else _SWITCH.get(str(given).lower())
        if kind in (int, float):
            return self._number(given)
        if get_origin(kind) is Literal:
            return given if given in get_args(kind) else None
        if kind in (str, SecretStr, Path):
            return given if isinstance(given, str | kind) else None
        return given

    def _number(self, given: Any) -> float | None:
        if isinstance(given, bool) or not str(given).isascii():  # Python takes `true` for 1, and reads Thai digits
            return None
        try:
            number = float(given)
        except (TypeError, ValueError, OverflowError):
            return None
        is_allowed = (
            math.isfinite(number)
            and (self.above is None or number > self.above)
            and (self.at_least is None or number >= self.at_least)
            and (self.at_most is None or number <= self.at_most)
            and (self.type is float or number.is_integer())
        )
        return self.type(number) if is_allowed else None

    def allowed(self) -> str:
        """What the setting may be, in words."""
        if get_origin(self.type) is Literal:
            return " or ".join(repr(choice) for choice in get_args(self.type))
        if self.type is bool:
            return "true or false"
        if self.type in (int, float):
            named = (("above", self.above), ("of at least", self.at_least), ("at most", self.at_most))
            bounds = " and ".join(f"{words} {bound:,}" for words, bound in named if bound is not None)
            return f"a whole number {bounds}" if self.type is int else f"a number {bounds}"
        return "the name of a file or folder" if self.type is Path else "text in quotes"


def is_web_address(text: str) -> bool:
    """Whether a text is an address that a request can be sent to."""
    try:
        parts = urlsplit(text.strip())
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


# --- readers ----------------------------------------------------------------------------------------------------------


def portal(text: str) -> str:
    """The address of a portal in its one spelling; people copy the address of its start page."""
    allowed = "an address such as http://monitor.bangkok.go.th, without query or password"
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise ValueError(allowed) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError(allowed)
    if not re.fullmatch(r"[^\s/?#@]+", parts.netloc):
        raise ValueError(allowed)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname.rstrip(".")
    default = {"http": 80, "https": 443}[parts.scheme]
    path = re.sub(r"(?:/mobile(?:62)?)?(?:/index\.(?:php|html?))?/*$", "", parts.path)
    return f"{parts.scheme}://{host}{'' if port in (None, default) else f':{port}'}{path}"


def file_or_folder(place: str | Path) -> Path:
    """The path, with the home folder for `~`."""
    try:
        return Path(place).expanduser()
    except RuntimeError:
        raise ValueError("a path without ~, since that user has no home folder") from None


def store_folder(place: str | Path) -> Path:
    """The folder of a store; of an address in object storage the folder of its mirror."""
    return file_or_folder(local_folder(place) if isinstance(place, str) and is_url(place) else place)


def contact(text: str) -> str:
    """A line of ASCII letters."""
    if not text.strip().isascii() or not text.strip().isprintable():
        raise ValueError("an e-mail or web address in ASCII letters, since it travels in an HTTP header")
    return text.strip()


def proxy(text: str) -> str:
    """The address of a proxy, `none`, or nothing."""
    text = text.strip()
    if text not in ("", "none") and (not is_web_address(text) or "@" in text):
        raise ValueError("an address such as http://proxy.example.org:3128, without password, or 'none'")
    return text


def authority(text: str) -> str:
    """The address of a time-stamp authority, or nothing."""
    if text and not is_web_address(text):
        raise ValueError("an address such as http://timestamp.example.org, or nothing")
    return text.strip()


def command(text: str) -> str:
    """A command that can be split into words, or nothing."""
    import shlex

    try:
        words = shlex.split(text)
    except ValueError:
        raise ValueError("a command whose quotes are closed, such as 'mail -s harvest ops@example.org'") from None
    if text and not words:
        raise ValueError("a command, or nothing")
    return text


def scheduler(text: str) -> str:
    """The address of a Dask scheduler, or nothing."""
    try:
        parts = urlsplit(text)
        is_complete = bool(parts.scheme and parts.hostname and parts.port)
    except ValueError:
        is_complete = False
    if text and not is_complete:
        raise ValueError("the address of a scheduler such as tcp://10.0.0.5:8786, or nothing")
    return text


def secret_address(given: str | SecretStr) -> SecretStr:
    """A web address that may hold a token."""
    text = given if isinstance(given, str) else given.get_secret_value()
    if not is_web_address(text):
        raise ValueError("an address such as https://chat.example.org/hooks/…")
    return SecretStr(text.strip())


def secret_addresses(given: Any) -> tuple[SecretStr, ...]:
    """Addresses that may hold passwords, each once: a list, or a text with blanks between them."""
    allowed = "addresses such as slack://… or mailtos://…, separated by blanks"
    urls = given.split() if isinstance(given, str) else given
    if not isinstance(urls, list | tuple):
        raise ValueError(allowed)
    urls = [url.get_secret_value() if isinstance(url, SecretStr) else url for url in urls]
    if not all(isinstance(url, str) and "://" in url for url in urls):
        raise ValueError(allowed)
    return tuple(map(SecretStr, dict.fromkeys(urls)))


def agencies(given: Any) -> tuple[str, ...]:
    """Full codes of agencies, each once: from a list, or a text with commas or blanks between them."""
    codes = [full_agency_code(code) if isinstance(code, str) else None for code in _listed(given, _AGENCIES)]
    if None in codes:
        raise ValueError(_AGENCIES)
    return tuple(dict.fromkeys(code for code in codes if code))


def ranges(given: Any) -> tuple[str, ...]:
    """Ranges of serials, each once: from a list, or a text with commas or blanks between them."""
    allowed = "ranges of serials such as 50010000:1-7200, in quotes and separated by commas"
    texts = _listed(given, allowed)
    if not all(isinstance(one, str) for one in texts):
        raise ValueError(allowed)
    return tuple(dict.fromkeys(texts))


def _listed(given: Any, allowed: str) -> list[Any]:
    if isinstance(given, str):
        return [part for part in re.split(r"[,\s]+", given) if part]
    if not isinstance(given, list | tuple):
        raise ValueError(allowed)
    return list(given)


def watch(given: Any) -> Watch:
    """What is watched: from a table, or its JSON."""
    if isinstance(given, Watch):
        return given
    import json

    try:
        table = json.loads(given) if isinstance(given, str) else given
        chosen = {name: _texts(values) for name, values in table.items()}
        return Watch(**{**chosen, "agencies": agencies(chosen.get("agencies", ()))})
    except (ValueError, TypeError, AttributeError):  # no JSON, no table, another name in it
        raise ValueError(_WATCH) from None


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list | tuple) or not all(isinstance(one, str) for one in values):
        raise ValueError
    return tuple(values)
