"""Whether a store is what its manifests say: every byte, every file, the chain, and on demand what the parser reads."""

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from parsers import PARSER_VERSION, facts_sha256, parse_page
from pipeline.errors import BmaProgressError, StoreDamagedError, StoreError
from pipeline.schema.columns import RECORD_TABLES, schema_version
from pipeline.store import data_package
from pipeline.store.archive import FORMAT, HARVEST_ID, MANIFEST, README, Store, canonical_json, snapshot_document
from pipeline.store.object_storage import Remote, latest_document
from pipeline.store.packs import PACK, Folder, file_sha256, harvest_folder, packed_ids, packs
from pipeline.store.parquet import read_as
from pipeline.store.state import State

_EXPECTED: Final = frozenset(
    ("README.md", "store.json", "head.json", "latest", "harvests", "snapshots", "runs", "tmp", ".lock")
)
_NEXT_START: Final = "the next harvest sets it right"
_PAGE_KEY: Final = pa.schema([pa.field("page_key", pa.string())])
_RESTORE: Final = "restore it from a copy of the store"
_UNPROVEN: Final = "the report of that night is not proven; restore it from a copy of the store"
_RUN_LEFTOVERS: Final = frozenset(  # the spool stays behind where the kill came between commit and clean-up
    ("SHA256SUMS", "spool.sqlite", "spool.sqlite-wal", "spool.sqlite-shm", "clock", "parts", "changes.html")
)
_DERIVED: Final = "delete that snapshot: the next harvest or export makes it anew from harvests/"


@dataclass(frozen=True, slots=True)
class VerifyProblem:
    """One thing that is not as it should be: where, what, and what to do."""

    where: str
    what: str
    what_to_do: str


def verify_store(root: Path, *, deep: bool = False) -> list[VerifyProblem]:
    """Check a whole store. Raises StoreError where there is none.

    deep: also parse the stored pages again and compare with the facts of their rows
    """
    if not root.is_dir() or not (root / "harvests").is_dir():
        raise StoreError(f"{root} holds no store; name the folder that `bma-progress harvest --data` was given")
    problems = [*_top(root), *_harvests(root), *_snapshots(root), *_runs(root)]
    if not problems and deep:
        problems += _deep(Store(root))
    return problems


def verify_remote(url: str, *, deep: bool = False) -> list[VerifyProblem]:
    """Check a store in object storage: every object is fetched anew, whatever the mirror on this machine holds."""
    with tempfile.TemporaryDirectory() as folder:
        remote = Remote(url, Path(folder) / "mirror")
        try:
            remote.pull()
        except StoreDamagedError as error:
            return [VerifyProblem(url, str(error), _RESTORE)]
        store = Store(remote.mirror)
        head, _ = remote.head()
        (remote.mirror / "head.json").write_bytes(canonical_json(head))
        problems = [*_head(remote.mirror, store.portal)]
        store.recover()
        problems += verify_store(remote.mirror, deep=deep)
        published = store.latest_id()
        try:
            shown = remote.latest()
        except StoreDamagedError:
            shown = {"harvest_id": None}
        if shown and published and shown != latest_document(remote.mirror, published):
            problems.append(VerifyProblem("latest.json", f"should show {published}", _NEXT_START))
        elif shown and published:
            for file in _as_published(remote, published):
                problems += _object(remote, f"snapshots/{published}/{file.name}", file)
        problems += [VerifyProblem(key, "no part of the store", "move it elsewhere") for key in remote.foreign()]
        return problems


def _as_published(remote: Remote, harvest_id: str) -> list[Path]:
    """The files of the derived snapshot; without the data package where an older version published it without one."""
    folder, about = remote.mirror / "snapshots" / harvest_id, f"snapshots/{harvest_id}/snapshot.json"
    try:
        older = data_package.FILE not in json.loads(remote.read(about) or b"")["files"]
    except (ValueError, KeyError, TypeError):
        older = False
    files = sorted(folder.iterdir())
    if older:
        files = [file for file in files if file.name != data_package.FILE]
        tables = [file for file in files if file.suffix == ".parquet"]
        (folder / "snapshot.json").write_bytes(snapshot_document(tables, harvest_id))
    return files


