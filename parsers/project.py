"""The project page: every section of it, into the tables it feeds."""

import re
from datetime import date
from itertools import pairwise
from operator import itemgetter
from typing import Any

from parsers.contact import split_contact
from parsers.findings import Findings
from parsers.indicator import (
    check_last_quarter,
    cut_quarter_table,
    percentage,
    read_evaluation,
    read_measures,
    read_quarter_table,
)
from parsers.labels import (
    ACHIEVED_LABEL,
    AGENCY_LINE,
    AGENCY_YEAR,
    BARE_CODE_LINE,
    BEFORE_LINKS,
    BEFORE_TARGET,
    BEHIND_KPI_CODE,
    EVALUATION_MARK,
    FURNITURE,
    KPI_BLOCK_LABEL,
    KPI_CODE,
    KPI_NAME_LABEL,
    KPI_NAME_LINE,
    LABELLED,
    NAME_IN_ENGLISH,
    NAVIGATION,
    PLAN_LINK,
    PROGRESS_IN_LINE,
    PROGRESS_LABEL,
    PROJECT_HEADINGS,
    REPORT_HEADING,
    STEP_END_LABEL,
    STEP_LABEL,
    STEP_LINKS,
    STEP_START_LABEL,
    STRATEGY_LINE,
    SUB_OFFICE_MARK,
    TARGET_LABEL,
    TITLE_LINE,
    TO_TOP,
    UNIT_PAIR,
    UNIT_PAIR_AT_END,
    USUAL_REPORT,
    USUAL_STEP,
)
from parsers.page import next_lines
from parsers.plain import EMPTY_CELL
from parsers.reports import ReportLines, is_report_start, part_reports, split_reports
from parsers.sections import MOST_PIECES, cut, once, without_echoes, without_furniture
from parsers.steps import last_label, part_dates, part_step_links, split_step_text, step_day, step_starts
from parsers.thai import (
    BUDDHIST_OFFSET,
    NONE_WORDS,
    arabic_digits,
    parse_integer,
    parse_iso_day,
    parse_number,
    typed_date_day,
    typed_dates,
)
from parsers.title import find_title

Row = dict[str, Any]
_Heading = tuple[int | None, float | None, str | None]  # a report's number, progress and day
_StepParts = tuple[str, str, str, str, str, str]  # all of it if usual; number, description, weight, first and last day

TABLES = (
    "projects",
    "contacts",
    "project_strategies",
    "progress_reports",
    "plan_steps",
    "project_kpis",
    "project_kpi_quarters",
)

_KPI_CODE = re.compile(KPI_CODE)
_MEASURE_LABELS = (TARGET_LABEL, ACHIEVED_LABEL)
_DATED_NOTE = re.compile(r"[0-9๐-๙ /]+:")
_AGENCY_WITHIN = 6  # lines below the title
_ONLY_SEPARATORS = re.compile(r"\s*(?:[,&;/–-]|และ|ถึง)?\s*")


