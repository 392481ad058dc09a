"""Files that survive a crash: written whole or not at all, forced to disk, known by their SHA-256."""

import errno
import glob
import hashlib
import json
import os
import shutil
import stat
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from pipeline.errors import StoreDamagedError, StoreError
from pipeline.store.document_shapes import LARGEST
from pipeline.store.layout import Folder


def canonical_json(value: Any) -> bytes:
    """JSON with one spelling: sorted keys, two blanks of indent, a line end."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def seal(document: Mapping[str, Any], name: str) -> bytes:
    """The canonical JSON of a document together with its own SHA-256, under `name`."""
    sha256 = hashlib.sha256(canonical_json(document)).hexdigest()
    return canonical_json({**document, name: sha256})


def unseal(content: bytes, name: str) -> tuple[dict[str, Any], bool]:
    """The document of a sealed file, and whether it is byte for byte what was sealed.

    Raises ValueError, KeyError, TypeError for bytes that are none.
    """
    document = json.loads(content)
    del document[name]
    return document, content == seal(document, name)


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


def read_document(file: Folder) -> bytes:
    """The bytes of a small file. Raises OSError where it is none, or so large that it is no document of ours."""
    with file.open("rb") as stream:
        content: bytes = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(file))
    return content


def sync_file(path: Path) -> None:
    """Force a written file to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


sync_folder = sync_file
"""Force a folder's entries to disk."""


FileHashes = Mapping[str, Mapping[str, Any]]
"""Of files, by name: `bytes` and `sha256`."""


def sync_and_hash(files: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Force written files to disk; returns the `bytes` and `sha256` of each, by name."""
    found: dict[str, dict[str, Any]] = {}
    for file in files:
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            found[file.name] = {"bytes": os.fstat(stream.fileno()).st_size, "sha256": sha256}
    return found


def sha256s(files: FileHashes) -> dict[str, str]:
    """The SHA-256 of each file, by name."""
    return {name: about["sha256"] for name, about in files.items()}


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to write into, which gets its name `out` by one rename when all is written; after an error nothing is left.

    Raises StoreError where `out` is there and not an empty folder.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError(f"{out} is not an empty folder; name a new one")
    for left in out.parent.glob(f".{glob.escape(out.name)}-[0-9]*.partial"):
        process = left.name.rpartition("-")[2].partition(".")[0]
        if process.isdecimal() and len(process) < 10 and _is_ours(left) and not _is_alive(int(process)):
            remove(left)  # its process was killed
    out.parent.mkdir(parents=True, exist_ok=True)
    # what is exported can name people: only its maker reads it, whatever the umask, until somebody opens it up
    staged = out.parent / f".{out.name}-{os.getpid()}.partial"
    try:
        staged.mkdir(mode=0o700)
    except FileExistsError:
        raise StoreError(f"{staged} is in the way; delete it, or write into a folder that is yours alone") from None
    staged.chmod(0o700)
    try:
        yield staged
        for path in staged.rglob("*"):  # also where a file is moved elsewhere later
            path.chmod(0o700 if path.is_dir() else 0o600)
        staged.replace(out)
    finally:
        remove(staged)


def _is_ours(path: Path) -> bool:
    return not hasattr(os, "getuid") or path.lstat().st_uid == os.getuid()


def _is_alive(process: int) -> bool:
    if os.name == "nt":  # where signal 0 would interrupt it
        return True
    try:
        os.kill(process, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True


def remove(path: Path) -> None:
    """Delete a file, a link or a folder with all in it; nothing is done where it is not there."""
    if _is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def put_in_place(new: Path, place: Path) -> None:
    """Give a finished file, link or folder its name in one step; whatever has that name goes, between two reads of it.

    Where the system cannot exchange two folders in one step (it is not Linux, or the disk is another machine's), the name
    is missing for a moment.
    """
    if os.path.lexists(place):
        _replace(new, place)
    else:
        new.rename(place)
    sync_folder(place.parent)


def _replace(new: Path, place: Path) -> None:
    from pipeline.store.readers import Readers, exchange, rename_over  # ctypes, which only this needs

    with Readers(place) as readers:
        if not (_is_folder(place) or _is_folder(new)):
            readers.between(lambda: rename_over(new, place))
            return
        former = new.with_name(f"former-{place.name}")
        remove(former)
        exchanged: list[bool] = []
        readers.between(lambda: exchanged.append(exchange(new, place)))
        if exchanged[0]:
            new.rename(former)
        else:
            place.rename(former)
            new.rename(place)
        remove(former)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def file_sha256(file: Folder) -> str:
    """SHA-256 of a file's bytes. Raises OSError, and StoreDamagedError for one in a damaged pack."""
    if isinstance(file, Path) and not stat.S_ISREG(file.stat().st_mode):
        raise unreadable(file)  # a named pipe would be waited for without an end
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, KeyError):
        raise unreadable(file) from None


def sha256_lines(files: Iterable[Path], root: Path) -> str:
    """The lines of `sha256sum` for files below a folder, by which `sha256sum -c` checks them."""
    return "".join(f"{file_sha256(file)}  {file.relative_to(root).as_posix()}\n" for file in files)


_HASHES: dict[tuple[str, int, int, int], str] = {}
"""Hashes of files read so far, by place and by what changes with their content: time, size, inode."""


def is_unaltered(file: Folder, sha256: str) -> bool:
    """Whether a file is there with these bytes; one that has not changed since is read once."""
    try:
        about = (file if isinstance(file, Path) else Path(file.root.filename or "")).stat()
        key = (str(file), about.st_mtime_ns, about.st_size, about.st_ino)
        if key not in _HASHES:
            _HASHES[key] = file_sha256(file)
    except (OSError, StoreDamagedError):
        return False
    return _HASHES[key] == sha256


def unreadable(file: Folder) -> StoreDamagedError:
    """The error of a file of the store that cannot be read."""
    return StoreDamagedError(f"{file} cannot be read; restore it from a copy of the store")
