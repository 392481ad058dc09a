"""One page in, one document out: charset, printed lines, verdict, kind, records and remarks."""

import hashlib
import re
from bisect import bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, compress, takewhile
from operator import eq
from typing import Any, Final

import orjson

from parsers.boilerplate import FOLDS, TO_TOP, is_boilerplate, record_end
from parsers.findings import MOST_OF_A_RULE, Finding, Findings, Scope, listed
from parsers.grammar import Outline, Page, Row
from parsers.page import EMPTY_CELL, Link, PrintedPage, read_page
from parsers.pages import PAGE_KINDS, PageKind
from parsers.quarters import QuarterTable, take_tables
from parsers.server_messages import message_verdict, server_message_places, unseen_verdict
from parsers.text_damage import latin_text, put_back_references, text_damage
from parsers.thai import BANGKOK
from parsers.truncation import is_cut_off, is_open
from parsers.verdict import RESULT_LIST_TITLE, Kind, Verdict, kind_of

_CODE_IN_URL: Final = re.compile(
    r"[?&](?:(?:pid|project_id)=([0-9]{8}-[0-9]{4}|[0-9]{4}-[0-9]{3,4}|[0-9]{1,4})|selDEP=([0-9]{8}))(?![0-9-])",
    re.IGNORECASE,
)
_LIST_ADDRESS: Final = re.compile(r"(?:^|/)index1[0-9]{0,3}\.php", re.IGNORECASE)
_FIRST_LINES: Final = 5  # of a page of no known kind, in its finding
_MENU_LINES: Final = 60  # in which a menu may stand above a message
_EXCERPT: Final = 80  # characters of a damaged text, in its finding
_UNREADABLE: Final = frozenset(("text_lost", "text_misencoded", "page_cut_off"))
"""Findings of a page of which nobody can say that it shows no record."""
_FEW: Final = 12  # lines of a template that no rule read
_WAITING: Final = re.compile("หลักการและเหตุผล|รายงานผลฯ ไตรมาสที่ ?[1-4๑-๔]")
"""The labels of the last parts of kinds without sections, below which a text stands."""
_BY_CODE: Final = ("project_kpis", "project_kpi_quarters")
"""Tables whose rows have a code for a key, and no position."""


@dataclass(slots=True)
class ParsedPage:
    """What one page says.

    tables: table name → rows, for all tables that the kind feeds; values are str, int, float or None, days ISO strings
    unclaimed: printed lines that no rule read; links: the targets of the page's links, as written
    base: what its links are relative to, where that is not its own address; source: its source in UTF-8
    encoding: the charset the bytes were read in
    evaluation_quarter: the quarter in the line of สยป.; a setting of the portal on the day, not a fact of the record
    code: the project's, indicator's or agency's code that the page shows
    """

    kind: Kind
    verdict: Verdict
    tables: dict[str, list[Row]]
    findings: list[Finding]
    unclaimed: list[str]
    links: list[str] = field(default_factory=list)
    encoding: str = "utf-8"
    evaluation_quarter: int | None = None
    code: str | None = None
    base: str | None = None
    source: bytes = field(default=b"", repr=False)

    def document(self, source: str) -> dict[str, Any]:
        """The page as the JSON document of `bma-progress parse`."""
        return {
            "source": source,
            "kind": self.kind,
            "verdict": self.verdict,
            "tables": self.tables,
            "findings": self.findings,
            "unclaimed": self.unclaimed,
        }


def parse_page(
    body: bytes, *, url: str | None = None, content_type: str | None = None, fetched_at: datetime | None = None
) -> ParsedPage:
    """Read one page of the portal.

    body: the entity bytes as served (content encodings undone, charset not)
    url: where the page came from; it names the result list, and a page that shows another record is suspect
    content_type: the header's value, for its charset
    fetched_at: when the page was fetched, an aware time; a report of a later day in Bangkok is then a finding

    Never raises, whatever the bytes are. Which markup the page uses does not matter: only what it prints.
    """
    findings = Findings()
    printed = read_page(body, content_type=content_type)
    if (binary := printed.decoded.binary) is not None:
        findings.add("not_a_page", printed=binary)
        return ParsedPage("unknown", "blocked", {}, list(findings), [])
    printed, text, latin = _with_sound_texts(printed, findings)
    kind = kind_of(printed.lines, text)
    if kind == "unknown":
        return _without_record(printed, kind, _unknown_verdict(printed, findings), findings)
    errors = server_message_places(printed.lines, latin)
    for place in errors:
        findings.add("error_message_in_page", printed=printed.lines[place])
    declared = PAGE_KINDS[kind]
    menu = dict.fromkeys(_menu_places(printed))  # each place once
    page, tables, below = _prepared(printed, declared, {*errors, *menu}, findings, url)
    declared.read(page, tables)
    for lines in filter(None, page.below.values()):
        page.leave(lines)
    if not page.code:
        has_results = any(row[1] for table in tables for row in table.rows)
        verdict = "blocked" if errors else _recordless_verdict(declared, page, has_results=has_results)
        return _without_record(printed, kind, verdict, findings)
    _check_whole(printed, page.lines, declared, findings)
    _check_repeats(page.lines, findings)
    _check_address(url, page.code, findings)
    if fetched_at:
        _check_not_after(page, fetched_at)
    inside = _inside_record(menu, printed, page.code) if menu else ()
    unclaimed = [line for line in (*page.unclaimed, *inside, *below) if not is_boilerplate(line)]
    return _parsed(printed, kind, "suspect" if _has_errors(findings) else "ok", findings, unclaimed, page)