class ProjectPage:
    """One project page while it is read; `tables`, `unclaimed` and the findings are what comes of it."""

    def __init__(self, lines: list[str], findings: Findings) -> None:
        self.findings = findings
        self.unclaimed: list[str] = []
        self.code = ""
        self.evaluation_quarter: int | None = None
        self.tables: dict[str, list[Row]] = {table: [] for table in TABLES}
        self._project: Row = {}
        self._read(lines)

    @property
    def has_record(self) -> bool:
        """Whether the page shows a project at all."""
        return bool(self.code)

    def _read(self, lines: list[str]) -> None:
        head, sections = cut(self._once(lines), PROJECT_HEADINGS, _FOLLOWS)
        self._read_head(head)
        if not self.code:
            self.unclaimed += [line for below in sections.values() for line in below if line != EMPTY_CELL]
            return
        for key, heading in PROJECT_HEADINGS.items():
            if key not in sections:
                self.findings.add("part_missing", printed=heading, message=f"The page has no heading {heading}.")
        self._read_texts(sections)
        self._read_strategies(sections.get("strategies", []))
        self._read_reports(sections.get("reports", []))
        self._read_plan(sections.get("plan", []))
        self._read_kpis(sections.get("kpis", []))
        self._leave(line for line in sections.get("evaluations", []) if line != EMPTY_CELL and line not in FURNITURE)
        self.tables["projects"].append(self._project)
        self._check()

    def _once(self, lines: list[str]) -> list[str]:
        first = once(lines)
        if len(first) < len(lines):
            self.findings.add("printed_twice", printed=lines[0])
        return first

    def _leave(self, lines: Any) -> None:
        self.unclaimed.extend(line for line in lines if line != EMPTY_CELL)

    def check_not_after(self, today: date) -> None:
        """Remark on reports dated after `today`, the day of the fetch."""
        for report in self.tables["progress_reports"]:
            day = report["reported_on_date"]
            if day and day > today.isoformat():
                self.findings.add(
                    "report_in_future",
                    table="progress_reports",
                    key=f"{self.code}/{report['report_index']}",
                    column="reported_on_date",
                    printed=day,
                )

    # --- title, agency, progress, contact, evaluation ---------------------------------------------------------------

    def _read_head(self, lines: list[str]) -> None:
        printed = [line for line in lines if line != EMPTY_CELL]
        lines = without_echoes(printed)
        if len(lines) < len(printed):
            again = [line for line in without_furniture(lines) if lines.count(line) < printed.count(line)]
            if again:
                self.findings.add("printed_twice", table="projects", printed=again[0])
        title = find_title(lines, TITLE_LINE, BARE_CODE_LINE, _ends_head)
        if title is None:
            self._leave(line for line in lines if line not in FURNITURE)
            return
        start, end, name, code = title
        self.code = arabic_digits(code)
        agency_start, agency_end, agency, year_be = _find_agency(lines, end)
        if agency is None:
            self.findings.add(
                "part_missing",
                table="projects",
                key=self.code,
                column="agency_name",
                message="The page has no line of agency and fiscal year.",
            )
        elif year_be is None:
            self.findings.add(
                "part_missing",
                table="projects",
                key=self.code,
                column="fiscal_year_be",
                message="The agency's line has no fiscal year.",
            )
        title_lines = lines[start:end]
        above = (*lines[:start], *lines[end:agency_start])
        self._leave(line for line in above if line not in FURNITURE and line not in title_lines)
        below_agency = lines[agency_end:]
        if any(f" {PLAN_LINK}" in line or " **" in line for line in below_agency):
            below_agency = [part for line in below_agency for part in BEFORE_LINKS.split(line)]
        below = [line for line in without_furniture(below_agency) if line not in NAVIGATION]
        progress, below = self._read_progress(below)
        evaluation = read_evaluation(below, "projects", self.code, self.findings)
        self._leave([*evaluation.unread, *evaluation.below])
        self.evaluation_quarter = evaluation.quarter
        contact_lines = self._own_contact(evaluation.above, _below_links(below_agency))
        self._project = {
            "project_code": self.code,
            "name": name or None,
            "agency_code": self.code[:8],
            "agency_name": SUB_OFFICE_MARK.sub("", agency, count=1) or None if agency else None,
            "fiscal_year_be": year_be,
            "fiscal_year_ce": year_be - BUDDHIST_OFFSET if year_be else None,
            "progress_percent": progress,
            "evaluation_score": evaluation.score,
            "unit_code": None,
            "unit_code_second": None,
            "rationale": None,
            "objectives": None,
            "targets": None,
            "budget_received_baht": None,
            "budget_spent_baht": None,
            "start_date": None,
            "finish_date": None,
        }
        if contact := " ".join(contact_lines):
            contact_name, contact_phone = split_contact(contact)
            self.tables["contacts"].append(
                {
                    "project_code": self.code,
                    "contact": contact,
                    "contact_name": contact_name,
                    "contact_phone": contact_phone,
                }
            )

    def _own_contact(self, lines: list[str], below_links: int) -> list[str]:
        """The lines of the contact: not those below the two links, nor others' labels beside it."""
        end = len(lines) - below_links
        own = [line for line in lines[:end] if not LABELLED.match(line) or "โทร" in line] or lines[:1]
        self._leave(line for place, line in enumerate(lines) if place >= end or line not in own)
        return [] if end <= 0 else own

    def _read_progress(self, lines: list[str]) -> tuple[float | None, list[str]]:
        """Progress, printed alone and once more behind its label; returns it and the lines below."""
        place = _place_of_progress(lines)
        if place is None and (parted := _part_progress(lines)) != lines:
            return self._read_progress(parted)
        if place is None:
            self.findings.add(
                "part_missing",
                table="projects",
                key=self.code,
                column="progress_percent",
                message=f"The page has no line {PROGRESS_LABEL}.",
            )
            return None, lines
        alone = [line for line in lines[:place] if parse_number(line) is not None]
        self._leave(line for line in lines[:place] if parse_number(line) is None and line != "-")
        printed = lines[place].removeprefix(PROGRESS_LABEL).lstrip(" :")
        below = lines[place + 1 :]
        if not printed and below and (below[0] in alone or (not alone and _is_percent(below[0]))):
            printed, below = below[0], below[1:]
        progress = percentage(printed, self.findings, "projects", self.code, "progress_percent")
        for value in alone:
            if parse_number(value) != progress:
                self.findings.add(
                    "progress_printed_twice",
                    table="projects",
                    key=self.code,
                    column="progress_percent",
                    printed=f"{value} | {printed}",
                )
        return progress, below

    # --- long texts and the unit pair -------------------------------------------------------------------------------

    def _read_texts(self, sections: dict[str, list[str]]) -> None:
        for key in ("rationale", "objectives", "targets"):
            lines = [line for line in sections.get(key, []) if line != EMPTY_CELL]
            while lines and lines[-1] in TO_TOP:  # below each part
                lines.pop()
            if key == "rationale":
                lines = self._take_unit_pair(lines)
            self._project[key] = " ".join(lines) or None

    def _take_unit_pair(self, lines: list[str]) -> list[str]:
        """Take the unit pair, the rationale's last line; what stands below it is nobody's."""
        for end in range(len(lines), 0, -1):
            for start in range(max(end - 3, 0), end):  # its halves and the stroke may stand in cells of their own
                printed = " ".join(lines[start:end])
                found = UNIT_PAIR.fullmatch(printed)
                if not found or (end < len(lines) and not (found[1] and found[2])):
                    continue
                first, second = (arabic_digits(half) if half else None for half in found.groups())
                self._project["unit_code"], self._project["unit_code_second"] = first, second
                if first != second:
                    self.findings.add(
                        "unit_codes_differ", table="projects", key=self.code, column="unit_code", printed=printed
                    )
                self._leave(lines[end:])
                return lines[:start]
        if lines and (found := UNIT_PAIR_AT_END.fullmatch(lines[-1])):
            return self._take_unit_pair([*lines[:-1], found[1], found[2]])
        return lines

    # --- strategies -------------------------------------------------------------------------------------------------

    def _read_strategies(self, lines: list[str]) -> None:
        items: list[list[str]] = []
        matches: list[re.Match[str] | None] = []
        for line in lines:
            above = matches[-1] if matches else None
            waits = bool(above and not above[4])  # for its name, which stands in a cell of its own
            found = STRATEGY_LINE.fullmatch(line)
            if found and not (waits and above and not (found[3] or "").startswith(f"{above[2] or above[3]}.")):
                items.append([line])
                matches.append(found)
            elif line == EMPTY_CELL:
                continue
            elif (
                waits or (items and (line[0] == ":" or items[-1][-1][-1] == ":"))  # its English name is below
            ) and len(items[-1]) < MOST_PIECES:
                items[-1].append(line)
                matches[-1] = STRATEGY_LINE.fullmatch(" ".join(items[-1]))
            else:
                self._leave([line])
        for position, (item, found) in enumerate(zip(items, matches, strict=True), 1):
            if not found:
                self._leave(item)
                continue
            code = arabic_digits(found[2] or found[3])
            name, name_en = found[4].removesuffix("%").rstrip(), None
            if found[1] and (both := NAME_IN_ENGLISH.fullmatch(name)):
                name, name_en = both.groups()
            self.tables["project_strategies"].append(
                {
                    "project_code": self.code,
                    "position": position,
                    "level": code.count(".") + 1,
                    "level_label": found[1],
                    "strategy_code": code,
                    "name": name or None,
                    "name_en": name_en,
                }
            )

    # --- progress reports -------------------------------------------------------------------------------------------

    def _read_reports(self, lines: list[str]) -> None:
        if EMPTY_CELL in lines:
            lines = [line for line in lines if line != EMPTY_CELL]
        lines = self._once(lines)
        reports = _match_all(USUAL_REPORT, lines)
        if reports is None:
            blocks, foreign = split_reports(part_reports(lines))
            self._leave(foreign)
            for block in blocks:
                self._leave(block.foreign)
            rows = [self._read_report(block, len(blocks) - later) for later, block in enumerate(blocks)]
        else:
            rows = [self._usual_report(report, len(reports) - later) for later, report in enumerate(reports)]
        rows.reverse()
        self.tables["progress_reports"] += rows

    def _usual_report(self, report: tuple[str, ...], index: int) -> Row:
        _, number_, percent, day, note, typed, text, problems, obstacles = report
        progress = parse_number(percent)
        heading = parse_integer(number_), progress, parse_iso_day(day)
        if progress is None or progress > 100 or None in heading:
            heading = self._heading(index, number_, percent, day)
        if typed and (note_date := typed_date_day(typed)) and note_date == heading[2]:
            return self._row(index, heading, note_date, text or None, problems, obstacles)
        return self._report_row(index, heading, note, problems, obstacles)

    def _read_report(self, block: "ReportLines", index: int) -> Row:
        key = f"{self.code}/{index}"
        lines = block.above
        heading: _Heading = (None, None, None)
        for count in range(1, min(5, len(lines)) + 1):
            found = REPORT_HEADING.fullmatch(lines[0] if count == 1 else " ".join(lines[:count]))
            if found:
                heading = self._heading(index, *found.groups()[:3])
                break
        else:
            self.findings.add("heading_unreadable", table="progress_reports", key=key, printed=lines[0])
            count = 1
        lines = self._own_lines(lines, count, heading[1])
        again = found[4] if found else None
        if again is None and len(lines) > count:
            first, _, note = lines[count].partition(" ")
            if parse_number(first) is not None and (not note or parse_number(first) == heading[1]):
                again = first
                lines[count : count + 1] = [note] if note else []
        if again is not None and heading[1] is not None and parse_number(again) != heading[1]:
            self.findings.add(
                "progress_printed_twice",
                table="progress_reports",
                key=key,
                column="progress_percent",
                printed=f"{again} | {heading[1]}",
            )
        for column, text in (("problems", block.problems), ("obstacles", block.obstacles)):
            if text is None:
                self.findings.add(
                    "part_missing",
                    table="progress_reports",
                    key=key,
                    column=column,
                    message=f"The report has no line of {column}.",
                )
        return self._report_row(index, heading, " ".join(lines[count:]), block.problems, block.obstacles)

    def _own_lines(self, lines: list[str], count: int, progress: float | None) -> list[str]:
        """A report's lines without those that stand between heading and progress, or above the dated note."""
        first = count
        if progress is not None and any(parse_number(line) == progress for line in lines[count : count + 3]):
            while parse_number(lines[first]) is None:
                first += 1
        note = first + (len(lines) > first and parse_number(lines[first]) is not None)
        dated = next((place for place in range(note, len(lines)) if typed_dates(lines[place])), note)
        is_dated = dated < len(lines) and _DATED_NOTE.match(lines[dated])
        if not (is_dated and all(map(LABELLED.match, lines[note:dated]))):
            dated = note
        self._leave((*lines[count:first], *lines[note:dated]))
        return [*lines[:count], *lines[first:note], *lines[dated:]]

    def _heading(self, index: int, number_: str, percent: str, day: str) -> _Heading:
        key = f"{self.code}/{index}"
        report_no = parse_integer(number_)
        if report_no is None:
            self.findings.add(
                "number_unreadable", table="progress_reports", key=key, column="report_no", printed=number_
            )
        return (
            report_no,
            percentage(percent, self.findings, "progress_reports", key, "progress_percent"),
            self._iso_day(day, "progress_reports", key, "reported_on_date"),
        )

    def _report_row(self, index: int, heading: _Heading, text: str, problems: str | None, obstacles: str | None) -> Row:
        day = heading[2]
        note_date, note = self._read_note(text, index)
        if note_date and day and note_date != day:
            typed = typed_dates(text)[0][0]
            self.findings.add(
                "note_date_differs",
                table="progress_reports",
                key=f"{self.code}/{index}",
                column="note_date",
                printed=f"{typed} | {day}",
            )
        return self._row(index, heading, note_date, note, problems, obstacles)

    def _row(
        self,
        index: int,
        heading: _Heading,
        note_date: str | None,
        note: str | None,
        problems: str | None,
        obstacles: str | None,
    ) -> Row:
        report_no, percent, day = heading
        return {
            "project_code": self.code,
            "report_index": index,
            "report_no": report_no,
            "progress_percent": percent,
            "reported_on_date": day,
            "note_date": note_date,
            "note": note,
            "problems": None if problems in NONE_WORDS else problems,
            "obstacles": None if obstacles in NONE_WORDS else obstacles,
        }

    def _read_note(self, text: str, index: int) -> tuple[str | None, str | None]:
        """The one typed date that leads a note, and the note without it; a date that cannot be stays in the note."""
        dates = typed_dates(text)
        if not dates:
            rule = "note_date_absent"
        elif len(dates) > 1 and _heads_more_entries(text, dates):
            rule = "note_dates_several"
        elif (day := typed_date_day(dates[0][0])) is None:
            rule = "note_date_impossible"
        else:
            return day, text[dates[0].end() :].lstrip(" ").removeprefix(":").lstrip(" ") or None
        key = f"{self.code}/{index}"
        self.findings.add(rule, table="progress_reports", key=key, column="note_date", printed=text[:80] or None)
        return None, None if text == ":" else text or None

    # --- plan -------------------------------------------------------------------------------------------------------

    def _read_plan(self, lines: list[str]) -> None:
        lines = self._once(self._take_step_links([line for line in lines if line != EMPTY_CELL]))
        if not any(line.startswith(STEP_END_LABEL) for line in lines):
            lines = part_dates(lines)
        used: set[int] = set()
        last = 0
        rows = self.tables["plan_steps"]
        for step in _match_all(USUAL_STEP, lines) or self._split_steps(lines):
            step_no = parse_integer(step[1])
            if step_no is None or step_no in used:
                self.findings.add(
                    "step_renumbered",
                    table="plan_steps",
                    key=f"{self.code}/{last + 1 if step_no is None else step_no}",
                    column="step_no",
                    printed=step[1],
                )
                step_no = last + 1
            used.add(step_no)
            last = max(last, step_no)
            rows.append(self._step_row(step_no, *step[2:]))
        rows.sort(key=itemgetter("step_no"))

    def _take_step_links(self, lines: list[str]) -> list[str]:
        """Take out the two links below the plan, whose code must be this project's."""
        links = _step_links(lines)
        if not all(links.values()):
            lines = part_step_links(lines)
            links = _step_links(lines)
        kept: list[str] = []
        place = 0
        for start, found in links.items():
            if not found:
                continue
            kept += lines[place:start]
            place = start + 1
            code = found[1]
            while code is None and place < len(lines):
                bare = BARE_CODE_LINE.fullmatch(lines[place].removeprefix(":").strip())
                if not bare and lines[place] != ":":
                    break
                code = bare[1] if bare else None
                place += 1
            if code and arabic_digits(code) != self.code:
                self.findings.add(
                    "code_contradicts", table="projects", key=self.code, column="project_code", printed=code
                )
        return kept + lines[place:]

    def _step_row(self, step_no: int, text: str, weight: str, start: str, end: str) -> Row:
        key = f"{self.code}/{step_no}"
        start_date = parse_iso_day(start) or self._iso_day(start, "plan_steps", key, "start_date")
        end_date = parse_iso_day(end) or self._iso_day(end, "plan_steps", key, "end_date")
        if start_date and end_date and end_date < start_date:
            self.findings.add(
                "step_ends_before_start",
                table="plan_steps",
                key=key,
                column="end_date",
                printed=f"{start_date} | {end_date}",
            )
        return {
            "project_code": self.code,
            "step_no": step_no,
            "description": text.strip() or None,
            "weight_percent": percentage(weight, self.findings, "plan_steps", key, "weight_percent"),
            "start_date": start_date,
            "end_date": end_date,
        }

    def _split_steps(self, lines: list[str]) -> list[_StepParts]:
        """The parts of the steps, in whatever lines they stand."""
        starts = step_starts(lines)
        self._leave(lines[: starts[0][0]] if starts else lines)
        steps: list[_StepParts] = []
        for (_, text_start, step_no, glued), following in pairwise([*starts, (len(lines), 0, "", None)]):
            body = lines[text_start : following[0]]
            steps.append(("", step_no, *self._split_step([glued, *body] if glued else body, step_no)))
        return steps

    def _split_step(self, block: list[str], step_no: str) -> tuple[str, str, str, str]:
        start, end = last_label(block, STEP_START_LABEL), last_label(block, STEP_END_LABEL)
        if start is None or end is None or end < start:
            self.findings.add(
                "part_missing",
                table="plan_steps",
                key=f"{self.code}/{parse_integer(step_no)}",
                message="The step ends before its two dates.",
            )
        text_end = min((place for place in (start, end) if place is not None), default=len(block))
        start_day, start_lines = step_day(block, start, STEP_START_LABEL)
        end_day, end_lines = step_day(block, end, STEP_END_LABEL)
        if len(block) > text_end + start_lines + end_lines:
            taken = {*range(start or 0, (start or 0) + start_lines), *range(end or 0, (end or 0) + end_lines)}
            self._leave(block[place] for place in range(text_end, len(block)) if place not in taken)
        text, weight, foreign = split_step_text(block[:text_end])
        self._leave(foreign)
        for line in text[1:]:
            if LABELLED.match(line):  # the text's second line, or somebody's label
                self.findings.add(
                    "line_not_understood",
                    table="plan_steps",
                    key=f"{self.code}/{parse_integer(step_no)}",
                    column="description",
                    printed=line,
                    message="A line that reads like a label of its own; it stands in the description.",
                )
        return " ".join(text).removeprefix(":"), weight, start_day, end_day

    # --- indicators the project supports ----------------------------------------------------------------------------

    def _read_kpis(self, lines: list[str]) -> None:
        starts = [i for i, line in enumerate(lines) if line.startswith(KPI_BLOCK_LABEL)]
        self._leave(lines[: starts[0]] if starts else lines)
        seen: dict[str, list[str]] = {}
        for start, end in pairwise([*starts, len(lines)]):
            block = lines[start:end]
            code_text = block[0].removeprefix(KPI_BLOCK_LABEL).lstrip(" :")
            below = block[1:]
            while not code_text and below and below[0] in (":", EMPTY_CELL):
                below = below[1:]
            if not code_text and below and not below[0].startswith("ตัวชี้วัด"):
                code_text, below = below[0].removeprefix(":").strip(), below[1:]
            if found := BEHIND_KPI_CODE.fullmatch(code_text):
                code_text, below = found[1], [found[2], *below]
            code = arabic_digits(code_text)
            if not code:
                self.findings.add(
                    "part_missing",
                    table="project_kpis",
                    key=self.code,
                    column="kpi_code",
                    printed=block[0],
                    message="An indicator without a code.",
                )
                self._leave(below)
                continue
            if not _KPI_CODE.fullmatch(code):
                self.findings.add("code_shape", table="project_kpis", key=self.code, column="kpi_code", printed=code)
            if code in seen:
                same = seen[code] == below
                self.findings.add(
                    "printed_twice" if same else "duplicate_key",
                    table="project_kpis",
                    key=f"{self.code}/{code}",
                    printed=block[0] if same else "\n".join(block),
                )
                continue
            seen[code] = below
            self._read_kpi(code, below)

    def _read_kpi(self, code: str, lines: list[str]) -> None:
        key = f"{self.code}/{code}"
        above, table = cut_quarter_table(lines)
        table = self._once(table)
        above = [line for line in above if line != EMPTY_CELL]
        if not any(line.startswith(TARGET_LABEL) for line in above):  # it stands in the line of the name
            above = [part for line in above for part in BEFORE_TARGET.split(line)]
        name, above = self._take_kpi_name(above, key)
        columns, left = read_measures(above, "project_kpis", key, self.findings)
        quarters, unit, rest = read_quarter_table(table, "project_kpi_quarters", key, self.findings)
        if unit and unit != columns["unit"]:
            self.findings.add(
                "units_differ", table="project_kpis", key=key, column="unit", printed=f"{columns['unit']} | {unit}"
            )
        self._leave(left)
        self._leave(line for line in rest if line not in FURNITURE)
        if not table:
            self.findings.add(
                "part_missing",
                table="project_kpi_quarters",
                key=key,
                message="An indicator without its table of quarters.",
            )
        self.tables["project_kpis"].append({"project_code": self.code, "kpi_code": code, "name": name, **columns})
        self.tables["project_kpi_quarters"] += [
            {"project_code": self.code, "kpi_code": code, **quarter} for quarter in quarters
        ]
        check_last_quarter(columns["achieved_value"], quarters, "project_kpis", key, self.findings)

    def _take_kpi_name(self, lines: list[str], key: str) -> tuple[str | None, list[str]]:
        """The indicator's name, in one line or in cells below its label; and the lines below it."""
        for place, line in enumerate(lines):
            found = KPI_NAME_LINE.fullmatch(line)
            if not found and line != KPI_NAME_LABEL:
                continue
            self._leave(lines[:place])
            name = found[1] if found else ""
            end = place + 1
            while name in ("", ":") and end < len(lines) and not _is_measure(lines, end):
                name = lines[end].lstrip(" :")
                end += 1
            more = next((i for i, text in enumerate(lines) if i >= end and text.startswith(_MEASURE_LABELS)), end)
            self._leave(line for line in lines[end:more] if LABELLED.match(line))
            own = [line for line in lines[end:more] if not LABELLED.match(line)]
            return " ".join([name, *own]) or None, lines[more:]
        self.findings.add(
            "part_missing", table="project_kpis", key=key, column="name", message="An indicator without its name."
        )
        return None, lines

    # --- reading single values --------------------------------------------------------------------------------------

    def _iso_day(self, printed: str, table: str, key: str, column: str) -> str | None:
        day = parse_iso_day(printed)
        if day is None and printed not in ("", "-"):
            self.findings.add("date_unreadable", table=table, key=key, column=column, printed=printed)
        return day

    # --- the page against itself ------------------------------------------------------------------------------------

    def _check(self) -> None:
        progress = self._project["progress_percent"]
        reports = self.tables["progress_reports"]
        if reports:
            self._check_reports(reports, progress)
        weights = [step["weight_percent"] for step in self.tables["plan_steps"]]
        if weights and None not in weights and abs(sum(weights) - 100) > 0.01 + sum(map(_rounded_off, weights)):
            self.findings.add(
                "weights_do_not_add_up",
                table="plan_steps",
                key=self.code,
                column="weight_percent",
                printed=f"{sum(weights):g}",
            )

    def _check_reports(self, reports: list[Row], progress: float | None) -> None:
        newest = reports[-1]["progress_percent"]
        if newest is not None and progress is not None and newest != progress:
            self.findings.add(
                "progress_not_newest_report",
                table="projects",
                key=self.code,
                column="progress_percent",
                printed=f"{progress:g} | {newest:g}",
            )
        numbers = [report["report_no"] for report in reversed(reports)]
        if numbers != list(range(1, len(numbers) + 1)):
            self.findings.add(
                "report_numbers_gap",
                table="progress_reports",
                key=self.code,
                column="report_no",
                printed=", ".join(map(str, numbers)),
            )
        year = self._project["fiscal_year_ce"]
        first_day, last_day = (f"{year - 1}-10-01", f"{year}-09-30") if year else ("", "9999")
        earlier: Row | None = None
        for report in reports:
            day = report["reported_on_date"]
            if day and not first_day <= day <= last_day:
                self.findings.add(
                    "report_outside_fiscal_year",
                    table="progress_reports",
                    key=f"{self.code}/{report['report_index']}",
                    column="reported_on_date",
                    printed=day,
                )
            if earlier:
                before, now = earlier["progress_percent"], report["progress_percent"]
                if before is not None and now is not None and now < before:
                    self.findings.add(
                        "progress_fell",
                        table="progress_reports",
                        key=f"{self.code}/{report['report_index']}",
                        column="progress_percent",
                        printed=f"{before:g} | {now:g}",
                    )
                if day and earlier["reported_on_date"] and day < earlier["reported_on_date"]:
                    self.findings.add(
                        "report_dates_order",
                        table="progress_reports",
                        key=f"{self.code}/{report['report_index']}",
                        column="reported_on_date",
                        printed=f"{earlier['reported_on_date']} | {day}",
                    )
            earlier = report


