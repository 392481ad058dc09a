"""Compaction: puts the harvests of past months into packs, and finishes what a kill interrupted."""

import shutil
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from pipeline.errors import StoreDamagedError
from pipeline.progress import counted
from pipeline.store.archive import Archive
from pipeline.store.durable import file_sha256, sha256s, sync_file, sync_folder
from pipeline.store.harvests import ids_in, packs_in
from pipeline.store.head import write_head
from pipeline.store.layout import MANIFEST, harvest_id_at
from pipeline.store.packs import pack_name, pack_of, packed_ids, write_pack


def compact(archive: Archive, now: datetime | None = None) -> list[Path]:
    """Put the harvests of every month that is over into one file each; returns the packs made.

    now: the instant it is; months are those of harvest ids, UTC. Every answer and every hash stays what it was: see
    `pipeline.store.packs`.
    """
    current = pack_name(harvest_id_at(now or datetime.now(UTC)))
    harvests, made = archive.root / "harvests", []
    months: dict[Path, list[Path]] = {}
    for id_ in ids_in(harvests):
        months.setdefault(pack_of(harvests, id_), []).append(harvests / id_)
    for pack, folders in counted(sorted(months.items()), "months packed"):
        if pack.name >= current:
            continue
        staged = archive.root / "tmp" / pack.name
        write_pack(folders, staged, pack if pack.is_file() else None)
        _check_pack(archive, staged, folders)
        sync_file(staged)
        sha256 = file_sha256(staged)
        staged.replace(pack)
        sync_folder(harvests)
        write_head(archive, archive.portal, new_packs={pack.name: sha256})
        _drop_folders(archive.root, [folder.name for folder in folders])
        made.append(pack)
    return made


def half_done_packs(archive: Archive) -> dict[str, str]:
    """Packs whose harvests still have plain folders too, as after a kill: name → hash of the bytes.

    Only packs of the months of plain folders are opened: of all others no harvest can be there twice.
    """
    harvests = archive.root / "harvests"
    plain = set(ids_in(harvests))
    months = {pack_name(id_) for id_ in plain}
    there = [pack for pack in packs_in(harvests) if pack.name in months]
    return {pack.name: file_sha256(pack) for pack in there if plain.intersection(packed_ids(pack))}


def finish_compaction(archive: Archive, names: list[str]) -> None:
    """Drop the plain folders of harvests that are in these packs."""
    for name in names:
        _drop_folders(archive.root, packed_ids(archive.root / "harvests" / name))


def _check_pack(archive: Archive, staged: Path, folders: list[Path]) -> None:
    """Check that a pack reads back as it was committed, before its folders are deleted."""
    with zipfile.ZipFile(staged) as packed:
        for folder in folders:
            stated = sha256s(archive.manifest(folder.name)["files"])
            for name, sha256 in {**stated, MANIFEST: file_sha256(folder / MANIFEST)}.items():
                if file_sha256(zipfile.Path(packed, f"{folder.name}/{name}")) != sha256:
                    raise StoreDamagedError(f"{folder / name} is not what was committed; run `bma-progress verify`")


def _drop_folders(root: Path, harvest_ids: list[str]) -> None:
    """Delete the plain folders of packed harvests, each in one step."""
    for id_ in harvest_ids:
        folder, doomed = root / "harvests" / id_, root / "tmp" / f"packed-{id_}"
        if folder.is_dir():
            folder.rename(doomed)
            shutil.rmtree(doomed)
