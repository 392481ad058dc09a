"""One harvest, step by step: begin or resume, fetch batches, commit and publish. Runs with or without Prefect."""

import asyncio
import shutil
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, Protocol

import orjson

from parsers import PARSER_VERSION
from pipeline.errors import PortalError, StoreError
from pipeline.harvest.batches import drop_parts, read_parts
from pipeline.harvest.bounded_parser import COSTLY
from pipeline.harvest.checks import Coverage, check_harvest
from pipeline.harvest.client import PortalClient
from pipeline.harvest.commit import commit
from pipeline.harvest.discovery import DiscoveryLimits
from pipeline.harvest.fetch import FetchOptions, FetchTask, fetch_pages
from pipeline.harvest.page_status import PageRow, is_in_force
from pipeline.harvest.plan import known_pages, not_due, plan
from pipeline.harvest.portal import PageRef
from pipeline.harvest.rate_limit import Limiter
from pipeline.harvest.replay import needs_replay, publish_replay
from pipeline.harvest.result import HarvestResult, Scope
from pipeline.harvest.run_folder import RATE_FILE, after_newest, drop_spool, new_harvest_id, unfinished_run
from pipeline.harvest.run_report import write_report
from pipeline.harvest.sample import next_of_sample
from pipeline.harvest.second_look import doubtful_pages
from pipeline.harvest.spool import UNTIL_NEXT_START, Spool, SpooledPage
from pipeline.harvest.staging import Staged, stage
from pipeline.harvest.sweep import Progress, planned_sweep, sweep_remarks
from pipeline.plain_text import json_printable
from pipeline.settings import Settings
from pipeline.store.layout import SPOOL, harvest_day, is_in_future
from pipeline.store.run_files import LOG
from pipeline.store.writer import StoreWriter

_MAX_PASSES: Final = 3  # the first, and two over what failed
_STOP_CHECK: Final = 0.5  # seconds between two checks of whether a stop was requested
_STOP_GRACE: Final = 4.0  # seconds after a stop for the pages that are being fetched; then they are given up


class RemoteWorkers(Protocol):
    """Processes, perhaps on other machines, that fetch pages in batches. limiter: keeps one rate for all of them"""

    limiter: Limiter

    async def fetch(self, on_pages: Callable[[], None]) -> None:
        """One pass over the pages that are pending. on_pages: called after each batch"""


