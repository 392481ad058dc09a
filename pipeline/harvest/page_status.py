"""What an answer means for the record of a page: one pure decision from the row of the harvest before and the answer."""

from collections.abc import Mapping
from typing import Any, Final

from pipeline.harvest.spool import SpooledPage
from pipeline.schema.page_kinds import OWNER_OF_KIND

PageRow = dict[str, Any]

MISSES_TO_END: Final = 2
"""How many times in a row the portal must say "not found" or show a blank before a record ends."""

INCOMPLETE_RULES: Final = frozenset(("part_missing", "page_cut_off", "text_lost", "text_misencoded"))
"""Findings of a page that may lack rows, or letters, that it had before: no parser's word makes it replace a whole version."""

_SET_ASIDE: Final = "a suspect page ("
_MOST_LINES: Final = 20  # of a page that no rule read, kept in its row: enough to see what is new
_LONGEST_LINE: Final = 120
_IDENTITY: Final = ("page_key", "url", "kind", "project_code", "kpi_code")
_TAKEN_OVER: Final = (
    *("facts_sha256", "version_harvest_id", "record_sha256", "record_body_harvest_id", "version_verdict"),
    *("first_seen_at", "changed_at", "checked_at", "ended_at", "etag", "last_modified", "parser_version"),
    *("evaluation_quarter", "encoding", "progress_percent", "suspect_sha256", "suspect_nights"),
    *("unclaimed", "final_url"),
)


def is_in_force(row: Mapping[str, Any]) -> bool:
    """True where the page's record was seen and has not ended."""
    return row["version_harvest_id"] is not None and row["ended_at"] is None


def is_set_aside(row: Mapping[str, Any]) -> bool:
    """True where a suspect page came, and the last whole version stays in force."""
    return row["outcome"] == "failed" and str(row["error"]).startswith(_SET_ASIDE)


def next_page_row(
    previous: Mapping[str, Any] | None, page: SpooledPage | None, harvest_id: str, suspect_nights: int | None = None
) -> PageRow:
    """The row of the table `pages` for one page in one harvest.

    previous: the page's row in the last published harvest, None for a page not known before
    page: what came in this harvest, None where the page was not requested
    suspect_nights: harvests running in which a suspect page must say the same before it replaces a whole version; None
        where the bytes are those of that version, read by another parser
    One of the two must be given. After a failure the version in force stays; only MISSES_TO_END answers in a row that
    say "not found" or show a blank end a record; a record that comes back is new again.
    """
    row = _begin_row(previous, page, harvest_id)
    if page is not None:
        _take_answer(row, previous, page, harvest_id, suspect_nights)
    row["outcome_since"] = outcome_since(previous, row)
    return row


def outcome_since(previous: Mapping[str, Any] | None, row: Mapping[str, Any]) -> str:
    """The first of the published harvests running that had this outcome of a page, as far as its former row knows.

    previous: the page's row in the last published harvest. A new version begins anew, and so does the end of a record.
    """
    if previous is None or row["outcome"] in ("new", "changed") or previous["outcome"] != row["outcome"]:
        return str(row["harvest_id"])
    if (previous["ended_at"] is None) != (row["ended_at"] is None):
        return str(row["harvest_id"])
    return str(previous["outcome_since"] or previous["harvest_id"])


def _take_answer(
    row: PageRow, previous: Mapping[str, Any] | None, page: SpooledPage, harvest_id: str, suspect_nights: int | None
) -> None:
    row["fetched_at"] = page.fetched_at
    row["http_status"] = page.http_status
    row["error"] = page.error
    row["verdict"] = page.verdict
    if page.sha256:
        row["page_sha256"], row["bytes"] = page.sha256, page.size
        row["body_harvest_id"] = _kept_in(previous, page, harvest_id)
    live = is_in_force(row)
    if page.error is not None:
        row["outcome"] = {"robots": "skipped", "blocked": "blocked"}.get(page.error_kind or "", "failed")
    elif page.http_status in (404, 410) or page.verdict == "not_found":
        _miss(row, "not_found", page)
    elif page.verdict == "empty":
        _miss(row, "blank", page)
    elif page.not_modified or (live and page.facts_sha256 is None and page.sha256 == row["record_sha256"]):
        _confirm(row, page)
        if not page.not_modified:
            _take_validators(row, page)
        elif previous is not None:
            row["page_sha256"], row["body_harvest_id"] = previous["record_sha256"], previous["record_body_harvest_id"]
            is_record = previous["page_sha256"] == previous["record_sha256"]
            row["bytes"] = previous["bytes"] if is_record else None  # else that was the size of an error page
    elif page.verdict == "blocked" or page.facts_sha256 is None:
        row["outcome"] = "blocked" if page.verdict == "blocked" else "failed"
        row["error"] = row["error"] or "a page without a record"
    elif live and page.facts_sha256 == row["facts_sha256"]:
        _confirm(row, page)
        _take_bytes(row, page)
    elif live and page.verdict == "suspect" and row["version_verdict"] == "ok" and _stays(row, page, suspect_nights):
        row["outcome"] = "failed"
        rules = sorted({str(finding["rule"]) for finding in page.findings if finding["severity"] == "error"})
        why = f"a suspect page ({', '.join(rules)}): the last whole version stays"
        row["error"] = why
    else:
        _new_version(row, page, harvest_id, live=live)


