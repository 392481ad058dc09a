"""The pages of the browser as files that any web server or bucket can hold: the latest state, and changes of the last nights.

Every file is made by the functions that the server answers with; links are relative. Thai is in the folder itself, English
in `en/`. Only files whose bytes changed are written, and files of an earlier time that are no more are removed: the list
`site-files.txt` says which files are this site's own.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import quote
from xml.sax.saxutils import escape

from pipeline.browse import queries
from pipeline.browse.index import Index, open_index
from pipeline.browse.links import RECORD_LISTS, FileLinks
from pipeline.browse.site import Answer, Site, style_sheet
from pipeline.browse.texts import LANGUAGES, Words
from pipeline.errors import BmaProgressError
from pipeline.publish.charts import Chart
from pipeline.store.archive import Archive
from pipeline.store.durable import canonical_json

NIGHTS: Final = 30
"""Nights whose changes a site shows, unless it is asked for others."""
_OWN_FILES: Final = "site-files.txt"
_MOST_ADDRESSES: Final = 50_000  # of one sitemap, by its standard
_PROCESSES: Final = 2
_MANY: Final = 1_000
"""Records from which a second process is worth its start."""
_AT_ONCE: Final = 20
"""Pages that follow each other and are made by the same process."""
_STYLES: Final = ("csv", "parquet", "json")


@dataclass(frozen=True)
class SiteResult:
    """What became of the files of a site: how many were written, had these bytes already, were removed."""

    harvest_id: str
    written: int
    unchanged: int
    removed: int


def write_site(
    archive: Archive, out: Path, *, contacts: bool = False, nights: int = NIGHTS, url: str | None = None
) -> SiteResult:
    """Write the site of a store's latest state into a folder, or bring it up to date.

    contacts: whether contact lines are shown; nights: how many of the last nights' changes are; url: where the site will
    be, for sitemap and feeds, which have relative addresses without it. Raises BmaProgressError.
    """
    if out.resolve().is_relative_to(archive.root.resolve()):
        raise BmaProgressError(f"{out} lies in the store, which holds nothing else; name another folder with --out")
    index = open_index(archive, contacts=contacts, words=False)
    plan = _Plan(archive, index, contacts, nights, url)
    try:
        files = _Files(out)
        parts = _PROCESSES if len(plan.known) >= _MANY else 1
        if parts == 1:
            files.put_all(plan.pages(0, 1))
        else:
            with ProcessPoolExecutor(parts, get_context("spawn")) as pool:
                work = (archive.root, index.file, out, contacts, nights, url)
                started = [pool.submit(_write_pages, *work, part, parts) for part in range(parts)]
                for one in started:
                    files.add(one.result())
        files.put_all(plan.rest())
        return files.finish(index.harvest_id)
    except OSError as error:
        raise BmaProgressError(
            f"{error.filename or out} cannot be written ({error.strerror}); choose another folder with --out"
        ) from None


@dataclass
class _Written:
    """The files that belong to a site now, and how many of them were written."""

    paths: set[str]
    number: int = 0


class _Files:
    """The files of a site below a folder. A file that another wrote is never touched."""

    def __init__(self, out: Path) -> None:
        self._out = out
        out.mkdir(parents=True, exist_ok=True)
        self._list = out / _OWN_FILES
        self._before = set(_own_files(self._list))
        self.written = _Written(set())

    def put(self, path: str, body: bytes) -> None:
        """Write a file where its bytes are not there yet. path: from the site's folder"""
        file = self._out / path
        self.written.paths.add(path)
        if path not in self._before:
            if file.exists() or file.is_symlink():
                raise BmaProgressError(
                    f"{file} is there and not of this site; name an empty folder, or one that `site` wrote, with --out"
                )
            # first, so that a site cut short is known as its own
            with self._list.open("a", encoding="utf-8") as stream:
                stream.write(f"{path}\n")
        elif file.is_file() and file.read_bytes() == body:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        _replace(file, body)
        self.written.number += 1

    def put_all(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Write several files, each a path and its bytes."""
        for path, body in files:
            self.put(path, body)

    def add(self, other: _Written) -> None:
        """Note what another process wrote."""
        self.written.paths |= other.paths
        self.written.number += other.number

    def finish(self, harvest_id: str) -> SiteResult:
        """Remove the files that are no more, and write the list of those that are."""
        now, number = self.written.paths, self.written.number
        gone = sorted(self._before - now)
        for path in gone:
            (self._out / path).unlink(missing_ok=True)
        for folder in sorted({parent for path in gone for parent in PurePosixPath(path).parents}, reverse=True):
            if folder != PurePosixPath() and not any((self._out / folder).glob("*")):
                (self._out / folder).rmdir()
        _replace(self._list, "".join(f"{path}\n" for path in sorted(now)).encode())  # half a list would disown the rest
        return SiteResult(harvest_id, number, len(now) - number, len(gone))


def _replace(file: Path, body: bytes) -> None:
    new = file.with_name(f".{file.name}.new")
    new.write_bytes(body)
    new.replace(file)


def _own_files(file: Path) -> Iterator[str]:
    """The files that a list names; a line that leads out of the folder is none of them."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        path = PurePosixPath(line)
        if line and not path.is_absolute() and ".." not in path.parts:
            yield line


class _Plan:
    """Every file of a site. The pages can be made in parts, by several processes."""

    def __init__(self, archive: Archive, index: Index, contacts: bool, nights: int, url: str | None) -> None:
        self._archive, self._index, self._contacts, self._nights = archive, index, contacts, nights
        rows = queries.nights(index)
        self._since = rows[nights]["harvest_id"] if len(rows) > nights else None
        self.known = _known(index, [row["harvest_id"] for row in rows[:nights]])
        self._base = f"{url.rstrip('/')}/" if url else ""
        charts: dict[str, Chart | None] = {}
        self._sites: list[tuple[str, FileLinks, Site]] = []
        for language in LANGUAGES:
            folder = "" if language == "th" else f"{language}/"
            links, base = FileLinks(folder, self.known), f"{self._base}{folder}" if self._base else ""
            site = Site(archive, index, Words(language), contacts, base, links, self._since, charts)
            self._sites.append((folder, links, site))

    def pages(self, part: int, parts: int) -> Iterator[tuple[str, bytes]]:
        """The pages and feeds of one part: the path of each and its bytes."""
        for number, (path, answer) in enumerate(_answers(self._index, self.known, self._since)):
            if number // _AT_ONCE % parts != part:
                continue
            for folder, links, site in self._sites:  # both at once: what was asked for one is known for the other
                links.here = f"{folder}{path}"
                yield links.here, answer(site).body

    def rest(self) -> Iterator[tuple[str, bytes]]:
        """All other files."""
        paths = (path for path, _ in _answers(self._index, self.known, self._since) if path.endswith(".html"))
        pages = [f"{folder}{path}" for path in paths for folder, _, _ in self._sites]
        *_, (_, _, site) = self._sites
        yield "style.css", style_sheet()
        data = dict(_data(self._index, site, self._since))
        yield from data.items()
        yield from _sitemap(pages, self._base)
        about = {
            "portal": self._archive.portal,
            "harvest_id": self._index.harvest_id,
            "day": site.newest_day,
            "contacts": self._contacts,
            "nights": self._nights,
            "languages": {"th": "index.html", "en": "en/index.html"},
            "pages": len(pages),
            "data": {
                path: {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()} for path, body in data.items()
            },
        }
        yield "index.json", canonical_json(about)


def _write_pages(
    root: Path, index: Path, out: Path, contacts: bool, nights: int, url: str | None, part: int, parts: int
) -> _Written:
    """Write one part of the pages, in a process of its own."""
    files = _Files(out)
    files.put_all(_Plan(Archive(root), Index(index), contacts, nights, url).pages(part, parts))
    return files.written


def _known(index: Index, nights: list[str]) -> frozenset[str]:
    """The records, agencies and nights that have pages, by the names of their files."""
    records = [f"{row['kind']}s/{row['code']}" for row in index.rows("SELECT kind, code FROM records")]
    agencies = [
        f"agencies/{row['agency_code']}"
        for row in index.rows("SELECT DISTINCT agency_code FROM records")
        if row["agency_code"] and queries.agency(index, row["agency_code"])
    ]
    return frozenset([*records, *agencies, *(f"nights/{night}" for night in nights)])


def _answers(index: Index, known: frozenset[str], since: str | None) -> Iterator[tuple[str, Callable[[Site], Answer]]]:
    """The pages of a language: the path of each file, and what makes it."""
    yield "index.html", lambda site: site.home({})
    yield "agencies.html", lambda site: site.agencies({})
    yield "dictionary.html", Site.dictionary
    yield "changes.atom", lambda site: site.feed("atom", {})
    yield "changes.json", lambda site: site.feed("json", {})
    for name, filters in RECORD_LISTS.items():
        for page, path in _pages(name, queries.search(index, filters, 1).total):
            yield path, lambda site, filters=filters, page=page: site.search({**filters, "page": page})  # type: ignore[misc]
    for page, path in _pages("flags", queries.flags(index, {}, 1).total):
        yield path, lambda site, page=page: site.flags({"page": page})  # type: ignore[misc]
    bounds = {"from": since} if since else {}
    for page, path in _pages("changes", queries.changes(index, bounds, 1).total):
        yield path, lambda site, page=page: site.changes({"page": page})  # type: ignore[misc]
    for name in sorted(known):
        kind, _, code = name.partition("/")
        if kind in ("projects", "kpis"):
            yield f"{name}.html", lambda site, code=code, kind=kind: site.record(code, kind[:-1], {})  # type: ignore[misc]
        elif kind == "agencies":
            for page, path in _pages(name, queries.search(index, {"agency": code}, 1).total):
                yield path, lambda site, code=code, page=page: site.agency(code, {"page": page})  # type: ignore[misc]
        else:
            for page, path in _pages(name, queries.changes(index, {"night": code}, 1).total):
                yield path, lambda site, code=code, page=page: site.changes({"night": code, "page": page})  # type: ignore[misc]


def _pages(name: str, total: int) -> Iterator[tuple[str, str]]:
    """The pages of a list: their numbers as text, and their files."""
    for number in range(1, max(1, -(-total // queries.PER_PAGE)) + 1):
        yield str(number), f"{name}.html" if number == 1 else f"{name}-{number}.html"


def _data(index: Index, site: Site, since: str | None) -> Iterator[tuple[str, bytes]]:
    """Every list whole, as CSV, Parquet and JSON."""
    changes = "SELECT * FROM changes WHERE own = 1 AND harvest_id > ? ORDER BY harvest_id DESC, change_no"
    lists: dict[str, list[dict[str, Any]]] = {
        "nights": queries.nights(index),
        "records": index.rows("SELECT * FROM records ORDER BY code"),
        "agencies": queries.agencies(index),
        "flags": index.rows("SELECT * FROM flags ORDER BY rule, project_code, flag_no"),
        "changes": index.rows(changes, since or ""),
    }
    for name, rows in lists.items():
        for style in _STYLES:
            schema = index.schema(name) if name in ("records", "flags", "changes") else None
            yield f"data/{name}.{style}", site.data(rows, len(rows), None, style, name, schema).body


def _sitemap(pages: list[str], base: str) -> Iterator[tuple[str, bytes]]:
    """The sitemap; where there are more pages than one may name, a list of sitemaps."""
    parts = [pages[at : at + _MOST_ADDRESSES] for at in range(0, len(pages), _MOST_ADDRESSES)]
    if len(parts) == 1:
        yield "sitemap.xml", _addresses("urlset", "url", base, parts[0])
        return
    for number, part in enumerate(parts, 1):
        yield f"sitemap-{number}.xml", _addresses("urlset", "url", base, part)
    names = [f"sitemap-{number}.xml" for number in range(1, len(parts) + 1)]
    yield "sitemap.xml", _addresses("sitemapindex", "sitemap", base, names)


def _addresses(root: str, element: str, base: str, paths: list[str]) -> bytes:
    lines = "".join(f"<{element}><loc>{escape(f'{base}{quote(path)}')}</loc></{element}>\n" for path in paths)
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{space}">\n{lines}</{root}>\n'.encode()