# --- where things stand --------------------------------------------------------------------------------------------


def _place_of_progress(lines: list[str]) -> int | None:
    return next((place for place, line in enumerate(lines) if line.startswith(PROGRESS_LABEL)), None)


def _is_percent(printed: str) -> bool:
    """Whether this can be the progress, and is no bare telephone number."""
    value = parse_number(printed)
    return value is not None and 0 <= value <= 100


def _part_progress(lines: list[str]) -> list[str]:
    """The lines with that of progress whole, where its label is in two cells or progress alone stands before it."""
    for place in range(len(lines)):
        for count in (1, 2):
            if found := PROGRESS_IN_LINE.fullmatch(" ".join(lines[place : place + count])):
                return [*lines[:place], *(part for part in found.groups() if part), *lines[place + count :]]
    return lines


def _ends_head(line: str) -> bool:
    """Whether this is the line of progress; a name may quote its label, but never ends with it and a number."""
    return line.startswith(PROGRESS_LABEL) and not line[len(PROGRESS_LABEL) :].strip("0123456789๐๑๒๓๔๕๖๗๘๙ .,:%")


def _rounded_off(weight: float) -> float:
    """What a weight may have lost when it was written with its decimals: a half of the last, or a whole hundredth."""
    if weight == int(weight):
        return 0
    return 0.05 if round(weight, 1) == weight else 0.01


