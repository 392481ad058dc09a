"""Old harvests in one file a month: `harvests/2026-10.zip` holds their folders, byte for byte and uncompressed.

Nothing is rewritten: each file keeps its bytes, so every manifest, hash and answer stays what it was, and `unzip` gives
the folders back. A year of nights is then 12 files instead of some 6,500.
"""

import mmap
import re
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.store.durable import unreadable
from pipeline.store.layout import HARVEST_ID, Folder

if TYPE_CHECKING:
    import pyarrow as pa

_MEMBER: Final = re.compile(rf"{HARVEST_ID.pattern}/([A-Za-z0-9_]+(\.[a-z0-9]+)+)?", re.ASCII)
"""A file of a harvest, or the folder that `zipfile.Path` adds for it."""
_MOST_MEMBERS: Final = 50_000  # a month of a harvest an hour has a third of it
_LOCAL_HEADER: Final = 30  # bytes before a member's name, by the ZIP specification
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)  # the same harvests give the same pack


def pack_of(harvests: Path, harvest_id: str) -> Path:
    """The pack that holds a harvest once its month is packed."""
    return harvests / pack_name(harvest_id)


def pack_name(harvest_id: str) -> str:
    """The name of the pack of a harvest's month."""
    return f"{harvest_id[:4]}-{harvest_id[4:6]}.zip"


def packed_ids(pack: Path) -> list[str]:
    """The harvests in a pack, oldest first. Raises StoreDamagedError."""
    return sorted({name.partition("/")[0] for name in _names(pack)})


def harvest_folder(harvests: Path, harvest_id: str) -> Folder:
    """Where a harvest's files are: its folder, or its place in the pack of its month."""
    plain, pack = harvests / harvest_id, pack_of(harvests, harvest_id)
    if plain.is_dir() or not pack.is_file():
        return plain
    return zipfile.Path(_open(pack, _version(pack)), f"{harvest_id}/")


def names_in(folder: Folder) -> frozenset[str]:
    """The names of a harvest's files. Raises OSError where its folder is missing."""
    if isinstance(folder, Path):
        return frozenset(path.name for path in folder.iterdir())
    return _by_harvest(folder.root).get(folder.at.rstrip("/"), frozenset())


def mapped(file: zipfile.Path) -> "pa.BufferReader":
    """A file in a pack, for pyarrow to read: it is mapped, not copied."""
    import pyarrow as pa  # who only asks which harvests there are does without

    return pa.BufferReader(_member(file))


def write_pack(folders: list[Path], out: Path, former: Path | None = None) -> None:
    """Write harvests' folders into a new pack, together with those of a former pack of the month."""
    with zipfile.ZipFile(out, "x", zipfile.ZIP_STORED) as pack:
        files: dict[str, Folder] = {}
        if former is not None:
            files = {name: zipfile.Path(_open(former, _version(former)), name) for name in _names(former)}
        files |= {f"{folder.name}/{file.name}": file for folder in folders for file in folder.iterdir()}
        for name, file in sorted(files.items()):
            pack.writestr(zipfile.ZipInfo(name, _EARLIEST), file.read_bytes())


@lru_cache(maxsize=64)
def _by_harvest(pack: zipfile.ZipFile) -> dict[str, frozenset[str]]:
    """Harvest → the names of its files: `zipfile.Path` would go through the whole pack for each."""
    found: dict[str, set[str]] = {}
    for name in pack.namelist():
        harvest_id, _, file = name.partition("/")
        found.setdefault(harvest_id, set()).update([file] if file else ())
    return {harvest_id: frozenset(names) for harvest_id, names in found.items()}


def _names(pack: Path) -> list[str]:
    return _open(pack, _version(pack)).namelist()


def _member(file: zipfile.Path) -> memoryview:
    archive, name = file.root, file.at
    info = archive.getinfo(name)
    content = _mapped(Path(archive.filename or ""), _version(Path(archive.filename or "")))
    header = content[info.header_offset : info.header_offset + _LOCAL_HEADER]
    start = info.header_offset + _LOCAL_HEADER + int.from_bytes(header[26:28], "little")
    start += int.from_bytes(header[28:30], "little")
    return content[start : start + info.file_size]


def _version(pack: Path) -> tuple[int, int]:
    about = pack.stat()
    return about.st_mtime_ns, about.st_ino


@lru_cache(maxsize=64)
def _open(pack: Path, version: tuple[int, int]) -> zipfile.ZipFile:
    try:
        opened = zipfile.ZipFile(pack)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, OSError):
        raise unreadable(pack) from None
    members = opened.infolist()
    if len(members) > _MOST_MEMBERS:
        raise unreadable(pack)
    for member in members:
        # one that is compressed could unfold without an end; other names could lead out of the folder they are unpacked in
        if member.compress_type != zipfile.ZIP_STORED or not _MEMBER.fullmatch(member.filename):
            raise unreadable(pack)
    return opened


@lru_cache(maxsize=64)
def _mapped(pack: Path, version: tuple[int, int]) -> memoryview:
    with pack.open("rb") as stream:
        return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
