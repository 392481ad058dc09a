"""Whether a store in object storage is what its manifests say."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pipeline.errors import StoreDamagedError
from pipeline.store import data_package
from pipeline.store.archive import Archive
from pipeline.store.durable import canonical_json
from pipeline.store.layout import SNAPSHOT
from pipeline.store.mirror import Mirror, latest_document
from pipeline.store.snapshots import snapshot_document
from pipeline.store.verify import RowsCheck, verify_store
from pipeline.store.verify_bytes import NEXT_START, RESTORE, VerifyProblem, sha256_or_none, verify_head
from pipeline.store.writer import recover

_PUBLISH_ANEW: Final = "delete latest.json: the next harvest publishes anew"


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
        listed = [file for file in files if file.name != SNAPSHOT]
        (folder / SNAPSHOT).write_bytes(snapshot_document(listed, harvest_id))
    return files


def _object(remote: Mirror, key: str, derived: Path) -> Iterator[VerifyProblem]:
    """Compare a published table in object storage with what the harvests derive here."""
    content = remote.objects.read(key)
    if content is None:
        yield VerifyProblem(key, "missing", _PUBLISH_ANEW)
    elif hashlib.sha256(content).hexdigest() != sha256_or_none(derived):
        yield VerifyProblem(key, "not what harvests/ derive", _PUBLISH_ANEW)