def _below_links(lines: list[str]) -> int:
    """How many lines of its own a page has between the links below the contact and the evaluation."""
    start = next((place for place, line in enumerate(lines) if line.startswith(PLAN_LINK)), len(lines))
    end = next((place for place in range(start, len(lines)) if EVALUATION_MARK.match(lines[place])), start)
    return len(without_furniture(lines[start:end]))


def _find_agency(lines: list[str], start: int) -> tuple[int, int, str | None, int | None]:
    """Where the agency's line begins and ends, its name, its fiscal year (Buddhist era).

    Name, colon and year may each have a line; lines between the title and it are nobody's.
    """
    for place in range(start, min(start + _AGENCY_WITHIN, len(lines))):
        found = AGENCY_LINE.fullmatch(lines[place])
        name, first = (found[1] if found else None), place
        if not name and place > start and AGENCY_YEAR.fullmatch(lines[place]):
            first = place - 2 if lines[place - 1] == ":" and place > start + 1 else place - 1
            found = AGENCY_LINE.fullmatch(" ".join(lines[first : place + 1]))
        if found:
            return first, place + 1, found[1], parse_integer(found[2]) if found[2] else None
        if lines[place].startswith(PROGRESS_LABEL):
            break
    return start, start, None, None


def _match_all(usual: re.Pattern[str], lines: list[str]) -> list[tuple[str, ...]] | None:
    """The parts of all blocks of a section where each is printed as usual; None where one is not."""
    text = "\n".join(lines)
    blocks: list[tuple[str, ...]] = usual.findall(text)
    return blocks if sum(len(block[0]) for block in blocks) == len(text) else None


