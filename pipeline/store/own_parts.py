"""What is on disk is not ours because we find it: a store's own files and folders are real ones, never links or pipes.

A folder from elsewhere could hold a link `tmp` to somebody's papers, which the next writer would empty.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from pipeline.errors import StoreError
from pipeline.store.layout import FOLDERS

_DEPTH: Final = 1  # folders in folders that are looked into
_FILES: Final = ("store.json", "head.json", "README.md", ".lock")


def check_own_parts(root: Path) -> None:
    """Raise StoreError where a part of a store is a link, a pipe, or a file in place of a folder."""
    for name in (*FOLDERS, *_FILES):
        path = root / name
        try:
            about = path.lstat()
        except OSError:
            continue  # what is missing is said by anyone who needs it
        right = stat.S_ISDIR(about.st_mode) if name in FOLDERS else stat.S_ISREG(about.st_mode)
        if not right:
            raise _not_own(path, "a link" if stat.S_ISLNK(about.st_mode) else "neither a file nor a folder of a store")
        if name in FOLDERS and (odd := _odd_inside(str(path), _DEPTH)):
            raise _not_own(Path(odd), "neither a file nor a folder of a store")


def check_owner(root: Path) -> None:
    """Raise StoreError where a part of a store is of another user than the store itself: nothing is written there."""
    if not hasattr(os, "getuid"):
        return
    ours = (os.getuid(), root.stat().st_uid)
    for path in (root / name for name in (*FOLDERS, *_FILES)):
        with suppress(FileNotFoundError):
            if path.lstat().st_uid not in ours:
                raise _not_own(path, "another user's")


def _odd_inside(folder: str, depth: int) -> str | None:
    """A link, a pipe or a device in a folder, which a reader would follow, or wait for without an end; None without one."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if depth and (odd := _odd_inside(entry.path, depth - 1)):
                        return odd
                elif not entry.is_file(follow_symlinks=False) and not _is_swap(entry):
                    return entry.path
    except OSError:
        pass  # what cannot be listed is said by anyone who needs it
    return None


def _is_swap(entry: "os.DirEntry[str]") -> bool:
    """The link that the writer is about to put in the place of `latest`; nothing reads it where it is."""
    return Path(entry.path).parts[-2:] == ("tmp", "latest") and entry.is_symlink()


def _not_own(path: Path, what: str) -> StoreError:
    return StoreError(f"{path} is {what}; copy the store's own files to a new folder, and look at who made this one")
