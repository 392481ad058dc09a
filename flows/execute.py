"""One harvest in this process: begin, fetch, commit, notify. Prefect shows it, and is never asked for it."""

import asyncio
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flows.changes_page import write_changes_page
from flows.events import BatchBegun, BatchDone, Begun, Changes, CommitBegun, Ended, Listener
from flows.journal import journal_line
from flows.notifications import notify_finished
from flows.run_control import HarvestOutcome, RunControl
from pipeline.browse.feed_file import write_feed
from pipeline.errors import BmaProgressError, dask_is_missing, error_text, first_line, refused_by_machine
from pipeline.harvest.old_runs import keep_old_run
from pipeline.harvest.request import HarvestRequest
from pipeline.harvest.run import HarvestRun
from pipeline.operate.anchor import anchor_harvest
from pipeline.store.writer import create_store, open_writer

if TYPE_CHECKING:
    from flows.dask.cluster import Cluster


async def execute_harvest(request: HarvestRequest, control: RunControl, listener: Listener) -> HarvestOutcome:
    """Run a harvest to its end; returns how it ended, whatever failed.

    control: shows its progress and stops it; listener: receives its events
    """
    settings, _ = request.load()
    harvest = _Harvest(request, control, listener)
    try:
        outcome = await harvest.execute()
    except Exception as error:  # noqa: BLE001 - a defect of the program is an outcome too, and is notified
        known = error if isinstance(error, BmaProgressError) else refused_by_machine(error, settings.data)
        message = (
            f"the harvest failed by a defect of the program ({first_line(error)}); report it with its log in runs/"
        )
        outcome = HarvestOutcome("CouldNotRun", str(known or message))
    settings, problems = listener.with_secrets(settings)
    problems += await asyncio.to_thread(notify_finished, settings, outcome, harvest.harvest_id)
    line = journal_line(settings.portal, outcome, harvest.changes)
    outcome = replace(outcome, warnings=(*harvest.notes, *outcome.warnings, *problems), line=line)
    listener.on_event(Ended(outcome, harvest.changes))
    return outcome


async def execute_harvests(
    requests: list[HarvestRequest], hosts_at_once: int, control: RunControl, listeners: Sequence[Listener]
) -> list[HarvestOutcome]:
    """Harvest several portals; returns how each ended, in the order of the requests.

    Those of one host go one after another, so that it sees one rate; hosts side by side. One that fails stops no other.
    """
    slots = asyncio.Semaphore(hosts_at_once)
    outcomes: dict[int, HarvestOutcome] = {}

    async def harvest_host(numbers: list[int]) -> None:
        async with slots:
            for number in numbers:
                if control.stop_requested:
                    outcomes[number] = HarvestOutcome("Interrupted", "not begun, because a stop was requested")
                    listeners[number].on_event(Ended(outcomes[number]))
                else:
                    outcomes[number] = await execute_harvest(requests[number], control, listeners[number])

    by_host: dict[str, list[int]] = {}
    for number, request in enumerate(requests):
        by_host.setdefault(urlsplit(request.load()[0].portal).netloc, []).append(number)
    await asyncio.gather(*map(harvest_host, by_host.values()))
    return [outcomes[number] for number in range(len(requests))]


class _Harvest:
    """A harvest under way, and what was reported to its listener."""

    def __init__(self, request: HarvestRequest, control: RunControl, listener: Listener) -> None:
        self.harvest_id: str | None = None
        self.notes: list[str] = []
        self.changes: Changes | None = None
        self._request = request
        self._control = control
        self._listener = listener
        self._batches = 0
        self._batch_begun = False
        self._reported: Counter[str] = Counter()

    async def execute(self) -> HarvestOutcome:
        settings, scope = self._request.load()
        with open_writer(create_store(settings.data, settings.portal).root) as store:
            if self._request.resume:
                self.notes = keep_old_run(settings, store, scope)
            run = HarvestRun.begin(settings, store, scope, resume=self._request.resume, due=self._request.due)
            self.harvest_id = run.harvest_id
            self._listener.on_event(Begun(run.harvest_id, settings.portal, str(store.root.resolve())))
            try:
                return await self._fetch_and_commit(run)
            except Exception as error:
                with suppress(OSError):  # the log cannot be written to a full disk either
                    self._log_failure(run, error)
                raise
            finally:
                run.close()

    def _log_failure(self, run: HarvestRun, error: Exception) -> None:
        """Write into the run's log why it failed."""
        reason = refused_by_machine(error, run.store.root) or error
        trace = None if isinstance(error, BmaProgressError) else traceback.format_exc()
        _log_end(run, "failed", reason=str(reason) or type(error).__name__, traceback=trace)

    async def _fetch_and_commit(self, run: HarvestRun) -> HarvestOutcome:
        with self._control.stops(run):
            try:
                await self._fetch(run)
            finally:
                self._end_batch(run)
        left = run.spool.counts()["pending"]
        if run.stop_requested:
            run.log("stopped", pending=left)
            return HarvestOutcome(
                "Interrupted", f"stopped with {left:,} pages left; the same command goes on from there"
            )
        self._listener.on_event(CommitBegun())
        try:
            result = run.finish()
        except KeyboardInterrupt:  # a kill at any moment is safe, so this is too
            _log_end(run, "stopped", pending=left)
            return HarvestOutcome("Interrupted", "stopped before the end; the same command goes on from there")
        warnings: tuple[str, ...] = ()
        try:
            self.changes = write_changes_page(run)
        except Exception as error:  # noqa: BLE001 - the harvest is committed, with or without this page
            warning = f"the page of changes could not be written ({error_text(error)})"
            warnings = (warning,)
        warnings += tuple(await asyncio.to_thread(anchor_harvest, run.store, result.harvest_id, run.settings))
        if result.published:
            try:
                write_feed(run.store, result.harvest_id)
            except Exception as error:  # noqa: BLE001 - as above
                warning = f"the feed of changes could not be written ({error_text(error)})"
                warnings += (warning,)
            return HarvestOutcome("Completed", f"published {result.harvest_id}", result, warnings)
        return HarvestOutcome("HeldBack", str(result.held_back), result, warnings)

    async def _fetch(self, run: HarvestRun) -> None:
        def on_page() -> None:
            self._control.on_progress(run)
            fetched = run.counts.total() - self._reported.total()
            if fetched and not self._batch_begun:
                self._batches += 1
                self._batch_begun = True
                self._listener.on_event(BatchBegun(self._batches))
            if fetched >= run.settings.batch_size:
                self._end_batch(run)

        with _cluster(run) as cluster:
            await run.fetch_all(on_page, cluster)

    def _end_batch(self, run: HarvestRun) -> None:
        if self._batch_begun:
            pages = run.spool.counts()
            percent = 100 * (1 - pages["pending"] / pages.total())
            self._listener.on_event(BatchDone(dict(run.counts - self._reported), percent))
            self._reported = run.counts.copy()
            self._batch_begun = False


def _log_end(run: HarvestRun, event: str, **values: object) -> None:
    """Write into the run's log how it ended; not where it is committed, with the hash of its log."""
    if not (run.store.root / "harvests" / run.harvest_id).exists():
        run.log(event, **values)


@contextmanager
def _cluster(run: HarvestRun) -> "Iterator[Cluster | None]":
    """The Dask cluster where batches run; None where they run in this process."""
    if run.settings.runner == "local":
        yield None
        return
    try:
        from flows.dask.cluster import Cluster, cluster_client
    except ImportError:
        raise dask_is_missing() from None
    with cluster_client(run.settings.dask_address) as client:
        yield Cluster(client, run)
