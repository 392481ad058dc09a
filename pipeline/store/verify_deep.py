"""Whether references lead to what they name, lists are what they say, and snapshots are what harvests derive."""

import hashlib
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import MissingPageError
from pipeline.progress import counted
from pipeline.schema.columns import RECORD_TABLES
from pipeline.store import data_package
from pipeline.store.archive import Archive, has_current_columns
from pipeline.store.durable import file_sha256
from pipeline.store.harvests import ids_in
from pipeline.store.layout import MANIFEST
from pipeline.store.parquet_files import number_of_rows, read_as, read_columns
from pipeline.store.state import State
from pipeline.store.stored_pages import page_hashes
from pipeline.store.verify_bytes import DERIVED, KNOWN_GAP, RESTORE, VerifyProblem, noting_errors

_NAMES: Final = ("page_key", "version_harvest_id", "body_harvest_id", "record_body_harvest_id")
_REFERENCES: Final = pa.schema([pa.field(name, pa.string()) for name in _NAMES])
_PATCHES: Final = pa.schema([pa.field(name, pa.string()) for name in ("page_key", "base_sha256", "base_harvest_id")])
_PAGE_KEY: Final = pa.schema([pa.field("page_key", pa.string())])


def verify_deep(archive: Archive) -> list[VerifyProblem]:
    """Check what no hash tells. Nothing that lies in a store raises an error here: it is noted as a problem."""
    problems: list[VerifyProblem] = []
    references = _References(archive)
    for id_ in counted(archive.harvest_ids(), "harvests checked"):
        with noting_errors(problems, f"harvests/{id_}"):
            found = list(references.check(id_))
            problems += found
            problems += _page_hashes(archive, id_)
            if not any(problem.is_damage for problem in found):
                problems += _versions(archive, id_)
    base: str | None = None
    for id_ in counted(ids_in(archive.root / "snapshots"), "snapshots derived again"):
        with noting_errors(problems, f"snapshots/{id_}"):
            found = list(_snapshot(archive, archive.root / "snapshots" / id_, base))
            problems += found
            if not found and archive.is_proven(id_) and has_current_columns(archive.root / "snapshots" / id_):
                base = id_
    return problems


