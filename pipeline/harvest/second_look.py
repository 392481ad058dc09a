"""Which pages are asked for once more at the end of a harvest, before what they said counts."""

from collections.abc import Iterable, Mapping
from typing import Final

from pipeline.harvest.page_status import PageRow, is_in_force
from pipeline.harvest.spool import SpooledPage

_MOST_SUSPECT: Final = 0.1
"""Share of suspect pages above which the portal's template is what changed: asking again would change nothing."""
_SHOWN: Final = ("link", "asked")
"""How pages are found that somebody says are there; an address that was only tried may well be nothing."""


def doubtful_pages(
    pages: Iterable[SpooledPage], known: Mapping[str, PageRow], sources: Mapping[str, str], allowance: int
) -> set[str]:
    """Keys of the answered pages that are to be asked for again.

    A suspect page where the version in force is whole or there is none; a page that is not found or blank where its record
    is in force, or where something has led to it for the first time.

    known: page_key → row of the last published harvest; sources: page_key → how this harvest found it
    allowance: suspect pages that are asked for again whatever their share
    """
    missing, suspect, answered = set(), set(), 0
    for page in pages:
        if page.error is not None:
            continue
        answered += 1
        row = known.get(page.page_key)
        live = row is not None and is_in_force(row)
        if page.has_no_record and (live or (row is None and sources.get(page.page_key) in _SHOWN)):
            missing.add(page.page_key)
        elif page.verdict == "suspect" and not (live and row is not None and row["version_verdict"] == "suspect"):
            suspect.add(page.page_key)
    return missing | suspect if len(suspect) <= max(allowance, _MOST_SUSPECT * answered) else missing
