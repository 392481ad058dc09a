"""Whether a store is what its manifests say, here or in object storage; and on demand what the parser reads."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from parsers import PARSER_VERSION, facts_sha256, parse_page
from pipeline.errors import BmaProgressError, StoreDamagedError, StoreError
from pipeline.schema.columns import RECORD_TABLES
from pipeline.store import data_package
from pipeline.store.archive import Archive, has_current_columns
from pipeline.store.durable import canonical_json, file_sha256
from pipeline.store.layout import SNAPSHOT, ids_in
from pipeline.store.mirror import Mirror, latest_document
from pipeline.store.parquet import read_as
from pipeline.store.snapshots import snapshot_document, withheld_tables
from pipeline.store.state import State
from pipeline.store.verify_bytes import (
    DERIVED,
    NEXT_START,
    RESTORE,
    VerifyProblem,
    sha256_or_none,
    verify_bytes,
    verify_head,
)
from pipeline.store.writer import recover

_PAGE_KEY: Final = pa.schema([pa.field("page_key", pa.string())])
_PUBLISH_ANEW: Final = "delete latest.json: the next harvest publishes anew"


def verify_store(root: Path, *, deep: bool = False) -> list[VerifyProblem]:
    """Check a whole store. Raises StoreError where there is none.

    deep: also parse the stored pages again and compare with the facts of their rows
    """
    if not root.is_dir() or not (root / "harvests").is_dir():
        raise StoreError(f"{root} holds no store; name the folder that `bma-progress harvest --data` was given")
    problems = list(verify_bytes(root))
    if not problems and deep:
        problems += _deep(Archive(root))
    return problems


def verify_remote(url: str, *, deep: bool = False) -> list[VerifyProblem]:
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
        problems += verify_store(remote.root, deep=deep)
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
    """The files of the derived snapshot; without the data package where an older version published it without one."""
    folder, about = remote.root / "snapshots" / harvest_id, f"snapshots/{harvest_id}/{SNAPSHOT}"
    try:
        older = data_package.FILE not in json.loads(remote.objects.read(about) or b"")["files"]
    except (ValueError, KeyError, TypeError):
        older = False
    files = sorted(folder.iterdir())
    if older:
        files = [file for file in files if file.name != data_package.FILE]
        tables = [file for file in files if file.suffix == ".parquet"]
        (folder / SNAPSHOT).write_bytes(snapshot_document(tables, harvest_id))
    return files


def _object(remote: Mirror, key: str, derived: Path) -> Iterator[VerifyProblem]:
    """Compare a published table in object storage with what the harvests derive here."""
    content = remote.objects.read(key)
    if content is None:
        yield VerifyProblem(key, "missing", _PUBLISH_ANEW)
    elif hashlib.sha256(content).hexdigest() != sha256_or_none(derived):
        yield VerifyProblem(key, "not what harvests/ derive", _PUBLISH_ANEW)


def _deep(archive: Archive) -> Iterator[VerifyProblem]:
    """Parse the stored bytes of every version again; derive the snapshots again."""
    for id_ in archive.harvest_ids():
        state = State(archive, id_)
        pages = state.pages.filter(pc.equal(state.pages["version_harvest_id"], id_)).to_pylist()
        for page in pages:
            where = f"harvests/{id_}: {page['page_key']}"
            try:
                body = archive.body(page["record_body_harvest_id"], page["record_sha256"])
                record = archive.body_record(page["record_body_harvest_id"], page["record_sha256"])
            except BmaProgressError as error:
                yield VerifyProblem(where, str(error), RESTORE)
                continue
            headers = json.loads(record["headers"])
            parsed = parse_page(
                body, url=page["url"], content_type=headers.get("content-type"), fetched_at=record["fetched_at"]
            )
            # what another parser read is compared by `replay`: another reading by today's parser is no damage
            if page["parser_version"] == PARSER_VERSION and facts_sha256(parsed.tables) != page["facts_sha256"]:
                yield VerifyProblem(where, "the rows are not what the parser reads in the stored page", RESTORE)
        rows = _rows_of_versions(archive, id_)
        for page in pages:
            if rows.get(page["page_key"], 0) == 0:
                yield VerifyProblem(f"harvests/{id_}: {page['page_key']}", "a version without rows", RESTORE)
    for path in (archive.root / "snapshots" / id_ for id_ in ids_in(archive.root / "snapshots")):
        if not has_current_columns(path):
            continue  # written by a version with other columns: its own hashes were checked above
        with tempfile.TemporaryDirectory() as folder:
            State(archive, path.name).write(Path(folder), leave_out=withheld_tables(path))
            for file in sorted(Path(folder).iterdir()):
                if file_sha256(file) != file_sha256(path / file.name):
                    yield VerifyProblem(f"snapshots/{path.name}/{file.name}", "not what harvests/ derive", DERIVED)
        yield from _package(path, archive.portal)


def _package(snapshot: Path, portal: str) -> Iterator[VerifyProblem]:
    """The data package describes the tables beside it; snapshots of older versions have none."""
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


def _rows_of_versions(archive: Archive, harvest_id: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in RECORD_TABLES:
        keys = read_as(archive.harvest_folder(harvest_id) / f"{name}.parquet", _PAGE_KEY)
        for key in keys.column(0).to_pylist():
            counts[key] = counts.get(key, 0) + 1
    return counts
