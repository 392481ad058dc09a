"""One night, step by step: what to fetch, fetching it, and making a harvest of it. Runs with or without Prefect."""

import asyncio
import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import orjson

from parsers import PARSER_VERSION
from pipeline.errors import PortalError, StoreError
from pipeline.harvest.batches import PARTS, drop_parts, read_parts
from pipeline.harvest.checks import BoundResult, Bounds, Coverage, agency_of, check_bounds, coverage
from pipeline.harvest.client import PortalClient
from pipeline.harvest.commit import Staged, commit, known_pages, stage
from pipeline.harvest.fetch import FetchTask, Instructions, fetch_pages, page_result, portal_client
from pipeline.harvest.page_status import PageRow
from pipeline.harvest.portal import LISTS, PageRef, agency_codes, list_ref, start_ref
from pipeline.harvest.rate_limit import Limiter
from pipeline.harvest.replay import needs_replay, publish_replay
from pipeline.harvest.spool import Spool, SpooledPage
from pipeline.settings import Settings
from pipeline.store.archive import Archive
from pipeline.store.durable import canonical_json, file_sha256, write_durably
from pipeline.store.layout import SPOOL, harvest_id_at, harvest_start
from pipeline.store.writer import StoreWriter

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


class HarvestRun:
    """A harvest under way. Make it with `HarvestRun.begin` inside `open_writer`."""

    def __init__(self, settings: Settings, store: StoreWriter, scope: Scope, harvest_id: str, *, resumed: bool) -> None:
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
        self.instructions = Instructions(settings, not scope.pages, scope.agencies)
        self.client: PortalClient | None = None
        self._started = time.monotonic()
        self._passes = 0
        self._failed: int | None = None
        self._log = (self.folder / "log.jsonl").open("ab", buffering=0)

    @classmethod
    def begin(cls, settings: Settings, store: StoreWriter, scope: Scope, *, resume: bool = True) -> "HarvestRun":
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
            night.collect()
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

    def next_batch(self, in_hand: Collection[str] = ()) -> list[FetchTask]:
        """The next pages to fetch; empty when there are none, or when a stop was asked for.

        in_hand: keys of pages that are being fetched already
        """
        if self.stop_requested:
            return []
        size = self.settings.batch_size
        if self.scope.sample is not None:
            if in_hand:  # what is fetched now decides how many more are wanted
                return []
            pending = self.spool.pending()
            records = [found for found in pending if found[0].kind in _RECORD_KINDS]
            wanted = records[: max(self.scope.sample - self.spool.records(), 0)]
            chosen = [found for found in pending if found[0].kind not in _RECORD_KINDS] or wanted
        else:
            found = self.spool.pending(size + len(in_hand))
            chosen = [(ref, source) for ref, source in found if ref.page_key not in in_hand]
        return [self._fetch_task(ref, source) for ref, source in chosen[:size]]

    @property
    def is_open(self) -> bool:
        """Whether the harvest is still under way."""
        return not self._log.closed

    @property
    def has_pages_left(self) -> bool:
        """Whether there is a next batch."""
        return bool(self.next_batch())

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

    async def fetch_batch(self, batch: Iterable[FetchTask], on_page: Callable[[], None] = lambda: None) -> Counter[str]:
        """Fetch, parse and keep a batch of pages; returns how many had which result. Kept pages are never lost."""
        if self.client is None:
            raise RuntimeError("a batch needs the night's client: use `async with night.connect()`")
        before = self.counts.copy()

        def keep(page: SpooledPage, found: list[PageRef]) -> None:
            self.keep(page, found)
            on_page()

        await fetch_pages(batch, self.client, self.instructions, keep, lambda: self.stop_requested)
        return self.counts - before

    def keep(self, page: SpooledPage, found: list[PageRef]) -> None:
        """Keep one page and the pages its links lead to."""
        if found and self.spool.size() >= self.settings.max_pages:
            found = []  # an endless listing must not lead us on for ever
        self.spool.put(page, found)
        result = page_result(page)
        self.counts[result] += 1
        self.log(
            "page", page=page.page_key, status=page.http_status, result=result, attempts=page.attempts, error=page.error
        )

    def collect(self, batch: str = "") -> int:
        """Keep what workers elsewhere have kept of a batch, by its name, or of all; returns how many pages."""
        pages = read_parts(self.folder, batch)
        for page, found in pages:
            if self.spool.is_pending(page.page_key):
                self.keep(page, found)
        drop_parts(self.folder, batch)
        return len(pages)

    def _fetch_task(self, ref: PageRef, source: str) -> FetchTask:
        """What a worker must know of a page."""
        known = self.known.get(ref.page_key)
        # an older copy is asked for pages linked to, never seen under `/mobile/`
        seen = known is not None and known["version_harvest_id"] is not None
        try_older = source in ("link", "known", "asked") and not (seen and known and "/mobile62/" not in known["url"])
        if not known or not seen or known["ended_at"] is not None or known["parser_version"] != PARSER_VERSION:
            return FetchTask(ref, try_older=try_older)
        return FetchTask(ref, known["etag"], known["last_modified"], known["record_sha256"], try_older)

    def connect(self, limiter: Limiter | None = None) -> "_Connection":
        """A context in which batches can be fetched: one client for the whole harvest.

        limiter: of the portal, where other machines ask it too
        """
        return _Connection(self, limiter or self.folder / "clock")

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
        from pipeline.harvest.run_report import report_text

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

    def __init__(self, night: HarvestRun, limiter: Path | Limiter) -> None:
        self._night = night
        self._limiter = limiter

    async def __aenter__(self) -> PortalClient:
        night = self._night
        client = portal_client(night.settings, self._limiter)
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
        known = known_pages(Archive(settings.data)) if (settings.data / "store.json").exists() else {}
    if not scope.agencies:
        yield "start", start_ref(settings.portal)
    for code in agency_codes(scope.agencies):
        yield from (("list", list_ref(settings.portal, name, code)) for name in LISTS)
    for key, row in known.items():
        if row["kind"] in _RECORD_KINDS and (not scope.agencies or agency_of(row) in scope.agencies):
            yield "known", PageRef(key, row["kind"], key.rpartition("/")[2], row["url"])
    yield from (("probe", ref) for ref in scope.probe)


def run_harvest(night: HarvestRun, on_page: Callable[[], None] = lambda: None) -> HarvestResult | None:
    """A whole harvest without Prefect; None where a stop was asked for."""

    async def fetch() -> None:
        async with night.connect():
            while night.next_pass():
                while batch := night.next_batch():
                    await night.fetch_batch(batch, on_page)

    asyncio.run(fetch())
    return None if night.stop_requested else night.finish()


def unfinished_run(store: Archive) -> str | None:
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
    shutil.rmtree(folder / PARTS, ignore_errors=True)  # a worker that was cut off may still write there


def new_harvest_id(store: Archive) -> str:
    """The id of a harvest that starts now."""
    now = datetime.now(UTC).replace(microsecond=0)
    ids = store.harvest_ids()
    if ids and harvest_start(ids[-1]) >= now:  # two harvests in one second: tests and demos
        now = harvest_start(ids[-1]) + timedelta(seconds=1)
    return harvest_id_at(now)


def _lean_report(result: HarvestResult) -> dict[str, Any]:
    """What of the report belongs into the manifest."""
    return {
        "bounds": [asdict(bound) for bound in result.bounds if not bound.held],
        "resumed": result.resumed,
        "seconds": result.seconds,
    }
