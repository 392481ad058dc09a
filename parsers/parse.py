"""One page in, one document out: charset, printed lines, verdict, kind, records and remarks."""

import hashlib
import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import takewhile
from typing import Any, Final, TypeVar

import orjson

from parsers.encoding import binary_kind, decode
from parsers.findings import Finding, Findings
from parsers.kpi import KpiPage
from parsers.labels import (
    COPYRIGHT,
    KPI_CODE,
    KPI_HEADINGS,
    NARRATIVE_LABEL,
    PROGRESS_LABEL,
    PROJECT_CODE,
    PROJECT_HEADINGS,
    RESULT_LIST_TITLE,
    TARGET_LABEL,
    YII_CODE_LABEL,
)
from parsers.page import PrintedPage, read_page
from parsers.plain import EMPTY_CELL
from parsers.project import ProjectPage
from parsers.result_list import ResultListPage
from parsers.sections import cut_site_end, is_navigation
from parsers.thai import BANGKOK
from parsers.truncation import is_open
from parsers.verdict import Kind, Verdict, is_cut_title, kind_of, message_verdict, server_message_places, unseen_verdict
from parsers.yii_project import YiiProjectPage

PARSER_VERSION: Final = "3"
"""Changes whenever the same bytes can give other rows."""

Row = dict[str, Any]
_Item = TypeVar("_Item")
_Reader = ProjectPage | KpiPage | ResultListPage | YiiProjectPage

