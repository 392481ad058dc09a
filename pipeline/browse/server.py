"""The browser's server: GET and HEAD on loopback, nothing that can be changed by looking."""

import hashlib
import io
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import anyio.to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.browse.index import Index, open_index, wanted_index
from pipeline.browse.links import ServerLinks
from pipeline.browse.site import Answer, Site, style_sheet
from pipeline.browse.texts import LANGUAGES, Words
from pipeline.errors import BmaProgressError
from pipeline.publish.evidence import write_evidence
from pipeline.store.archive import Archive

_LOOK_AGAIN: Final = 10.0  # seconds after which a request looks for a newer night
_VERSION: Final = version("bma-progress")
_THREADS: Final = 8  # more would only wait for each other
_MAKE_INDEX: Final = """
import os, sys
from pipeline.browse.index import open_index
from pipeline.store.archive import Archive
if hasattr(os, "nice"):
    os.nice(10)  # readers come first
open_index(Archive(sys.argv[1]), contacts=sys.argv[2] == "1")
"""
_KEPT_ANSWERS: Final = 200
_LARGEST_KEPT: Final = 200_000
"""Answers that are kept, and bytes of the largest: 40 MB at most."""
_POLICIES: Final = {
    "site": "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'self'",
    "inert": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'",
}
"""Content policies: no page runs a script, and bytes of the portal load nothing and reach nothing."""
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class CurrentIndex:
    """The index of a store that goes on: a newer night is indexed beside the running one, which answers meanwhile.

    reopen: opens the store again, and brings the mirror of one in object storage up to date
    """

    def __init__(self, archive: Archive, reopen: Callable[[], Archive], *, contacts: bool) -> None:
        self.archive, self.contacts = archive, contacts
        self._reopen = reopen
        self._index = self._open(archive)
        self._checked = time.monotonic()
        self._working, self._mending = threading.Lock(), threading.Lock()

    def get(self) -> Index:
        """The index to answer from."""
        if time.monotonic() - self._checked > _LOOK_AGAIN and self._working.acquire(blocking=False):
            self._checked = time.monotonic()
            threading.Thread(target=self._refresh, daemon=True).start()
        return self._index

    def again(self, broken: Index) -> Index:
        """Another index in place of one whose file is lost or damaged. Raises BmaProgressError."""
        with self._mending:
            if self._index is broken:
                self._index = self._open(self._reopen())
            return self._index

    def _open(self, archive: Archive) -> Index:
        if not wanted_index(archive, contacts=self.contacts).file.exists():
            # in a process of its own: it holds no reader up, and takes its memory with it; what it cannot do is tried
            # here once more, and says why
            command = [sys.executable, "-c", _MAKE_INDEX, str(archive.root), str(int(self.contacts))]
            subprocess.run(command, check=False, stderr=subprocess.DEVNULL)  # noqa: S603 - this Python, our own code
        return open_index(archive, contacts=self.contacts)

    def _refresh(self) -> None:
        try:
            archive = self._reopen()
            if wanted_index(archive, contacts=self.contacts).key != self._index.key:
                self._index = self._open(archive)
        except (BmaProgressError, OSError):
            pass  # a store that cannot be read now: the index of before answers, and the next request looks again
        finally:
            self._working.release()


class RecentAnswers:
    """The answers of late, by their tags, which name the state they show: what many ask for is made once."""

    def __init__(self) -> None:
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._working = threading.Lock()

    def get(self, tag: str) -> Answer | None:
        """The answer of before, if it is kept."""
        with self._working:
            if tag in self._answers:
                self._answers.move_to_end(tag)
            return self._answers.get(tag)

    def keep(self, tag: str, answer: Answer) -> None:
        """Keep an answer, and no longer the one that was asked for the longest ago."""
        if answer.status != 200 or len(answer.body) > _LARGEST_KEPT:
            return
        with self._working:
            self._answers[tag] = answer
            if len(self._answers) > _KEPT_ANSWERS:
                self._answers.popitem(last=False)


def application(
    archive: Archive, reopen: Callable[[], Archive], *, contacts: bool, hosts: tuple[str, ...]
) -> Starlette:
    """The ASGI application of one store.

    reopen: opens it again; contacts: whether contact lines may be shown; hosts: the names under which it may be asked
    """
    current, recent = CurrentIndex(archive, reopen, contacts=contacts), RecentAnswers()

    def show(answer: Callable[[Site, Request], Answer]) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            return _respond(request, archive, current, recent, answer)

        return endpoint

    pages: dict[str, Callable[[Site, Request], Answer]] = {
        "/": lambda site, request: site.home(request.query_params),
        "/search": lambda site, request: site.search(request.query_params),
        "/projects/{code}": lambda site, request: site.record(
            request.path_params["code"], "project", request.query_params
        ),
        "/kpis/{code}": lambda site, request: site.record(request.path_params["code"], "kpi", request.query_params),
        "/agencies": lambda site, request: site.agencies(request.query_params),
        "/agencies/{code}": lambda site, request: site.agency(request.path_params["code"], request.query_params),
        "/changes": lambda site, request: site.changes(request.query_params),
        "/changes.atom": lambda site, request: site.feed("atom", request.query_params),
        "/changes.json": lambda site, request: site.feed("json", request.query_params),
        "/changes/{harvest_id}/{number}": lambda site, request: site.change(
            request.path_params["harvest_id"], request.path_params["number"], request.query_params
        ),
        "/flags": lambda site, request: site.flags(request.query_params),
        "/pages/{sha256}": lambda site, request: site.stored_page(request.path_params["sha256"], request.query_params),
        "/pages/{sha256}/body": lambda site, request: site.body(request.path_params["sha256"], quiet=False),
        "/pages/{sha256}/quiet": lambda site, request: site.body(request.path_params["sha256"], quiet=True),
        "/projects/{code}/evidence.zip": lambda site, request: _evidence(site, request.path_params["code"]),
        "/kpis/{code}/evidence.zip": lambda site, request: _evidence(site, request.path_params["code"]),
        "/dictionary": lambda site, request: site.dictionary(),
        "/{path:path}": lambda site, request: site.not_found(),
    }
    routes = [Route("/style.css", _style, methods=["GET"])]
    routes += [Route(path, show(answer), methods=["GET"]) for path, answer in pages.items()]
    return Starlette(
        routes=routes, lifespan=_few_threads, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))]
    )


