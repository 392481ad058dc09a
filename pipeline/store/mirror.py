"""A store in object storage (`s3://bucket/folder`), with a mirror of it on this machine.

All work is done in the mirror, a store like any other; object storage only adds an order of writes:

1. a lease, `lock.json`, made only where there is none, renewed while its writer lives: one writer at a time
2. the files of each new harvest and pack, its manifest last; no reader looks at them yet
3. `head.json`, replaced only if it still is what was read before: *that is the commit*
4. the snapshot's files, and then `latest.json`, which names their folder

A reader follows `head.json` and the chain of manifests, so it never sees what a dead writer left unfinished; every file
is checked against its manifest. Objects are never changed, but `head.json`, `latest.json` and the lease.
"""

import hashlib
import json
import shutil
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.errors import StoreBusyError, StoreDamagedError
from pipeline.location import mirrored_url
from pipeline.store.archive import Archive
from pipeline.store.document_shapes import is_manifest
from pipeline.store.durable import file_sha256
from pipeline.store.harvests import Harvests
from pipeline.store.layout import FOLDERS, HARVEST_ID, MANIFEST
from pipeline.store.lease import LEASE, lease
from pipeline.store.object_storage import ObjectStorage
from pipeline.store.run_files import LATER, LATER_SUMS, REPORT, SUMS

_RUN_FILES: Final = (*REPORT, SUMS, *LATER, LATER_SUMS)


def mirror_of(folder: Path) -> "Mirror | None":
    """The mirror that lies in a folder, or None for an ordinary folder."""
    url = mirrored_url(folder)
    return Mirror(url, folder) if url else None


