"""What users import: a store, opened for reading, and the questions to ask it.

>>> store = open_store("data/demo")
>>> store.table("projects", "2026-10-01")
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from pipeline.compare import timeline, trends
from pipeline.compare.diff import states_differ
from pipeline.harvest.verify_rows import RowCheck
from pipeline.publish import evidence
from pipeline.publish.describe import describe_columns, describe_tables, store_html, store_summary
from pipeline.publish.extras import import_extra
from pipeline.schema.columns import frame_attributes
from pipeline.store.archive import Archive
from pipeline.store.layout import harvest_start
from pipeline.store.looks import looks_at
from pipeline.store.points_in_time import When
from pipeline.store.verify import verify_store
from pipeline.store.verify_bytes import VerifyProblem
from pipeline.store.writer import open_archive

if TYPE_CHECKING:
    import polars as pl


def open_store(path_or_url: str | Path) -> "Store":
    """Open a store for reading: a folder, or an address such as `s3://bucket/folder`.

    Of a store in object storage the mirror on this machine is brought up to date first. Raises StoreError.
    """
    return Store(open_archive(path_or_url))


class Store:
    """One store, opened for reading by `open_store`. It shows itself in a notebook: tables, rows, how fresh.

    Where a method takes a time, it is a harvest's id, a day (the last harvest on or before it, Bangkok time) as text,
    `date`, `datetime` or `pandas.Timestamp`, `latest` or `previous`. An unknown time or table raises StoreError, a file
    that cannot be read StoreDamagedError.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    @property
    def portal(self) -> str:
        """The address of the portal whose pages the store holds."""
        return self._archive.portal

    @property
    def place(self) -> str:
        """Where the store is: its folder, or its address in object storage."""
        return self._archive.place

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of all tables."""
        return self._archive.tables

    def harvest_ids(self, *, published_only: bool = False) -> list[str]:
        """The ids of all harvests, oldest first."""
        return self._archive.harvest_ids(published_only=published_only)

    def harvests(self) -> pd.DataFrame:
        """One row a harvest, oldest first: id, start, whether it was published, counts of pages by outcome."""
        rows = []
        for id_ in self.harvest_ids():
            manifest = self._archive.manifest(id_)
            named = {name: manifest[name] for name in ("published", "held_back", "cause")}
            rows.append({"harvest_id": id_, "started_at": harvest_start(id_), **named, **manifest["outcomes"]})
        columns = ["harvest_id", "started_at", "published", "held_back", "cause"]
        return pd.DataFrame(rows, columns=columns if not rows else None)

    def table(self, name: str, when: When = "latest", *, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """One table as it stood at `when`, as a pandas frame: `store.table("projects", "2026-10-01")`.

        columns: only these, in this order; all if not given

        Days and instants are datetime columns, codes are text, whole numbers may be missing. `frame.attrs` has the title,
        the key, what each column means, and the units.
        """
        frame: pd.DataFrame = self._archive.arrow(name, when, columns=columns).to_pandas()
        frame.attrs.update(frame_attributes(name))  # as a plain pd.read_parquet gives them
        return frame

    def __getitem__(self, name: str) -> pd.DataFrame:
        """The published rows of a table: `store["projects"]`."""
        return self.table(name)

    def to_polars(self, name: str, when: When = "latest", *, columns: Sequence[str] | None = None) -> "pl.DataFrame":
        """One table as a polars frame; as `table` otherwise. Raises BmaProgressError where polars is not installed."""
        frame: pl.DataFrame = import_extra("polars", "polars", "polars").from_arrow(
            self._archive.arrow(name, when, columns=columns)
        )
        return frame

    def changes(self, since: When | None = None) -> pd.DataFrame:
        """Every change of every published night, as the table `changes`: `store.changes(since="2026-10-01")`.

        since: only the nights after the harvest that this names, as `diff` takes it
        """
        frame = self.table("changes")
        if since is None:
            return frame
        chosen: pd.DataFrame = frame[frame["harvest_id"] > self._archive.resolve(since)].reset_index(drop=True)
        return chosen

    def as_of(self, when: When) -> "AsOf":
        """All tables as they stood at a time; they stay so while harvests go on."""
        return AsOf(self, self._archive.resolve(when))

    def latest(self) -> "AsOf":
        """The state that is published now."""
        return self.as_of("latest")

    def history(self, code: str) -> pd.DataFrame:
        """Every look at one project's or indicator's pages that was not skipped, oldest first, with its outcome."""
        return pd.DataFrame(looks_at(self._archive, code))

    def diff(self, before: When, after: When) -> pd.DataFrame:
        """What differs between two states, one row a difference with its meaning: `store.diff("2026-10-01", "latest")`.

        Columns: meaning, detail, table, key, column, before, after and others; see `pipeline.compare.changes`.
        """
        archive = self._archive
        frame: pd.DataFrame = states_differ(archive, archive.resolve(before), archive.resolve(after)).to_pandas()
        return frame

    def describe(self, name: str | None = None, when: When = "latest") -> pd.DataFrame:
        """What is in the store: one row a table, or of one table one row a column, as they stood at `when`.

        >>> store.describe()
        >>> store.describe("projects")

        Columns with personal data are described without their values.
        """
        id_ = self._archive.resolve(when)
        return describe_tables(self._archive, id_) if name is None else describe_columns(self._archive, name, id_)

    def verify(self, *, deep: bool = False) -> list[VerifyProblem]:
        """Everything that is not as it was committed; empty for a whole store.

        deep: parse the stored pages again, too, and compare every row, finding and change with what they give
        """
        return verify_store(self._archive.root, deep=deep, rows=RowCheck() if deep else None)

    def __repr__(self) -> str:
        return f"<Store {self.place}: {store_summary(self._archive)}>"

    def _repr_html_(self) -> str:
        return store_html(self._archive)


@dataclass(frozen=True)
class AsOf:
    """All tables as of one harvest: `store.as_of("2026-11-22")["projects"]` is a pandas frame."""

    store: Store
    harvest_id: str

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of all tables."""
        return self.store.tables

    @property
    def started_at(self) -> datetime:
        """When the harvest began, UTC."""
        return harvest_start(self.harvest_id)

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.store.table(name, self.harvest_id)

    def table(self, name: str) -> pd.DataFrame:
        """One table as a pandas frame."""
        return self[name]

    def arrow(self, name: str) -> pa.Table:
        """One table as Arrow."""
        return self.store._archive.arrow(name, self.harvest_id)


def most_rewritten(store: Store, *, since: When | None = None, until: When = "latest") -> pd.DataFrame:
    """The projects and indicators whose history was rewritten, most nights first; see `pipeline.compare.trends`."""
    return trends.most_rewritten(store._archive, since=since, until=until)


def not_reported(store: Store, days: int, *, when: When = "latest") -> pd.DataFrame:
    """The projects that reported nothing for more than so many days; see `pipeline.compare.trends`."""
    return trends.not_reported(store._archive, days, when=when)


def timeline_text(store: Store, code: str, *, contacts: bool = True) -> str:
    """The versions of one project or indicator and what changed with each, as text.

    contacts: false to leave out what contact lines say. Raises StoreError for an unknown code.
    """
    return timeline.timeline_text(store._archive, code, contacts=contacts)


def write_evidence(store: Store, code: str, out: Path) -> int:
    """Write a folder that proves what the portal showed of one code; returns how many pages it holds.

    out: a new or empty folder. See `pipeline.publish.evidence`. Raises StoreError.
    """
    return evidence.write_evidence(store._archive, code, out)
