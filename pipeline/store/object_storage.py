"""A store in object storage (`s3://bucket/folder`), with a mirror of it on this machine.

All work is done in the mirror, a store like any other; what object storage adds is one order of writes:

1. a lease, `lock.json`, made only where there is none, renewed while its writer lives: one writer at a time
2. the files of each new harvest and pack, its manifest last; nobody reads them yet
3. `head.json`, replaced only if it still is what was read before: *that is the commit*
4. the snapshot's files, and then `latest.json`, which names their folder

A reader follows `head.json` and the chain of manifests, so that what a dead writer left half is never seen; every file
is checked against its manifest. Objects are never changed, but `head.json`, `latest.json` and the lease.
"""

import hashlib
import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from pipeline.errors import StoreBusyError, StoreDamagedError, StoreError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES: Final = ("s3", "gs", "az")
_LEASE: Final = 900.0  # seconds without renewal after which a writer is taken for dead; clocks may differ by minutes
_RENEWAL: Final = 60.0
_RUN_FILES: Final = ("log.jsonl", "report.json", "report.txt", "SHA256SUMS")


def is_url(text: str) -> bool:
    """Whether a store's place is an address in object storage."""
    return "://" in text


def local_folder(place: str | Path) -> Path:
    """The folder to work in: the place itself, or the mirror of an address in object storage."""
    text = str(place)
    if not is_url(text):
        return Path(place)
    url = text.rstrip("/")
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES or not rest.strip("/"):
        raise StoreError(f"{text} is no place for a store; name a folder, or an address such as s3://bucket/folder")
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    name = "".join(letter if letter.isalnum() else "-" for letter in rest)[-40:]
    mirror = home / "bma-progress" / f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:12]}"
    note = _note(mirror)
    if not note.is_file():
        note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        note.write_text(url, encoding="utf-8")
    return mirror


def remote_of(folder: Path) -> "Remote | None":
    """The object storage that a folder mirrors, or None for an ordinary folder."""
    note = _note(folder)
    return Remote(note.read_text(encoding="utf-8"), folder) if note.is_file() else None


def _note(mirror: Path) -> Path:
    return mirror.parent / f"{mirror.name}.url"