def _has_errors(findings: Findings) -> bool:
    """Whether one of them says that a part of the page is missing or broken."""
    return any(finding["severity"] == "error" for finding in findings)


def _parsed(
    printed: PrintedPage,
    kind: Kind,
    verdict: Verdict,
    findings: Findings,
    unclaimed: list[str],
    page: Page | None = None,
) -> ParsedPage:
    """What is said of a page; without a record there are no tables."""
    return ParsedPage(
        kind=kind,
        verdict=verdict,
        tables=page.tables if page else {},
        findings=listed(findings) if len(findings) > MOST_OF_A_RULE else list(findings),
        unclaimed=unclaimed,
        links=[link.target for link in printed.links],
        encoding=printed.decoded.encoding,
        evaluation_quarter=page.evaluation_quarter if page else None,
        code=page.code if page else None,
        base=printed.base,
        source=printed.decoded.source,
    )


def _with_sound_texts(printed: PrintedPage, findings: Findings) -> tuple[PrintedPage, str, str]:
    """The page with its texts repaired where that is certain; reports what was repaired, and what cannot be.

    Also all of its lines, each between two line breaks, and the Latin letters of each line.
    """
    decoded = printed.decoded
    if decoded.undecodable:
        findings.add("undecodable_bytes", printed=f"{decoded.undecodable} characters, read as {decoded.encoding}")
    if decoded.misread_as:
        findings.add("text_repaired", printed=f"the whole page, misread as {decoded.misread_as}")
    text = "\n".join(("", *printed.lines, ""))
    if "click to" in text:
        text = FOLDS.sub("", text)
        printed = printed._replace(lines=text[1:-1].split("\n"))
    latin = latin_text(text)[1:-1]
    lines = put_back_references(printed.lines, latin)
    if lines is not printed.lines:
        line = next(line for line, old in zip(lines, printed.lines, strict=True) if line != old)
        findings.add("text_repaired", printed=line[:_EXCERPT])
        printed, text = printed._replace(lines=lines), "\n".join(("", *lines, ""))
    for rule, line in text_damage(lines, text, latin, undecodable=decoded.undecodable).items():
        findings.add(rule, printed=line[:_EXCERPT])
    return printed, text, latin


def _prepared(
    printed: PrintedPage, declared: PageKind, left_out: set[int], findings: Findings, url: str | None
) -> tuple[Page, list[QuarterTable], list[str]]:
    """The page to be read, its tables of quarters, and the lines of the site below the record."""
    lines = printed.lines
    if left_out:
        lines = [EMPTY_CELL if place in left_out else line for place, line in enumerate(lines)]
    end = record_end(lines, printed.record_end, declared.sections.headings)
    kept, numbers, tables, replaced = take_tables(lines[:end])
    links: dict[int, list[Link]] = {}
    for link in printed.links:
        if link.line_no < end:
            links.setdefault(bisect_right(numbers, link.line_no) - 1, []).append(link)
    page = Page(declared.tables, kept, links, findings, url, replaced=replaced)
    return page, tables, lines[end:]


def _menu_places(printed: PrintedPage) -> Iterator[int]:
    """Lines that lead to the top of the page, or begin with a link to one of the portal's own lists: a menu."""
    if not TO_TOP.isdisjoint(printed.lines):
        yield from (place for place, line in enumerate(printed.lines) if line in TO_TOP)
    for link in printed.links:
        if link.leads and _LIST_ADDRESS.search(link.target):
            line = "".join(printed.lines[link.line_no : link.line_no + 1])
            if not line.startswith(RESULT_LIST_TITLE):
                yield link.line_no


def _inside_record(menu: Collection[int], printed: PrintedPage, code: str) -> Iterator[str]:
    """The lines of menus that stand between a record's title and its last line: they may be values, too."""
    lines = printed.lines
    title = next((place for place, line in enumerate(lines) if code in line), 0)
    last = range(printed.record_end - 1, title, -1)
    end = next((place for place in last if place not in menu and not is_boilerplate(lines[place])), title)
    return (lines[place] for place in menu if title < place < end)


def _check_whole(printed: PrintedPage, lines: list[str], declared: PageKind, findings: Findings) -> None:
    """Report a page that was cut off; nothing of a project stands below its last heading."""
    is_whole = bool(declared.sections) and declared.sections[-1].last and lines[-1:] == [declared.sections[-1].heading]
    last = printed.lines[-1]
    waits = not is_whole and bool(last in declared.sections.headings or _WAITING.fullmatch(last))
    if (waits and is_open(printed.small)) or (not is_whole and is_cut_off(printed.decoded.source, printed.small)):
        findings.add("page_cut_off", printed=lines[-1][-80:])


