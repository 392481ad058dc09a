"""Whether what a harvest says of its pages follows from the harvest before, and what its manifest counts from its files."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import pyarrow.parquet as pq

from pipeline.harvest.page_status import outcome_since
from pipeline.harvest.row_differences import value_differs
from pipeline.store.archive import Archive
from pipeline.store.layout import MANIFEST
from pipeline.store.packs import parquet_source
from pipeline.store.state import State
from pipeline.store.verify_bytes import RESTORE, VerifyProblem

_BEFORE: Final = "the harvest before"
_TAKEN_OVER: Final = ("version_harvest_id", "first_seen_at", "changed_at")
_OUTCOME: Final = ("harvest_id", "outcome", "outcome_since", "ended_at")


def taken_over(state: State, published: State | None) -> Iterator[str]:
    """Rows of `pages` whose version, or one of whose "since when", does not follow from the harvest before.

    published: the state of the last published harvest before it
    """
    columns = ["page_key", "fetched_at", *_OUTCOME, *_TAKEN_OVER]
    rows = [] if published is None else published.pages.select(columns).to_pylist()
    previous = {row["page_key"]: row for row in rows}
    has_since = state.pages["outcome_since"].null_count < len(state.pages)  # an older version wrote none
    for row in state.pages.select(columns).to_pylist():
        where, is_version = f"page_key={row['page_key']}", row["version_harvest_id"] == state.harvest_id
        if is_version != (row["outcome"] in ("new", "changed")):
            yield f"{where}: outcome is {row['outcome']}, but its version is of {row['version_harvest_id']}"
            continue
        since = outcome_since(previous.get(row["page_key"]), row)
        if has_since and row["outcome_since"] != since:
            yield value_differs(where, "outcome_since", row["outcome_since"], since, _BEFORE)
        before = previous.get(row["page_key"], dict.fromkeys(columns))
        expected = dict(before)
        if is_version:
            first_seen = before["first_seen_at"] or row["fetched_at"]
            expected = {**expected, "version_harvest_id": state.harvest_id, "first_seen_at": first_seen}
            expected["changed_at"] = row["fetched_at"]
        for column in _TAKEN_OVER:
            if row[column] != expected[column]:
                yield value_differs(where, column, row[column], expected[column], _BEFORE)


def counts_of_manifest(archive: Archive, harvest_id: str) -> Iterator[VerifyProblem]:
    """What a manifest counts, and its files do not hold."""
    manifest, where = archive.manifest(harvest_id), f"harvests/{harvest_id}/{MANIFEST}"
    if manifest["portal"] != archive.portal:
        yield VerifyProblem(where, "of another portal than the store", RESTORE)
    for name, table, column in (("outcomes", "pages", "outcome"), ("changes", "changes", "meaning")):
        if (file := archive.file(harvest_id, table)) is None:
            continue
        counts = Counter(pq.read_table(parquet_source(file), columns=[column])[column].to_pylist())
        if manifest.get(name, counts) != counts:
            yield VerifyProblem(where, f"{name} are not those of its files", RESTORE)