class HarvestRun:
    """A harvest under way. Make it with `HarvestRun.begin` inside `open_writer`.

    stop_requested: set it to stop after the pages that are being fetched; the next start resumes the harvest
    counts: how many pages had which result, in all starts of this harvest
    due: the time of a schedule that this harvest answers, the last one where it answers several
    """

    def __init__(
        self,
        settings: Settings,
        store: StoreWriter,
        scope: Scope,
        harvest_id: str,
        known: dict[str, PageRow],
        *,
        resumed: bool,
        due: datetime | None = None,
    ) -> None:
        self.settings = settings
        self.store = store
        self.scope = scope
        self.harvest_id = harvest_id
        self.resumed = resumed
        self.due = due
        self.folder = store.root / "runs" / harvest_id
        self.spool = Spool(self.folder / SPOOL)
        self.known = known
        self.counts: Counter[str] = Counter()
        self.stop_requested = False
        self.options = FetchOptions(settings, not scope.pages, scope.agencies)
        self.client: PortalClient | None = None
        self._started = time.monotonic()
        self._seconds_before = 0.0
        self._passes = 0
        self._failed: int | None = None
        self._asked_again: set[str] = set()
        self._limits: DiscoveryLimits | None = None
        self._log = (self.folder / LOG).open("ab", buffering=0)

    @classmethod
    def begin(
        cls,
        settings: Settings,
        store: StoreWriter,
        scope: Scope,
        *,
        resume: bool = True,
        due: datetime | None = None,
    ) -> "HarvestRun":
        """Begin a harvest, or resume the one that was interrupted.

        resume: False discards an unfinished harvest; due: the time of a schedule that it answers
        Raises StoreError where one of another scope is unfinished.
        """
        unfinished = unfinished_run(store)
        if unfinished and is_in_future(unfinished):
            resume = False  # the times of what it fetched are wrong
        if unfinished and resume:
            unfinished = after_newest(store, unfinished)
        if unfinished and resume and (run := cls._resume(settings, store, scope, unfinished, due)):
            return run
        if unfinished:
            shutil.rmtree(store.root / "runs" / unfinished)
        known = known_pages(store)
        if known and needs_replay(store, known):  # so that the differences of this harvest are the portal's alone
            publish_replay(store, settings, new_harvest_id(store))
            known = known_pages(store)
        harvest_id = new_harvest_id(store)
        today = harvest_day(harvest_id)  # one day for the whole harvest, also where midnight passes meanwhile
        pages = plan(settings, scope, known, today)
        sweep: dict[str, Any] = {}
        if settings.sweep:
            refs, sweep = planned_sweep(settings, scope, store, known, today)
            pages += [("sweep", ref) for ref in refs]
        began = datetime.now(UTC).isoformat()
        about = {
            "portal": settings.portal,
            "scope": scope.fingerprint,
            "begun_at": began,
            "started_at": began,
            "seconds_before": 0.0,
            "sweep": sweep,
            "due": due.isoformat() if due else None,
        }
        run = cls(settings, store, scope, harvest_id, known, resumed=False, due=due)
        pending = run.spool.begin(pages, about)
        run.log("begun", portal=settings.portal, pending=pending)
        return run

    @classmethod
    def _resume(
        cls, settings: Settings, store: StoreWriter, scope: Scope, harvest_id: str, due: datetime | None
    ) -> "HarvestRun | None":
        """Resume the interrupted harvest; returns None where it was killed before it was planned."""
        run = cls(settings, store, scope, harvest_id, known_pages(store), resumed=True, due=due)
        planned_scope = run.spool.meta().get("scope")
        if planned_scope is None:
            run.close()
            return None
        if planned_scope != scope.fingerprint:
            run.close()
            raise StoreError(
                f"the harvest {harvest_id} of other pages is unfinished; go on with it by the command that began it, "
                "or discard it with --fresh"
            )
        run.take_over()
        run.log("resumed", pending=run.spool.counts()["pending"])
        return run

    def take_over(self) -> None:
        """Count what the starts before this one fetched, and the time they took up to their last page.

        Raises PortalError where the harvest was not planned yet.
        """
        meta = self.spool.meta()
        if "begun_at" not in meta:
            raise PortalError("it had not begun to fetch")
        dues = (self.due, datetime.fromisoformat(meta["due"]) if meta.get("due") else None)
        self.due = max(filter(None, dues), default=None)
        last = started = datetime.fromisoformat(meta.get("started_at") or meta["begun_at"])
        refused = set()
        for page in self.spool.pages(with_body=False, with_rows=False):
            self.counts[page.result] += 1
            last = max(last, page.fetched_at)
            if page.error_kind in UNTIL_NEXT_START:
                refused.add(page.page_key)
        self.spool.ask_again(refused)
        self._seconds_before = float(meta.get("seconds_before", 0.0)) + (last - started).total_seconds()
        self.spool.set_meta(
            started_at=datetime.now(UTC).isoformat(),
            seconds_before=self._seconds_before,
            due=self.due.isoformat() if self.due else None,
        )
        self.collect()

    # --- fetching -----------------------------------------------------------------------------------------------------

    def next_batch(self, being_fetched: Collection[str] = ()) -> list[FetchTask]:
        """The next pages to fetch; empty when there are none, or when a stop was requested.

        being_fetched: keys of pages that workers fetch now
        """
        if self.stop_requested:
            return []
        size = self.settings.batch_size
        if self.scope.sample is not None:
            if being_fetched:  # how many more are wanted depends on what is being fetched
                return []
            fetched = [ref for ref, _, state in self.spool.planned() if state != "pending"]
            chosen = next_of_sample(self.scope.sample, self.spool.pending(), fetched)
        else:
            found = self.spool.pending(size + len(being_fetched))
            if len(found) <= len(being_fetched):
                return []
            chosen = [(ref, source) for ref, source in found if ref.page_key not in being_fetched]
        return [self._fetch_task(ref, source) for ref, source in chosen[:size]]

    @property
    def is_open(self) -> bool:
        """True while the harvest is under way."""
        return not self._log.closed

    def next_pass(self) -> bool:
        """True where another pass follows: the first one, then over the failures as long as that recovers some.

        Pages whose answer is doubtful are asked for once more, with the first of the failures.
        """
        self._passes += 1
        if self._passes == 1:
            return True
        if self.stop_requested:
            return False
        asks_again = self._ask_again()
        failed, before = self.spool.counts()["failed"], self._failed
        self._failed = failed
        recovers = failed > 0 and failed != before and self._passes <= _MAX_PASSES
        if recovers:
            self.spool.retry_failed()
        return asks_again or recovers

    def _ask_again(self) -> bool:
        """Make the pages of doubtful answers pending, once in a harvest; True where there are some."""
        if self.scope.sample is not None or self.spool.meta().get("asked_again"):
            return False
        sources = self.spool.sources()
        pages = self.spool.pages(with_body=False, with_rows=False)
        self._asked_again = doubtful_pages(pages, self.known, sources, self.settings.allowance_pages)
        self.spool.set_meta(asked_again=True)
        self.spool.ask_again(self._asked_again)
        return bool(self._asked_again)

    async def fetch_all(
        self, on_page: Callable[[], None] = lambda: None, workers: "RemoteWorkers | None" = None
    ) -> None:
        """Fetch, parse and save all pages; after a stop was requested, what is not fetched in some seconds stays pending.

        on_page: called when pages were saved; workers: processes elsewhere that fetch them
        """
        passes = self._fetch_elsewhere(workers, on_page) if workers else self._fetch_here(on_page)
        fetching = asyncio.create_task(passes)
        try:
            while not fetching.done() and not self.stop_requested:
                await asyncio.wait({fetching}, timeout=_STOP_CHECK)
            if not fetching.done():
                await asyncio.wait({fetching}, timeout=_STOP_GRACE)
        finally:
            fetching.cancel()  # it may be waiting for a portal that is down, or that asked for a long pause
            with suppress(asyncio.CancelledError):
                await fetching

    async def _fetch_elsewhere(self, workers: "RemoteWorkers", on_page: Callable[[], None]) -> None:
        async with PortalClient(self.settings, workers.limiter) as self.client:
            while self.next_pass():
                await workers.fetch(on_page)

    async def _fetch_here(self, on_page: Callable[[], None]) -> None:
        upcoming: deque[FetchTask] = deque()
        being_fetched: set[str] = set()

        def next_task() -> FetchTask | None:
            if not upcoming:
                upcoming.extend(self.next_batch(being_fetched))
            if self.stop_requested or not upcoming:
                return None
            being_fetched.add(upcoming[0].ref.page_key)
            return upcoming.popleft()

        def save(page: SpooledPage, found: list[PageRef]) -> None:
            self.save_page(page, found)
            being_fetched.discard(page.page_key)
            on_page()

        async with PortalClient(self.settings, self.folder / RATE_FILE) as self.client:
            while self.next_pass():
                await fetch_pages(next_task, self.client, self.options, save)
            self.spool.commit()

    def save_page(self, page: SpooledPage, found: list[PageRef]) -> None:
        """Save one page and the pages its links lead to."""
        if found:
            found = self._allowed(found)
        if page.page_key in self._asked_again and page.error is not None and self._was_suspect(page.page_key):
            self.spool.keep(page.page_key)
        else:
            self.spool.put(page, found)
        self.counts[page.result] += 1
        about = {"page": page.page_key, "status": page.http_status, "result": page.result, "attempts": page.attempts}
        self.log("page", **about, error=page.error)

    def _allowed(self, found: list[PageRef]) -> list[PageRef]:
        """The pages that may be fetched, too."""
        if self.spool.size >= self.settings.max_pages:
            return []  # an endless listing must not keep the harvest running for ever
        if self._limits is None:
            self._limits = DiscoveryLimits(self.settings, self.spool.sources())
        return self._limits.within([ref for ref in found if ref.page_key not in self._not_due])

    @cached_property
    def _not_due(self) -> frozenset[str]:
        """Keys of the indicators that this harvest does not request, whatever leads to them."""
        later = not_due(self.known, harvest_day(self.harvest_id))
        return frozenset(key for key in later if self.known[key]["kind"] == "kpi")

    def _was_suspect(self, page_key: str) -> bool:
        before = self.spool.get(page_key)
        return before is not None and before.error is None and before.verdict == "suspect"

    def collect(self, batch: str = "") -> int:
        """Move the pages that workers on other machines have saved into the spool; returns how many.

        batch: the name of one; all batches without it
        """
        pages = read_parts(self.folder, batch)
        for page, found in pages:
            if self.spool.is_pending(page.page_key):
                self.save_page(page, found)
        self.spool.commit()
        drop_parts(self.folder, batch)
        return len(pages)

    def _fetch_task(self, ref: PageRef, source: str) -> FetchTask:
        """A page to fetch, with what a worker needs to know about it."""
        known = self.known.get(ref.page_key)
        # an older copy is requested for pages that are linked to and were never seen under `/mobile/`
        was_seen = known is not None and known["version_harvest_id"] is not None
        tried_already = ref.page_key in self._asked_again or (
            known is not None and not was_seen and known["misses"] > 0
        )
        try_older = source in ("link", "known", "asked") and not (
            tried_already or (was_seen and known and "/mobile62/" not in known["url"])
        )
        given_up = None
        if known and str(known["error"]).startswith(COSTLY) and known["page_sha256"]:
            given_up = known["page_sha256"], known["error"]
        if not known or not is_in_force(known) or known["parser_version"] != PARSER_VERSION:
            return FetchTask(ref, try_older=try_older, given_up=given_up)
        return FetchTask(ref, known["etag"], known["last_modified"], known["record_sha256"], try_older, given_up)

    # --- committing ---------------------------------------------------------------------------------------------------

    def finish(self, held_back: str | None = None) -> HarvestResult:
        """Stage, check, commit and publish what was fetched. Raises PortalError where no page was answered.

        held_back: why it must not be published, whatever the checks say
        """
        reason = self.spool.why_nothing_came()
        if reason is not None:
            why = reason or "there was no page to fetch"
            raise PortalError(f"nothing came from {self.settings.portal} ({why}); what was published before stays")
        sources, sweep = self.spool.sources(), self.spool.meta().get("sweep", {})
        # the serials at which the sweep found nothing leave no trace
        swept: set[str] = set()
        if "sweep" in sources.values():
            swept = {key for key, source in sources.items() if source == "sweep"} - self.known.keys()
        staged = stage(
            self.store,
            self.harvest_id,
            self.spool.pages(unless_missing=swept),
            self.known,
            publish_contacts=self.settings.publish_contacts,
            suspect_nights=self.settings.suspect_nights,
        )
        result = self._check(staged, sources, sweep, held_back)
        self.log("checked", published=result.published, held_back=result.held_back)
        # before the commit: no kill leaves a harvest without its report
        write_report(self.folder, result, self.settings.portal)
        commit(staged, held_back=result.held_back, report=result.summary(), due=self.due)
        self.store.prune_snapshots(self.settings.keep_snapshots)
        self.store.prune_runs(self.settings.keep_logs, self.settings.keep_reports)
        self.close()
        drop_spool(self.folder)
        return result

    def _check(
        self, staged: Staged, requested: Mapping[str, str], sweep: Progress, held_back: str | None
    ) -> HarvestResult:
        odd = staged.oddities
        missing, lines = odd.most("findings", "part_missing"), odd.most("lines")
        findings, unknown, unknown_pages = odd.most("findings"), odd.most("unknown"), odd.total("unknown")
        checks = check_harvest(
            staged.pages, self.known, requested, staged.rows_before, staged.rows, self.settings, missing
        )
        held_back = held_back or checks.held_back
        if self.scope.sample is not None and self.store.latest_id() is not None:
            reason = "a sample never replaces what is published: it is kept as evidence."
            held_back = held_back or reason
        interval, asked = (self.client.interval, self.client.remarks) if self.client else (1 / self.settings.rate, [])
        return HarvestResult(
            harvest_id=self.harvest_id,
            published=held_back is None,
            held_back=held_back,
            outcomes=dict(staged.outcomes),
            rows=staged.rows,
            changes=dict(staged.changes),
            coverage=checks.coverage,
            bounds=checks.bounds,
            failures=checks.failures,
            seconds=round(self._seconds_before + time.monotonic() - self._started, 1),
            requests_interval=interval,
            resumed=self.resumed,
            remarks=[*self._remarks(asked, checks.coverage, sweep), *checks.advice],
            sweep=sweep,
            unclaimed=lines,
            findings=findings,
            unknown=unknown,
            unknown_pages=unknown_pages,
            is_part=self.scope != Scope.of_settings(self.settings) and not self.scope.is_whole,
        )

    def _remarks(self, asked: Iterable[str], groups: Iterable[Coverage], sweep: Progress) -> list[str]:
        """What else an operator should know; asked: of how the portal was asked, by the client."""
        remarks = [*self.store.repairs, *asked, *(self._limits.remarks() if self._limits else ())]
        if self.scope.is_whole:
            remarks += sweep_remarks(self.settings, sweep, groups)
        if self.spool.size < self.settings.max_pages:
            return remarks
        return [
            *remarks,
            f"Discovery stopped at {self.settings.max_pages:,} pages: links found after that were not followed. If the "
            "portal really has more, raise the setting max_pages.",
        ]

    def close(self) -> None:
        """Close the spool and the log; everything fetched stays for the next start."""
        self.spool.close()
        self._log.close()

    def log(self, event: str, **values: Any) -> None:
        """Write one line into the run's log, as JSON; nothing after it was closed."""
        if self.is_open:
            line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **values}
            text = orjson.dumps(line).decode()
            if not text.isprintable():  # people look at it on terminals
                text = json_printable(text)
            self._log.write(f"{text}\n".encode())


def run_harvest(run: HarvestRun, on_page: Callable[[], None] = lambda: None) -> HarvestResult | None:
    """Run a whole harvest without Prefect; returns None where a stop was requested."""
    asyncio.run(run.fetch_all(on_page))
    return None if run.stop_requested else run.finish()
