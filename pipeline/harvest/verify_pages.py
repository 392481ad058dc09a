"""Whether what a harvest says of its pages follows from the harvest before, and what its manifest counts from its files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow.compute as pc

from pipeline.harvest.page_status import MISSES_TO_END, PageRow, is_in_force, outcome_since
from pipeline.harvest.row_differences import value_differs
from pipeline.schema.codes import code_of_page
from pipeline.schema.columns import RECORD_TABLES
from pipeline.schema.page_kinds import OWNER_OF_KIND
from pipeline.store.archive import Archive
from pipeline.store.layout import MANIFEST, Folder
from pipeline.store.parquet_files import number_of_rows, read_columns
from pipeline.store.state import State
from pipeline.store.verify_bytes import RESTORE, VerifyProblem

_BEFORE: Final = "the harvest before"
_KEPT: Final = ("version_harvest_id", "first_seen_at", "changed_at", "version_verdict", "progress_percent")
_LIFE: Final = (*_KEPT, "checked_at", "misses", "ended_at", "project_code", "kpi_code")
"""Columns that follow from the page's row in the harvest before, and from the outcome and the time of this one."""
_COLUMNS: Final = ("page_key", "kind", "harvest_id", "outcome", "outcome_since", "fetched_at", *_LIFE)


def taken_over(state: State, published: State | None) -> Iterator[str]:
    """What rows of `pages` say of their record's life, and does not follow from the harvest before.

    published: the state of the last published harvest before it
    """
    rows = [] if published is None else published.pages.select(_COLUMNS).to_pylist()
    previous = {row["page_key"]: row for row in rows}
    has_since = state.pages["outcome_since"].null_count < len(state.pages)  # an older version wrote none
    for row in state.pages.select(_COLUMNS).to_pylist():
        where, is_version = f"page_key={row['page_key']}", row["version_harvest_id"] == state.harvest_id
        if is_version != (row["outcome"] in ("new", "changed")):
            yield f"{where}: outcome is {row['outcome']}, but its version is of {row['version_harvest_id']}"
            continue
        before = previous.get(row["page_key"])
        expected = _life(before or {**dict.fromkeys(_LIFE), "misses": 0}, row)
        if has_since:
            expected["outcome_since"] = outcome_since(before, row)
        for column, value in expected.items():
            if row[column] != value:
                yield value_differs(where, column, row[column], value, _BEFORE)


def _life(before: PageRow, row: PageRow) -> PageRow:
    """The columns of a page's life as `next_page_row` writes them. before: the page's row in the harvest before"""
    at, owner, code = row["fetched_at"], OWNER_OF_KIND.get(row["kind"]), code_of_page(row["page_key"])
    codes = {name: code if owner == name else None for name in ("project_code", "kpi_code")}
    if row["outcome"] in ("new", "changed"):
        times = {"first_seen_at": before["first_seen_at"] or at, "changed_at": at, "checked_at": at}
        return {**codes, **times, "misses": 0, "ended_at": None}
    expected = {name: before[name] for name in _LIFE} | codes
    if row["outcome"] == "unchanged":
        expected |= {"checked_at": at, "misses": 0}
    elif row["outcome"] in ("not_found", "blank"):
        expected["misses"] += 1
        if is_in_force(before) and expected["misses"] >= MISSES_TO_END:
            expected["ended_at"] = at
    return expected


def counts_of_manifest(archive: Archive, harvest_id: str) -> Iterator[VerifyProblem]:
    """What a manifest counts, and its files do not hold."""
    manifest, where = archive.manifest(harvest_id), f"harvests/{harvest_id}/{MANIFEST}"
    if manifest["portal"] != archive.portal:
        yield VerifyProblem(where, "of another portal than the store", RESTORE)
    stated = {Path(name).stem: about.get("rows") for name, about in manifest["files"].items()}
    if any(stated[name] not in (None, _rows_in(archive.file(harvest_id, name))) for name in stated):
        yield VerifyProblem(where, "rows are not those of its files", RESTORE)
    kept = {name: archive.snapshot_file(name, harvest_id) for name in RECORD_TABLES}
    if any(
        file is not None and manifest["rows"].get(name) not in (None, _rows_in(file)) for name, file in kept.items()
    ):
        yield VerifyProblem(where, "rows are not those of its snapshot", RESTORE)
    for name, table, column in (("outcomes", "pages", "outcome"), ("changes", "changes", "meaning")):
        if (file := archive.file(harvest_id, table)) is None:
            continue
        counts = _counts(file, column)
        if manifest.get(name, counts) != counts:
            yield VerifyProblem(where, f"{name} are not those of its files", RESTORE)


def _counts(file: Folder, column: str) -> dict[str | None, int]:
    """How often each value stands in a column."""
    return {one["values"]: one["counts"] for one in pc.value_counts(read_columns(file, [column])[column]).to_pylist()}


def _rows_in(file: Folder | None) -> int | None:
    return None if file is None else number_of_rows(file)
