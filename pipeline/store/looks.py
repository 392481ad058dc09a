"""How often and with what outcome a record's pages were looked at: every look, or runs of looks with the same outcome."""

from bisect import bisect
from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow.compute as pc

from pipeline.errors import StoreError, damaged_table, not_a_record_code
from pipeline.schema.codes import KPI_CODE, PROJECT_CODE
from pipeline.store.layout import Folder
from pipeline.store.parquet_files import opened
from pipeline.store.stored_pages import StoredPages, file_of

Look = dict[str, Any]
"""A row of `pages`, with its `page_sha256` also where the harvest's own file leaves it out."""


class RunOfLooks(NamedTuple):
    """Looks of consecutive harvests, all published or one that was held back, with the same outcome.

    first: the first look; last_harvest_id: of the last one; nights: how many
    """

    first: Look
    last_harvest_id: str
    published: bool
    nights: int


def looks_at(store: StoredPages, code: str) -> list[Look]:
    """Every look at one project's or indicator's pages that was not skipped, oldest first. It opens a file a harvest.

    Raises StoreError for a text that is no code, and for a code of which no page is known.
    """
    pages = _PagesOf(store, code)
    found = [look for id_ in store.harvest_ids() for look in pages.looks(id_)]
    if not found:
        raise pages.unknown()
    return [look for look in found if look["outcome"] != "skipped"]


def runs_of_looks(store: StoredPages, code: str) -> list[RunOfLooks]:
    """The same looks in runs, oldest first. How many files it opens depends on the number of runs, not of harvests.

    Neighbouring runs of one page may have the same outcome. Raises like `looks_at`.
    """
    pages = _PagesOf(store, code)
    published = store.harvest_ids(published_only=True)
    held_back = sorted(set(store.harvest_ids()) - set(published))
    runs = [RunOfLooks(look, id_, False, 1) for id_ in held_back for look in pages.looks(id_)]
    runs += _published_runs(pages, published, held_back)
    if not runs:
        raise pages.unknown()
    runs.sort(key=lambda run: (run.first["harvest_id"], run.first["page_key"]))
    return [run for run in runs if run.first["outcome"] != "skipped"]


def _published_runs(pages: "_PagesOf", published: list[str], held_back: list[str]) -> Iterator[RunOfLooks]:
    """Follow `outcome_since` from the newest harvest back. Published harvests have a row for every page known before."""
    places = {id_: place for place, id_ in enumerate(published)}
    for newest in pages.looks(published[-1]) if published else ():
        place = len(published) - 1
        row: Look | None = newest
        while row is not None:
            since = places.get(row.get("outcome_since") or "", place)  # older versions wrote none
            if between := bisect(held_back, published[place]):  # the looks at one that was held back lie between
                since = max(since, bisect(published, held_back[between - 1]))
            first = pages.look(published[since], row["page_key"])
            if first is None or first["outcome"] != row["outcome"]:
                since, first = place, row
            yield RunOfLooks(first, published[place], True, place - since + 1)
            place = since - 1
            row = pages.look(published[place], row["page_key"]) if place >= 0 else None


class _PagesOf:
    """The rows of one code's pages, harvest by harvest. Raises StoreError for a text that is no code."""

    def __init__(self, store: StoredPages, code: str) -> None:
        if not isinstance(code, str) or not (PROJECT_CODE.fullmatch(code) or KPI_CODE.fullmatch(code)):
            raise not_a_record_code(code)
        store.check_chain()
        self._store = store
        self._code = code
        self._column = "project_code" if PROJECT_CODE.fullmatch(code) else "kpi_code"
        self._rows: dict[str, list[Look]] = {}

    def unknown(self) -> StoreError:
        return StoreError(f"{self._store.root} knows no page of {self._code}")

    def looks(self, harvest_id: str) -> list[Look]:
        """The looks of one harvest, by page."""
        rows = self._of(harvest_id)
        for row in rows:
            kept_in = row["body_harvest_id"]
            if row["page_sha256"] is None and kept_in is not None and kept_in < harvest_id:
                same = (other["page_sha256"] for other in self._of(kept_in) if other["page_key"] == row["page_key"])
                row["page_sha256"] = next(same, None)
        return rows

    def look(self, harvest_id: str, page_key: str) -> Look | None:
        return next((row for row in self.looks(harvest_id) if row["page_key"] == page_key), None)

    def _of(self, harvest_id: str) -> list[Look]:
        if harvest_id not in self._rows:
            file = file_of(self._store.root / "harvests", harvest_id, "pages")
            self._rows[harvest_id] = _rows_where(file, self._column, self._code)
        return self._rows[harvest_id]


def _rows_where(file: Folder, column: str, value: str) -> list[Look]:
    """The rows of a file that have a value in a column; only the groups of rows that have one are read whole."""
    rows: list[Look] = []
    with opened(file) as stored:
        if column not in stored.schema_arrow.names:
            raise damaged_table(f"{file} has no column {column}")
        for group in range(stored.num_row_groups):
            here = pc.equal(stored.read_row_group(group, columns=[column]).column(0), value)
            if pc.any(here).as_py():
                rows += stored.read_row_group(group).filter(here).to_pylist()
    return rows