@asynccontextmanager
async def _few_threads(_app: Starlette) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield


def _respond(
    request: Request,
    archive: Archive,
    current: CurrentIndex,
    recent: RecentAnswers,
    answer: Callable[[Site, Request], Answer],
) -> Response:
    began, worked = time.perf_counter(), time.thread_time()
    language = _language(request)
    index = current.get()
    address = f"{request.url.path}?{request.url.query}"
    # another version of the program shows the same state in its own way
    shown = f"{_VERSION} {index.key} {language} {address}"
    etag = f'"{hashlib.sha256(shown.encode()).hexdigest()[:32]}"'
    headers = {**_HEADERS, "ETag": etag, "Vary": "Accept-Language, Cookie"}
    headers["Cache-Control"] = "no-cache"  # may be kept, and is asked for again: a new night has another tag
    if _is_known(request, etag):
        return _with_language(request, language, Response(status_code=304, headers=headers))
    base = str(request.base_url).rstrip("/")
    kept_as = f"{base} {etag}"  # feeds hold the address under which they were asked for
    given = recent.get(kept_as)
    if given is None:
        links = ServerLinks(request.url.path, request.query_params)
        site = Site(archive, index, Words(language), current.contacts, base, links)
        try:
            try:
                given = answer(site, request)
            except sqlite3.Error:
                given = answer(replace(site, index=current.again(index)), request)
        except BmaProgressError as error:
            given = site.refused(error)
        if given.status < 500:  # what is damaged may be whole again before another night comes
            recent.keep(kept_as, given)
    if given.status != 200:
        del headers["ETag"]
    headers["Content-Security-Policy"] = _POLICIES[given.policy]
    if given.file_name:
        headers["Content-Disposition"] = f'attachment; filename="{given.file_name}"'
    spent = ((time.perf_counter() - began) * 1000, (time.thread_time() - worked) * 1000)
    headers["Server-Timing"] = "page;dur={:.1f}, cpu;dur={:.1f}".format(*spent)
    response = Response(given.body, given.status, headers, media_type=None)
    response.headers["Content-Type"] = given.media_type
    return _with_language(request, language, response)


def _is_known(request: Request, etag: str) -> bool:
    """Whether the asker holds this answer already: one of several tags, and weak where something between packed it."""
    return etag in (tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(","))


def _with_language(request: Request, language: str, response: Response) -> Response:
    """The answer with the cookie that keeps the language, where the switch was used: an unchanged answer, too."""
    if request.query_params.get("lang") in LANGUAGES:
        response.set_cookie("lang", language, httponly=True, samesite="strict")
    return response


def _language(request: Request) -> str:
    """The reader's language: the switch, else the last choice, else the browser's; English where nothing says Thai."""
    for text in (request.query_params.get("lang"), request.cookies.get("lang")):
        if text in LANGUAGES:
            return text
    wanted = [part.split(";")[0].strip().lower()[:2] for part in request.headers.get("accept-language", "").split(",")]
    return next((language for language in wanted if language in LANGUAGES), "en")


def _style(request: Request) -> Response:
    return Response(style_sheet(), headers={**_HEADERS, "Cache-Control": "max-age=3600"}, media_type="text/css")


def _evidence(site: Site, code: str) -> Answer:
    """The evidence bundle of one record as one file."""
    if not site.contacts:
        return site.withheld()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "evidence"
        write_evidence(site.archive, code, out)
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
            for path in sorted(out.rglob("*")):
                if path.is_file():
                    bundle.write(path, f"{code}/{path.relative_to(out).as_posix()}")
    return Answer(file.getvalue(), "application/zip", file_name=f"evidence-{code}.zip")


def serve(
    open_store: Callable[[], Archive], *, host: str, port: int, contacts: bool, started: Callable[[str], Any]
) -> None:
    """Answer until interrupted.

    open_store: opens the store, at first and to look for newer nights; started: called with the address once it answers
    Raises BmaProgressError.
    """
    import socket

    import uvicorn

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # who connects before the server runs is answered a moment later
    except OSError as error:
        listener.close()
        raise BmaProgressError(
            f"port {port} of {host} cannot be used ({error.strerror}); choose another with --port"
        ) from None
    name = f"[{host}]" if ":" in host else host
    hosts = ("*",) if host in ("0.0.0.0", "::") else ("127.0.0.1", "localhost", "[::1]", name)  # noqa: S104 - compared
    app = application(open_store(), open_store, contacts=contacts, hosts=hosts)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, server_header=False))
    started(f"http://{name}:{listener.getsockname()[1]}/")
    server.run([listener])
