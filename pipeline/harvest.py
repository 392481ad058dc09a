"""One night, step by step: what to fetch, fetching it, and making a harvest of it. Runs with or without Prefect."""

import asyncio
import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import orjson

from parsers import PARSER_VERSION, facts_sha256, parse_page
from pipeline.checks import BoundResult, Bounds, Coverage, agency_of, check_bounds, coverage
from pipeline.client import Fetched, PortalClient
from pipeline.commit import Staged, commit, known_pages, stage
from pipeline.errors import PortalError, StoreError
from pipeline.packs import file_sha256
from pipeline.portal import LISTS, PageRef, agency_codes, discover, list_ref, older_copy, start_ref
from pipeline.replay import needs_replay, publish_replay
from pipeline.settings import Settings
from pipeline.spool import Spool, SpooledPage
from pipeline.store import Store, canonical_json, harvest_start, write_durably
from pipeline.versions import PageRow

SPOOL: Final = "spool.sqlite"
_LARGEST_BLOCK_PAGE: Final = 5_000  # bytes; the pages of records seen have 60,000 and more
_MAX_PASSES: Final = 3  # the first, and two over what failed
_RECORD_KINDS: Final = ("project", "kpi", "yii_project")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a harvest is asked for.

    pages: only these pages; agencies: only these (8 digits); sample: at most so many pages with records; probe: pages
    of a range of serials beside all others. Nothing of it: the whole portal.
    """

    pages: tuple[PageRef, ...] = ()
    agencies: tuple[str, ...] = ()
    sample: int | None = None
    probe: tuple[PageRef, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Names the scope, so that an unfinished harvest is resumed by the same wish only."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class HarvestResult:
    """What came of a harvest.

    held_back: why it does not replace the last one; None when it is published
    remarks: what an operator should know beside that, one sentence each
    """

    harvest_id: str
    published: bool
    held_back: str | None
    outcomes: dict[str, int]
    rows: dict[str, int]
    changes: dict[str, int]
    coverage: list[Coverage]
    bounds: list[BoundResult]
    failures: list[dict[str, str | None]]
    seconds: float
    requests_interval: float
    resumed: bool
    remarks: list[str]

    def document(self) -> dict[str, Any]:
        """The result as plain data, for report.json."""
        return asdict(self)


class Night:
    """A harvest under way. Make it with `Night.begin` inside `store.writer()`."""

    def __init__(self, settings: Settings, store: Store, scope: Scope, harvest_id: str, *, resumed: bool) -> None:
        self.settings = settings
        self.store = store
        self.scope = scope
        self.harvest_id = harvest_id
        self.resumed = resumed
        self.folder = store.root / "runs" / harvest_id
        self.spool = Spool(self.folder / SPOOL)
        self.known: dict[str, PageRow] = known_pages(store)
        self.counts: Counter[str] = Counter()
        self.stop_requested = False
        self.client: PortalClient | None = None
        self._started = time.monotonic()
        self._passes = 0
        self._failed: int | None = None
        self._log = (self.folder / "log.jsonl").open("ab", buffering=0)

    @classmethod
    def begin(cls, settings: Settings, store: Store, scope: Scope, *, resume: bool = True) -> "Night":
        """Begin a harvest, or go on with the one that was interrupted.

        resume: False discards an unfinished harvest. Raises StoreError where one of another scope is unfinished.
        """
        unfinished = unfinished_run(store)
        if unfinished and not resume:
            shutil.rmtree(store.root / "runs" / unfinished)
            unfinished = None
        if unfinished:
            night = cls(settings, store, scope, unfinished, resumed=True)
            if "scope" not in night.spool.meta():  # killed while it was planned: nothing was fetched yet
                night.close()
                return cls.begin(settings, store, scope, resume=False)
            if night.spool.meta()["scope"] != scope.fingerprint:
                night.close()
                raise StoreError(
                    f"the harvest {unfinished} of other pages is unfinished; go on with it by the command that began it, "
                    "or discard it with --fresh"
                )
            night.log("resumed", pending=night.spool.counts()["pending"])
            return night
        if needs_replay(store, known_pages(store)):  # so that tonight's differences are the portal's alone
            publish_replay(store, settings, new_harvest_id(store))
        night = cls(settings, store, scope, new_harvest_id(store), resumed=False)
        for source, refs in groupby(plan(settings, scope, night.known), key=itemgetter(0)):
            night.spool.add((ref for _, ref in refs), source)
        night.spool.set_meta(portal=settings.portal, scope=scope.fingerprint, begun_at=datetime.now(UTC).isoformat())
        night.log("begun", portal=settings.portal, pending=night.spool.counts()["pending"])
        return night

    # --- fetching ---------------------------------------------------------------------------------------------------

    def next_batch(self) -> list[PageRef]:
        """The next pages to fetch; empty when there are none, or when a stop was asked for."""
        if self.stop_requested:
            return []
        pending = self.spool.pending(self.settings.batch_size)
        if self.scope.sample is not None:
            left = self.scope.sample - self.spool.records()
            lists = [ref for ref in pending if ref.kind not in _RECORD_KINDS]
            pending = lists or self._sampled(left)
        return pending

    def next_pass(self) -> bool:
        """Whether to go through the pages once more: at first, then over the failures as long as that recovers some."""
        self._passes += 1
        if self._passes == 1:
            return True
        failed, before = self.spool.counts()["failed"], self._failed
        self._failed = failed
        if not failed or failed == before or self._passes > _MAX_PASSES or self.stop_requested:
            return False
        self.spool.retry_failed()
        return True

    def _sampled(self, left: int) -> list[PageRef]:
        return [ref for ref in self.spool.pending() if ref.kind in _RECORD_KINDS][: max(left, 0)][
            : self.settings.batch_size
        ]

    async def fetch_batch(self, batch: Iterable[PageRef], on_page: Callable[[], None] = lambda: None) -> Counter[str]:
        """Fetch, parse and keep a batch of pages; returns how many had which result. Kept pages are never lost."""
        if self.client is None:
            raise RuntimeError("a batch needs the night's client: use `async with night.connect()`")
        counts: Counter[str] = Counter()
        queue = iter(list(batch))

        async def work(client: PortalClient) -> None:
            for ref in queue:  # all workers draw from one queue
                if self.stop_requested:
                    return
                result = await self._fetch_page(client, ref)
                counts[result] += 1
                self.counts[result] += 1
                on_page()

        try:
            async with asyncio.TaskGroup() as workers:
                # the client limits what is under way; more workers than that, as some only wait before a further try
                for _ in range(4 * self.settings.concurrency):
                    workers.create_task(work(self.client))
        except BaseExceptionGroup as group:
            raise _first_error(group) from None
        return counts

    async def _fetch_page(self, client: PortalClient, ref: PageRef) -> str:
        known = self.known.get(ref.page_key)
        live = known is not None and known["version_harvest_id"] is not None and known["ended_at"] is None
        current = live and known is not None and known["parser_version"] == PARSER_VERSION
        validators = {"etag": known["etag"], "last_modified": known["last_modified"]} if current and known else {}
        fetched = await client.fetch(ref.url, **validators)
        page, found = self._read(ref, fetched, known if current else None)
        if _has_no_record(page) and (older := self._copy_to_try(ref, known)):
            other, links = self._read(older, await client.fetch(older.url), known if current else None)
            page, found = (page, found) if _has_no_record(other) or other.error else (other, links)
        if found and self.spool.size() >= self.settings.max_pages:
            found = []  # an endless listing must not lead us on for ever
        self.spool.put(page, found)
        result = page.error_kind or page.verdict or ("not_modified" if page.not_modified else "unchanged")
        self.log(
            "page", page=ref.page_key, status=page.http_status, result=result, attempts=page.attempts, error=page.error
        )
        return result

    def _copy_to_try(self, ref: PageRef, known: PageRow | None) -> PageRef | None:
        """The older copy of a page that `/mobile/` does not have: for pages linked to, never seen under `/mobile/`."""
        if known is not None and known["version_harvest_id"] is not None and "/mobile62/" not in known["url"]:
            return None
        return older_copy(ref) if self.spool.source(ref.page_key) in ("link", "known", "asked") else None

    def _read(self, ref: PageRef, fetched: Fetched, known: PageRow | None) -> tuple[SpooledPage, list[PageRef]]:
        """Parse what came, unless it is byte for byte what is already known; returns the page and what it links to."""
        page = SpooledPage(
            page_key=ref.page_key,
            kind=ref.kind,
            code=ref.code,
            url=ref.url,
            http_status=fetched.status,
            headers=dict(fetched.headers),
            fetched_at=fetched.fetched_at,
            attempts=fetched.attempts,
            sha256=None,
            error=fetched.error,
            error_kind=fetched.error_kind,
            not_modified=fetched.not_modified,
        )
        if fetched.error is not None and not fetched.body:
            return page, []
        if fetched.not_modified:
            return page, []
        page = replace(page, sha256=fetched.sha256, size=len(fetched.body))
        if known is not None and known["record_sha256"] == page.sha256:
            return page, []
        parsed = parse_page(fetched.body, url=ref.url, content_type=fetched.headers.get("content-type"))
        has_record = bool(parsed.tables) and (parsed.kind, parsed.code) == (ref.kind, ref.code)
        if parsed.tables and not has_record:  # not what its address promises: no record of this key
            page = replace(page, error=page.error or f"the address shows the {parsed.kind} page of {parsed.code}")
        page = replace(
            page,
            body=fetched.body,
            verdict=parsed.verdict,
            facts_sha256=facts_sha256(parsed.tables) if has_record else None,
            encoding=parsed.encoding,
            evaluation_quarter=parsed.evaluation_quarter,
            parser_version=PARSER_VERSION,
            tables=parsed.tables if has_record else None,
            findings=[dict(finding) for finding in parsed.findings],
        )
        if ref.kind == "start":
            page = replace(page, body=b"", verdict=None, findings=[])
        if self.scope.pages or fetched.error is not None:
            return page, []
        found = discover(parsed.links, fetched.final_url, self.settings.portal)
        mine = [link for link in found if ref.kind == "project" or self._link_is_wanted(link)]
        if ref.kind == "project" and has_record and (kpis := parsed.tables["project_kpis"]):
            base = urljoin(ref.url, "mykpi.php?pid=")  # indicators the page names without a link
            mine += discover([f"{base}{row['kpi_code']}" for row in kpis], ref.url, self.settings.portal)
        return page, [link for link in mine if link.kind == "kpi" or self._link_is_wanted(link)]

    def _link_is_wanted(self, ref: PageRef) -> bool:
        if not self.scope.agencies:
            return True
        code = ref.code if ref.kind == "result_list" else ref.code[:8] if ref.kind != "kpi" else f"{ref.code[:4]}0000"
        return code in self.scope.agencies

    def connect(self) -> "_Connection":
        """A context in which batches can be fetched: one client for the whole harvest."""
        return _Connection(self)

    # --- making a harvest of it -------------------------------------------------------------------------------------

    def finish(self) -> HarvestResult:
        """Stage, check, commit and publish what was fetched. Raises PortalError where nothing at all came."""
        if not any(page.sha256 or page.not_modified for page in self.spool.pages(with_body=False, with_rows=False)):
            reasons = Counter(page.error for page in self.spool.pages(with_body=False, with_rows=False) if page.error)
            why = reasons.most_common(1)[0][0] if reasons else "there was no page to fetch"
            raise PortalError(f"nothing came from {self.settings.portal} ({why}); what was published before stands")
        staged = stage(
            self.store,
            self.harvest_id,
            (page for page in self.spool.pages() if page.kind != "start"),
            self.known,
            publish_contacts=self.settings.publish_contacts,
        )
        result = self._judge(staged)
        self.log("judged", published=result.published, held_back=result.held_back)
        self._write_report(result)  # before the commit: no kill leaves a harvest without its report
        commit(
            staged,
            held_back=result.held_back,
            report=_lean_report(result),
            run_sha256=file_sha256(self.folder / "SHA256SUMS"),
        )
        self.store.prune_snapshots(self.settings.keep_snapshots)
        self.store.prune_logs(self.settings.keep_logs)
        self.close()
        _drop_spool(self.folder)
        return result

    def _judge(self, staged: Staged) -> HarvestResult:
        asked = {ref.page_key for ref, _, _ in self.spool.asked()}
        expected = {
            key: row
            for key, row in self.known.items()
            if row["version_harvest_id"] and not row["ended_at"] and key in asked
        }
        tonight = [page for page in staged.pages if page["page_key"] in expected]
        gone = sum(page["outcome"] in ("not_found", "blank") for page in tonight)
        lost = sum(page["outcome"] in ("failed", "blocked") for page in tonight)
        groups = coverage(staged.pages, expected)
        bounds = check_bounds(
            groups,
            staged.rows_before,
            staged.rows,
            Bounds(
                self.settings.min_answered_share,
                self.settings.max_gone_share,
                self.settings.max_suspect_share,
                self.settings.min_rows_share,
                self.settings.allowance_pages,
                self.settings.allowance_rows,
            ),
            gone=gone,
            lost_answers=lost,
            expected=len(expected),
        )
        tripped = [bound for bound in bounds if not bound.held]
        held_back = "; ".join(f"{bound.message} Allowed: {bound.expected}." for bound in tripped) or None
        failures = [
            {"page_key": page["page_key"], "outcome": page["outcome"], "error": page["error"]}
            for page in staged.pages
            if page["outcome"] in ("failed", "blocked")
        ]
        return HarvestResult(
            self.harvest_id,
            held_back is None,
            held_back,
            dict(staged.outcomes),
            staged.rows,
            dict(staged.changes),
            groups,
            bounds,
            failures,
            round(time.monotonic() - self._started, 1),
            1 / self.settings.rate if self.client is None else self.client.interval,
            self.resumed,
            self._remarks(),
        )

    def _remarks(self) -> list[str]:
        if self.spool.size() < self.settings.max_pages:
            return []
        return [
            f"Discovery stopped at {self.settings.max_pages:,} pages: links found after that were not followed. If the "
            "portal really has more, raise the setting max_pages."
        ]

    def _write_report(self, result: HarvestResult) -> None:
        from pipeline.run_report import report_text

        write_durably(self.folder / "report.json", canonical_json(result.document()))
        write_durably(self.folder / "report.txt", report_text(result, self.settings.portal).encode())
        files = [self.folder / name for name in ("log.jsonl", "report.json", "report.txt")]
        sums = "".join(f"{file_sha256(file)}  {file.name}\n" for file in files)
        write_durably(self.folder / "SHA256SUMS", sums.encode())

    def close(self) -> None:
        """Close the spool and the log; everything fetched is kept for the next start."""
        self.spool.close()
        self._log.close()

    def log(self, event: str, **values: Any) -> None:
        """One line of the run's log, as JSON."""
        if not self._log.closed:
            line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **values}
            self._log.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


