"""The errors that users may see. Each says in one sentence what happened, where, and what to do."""

import errno
from pathlib import Path
from typing import Final


class BmaProgressError(Exception):
    """Something a user can correct; its text is the whole message."""


class SettingsError(BmaProgressError):
    """A setting has a wrong name or value."""


class PortalError(BmaProgressError):
    """The portal cannot be harvested now."""


class StoreError(BmaProgressError):
    """A store cannot be used as asked."""


class StoreBusyError(StoreError):
    """Another process writes to the store."""


class MissingPageError(StoreError):
    """No harvest of a store keeps the bytes of a page."""


class StoreDamagedError(StoreError):
    """Files of a store are not what its manifests say."""


class MachineError(BmaProgressError):
    """The machine refused a file: a full disk, a missing permission, a broken device."""


def no_harvest_yet(store: Path) -> StoreError:
    """The error of what needs a harvest, for a store without one."""
    return StoreError(f"{store} holds no harvest yet; run `bma-progress harvest` first")


def not_writable(folder: Path, error: OSError) -> BmaProgressError:
    """The error of a folder that was named for output and cannot be written."""
    return BmaProgressError(f"{folder} cannot be written ({error.strerror}); name another folder")


def dask_is_missing() -> BmaProgressError:
    """The error of what runs on Dask, where it is not installed."""
    return BmaProgressError("the dask runner needs more packages: pip install 'bma-progress[dask]'")


def not_a_record_code(text: object) -> StoreError:
    """The error of what should be the code of a project or an indicator, and is none."""
    return StoreError(f"{text!r} is no project's or indicator's code, such as 24000000-2964 or 2400-1013")


def first_line(error: BaseException) -> str:
    """The first line of an error's text, cut where it is long; its type where it has no text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def error_text(error: BaseException) -> str:
    """An error's whole text on one line, cut where it is long."""
    return " ".join(str(error).split())[:200]


def shortened(text: str) -> str:
    """A text as errors quote it: at most 80 characters."""
    return text if len(text) <= 80 else f"{text[:77]}…"


def damaged_table(why: object) -> StoreDamagedError:
    """The error of a Parquet file that is not what it should be."""
    return StoreDamagedError(f"a file of tables cannot be read ({why}); `bma-progress verify` names the damaged ones")


_REFUSED: Final = frozenset(
    (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.EIO,
        errno.ENFILE,
        errno.EMFILE,
    )
)
_REFUSED_DATABASE: Final = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")


def refused_by_machine(error: BaseException, place: Path) -> MachineError | None:
    """The error as a sentence where the machine refused a file; None for any other error.

    place: the folder it is about, where the error names no file
    """
    if isinstance(error, OSError) and error.errno in _REFUSED:
        place, why = Path(error.filename) if error.filename else place, error.strerror
    elif getattr(error, "sqlite_errorname", "").startswith(_REFUSED_DATABASE):
        why = str(error)
    else:
        return None
    return MachineError(
        f"{place} cannot be used ({why}); free some space or correct its permissions, then start again: what was saved stays"
    )
