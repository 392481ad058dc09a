"""What commands write: sentences on standard error, files the user names."""

import os
from collections.abc import Mapping
from pathlib import Path

from flows.cli.options import verbosity
from pipeline.errors import BmaProgressError
from pipeline.plain_text import complain


def remark(sentence: str) -> None:
    """Write a sentence that is no error to standard error; none with `--quiet`."""
    if verbosity() >= 0:
        complain(sentence)


def write_file(file: Path, content: bytes) -> None:
    """Write a result to the file that `--out` names; a new one is for its maker only. Raises BmaProgressError."""
    try:
        with open(file, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as stream:
            stream.write(content)
    except OSError as error:
        raise BmaProgressError(f"{file} cannot be written ({error.strerror}); choose another file") from None


def counts_text(counts: Mapping[str, int]) -> str:
    """Counts by outcome as a person reads them, such as `3 new, 20 unchanged`."""
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in sorted(counts.items()))


def readable(file: Path) -> str:
    """A file's name as text; bytes that are no text become U+FFFD."""
    return os.fsencode(file).decode("utf-8", "replace")