class Mirror:
    """One store in object storage and its mirror, the folder `root`.

    Raises StoreError where the storage cannot be reached.
    """

    def __init__(self, url: str, root: Path) -> None:
        self.url = url
        self.root = root
        self.objects = ObjectStorage(url)

    def lease(self) -> AbstractContextManager[None]:
        """Be the only writer on all machines. Raises StoreBusyError, which names the present one."""
        return lease(self.objects, self.root)

    def head(self) -> tuple[dict[str, Any], str | None]:
        """The content of `head.json` and its tag; empty and None where the object is missing."""
        found = self.objects.read_tagged("head.json")
        return ({}, None) if found is None else (self.objects.parsed("head.json", found[0]), found[1])

    def latest(self) -> dict[str, Any]:
        """The content of `latest.json`: the harvest it shows and where its tables are; empty where it is missing."""
        return self.objects.document("latest.json") or {}

    # --- from there to here -----------------------------------------------------------------------------------------

    def pull(self) -> None:
        """Bring the mirror up to what is committed there; nothing is done where it is. Raises StoreDamagedError.

        Only what is missing is fetched, each harvest into a staging folder first and checked file by file.
        """
        about = self.objects.read("store.json")
        if about is None:
            return
        for folder in FOLDERS:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        for name, content in (("README.md", self.objects.read("README.md")), ("store.json", about)):
            if content is not None and not (self.root / name).is_file():
                (self.root / name).write_bytes(content)
        head = self.head()[0]
        for name, sha256 in (head.get("packs") or {}).items():
            self._pull_file(f"harvests/{name}", self.root / "harvests" / name, sha256)
        for harvest_id in self._missing(head):
            self._pull_harvest(harvest_id)
        if not self._knows(head):  # two machines began a harvest in one second, and the other won
            raise StoreBusyError(
                f"{self.url} and its mirror {self.root} hold different harvests {head['harvest_id']}; delete the mirror's "
                "folder, and the next harvest goes on from what is there"
            )

    def _missing(self, head: dict[str, Any]) -> list[str]:
        """The harvests of the chain that the mirror lacks, oldest first."""
        here = set(Harvests(self.root).harvest_ids())
        missing: list[str] = []
        id_, sha256 = head.get("harvest_id"), head.get("manifest_sha256")
        while id_ is not None and id_ not in here:
            content, manifest = self._manifest(id_)
            if hashlib.sha256(content).hexdigest() != sha256:
                raise self._altered(id_)
            missing.append(id_)
            id_, sha256 = manifest["previous"], manifest["previous_manifest_sha256"]
        return missing[::-1]

    def _manifest(self, harvest_id: str) -> tuple[bytes, dict[str, Any]]:
        """A manifest there, its bytes and what they say. Raises StoreDamagedError for any other document: its names are paths."""
        is_id = isinstance(harvest_id, str) and HARVEST_ID.fullmatch(harvest_id)
        content = self.objects.read(f"harvests/{harvest_id}/{MANIFEST}") if is_id else None
        with suppress(ValueError, RecursionError):
            if content is not None and is_manifest(manifest := json.loads(content)):
                return content, manifest
        raise self._altered(harvest_id)

    def _altered(self, harvest_id: str) -> StoreDamagedError:
        return StoreDamagedError(
            f"{self.url}/harvests/{harvest_id}/manifest.json is missing or altered; restore it from a copy"
        )

    def _pull_harvest(self, harvest_id: str) -> None:
        staged = self.root / "tmp" / f"pulled-{harvest_id}"
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        content, manifest = self._manifest(harvest_id)
        for name, about in manifest["files"].items():
            self._pull_file(f"harvests/{harvest_id}/{name}", staged / name, about["sha256"])
        (staged / MANIFEST).write_bytes(content)
        run = self.root / "runs" / harvest_id
        if not run.is_dir():
            found = {name: self.objects.read(f"runs/{harvest_id}/{name}") for name in _RUN_FILES}
            for name, bytes_ in found.items():
                if bytes_ is not None:
                    run.mkdir(parents=True, exist_ok=True)  # a replay has no run
                    (run / name).write_bytes(bytes_)
        staged.rename(self.root / "harvests" / harvest_id)

    def _pull_file(self, key: str, target: Path, sha256: str) -> None:
        if target.is_file() and file_sha256(target) == sha256:
            return
        part = self.root / "tmp" / f"part-{target.name}"
        self.objects.fetch(key, part, sha256)
        part.replace(target)

    def _knows(self, head: dict[str, Any]) -> bool:
        """Whether the last harvest committed there is one of the mirror's own."""
        id_, here = head.get("harvest_id"), Harvests(self.root)
        return id_ is None or (
            id_ in here.harvest_ids() and file_sha256(here.harvest_folder(id_) / MANIFEST) == head["manifest_sha256"]
        )

    # --- from here to there -----------------------------------------------------------------------------------------

    def push(self) -> None:
        """Commit there what was committed to the mirror since, and show its latest state.

        Raises StoreBusyError where another writer committed meanwhile.
        """
        head, tag = self.head()
        if not self._knows(head):
            raise StoreBusyError(
                f"{self.url} has gone on without the harvests of its mirror {self.root}; delete that folder, and the next "
                "harvest goes on from what is there"
            )
        content = (self.root / "head.json").read_bytes()
        own, there = json.loads(content), head.get("packs") or {}
        if _committed(own) != _committed(head):
            self._push_harvests(after=head.get("harvest_id") or "")
            for name, sha256 in own["packs"].items():
                if there.get(name) != sha256:
                    self.objects.write_file(f"harvests/{name}", self.root / "harvests" / name)
            self.objects.write("head.json", content, tag=tag, only_new=tag is None)
        if self._push_latest() or there != own["packs"]:
            self._drop_old()

    def _push_harvests(self, after: str) -> None:
        for name in ("README.md", "store.json"):
            self.objects.write_file(name, self.root / name)
        for id_ in Harvests(self.root).harvest_ids():
            folder, run = self.root / "harvests" / id_, self.root / "runs" / id_
            if id_ <= after or not folder.is_dir():
                continue  # there already, or in a pack, which is pushed as a whole
            for file in sorted(folder.iterdir(), key=lambda file: (file.name == MANIFEST, file.name)):
                self.objects.write_file(f"harvests/{id_}/{file.name}", file)
            for name in _RUN_FILES:
                if (run / name).is_file():
                    self.objects.write_file(f"runs/{id_}/{name}", run / name)

    def _push_latest(self) -> bool:
        latest = Archive(self.root).latest_id()
        if latest is None or self.latest() == latest_document(self.root, latest):
            return False
        for file in sorted((self.root / "snapshots" / latest).iterdir()):
            self.objects.write_file(f"snapshots/{latest}/{file.name}", file)
        content = orjson.dumps(latest_document(self.root, latest), option=orjson.OPT_INDENT_2)
        self.objects.write("latest.json", content)
        return True

    def _drop_old(self) -> None:
        """Delete snapshots that the mirror has dropped, and the loose files of harvests that are in a pack."""
        kept = {path.name for path in (self.root / "snapshots").iterdir()}
        plain = {path.name for path in (self.root / "harvests").iterdir() if path.is_dir()}
        committed = frozenset(Harvests(self.root).harvest_ids())
        newest = self.head()[0].get("harvest_id") or ""
        for key in self.objects.names():
            folder, _, rest = key.partition("/")
            name = rest.partition("/")[0]
            old = folder == "snapshots" and name not in kept
            packed = folder == "harvests" and "/" in rest and name not in plain and name <= newest
            unfinished = folder == "runs" and name not in committed and name <= newest  # a dead writer's
            if old or packed or unfinished:
                self.objects.delete(key)

    def foreign(self) -> list[str]:
        """Objects that are no part of the store. What a dead writer left is none: no reader looks at it, a writer deletes it."""
        here = Harvests(self.root)
        known = {"README.md", "store.json", "head.json", "latest.json", LEASE}
        known |= {f"harvests/{name}" for name in (self.head()[0].get("packs") or {})}
        for id_ in here.harvest_ids():
            known |= {f"harvests/{id_}/{name}" for name in (*here.manifest(id_)["files"], MANIFEST)}
            known |= {f"runs/{id_}/{name}" for name in _RUN_FILES}
        snapshots = tuple(f"snapshots/{id_}/" for id_ in here.harvest_ids())
        newest = self.head()[0].get("harvest_id") or ""
        return [
            key
            for key in self.objects.names()
            if key not in known and not key.startswith(snapshots) and not _is_unfinished(key, newest)
        ]


def _is_unfinished(key: str, newest: str) -> bool:
    """Whether an object is of a harvest that began after the newest one and was never committed."""
    folder, _, rest = key.partition("/")
    id_ = rest.partition("/")[0]
    return folder in ("harvests", "runs") and HARVEST_ID.fullmatch(id_) is not None and id_ > newest


def latest_document(root: Path, harvest_id: str) -> dict[str, Any]:
    """The content of `latest.json` for a published harvest."""
    files = sorted((root / "snapshots" / harvest_id).glob("*.parquet"))
    return {"harvest_id": harvest_id, "tables": {file.stem: f"snapshots/{harvest_id}/{file.name}" for file in files}}


def _committed(head: dict[str, Any]) -> dict[str, Any]:
    """The part of head.json about harvests: without the README's hash, which another version changes."""
    return {**head, "readme_sha256": 0, "head_sha256": 0}
