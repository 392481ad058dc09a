"""Whether a harvest may be published: coverage by kind and agency, and the declared bounds."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipeline.harvest.oddities import Oddity
from pipeline.harvest.page_status import PageRow, is_in_force, is_set_aside
from pipeline.schema.codes import agency_of_page
from pipeline.settings import Settings

_SHOWN: Final = ("link", "known")
"""How pages are found that the portal itself says are there."""
_GONE: Final = ("not_found", "blank")
_UNANSWERED: Final = ("failed", "blocked")
_FIRST_GONE_SHARE: Final = (
    0.5  # a portal may lead to records that are no more; more than half of them is a template without data
)
_SETTING_OF: Final = {"answered": "min_answered_share", "gone": "max_gone_share", "suspect": "max_suspect_share"}
_VERDICT_OF: Final = {"blank": "empty", "blocked": "blocked"}


@dataclass(frozen=True, slots=True)
class Coverage:
    """What came of the pages of one kind and agency.

    expected: pages whose record the last published harvest had, or all that were asked for where it had none; fetched:
    pages the portal answered in this one; the others count the pages of this one by verdict or failure. `skipped` pages
    were outside what this harvest was asked for.
    """

    kind: str
    agency_code: str
    expected: int = 0
    fetched: int = 0
    ok: int = 0
    suspect: int = 0
    blocked: int = 0
    empty: int = 0
    not_found: int = 0
    failed: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class BoundResult:
    """One bound: what was expected at least (or at most), what came, and whether it held."""

    bound: str
    held: bool
    expected: str
    came: str
    message: str


@dataclass(frozen=True, slots=True)
class Checks:
    """What the checks of a harvest found.

    failures: the pages that gave no answer, with the reason of each; advice: what to do where a first harvest is held back
    """

    coverage: list[Coverage]
    bounds: list[BoundResult]
    failures: list[dict[str, str | None]]

    advice: list[str] = field(default_factory=list)

    @property
    def held_back(self) -> str | None:
        """Why the harvest must not replace the last one; None where it may."""
        return (
            "; ".join(f"{bound.message} Allowed: {bound.expected}." for bound in self.bounds if not bound.held) or None
        )


def check_harvest(
    pages: Sequence[PageRow],
    known: Mapping[str, PageRow],
    requested: Mapping[str, str],
    rows_before: Mapping[str, int],
    rows_after: Mapping[str, int],
    settings: Settings,
    missing: Sequence[Oddity] = (),
) -> Checks:
    """Check a harvest against the last published one. A bound that is broken is to be explained, not adjusted.

    Where no record is known, the bounds hold against what was asked for: nothing of a first harvest is expected but answers.

    pages: the harvest's rows of the table `pages`; known: page_key → row of the last published harvest
    requested: pages that were to be fetched, by key, each with how it was found
    rows_before, rows_after: rows of each table in the two states
    missing: the parts that pages lacked most often
    """
    in_force = {key for key, row in known.items() if is_in_force(row)}
    is_first = not in_force
    expected = _promised(pages, requested) if is_first else in_force & requested.keys()
    asked = [page for page in pages if page["page_key"] in expected]
    came = [page for page in asked if page["outcome"] != "skipped"]
    # a first harvest cannot lose a record by what robots.txt forbids: none is known yet
    forbidden = [] if is_first else [page for page in asked if page["outcome"] == "skipped" and page["error"]]
    unanswered = [page for page in came if page["outcome"] in _UNANSWERED and not is_set_aside(page)]
    # an indicator is named by projects whether it has a page or not, and an agency that is met need not have every list
    shown = [page for page in came if not is_first or page["kind"] not in ("kpi", "result_list")]
    gone = sum(page["outcome"] in _GONE for page in shown)
    groups = coverage(pages, expected)
    bounds = _page_bounds(
        groups,
        settings,
        expected=len(came) if is_first else len(expected),
        unanswered=len(unanswered) + len(forbidden),
        changed=sum(page["outcome"] == "changed" for page in came),
        missing=missing,
    )
    share = max(settings.max_gone_share, _FIRST_GONE_SHARE) if is_first else settings.max_gone_share
    of = len(shown) if is_first else len(expected)
    message = f"{gone} of {of} expected pages are gone from the portal."
    bounds.insert(2, _at_most("gone", gone, share * of, settings.allowance_pages, message))
    bounds += _row_bounds(rows_before, rows_after, settings)
    failures = [
        {"page_key": page["page_key"], "outcome": page["outcome"], "error": page["error"]}
        for page in [*(page for page in pages if page["outcome"] in _UNANSWERED), *forbidden]
    ]
    return Checks(groups, bounds, failures, _advice(bounds) if is_first else [])


def _promised(pages: Iterable[PageRow], requested: Mapping[str, str]) -> set[str]:
    """What a first harvest expects: all that it asked for, but for addresses that were only tried and are not there."""
    not_there = {page["page_key"] for page in pages if page["outcome"] in _GONE}
    return {key for key, source in requested.items() if source in _SHOWN or key not in not_there}


def _advice(bounds: Sequence[BoundResult]) -> list[str]:
    """What to do where the first harvest of a store is held back."""
    broken = [bound.bound for bound in bounds if not bound.held]
    if not broken:
        return []
    settings = [f"BMA_PROGRESS_{_SETTING_OF[name].upper()}" for name in broken if name in _SETTING_OF]
    loosen = f"; if the portal really is like that, set {' and '.join(settings)} for one run" if settings else ""
    message = (
        "Nothing is published yet, since this was the first harvest: look at the pages below with a browser, then run the same "
        f"command again, slower or at another hour{loosen}."
    )
    return [message]


def coverage(pages: Iterable[PageRow], expected: Collection[str]) -> list[Coverage]:
    """Coverage by kind and agency.

    pages: the harvest's rows of the table `pages`, with `verdict` (None where nothing came)
    expected: keys of the pages that are expected to answer
    """
    counts: dict[tuple[str, str], Counter[str]] = {}
    for page in pages:
        group = counts.setdefault((page["kind"], agency_of_page(page["page_key"])), Counter())
        group["expected"] += page["page_key"] in expected
        outcome = page["outcome"]
        if outcome == "skipped":
            group["skipped"] += 1
        elif outcome == "failed" and not is_set_aside(page):
            group["failed"] += 1
        else:
            group["fetched"] += 1
            group["not_found" if outcome == "not_found" else _VERDICT_OF.get(outcome) or page["verdict"] or "ok"] += 1
    return [Coverage(kind, agency, **group) for (kind, agency), group in sorted(counts.items())]


def _page_bounds(
    groups: Sequence[Coverage],
    settings: Settings,
    *,
    expected: int,
    unanswered: int,
    changed: int,
    missing: Sequence[Oddity],
) -> list[BoundResult]:
    """The bounds of pages. Each share has a small allowance: of fifty pages one lost page is already two percent.

    expected: expected pages that were requested; unanswered: those of them that failed, were blocked, or that robots.txt
        forbids now
    changed: those whose record says something else; missing: the parts that pages lacked most often
    """
    seen = sum(group.ok + group.suspect for group in groups)
    suspect = sum(group.suspect for group in groups)
    return [
        BoundResult(
            "any_record",
            seen > 0,
            "at least 1 page with a record",
            str(seen),
            "Not one page with a record came: an empty harvest is never a success.",
        ),
        _at_most(
            "answered",
            unanswered,
            (1 - settings.min_answered_share) * expected,
            settings.allowance_pages,
            f"{unanswered} of {expected} expected pages gave no answer.",
        ),
        _at_most(
            "changed",
            changed,
            settings.max_changed_share * expected,
            settings.allowance_pages,
            f"{changed} of {expected} known records changed at once: the template or the charset may have changed.",
        ),
        _at_most(
            "suspect",
            suspect,
            settings.max_suspect_share * seen,
            settings.allowance_pages,
            f"{suspect} of {seen} pages lack parts that every page has, or contradict themselves{_named(missing)}.",
        ),
    ]


def _named(missing: Sequence[Oddity]) -> str:
    parts = [
        f"{one.what.partition(': ')[2].rstrip('.')} ({one.pages:,} pages, such as {one.page_key})" for one in missing
    ]
    return f": {'; '.join(parts[:3])}" if parts else ""


def _row_bounds(before: Mapping[str, int], after: Mapping[str, int], settings: Settings) -> list[BoundResult]:
    """The bounds of each table's rows."""
    return [
        _at_most(
            f"rows:{table}",
            rows - after.get(table, 0),
            (1 - settings.min_rows_share) * rows,
            settings.allowance_rows,
            f"{table} had {rows:,} rows and would have {after.get(table, 0):,}.",
        )
        for table, rows in sorted(before.items())
    ]


def _at_most(bound: str, came: int, share: float, allowance: int, message: str) -> BoundResult:
    limit = max(int(share), allowance)
    return BoundResult(bound, came <= limit, f"at most {limit:,}", f"{max(came, 0):,}", message)
