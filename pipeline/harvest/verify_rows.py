"""Whether every row, finding and change of a store is what its stored pages give, read with today's parser."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from parsers import PARSER_VERSION
from pipeline.compare.classify import COMPARISON_VERSION
from pipeline.compare.states import compare_states
from pipeline.errors import BmaProgressError, first_line
from pipeline.harvest.page_status import PageRow, progress_differs
from pipeline.harvest.replay import read_again
from pipeline.harvest.row_differences import Found, row_differences, value_differs
from pipeline.harvest.spool import SpooledPage
from pipeline.harvest.verify_pages import counts_of_manifest, taken_over
from pipeline.progress import counted
from pipeline.schema.columns import RECORD_TABLES, TABLES, arrow_schemas
from pipeline.store.archive import Archive
from pipeline.store.parquet import version_rows, version_schemas
from pipeline.store.parquet_files import column_names, read_as, read_columns, read_rows_of_pages
from pipeline.store.state import State
from pipeline.store.verify_bytes import RESTORE, VerifyProblem

_CHUNK: Final = 500  # pages read at once: some 25 MB of rows
_PAGE: Final = "the stored page"
_STATES: Final = "the comparison of the two harvests"
_FINDING_KEY: Final = ("page_key", "finding_no")
_CHANGE_KEY: Final = ("table", "key", "change", "column")
_READ: Final = ("page_key", "url", "kind", "project_code", "checked_at", "page_sha256", "body_harvest_id")
_OF_VERSION: Final = ("facts_sha256", "version_verdict", "evaluation_quarter", "progress_percent", "encoding")
"""Columns of `pages` that say of a new version what the parser read."""
_COLUMNS: Final = (*_READ, *_OF_VERSION, "verdict", "version_harvest_id", "ended_at", "parser_version")

Row = Mapping[str, Any]


@dataclass(slots=True)
class RowCheck:
    """Compares rows with stored pages, and counts what cannot be compared.

    compared: pages read again. Of those that another version of the parser read:
    rows: pages of which today's parser reads other values; findings: pages of which it says something else
    changes: harvests of such a parser, or of another version of comparing, whose changes are not what it gives today
    """

    compared: int = 0
    rows: int = 0
    findings: int = 0
    changes: int = 0

    def __call__(self, archive: Archive) -> Iterator[VerifyProblem]:
        """What is not as the stored pages give it. Never raises: what cannot be read is a problem."""
        published: State | None = None
        before: State | None = None  # published or not
        parsers: set[str] = set()
        for id_ in counted(archive.harvest_ids(), "harvests compared with their pages"):
            problems: list[VerifyProblem] = []
            try:
                manifest = archive.manifest(id_)
                state = before = State(archive, id_, before=before.pages if before else None)
                # a first harvest that was interrupted, and resumed by a newer version, names the newer parser only
                known = frozenset((*parsers, manifest["parser_version"])) if parsers else frozenset()
                parsers.add(manifest["parser_version"])
                last, published = published, state if manifest["published"] else published
                problems += _Harvest(archive, state, self, known).problems(last)
            except Exception as error:  # noqa: BLE001 - a forged file can raise anything in whatever reads it
                problems.append(VerifyProblem(f"harvests/{id_}", f"cannot be read ({first_line(error)})", RESTORE))
            yield from problems

    def remark(self) -> str | None:
        """What could not be compared, as a sentence; None where all was."""
        if not self.rows + self.findings + self.changes:
            return None
        return (
            f"not compared, because another version of this program wrote it and today's reads differently: the rows of "
            f"{self.rows:,} and the findings of {self.findings:,} of {self.compared:,} stored pages, the changes of "
            f"{self.changes:,} harvest(s); `bma-progress replay` shows what differs"
        )


@dataclass(slots=True)
class _Harvest:
    """The check of one harvest.

    parsers: the versions of the parser that manifests up to this one name
    lenient: another version of the parser wrote its findings and changes
    stored: hashes of the bytes that it brought; older versions named it for other bytes too
    """

    archive: Archive
    state: State
    check: RowCheck
    parsers: frozenset[str]
    lenient: bool = field(init=False)
    stored: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.lenient = self.archive.manifest(self.id_)["parser_version"] != PARSER_VERSION
        self.stored = frozenset(self.archive.stored_pages(self.id_))

    @property
    def id_(self) -> str:
        return self.state.harvest_id

    def problems(self, published: State | None) -> Iterator[VerifyProblem]:
        """What is wrong with the harvest. published: the state of the last published harvest before it"""
        progress: dict[str, float] = {}
        pages = self.state.pages.select(list(_COLUMNS))
        found = Found()
        versions: set[str] = set()
        for batch in pages.to_batches(max_chunksize=_CHUNK):
            rows = batch.to_pylist()
            versions |= {row["page_key"] for row in rows if self._is_version(row)}
            self._chunk(rows, progress, found)
        for name in RECORD_TABLES:
            self._foreign(name, versions, found)
        self._foreign("findings", set(pages["page_key"].to_pylist()), found)
        found.add("pages", taken_over(self.state, published))
        self._changes(published, found)
        yield from counts_of_manifest(self.archive, self.id_)
        yield from found.problems(f"harvests/{self.id_}")

    def _is_version(self, row: Row) -> bool:
        return bool(row["version_harvest_id"] == self.id_)

    def _chunk(self, rows: list[PageRow], progress: dict[str, float], found: Found) -> None:
        """Some neighbouring pages: their versions' rows, and the findings of all of them."""
        read = {row["page_key"]: self._read(row, found) for row in rows if self._was_read(row)}
        other = self._tables([row for row in rows if self._is_version(row)], read, found)
        expected, looked_at = [], []
        for row in rows:
            page = read.get(row["page_key"])
            place = {"harvest_id": self.id_, "page_key": row["page_key"]}
            findings = [] if page is None else [dict(finding) for finding in page.findings]
            if differs := progress_differs(row, progress):
                findings.append(differs)
            if page is None and row["verdict"] is not None:
                continue  # a failed answer whose bytes are not kept: nobody can say what was found in it
            looked_at.append(row)
            expected += [{**finding, **place, "finding_no": number} for number, finding in enumerate(findings, 1)]
        kept = self._kept("findings", looked_at, arrow_schemas()["findings"])
        if kept is not None:
            differences = list(row_differences(_FINDING_KEY, kept, expected, _PAGE))
            if self.lenient:
                self.check.findings += len({key[0] for key, _ in differences})
            else:
                found.add("findings", (what for _, what in differences))
        self.check.compared += len(read)
        self.check.rows += other

    def _was_read(self, row: Row) -> bool:
        """Whether the harvest parsed the page: it says so, or it brought a version or bytes."""
        brought_bytes = row["body_harvest_id"] == self.id_ and row["page_sha256"] in self.stored
        is_new = self._is_version(row) or brought_bytes
        has_bytes = None not in (row["page_sha256"], row["body_harvest_id"])
        return has_bytes and (is_new or row["verdict"] is not None)

    def _read(self, row: PageRow, found: Found) -> SpooledPage | None:
        """The page as today's parser reads the bytes that the harvest looked at."""
        stored = {"record_body_harvest_id": row["body_harvest_id"], "record_sha256": row["page_sha256"]}
        try:
            return read_again(self.archive, {**row, **stored})
        except BmaProgressError as error:
            found.add("pages", [f"page_key={row['page_key']}: {error}"])
            return None

    # --- rows of records ------------------------------------------------------------------------------------------

    def _tables(self, versions: list[PageRow], read: Mapping[str, SpooledPage | None], found: Found) -> int:
        """Compare the rows of versions; returns how many pages of other parsers today's reads differently."""
        pages = {row["page_key"]: page for row in versions if (page := read.get(row["page_key"])) is not None}
        by_page: dict[str, list[tuple[str, str]]] = {}
        for name in RECORD_TABLES:
            for key, what in self._table(name, [row for row in versions if row["page_key"] in pages], pages):
                by_page.setdefault(key, []).append((name, what))
        other = 0
        for row in versions:
            if self.parsers and row["parser_version"] not in self.parsers:
                where = f"page_key={row['page_key']}"
                found.add(
                    "pages", [f"{where}: parser_version is {row['parser_version']}, which no manifest so far names"]
                )
            if (page := pages.get(row["page_key"])) is None:
                if None in (row["page_sha256"], row["body_harvest_id"]):
                    found.add("pages", [f"page_key={row['page_key']}: a version without its page"])
                continue
            differences = [*by_page.get(row["page_key"], ()), *(("pages", what) for what in self._about(row, page))]
            by_another = row["parser_version"] != PARSER_VERSION
            if by_another and differences and page.facts_sha256 != row["facts_sha256"]:
                other += 1
                continue
            for name, what in differences:
                if not (by_another and name == "pages"):
                    found.add(name, [what])
        return other

    def _table(self, name: str, rows: list[PageRow], pages: Mapping[str, SpooledPage]) -> Iterator[tuple[str, str]]:
        kept = self._kept(name, rows, version_schemas()[name])
        if kept is None or not rows:
            return
        values = [
            {**values, "page_key": key, "version_harvest_id": self.id_}
            for key, page in pages.items()
            for values in (page.tables or {}).get(name, ())
        ]
        expected = version_rows(name, values).select(kept.column_names)
        key = ("page_key", *TABLES[name].key)
        kept = kept.sort_by([(column, "ascending") for column in key])
        if not kept.equals(expected):
            for identity, what in row_differences(key, kept, expected.to_pylist(), _PAGE):
                yield identity[0], what

    def _about(self, row: Row, page: SpooledPage) -> Iterator[str]:
        """What the row of `pages` says of a new version, and the parser does not."""
        projects = (page.tables or {}).get("projects", ())
        expected = {
            "facts_sha256": page.facts_sha256,
            "version_verdict": page.verdict,
            "verdict": page.verdict,
            "evaluation_quarter": page.evaluation_quarter,
            "progress_percent": next((values["progress_percent"] for values in projects), None),
            "encoding": page.encoding,
        }
        for column, value in expected.items():
            if row[column] != value and not self._is_unwritten("pages", column):
                yield value_differs(f"page_key={row['page_key']}", column, row[column], value, _PAGE)

    # --- files ----------------------------------------------------------------------------------------------------

    def _columns(self, name: str) -> list[str] | None:
        """The columns of a table's file; None where the harvest was written before there was such a table."""
        file = self.archive.file(self.id_, name)
        return None if file is None else column_names(file)

    def _is_unwritten(self, name: str, column: str) -> bool:
        return column not in (self._columns(name) or ())

    def _kept(self, name: str, rows: Sequence[Row], schema: pa.Schema) -> pa.Table | None:
        """The rows of some neighbouring pages as the file has them, with the columns that it has."""
        columns = self._columns(name)
        if columns is None:
            return None
        there = pa.schema([column.remove_metadata() for column in schema if column.name in columns])
        keys = [row["page_key"] for row in rows]
        if not keys:
            return there.empty_table()
        return read_rows_of_pages(self.archive.file(self.id_, name), name, there, sorted(keys))

    def _foreign(self, name: str, pages: set[str], found: Found) -> None:
        """Rows of pages of which the harvest has no version."""
        if self._columns(name) is None:
            return
        kept = read_as(self.archive.file(self.id_, name), pa.schema([pa.field("page_key", pa.string())]))["page_key"]
        counts = {one["values"]: one["counts"] for one in pc.value_counts(kept).to_pylist()}
        for key, count in sorted(counts.items(), key=str):
            if key not in pages:
                found.add(name, [f"page_key={key}: {count:,} row(s) of a page of which this harvest has no version"])

    def _changes(self, published: State | None, found: Found) -> None:
        if (file := self.archive.file(self.id_, "changes")) is None:
            return
        kept = read_columns(file)
        cause = self.archive.manifest(self.id_)["cause"]
        expected = kept.schema.empty_table()
        if published is not None:
            expected = compare_states(published, self.state, gone_before=published.ended_codes(), cause=cause)
        if kept.equals(expected):
            return
        differences = [what for _, what in row_differences(_CHANGE_KEY, kept, expected.to_pylist(), _STATES)]
        if self.lenient or self.archive.manifest(self.id_).get("comparison_version", 1) != COMPARISON_VERSION:
            self.check.changes += bool(differences)
        else:
            found.add("changes", differences)
