"""Whether a night may be published: coverage by kind and agency, and the declared bounds. Returns results, prints none."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from pipeline.schema.codes import agency_of_code, code_of_page

PageRow = Mapping[str, Any]

LOOKED_AT: Final = ("new", "changed", "unchanged")
"""Outcomes of pages whose record was seen tonight."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What came of the pages of one kind and agency.

    expected: pages whose record the last published harvest had; fetched: pages the portal answered tonight; the rest
    count tonight's pages by verdict or failure. `skipped` pages were outside what this harvest was asked for.
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
class Bounds:
    """What a night must reach to replace the last one. A bound that trips is to be explained, not refitted.

    A small allowance in pages stands beside each share: on a portal of fifty pages one lost page is two percent.
    """

    min_answered_share: float = 0.98  # of expected pages: a firewall or an outage in the night costs more than 2 %
    max_gone_share: float = 0.01  # of expected pages: a year's change of projects comes with new lists, not in a night
    max_suspect_share: float = 0.02  # of answered pages: more means that the portal's template changed
    min_rows_share: float = 0.97  # of each table's rows: history does not vanish overnight
    allowance_pages: int = 3  # that many pages may be lost whatever the shares say
    allowance_rows: int = 100


def coverage(pages: Iterable[PageRow], expected: Mapping[str, PageRow]) -> list[Coverage]:
    """Coverage by kind and agency.

    pages: tonight's rows of the table `pages`, with `verdict` (None where nothing came)
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


_VERDICT_OF: Final = {"blank": "empty", "blocked": "blocked"}


def agency_of(page: PageRow) -> str:
    """The agency that a page belongs to, by its code."""
    return agency_of_code(code_of_page(page["page_key"]))


def check_bounds(
    groups: Iterable[Coverage],
    rows_before: Mapping[str, int],
    rows_after: Mapping[str, int],
    bounds: Bounds,
    *,
    gone: int,
    lost_answers: int,
    expected: int,
) -> list[BoundResult]:
    """Hold tonight against the last published night.

    rows_before, rows_after: rows of each table in the two states
    gone: expected pages that ended tonight or say they are gone; lost_answers: expected pages that were asked for and
    gave no answer (failed, blocked); expected: expected pages that were asked for
    """
    groups = list(groups)
    seen = sum(group.ok + group.suspect for group in groups)
    suspect = sum(group.suspect for group in groups)
    results = [
        BoundResult(
            "any_record",
            seen > 0,
            "at least 1 page with a record",
            str(seen),
            "Not one page with a record came: an empty harvest is never a success.",
        ),
        _at_most(
            "answered",
            lost_answers,
            (1 - bounds.min_answered_share) * expected,
            bounds.allowance_pages,
            f"{lost_answers} of {expected} expected pages gave no answer.",
        ),
        _at_most(
            "gone",
            gone,
            bounds.max_gone_share * expected,
            bounds.allowance_pages,
            f"{gone} of {expected} expected pages are gone from the portal.",
        ),
        _at_most(
            "suspect",
            suspect,
            bounds.max_suspect_share * seen,
            bounds.allowance_pages,
            f"{suspect} of {seen} pages lack parts that every page has, or contradict themselves.",
        ),
    ]
    for table, before in sorted(rows_before.items()):
        after = rows_after.get(table, 0)
        results.append(
            _at_most(
                f"rows:{table}",
                before - after,
                (1 - bounds.min_rows_share) * before,
                bounds.allowance_rows,
                f"{table} had {before:,} rows and would have {after:,}.",
            )
        )
    return results


def _at_most(bound: str, came: int, share: float, allowance: int, message: str) -> BoundResult:
    limit = max(int(share), allowance)
    return BoundResult(bound, came <= limit, f"at most {limit:,}", f"{max(came, 0):,}", message)


def as_dicts(results: Iterable[Coverage | BoundResult]) -> list[dict[str, Any]]:
    """The results as plain data, for the report's JSON."""
    return [asdict(result) for result in results]