def _check_repeats(lines: list[str], findings: Findings) -> None:
    """Report the lines of a record that are printed twice."""
    for line in _repeated(lines):
        if not is_boilerplate(line):
            findings.add("printed_twice", printed=line)


def _repeated(lines: list[str]) -> Iterator[str]:
    """The lines that are printed twice, one right below the other; a line may have a cell for its label, one for its value."""
    yield from compress(lines, map(eq, lines, lines[1:]))
    is_next_but_one = bytes(map(eq, lines, lines[2:]))
    place = is_next_but_one.find(b"\1\1")
    while place >= 0:
        if lines[place] != lines[place + 1]:
            yield f"{lines[place]} {lines[place + 1]}"
        place = is_next_but_one.find(b"\1\1", place + 1)


def _check_address(url: str | None, code: str, findings: Findings) -> None:
    asked = _CODE_IN_URL.search(url) if url else None
    if asked and (asked_for := asked[1] or asked[2]) != code:
        findings.add("url_contradicts", printed=asked_for, key=code)


def _check_not_after(page: Page, fetched_at: datetime) -> None:
    """Report what is dated after the day of the fetch in Bangkok."""
    today = fetched_at.astimezone(BANGKOK).date().isoformat()
    for report in page.tables.get("progress_reports", []):
        if (day := report["reported_on_date"]) and day > today:
            scope = Scope(page.findings, "progress_reports", f"{page.code}/{report['report_index']}")
            scope.add("report_in_future", "reported_on_date", day)


def facts_sha256(tables: dict[str, list[Row]]) -> str:
    """The hash of what a page says: over the canonical JSON of its rows by key, whatever their markup or number format."""

    def key(row: Row) -> tuple[str, int]:
        return row["kpi_code"], row.get("quarter") or 0

    facts = {table: sorted(rows, key=key) if table in _BY_CODE else rows for table, rows in tables.items()}
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()


# --- pages without a record -------------------------------------------------------------------------------------------


def _unknown_verdict(printed: PrintedPage, findings: Findings) -> Verdict:
    lines = [line for line in printed.lines if line != EMPTY_CELL]
    if not lines:
        return unseen_verdict(printed.decoded.source.decode("utf-8", "replace"))
    own = [*(line for line in lines[:_MENU_LINES] if not is_boilerplate(line)), *lines[_MENU_LINES:]]
    verdict = message_verdict(own or lines)
    if verdict is None:
        findings.add("unknown_kind", printed=" | ".join(lines[:_FIRST_LINES]))
    return verdict or "suspect"


def _without_record(printed: PrintedPage, kind: Kind, verdict: Verdict, findings: Findings) -> ParsedPage:
    if verdict == "empty" and is_cut_off(printed.decoded.source, printed.small):
        findings.add("page_cut_off", printed="".join(printed.lines[-1:])[-_EXCERPT:])
    if verdict in ("empty", "not_found") and not _UNREADABLE.isdisjoint(finding["rule"] for finding in findings):
        verdict = "suspect"
    return _parsed(printed, kind, verdict, findings, [line for line in printed.lines if line != EMPTY_CELL])


def _recordless_verdict(declared: PageKind, page: Page, *, has_results: bool) -> Verdict:
    """A template without a record: an error's page, the portal's word that there is none, cut off, or just empty.

    In a template with texts a message stands above them; a link to log in is none where the template's own parts are there.
    has_results: whether a table of quarters has any
    """
    lines, sections, headings = page.lines, declared.sections, declared.sections.headings
    has_texts = _has_texts(page, sections)
    above = list(takewhile(lambda line: line not in headings, lines)) if has_texts else lines
    if not headings or any(line in headings for line in lines):
        above = [line for line in above if not is_boilerplate(line)]
    if (verdict := message_verdict(above)) == "blocked" or (verdict and not _has_errors(page.findings)):
        return verdict
    if sections:
        if sections[-1].heading in lines and not (has_results or has_texts):
            return "empty"
        page.findings.add("part_missing", message="The page has no title with a code.")
    elif _has_unread_texts(page):
        page.findings.add("part_missing", message="The page has texts that no rule read, and no record.")
    return "suspect" if _has_errors(page.findings) else "empty"


def _has_unread_texts(page: Page) -> bool:
    """Whether more lines were not read than an empty page has; a menu's lead somewhere."""
    leading = {page.lines[place] for place, links in page.links.items() if any(link.leads for link in links)}
    return len([line for line in page.unclaimed if not (line in leading or is_boilerplate(line))]) > _FEW


def _has_texts(page: Page, sections: Outline) -> bool:
    """Whether a text or a record stands below one of the headings; an empty template prints at most a `/` or a label there."""
    texts = (page.below.get(section.key, ()) for section in sections if not section.last)
    return any(
        line[-1] not in "/:" and line not in page.replaced and not is_boilerplate(line) for line in chain(*texts)
    )
