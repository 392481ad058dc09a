"""Whether every file of a store is what its manifests say: bytes, names, the chain from harvest to harvest."""

import errno
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from pipeline.errors import StoreDamagedError, first_line
from pipeline.store.catalog import contradicts, read_snapshot
from pipeline.store.durable import canonical_json, file_sha256, unseal
from pipeline.store.harvests import ids_in, packs_in
from pipeline.store.layout import (
    FORMAT,
    HARVEST_ID,
    HEAD,
    MANIFEST,
    PACK,
    README,
    SNAPSHOT,
    SPOOL,
    Folder,
)
from pipeline.store.packs import harvest_folder, names_in, packed_ids
from pipeline.store.run_files import LATER, LATER_SUMS, PRUNED, REPORTS, REPORTS_KEPT, SUMS

_EXPECTED: Final = frozenset(
    ("README.md", "store.json", HEAD, "latest", "harvests", "snapshots", "runs", "tmp", ".lock")
)
NEXT_START: Final = "the next harvest sets it right"
RESTORE: Final = "restore it from a copy of the store"
KNOWN_GAP: Final = "an older version wrote it so; nothing is lost and nothing is to be done"
DERIVED: Final = "delete that snapshot: the next harvest or export makes it anew from harvests/"
_UNPROVEN: Final = "the report of that night is not proven; restore it from a copy of the store"
_LATER: Final = "previous_run_later_sha256"
_RUN_LEFTOVERS: Final = frozenset(  # the spool stays behind where the kill came between commit and clean-up
    (SUMS, LATER_SUMS, SPOOL, f"{SPOOL}-wal", f"{SPOOL}-shm", "clock", "parts")
)


@dataclass(frozen=True, slots=True)
class VerifyProblem:
    """One thing that is not as it should be: where, what, and what to do."""

    where: str
    what: str
    what_to_do: str

    @property
    def is_damage(self) -> bool:
        """False for a gap that is known, and costs nothing."""
        return self.what_to_do != KNOWN_GAP

    @property
    def is_derived(self) -> bool:
        """True of what can be made anew from harvests/."""
        return self.where.partition("/")[0] in ("snapshots", "latest")


def verify_bytes(root: Path) -> Iterator[VerifyProblem]:
    """Check the files of a store against manifests, head and snapshots' lists, without parsing a page."""
    for part, check in (("store", _top), ("harvests", _harvests), ("snapshots", _snapshots), ("runs", _runs)):
        found: list[VerifyProblem] = []
        with noting_errors(found, part):
            found.extend(check(root))
        yield from found


@contextmanager
def noting_errors(problems: list[VerifyProblem], where: str) -> Iterator[None]:
    """Note any error as a problem: whatever bytes somebody put into a store, they are reported and raise nothing."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a damaged file can raise anything, in whatever reads it
        problems.append(VerifyProblem(where, f"cannot be read ({first_line(error)})", RESTORE))


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
        yield VerifyProblem("store.json", "damaged", RESTORE)
    if not (root / "README.md").is_file() or (root / "README.md").read_bytes() != README.encode():
        yield VerifyProblem("README.md", "missing or altered", RESTORE)
    yield from verify_head(root, portal)
    if (root / ".lock").is_file() and b"\0" in (root / ".lock").read_bytes():
        yield VerifyProblem(".lock", "damaged", "delete it while no harvest runs")


def verify_head(root: Path, portal: str | None) -> Iterator[VerifyProblem]:
    """Check head.json against the newest harvest, the packs and the store's portal."""
    ids = _ids(root)
    try:
        head, whole = unseal((root / HEAD).read_bytes(), "head_sha256")
    except (OSError, ValueError, KeyError, TypeError):
        yield VerifyProblem(HEAD, "missing or damaged", RESTORE)
        return
    if not whole or (portal is not None and head.get("portal") != portal):
        yield VerifyProblem(HEAD, "altered", RESTORE)
    elif head["harvest_id"] != (ids[-1] if ids else None):
        if _follows(root, ids, head):
            yield VerifyProblem(HEAD, f"does not know {ids[-1]} yet; its writer was killed", NEXT_START)
        else:
            yield VerifyProblem(HEAD, f"the newest harvest should be {head['harvest_id']}", RESTORE)
    elif ids and head["manifest_sha256"] != sha256_or_none(_folder(root, ids[-1]) / MANIFEST):
        yield VerifyProblem(f"harvests/{ids[-1]}/{MANIFEST}", "not the manifest that head.json names", RESTORE)
    elif not _lists_all(root, ids, head.get("harvests")):
        yield VerifyProblem(
            HEAD, "does not list the harvests that are there", "delete it: the next harvest writes it anew"
        )
    yield from _packs(root, head.get("packs") or {})