_CODE_IN_URL = re.compile(
    rf"[?&](?:(?:pid|project_id)=({PROJECT_CODE}|{KPI_CODE})|selDEP=([0-9]{{8}}))(?![0-9-])", re.IGNORECASE
)
_RECORD_LABELS: Final = (PROGRESS_LABEL, TARGET_LABEL, RESULT_LIST_TITLE, YII_CODE_LABEL)
_GLUED_QUARTER: Final = re.compile(r"[1-4๑-๔][0-9๐-๙.,]* ?/ ?[0-9๐-๙.,]+")
"""A row of quarters whose cells only a stylesheet parts."""
_HUGE: Final = 200_000  # bytes; hardly a real page is, and none such is read twice for a part of its record
_FIRST_LINES: Final = 5  # of a page of no known kind, in its finding
_FEW: Final = 12  # lines of a template that no rule read
_WAITS_FOR_TEXT: Final = {"kpi": [KPI_HEADINGS["definition"]], "yii_project": [PROJECT_HEADINGS["rationale"]]}
"""The last heading of a page, below which stands a text."""
_LAST_HEADING: Final = [PROJECT_HEADINGS["evaluations"]]
_HEADINGS: Final = {"project": PROJECT_HEADINGS, "kpi": KPI_HEADINGS}


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """What one page says.

    kind, verdict: see `parsers.verdict`
    tables: table name → rows; values are str, int, float or None, days are ISO strings. All tables that the kind
        feeds are there, each row has all columns the page can give
    findings: the remarks, see `parsers.findings`
    unclaimed: printed lines that no rule read
    links: the targets of the page's links, as written
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
    page = _parse(body, url, content_type, fetched_at)
    if page.tables:
        seems_glued = len(body) < _HUGE and _may_be_glued(page)
    else:
        seems_glued = page.verdict != "not_found" and _shows_labels(page.unclaimed)
    if not seems_glued:
        return page
    by_elements = _parse(body, url, content_type, fetched_at, every_element_breaks=True)
    left = set(by_elements.unclaimed)
    if not by_elements.tables or (page.tables and not (by_elements.verdict == "ok" and left <= set(page.unclaimed))):
        return page
    findings = Findings(by_elements.findings)
    findings.add("lines_by_elements")
    return replace(by_elements, findings=list(findings), tables=_respaced(by_elements.tables, page.tables))


def _may_be_glued(page: ParsedPage) -> bool:
    """Whether parts of a record may be missing because only a stylesheet parts them, as it does in a row of quarters.

    A page that is suspect for more stays so: a server's message is in pieces where each element is taken for a line.
    """
    errors = {finding["rule"] for finding in page.findings if finding["severity"] == "error"}
    if errors:
        return errors <= {"part_missing", "cells_glued"}
    return any(map(_GLUED_QUARTER.fullmatch, page.unclaimed))


def _respaced(tables: dict[str, list[Row]], usual: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """The tables; their texts with the blanks that the usual reading finds, where the letters are the same."""
    texts = {value for rows in usual.values() for row in rows for value in row.values() if isinstance(value, str)}
    by_letters = {text.replace(" ", ""): text for text in texts}

    def respaced(value: Any) -> Any:
        if not isinstance(value, str) or value in texts:
            return value
        return by_letters.get(value.replace(" ", ""), value)

    return {
        table: [{column: respaced(value) for column, value in row.items()} for row in rows]
        for table, rows in tables.items()
    }


def _shows_labels(lines: list[str]) -> bool:
    """Whether a page without a record prints what only records have, wherever in its lines."""
    text = "\n".join(lines)
    return any(label in text for label in _RECORD_LABELS)


def _parse(
    body: bytes,
    url: str | None,
    content_type: str | None,
    fetched_at: datetime | None,
    *,
    every_element_breaks: bool = False,
) -> ParsedPage:
    findings = Findings()
    if (binary := binary_kind(body)) is not None:
        findings.add("not_a_page", printed=binary)
        return ParsedPage("unknown", "blocked", {}, list(findings), [])
    page = read_page(body, content_type=content_type, every_element_breaks=every_element_breaks)
    kind = kind_of(page.lines)
    if kind == "result_list":
        page = read_page(
            body, content_type=content_type, with_line_links=True, every_element_breaks=every_element_breaks
        )
    if page.undecodable:
        findings.add("undecodable_bytes", printed=f"{page.undecodable} characters, read as {page.encoding}")
    if kind == "unknown":
        verdict = _unknown_verdict(page, body)
        if verdict == "suspect":
            findings.add(
                "unknown_kind", printed=" | ".join([line for line in page.lines if line != EMPTY_CELL][:_FIRST_LINES])
            )
        return _without_record(page, kind, verdict, findings)
    lines = page.lines
    places = server_message_places(lines)
    errors = [lines[place] for place in places]
    if places:
        lines = _without(lines, places)
        page = replace(page, line_links=_without(page.line_links, places))
    lines, below = cut_site_end(lines)
    site_end = page.site_end
    if site_end:
        places = server_message_places(site_end)
        errors += [site_end[place] for place in places]
        site_end = _without(site_end, places)
    for line in errors:
        findings.add("error_message_in_page", printed=line)
    reader = _reader(kind, lines, findings, page, url)
    if not reader.has_record:
        return _without_record(page, kind, _recordless_verdict(kind, lines, errors, reader), findings)
    is_whole = kind == "project" and lines[-1:] == _LAST_HEADING  # nothing of a record stands below it
    if (page.cut_off and not is_whole) or (_waits_for_text(kind, lines) and is_open(body)):
        findings.add("page_cut_off", printed=page.lines[-1][-80:])
    if fetched_at and isinstance(reader, ProjectPage):
        reader.check_not_after(fetched_at.astimezone(BANGKOK).date())
    asked = _CODE_IN_URL.search(url) if url else None
    if asked and (code := asked[1] or asked[2]) != reader.code:
        findings.add("url_contradicts", key=reader.code, printed=code)
    of_the_site = [line for line in (*below, *site_end) if not COPYRIGHT.match(line)]
    left = [line for line in (*reader.unclaimed, *of_the_site) if line != EMPTY_CELL and not is_navigation(line)]
    suspect = any(finding["severity"] == "error" for finding in findings)
    return ParsedPage(
        kind,
        "suspect" if suspect else "ok",
        reader.tables,
        list(findings),
        left,
        page.links,
        page.encoding,
        reader.evaluation_quarter,
        reader.code,
    )


def _waits_for_text(kind: Kind, lines: list[str]) -> bool:
    """Whether a page ends in a heading below which a text stands."""
    if kind == "result_list":
        return bool(NARRATIVE_LABEL.fullmatch(lines[-1]))
    return lines[-1:] == _WAITS_FOR_TEXT.get(kind)


def _without(items: list[_Item], places: list[int]) -> list[_Item]:
    left_out = set(places)
    return [item for place, item in enumerate(items) if place not in left_out]


def facts_sha256(tables: dict[str, list[Row]]) -> str:
    """The hash of what a page says: over the canonical JSON of its rows, whatever their markup or number format."""
    return hashlib.sha256(orjson.dumps(tables, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _reader(kind: Kind, lines: list[str], findings: Findings, page: PrintedPage, url: str | None) -> _Reader:
    if kind == "project":
        return ProjectPage(lines, findings)
    if kind == "kpi":
        return KpiPage(lines, findings)
    if kind == "yii_project":
        return YiiProjectPage(lines, findings)
    return ResultListPage(lines, findings, page.links, page.line_links, url)


def _without_record(page: PrintedPage, kind: Kind, verdict: Verdict, findings: Findings) -> ParsedPage:
    unclaimed = [line for line in page.lines if line != EMPTY_CELL]
    return ParsedPage(kind, verdict, {}, list(findings), unclaimed, page.links, page.encoding)


def _unknown_verdict(page: PrintedPage, body: bytes) -> Verdict:
    lines = [line for line in page.lines if line not in (EMPTY_CELL, "<")]  # a tag's beginning at the very end
    if not lines:
        return unseen_verdict(decode(body).source.decode("utf-8", "replace"))
    if is_cut_title(lines):
        return "suspect"
    return message_verdict([line for line in lines if not is_navigation(line)] or lines) or "suspect"


def _recordless_verdict(kind: Kind, lines: list[str], errors: list[str], reader: _Reader) -> Verdict:
    """A template without a record: an error's page, the portal's word that there is none, cut off, or just empty.

    In a template with texts, a message stands above them: what they say is no word of the portal. A link to log in is
    none either, where the template's own parts are there.
    """
    if errors:
        return "blocked"
    headings = _HEADINGS.get(kind, {}).values()
    above = list(takewhile(lambda line: line not in headings, lines)) if len(reader.unclaimed) > _FEW else lines
    if kind == "result_list" or any(line in headings for line in lines):
        above = [line for line in above if not is_navigation(line)]
    if (verdict := message_verdict(above)) is not None:
        return verdict
    return "suspect" if headings and list(headings)[-1] not in lines else "empty"
