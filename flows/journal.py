"""How a harvest went, in one line for the operator's journal."""

from contextlib import suppress
from typing import Final

from flows.events import Changes
from flows.run_control import HarvestOutcome, StateName
from pipeline.plain_text import complain, say

_HOW: Final[dict[StateName, str]] = {
    "CouldNotRun": "could not run",
    "Interrupted": "interrupted",
    "Skipped": "skipped",
    "Killed": "killed",
}


def journal_line(portal: str, outcome: HarvestOutcome, changes: Changes | None) -> str:
    """Whether a harvest was published or why not, its pages, failures and seconds, and its changes by severity."""
    result = outcome.result
    if result is None:
        return _one_line(f"harvest of {portal}: {_HOW.get(outcome.state, outcome.state)}: {outcome.message}")
    pages = sum(count for name, count in result.outcomes.items() if name != "skipped")
    how = "published" if result.published else f"HELD BACK ({result.held_back})"
    found = ", ".join(f"{count:,} {severity}" for severity, count in changes.by_severity.items()) if changes else ""
    return _one_line(
        f"harvest {result.harvest_id} of {portal}: {how}; {pages:,} pages, {len(result.failures):,} failed, "
        f"{result.seconds:,.0f} s; changes: {found or sum(result.changes.values()) or 'none'}"
    )


def write_journal(outcome: HarvestOutcome) -> None:
    """Print a harvest's line and its warnings; a closed pipe is no error."""
    with suppress(OSError):
        say(outcome.line)
        for warning in outcome.warnings:
            complain(warning)


def _one_line(text: str) -> str:
    return " ".join(text.split())
