"""What a comparison could not compare as it should: unread pages, missing tables or columns, other parser versions."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.compare.changes import record_of
from pipeline.compare.classify import WHOLE_RECORD
from pipeline.compare.inputs import Snapshot
from pipeline.compare.state_pair import Rows

Snapshots = Mapping[str, Snapshot]
"""`A`, the earlier snapshot, and `B`, the later one."""

_MOST_EXAMPLES: Final = 200
_PAGES_AT_ONCE: Final = 5_000
_NOT_CONFIRMED: Final = {
    "failed": (
        "the page could not be fetched or read in that harvest: its last good version was compared",
        "รอบนั้นเรียกหรืออ่านหน้าเว็บไม่ได้ จึงเปรียบเทียบฉบับล่าสุดที่อ่านได้",
    ),
    "blocked": (
        "a firewall or maintenance page came instead: the last good version was compared",
        "ได้หน้าไฟร์วอลล์หรือหน้าปิดปรับปรุงแทน จึงเปรียบเทียบฉบับล่าสุดที่อ่านได้",
    ),
    "skipped": (
        "the page was not fetched in that harvest: its last good version was compared",
        "รอบนั้นไม่ได้เรียกหน้าเว็บนี้ จึงเปรียบเทียบฉบับล่าสุดที่อ่านได้",
    ),
    "not_found": (
        "the portal said not found for the first time: the last good version counts until it says so again",
        "เว็บไซต์แจ้งว่าไม่พบหน้าเป็นครั้งแรก ฉบับล่าสุดที่อ่านได้ยังใช้อยู่จนกว่าจะแจ้งซ้ำ",
    ),
    "blank": (
        "the portal showed a page without a record for the first time: the last good version counts until it does again",
        "เว็บไซต์แสดงหน้าที่ไม่มีข้อมูลเป็นครั้งแรก ฉบับล่าสุดที่อ่านได้ยังใช้อยู่จนกว่าจะแสดงซ้ำ",
    ),
}
"""Why a record is older than its harvest, by the outcome of its page: in English and in Thai."""


class Uncompared(NamedTuple):
    """Something that was not compared, or not with data of that day.

    snapshot: `A`, `B` or `both`; what: a table, a column or a kind of page; number: of rows or pages; examples: codes
    why_th: the reason in Thai
    """

    snapshot: str
    what: str
    why: str
    number: int
    examples: tuple[str, ...] = ()
    why_th: str = ""


def not_confirmed(name: str, snapshot: Snapshot) -> list[Uncompared]:
    """Records that the harvest of a snapshot did not read, or read only in part."""
    found = []
    if snapshot.held_back:
        why = f"it was held back and never published: {snapshot.held_back}"
        thai = f"รอบนี้ถูกระงับและไม่เคยเผยแพร่: {snapshot.held_back}"
        found.append(Uncompared(name, "the whole harvest", why, 1, why_th=thai))
    if snapshot.pages is None:
        why = "the table of pages is missing, so it is unknown which records that harvest confirmed"
        thai = "ไม่มีตารางหน้าเว็บ จึงไม่ทราบว่ารอบนั้นยืนยันรายการใดบ้าง"
        return [*found, Uncompared(name, "pages", why, 1, why_th=thai)]
    columns = ["page_key", "outcome", "version_verdict", "version_harvest_id", "ended_at", "misses"]
    codes_by_reason: dict[tuple[str, tuple[str, str]], list[str]] = {}
    for page in _page_rows(snapshot.pages, columns):
        if reason := _reason(page):
            kind, _, code = page["page_key"].partition("/")
            codes_by_reason.setdefault((kind, reason), []).append(code)
    return found + [
        Uncompared(name, kind, why, len(codes), tuple(sorted(codes)[:_MOST_EXAMPLES]), thai)
        for (kind, (why, thai)), codes in sorted(codes_by_reason.items())
    ]


def _reason(page: Mapping[str, Any]) -> tuple[str, str] | None:
    """Why the record of a page was not confirmed, in both languages; None where it was, or the page has no record."""
    outcome = page["outcome"]
    if page["ended_at"] is not None:
        return None
    if page["version_harvest_id"] is None:
        if page["misses"] and outcome in ("not_found", "blank", "skipped"):
            return None  # an address that never had a record; such a one is not requested in every harvest
        said = outcome.replace("_", " ")
        why = f"the page is known and was never read (in that harvest: {said})"
        thai = f"รู้จักหน้าเว็บนี้แต่ไม่เคยอ่านได้ (ผลในรอบนั้น: {said})"
        return why, thai
    if outcome in _NOT_CONFIRMED:
        return _NOT_CONFIRMED[outcome]
    if page["version_verdict"] == "suspect":
        why = "parts of the page were missing or contradicted each other: the rest was compared"
        thai = "บางส่วนของหน้าเว็บขาดหายหรือขัดแย้งกันเอง จึงเปรียบเทียบเฉพาะส่วนที่เหลือ"
        return why, thai
    return None


def without_unread(changes: pa.Table, snapshots: Snapshots) -> tuple[pa.Table, list[Uncompared]]:
    """The changes without records that one snapshot lacks because it never managed to read their pages.

    A record that a snapshot lacks because nothing linked to its page stays a change, with a note. For snapshots of
    different stores or folders.
    """
    notes: list[Uncompared] = []
    for (name, snapshot), change in zip(snapshots.items(), ("added", "removed"), strict=True):
        if snapshot.pages is None:
            continue
        rows = changes.select(["key", "project_code", "kpi_code", "change", "column", "meaning"]).to_pylist()
        pages = [record_of(row) if row["change"] == change and not row["column"] else "" for row in rows]
        known, unread = _known_and_unread(snapshot.pages, set(pages))
        changes = changes.filter(pa.array([page not in unread for page in pages], pa.bool_()))
        whole = {page for page, row in zip(pages, rows, strict=True) if page and row["meaning"] in WHOLE_RECORD}
        for codes, why, thai in (
            (
                set(pages) & unread,
                "could not read these records, which the other one has",
                "อ่านรายการเหล่านี้ไม่ได้ ทั้งที่อีกฝ่ายมี",
            ),
            (
                whole - known,
                "had no link to these records: they are listed as new or gone",
                "ไม่มีลิงก์ไปยังรายการเหล่านี้ จึงแสดงว่าเป็นรายการใหม่หรือหายไป",
            ),
        ):
            if codes:
                examples = tuple(sorted(codes)[:_MOST_EXAMPLES])
                notes.append(Uncompared(name, "records", f"{name} {why}", len(codes), examples, f"{name} {thai}"))
    return changes, notes


def _known_and_unread(pages: Rows, records: Collection[str]) -> tuple[set[str], set[str]]:
    """Those of the records whose pages a snapshot knows, and those that it tried to read and never could."""
    read, tried, known = set(), set(), set()
    for page in _page_rows(pages, ["page_key", "outcome", "version_harvest_id", "misses"]):
        _, _, record = page["page_key"].partition("/")
        if record not in records:
            continue
        known.add(record)
        if page["version_harvest_id"] is not None:
            read.add(record)
        elif page["outcome"] in ("failed", "blocked") or (page["outcome"] == "skipped" and not page["misses"]):
            tried.add(record)
    return known, tried - read


def _page_rows(pages: Rows, columns: list[str]) -> Iterator[dict[str, Any]]:
    """Some columns of all pages, as Python objects only a few at a time."""
    for batch in pages.select(columns).to_batches(max_chunksize=_PAGES_AT_ONCE):
        yield from batch.to_pylist()


def other_parsers(snapshots: Snapshots) -> list[Uncompared]:
    """A note where different versions of the parser read the snapshots: a difference may then be the parser's."""
    versions: list[Sequence[str]] = []
    for snapshot in snapshots.values():
        if snapshot.pages is None:
            return []
        readers_of = pc.unique(snapshot.pages.select(["parser_version"])["parser_version"])
        versions.append(sorted(version for version in readers_of.to_pylist() if version))
    if versions[0] == versions[1]:
        return []
    read = [f"{name} by {', '.join(found) or 'none'}" for name, found in zip(snapshots, versions, strict=True)]
    why = (
        f"different versions of the parser read the pages ({' and '.join(read)}): a difference may come from the parser"
    )
    read_th = [f"{name} รุ่น {', '.join(found) or 'ไม่มี'}" for name, found in zip(snapshots, versions, strict=True)]
    thai = f"โปรแกรมอ่านหน้าเว็บต่างรุ่นกัน ({' และ '.join(read_th)}) ความแตกต่างอาจมาจากโปรแกรมอ่าน"
    return [Uncompared("both", "parser", why, 1, why_th=thai)]