def _step_links(lines: list[str]) -> dict[int, re.Match[str] | None]:
    """The lines in parentheses: where they stand, and whether each is one of the links below the plan."""
    return {place: STEP_LINKS.fullmatch(line) for place, line in enumerate(lines) if line[0] == "("}


def _heads_more_entries(text: str, dates: list[re.Match[str]]) -> bool:
    """Whether dates beside the leading one head entries of their own: `25/2/2563 : … 26/2/2563 : …`, or adjoin it."""
    if _ONLY_SEPARATORS.fullmatch(text[dates[0].end() : dates[1].start()]):
        return True
    return any(text[found.end() :].lstrip().startswith(":") for found in dates[1:])


def _is_measure(lines: list[str], place: int) -> bool:
    """Whether a line is an indicator's target or result, not a name that quotes the label: that comes again below."""
    for label in _MEASURE_LABELS:
        if lines[place].startswith(label):
            return not any(line.startswith(label) for line in lines[place + 1 :])
    return False


def _before_reports(lines: list[str], place: int) -> bool:
    below = next_lines(lines, place + 1, 2)
    return not below or is_report_start(below, 0) or below[0] in _HEADINGS_BELOW["reports"]


def _before_plan(lines: list[str], place: int) -> bool:
    below = next_lines(lines, place + 1, 1)
    if not below or below[0] in _HEADINGS_BELOW["plan"]:
        return True
    return below[0].startswith(STEP_LABEL) or bool(STEP_LINKS.match(below[0]))


