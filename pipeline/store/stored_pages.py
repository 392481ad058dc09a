"""Reads the pages that the harvests of a store looked at, and the bytes that they keep."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import zstandard

from pipeline.errors import MissingPageError, StoreDamagedError
from pipeline.store.catalog import Catalog
from pipeline.store.harvests import checked_file
from pipeline.store.layout import Folder
from pipeline.store.parquet_files import opened, read_columns

_LARGEST: Final = 64 << 20  # bytes; a page of the portal has some 50 kB, and 2 MB are accepted


class StoredPages(Catalog):
    """A store opened for its pages and their bytes."""

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
        body = record["body"]
        if record["encoding"] == "zstd-patch":
            base = self.body_record(record["base_harvest_id"], record["base_sha256"])
            body = None if base["encoding"] == "zstd-patch" else _patched(base["body"], body)
        if not isinstance(body, bytes) or hashlib.sha256(body).hexdigest() != sha256:
            raise damaged_page(harvest_id, sha256)
        return body

    def body_record(self, harvest_id: str, sha256: str) -> Mapping[str, Any]:
        """The stored row of these bytes: URL, status, headers, time, encoding. Raises MissingPageError."""
        folder, id_ = self.root / "harvests", self.keeper_of(harvest_id, sha256)
        place = _body_places(folder, id_)[sha256]
        record: Mapping[str, Any] = _row_group(folder, id_, place.group).slice(place.row, 1).to_pylist()[0]
        return record

    def whole_page(self, harvest_id: str, sha256: str) -> tuple[str, str]:
        """Harvest and hash of the page stored whole: the one of which these bytes are kept as a patch, or they themselves.

        Raises MissingPageError.
        """
        id_ = self.keeper_of(harvest_id, sha256)
        place = _body_places(self.root / "harvests", id_)[sha256]
        if place.base_sha256 is None:
            return id_, sha256
        return self.keeper_of(place.base_harvest_id, place.base_sha256), place.base_sha256

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


def _patched(base: bytes, patch: bytes) -> bytes | None:
    """The page that a patch of its base makes; None where it makes none, or one larger than any page."""
    with suppress(zstandard.ZstdError, TypeError, ValueError):
        if zstandard.get_frame_parameters(patch).content_size <= max(_LARGEST, 2 * len(base)):
            dictionary = zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
            return zstandard.ZstdDecompressor(dict_data=dictionary).decompress(patch)
    return None


def damaged_page(harvest_id: str, sha256: str) -> StoreDamagedError:
    """The error of stored bytes, or of what is said of them, that are not what a harvest wrote."""
    return StoreDamagedError(f"the stored page {sha256} of harvest {harvest_id} is damaged; run `bma-progress verify`")


def page_hashes(hashes: Iterable[str]) -> bytes:
    """The list of the pages that a harvest keeps, one SHA-256 a line: its manifest names the hash of this text.

    So a page is proven to belong to a harvest by `grep` and `sha256sum` alone, without the store.
    """
    return "".join(f"{sha256}\n" for sha256 in sorted(hashes)).encode()


def file_of(harvests: Path, harvest_id: str, name: str) -> Folder:
    """A file of a table that every harvest has, checked."""
    file = checked_file(harvests, harvest_id, name)
    if file is None:
        raise StoreDamagedError(f"the manifest of harvest {harvest_id} names no {name}; run `bma-progress verify`")
    return file


@lru_cache(maxsize=64)
def _hashes(harvests: Path, harvest_id: str, name: str) -> tuple[pa.Array, pa.Array]:
    pages = read_columns(file_of(harvests, harvest_id, "pages"), ["page_key", name])
    pages = pages.filter(pc.is_valid(pages[name]))
    return pages["page_key"].combine_chunks(), pages[name].combine_chunks()


@lru_cache(maxsize=8)
def _versions(harvests: Path, harvest_id: str) -> dict[str, str]:
    pages = read_columns(file_of(harvests, harvest_id, "pages"), ["page_key", "version_harvest_id"])
    return dict(zip(*(column.to_pylist() for column in pages.columns), strict=True))


class _Place(NamedTuple):
    """Where a harvest keeps the bytes of a page: row group and row; and the page of which they are a patch."""

    group: int
    row: int
    base_harvest_id: str
    base_sha256: str | None


@lru_cache(maxsize=64)
def _body_places(harvests: Path, harvest_id: str) -> dict[str, _Place]:
    """SHA-256 of each stored page → its place."""
    places = {}
    with opened(file_of(harvests, harvest_id, "bodies")) as stored:
        for group in range(stored.num_row_groups):
            found = stored.read_row_group(group, columns=["page_sha256", "base_harvest_id", "base_sha256"])
            columns = (found[name].to_pylist() for name in ("page_sha256", "base_harvest_id", "base_sha256"))
            for row, (sha256, *base) in enumerate(zip(*columns, strict=True)):
                places[sha256] = _Place(group, row, *base)
    return places


@lru_cache(maxsize=2)  # some 8 MB each; pages are asked for in order of their keys
def _row_group(harvests: Path, harvest_id: str, group: int) -> pa.Table:
    with opened(file_of(harvests, harvest_id, "bodies")) as stored:
        return stored.read_row_group(group).combine_chunks()