def _lists_all(root: Path, ids: list[str], listed: dict[str, bool] | None) -> bool:
    """Whether head.json lists the harvests as their manifests say; older versions wrote no list."""
    if listed is None:
        return True
    manifests = {id_: _manifest(root, id_) for id_ in ids}
    return listed.keys() == manifests.keys() and all(
        listed[id_] == manifest["published"] for id_, manifest in manifests.items() if "published" in manifest
    )


def _packs(root: Path, stated: dict[str, str]) -> Iterator[VerifyProblem]:
    """The packs are those that head.json names."""
    there = {pack.name: pack for pack in packs_in(root / "harvests")}
    for name in sorted(stated.keys() | there.keys()):
        if name not in there:
            yield VerifyProblem(f"harvests/{name}", "missing", RESTORE)
        elif name not in stated:
            left = any((root / "harvests" / id_).is_dir() for id_ in _packed(there[name]))
            what, what_to_do = (
                ("not known to head.json yet; its writer was killed", NEXT_START)
                if left
                else ("no pack of this store", "move it elsewhere")
            )
            yield VerifyProblem(f"harvests/{name}", what, what_to_do)
        elif stated[name] != sha256_or_none(there[name]):
            yield VerifyProblem(f"harvests/{name}", "its bytes are not those that were packed", RESTORE)


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
            yield VerifyProblem(f"{where}/{MANIFEST}", "missing or damaged", RESTORE)
            previous = id_
            continue
        if not whole:
            yield VerifyProblem(f"{where}/{MANIFEST}", "altered", RESTORE)
        if stated != previous:
            yield VerifyProblem(where, f"should follow {stated}, but follows {previous}", "restore the harvest between")
        elif previous is not None and chain != sha256_or_none(_folder(root, previous) / MANIFEST):
            yield VerifyProblem(f"harvests/{previous}/{MANIFEST}", f"not the manifest that {id_} followed", RESTORE)
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
            yield VerifyProblem(where, "a snapshot of a harvest that is not there", DERIVED)
        try:
            snapshot, whole = unseal((path / SNAPSHOT).read_bytes(), "snapshot_sha256")
            whole, files = whole and snapshot["harvest_id"] == path.name, snapshot["files"]
        except (OSError, ValueError, KeyError, TypeError):
            yield VerifyProblem(f"{where}/{SNAPSHOT}", "missing or damaged", DERIVED)
            continue
        if not whole:
            yield VerifyProblem(f"{where}/{SNAPSHOT}", "altered", DERIVED)
        elif (manifest := _manifest(root, path.name)) and contradicts(manifest, snapshot):
            yield VerifyProblem(where, f"not the tables that harvests/{path.name}/{MANIFEST} names", DERIVED)
        yield from _files(where, path, files, frozenset((SNAPSHOT,)), DERIVED)
    yield from _latest(root)


def _latest(root: Path) -> Iterator[VerifyProblem]:
    latest = root / "latest"
    published = next((id_ for id_ in reversed(_ids(root)) if _manifest(root, id_).get("published")), None)
    snapshot = root / "snapshots" / str(published)
    if latest.is_dir() and not latest.is_symlink():  # on a file system without links
        about = read_snapshot(latest) or {"harvest_id": None, "files": {}}
        if about["harvest_id"] != published:
            yield VerifyProblem("latest", f"shows {about['harvest_id']}, should show {published}", NEXT_START)
        yield from _files("latest", latest, about["files"], frozenset((SNAPSHOT,)), NEXT_START)
        return
    target = str(latest.readlink()) if latest.is_symlink() else None
    if target != (f"snapshots/{published}" if published else None):
        yield VerifyProblem("latest", f"shows {target}, should show {published}", NEXT_START)
    elif published and not snapshot.is_dir():
        yield VerifyProblem("latest", f"the snapshot {published} is missing", "the next harvest makes it anew")


