"""The store: what the portal said on any night, provable from the bytes.

    latest -> snapshots/<id>       the current state, one complete <table>.parquet each; swapped in one step; derived
    snapshots/<id>/                derived full states: the last seven and the first of every month
    harvests/<id>/                 append-only, the truth: rows of new and changed versions, every page looked at, bodies
    runs/<id>/                     the spool while a harvest runs, then its report and log
    tmp/                           staging; anything here is rubbish after a crash
    store.json, head.json          format of the store; the newest harvest and the hash of its manifest

A harvest comes into being by one rename of tmp/<id> to harvests/<id>: that is the commit.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from pipeline.errors import StoreBusyError, StoreDamagedError, StoreError, refused_by_machine
from pipeline.harvest.portal import KPI_CODE, PROJECT_CODE
from pipeline.schema.columns import TABLES, frame_attributes, schema_version
from pipeline.store import state
from pipeline.store.data_package import write_data_package
from pipeline.store.object_storage import local_folder, remote_of
from pipeline.store.packs import (
    Folder,
    file_sha256,
    harvest_folder,
    pack_of,
    packed_ids,
    packs,
    parquet_source,
    write_pack,
)

FORMAT: Final = 1
"""Version of the store's layout; a newer one is refused."""

HARVEST_ID: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)
BANGKOK: Final = ZoneInfo("Asia/Bangkok")
MANIFEST: Final = "manifest.json"

README: Final = """\
# A store of bma-progress

`latest/<table>.parquet` is the current state; any Parquet reader opens it:

    import pandas as pd, os
    latest = os.path.realpath("latest")          # one night for all tables, even while a harvest is published
    projects = pd.read_parquet(f"{latest}/projects.parquet")

`harvests/<id>/` is the truth, one folder a harvest, never rewritten; `<id>` is the start in UTC. `<table>.parquet` there
holds the rows of pages that were new or had changed, with `page_key` and `version_harvest_id`; `pages.parquet` says for
every known page what came and which harvest holds its version: the state as of a harvest is the join of the two.
`bodies.parquet` holds the bytes as served. `manifest.json` has every file's SHA-256 and the hash of the manifest before.
`snapshots/` are derived and may be deleted. `bma-progress verify` checks all of it.
"""