def _object(remote: Remote, key: str, derived: Path) -> Iterator[VerifyProblem]:
    """A published table there is what the harvests derive here."""
    content = remote.read(key)
    if content is None:
        yield VerifyProblem(key, "missing", "delete latest.json: the next harvest publishes anew")
    elif hashlib.sha256(content).hexdigest() != _sha256(derived):
        yield VerifyProblem(key, "not what harvests/ derive", "delete latest.json: the next harvest publishes anew")


def _top(root: Path) -> Iterator[VerifyProblem]:
    for path in sorted(root.iterdir()):
        if path.name not in _EXPECTED:
            yield VerifyProblem(path.name, "a file that is no part of the store", "move it elsewhere")
    try:
        about = json.loads((root / "store.json").read_bytes())
        portal = about["portal"]
        whole = about["format"] == FORMAT and (root / "store.json").read_bytes() == canonical_json(about)
    except (OSError, ValueError, KeyError, TypeError):
        portal, whole = None, False
    if not whole:
        yield VerifyProblem("store.json", "damaged", _RESTORE)
    if not (root / "README.md").is_file() or (root / "README.md").read_bytes() != README.encode():
        yield VerifyProblem("README.md", "missing or altered", _RESTORE)
    yield from _head(root, portal)
    if (root / ".lock").is_file() and b"\0" in (root / ".lock").read_bytes():
        yield VerifyProblem(".lock", "damaged", "delete it while no harvest runs")


def _head(root: Path, portal: str | None) -> Iterator[VerifyProblem]:
    ids = _ids(root)
    try:
        content = (root / "head.json").read_bytes()
        head: dict[str, Any] = json.loads(content)
        stated = head.pop("head_sha256")
        own = hashlib.sha256(canonical_json(head)).hexdigest() == stated
        whole = own and content == canonical_json({**head, "head_sha256": stated})
    except (OSError, ValueError, KeyError, AttributeError):
        yield VerifyProblem("head.json", "missing or damaged", _RESTORE)
        return
    if not whole or (portal is not None and head.get("portal") != portal):
        yield VerifyProblem("head.json", "altered", _RESTORE)
    elif head["harvest_id"] != (ids[-1] if ids else None):
        if _follows(root, ids, head):
            yield VerifyProblem("head.json", f"does not know {ids[-1]} yet; its writer was killed", _NEXT_START)
        else:
            yield VerifyProblem("head.json", f"the newest harvest should be {head['harvest_id']}", _RESTORE)
    elif ids and head["manifest_sha256"] != _sha256(_folder(root, ids[-1]) / MANIFEST):
        yield VerifyProblem(f"harvests/{ids[-1]}/{MANIFEST}", "not the manifest that head.json names", _RESTORE)
    stated = head.get("packs") or {}
    there = {pack.name: pack for pack in packs(root / "harvests")}
    for name in sorted(stated.keys() | there.keys()):
        if name not in there:
            yield VerifyProblem(f"harvests/{name}", "missing", _RESTORE)
        elif name not in stated:
            left = any((root / "harvests" / id_).is_dir() for id_ in _packed(there[name]))
            what, what_to_do = (
                ("not known to head.json yet; its writer was killed", _NEXT_START)
                if left
                else ("no pack of this store", "move it elsewhere")
            )
            yield VerifyProblem(f"harvests/{name}", what, what_to_do)
        elif stated[name] != _sha256(there[name]):
            yield VerifyProblem(f"harvests/{name}", "its bytes are not those that were packed", _RESTORE)


def _follows(root: Path, ids: list[str], head: dict[str, Any]) -> bool:
    """Whether the newest harvest was committed just after the one that head.json names."""
    try:
        manifest = json.loads((_folder(root, ids[-1]) / MANIFEST).read_bytes())
        chain = (manifest["previous"], manifest["previous_manifest_sha256"])
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return False
    return chain == (head["harvest_id"], head["manifest_sha256"])