def _manifest(root: Path, harvest_id: str) -> dict[str, Any]:
    """The manifest of a harvest; empty where it cannot be read."""
    try:
        manifest = json.loads((_folder(root, harvest_id) / MANIFEST).read_bytes())
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _ids(root: Path) -> list[str]:
    """All harvests that can be found, in a damaged store too."""
    harvests = root / "harvests"
    return sorted({*ids_in(harvests), *(id_ for pack in packs_in(harvests) for id_ in _packed(pack))})


def _packed(pack: Path) -> list[str]:
    try:
        return [id_ for id_ in packed_ids(pack) if HARVEST_ID.fullmatch(id_)]
    except StoreDamagedError:  # reported of the pack as a whole
        return []


def _folder(root: Path, harvest_id: str) -> Folder:
    try:
        return harvest_folder(root / "harvests", harvest_id)
    except StoreDamagedError:
        return root / "harvests" / harvest_id


def _runs(root: Path) -> Iterator[VerifyProblem]:
    ids = _ids(root)
    followed = {one for one, after in pairwise(ids) if _LATER in _manifest(root, after)}
    for path in sorted((root / "runs").iterdir()) if (root / "runs").is_dir() else ():
        where = f"runs/{path.name}"
        if not HARVEST_ID.fullmatch(path.name):
            yield VerifyProblem(where, "no run of this store", "move it elsewhere")
            continue
        if path.name not in ids:
            continue  # under way, or interrupted: the next start goes on with it
        if (files := _listed(path / SUMS)) is None:
            yield VerifyProblem(f"{where}/{SUMS}", "missing or damaged", _UNPROVEN)
            continue
        besides = _RUN_LEFTOVERS
        if (path / LATER_SUMS).exists():
            later = _listed(path / LATER_SUMS) or {}
            files = {**{name: later[name] for name in LATER if name in later}, **files}
        elif path.name not in followed:
            besides |= frozenset(LATER)  # no list of them yet; older versions wrote none
        for name in PRUNED if path.name in ids[-REPORTS_KEPT:] else (*PRUNED, *REPORTS):
            if not (path / name).exists():
                files.pop(name, None)
        yield from _files(where, path, files, besides, _UNPROVEN)


def _listed(sums: Path) -> dict[str, Any] | None:
    """The files of a list of hashes; None where it cannot be read."""
    try:
        lines = sums.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    return {name: {"sha256": sha256} for sha256, _, name in (line.partition("  ") for line in lines)}


def _run_of(where: str, root: Path, manifest: dict[str, Any]) -> Iterator[VerifyProblem]:
    """The files of a run are what they were when its harvest, and the next one, were committed."""
    stated = manifest.get("run_sha256")
    sums = f"runs/{manifest['harvest_id']}/{SUMS}"
    if stated is not None and stated != sha256_or_none(root / sums):
        yield VerifyProblem(sums, f"not what {where} names", _UNPROVEN)
    if manifest["previous"] is None or _LATER not in manifest:
        return
    later = f"runs/{manifest['previous']}/{LATER_SUMS}"
    if manifest[_LATER] != sha256_or_none(root / later):
        yield VerifyProblem(later, f"not what {where} names", _UNPROVEN)


def _files(
    where: str, folder: Folder, files: dict[str, Any], besides: frozenset[str], what_to_do: str = RESTORE
) -> Iterator[VerifyProblem]:
    there = names_in(folder) - besides
    for name in sorted(there - files.keys()):
        yield VerifyProblem(f"{where}/{name}", "a foreign file", "move it elsewhere")
    for name, about in sorted(files.items()):
        if name not in there:
            yield VerifyProblem(f"{where}/{name}", "missing", what_to_do)
        elif (closed := _why_closed(folder / name)) is not None:
            yield VerifyProblem(f"{where}/{name}", f"cannot be read ({closed})", "correct its permissions")
        elif not isinstance(about, dict) or sha256_or_none(folder / name) != about.get("sha256"):
            yield VerifyProblem(f"{where}/{name}", "its bytes are not those that were committed", what_to_do)


def _why_closed(path: Folder) -> str | None:
    """Why this user may not read a file, which says nothing of its bytes; None where nothing forbids it."""
    if not isinstance(path, Path) or os.access(path, os.R_OK):
        return None
    return os.strerror(errno.EACCES) if path.exists() else None


def sha256_or_none(path: Folder) -> str | None:
    """SHA-256 of a file's bytes, or None where it cannot be read."""
    try:
        return file_sha256(path)
    except (OSError, StoreDamagedError):
        return None
