"""What the parser did not read in the pages of a harvest, counted: unclaimed lines, findings, pages of unknown kind."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from pipeline.harvest.spool import SpooledPage

MOST: Final = 10
"""How many lines, findings and unknown pages a report shows."""

_NUMBER: Final = re.compile(r"[0-9๐-๙](?:[0-9๐-๙.,/:-]*[0-9๐-๙])?")
_LONGEST: Final = 120  # characters of a line that are shown


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something odd that several pages share.

    what: a line's form, a finding's rule, or the first lines of a page; count: how often it came; pages: on how many pages
    example: one as printed; page_key, url: the first page that has it
    """

    what: str
    count: int
    pages: int
    example: str
    page_key: str
    url: str


class Oddities:
    """Counts what is odd, page by page."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {"lines": Counter(), "findings": Counter(), "unknown": Counter()}
        self._pages: dict[str, Counter[str]] = {"lines": Counter(), "findings": Counter(), "unknown": Counter()}
        self._first: dict[tuple[str, str], tuple[str, str, str]] = {}  # not the page, which has its bytes

    def count(self, page: SpooledPage, unclaimed: str | None) -> None:
        """Count what one page has. unclaimed: lines of its record's bytes, where those came again and were not parsed."""
        lines = page.unclaimed if page.verdict is not None else (unclaimed or "").splitlines()
        self._add("lines", [(_form(line), line) for line in lines], page)
        findings = [(_rule(finding), str(finding["printed"] or finding["message"])) for finding in page.findings]
        self._add("findings", findings, page)
        unknown = [str(finding["printed"]) for finding in page.findings if finding["rule"] == "unknown_kind"]
        self._add("unknown", [(_form(text), text) for text in unknown], page)

    def _add(self, group: str, found: list[tuple[str, str]], page: SpooledPage) -> None:
        for what, printed in found:
            self._counts[group][what] += 1
            self._first.setdefault((group, what), (printed[:_LONGEST], page.page_key, page.url))
        if found:
            self._pages[group].update({what for what, _ in found})

    def most(self, group: str, begins: str = "") -> list[Oddity]:
        """The most frequent ones of `lines`, `findings` or `unknown`; begins: how they begin"""
        chosen = [item for item in self._pages[group].items() if item[0].startswith(begins)]
        ranked = sorted(chosen, key=lambda item: (-item[1], item[0]))[:MOST]
        found = []
        for what, pages in ranked:
            found.append(Oddity(what[:_LONGEST], self._counts[group][what], pages, *self._first[group, what]))
        return found

    def total(self, group: str) -> int:
        """How many there are altogether."""
        return self._counts[group].total()


def _form(line: str) -> str:
    """What a line has in common with those of other pages: its label, or its words without the numbers."""
    label, colon, _ = line.partition(":")
    return _NUMBER.sub("0", f"{label.strip()} :" if colon else line)


def _rule(finding: dict[str, object]) -> str:
    """A finding's name; for a part that is missing with the name of that part, for a person to look for."""
    names_part = finding["rule"] == "part_missing" and finding["message"]
    return f"{finding['rule']}: {finding['message']}" if names_part else str(finding["rule"])
