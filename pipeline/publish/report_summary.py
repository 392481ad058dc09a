"""The first page of the audit report: what was compared and what changed, in sentences, and the worst records."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.compare.changes import record_of
from pipeline.compare.classify import SEVERITIES
from pipeline.compare.diff import Comparison
from pipeline.compare.league import Standing
from pipeline.compare.text_diff import changed_words, is_text_change
from pipeline.publish.report_annex import Annex
from pipeline.publish.report_words import Words
from pipeline.schema.row_text import row_of_text
from pipeline.terminal import one_line

WORST: Final = 10
_MOST_REASONS: Final = 4
_MOST_AGENCIES: Final = 3
_LONGEST_VALUE: Final = 24
_LONGEST_WORDS: Final = 48
_WEIGHTS: Final = {"critical": 10_000, "major": 100, "minor": 1}
_SURE: Final = ("project_new", "project_gone", "project_back")


class Worst(NamedTuple):
    """One of the worst records. reasons: sentences, gravest first; flags: titles of red flags; anchor: of the worst change"""

    code: str
    row: dict[str, Any]
    reasons: list[str]
    flags: list[str]
    anchor: str
    severity: str


@dataclass
class Summary:
    """Says what a comparison found. annex: of the changes; standings: of the agencies, where they are known"""

    comparison: Comparison
    annex: Annex
    words: Words
    standings: list[Standing] | None

    def sentences(self) -> list[str]:
        """What was compared, what changed, how grave it is, whose it is, and how sure that is."""
        return [
            *self._compared(),
            *self._changed(),
            *self._grave(),
            *self._whose(),
            *self._standing(),
            *self._complete(),
        ]

    def worst(self) -> list[Worst]:
        """The records with the most severe and largest changes, the worst first; those of the normal course are left out."""
        of_record: dict[str, list[dict[str, Any]]] = {}
        for row in self.annex.rows:
            if row["severity"] in _WEIGHTS and record_of(row):
                of_record.setdefault(record_of(row), []).append(row)
        grave = {code: rows for code, rows in of_record.items() if any(row["severity"] != "minor" for row in rows)}
        chosen = sorted(grave.items(), key=lambda item: (-_severity(item[1]), item[0]))[:WORST]
        flags = self._flags({code for code, _ in chosen})
        found = []
        for code, rows in chosen:
            rows.sort(key=lambda row: (-_WEIGHTS[row["severity"]], -row["size"]))
            found.append(
                Worst(code, rows[0], self._reasons(rows), flags.get(code, []), rows[0]["anchor"], rows[0]["severity"])
            )
        return found

    def _reasons(self, rows: list[dict[str, Any]]) -> list[str]:
        """Why a record is among the worst: each kind of change once, with its largest values."""
        kinds: dict[tuple[str, str | None], list[dict[str, Any]]] = {}
        for row in rows:
            kinds.setdefault((row["meaning"], row["detail"]), []).append(row)
        reasons = []
        for (meaning, detail), own in list(kinds.items())[:_MOST_REASONS]:
            said = self.words.detail(detail) or self.words.meaning(meaning)
            times = f" ×{len(own):,}" if len(own) > 1 else ""
            reasons.append(f"{said}{times}{_values(own[0])}")
        if len(kinds) > _MOST_REASONS:
            left = len(kinds) - _MOST_REASONS
            reasons.append(self.words.t(f"and {left} other kinds of changes", f"และการเปลี่ยนแปลงอื่นอีก {left} แบบ"))
        return reasons

    def _flags(self, codes: set[str]) -> dict[str, list[str]]:
        """Code → titles of its red flags in B."""
        table = self.comparison.after.derived("red_flags", ("project_code", "rule"))
        found: dict[str, list[str]] = {}
        if table is None:
            return found
        chosen = table.filter(pc.is_in(table["project_code"], pa.array(sorted(codes), pa.string())))
        for row in chosen.to_pylist():
            title = self.words.flag(row["rule"])
            if title not in found.setdefault(row["project_code"], []):
                found[row["project_code"]].append(title)
        return found

    def _compared(self) -> list[str]:
        before, after = self.comparison.before, self.comparison.after
        days = [self.words.date(one.day) or one.title for one in (before, after)]
        counts = [one.tables["projects"].number if "projects" in one.tables else None for one in (before, after)]
        sentence = self.words.t(
            f"This report compares what the portal showed on {days[0]} (A) with what it showed on {days[1]} (B).",
            f"รายงานนี้เปรียบเทียบข้อมูลที่เว็บไซต์แสดงเมื่อวันที่ {days[0]} (A) กับวันที่ {days[1]} (B)",
        )
        if None in counts:
            return [sentence]
        return [
            sentence,
            self.words.t(
                f"A has {counts[0]:,} projects, B has {counts[1]:,}.",
                f"A มี {counts[0]:,} โครงการ ส่วน B มี {counts[1]:,} โครงการ",
            ),
        ]

    def _changed(self) -> list[str]:
        rows, t = self.annex.rows, self.words.t
        if not rows:
            return [t("No difference.", "ไม่พบการเปลี่ยนแปลง")]
        codes = {
            record_of(row): "project" if row["project_code"] else "kpi" if row["kpi_code"] else "other" for row in rows
        }
        kinds = Counter(kind for code, kind in codes.items() if code)
        sentences = [
            t(
                f"{len(rows):,} {'change was' if len(rows) == 1 else 'changes were'} found in {kinds.total():,} records "
                f"(projects: {kinds['project']:,}; indicators: {kinds['kpi']:,}; "
                f"others, such as result lists: {kinds['other']:,}).",
                f"พบการเปลี่ยนแปลง {len(rows):,} รายการใน {kinds.total():,} ระเบียน คือโครงการ {kinds['project']:,} "
                f"ตัวชี้วัด {kinds['kpi']:,} และอื่น ๆ เช่น บัญชีผลการปฏิบัติราชการ {kinds['other']:,}",
            )
        ]
        counts = Counter(row["meaning"] for row in rows if row["table"] == "projects" and row["meaning"] in _SURE)
        if counts:
            new, gone, back = (counts[meaning] for meaning in _SURE)
            sentences.append(
                t(
                    f"Of these, {new:,} projects are new, {gone:,} are gone, and {back:,} came back.",
                    f"ในจำนวนนี้เป็นโครงการใหม่ {new:,} โครงการ หายไป {gone:,} โครงการ และกลับมา {back:,} โครงการ",
                )
            )
        return sentences

    def _grave(self) -> list[str]:
        sentences = []
        for severity in SEVERITIES:
            rows = [row for row in self.annex.rows if row["severity"] == severity]
            if not rows:
                continue
            kinds = Counter(row["detail"] or row["meaning"] for row in rows)
            said = ", ".join(f"{self.words.kind(kind)} {number:,}" for kind, number in kinds.most_common())
            records = len({record_of(row) for row in rows})
            sentences.append(
                self.words.t(
                    f"{self.words.severity(severity)}: {len(rows):,} in {records:,} records ({said}).",
                    f"{self.words.severity(severity)}: {len(rows):,} รายการใน {records:,} ระเบียน ({said})",
                )
            )
        return sentences

    def _whose(self) -> list[str]:
        counts = Counter(
            row["agency_code"] for row in self.annex.rows if row["severity"] == "critical" and row["agency_code"]
        )
        if not counts:
            return []
        names = {one.code: one.name for one in self.standings or ()}
        said = ", ".join(f"{names.get(code) or code} {number:,}" for code, number in counts.most_common(_MOST_AGENCIES))
        return [
            self.words.t(
                f"Most rewritten history in this comparison: {said}.",
                f"หน่วยงานที่แก้ไขประวัติย้อนหลังมากที่สุดในครั้งนี้: {said}",
            )
        ]

    def _standing(self) -> list[str]:
        if not self.standings:
            return []
        silent, behind, flags = (
            sum(getattr(one, name) for one in self.standings) for name in ("silent", "behind", "flags")
        )
        return [
            self.words.t(
                f"In B {silent:,} unfinished projects have long not reported, {behind:,} are behind their plan, and there are "
                f"{flags:,} red flags.",
                f"ใน B มีโครงการที่ไม่รายงานมานาน {silent:,} โครงการ ล่าช้ากว่าแผน {behind:,} โครงการ และมีข้อสังเกต {flags:,} เรื่อง",
            )
        ]

    def _complete(self) -> list[str]:
        number = sum(note.number for note in self.comparison.uncompared)
        if not number:
            return [self.words.t("Every record was compared.", "เปรียบเทียบได้ครบทุกรายการ")]
        return [
            self.words.t(
                f"{number:,} pages or rows could not be compared fully: see “What could not be compared”.",
                f"มี {number:,} หน้าหรือแถวที่เปรียบเทียบได้ไม่ครบ ดูหัวข้อ “สิ่งที่เปรียบเทียบไม่ได้”",
            )
        ]


def _severity(rows: list[dict[str, Any]]) -> float:
    return float(sum(_WEIGHTS[row["severity"]] * (1 + row["size"] / 100) for row in rows))


def _values(row: dict[str, Any]) -> str:
    """Both values of a change, where they are short; of a text the changed words; of a whole report its day and percentage."""
    before, after = row["before"], row["after"]
    if is_text_change(row):
        pieces = changed_words(before, after)
        changed = []
        for operation, sign in (("removed", "−"), ("added", "+")):
            words = " … ".join(piece.text.strip() for piece in pieces if piece.operation == operation)
            changed += [f"{sign} “{one_line(words, _LONGEST_WORDS)}”"] if words else []
        return f" ({', '.join(changed)})"
    if row["column"]:
        if before is None or after is None or before == after or max(len(before), len(after)) > _LONGEST_VALUE:
            return ""
        return f" ({one_line(before, _LONGEST_VALUE)} → {one_line(after, _LONGEST_VALUE)})"
    if row["table"] != "progress_reports":
        return ""
    values = row_of_text(after or before)
    said = [values.get("reported_on_date"), f"{values['progress_percent']} %" if "progress_percent" in values else None]
    return f" ({', '.join(filter(None, said))})" if any(said) else ""