def _kept_in(previous: Mapping[str, Any] | None, page: SpooledPage, harvest_id: str) -> str | None:
    """The harvest that keeps a page's bytes: an earlier one that has them, else this one if they came, else none.

    A harvest stores the bytes of exactly the rows that name it here.
    """
    for sha256, kept_in in (("record_sha256", "record_body_harvest_id"), ("page_sha256", "body_harvest_id")):
        if previous is not None and previous[sha256] == page.sha256 and previous[kept_in] is not None:
            return str(previous[kept_in])
    return harvest_id if page.body else None


def _begin_row(previous: Mapping[str, Any] | None, page: SpooledPage | None, harvest_id: str) -> PageRow:
    """The row of a page that was not requested, from which the answer's row is made."""
    if page is not None:
        owner = OWNER_OF_KIND.get(page.kind)
        identity: PageRow = {
            "page_key": page.page_key,
            "url": page.url,
            "kind": page.kind,
            "project_code": page.code if owner == "project_code" else None,
            "kpi_code": page.code if owner == "kpi_code" else None,
        }
    elif previous is not None:
        identity = {name: previous[name] for name in _IDENTITY}
    else:
        raise ValueError("neither a known page nor an answer")
    taken_over = dict.fromkeys(_TAKEN_OVER) if previous is None else {name: previous[name] for name in _TAKEN_OVER}
    return {
        **identity,
        **taken_over,
        "harvest_id": harvest_id,
        "outcome": "skipped",
        "verdict": None,
        "http_status": None,
        "page_sha256": None,
        "body_harvest_id": None,
        "bytes": None,
        "fetched_at": None,
        "error": None,
        "misses": previous["misses"] if previous is not None else 0,
    }


def _miss(row: PageRow, outcome: str, page: SpooledPage) -> None:
    row["outcome"] = outcome
    row["misses"] += 1
    if is_in_force(row) and row["misses"] >= MISSES_TO_END:
        row["ended_at"] = page.fetched_at


def _confirm(row: PageRow, page: SpooledPage) -> None:
    row["outcome"] = "unchanged"
    row["checked_at"] = page.fetched_at
    row["misses"] = 0
    row["final_url"] = page.final_url
    row["suspect_sha256"] = row["suspect_nights"] = None
    if page.evaluation_quarter is not None:
        row["evaluation_quarter"] = page.evaluation_quarter


def _take_bytes(row: PageRow, page: SpooledPage) -> None:
    row["record_sha256"], row["record_body_harvest_id"] = row["page_sha256"], row["body_harvest_id"]
    _take_validators(row, page)
    row["encoding"], row["parser_version"] = page.encoding, page.parser_version
    row["unclaimed"] = "\n".join(line[:_LONGEST_LINE] for line in page.unclaimed[:_MOST_LINES]) or None


def _take_validators(row: PageRow, page: SpooledPage) -> None:
    row["etag"], row["last_modified"] = page.headers.get("etag"), page.headers.get("last-modified")


def _new_version(row: PageRow, page: SpooledPage, harvest_id: str, *, live: bool) -> None:
    row["outcome"] = "changed" if live else "new"
    row["facts_sha256"] = page.facts_sha256
    row["version_harvest_id"] = harvest_id
    row["version_verdict"] = page.verdict
    row["first_seen_at"] = row["first_seen_at"] or page.fetched_at
    row["changed_at"] = row["checked_at"] = page.fetched_at
    row["ended_at"] = None
    row["misses"] = 0
    row["final_url"] = page.final_url
    row["suspect_sha256"] = row["suspect_nights"] = None
    row["evaluation_quarter"] = page.evaluation_quarter
    row["progress_percent"] = _progress(page)
    _take_bytes(row, page)


def _progress(page: SpooledPage) -> float | None:
    """The progress that a project's page prints."""
    projects = (page.tables or {}).get("projects", ())
    return next((row["progress_percent"] for row in projects), None)


def _stays(row: PageRow, page: SpooledPage, suspect_nights: int | None) -> bool:
    """True where the last whole version stays in force before a suspect page; counts how often that page said the same."""
    if suspect_nights is None:
        return any(finding["rule"] in INCOMPLETE_RULES for finding in page.findings)
    same = row["suspect_sha256"] == page.facts_sha256
    row["suspect_sha256"] = page.facts_sha256
    row["suspect_nights"] = (row["suspect_nights"] if same else 0) + 1
    return bool(row["suspect_nights"] < suspect_nights)


def progress_differs(row: PageRow, progress: dict[str, float]) -> dict[str, Any] | None:
    """The finding that a project's two pages print another progress; both values are kept, each with its page.

    progress: code → what the mobile page prints, filled here: pages come in the order of their keys, so it comes first
    """
    code, value = row["project_code"], row["progress_percent"]
    if code is None or value is None or not is_in_force(row):
        return None
    if row["kind"] == "project":
        progress[code] = value
        return None
    if progress.get(code, value) == value:
        return None
    return {
        "page_key": row["page_key"],
        "rule": "progress_differs",
        "severity": "warning",
        "table": "projects",
        "key": code,
        "column": "progress_percent",
        "printed": f"{value:g} | {progress[code]:g}",
        "message": "The project's two pages print another progress; the table has the mobile page's.",
    }