def _before_kpis(lines: list[str], place: int) -> bool:
    below = next_lines(lines, place + 1, 1)
    return not below or below[0].startswith(KPI_BLOCK_LABEL) or below[0] in _HEADINGS_BELOW["kpis"]


def _below_progress(lines: list[str], place: int) -> bool:
    above = lines[:place]
    return _place_of_progress(above) is not None or _part_progress(above) != above


def _after_unit_pair(lines: list[str], place: int) -> bool:
    above = next_lines(lines[:place][::-1], 0, 3)[::-1]
    pair = any(UNIT_PAIR.fullmatch(" ".join(above[start:])) for start in range(len(above)))
    return pair or bool(above and UNIT_PAIR_AT_END.fullmatch(above[-1]))


def _before_strategies(lines: list[str], place: int) -> bool:
    below = next_lines(lines, place + 1, 1)
    return not below or bool(STRATEGY_LINE.fullmatch(below[0])) or below[0] in _HEADINGS_BELOW["strategies"]


_HEADINGS_BELOW = {
    key: frozenset(list(PROJECT_HEADINGS.values())[number:]) for number, key in enumerate(PROJECT_HEADINGS, 1)
}
_FOLLOWS = {
    "rationale": _below_progress,
    "objectives": _after_unit_pair,
    "strategies": _before_strategies,
    "reports": _before_reports,
    "plan": _before_plan,
    "kpis": _before_kpis,
}
