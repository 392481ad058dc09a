"""What a harvest would fetch, without fetching more than robots.txt."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PortalError
from pipeline.harvest.client import PortalClient
from pipeline.harvest.plan import known_pages, plan
from pipeline.harvest.portal import PageRef
from pipeline.harvest.result import Scope
from pipeline.harvest.run_folder import unfinished_run
from pipeline.harvest.sample import spread
from pipeline.harvest.spool import Spool
from pipeline.harvest.sweep import planned_sweep
from pipeline.schema.page_kinds import RECORD_KINDS
from pipeline.settings import Settings
from pipeline.store.archive import Archive
from pipeline.store.layout import SPOOL, today_in_bangkok


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a harvest would do first.

    pages: each with its source; more: pages that it would find on the way at least; interval: seconds between two requests
    words: robots.txt and an unfinished run, one sentence each
    """

    pages: list[tuple[str, PageRef]]
    more: int
    interval: float
    words: list[str]

    @property
    def seconds(self) -> float:
        """How long the pages take at least: one interval each, after robots.txt."""
        return self.interval * (len(self.pages) + self.more)


async def dry_run(settings: Settings, scope: Scope, *, resume: bool = True) -> DryRun:
    """What a harvest of this scope would fetch now; an unfinished one is gone on with, where `resume` says so."""
    words: list[str] = []
    interval = 1 / settings.rate
    try:
        with tempfile.TemporaryDirectory() as folder:
            async with PortalClient(settings, Path(folder) / "rate") as client:
                interval = client.interval
                if client.robots:
                    words += client.robots.in_words(settings.portal, interval)
    except PortalError as error:
        words.append(str(error))
    archive = Archive(settings.data) if (settings.data / "store.json").exists() else None
    unfinished = unfinished_run(archive) if archive and resume else None
    if archive and unfinished:
        with Spool(archive.root / "runs" / unfinished / SPOOL) as spool:
            planned_scope, counts = spool.meta().get("scope"), spool.counts()
            pages = [(source, ref) for ref, source in spool.pending()]
            fetched = sum(ref.kind in RECORD_KINDS for ref, _, state in spool.planned() if state != "pending")
        if planned_scope == scope.fingerprint:
            done = counts.total() - counts["pending"]
            words.append(f"The harvest {unfinished} is unfinished: it goes on, {done:,} pages are fetched already.")
            return _limited(pages, fetched, scope, interval, words)
        if planned_scope is not None:
            then = (
                "its pages are kept as evidence"
                if scope == Scope.of_settings(settings)
                else "go on with it first, or say --fresh"
            )
            words.append(f"The harvest {unfinished} of other pages is unfinished: {then}.")
    known = known_pages(archive) if archive else {}
    today = today_in_bangkok()
    pages = plan(settings, scope, known, today)
    pages += [("sweep", ref) for ref in planned_sweep(settings, scope, archive, known, today)[0]]
    return _limited(pages, 0, scope, interval, words)


def _limited(pages: list[tuple[str, PageRef]], fetched: int, scope: Scope, interval: float, words: list[str]) -> DryRun:
    """The pages of a sample, where one is asked for: all others, and so many with records as are still wanted."""
    if scope.sample is None:
        return DryRun(pages, 0, interval, words)
    left = max(0, scope.sample - fetched)
    sources = {ref.page_key: source for source, ref in pages}
    records = spread(ref for _, ref in pages if ref.kind in RECORD_KINDS)[:left]
    others = [(source, ref) for source, ref in pages if ref.kind not in RECORD_KINDS]
    drawn = [(sources[ref.page_key], ref) for ref in records]
    return DryRun([*others, *drawn], left - len(drawn), interval, words)