def _harvests(root: Path) -> Iterator[VerifyProblem]:
    folder = root / "harvests"
    previous: str | None = None
    for path in sorted(folder.iterdir()):
        if not PACK.fullmatch(path.name) and not (HARVEST_ID.fullmatch(path.name) and path.is_dir()):
            yield VerifyProblem(f"harvests/{path.name}", "no harvest of this store", "move it elsewhere")
    for id_ in _ids(root):
        place = _folder(root, id_)
        where = f"harvests/{id_}"
        try:
            content = (place / MANIFEST).read_bytes()
            manifest = json.loads(content)
            files, stated = manifest["files"], manifest["previous"]
            chain = manifest["previous_manifest_sha256"]
            whole = content == canonical_json(manifest) and manifest["harvest_id"] == id_
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            yield VerifyProblem(f"{where}/{MANIFEST}", "missing or damaged", _RESTORE)
            previous = id_
            continue
        if not whole:
            yield VerifyProblem(f"{where}/{MANIFEST}", "altered", _RESTORE)
        if stated != previous:
            yield VerifyProblem(where, f"should follow {stated}, but follows {previous}", "restore the harvest between")
        elif previous is not None and chain != _sha256(_folder(root, previous) / MANIFEST):
            yield VerifyProblem(f"harvests/{previous}/{MANIFEST}", f"not the manifest that {id_} followed", _RESTORE)
        yield from _files(where, place, files, frozenset((MANIFEST,)))
        yield from _run_of(where, root, manifest)
        previous = id_