class Remote:
    """One store in object storage and its mirror. Raises StoreError where the storage cannot be reached."""

    def __init__(self, url: str, mirror: Path) -> None:
        self.url = url
        self.mirror = mirror

    # --- reading ----------------------------------------------------------------------------------------------------

    def pull(self) -> None:
        """Bring the mirror up to what is committed there; nothing is done where it is. Raises StoreDamagedError.

        Only what is missing is fetched, each harvest into a staging folder first and checked file by file.
        """
        about = self._get("store.json")
        if about is None:
            return
        for folder in ("harvests", "snapshots", "runs", "tmp"):
            (self.mirror / folder).mkdir(parents=True, exist_ok=True)
        for name, content in (("README.md", self._get("README.md")), ("store.json", about)):
            if content is not None and not (self.mirror / name).is_file():
                (self.mirror / name).write_bytes(content)
        head = self.head()[0]
        for name, sha256 in (head.get("packs") or {}).items():
            self._pull_file(f"harvests/{name}", self.mirror / "harvests" / name, sha256)
        for harvest_id in self._missing(head):
            self._pull_harvest(harvest_id)
        from pipeline.store.archive import Store

        if not self._knows(Store(self.mirror), head):  # two machines began a harvest in one second, and the other won
            raise StoreBusyError(
                f"{self.url} and its mirror {self.mirror} hold different harvests {head['harvest_id']}; delete the mirror's "
                "folder, and the next harvest goes on from what is there"
            )

    def head(self) -> tuple[dict[str, Any], str | None]:
        """What `head.json` says, and the tag of that very content; empty and None where there is none."""
        found = self._get_tagged("head.json")
        return ({}, None) if found is None else (self._parsed("head.json", found[0]), found[1])

    def latest(self) -> dict[str, Any]:
        """What `latest.json` says: the harvest it shows, and where its tables are; empty where there is none."""
        return self._document("latest.json") or {}

    def read(self, key: str) -> bytes | None:
        """The bytes of one object, or None."""
        return self._get(key)

    def _missing(self, head: dict[str, Any]) -> list[str]:
        """The harvests of the chain that the mirror lacks, oldest first."""
        from pipeline.store.archive import Store

        here = set(Store(self.mirror).harvest_ids())
        missing: list[str] = []
        id_, sha256 = head.get("harvest_id"), head.get("manifest_sha256")
        while id_ is not None and id_ not in here:
            content = self._get(f"harvests/{id_}/manifest.json")
            if content is None or hashlib.sha256(content).hexdigest() != sha256:
                raise StoreDamagedError(
                    f"{self.url}/harvests/{id_}/manifest.json is missing or altered; restore it from a copy"
                )
            manifest = json.loads(content)
            missing.append(id_)
            id_, sha256 = manifest["previous"], manifest["previous_manifest_sha256"]
        return missing[::-1]

    def _pull_harvest(self, harvest_id: str) -> None:
        staged = self.mirror / "tmp" / f"pulled-{harvest_id}"
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        content = self._get(f"harvests/{harvest_id}/manifest.json") or b"{}"
        for name, about in json.loads(content).get("files", {}).items():
            self._pull_file(f"harvests/{harvest_id}/{name}", staged / name, about["sha256"])
        (staged / "manifest.json").write_bytes(content)
        run = self.mirror / "runs" / harvest_id
        if not run.is_dir():
            run.mkdir(parents=True)
            for name in _RUN_FILES:
                found = self._get(f"runs/{harvest_id}/{name}")
                if found is not None:
                    (run / name).write_bytes(found)
        staged.rename(self.mirror / "harvests" / harvest_id)

    def _pull_file(self, key: str, target: Path, sha256: str) -> None:
        from pipeline.store.packs import file_sha256

        if target.is_file() and file_sha256(target) == sha256:
            return
        part = self.mirror / "tmp" / f"part-{target.name}"
        import obstore

        digest = hashlib.sha256()
        with self._errors(key):
            try:
                answer = obstore.get(self._objects, key)
            except FileNotFoundError:
                raise StoreDamagedError(f"{self.url}/{key} is missing; restore it from a copy of the store") from None
            with part.open("wb") as stream:
                for piece in answer.stream():
                    digest.update(piece)
                    stream.write(piece)
        if digest.hexdigest() != sha256:
            part.unlink()
            raise StoreDamagedError(f"{self.url}/{key} is not what was committed; restore it from a copy of the store")
        part.replace(target)

    # --- writing ----------------------------------------------------------------------------------------------------

    @contextmanager
    def lease(self) -> Iterator[None]:
        """Be the only writer, wherever others run. Raises StoreBusyError that names the one there is."""
        tag = self._take_lease()
        over = threading.Event()

        def renew() -> None:
            nonlocal tag
            while not over.wait(_RENEWAL):
                try:
                    tag = self._put("lock.json", self._lease_text(), tag=tag)
                except StoreError:  # somebody took it over: the commit will find that out
                    return

        keeper = threading.Thread(target=renew, daemon=True)
        keeper.start()
        try:
            yield
        finally:
            over.set()
            keeper.join()
            self._release_lease(tag)

    def push(self) -> None:
        """Commit there what was committed to the mirror since, and show its latest state.

        Raises StoreBusyError where another writer committed meanwhile.
        """
        from pipeline.store.archive import Store

        store = Store(self.mirror)
        head, tag = self.head()
        ids = store.harvest_ids()
        if not self._knows(store, head):
            raise StoreBusyError(
                f"{self.url} has gone on without the harvests of its mirror {self.mirror}; delete that folder, and the next "
                "harvest goes on from what is there"
            )
        own = (self.mirror / "head.json").read_bytes()
        if {**head, "readme_sha256": 0, "head_sha256": 0} != {**json.loads(own), "readme_sha256": 0, "head_sha256": 0}:
            self._push_harvests(
                store, [id_ for id_ in ids if head.get("harvest_id") is None or id_ > head["harvest_id"]]
            )
            for name, sha256 in json.loads(own)["packs"].items():
                if (head.get("packs") or {}).get(name) != sha256:
                    self._put_file(f"harvests/{name}", self.mirror / "harvests" / name)
            self._put("head.json", own, tag=tag, only_new=tag is None)
        if self._push_latest(store) or (head.get("packs") or {}) != json.loads(own)["packs"]:
            self._drop_old()

    def _knows(self, store: Any, head: dict[str, Any]) -> bool:
        """Whether the last harvest committed there is one of the mirror's own."""
        from pipeline.store.packs import file_sha256

        id_ = head.get("harvest_id")
        return id_ is None or (
            id_ in store.harvest_ids()
            and file_sha256(store.harvest_folder(id_) / "manifest.json") == head["manifest_sha256"]
        )

    def _push_harvests(self, store: Any, ids: list[str]) -> None:
        for name in ("README.md", "store.json"):
            self._put_file(name, self.mirror / name)
        for id_ in ids:
            folder = self.mirror / "harvests" / id_
            if not folder.is_dir():
                continue  # in a pack, which is pushed as a whole
            files = sorted(folder.iterdir(), key=lambda file: (file.name == "manifest.json", file.name))
            for file in files:
                self._put_file(f"harvests/{id_}/{file.name}", file)
            for name in _RUN_FILES:
                if (self.mirror / "runs" / id_ / name).is_file():
                    self._put_file(f"runs/{id_}/{name}", self.mirror / "runs" / id_ / name)

    def _push_latest(self, store: Any) -> bool:
        latest = store.latest_id()
        if latest is None or self.latest() == latest_document(self.mirror, latest):
            return False
        folder = self.mirror / "snapshots" / latest
        for file in sorted(folder.iterdir()):
            self._put_file(f"snapshots/{latest}/{file.name}", file)
        self._put("latest.json", orjson.dumps(latest_document(self.mirror, latest), option=orjson.OPT_INDENT_2))
        return True

    def _drop_old(self) -> None:
        """Delete snapshots that the mirror has dropped, and the loose files of harvests that are in a pack."""
        import obstore

        kept = {path.name for path in (self.mirror / "snapshots").iterdir()}
        plain = {path.name for path in (self.mirror / "harvests").iterdir() if path.is_dir()}
        head = self.head()[0]
        for key in self.names():
            room, _, rest = key.partition("/")
            name = rest.partition("/")[0]
            old = room == "snapshots" and name not in kept
            packed = room == "harvests" and "/" in rest and name not in plain and name <= (head.get("harvest_id") or "")
            if old or packed:
                with self._errors(key):
                    obstore.delete(self._objects, key)

    def names(self) -> list[str]:
        """The names of all objects of this store."""
        import obstore

        with self._errors(""):
            return sorted(about["path"] for batch in obstore.list(self._objects) for about in batch)

    def foreign(self) -> list[str]:
        """Objects that are no part of what is committed: a dead writer's, which the next harvest writes over, or others'."""
        from pipeline.store.archive import Store

        store = Store(self.mirror)
        known = {"README.md", "store.json", "head.json", "latest.json", "lock.json"}
        known |= {f"harvests/{name}" for name in (self.head()[0].get("packs") or {})}
        for id_ in store.harvest_ids():
            known |= {f"harvests/{id_}/{name}" for name in (*store.manifest(id_)["files"], "manifest.json")}
            known |= {f"runs/{id_}/{name}" for name in _RUN_FILES}
        snapshots = tuple(f"snapshots/{id_}/" for id_ in store.harvest_ids())
        return [key for key in self.names() if key not in known and not key.startswith(snapshots)]

    # --- the lease --------------------------------------------------------------------------------------------------

    def _take_lease(self) -> str | None:
        try:
            return self._put("lock.json", self._lease_text(), only_new=True)
        except StoreBusyError:
            found = self._get_tagged("lock.json")
        if found is None:
            return self._put("lock.json", self._lease_text(), only_new=True)
        holder = self._parsed("lock.json", found[0])
        age = (datetime.now(UTC) - datetime.fromisoformat(holder["renewed_at"])).total_seconds()
        # whoever holds the mirror's own lock knows that a former holder of the lease with this mirror is dead
        if holder["mirror"] != self._mirror_name and age < _LEASE:
            raise StoreBusyError(
                f"{self.url} is being written by process {holder['process']} on {holder['host']}, alive "
                f"{max(age, 0):.0f} s ago; wait for it to end (a dead one is replaced after {_LEASE / 60:.0f} minutes)"
            )
        return self._put("lock.json", self._lease_text(), tag=found[1])

    def _release_lease(self, tag: str | None) -> None:
        import obstore

        found = self._get_tagged("lock.json")
        if found is not None and found[1] == tag:
            with self._errors("lock.json"):
                obstore.delete(self._objects, "lock.json")

    @property
    def _mirror_name(self) -> str:
        return f"{socket.gethostname()}:{self.mirror}"

    def _lease_text(self) -> bytes:
        return orjson.dumps(
            {
                "host": socket.gethostname(),
                "process": os.getpid(),
                "mirror": self._mirror_name,
                "renewed_at": datetime.now(UTC).isoformat(),
            }
        )

    # --- objects ----------------------------------------------------------------------------------------------------

    @cached_property
    def _objects(self) -> "ObjectStore":
        try:
            from obstore.store import from_url
        except ImportError:
            raise StoreError(
                "a store in object storage needs the library obstore; install it with: pip install 'bma-progress[s3]'"
            ) from None
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        try:
            return from_url(
                self.url,
                client_options={"allow_http": endpoint.startswith("http://"), "timeout": "120s"},
                retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=60)},
            )
        except Exception as error:  # noqa: BLE001 - obstore's errors have no common parent that says "not usable"
            raise StoreError(
                f"{self.url} cannot be used ({_first_line(error)}); check the address and credentials"
            ) from None

    def _document(self, key: str) -> dict[str, Any] | None:
        content = self._get(key)
        return None if content is None else self._parsed(key, content)

    def _parsed(self, key: str, content: bytes) -> dict[str, Any]:
        try:
            document: dict[str, Any] = json.loads(content)
        except ValueError:
            raise StoreDamagedError(f"{self.url}/{key} cannot be read; restore it from a copy of the store") from None
        return document

    def _get(self, key: str) -> bytes | None:
        found = self._get_tagged(key)
        return None if found is None else found[0]

    def _get_tagged(self, key: str) -> tuple[bytes, str | None] | None:
        import obstore

        with self._errors(key):
            try:
                answer = obstore.get(self._objects, key)
                return bytes(answer.bytes()), answer.meta["e_tag"]
            except FileNotFoundError:
                return None

    def _put(self, key: str, content: bytes, *, tag: str | None = None, only_new: bool = False) -> str | None:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        mode: Any = "create" if only_new else {"e_tag": tag} if tag else "overwrite"
        with self._errors(key):
            try:
                return obstore.put(self._objects, key, content, mode=mode)["e_tag"]
            except (AlreadyExistsError, PreconditionError):
                raise StoreBusyError(f"{self.url}/{key} was written by somebody else meanwhile; try again") from None

    def _put_file(self, key: str, file: Path) -> None:
        import obstore

        with self._errors(key):
            obstore.put(self._objects, key, file)

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except BaseError as error:
            raise StoreError(
                f"{self.url}/{key} cannot be reached ({_first_line(error)}); check the address, the credentials and the "
                "network, then start again: nothing is lost"
            ) from None


def latest_document(mirror: Path, harvest_id: str) -> dict[str, Any]:
    """What `latest.json` must say of a harvest that is published."""
    files = sorted((mirror / "snapshots" / harvest_id).glob("*.parquet"))
    return {"harvest_id": harvest_id, "tables": {file.stem: f"snapshots/{harvest_id}/{file.name}" for file in files}}


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__
