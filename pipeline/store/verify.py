"""Whether a store is what its manifests say, here or in object storage; and on demand what the parser reads."""

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from pipeline.errors import StoreDamagedError, StoreError
from pipeline.store import data_package
from pipeline.store.archive import Archive
from pipeline.store.durable import canonical_json, sync_and_hash
from pipeline.store.layout import FOLDERS, SNAPSHOT
from pipeline.store.lock import is_locked
from pipeline.store.mirror import Mirror, latest_document
from pipeline.store.own_parts import check_own_parts
from pipeline.store.snapshots import snapshot_document
from pipeline.store.verify_bytes import (
    NEXT_START,
    RESTORE,
    VerifyProblem,
    sha256_or_none,
    verify_bytes,
    verify_head,
)
from pipeline.store.verify_deep import verify_deep
from pipeline.store.writer import recover

_PAUSES: Final = (0.1, 0.2, 0.4, 0.8, 1.6)  # seconds between two looks beside a writer
_PUBLISH_ANEW: Final = "delete latest.json: the next harvest publishes anew"

RowsCheck = Callable[[Archive], Iterable[VerifyProblem]]
"""Compares the rows of a store with its stored pages; see `pipeline.harvest.verify_rows`, which stands above this package."""


def verify_store(root: Path, *, deep: bool = False, rows: RowsCheck | None = None) -> list[VerifyProblem]:
    """Check a whole store. Raises StoreError where there is none.

    deep: also what no hash tells: references, lists, and snapshots
    rows: the check of every single row against the stored pages, made where nothing else is wrong; it parses each page once
    """
    if not root.is_dir() or not (root / "harvests").is_dir():
        raise StoreError(f"{root} holds no store; name the folder that `bma-progress harvest --data` was given")
    check_own_parts(root)
    problems = _settled(root)
    if not problems and deep:
        problems += verify_deep(Archive(root))
    if rows is not None and not any(problem.is_damage for problem in problems):
        problems += rows(Archive(root))
    return problems


def _settled(root: Path) -> list[VerifyProblem]:
    """What is wrong at every look: beside a writer at work, a look can fall between two of its steps."""
    before, problems = _stamp(root), list(verify_bytes(root))
    for pause in _PAUSES:
        if not problems or (before == (now := _stamp(root)) and not is_locked(root)):
            return problems
        time.sleep(pause)
        again = list(verify_bytes(root))
        before, problems = now, [problem for problem in problems if problem in again]
    return [problem for problem in problems if problem.what_to_do != NEXT_START]  # the writer at work does that


def _stamp(root: Path) -> list[int]:
    """What changes with every step of a writer: when names in the store's folders were last changed."""
    folders = [root, *(root / name for name in FOLDERS)]
    return [folder.stat().st_mtime_ns for folder in folders if folder.is_dir()]


def verify_remote(url: str, *, deep: bool = False, rows: RowsCheck | None = None) -> list[VerifyProblem]:
    """Check a store in object storage: every object is fetched anew, whatever the mirror on this machine holds."""
    with tempfile.TemporaryDirectory() as folder:
        remote = Mirror(url, Path(folder) / "mirror")
        try:
            remote.pull()
            archive = Archive(remote.root)
        except StoreDamagedError as error:
            return [VerifyProblem(url, str(error), RESTORE)]
        head, _ = remote.head()
        (remote.root / "head.json").write_bytes(canonical_json(head))
        problems = [*verify_head(remote.root, archive.portal)]
        recover(archive)
        problems += verify_store(remote.root, deep=deep, rows=rows)
        published = archive.latest_id()
        try:
            shown = remote.latest()
        except StoreDamagedError:
            shown = {"harvest_id": None}
        if shown and published and shown != latest_document(remote.root, published):
            problems.append(VerifyProblem("latest.json", f"should show {published}", NEXT_START))
        elif shown and published:
            for file in _as_published(remote, published):
                problems += _object(remote, f"snapshots/{published}/{file.name}", file)
        problems += [VerifyProblem(key, "no part of the store", "move it elsewhere") for key in remote.foreign()]
        return problems


def _as_published(remote: Mirror, harvest_id: str) -> list[Path]:
    """The files of the derived snapshot; without those about the tables that an older version did not publish."""
    folder, about = remote.root / "snapshots" / harvest_id, f"snapshots/{harvest_id}/{SNAPSHOT}"
    try:
        known = json.loads(remote.objects.read(about) or b"")["files"].keys()
    except (ValueError, KeyError, TypeError, AttributeError):
        known = {data_package.FILE, data_package.INDEX}
    files = sorted(folder.iterdir())
    older = {data_package.FILE, data_package.INDEX} - known
    if older:
        files = [file for file in files if file.name not in older]
        (folder / SNAPSHOT).write_bytes(
            snapshot_document(sync_and_hash(file for file in files if file.name != SNAPSHOT), harvest_id)
        )
    return files


def _object(remote: Mirror, key: str, derived: Path) -> Iterator[VerifyProblem]:
    """Compare a published table in object storage with what the harvests derive here."""
    content = remote.objects.read(key)
    if content is None:
        yield VerifyProblem(key, "missing", _PUBLISH_ANEW)
    elif hashlib.sha256(content).hexdigest() != sha256_or_none(derived):
        yield VerifyProblem(key, "not what harvests/ derive", _PUBLISH_ANEW)
