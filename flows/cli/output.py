"""What commands write: sentences on standard error, files the user names."""

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from flows.cli.options import verbosity
from pipeline.errors import BmaProgressError
from pipeline.plain_text import complain

_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)


def remark(sentence: str) -> None:
    """Write a sentence that is no error to standard error; none with `--quiet`."""
    if verbosity() >= 0:
        complain(sentence)


def write_file(file: Path, content: bytes) -> None:
    """Write a result to the file that `--out` names; a new one is for its maker only. Raises BmaProgressError."""
    try:
        with open(file, "wb", opener=_open) as stream:
            stream.write(content)
    except OSError as error:
        raise BmaProgressError(f"{file} cannot be written ({error.strerror}); choose another file") from None


def _open(path: str, flags: int) -> int:
    """Open a file for its maker only; never through what another user planted in a folder that all can write, as /tmp.

    Linux refuses the same where `fs.protected_symlinks` and its like are set.
    """
    try:
        there, folder = os.lstat(path), Path(path).parent.stat()
    except FileNotFoundError:
        return os.open(path, flags | _NO_LINK, 0o600)
    planted = hasattr(os, "getuid") and there.st_uid not in (os.getuid(), folder.st_uid)
    if planted and folder.st_mode & stat.S_IWOTH:
        raise PermissionError(errno.EACCES, "another user put it there, where everybody can write", path)
    return os.open(path, flags | (0 if stat.S_ISLNK(there.st_mode) else _NO_LINK), 0o600)


def counts_text(counts: Mapping[str, int]) -> str:
    """Counts by outcome as a person reads them, such as `3 new, 20 unchanged`."""
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in sorted(counts.items()))


def readable(file: Path) -> str:
    """A file's name as text; bytes that are no text become U+FFFD."""
    return os.fsencode(file).decode("utf-8", "replace")
