"""The place of a store: a folder, or an address in object storage and the folder on this machine that mirrors it."""

import os
from pathlib import Path
from typing import Final

from pipeline.errors import StoreError

SCHEMES: Final = ("s3",)
_UNTESTED: Final = ("gs", "az")


def is_url(text: str) -> bool:
    """True where a store's place is an address in object storage."""
    return "://" in text


def local_folder(place: str | Path) -> Path:
    """The folder to work in: the place itself, or the mirror of an address in object storage.

    Raises StoreError for an address that no store can have.
    """
    text = str(place)
    if not is_url(text):
        return Path(place)
    url = text.rstrip("/")
    scheme, _, rest = url.partition("://")
    if scheme in _UNTESTED:
        raise StoreError(
            f"{text}: stores in this kind of object storage are not supported, only s3:// and what speaks S3 is"
        )
    if scheme not in SCHEMES or not rest.strip("/"):
        raise StoreError(f"{text} is no place for a store; name a folder, or an address such as s3://bucket/folder")
    import hashlib  # five milliseconds, and only an address needs it

    name = "".join(letter if letter.isalnum() else "-" for letter in rest)[-40:]
    mirror = _mirrors() / f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:12]}"
    note = _note(mirror)
    if not note.is_file():
        note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        note.write_text(url, encoding="utf-8")
    return mirror


def mirrored_url(folder: Path) -> str | None:
    """The address in object storage that a folder mirrors, or None for an ordinary folder."""
    try:
        mirrors = _mirrors()
    except StoreError:
        return None
    if folder.absolute().parent != mirrors:
        return None  # a file beside a folder from elsewhere must not lead to an address with our credentials
    note = _note(folder)
    return note.read_text(encoding="utf-8") if note.is_file() else None


def place_of(folder: Path) -> str:
    """A store's place as a person named it: its folder, or the address that the folder mirrors."""
    return mirrored_url(folder) or str(folder)


def _mirrors() -> Path:
    """The folder in which this program keeps its mirrors."""
    return user_folder("XDG_STATE_HOME", ".local/state")


def user_folder(variable: str, usual: str) -> Path:
    """Where this program keeps this user's files of a kind: in the folder that a variable of XDG names, else in the home folder.

    Raises StoreError for a user without a home folder.
    """
    try:
        return Path(os.environ.get(variable) or Path.home() / usual).absolute() / "bma-progress"
    except RuntimeError:
        raise StoreError(f"this user has no home folder; set {variable} to a folder that can be written to") from None


def _note(mirror: Path) -> Path:
    return mirror.parent / f"{mirror.name}.url"
