"""Reads the committed harvests of a store: their ids, manifests, pages and bytes."""

import hashlib
import zipfile
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pyarrow.parquet as pq
import zstandard

from pipeline.errors import StoreDamagedError, StoreError
from pipeline.schema.codes import KPI_CODE, PROJECT_CODE
from pipeline.store.layout import BANGKOK, HARVEST_ID, MANIFEST, Folder, harvest_id_at, ids_in
from pipeline.store.packs import harvest_folder, packed_ids, packs, parquet_source


class Harvests:
    """The harvests under `root/harvests`, plain or in packs. Nothing here writes."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    # --- harvests -----------------------------------------------------------------------------------------------

    def harvest_ids(self, *, published_only: bool = False) -> list[str]:
        """All committed harvests, oldest first."""
        folder = self.root / "harvests"
        ids = sorted({*ids_in(folder), *(id_ for pack in packs(folder) for id_ in packed_ids(pack))})
        return [id_ for id_ in ids if self.manifest(id_)["published"]] if published_only else ids

    def manifest(self, harvest_id: str) -> dict[str, Any]:
        """The manifest of a harvest. Raises StoreDamagedError."""
        return _read_manifest(self.root / "harvests", harvest_id)

    def harvest_folder(self, harvest_id: str) -> Folder:
        """Where a harvest's files are: its folder, or its place in the pack of its month."""
        return harvest_folder(self.root / "harvests", harvest_id)

    def published_before(self, harvest_id: str) -> str | None:
        """The last published harvest before another, or None."""
        return max((id_ for id_ in self.harvest_ids(published_only=True) if id_ < harvest_id), default=None)

    def resolve(self, when: str | date) -> str:
        """A harvest's id from an id, a day (the last harvest on or before it, Bangkok time), `latest` or `previous`.

        Raises StoreError where the store has no such harvest.
        """
        text = when.isoformat() if isinstance(when, date) else when.strip()
        published = self.harvest_ids(published_only=True)
        if not published and not self.harvest_ids():
            raise StoreError(f"{self.root} holds no harvest yet; run `bma-progress harvest` first")
        if text in ("latest", "previous"):
            place = -1 if text == "latest" else -2
            if len(published) < -place:
                raise StoreError(f"{self.root} holds {len(published)} published harvest(s), so there is no {text} one")
            return published[place]
        if HARVEST_ID.fullmatch(text):
            ids = self.harvest_ids()
            if text in ids:
                return text
            raise StoreError(f"{self.root} holds no harvest {text}; the newest is {ids[-1]}")
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise StoreError(
                f"{text!r} is no harvest's id, no day such as 2026-11-22, and neither latest nor previous"
            ) from None
        end = harvest_id_at(datetime.combine(day + timedelta(days=1), time(), BANGKOK).astimezone(UTC))
        before = [id_ for id_ in published if id_ < end]
        if not before:
            first = published[0] if published else "none"
            raise StoreError(f"no harvest was published on or before {text}; the first one is {first}")
        return before[-1]

    # --- pages ----------------------------------------------------------------------------------------------------

    def page_hash(self, harvest_id: str, page_key: str, name: str) -> str | None:
        """A page's `facts_sha256` or `page_sha256`, from the harvest that first saw the version or the bytes."""
        return _hashes(self.root / "harvests", harvest_id, name).get(page_key)

    def version_in(self, harvest_id: str, page_key: str) -> str | None:
        """The harvest that holds the version of a page that was in force as of a harvest, or None."""
        return _versions(self.root / "harvests", harvest_id).get(page_key)

    def history(self, code: str) -> pd.DataFrame:
        """Every look at one project's or indicator's pages that was not skipped, oldest first, with its outcome.

        Raises StoreError for a text that is no code, and for a code of which no page is known.
        """
        if not (PROJECT_CODE.fullmatch(code) or KPI_CODE.fullmatch(code)):
            raise StoreError(f"{code!r} is no project's or indicator's code, such as 24000000-2964 or 2400-1013")
        column = "project_code" if PROJECT_CODE.fullmatch(code) else "kpi_code"
        found = []
        for id_ in self.harvest_ids():
            file = parquet_source(self.harvest_folder(id_) / "pages.parquet")
            pages = pq.read_table(file, filters=[(column, "=", code)])
            for row in pages.to_pylist():
                if row["page_sha256"] is None and row["body_harvest_id"] is not None:
                    row["page_sha256"] = self.page_hash(row["body_harvest_id"], row["page_key"], "page_sha256")
                found.append(row)
        if not found:
            raise StoreError(f"{self.root} knows no page of {code}")
        frame = pd.DataFrame(found)
        return frame[frame["outcome"] != "skipped"].reset_index(drop=True)

    # --- bytes ----------------------------------------------------------------------------------------------------

    def body(self, harvest_id: str, sha256: str) -> bytes:
        """The bytes with this hash that a harvest stored, checked. Raises StoreError, StoreDamagedError."""
        record = self.body_record(harvest_id, sha256)
        body: bytes = record["body"]
        if record["encoding"] == "zstd-patch":
            base = self.body(record["base_harvest_id"], record["base_sha256"])
            dictionary = zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
            body = zstandard.ZstdDecompressor(dict_data=dictionary).decompress(body)
        if hashlib.sha256(body).hexdigest() != sha256:
            raise StoreDamagedError(
                f"the stored page {sha256} of harvest {harvest_id} is damaged; run `bma-progress verify`"
            )
        return body

    def body_record(self, harvest_id: str, sha256: str) -> Mapping[str, Any]:
        """The stored row of these bytes: URL, status, headers, time, encoding. Raises StoreError where there is none."""
        folder = self.root / "harvests"
        there = (self.harvest_folder(harvest_id) / "bodies.parquet").is_file()
        place = _body_places(folder, harvest_id).get(sha256) if there else None
        if place is None:
            raise StoreError(f"harvest {harvest_id} holds no page with the hash {sha256}")
        return _row_group(folder, harvest_id, place[0])[place[1]]


