"""Reads the committed harvests of a store: their ids, manifests, pages and bytes."""

import hashlib
import zipfile
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard

from pipeline.errors import MissingPageError, StoreDamagedError, StoreError
from pipeline.store.document_shapes import is_manifest
from pipeline.store.durable import is_unaltered, read_document
from pipeline.store.index import committed_harvests, listed_harvests, read_head
from pipeline.store.layout import HARVEST_ID, MANIFEST, Folder, harvest_id_at
from pipeline.store.packs import harvest_folder, pack_of, parquet_source
from pipeline.store.points_in_time import When, end_of


class Harvests:
    """The harvests under `root/harvests`, plain or in packs. Nothing here writes."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    # --- harvests -----------------------------------------------------------------------------------------------

    def harvest_ids(self, *, published_only: bool = False) -> list[str]:
        """All committed harvests, oldest first."""
        ids, listed = committed_harvests(self.root)
        if not published_only:
            return ids
        return [id_ for id_ in ids if (listed[id_] if id_ in listed else self.manifest(id_)["published"])]

    def check_chain(self) -> None:
        """Raise StoreDamagedError where a harvest is missing: one that another followed, or that head.json names."""
        # read before the harvests: a writer may be adding one
        newest, listed = read_head(self.root).get("harvest_id"), listed_harvests(self.root).published
        ids = self.harvest_ids()
        if newest is not None and newest not in ids:
            raise newest_is_damaged(self.root, newest)
        if lost := listed.keys() - ids:
            later = [id_ for id_ in ids if id_ > max(lost)]
            raise self._is_missing(max(lost), later[0]) if later else newest_is_damaged(self.root, max(lost))
        for before, id_ in zip((None, *ids), ids, strict=False):
            if id_ in listed and (before is None or before in listed):
                continue  # checked when head.json was written
            if (followed := self.manifest(id_)["previous"]) != before:
                raise self._is_missing(followed, id_)

    def _is_missing(self, harvest_id: str, follower: str) -> StoreDamagedError:
        return StoreDamagedError(
            f"harvest {harvest_id}, which {follower} followed, is missing in {self.root}; restore it from a copy of the store"
        )

    def manifest(self, harvest_id: str) -> dict[str, Any]:
        """The manifest of a harvest. Raises StoreDamagedError."""
        return _read_manifest(self.root / "harvests", harvest_id)

    def harvest_folder(self, harvest_id: str) -> Folder:
        """Where a harvest's files are: its folder, or its place in the pack of its month."""
        return harvest_folder(self.root / "harvests", harvest_id)

    def file(self, harvest_id: str, name: str) -> Folder | None:
        """A harvest's Parquet file, checked against its manifest; None where an older version wrote no such file.

        Raises StoreDamagedError where it is missing or has other bytes than were committed.
        """
        return _checked_file(self.root / "harvests", harvest_id, name)

    def held_back_note(self, harvest_id: str) -> str | None:
        """What anyone who asks for a harvest should know where it was held back; None where it was published."""
        reason = self.manifest(harvest_id)["held_back"]
        return f"harvest {harvest_id} was held back and never published: {reason}" if reason else None

    def withheld(self, harvest_id: str) -> frozenset[str]:
        """The tables that were left empty when a harvest was published, as the settings of that night said.

        Older versions did not write it down: a table of contacts without a row, beside projects, says so.
        """
        manifest = self.manifest(harvest_id)
        rows = manifest["rows"]
        older = ["contacts"] if rows.get("projects") and not rows.get("contacts") else []
        return frozenset(manifest.get("withheld", older))

    def published_before(self, harvest_id: str) -> str | None:
        """The last published harvest before another, or None."""
        return max((id_ for id_ in self.harvest_ids(published_only=True) if id_ < harvest_id), default=None)

    def resolve(self, when: When) -> str:
        """A harvest's id from an id, a day (the last harvest on or before it, Bangkok time), an instant, `latest` or `previous`.

        A `datetime` without a time zone is Bangkok time, and at midnight the whole day. Raises StoreError where the store
        has no such harvest, and for Buddhist years and days to come.
        """
        self.check_chain()
        published = self.harvest_ids(published_only=True)
        if not published and not self.harvest_ids():
            raise StoreError(f"{self.root} holds no harvest yet; run `bma-progress harvest` first")
        text = when.strip() if isinstance(when, str) else ""
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
        end = harvest_id_at(end_of(when))
        before = [id_ for id_ in published if id_ < end]
        if not before:
            first = published[0] if published else "none"
            raise StoreError(f"no harvest was published on or before {text or when}; the first one is {first}")
        return before[-1]

    # --- pages ----------------------------------------------------------------------------------------------------

    def page_hashes(self, harvest_id: str, name: str) -> tuple[pa.Array, pa.Array]:
        """The pages of which a harvest has a `facts_sha256` or `page_sha256`, and these: what it was the first to see."""
        return _hashes(self.root / "harvests", harvest_id, name)

    def version_in(self, harvest_id: str, page_key: str) -> str | None:
        """The harvest that holds the version of a page that was in force as of a harvest, or None."""
        return _versions(self.root / "harvests", harvest_id).get(page_key)

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
        """The stored row of these bytes: URL, status, headers, time, encoding. Raises MissingPageError."""
        folder, id_ = self.root / "harvests", self.keeper_of(harvest_id, sha256)
        group, row = _body_places(folder, id_)[sha256]
        return _row_group(folder, id_, group)[row]

    def keeper_of(self, harvest_id: str, sha256: str) -> str:
        """The harvest that keeps these bytes: as a rule the named one. Raises MissingPageError.

        An older version could name the harvest that saw known bytes again after a failure, not the one that kept them.
        """
        if sha256 in self.stored_pages(harvest_id):
            return harvest_id
        for id_ in reversed(self.harvest_ids()):
            if sha256 in self.stored_pages(id_):
                return id_
        raise MissingPageError(f"harvest {harvest_id} holds no page with the hash {sha256}")

    def stored_pages(self, harvest_id: str) -> Collection[str]:
        """The hashes of the pages whose bytes a harvest keeps."""
        return _body_places(self.root / "harvests", harvest_id).keys()