class _References:
    """What the harvests checked so far hold, so that a later one's references to them can be held against it."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._versions: dict[str, set[str]] = {}
        self._bodies: dict[str, frozenset[str]] = {}
        self._gaps: dict[str, set[str]] = defaultdict(set)
        self._pages: pa.Table | None = None  # of the last harvest, completed

    def check(self, id_: str) -> Iterator[VerifyProblem]:
        """The references of one harvest that lead nowhere, oldest harvest first."""
        rows = read_as(self._archive.file(id_, "pages"), _REFERENCES).to_pylist()
        self._versions[id_] = {row["page_key"] for row in rows if row["version_harvest_id"] == id_}
        self._bodies[id_] = frozenset(self._archive.stored_pages(id_))
        lost = [
            (row["page_key"], name, row[name]) for row in rows for name in _NAMES[1:] if self._is_unknown(row[name])
        ]
        patches = read_as(self._archive.file(id_, "bodies"), _PATCHES).to_pylist()
        lost += [
            (row["page_key"], "base_harvest_id", row["base_harvest_id"])
            for row in patches
            if row["base_sha256"] and row["base_sha256"] not in self._bodies.get(row["base_harvest_id"], ())
        ]
        for row in rows:
            version = row["version_harvest_id"]
            if version is not None and row["page_key"] not in self._versions.get(version, ()):
                lost.append((row["page_key"], "version_harvest_id", version))
        for key, name, named in dict.fromkeys(lost):
            yield VerifyProblem(f"harvests/{id_}: {key}", f"{name} names {named}, which does not hold it", RESTORE)
        if not lost:
            yield from self._bytes(id_)

    def _is_unknown(self, harvest_id: str | None) -> bool:
        return harvest_id is not None and harvest_id not in self._versions

    def _bytes(self, id_: str) -> Iterator[VerifyProblem]:
        """Pages whose bytes are not where they are said to be."""
        self._pages = State(self._archive, id_, before=self._pages).pages
        for row in self._pages.select([*_NAMES, "page_sha256", "record_sha256"]).to_pylist():
            where, key = f"harvests/{id_}: {row['page_key']}", row["page_key"]
            named = {row["body_harvest_id"]: row["page_sha256"], row["record_body_harvest_id"]: row["record_sha256"]}
            for kept_in, sha256 in named.items():
                if kept_in is None or sha256 in self._bodies[kept_in] or key in self._gaps[kept_in]:
                    continue
                self._gaps[kept_in].add(key)
                try:
                    keeper = self._archive.keeper_of(kept_in, sha256)
                except MissingPageError as error:
                    yield VerifyProblem(where, str(error), RESTORE)
                else:
                    yield VerifyProblem(where, f"its bytes lie in {keeper}, not in {kept_in} as it says", KNOWN_GAP)


def _page_hashes(archive: Archive, id_: str) -> Iterator[VerifyProblem]:
    """The manifest names the list of the pages that the harvest keeps; older versions named none."""
    stated = archive.manifest(id_).get("page_hashes_sha256")
    if stated not in (None, hashlib.sha256(page_hashes(archive.stored_pages(id_))).hexdigest()):
        yield VerifyProblem(f"harvests/{id_}/{MANIFEST}", "page_hashes_sha256 is not of the pages it keeps", RESTORE)


def _versions(archive: Archive, id_: str) -> Iterator[VerifyProblem]:
    """Versions that a harvest brought without a row. Whether rows are what pages say is `pipeline.harvest.verify_rows`."""
    rows = _rows_of_versions(archive, id_)
    for page in read_as(archive.file(id_, "pages"), _REFERENCES).to_pylist():
        if page["version_harvest_id"] == id_ and rows.get(page["page_key"], 0) == 0:
            yield VerifyProblem(f"harvests/{id_}: {page['page_key']}", "a version without rows", RESTORE)


def _rows_of_versions(archive: Archive, harvest_id: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in RECORD_TABLES:
        keys = read_as(archive.file(harvest_id, name), _PAGE_KEY)
        for one in pc.value_counts(keys.column(0)).to_pylist():
            counts[one["values"]] = counts.get(one["values"], 0) + one["counts"]
    return counts


def _snapshot(archive: Archive, path: Path, base: str | None) -> Iterator[VerifyProblem]:
    """Tables of a snapshot that are not what the harvests derive; other bytes of the same rows are none.

    base: an earlier snapshot found to be what they derive
    """
    if not has_current_columns(path):
        return  # written by a version with other columns: its own hashes were checked before
    with tempfile.TemporaryDirectory() as folder:
        State(archive, path.name, base=base).write(Path(folder))
        for derived in sorted(Path(folder).iterdir()):
            kept = path / derived.name
            if file_sha256(derived) != file_sha256(kept) and not _have_same_rows(derived, kept):
                yield VerifyProblem(f"snapshots/{path.name}/{kept.name}", "not what harvests/ derive", DERIVED)
    yield from _package(path, archive.portal)
    yield from _index(path, archive.portal)


def _have_same_rows(one: Path, other: Path) -> bool:
    return number_of_rows(one) == number_of_rows(other) and read_columns(one).equals(read_columns(other))


def _package(snapshot: Path, portal: str) -> Iterator[VerifyProblem]:
    """The data package tells of the tables beside it; snapshots of older versions have none."""
    file = snapshot / data_package.FILE
    if not file.is_file():
        return
    try:
        stated = data_package.says_of_files(json.loads(file.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        stated = None
    if stated != data_package.says_of_files(data_package.data_package(snapshot, snapshot.name, portal)):
        yield VerifyProblem(
            f"snapshots/{snapshot.name}/{file.name}", "not the package of the tables beside it", DERIVED
        )


def _index(snapshot: Path, portal: str) -> Iterator[VerifyProblem]:
    """The index names the tables beside it; snapshots of older versions have none."""
    file = snapshot / data_package.INDEX
    if not file.is_file():
        return
    try:
        stated = data_package.says_of_tables(json.loads(file.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        stated = None
    if stated != data_package.says_of_tables(json.loads(data_package.index_of(snapshot, snapshot.name, portal))):
        yield VerifyProblem(f"snapshots/{snapshot.name}/{file.name}", "not the index of the tables beside it", DERIVED)
