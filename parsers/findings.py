"""What is odd about a page, said aloud: one declared rule a kind of oddity, and the collector of a page's findings."""

from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple, TypedDict

Severity = Literal["note", "warning", "error"]


class Finding(TypedDict):
    """One remark about one page; `table`, `key`, `column` say which value it concerns, where one value can be named."""

    rule: str
    severity: Severity
    table: str | None
    key: str | None
    column: str | None
    printed: str | None
    message: str


# note: worth knowing, common on good pages. warning: the page contradicts itself or a value could not be read.
# error: a part that every such page has is missing or broken; the page is suspect.
RULES: Final[dict[str, tuple[Severity, str]]] = {
    # reading
    "not_a_page": ("error", "These bytes are no HTML page."),
    "unknown_kind": ("error", "The page is of no kind that is known."),
    "text_repaired": ("warning", "Text that the server had encoded twice was read as it was meant; nothing was lost."),
    "text_misencoded": ("error", "A text stands in letters of another charset, and cannot be repaired for certain."),
    "text_lost": ("error", "A text is question marks or replacement characters: its letters were lost."),
    "undecodable_bytes": ("warning", "Some bytes are no text in the page's charset; they stand as U+FFFD."),
    "error_message_in_page": ("error", "The server printed an error message into the page."),
    "page_cut_off": ("error", "The bytes end in the middle of a tag or a text."),
    "part_missing": ("error", "A part that every page of this kind has is missing."),
    "code_contradicts": ("error", "The page names another code in its title than in its links."),
    "url_contradicts": ("error", "The page shows another record than its URL asked for."),
    "code_shape": ("warning", "The code does not have the usual shape."),
    "printed_twice": ("note", "A line is printed twice, one right below the other."),
    "out_of_order": ("error", "A heading or label stands where it does not belong; what is below it is unclaimed."),
    "series_broken": ("error", "A numbered series has a gap, or a number twice."),
    "levels_out_of_order": ("warning", "A level of the plan does not stand below the level that its number names."),
    "quarters_missing": ("note", "The table of quarters has fewer than four rows."),
    "cell_missing": ("note", "A row of quarters has one number instead of two; it is taken for the result."),
    "heading_glued": ("note", "A heading and its text stand in one line."),
    "title_unclear": ("error", "What stands above the title cannot be told from its first line."),
    "line_not_understood": ("note", "No rule read this line."),
    "several_lines": ("note", "A value of several lines; one of them may be a part of the page that is not known."),
    "number_unreadable": ("warning", "Not a number; the value is null."),
    "date_unreadable": ("warning", "Not a calendar day that the portal can print; the value is null."),
    "date_is_no_date": ("warning", "What a database prints where it has no date; the value is null."),
    "buddhist_year": ("warning", "A stamp with a year of the Buddhist era; the value is the day it means."),
    "level_unknown": ("warning", "A level of indicator that is not known; the value is null."),
    "heading_unreadable": ("warning", "The heading of a report does not have the usual shape."),
    "duplicate_key": ("warning", "The page lists the same thing twice; the first stands in the table."),
    "step_renumbered": ("warning", "Two steps have the same number; the later one got the next free number."),
    # dates typed by officers
    "note_date_absent": ("note", "No typed date leads the note."),
    "note_date_impossible": ("note", "What leads the note is no day/month/Buddhist year; the note keeps it."),
    "note_dates_several": ("note", "Several typed dates head the note's entries; the note keeps them."),
    "note_date_differs": ("note", "The typed date is not the day of the report's heading."),
    # the page against itself
    "progress_printed_twice": ("warning", "Progress is printed twice, with two values."),
    "progress_not_newest_report": ("warning", "The header's progress is not the newest report's."),
    "percent_out_of_range": ("warning", "A percentage below 0 or above 100."),
    "weights_do_not_add_up": ("warning", "The weights of the plan's steps do not add up to 100."),
    "step_ends_before_start": ("warning", "The step ends before it starts."),
    "report_numbers_gap": ("warning", "The reports are not numbered 1, 2, 3 … from the newest."),
    "report_dates_order": ("warning", "A report is dated before the report below it."),
    "report_outside_fiscal_year": ("note", "The report's date lies outside the project's fiscal year."),
    "report_in_future": ("warning", "The report is dated after the day on which the page was fetched."),
    "progress_fell": ("note", "A report gives less progress than the one before it."),
    "result_not_last_quarter": ("note", "The overall result is not the last quarter's."),
    "dimensions_differ": ("warning", "The item's brackets name another dimension than the heading above it."),
    "units_differ": ("warning", "Target and result are printed in different units."),
    "unit_codes_differ": ("note", "The two halves of the unit pair differ."),
    "kpi_code_missing": ("note", "No link of the item leads to an indicator."),
}


MOST_OF_A_RULE: Final = 200
"""Findings of one rule that are listed of a page. A script that repeats a line until it is stopped prints 100,000 in 2 MB."""


def listed(findings: Iterable[Finding]) -> list[Finding]:
    """The findings without those of a rule beyond MOST_OF_A_RULE; the last one that is listed says how many more there are."""
    counts: Counter[str] = Counter()
    kept: list[Finding] = []
    last: dict[str, Finding] = {}
    for finding in findings:
        rule = finding["rule"]
        counts[rule] += 1
        if counts[rule] <= MOST_OF_A_RULE:
            last[rule] = Finding(**finding)
            kept.append(last[rule])
    for rule, finding in last.items():
        if (more := counts[rule] - MOST_OF_A_RULE) > 0:
            finding["message"] += f" {more:,} more of this rule are not listed."
    return kept


class Findings(list[Finding]):
    """The findings of one page, in the order they were made."""

    def add(
        self,
        rule: str,
        column: str | None = None,
        printed: str | None = None,
        *,
        table: str | None = None,
        key: str | None = None,
        message: str | None = None,
    ) -> None:
        """Record one finding by the name of its declared rule; an undeclared name is a programming error (KeyError)."""
        severity, standard = RULES[rule]
        text = message or standard
        self.append(
            Finding(rule=rule, severity=severity, table=table, key=key, column=column, printed=printed, message=text)
        )


class Scope(NamedTuple):
    """Where findings about one row of a table go."""

    findings: Findings
    table: str
    key: str

    def add(self, rule: str, column: str | None = None, printed: str | None = None, message: str | None = None) -> None:
        """Record one finding about the row."""
        self.findings.add(rule, column, printed, table=self.table, key=self.key, message=message)