class _Connection:
    """Opens the night's client and closes it again."""

    def __init__(self, night: Night) -> None:
        self._night = night

    async def __aenter__(self) -> PortalClient:
        night = self._night
        client = PortalClient(night.settings, night.folder / "clock", is_complete=_is_whole, is_blocked=_is_blocked)
        night.client = await client.__aenter__()
        return night.client

    async def __aexit__(self, *error: Any) -> None:
        if self._night.client is not None:
            await self._night.client.__aexit__(None, None, None)


def plan(settings: Settings, scope: Scope, known: Mapping[str, PageRow] | None = None) -> Iterator[tuple[str, PageRef]]:
    """Where pages are looked for first: what was asked for, or the lists, what is known, a probe.

    known: pages of the last published harvest; read from the store where not given
    """
    if scope.pages:
        yield from (("asked", ref) for ref in scope.pages)
        return
    if known is None:
        known = known_pages(Store(settings.data)) if (settings.data / "store.json").exists() else {}
    if not scope.agencies:
        yield "start", start_ref(settings.portal)
    for code in agency_codes(scope.agencies):
        yield from (("list", list_ref(settings.portal, name, code)) for name in LISTS)
    for key, row in known.items():
        if row["kind"] in _RECORD_KINDS and (not scope.agencies or agency_of(row) in scope.agencies):
            yield "known", PageRef(key, row["kind"], key.rpartition("/")[2], row["url"])
    yield from (("probe", ref) for ref in scope.probe)


