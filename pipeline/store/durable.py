"""Files that survive a crash: written whole or not at all, forced to disk, known by their SHA-256."""

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from pipeline.errors import StoreDamagedError
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


def sync_file(path: Path) -> None:
    """Force a written file to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


sync_folder = sync_file
"""Force a folder's entries to disk."""


def file_sha256(file: Folder) -> str:
    """SHA-256 of a file's bytes. Raises OSError, and StoreDamagedError for one in a damaged pack."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, KeyError):
        raise unreadable(file) from None


def unreadable(file: Folder) -> StoreDamagedError:
    """The error of a file of the store that cannot be read."""
    return StoreDamagedError(f"{file} cannot be read; restore it from a copy of the store")
