"""Whether a harvest may be published: coverage by kind and agency, and the declared bounds."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.harvest.page_status import PageRow, is_in_force
from pipeline.schema.codes import agency_of_code, code_of_page
from pipeline.settings import Settings

_VERDICT_OF: Final = {"blank": "empty", "blocked": "blocked"}


@dataclass(frozen=True, slots=True)
class Coverage:
    """What came of the pages of one kind and agency.

    expected: pages whose record the last published harvest had; fetched: pages the portal answered in this one; the
    others count the pages of this one by verdict or failure. `skipped` pages were outside what this harvest was asked for.
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
    """What the checks of a harvest found; failures: the pages that gave no answer, with the reason of each."""

    coverage: list[Coverage]
    bounds: list[BoundResult]
    failures: list[dict[str, str | None]]

    @property
    def held_back(self) -> str | None:
        """Why the harvest must not replace the last one; None where it may."""
        return (
            "; ".join(f"{bound.message} Allowed: {bound.expected}." for bound in self.bounds if not bound.held) or None
        )


def check_harvest(
    pages: Sequence[PageRow],
    known: Mapping[str, PageRow],
    requested: Collection[str],
    rows_before: Mapping[str, int],
    rows_after: Mapping[str, int],
    settings: Settings,
) -> Checks:
    """Check a harvest against the last published one. A bound that is broken is to be explained, not adjusted.

    pages: the harvest's rows of the table `pages`; known: page_key → row of the last published harvest
    requested: keys of the pages that were to be fetched
    rows_before, rows_after: rows of each table in the two states
    """
    expected = {key: row for key, row in known.items() if is_in_force(row) and key in requested}
    outcomes = Counter(page["outcome"] for page in pages if page["page_key"] in expected)
    groups = coverage(pages, expected)
    bounds = _page_bounds(
        groups,
        settings,
        expected=len(expected),
        unanswered=outcomes["failed"] + outcomes["blocked"],
        gone=outcomes["not_found"] + outcomes["blank"],
        changed=outcomes["changed"],
    )
    bounds += _row_bounds(rows_before, rows_after, settings)
    failures = [
        {"page_key": page["page_key"], "outcome": page["outcome"], "error": page["error"]}
        for page in pages
        if page["outcome"] in ("failed", "blocked")
    ]
    return Checks(groups, bounds, failures)


def coverage(pages: Iterable[PageRow], expected: Mapping[str, PageRow]) -> list[Coverage]:
    """Coverage by kind and agency.

    pages: the harvest's rows of the table `pages`, with `verdict` (None where nothing came)
    expected: page_key → row of the last published harvest, of pages whose record was in force
    """
    counts: dict[tuple[str, str], Counter[str]] = {}
    for page in pages:
        group = counts.setdefault((page["kind"], agency_of(page)), Counter())
        group["expected"] += page["page_key"] in expected
        outcome = page["outcome"]
        if outcome == "skipped":
            group["skipped"] += 1
        elif outcome == "failed":
            group["failed"] += 1
        else:
            group["fetched"] += 1
            group["not_found" if outcome == "not_found" else _VERDICT_OF.get(outcome) or page["verdict"] or "ok"] += 1
    return [Coverage(kind, agency, **group) for (kind, agency), group in sorted(counts.items())]


def agency_of(page: PageRow) -> str:
    """The agency that a page belongs to, by its code."""
    return agency_of_code(code_of_page(page["page_key"]))


def _page_bounds(
    groups: Sequence[Coverage], settings: Settings, *, expected: int, unanswered: int, gone: int, changed: int
) -> list[BoundResult]:
    """The bounds of pages. Each share has a small allowance: of fifty pages one lost page is already two percent.

    expected: expected pages that were requested; unanswered: those of them that failed or were blocked; gone: those that
    are not found or blank; changed: those whose record says something else
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
            "gone",
            gone,
            settings.max_gone_share * expected,
            settings.allowance_pages,
            f"{gone} of {expected} expected pages are gone from the portal.",
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
            f"{suspect} of {seen} pages lack parts that every page has, or contradict themselves.",
        ),
    ]


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