def run_night(night: Night, on_page: Callable[[], None] = lambda: None) -> HarvestResult | None:
    """A whole harvest without Prefect; None where a stop was asked for."""

    async def fetch() -> None:
        async with night.connect():
            while night.next_pass():
                while batch := night.next_batch():
                    await night.fetch_batch(batch, on_page)

    asyncio.run(fetch())
    return None if night.stop_requested else night.finish()


def unfinished_run(store: Store) -> str | None:
    """The newest run that has a spool and no committed harvest."""
    committed = set(store.harvest_ids())
    runs = sorted(path.parent.name for path in (store.root / "runs").glob(f"*/{SPOOL}"))
    for id_ in reversed(runs):
        if id_ not in committed:
            return id_
        _drop_spool(store.root / "runs" / id_)  # killed between commit and clean-up
    return None


def _drop_spool(folder: Path) -> None:
    """Delete what only a harvest under way needs."""
    for left in (*folder.glob(f"{SPOOL}*"), folder / "clock"):
        left.unlink(missing_ok=True)


def new_harvest_id(store: Store) -> str:
    """The id of a harvest that starts now."""
    now = datetime.now(UTC).replace(microsecond=0)
    ids = store.harvest_ids()
    if ids and harvest_start(ids[-1]) >= now:  # two harvests in one second: tests and demos
        now = harvest_start(ids[-1]) + timedelta(seconds=1)
    return f"{now:%Y%m%dT%H%M%SZ}"


def _lean_report(result: HarvestResult) -> dict[str, Any]:
    """What of the report belongs into the manifest."""
    return {
        "bounds": [asdict(bound) for bound in result.bounds if not bound.held],
        "resumed": result.resumed,
        "seconds": result.seconds,
    }


def _is_whole(body: bytes) -> bool:
    """Whether a page that began as a whole document has its end; one without is worth another try."""
    return b"<html" not in body[:2048].lower() or b"</html" in body[-2048:].lower()


def _is_blocked(body: bytes) -> bool:
    """Whether a body is a firewall's, a login's or an error's page; those are small, so a record is not read twice."""
    if len(body) >= _LARGEST_BLOCK_PAGE:
        return False
    page = parse_page(body)
    leads_on = any("pid=" in link or "selDEP=" in link or "project_id=" in link for link in page.links)
    return page.verdict == "blocked" and not leads_on  # a menu of the portal holds no record either


def _has_no_record(page: SpooledPage) -> bool:
    return page.error is None and (page.http_status in (404, 410) or page.verdict in ("not_found", "empty"))


def _first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