def _snapshots(root: Path) -> Iterator[VerifyProblem]:
    folder, ids = root / "snapshots", frozenset(_ids(root))
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        where = f"snapshots/{path.name}"
        if not HARVEST_ID.fullmatch(path.name):
            yield VerifyProblem(where, "no snapshot of this store", "move it elsewhere")
            continue
        if path.name not in ids:
            yield VerifyProblem(where, "a snapshot of a harvest that is not there", _DERIVED)
        try:
            content = (path / "snapshot.json").read_bytes()
            snapshot = json.loads(content)
            stated = snapshot.pop("snapshot_sha256")
            own = hashlib.sha256(canonical_json(snapshot)).hexdigest() == stated and snapshot["harvest_id"] == path.name
            whole = own and content == canonical_json({**snapshot, "snapshot_sha256": stated})
            files = snapshot["files"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            yield VerifyProblem(f"{where}/snapshot.json", "missing or damaged", _DERIVED)
            continue
        if not whole:
            yield VerifyProblem(f"{where}/snapshot.json", "altered", _DERIVED)
        yield from _files(where, path, files, frozenset(("snapshot.json",)), _DERIVED)
    latest, published = root / "latest", _published(root)
    target = str(latest.readlink()) if latest.is_symlink() else None
    if target != (f"snapshots/{published}" if published else None):
        yield VerifyProblem("latest", f"shows {target}, should show {published}", _NEXT_START)
    elif published and not (root / "snapshots" / published).is_dir():
        yield VerifyProblem("latest", f"the snapshot {published} is missing", "the next harvest makes it anew")


def _published(root: Path) -> str | None:
    for id_ in reversed(_ids(root)):
        try:
            if json.loads((_folder(root, id_) / MANIFEST).read_bytes())["published"]:
                return id_
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            continue
    return None


def _ids(root: Path) -> list[str]:
    """All harvests that can be found, in a damaged store too."""
    plain = {path.name for path in (root / "harvests").iterdir() if HARVEST_ID.fullmatch(path.name)}
    return sorted(plain.union(*map(_packed, packs(root / "harvests"))))


def _packed(pack: Path) -> list[str]:
    try:
        return [id_ for id_ in packed_ids(pack) if HARVEST_ID.fullmatch(id_)]
    except StoreDamagedError:  # told of the pack as a whole
        return []


def _folder(root: Path, harvest_id: str) -> Folder:
    try:
        return harvest_folder(root / "harvests", harvest_id)
    except StoreDamagedError:
        return root / "harvests" / harvest_id


def _runs(root: Path) -> Iterator[VerifyProblem]:
    ids = frozenset(_ids(root))
    for path in sorted((root / "runs").iterdir()) if (root / "runs").is_dir() else ():
        where = f"runs/{path.name}"
        if not HARVEST_ID.fullmatch(path.name):
            yield VerifyProblem(where, "no run of this store", "move it elsewhere")
            continue
        if path.name not in ids:
            continue  # under way, or interrupted: the next start goes on with it
        try:
            lines = (path / "SHA256SUMS").read_text(encoding="ascii").splitlines()
            files = {name: {"sha256": sha256} for sha256, _, name in (line.partition("  ") for line in lines)}
        except (OSError, UnicodeDecodeError):
            yield VerifyProblem(f"{where}/SHA256SUMS", "missing or damaged", _UNPROVEN)
            continue
        if not (path / "log.jsonl").exists():
            files.pop("log.jsonl", None)  # older logs are deleted, as the setting keep_logs says
        yield from _files(where, path, files, _RUN_LEFTOVERS, _UNPROVEN)


def _run_of(where: str, root: Path, manifest: dict[str, Any]) -> Iterator[VerifyProblem]:
    """The report of a harvest is what it was when the harvest was committed."""
    stated = manifest.get("run_sha256")
    sums = root / "runs" / manifest["harvest_id"] / "SHA256SUMS"
    if stated is not None and stated != _sha256(sums):
        yield VerifyProblem(f"runs/{manifest['harvest_id']}/SHA256SUMS", f"not what {where} names", _UNPROVEN)


def _files(
    where: str, folder: Folder, files: dict[str, Any], besides: frozenset[str], what_to_do: str = _RESTORE
) -> Iterator[VerifyProblem]:
    there = {path.name for path in folder.iterdir()} - besides
    for name in sorted(there - files.keys()):
        yield VerifyProblem(f"{where}/{name}", "a foreign file", "move it elsewhere")
    for name, about in sorted(files.items()):
        if name not in there:
            yield VerifyProblem(f"{where}/{name}", "missing", what_to_do)
        elif not isinstance(about, dict) or _sha256(folder / name) != about.get("sha256"):
            yield VerifyProblem(f"{where}/{name}", "its bytes are not those that were committed", what_to_do)


def _sha256(path: Folder) -> str | None:
    try:
        return file_sha256(path)
    except (OSError, StoreDamagedError):
        return None


def _deep(store: Store) -> Iterator[VerifyProblem]:
    """Parse the stored bytes of every version again; derive the snapshots again."""
    for id_ in store.harvest_ids():
        state = State(store, id_)
        pages = state.pages.filter(pc.equal(state.pages["version_harvest_id"], id_)).to_pylist()
        for page in pages:
            where = f"harvests/{id_}: {page['page_key']}"
            try:
                body = store.body(page["record_body_harvest_id"], page["record_sha256"])
                record = store.body_record(page["record_body_harvest_id"], page["record_sha256"])
            except BmaProgressError as error:
                yield VerifyProblem(where, str(error), _RESTORE)
                continue
            headers = json.loads(record["headers"])
            parsed = parse_page(
                body, url=page["url"], content_type=headers.get("content-type"), fetched_at=record["fetched_at"]
            )
            # what another parser read is compared by `replay`: that today's reads otherwise is no damage
            if page["parser_version"] == PARSER_VERSION and facts_sha256(parsed.tables) != page["facts_sha256"]:
                yield VerifyProblem(where, "the rows are not what the parser reads in the stored page", _RESTORE)
        rows = _rows_of_versions(store, id_)
        for page in pages:
            if rows.get(page["page_key"], 0) == 0:
                yield VerifyProblem(f"harvests/{id_}: {page['page_key']}", "a version without rows", _RESTORE)
    for path in sorted((store.root / "snapshots").iterdir()):
        if json.loads((path / "snapshot.json").read_bytes()).get("schema_version") != schema_version():
            continue  # written by a version with other columns: its own hashes were checked above
        with tempfile.TemporaryDirectory() as folder:
            State(store, path.name).write(Path(folder), leave_out=_left_out(path))
            for file in sorted(Path(folder).iterdir()):
                if file_sha256(file) != file_sha256(path / file.name):
                    yield VerifyProblem(f"snapshots/{path.name}/{file.name}", "not what harvests/ derive", _DERIVED)
        yield from _package(path, store.portal)


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
            f"snapshots/{snapshot.name}/{file.name}", "not the package of the tables beside it", _DERIVED
        )


def _left_out(snapshot: Path) -> frozenset[str]:
    rows = pq.ParquetFile(snapshot / "contacts.parquet").metadata.num_rows
    return frozenset(("contacts",)) if rows == 0 else frozenset()


def _rows_of_versions(store: Store, harvest_id: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in RECORD_TABLES:
        keys = read_as(store.harvest_folder(harvest_id) / f"{name}.parquet", _PAGE_KEY)
        for key in keys.column(0).to_pylist():
            counts[key] = counts.get(key, 0) + 1
    return counts