@lru_cache(maxsize=4096)  # what was committed never changes
def _read_manifest(harvests: Path, harvest_id: str) -> dict[str, Any]:
    file = harvest_folder(harvests, harvest_id) / MANIFEST
    try:
        manifest: dict[str, Any] = orjson.loads(file.read_bytes())
    except (OSError, KeyError, orjson.JSONDecodeError, zipfile.BadZipFile):
        raise StoreDamagedError(f"{file} cannot be read; run `bma-progress verify`") from None
    return manifest


@lru_cache(maxsize=64)
def _hashes(harvests: Path, harvest_id: str, name: str) -> dict[str, str]:
    return {key: sha256 for key, sha256 in _page_column(harvests, harvest_id, name) if sha256}


@lru_cache(maxsize=8)
def _versions(harvests: Path, harvest_id: str) -> dict[str, str]:
    return dict(_page_column(harvests, harvest_id, "version_harvest_id"))


def _page_column(harvests: Path, harvest_id: str, name: str) -> list[tuple[str, str]]:
    """Each page's key and its value of one column."""
    file = harvest_folder(harvests, harvest_id) / "pages.parquet"
    pages = pq.read_table(parquet_source(file), columns=["page_key", name])
    return list(zip(pages["page_key"].to_pylist(), pages[name].to_pylist(), strict=True))


@lru_cache(maxsize=64)
def _body_places(harvests: Path, harvest_id: str) -> dict[str, tuple[int, int]]:
    """SHA-256 of each stored page → its row group and row."""
    places = {}
    with pq.ParquetFile(parquet_source(harvest_folder(harvests, harvest_id) / "bodies.parquet")) as stored:
        for group in range(stored.num_row_groups):
            hashes = stored.read_row_group(group, columns=["page_sha256"]).column(0).to_pylist()
            places.update({sha256: (group, row) for row, sha256 in enumerate(hashes)})
    return places


@lru_cache(maxsize=2)  # some 8 MB each; pages are asked for in order of their keys
def _row_group(harvests: Path, harvest_id: str, group: int) -> list[dict[str, Any]]:
    with pq.ParquetFile(parquet_source(harvest_folder(harvests, harvest_id) / "bodies.parquet")) as stored:
        rows: list[dict[str, Any]] = stored.read_row_group(group).to_pylist()
    return rows
