"""The only writer of a store: it holds the lock, finishes what a crash left, commits, publishes and compacts."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from datetime import datetime
from pathlib import Path

from pipeline.errors import StoreBusyError, StoreError
from pipeline.location import local_folder
from pipeline.store import snapshots
from pipeline.store.archive import Archive
from pipeline.store.compaction import compact, finish_compaction, half_done_packs
from pipeline.store.durable import canonical_json, remove, write_durably
from pipeline.store.harvests import Harvests
from pipeline.store.head import check_head, write_head
from pipeline.store.layout import FOLDERS, FORMAT, README
from pipeline.store.lock import turn, write_lock
from pipeline.store.mirror import mirror_of
from pipeline.store.own_parts import check_owner
from pipeline.store.run_files import PRUNED, REPORTS
from pipeline.store.set_aside import set_aside


class StoreWriter(Archive):
    """A store that this process alone may write to. `open_writer` makes it; it is valid while its lock is held.

    repairs: what was found damaged when it was opened, and is whole again; one sentence each
    """

    repairs: Sequence[str] = ()

    def compact(self, now: datetime | None = None) -> list[Path]:
        """Put the harvests of every month that is over into one file each; see `pipeline.store.compaction`."""
        return compact(self, now)

    def set_aside(self, harvest_id: str) -> tuple[Path, list[str]]:
        """Take harvests dated in the future out of the store; see `pipeline.store.set_aside`."""
        moved = set_aside(self, self.portal, harvest_id)
        recover(self)
        return moved

    def migrate(self) -> list[str]:
        """Rewrite the snapshots that a version with other columns wrote; returns their ids."""
        return snapshots.migrate(self)

    def prune_snapshots(self, keep: int) -> list[str]:
        """Drop derived states older than the last `keep` that are not the first of a month; returns the ids of those dropped."""
        return snapshots.prune_snapshots(self, keep)

    def prune_runs(self, keep_logs: int, keep_reports: int) -> None:
        """Delete the logs and pages of changes, and later the reports, of runs older than so many harvests; hashes stay."""
        ids, runs = self.harvest_ids(), str(self.root / "runs")
        for names, old in ((PRUNED, ids[:-keep_logs]), (REPORTS, ids[:-keep_reports])):
            for file in (f"{runs}/{id_}/{name}" for id_ in old for name in names):
                with suppress(FileNotFoundError):
                    os.unlink(file)  # noqa: PTH108 - a path object each costs more than all else here, every night


@contextmanager
def open_writer(root: Path) -> Iterator[StoreWriter]:
    """Hold the lock of the store's only writer, after finishing what a crash left.

    At the end, a store in object storage has there too what was committed.
    Raises StoreBusyError, and StoreDamagedError where the newest harvest is not what was committed.
    """
    with ExitStack() as held:
        mirror = mirror_of(root)
        with turn(root) if mirror else nullcontext():  # a reader that is fetching is waited for, a writer is not
            held.enter_context(write_lock(root))
        if mirror is not None:
            held.enter_context(mirror.lease())
            mirror.pull()
        writer = StoreWriter(root)
        writer.repairs = recover(writer)
        if mirror is not None:
            mirror.push()  # what an earlier start committed here and could not upload
        yield writer
        if mirror is not None:
            mirror.push()


def recover(archive: Archive) -> list[str]:
    """Finish or discard what a crash left: staging is deleted, head and latest follow the newest committed harvest.

    Returns what was found damaged and is whole again, one sentence each.
    """
    check_owner(archive.root)
    for folder in ("snapshots", "tmp"):  # a copy may lack what is empty, or derived
        (archive.root / folder).mkdir(exist_ok=True)
    staging, shown = archive.root / "tmp", (archive.root / "latest").resolve()
    for left in staging.iterdir() if staging.is_dir() else ():
        if left != shown:  # an older version could be killed while `latest` showed what lies here
            remove(left)
    check_head(archive)
    archive.check_chain()
    half_done = half_done_packs(archive)
    write_head(archive, archive.portal, new_packs=half_done)
    finish_compaction(archive, list(half_done))
    published = archive.harvest_ids(published_only=True)
    if not published or archive.shows(published[-1]):
        return []
    was_shown, was_whole = archive.latest_id() == published[-1], archive.has_whole_snapshot(published[-1])
    snapshots.publish(archive, published[-1])
    repair = f"The snapshot {published[-1]} was missing or altered, and was made anew from harvests/."
    return [repair] if was_shown and not was_whole else []


def create_store(root: Path, portal: str) -> Archive:
    """Open the store in `root`, or make a new one that only its owner and group can read.

    Raises StoreError for another portal's store.
    """
    if not (root / "store.json").exists() and (mirror := mirror_of(root)) is not None:
        mirror.pull()
    if not (root / "store.json").exists():
        _make_store(root, portal)
    archive = Archive(root)
    if archive.portal != portal:
        raise StoreError(f"{root} is the store of {archive.portal}, not of {portal}; name another folder with --data")
    return archive


def _make_store(root: Path, portal: str) -> None:
    if root.exists() and not root.is_dir():
        raise StoreError(f"{root} is a file; name a folder for the store")
    # pages and contact lines name people: only the folder's owner and group may read them
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o750)
    except (FileNotFoundError, NotADirectoryError, FileExistsError) as error:  # below a file, or in /proc
        raise StoreError(f"{root} cannot be made ({error.strerror}); name another folder for the store") from None
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    write_durably(root / "README.md", README.encode(), root / "tmp")
    if not (root / "head.json").exists():
        write_head(Harvests(root), portal)
    # last: only with this file is the folder a store
    write_durably(root / "store.json", canonical_json({"format": FORMAT, "portal": portal}), root / "tmp")


def open_archive(path_or_url: str | Path) -> Archive:
    """Open a store for reading: a folder, or an address such as `s3://bucket/folder`. Raises StoreError.

    Of a store in object storage the mirror on this machine is brought up to date first; see `pipeline.store.mirror`.
    """
    folder = local_folder(path_or_url)
    mirror = mirror_of(folder)
    if mirror is None:
        return Archive(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    with turn(folder), ExitStack() as held:
        try:
            held.enter_context(write_lock(folder))
        except StoreBusyError:  # this machine's writer brought the mirror up to date when it began
            return Archive(folder)
        mirror.pull()
        recover(Archive(folder))
    return Archive(folder)
