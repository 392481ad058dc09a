"""The addresses that pages link to: those of the server, or the files of a site that any web server can hold."""

import posixpath
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, Final, Protocol
from urllib.parse import quote, urlencode

_LISTS: Final = frozenset(("index", "agencies", "changes", "flags", "dictionary", "changes.atom", "changes.json"))
RECORD_LISTS: Final[Mapping[str, Mapping[str, str]]] = {
    "search": {},
    "rewritten": {"rewritten": "1", "sort": "rewritten"},
    "behind": {"behind": "1", "sort": "behind"},
    "silent": {"silent": "1", "sort": "silent"},
    "flagged": {"flagged": "1", "sort": "flags"},
    "ended": {"ended": "1"},
}
"""Lists of records that have a file in a site, with their filters."""


class Links(Protocol):
    """What a page asks for the address of another: None where there is no such page."""

    live: bool
    """Whether a server answers: then lists can be filtered, and stored pages shown."""

    def __call__(self, path: str, **query: Any) -> str | None:
        """The address of a path with a query; values that are None or empty are left out."""

    def other_language(self, language: str) -> str | None:
        """The page that is shown, in another language."""


class ServerLinks:
    """Addresses of the server.

    path, query: of the page that is shown
    """

    live = True

    def __init__(self, path: str = "/", query: Mapping[str, str] | None = None) -> None:
        self._path, self._query = path, dict(query or {})

    def __call__(self, path: str, **query: Any) -> str:
        """The address of a path with a query."""
        return _address(path, query)

    def other_language(self, language: str) -> str:
        """The same page with the switch in its query."""
        return _address(self._path, {**self._query, "lang": language})


class FileLinks:
    """Addresses of a site's files, relative to the file that is shown.

    folder: of the language, `` or `en/`; known: records, agencies and nights that have pages, such as `kpis/2400-1013`

    here: the file that is shown, from the site's root; set it before each page
    """

    live = False

    def __init__(self, folder: str, known: Collection[str]) -> None:
        self._folder, self._known = folder, known
        self.here = f"{folder}index.html"

    def __call__(self, path: str, **query: Any) -> str | None:
        """The file of an address, relative to the one that is shown; None where the site has none."""
        path, _, anchor = path.partition("#")
        file = self.file_of(path, {name: str(value) for name, value in query.items() if value not in (None, "")})
        if file is None:
            return None
        return f"{_relative(file, self.here)}{f'#{anchor}' if anchor else ''}"

    def other_language(self, language: str) -> str:
        """The same page in the folder of another language."""
        page = self.here[len(self._folder) :]
        return _relative(page if language == "th" else f"{language}/{page}", self.here)

    def file_of(self, path: str, query: Mapping[str, str]) -> str | None:
        """The file of an address, from the site's root; None where the site has none."""
        wanted = dict(query)
        style, number = wanted.pop("format", None), wanted.pop("page", "1")
        if style:
            data = {"/": "nights", "/search": "records"}.get(path, path.lstrip("/"))
            return None if wanted or "/" in data else f"data/{data}.{style}"
        if path == "/style.css":
            return "style.css"
        name = self._name(path, wanted)
        if name is None:
            return None
        return f"{self._folder}{name}" if "." in name else f"{self._folder}{name}{_suffix(number)}.html"

    def _name(self, path: str, query: dict[str, str]) -> str | None:
        if path == "/search":
            return next((name for name, filters in RECORD_LISTS.items() if dict(filters) == query), None)
        if path == "/changes" and query.keys() == {"night"}:
            path, query = f"/nights/{query['night']}", {}
        name = path.strip("/") or "index"
        return name if not query and (name in _LISTS or name in self._known) else None


def _suffix(number: str) -> str:
    return "" if number == "1" else f"-{number}"


def _relative(file: str, here: str) -> str:
    return _from_folder(file, posixpath.dirname(here))


@lru_cache(maxsize=100_000)
def _from_folder(file: str, folder: str) -> str:
    return posixpath.relpath(file, folder or ".")


def _address(path: str, query: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in query.items() if value not in (None, "")}
    path, _, anchor = path.partition("#")
    text = f"{quote(path)}?{urlencode(kept)}" if kept else quote(path)
    return f"{text}#{anchor}" if anchor else text