def page_hashes(hashes: Iterable[str]) -> bytes:
    """The list of the pages that a harvest keeps, one SHA-256 a line: its manifest names the hash of this text.

    So a page is proven to belong to a harvest by `grep` and `sha256sum` alone, without the store.
    """
    return "".join(f"{sha256}\n" for sha256 in sorted(hashes)).encode()


def newest_is_damaged(root: Path, harvest_id: str) -> StoreDamagedError:
    """The error of a store whose newest harvest is not there as it was committed."""
    return StoreDamagedError(
        f"harvest {harvest_id}, the last that was committed to {root}, is missing or altered; restore it from a "
        "copy of the store before another harvest hides that"
    )


def _read_manifest(harvests: Path, harvest_id: str) -> dict[str, Any]:
    for file in (harvests / harvest_id / MANIFEST, pack_of(harvests, harvest_id)):
        with suppress(OSError):
            about = file.stat()
            return _parse_manifest(harvests, harvest_id, (about.st_mtime_ns, about.st_size, about.st_ino))
    return _parse_manifest(harvests, harvest_id, None)


@lru_cache(maxsize=4096)
def _parse_manifest(harvests: Path, harvest_id: str, version: tuple[int, int, int] | None) -> dict[str, Any]:
    """Read a manifest; version: what changes with its content."""
    file = harvest_folder(harvests, harvest_id) / MANIFEST
    try:
        manifest: dict[str, Any] = orjson.loads(read_document(file))
    except (OSError, KeyError, orjson.JSONDecodeError, zipfile.BadZipFile):
        manifest = {}
    if not is_manifest(manifest):
        raise StoreDamagedError(f"{file} cannot be read; run `bma-progress verify`")
    return manifest


def _checked_file(harvests: Path, harvest_id: str, name: str) -> Folder | None:
    about = _read_manifest(harvests, harvest_id)["files"].get(f"{name}.parquet")
    if about is None:
        return None
    file = harvest_folder(harvests, harvest_id) / f"{name}.parquet"
    if not is_unaltered(file, about["sha256"]):
        raise StoreDamagedError(f"{file} is missing or is not what was committed; restore it from a copy of the store")
    return file


def source_of(harvests: Path, harvest_id: str, name: str) -> Path | pa.BufferReader:
    """What pyarrow reads a file from that every harvest has."""
    file = _checked_file(harvests, harvest_id, name)
    if file is None:
        raise StoreDamagedError(f"the manifest of harvest {harvest_id} names no {name}; run `bma-progress verify`")
    return parquet_source(file)


@lru_cache(maxsize=64)
def _hashes(harvests: Path, harvest_id: str, name: str) -> tuple[pa.Array, pa.Array]:
    pages = _read(source_of(harvests, harvest_id, "pages"), ["page_key", name])
    pages = pages.filter(pc.is_valid(pages[name]))
    return pages["page_key"].combine_chunks(), pages[name].combine_chunks()


@lru_cache(maxsize=8)
def _versions(harvests: Path, harvest_id: str) -> dict[str, str]:
    pages = _read(source_of(harvests, harvest_id, "pages"), ["page_key", "version_harvest_id"])
    return dict(zip(*(column.to_pylist() for column in pages.columns), strict=True))


def _read(source: Path | pa.BufferReader, columns: list[str] | None = None) -> pa.Table:
    """A small file, whole; without what `pq.read_table` does before it reads the first byte."""
    with pq.ParquetFile(source) as stored:
        return stored.read(columns)


@lru_cache(maxsize=64)
def _body_places(harvests: Path, harvest_id: str) -> dict[str, tuple[int, int]]:
    """SHA-256 of each stored page → its row group and row."""
    places = {}
    with pq.ParquetFile(source_of(harvests, harvest_id, "bodies")) as stored:
        for group in range(stored.num_row_groups):
            hashes = stored.read_row_group(group, columns=["page_sha256"]).column(0).to_pylist()
            places.update({sha256: (group, row) for row, sha256 in enumerate(hashes)})
    return places


@lru_cache(maxsize=2)  # some 8 MB each; pages are asked for in order of their keys
def _row_group(harvests: Path, harvest_id: str, group: int) -> list[dict[str, Any]]:
    with pq.ParquetFile(source_of(harvests, harvest_id, "bodies")) as stored:
        rows: list[dict[str, Any]] = stored.read_row_group(group).to_pylist()
    return rows