class Store:
    """One store, opened for reading; `writer()` takes the lock for writing.

    Raises StoreError where the folder is no store or was written by a newer version.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = root = Path(root)
        file = root / "store.json"
        try:
            about = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise StoreError(
                f"{root} holds no store; run `bma-progress harvest --data {root}` first, or name another folder"
            ) from None
        except (OSError, ValueError) as error:
            raise refused_by_machine(error, file) or _unreadable(file) from None
        if not isinstance(about, dict) or not isinstance(about.get("portal"), str):
            raise _unreadable(file)
        if about.get("format") != FORMAT:
            raise StoreError(
                f"{root} was written by a newer bma-progress (format {about.get('format')}); upgrade to read it"
            )
        self.portal: str = about["portal"]

    @classmethod
    def create(cls, root: Path, portal: str) -> "Store":
        """Open the store in `root`, made new where there is none, closed to all but its owner and group.

        Raises StoreError for another portal's store.
        """
        if (remote := remote_of(root)) is not None and not (root / "store.json").exists():
            remote.pull()
        if not (root / "store.json").exists():
            if root.exists() and not root.is_dir():
                raise StoreError(f"{root} is a file; name a folder for the store")
            # pages and contact lines name people: who may read them is decided by the folder's owner and group
            try:
                root.mkdir(parents=True, exist_ok=True, mode=0o750)
            except (
                FileNotFoundError,
                NotADirectoryError,
                FileExistsError,
            ) as error:  # below a file, or of the kernel's
                raise StoreError(
                    f"{root} cannot be made ({error.strerror}); name another folder for the store"
                ) from None
            for folder in ("harvests", "snapshots", "runs", "tmp"):
                (root / folder).mkdir(parents=True, exist_ok=True)
            write_durably(root / "README.md", README.encode(), root / "tmp")
            write_durably(root / "store.json", canonical_json({"format": FORMAT, "portal": portal}), root / "tmp")
        store = cls(root)
        if store.portal != portal:
            raise StoreError(f"{root} is the store of {store.portal}, not of {portal}; name another folder with --data")
        return store

    # --- what there is --------------------------------------------------------------------------------------------

    @property
    def place(self) -> str:
        """Where the store is, as a person named it: its folder, or its address in object storage."""
        remote = remote_of(self.root)
        return remote.url if remote else str(self.root)

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of all tables."""
        return tuple(TABLES)

    def harvest_ids(self, *, published_only: bool = False) -> list[str]:
        """All committed harvests, oldest first."""
        folder = self.root / "harvests"
        plain = (
            {path.name for path in folder.iterdir() if HARVEST_ID.fullmatch(path.name)} if folder.is_dir() else set()
        )
        ids = sorted(plain.union(*map(packed_ids, packs(folder))))
        return [id_ for id_ in ids if self.manifest(id_)["published"]] if published_only else ids

    def manifest(self, harvest_id: str) -> dict[str, Any]:
        """The manifest of a harvest."""
        return _read_manifest(self.root / "harvests", harvest_id)

    def harvest_folder(self, harvest_id: str) -> Folder:
        """Where a harvest's files are: its folder, or its place in the pack of its month."""
        return harvest_folder(self.root / "harvests", harvest_id)

    def harvests(self) -> pd.DataFrame:
        """One row a harvest: id, start, whether it was published, counts of pages by outcome."""
        rows = []
        for id_ in self.harvest_ids():
            manifest = self.manifest(id_)
            rows.append(
                {
                    "harvest_id": id_,
                    "started_at": harvest_start(id_),
                    "published": manifest["published"],
                    "held_back": manifest["held_back"],
                    "cause": manifest["cause"],
                    **manifest["outcomes"],
                }
            )
        columns = ["harvest_id", "started_at", "published", "held_back", "cause"]
        return pd.DataFrame(rows, columns=columns if not rows else None)

    def latest_id(self) -> str | None:
        """The harvest that is published now, or None."""
        try:
            return (self.root / "latest").readlink().name
        except OSError:
            return None

    def resolve(self, when: str | date) -> str:
        """A harvest's id from an id, a day (the last harvest on or before it, Bangkok time), `latest` or `previous`.

        Raises StoreError that says what there is.
        """
        text = when.isoformat() if isinstance(when, date) else when.strip()
        published = self.harvest_ids(published_only=True)
        if not published and not self.harvest_ids():
            raise StoreError(f"{self.root} holds no harvest yet; run `bma-progress harvest` first")
        if text in ("latest", "previous"):
            place = -1 if text == "latest" else -2
            if len(published) < -place:
                raise StoreError(f"{self.root} holds {len(published)} published harvest(s), so there is no {text} one")
            return published[place]
        if HARVEST_ID.fullmatch(text):
            if text in self.harvest_ids():
                return text
            raise StoreError(f"{self.root} holds no harvest {text}; `bma-progress status` lists those there are")
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise StoreError(
                f"{text!r} is no harvest's id, no day such as 2026-11-22, and neither latest nor previous"
            ) from None
        end = datetime.combine(day + timedelta(days=1), datetime.min.time(), BANGKOK).astimezone(UTC)
        before = [id_ for id_ in published if harvest_start(id_) < end]
        if not before:
            first = published[0] if published else "none"
            raise StoreError(f"no harvest was published on or before {text}; the first one is {first}")
        return before[-1]

    # --- tables ---------------------------------------------------------------------------------------------------

    def arrow(self, name: str, when: str = "latest") -> pa.Table:
        """One table as it stood at `when`, as Arrow.

        Raises StoreError for an unknown table or time, StoreDamagedError where its file cannot be read.
        """
        id_ = self._known(name, when)
        if (file := self._snapshot_file(name, id_)) is None:
            return state.State(self, id_).table(name)
        with _table_file(file):
            return pq.read_table(file)

    def number_of_rows(self, name: str, when: str = "latest") -> int:
        """How many rows a table had at `when`; of a snapshot without reading them. Raises like `arrow`."""
        id_ = self._known(name, when)
        if (file := self._snapshot_file(name, id_)) is None:
            return len(self.arrow(name, id_))
        with _table_file(file):
            return int(pq.read_metadata(file).num_rows)

    def _known(self, name: str, when: str) -> str:
        if name not in TABLES:
            raise StoreError(f"{name!r} is no table; there are {', '.join(TABLES)}")
        return self.resolve(when)

    def _snapshot_file(self, name: str, harvest_id: str) -> Path | None:
        folder = self.root / "snapshots" / harvest_id
        file = folder / f"{name}.parquet"
        return file if file.is_file() and _has_todays_columns(folder) else None

    def table(self, name: str, when: str = "latest") -> pd.DataFrame:
        """One table as it stood at `when`, as a pandas frame: `store.table("projects", "2026-10-01")`.

        Days and instants are datetime columns, codes are text, whole numbers may be missing. `frame.attrs` has the title,
        the key, what each column means, and the units. Raises StoreError for an unknown table or time.
        """
        frame: pd.DataFrame = self.arrow(name, when).to_pandas()
        frame.attrs.update(frame_attributes(name))  # as a plain pd.read_parquet gives them
        return frame

    def describe(self, name: str | None = None, when: str = "latest") -> pd.DataFrame:
        """What is in the store: one row a table, or of one table one row a column, as they stood at `when`.

        >>> store.describe()
        >>> store.describe("projects")

        Columns with personal data are described without their values. Raises StoreError for an unknown table or time.
        """
        from pipeline.publish.describe import describe_columns, describe_tables

        return describe_tables(self, when) if name is None else describe_columns(self, name, when)

    def __repr__(self) -> str:
        from pipeline.publish.describe import summary

        return f"<Store {self.place}: {summary(self)}>"

    def _repr_html_(self) -> str:
        from pipeline.publish.describe import store_html

        return store_html(self)

    def latest(self) -> "AsOf":
        """The state that is published now. Raises StoreError where nothing is."""
        return self.as_of("latest")

    def as_of(self, when: str | date) -> "AsOf":
        """All tables as they stood at a harvest's id, a day, `latest` or `previous`; stays so while harvests go on."""
        return AsOf(self, self.resolve(when))

    def diff(self, before: str | date, after: str | date) -> pd.DataFrame:
        """What differs between two states, one row a difference with its meaning: `store.diff("2026-10-01", "latest")`.

        Columns: meaning, detail, table, key, column, before, after and others; see `pipeline.compare.compare`. Raises StoreError
        for an unknown time.
        """
        from pipeline.compare.diff import states_differ

        frame: pd.DataFrame = states_differ(self, self.resolve(before), self.resolve(after)).to_pandas()
        return frame

    def verify(self, *, deep: bool = False) -> list[Any]:
        """Everything that is not as it was committed; empty for a whole store. deep: parse the stored pages again, too."""
        from pipeline.store.verify import verify_store

        return verify_store(self.root, deep=deep)

    def state_folder(self, harvest_id: str, spare: Path) -> Path:
        """A folder with every table as of a harvest: its snapshot, or `spare`, into which they are then written."""
        snapshot = self.root / "snapshots" / harvest_id
        if snapshot.is_dir() and _has_todays_columns(snapshot):
            return snapshot
        self.export(harvest_id, spare)
        return spare

    def export(self, when: str, out: Path) -> str:
        """Write all tables as they stood at `when` into the folder `out`; returns the harvest's id."""
        id_ = self.resolve(when)
        out.mkdir(parents=True, exist_ok=True)
        snapshot = self.root / "snapshots" / id_
        if snapshot.is_dir() and _has_todays_columns(snapshot):
            for file in snapshot.glob("*.parquet"):
                shutil.copyfile(file, out / file.name)
        else:
            state.State(self, id_, base=self.nearest_snapshot(id_)).write(out)
        return id_

    def published_before(self, harvest_id: str) -> str | None:
        """The last published harvest before another, or None."""
        return max((id_ for id_ in self.harvest_ids(published_only=True) if id_ < harvest_id), default=None)

    def page_hash(self, harvest_id: str, page_key: str, name: str) -> str | None:
        """A page's `facts_sha256` or `page_sha256` as the harvest wrote it that saw the version, or the bytes, first."""
        return _hashes(self.root / "harvests", harvest_id, name).get(page_key)

    def version_in(self, harvest_id: str, page_key: str) -> str | None:
        """The harvest that holds the version of a page that was in force as of a harvest, or None."""
        return _versions(self.root / "harvests", harvest_id).get(page_key)

    def nearest_snapshot(self, harvest_id: str) -> str | None:
        """The newest snapshot at or before a harvest, from which its state is quickest made."""
        ids = [path.name for path in (self.root / "snapshots").iterdir() if HARVEST_ID.fullmatch(path.name)]
        return max((id_ for id_ in ids if id_ <= harvest_id), default=None)

    def history(self, code: str) -> pd.DataFrame:
        """Every look at one project's or indicator's pages that changed something, oldest first, with its outcome."""
        if not (PROJECT_CODE.fullmatch(code) or KPI_CODE.fullmatch(code)):
            raise StoreError(f"{code!r} is no project's or indicator's code, such as 24000000-2964 or 2400-1013")
        column = "project_code" if PROJECT_CODE.fullmatch(code) else "kpi_code"
        found = []
        for id_ in self.harvest_ids():
            file = parquet_source(self.harvest_folder(id_) / "pages.parquet")
            pages = pq.read_table(file, filters=[(column, "=", code)])
            for row in pages.to_pylist():
                if row["page_sha256"] is None and row["body_harvest_id"] is not None:
                    row["page_sha256"] = self.page_hash(row["body_harvest_id"], row["page_key"], "page_sha256")
                found.append(row)
        if not found:
            raise StoreError(f"{self.root} knows no page of {code}")
        frame = pd.DataFrame(found)
        return frame[frame["outcome"] != "skipped"].reset_index(drop=True)

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
        """The stored row of these bytes: URL, status, headers, time, encoding. Raises StoreError where there is none."""
        folder = self.root / "harvests"
        there = (self.harvest_folder(harvest_id) / "bodies.parquet").is_file()
        place = _body_places(folder, harvest_id).get(sha256) if there else None
        if place is None:
            raise StoreError(f"harvest {harvest_id} holds no page with the hash {sha256}")
        return _row_group(folder, harvest_id, place[0])[place[1]]

    # --- writing --------------------------------------------------------------------------------------------------

    @contextmanager
    def writer(self) -> Iterator["Store"]:
        """Hold the lock of the only writer, after mending what a crash left. Raises StoreBusyError.

        The lock is the kernel's: it goes with the process that held it, however that ended.
        """
        descriptor = self._lock()
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(
                descriptor, f"process {os.getpid()}, started {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC".encode(), 0
            )
            with ExitStack() as held:
                if (remote := remote_of(self.root)) is not None:
                    held.enter_context(remote.lease())
                    remote.pull()
                self.recover()
                if remote is not None:
                    remote.push()  # what an earlier start committed here, and could not there
                yield self
                if remote is not None:
                    remote.push()
        finally:
            os.ftruncate(descriptor, 0)
            os.close(descriptor)

    def check_free(self) -> None:
        """Raise StoreBusyError where another process writes to the store now."""
        os.close(self._lock())

    def _lock(self) -> int:
        descriptor = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip() or "another process"
            os.close(descriptor)
            raise StoreBusyError(f"{self.root} is being written by {owner}; wait for it to end, or stop it") from None
        return descriptor

    def beside(self, what: str) -> Path:
        """A file or folder beside the store, for what is no evidence: the store holds nothing else."""
        return beside(self.root, what)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Be the only service of the store, and able to write to it. Raises StoreBusyError for a second one."""
        with suppress(StoreBusyError):  # a harvest may be under way
            self.check_free()
        with self.beside("serving").open("ab") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreBusyError(
                    f"{self.root} is served by another process already; stop that one first, or name another folder"
                ) from None
            yield

    def recover(self) -> None:
        """Finish or discard what a crash left: staging goes, head and latest follow the newest committed harvest."""
        staging = self.root / "tmp"
        for left in staging.iterdir() if staging.is_dir() else ():
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        self._check_head()
        unfinished = {}  # killed after a pack was made, before its folders went
        for pack in packs(self.root / "harvests"):
            if any((self.root / "harvests" / id_).is_dir() for id_ in packed_ids(pack)):
                unfinished[pack.name] = file_sha256(pack)
        self.write_head(new_packs=unfinished)
        for name in unfinished:
            self._drop_folders(packed_ids(self.root / "harvests" / name))
        published = self.harvest_ids(published_only=True)
        shown = self.latest_id()
        if published and (shown != published[-1] or not (self.root / "snapshots" / shown).is_dir()):
            self.publish(published[-1])

    def _pack_sha256(self, pack: Path) -> str:
        """A pack's hash as head.json has it; taken from the bytes where it is new."""
        try:
            stated: str = json.loads((self.root / "head.json").read_bytes())["packs"][pack.name]
        except (OSError, ValueError, KeyError, TypeError):
            return file_sha256(pack)
        return stated

    def _check_head(self) -> None:
        """Raise StoreDamagedError where the harvest that head.json names is not there as it was committed."""
        try:
            head = json.loads((self.root / "head.json").read_bytes())
            named, sha256 = head["harvest_id"], head["manifest_sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            return  # lost or damaged: written again from the harvests, whose chain stands by itself
        if named is not None and (
            named not in self.harvest_ids() or file_sha256(self.harvest_folder(named) / MANIFEST) != sha256
        ):
            raise StoreDamagedError(
                f"harvest {named}, the last that was committed to {self.root}, is missing or altered; restore it from a "
                "copy of the store before another harvest hides that"
            )

    def write_head(self, new_packs: Mapping[str, str] | None = None) -> None:
        """Name the newest harvest and the hash of its manifest, so that the chain's end is fixed too; and the packs'.

        new_packs: the hashes of packs that were made just now
        """
        ids = self.harvest_ids()
        head = {
            "harvest_id": ids[-1] if ids else None,
            "manifest_sha256": file_sha256(self.harvest_folder(ids[-1]) / MANIFEST) if ids else None,
            "packs": {
                pack.name: (new_packs or {}).get(pack.name) or self._pack_sha256(pack)
                for pack in packs(self.root / "harvests")
            },
            "readme_sha256": hashlib.sha256(README.encode()).hexdigest(),
            "portal": self.portal,
        }
        head["head_sha256"] = hashlib.sha256(canonical_json(head)).hexdigest()
        content = canonical_json(head)
        file = self.root / "head.json"
        if not file.exists() or file.read_bytes() != content:
            write_durably(file, content, self.root / "tmp")

    def publish(self, harvest_id: str, built: Path | None = None) -> None:
        """Make a committed harvest the one that `latest` shows.

        built: its state, already written in the staging folder; built here where it is not
        """
        target = self.root / "snapshots" / harvest_id
        if not target.is_dir():
            if built is None:
                built = self.root / "tmp" / f"snapshot-{harvest_id}"
                built.mkdir(parents=True)
                state.State(self, harvest_id, base=self.nearest_snapshot(harvest_id)).write(built)
            finish_snapshot(built, harvest_id, self.portal)
            built.rename(target)
            sync_folder(self.root / "snapshots")
        self._point_latest(Path("snapshots") / harvest_id)

    def compact(self, today: date | None = None) -> list[Path]:
        """Put the harvests of every month that is over into one file each; returns the packs made. Only for the writer.

        today: the day it is, Bangkok time. Every answer and every hash stays what it was: see `pipeline.store.packs`.
        """
        current = f"{today or datetime.now(BANGKOK).date():%Y-%m}.zip"
        harvests, made = self.root / "harvests", []
        months: dict[Path, list[Path]] = {}
        for id_ in self.harvest_ids():
            if (harvests / id_).is_dir():
                months.setdefault(pack_of(harvests, id_), []).append(harvests / id_)
        for pack, folders in sorted(months.items()):
            if pack.name >= current:
                continue
            staged = self.root / "tmp" / pack.name
            write_pack(folders, staged, pack if pack.is_file() else None)
            self._check_pack(staged, folders)
            sync_file(staged)
            sha256 = file_sha256(staged)
            staged.replace(pack)
            sync_folder(harvests)
            self.write_head(new_packs={pack.name: sha256})
            self._drop_folders([folder.name for folder in folders])
            made.append(pack)
        return made

    def _check_pack(self, staged: Path, folders: list[Path]) -> None:
        """What is read back must be what was committed, before anything goes."""
        with zipfile.ZipFile(staged) as archive:
            for folder in folders:
                stated = {name: about["sha256"] for name, about in self.manifest(folder.name)["files"].items()}
                for name, sha256 in {**stated, MANIFEST: file_sha256(folder / MANIFEST)}.items():
                    if file_sha256(zipfile.Path(archive, f"{folder.name}/{name}")) != sha256:
                        raise StoreDamagedError(f"{folder / name} is not what was committed; run `bma-progress verify`")

    def _drop_folders(self, harvest_ids: list[str]) -> None:
        """Delete the plain folders of packed harvests, each in one step."""
        for id_ in harvest_ids:
            folder, doomed = self.root / "harvests" / id_, self.root / "tmp" / f"packed-{id_}"
            if folder.is_dir():
                folder.rename(doomed)
                shutil.rmtree(doomed)

    def migrate(self) -> list[str]:
        """Write the snapshots anew that a version with other columns wrote; returns their ids. Only for the writer.

        harvests/ are never rewritten: what they lack reads as null.
        """
        outdated = []
        for folder in sorted((self.root / "snapshots").iterdir()):
            if HARVEST_ID.fullmatch(folder.name) and not _has_todays_columns(folder):
                self._rebuild_snapshot(folder)
                outdated.append(folder.name)
        return outdated

    def _rebuild_snapshot(self, folder: Path) -> None:
        built, old = self.root / "tmp" / folder.name, self.root / "tmp" / f"old-{folder.name}"
        built.mkdir()
        withheld = frozenset(("contacts",)) if _is_empty(folder / "contacts.parquet") else frozenset()
        state.State(self, folder.name).write(built, leave_out=withheld)
        finish_snapshot(built, folder.name, self.portal)
        shown = self.latest_id() == folder.name
        if shown:
            self._point_latest(Path("tmp") / folder.name)  # so that `latest` is whole at every moment
        folder.rename(old)
        if shown:
            shutil.copytree(built, folder)
            self._point_latest(Path("snapshots") / folder.name)
            shutil.rmtree(built)
        else:
            built.rename(folder)
        shutil.rmtree(old)

    def _point_latest(self, target: Path) -> None:
        link = self.root / "tmp" / "latest"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        link.replace(self.root / "latest")
        sync_folder(self.root)

    def prune_snapshots(self, keep: int) -> list[str]:
        """Drop derived states older than the last `keep` that are not the first of a month; returns what went."""
        ids = sorted(path.name for path in (self.root / "snapshots").iterdir() if HARVEST_ID.fullmatch(path.name))
        months: dict[str, str] = {}
        for id_ in self.harvest_ids(published_only=True):
            months.setdefault(f"{harvest_start(id_).astimezone(BANGKOK):%Y-%m}", id_)
        kept = {*ids[-keep:], *months.values(), self.latest_id()}
        gone = [id_ for id_ in ids if id_ not in kept]
        for id_ in gone:
            doomed = self.root / "tmp" / f"pruned-{id_}"
            (self.root / "snapshots" / id_).rename(doomed)  # a half-deleted snapshot must not be taken for a whole one
            shutil.rmtree(doomed)
        return gone

    def prune_logs(self, keep: int) -> None:
        """Delete the logs and pages of changes of runs older than the last `keep` harvests; their reports stay."""
        for id_ in self.harvest_ids()[:-keep]:
            for name in ("log.jsonl", "changes.html"):
                (self.root / "runs" / id_ / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class AsOf:
    """All tables as of one harvest: `store.as_of("2026-11-22")["projects"]` is a pandas frame."""

    store: Store
    harvest_id: str

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of all tables."""
        return self.store.tables

    @property
    def started_at(self) -> datetime:
        """When the harvest began, UTC."""
        return harvest_start(self.harvest_id)

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.store.table(name, self.harvest_id)

    def table(self, name: str) -> pd.DataFrame:
        """One table as a pandas frame."""
        return self[name]

    def arrow(self, name: str) -> pa.Table:
        """One table as Arrow."""
        return self.store.arrow(name, self.harvest_id)


def beside(root: Path, what: str) -> Path:
    """The name of what is kept beside the store in `root`, such as `.portal-prefect` beside `portal`."""
    root = root.resolve()
    return root.parent / f".{root.name}-{what}"


def open_store(path_or_url: str | Path) -> Store:
    """Open a store for reading: a folder, or an address such as `s3://bucket/folder`. Raises StoreError.

    Of a store in object storage the mirror on this machine is brought up to date first; see `pipeline.store.object_storage`.
    """
    folder = local_folder(path_or_url)
    remote = remote_of(folder)
    if remote is None:
        return Store(folder)
    remote.pull()
    store = Store(folder)
    descriptor = store._lock()
    try:
        store.recover()
    finally:
        os.close(descriptor)
    return store


# --- the small pieces every writer shares -------------------------------------------------------------------------


def _unreadable(file: Path) -> StoreDamagedError:
    return StoreDamagedError(f"{file} cannot be read; restore it from a copy of the store")


@contextmanager
def _table_file(file: Path) -> Iterator[None]:
    """Say in one sentence that a file of a snapshot is not what was written."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise refused_by_machine(error, file) or StoreDamagedError(
            f"{file} cannot be read; `bma-progress verify` names all that is damaged"
        ) from None


def harvest_start(harvest_id: str) -> datetime:
    """The UTC instant that a harvest's id names."""
    return datetime.strptime(harvest_id, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def harvest_day(harvest_id: str) -> date:
    """The day in Bangkok on which a harvest began."""
    return harvest_start(harvest_id).astimezone(BANGKOK).date()


def canonical_json(value: Any) -> bytes:
    """JSON with one spelling: sorted keys, two blanks of indent, a line end."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def write_durably(path: Path, content: bytes, staging: Path | None = None) -> None:
    """Write a small file so that after a crash it is either the old or the new one, whole.

    staging: a folder of the same disk for the unfinished file, where a crash may leave it; the file's own if not given
    """
    temporary = (staging or path.parent) / f".{path.name}.new"
    with temporary.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Force a written file to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


sync_folder = sync_file
"""Force a folder's entries to disk."""


def _has_todays_columns(snapshot: Path) -> bool:
    try:
        written_by: str = json.loads((snapshot / "snapshot.json").read_bytes())["schema_version"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return written_by == schema_version()


def _is_empty(file: Path) -> bool:
    return file.is_file() and pq.read_metadata(file).num_rows == 0


def finish_snapshot(folder: Path, harvest_id: str, portal: str) -> None:
    """Write a snapshot's data package and its own list of hashes, and force everything to disk."""
    package = write_data_package(folder, harvest_id, portal)
    files = sorted([*folder.glob("*.parquet"), package])
    for file in files:
        sync_file(file)
    write_durably(folder / "snapshot.json", snapshot_document(files, harvest_id))


def snapshot_document(files: Iterable[Path], harvest_id: str) -> bytes:
    """What `snapshot.json` says of a snapshot's files."""
    content = {
        "harvest_id": harvest_id,
        "schema_version": schema_version(),
        "files": {file.name: {"bytes": file.stat().st_size, "sha256": file_sha256(file)} for file in files},
    }
    content["snapshot_sha256"] = hashlib.sha256(canonical_json(content)).hexdigest()
    return canonical_json(content)


@lru_cache(maxsize=4096)  # what was committed never changes
def _read_manifest(harvests: Path, harvest_id: str) -> dict[str, Any]:
    file = harvest_folder(harvests, harvest_id) / MANIFEST
    try:
        manifest: dict[str, Any] = orjson.loads(file.read_bytes())
    except (OSError, KeyError, orjson.JSONDecodeError, zipfile.BadZipFile):
        raise StoreDamagedError(f"{file} cannot be read; run `bma-progress verify`") from None
    return manifest


@lru_cache(maxsize=64)
def _hashes(harvests: Path, harvest_id: str, name: str) -> dict[str, str]:
    file = harvest_folder(harvests, harvest_id) / "pages.parquet"
    pages = pq.read_table(parquet_source(file), columns=["page_key", name])
    return {
        key: sha256 for key, sha256 in zip(*(pages[n].to_pylist() for n in pages.column_names), strict=True) if sha256
    }


@lru_cache(maxsize=8)
def _versions(harvests: Path, harvest_id: str) -> dict[str, str]:
    file = harvest_folder(harvests, harvest_id) / "pages.parquet"
    pages = pq.read_table(parquet_source(file), columns=["page_key", "version_harvest_id"])
    return dict(zip(pages["page_key"].to_pylist(), pages["version_harvest_id"].to_pylist(), strict=True))


@lru_cache(maxsize=64)
def _body_places(harvests: Path, harvest_id: str) -> dict[str, tuple[int, int]]:
    """SHA-256 of each stored page → its row group and row."""
    places = {}
    with pq.ParquetFile(parquet_source(harvest_folder(harvests, harvest_id) / "bodies.parquet")) as stored:
        for group in range(stored.num_row_groups):
            hashes = stored.read_row_group(group, columns=["page_sha256"]).column(0).to_pylist()
            places.update({sha256: (group, row) for row, sha256 in enumerate(hashes)})
    return places


@lru_cache(maxsize=2)  # some 8 MB each; pages are asked for in order of their keys
def _row_group(harvests: Path, harvest_id: str, group: int) -> list[dict[str, Any]]:
    with pq.ParquetFile(parquet_source(harvest_folder(harvests, harvest_id) / "bodies.parquet")) as stored:
        rows: list[dict[str, Any]] = stored.read_row_group(group).to_pylist()
    return rows
