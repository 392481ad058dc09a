"""A run's report: for programs as JSON, for people as a page of text."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Final

from pipeline.harvest.oddities import Oddity
from pipeline.harvest.result import HarvestResult
from pipeline.plain_text import printable
from pipeline.store.durable import canonical_json, write_durably

_COLUMNS: Final = ("expected", "fetched", "ok", "suspect", "blocked", "empty", "not_found", "failed", "skipped")


def write_report(folder: Path, result: HarvestResult, portal: str) -> None:
    """Write the report of a run into its folder."""
    text = report_text(result, portal)
    write_durably(folder / "report.json", canonical_json(asdict(result)))
    write_durably(folder / "report.txt", text.encode())


def report_text(result: HarvestResult, portal: str) -> str:
    """The report for operators: whether the harvest was published, what is missing, and why."""
    word = "published" if result.published else "HELD BACK"
    lines = [f"Harvest {result.harvest_id} of {portal}: {word}."]
    if result.held_back:
        lines += ["", "Why it does not replace the last one:"]
        broken = [bound for bound in result.bounds if not bound.held]
        if not broken or broken[0].message not in result.held_back:
            lines.append(f"  - {result.held_back}")
        lines += [f"  - {bound.message} Allowed: {bound.expected}; came: {bound.came}." for bound in broken]
    lines += [f"\n{remark}" for remark in result.remarks]
    looked = sum(count for outcome, count in result.outcomes.items() if outcome != "skipped")
    outcomes = ", ".join(f"{count:,} {outcome.replace('_', ' ')}" for outcome, count in sorted(result.outcomes.items()))
    lines += ["", f"{looked:,} pages looked at in {result.seconds:,.0f} s: {outcomes}."]
    if result.changes:
        changes = ", ".join(f"{count:,} {meaning}" for meaning, count in sorted(result.changes.items()))
        lines.append(f"Differences from the harvest before: {changes}.")
    lines += ["", "Coverage", f"  {'kind':<12} {'agency':<10}" + "".join(f"{name:>10}" for name in _COLUMNS)]
    for group in result.coverage:
        if group.fetched - group.not_found or group.expected or group.failed:
            values = "".join(f"{getattr(group, name):>10,}" for name in _COLUMNS)
            lines.append(f"  {group.kind:<12} {group.agency_code:<10}{values}")
    lines += _odd("Lines that no rule read", result.unclaimed)
    lines += _odd(f"Pages of unknown kind: {result.unknown_pages:,}", result.unknown)
    lines += _odd("Findings", result.findings)
    if result.failures:
        lines += ["", f"Pages that gave no answer: {len(result.failures):,}"]
        reasons = Counter(failure["error"] for failure in result.failures)
        lines += [f"  {count:>6,} x {reason}" for reason, count in reasons.most_common(10)]
        lines += [f"    {failure['page_key']}: {failure['error']}" for failure in result.failures[:20]]
        if len(result.failures) > 20:
            lines.append(f"    … and {len(result.failures) - 20:,} more in report.json")
    return printable("\n".join(lines) + "\n")


def _odd(title: str, found: list[Oddity]) -> list[str]:
    """A part of the report: the most frequent oddities, each with a page that has it."""
    if not found:
        return []
    shown = [f"  {one.pages:>6,} pages  {one.what}\n{'':>16}such as {one.page_key}: {one.example}" for one in found]
    return ["", title, *shown]
