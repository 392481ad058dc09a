"""Whether a store is what its manifests say, and on demand what the parser reads."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.errors import StoreError
from pipeline.store.layout import FOLDERS
from pipeline.store.lock import is_locked
from pipeline.store.own_parts import check_own_parts
from pipeline.store.verify_bytes import NEXT_START, VerifyProblem, verify_bytes

if TYPE_CHECKING:
    from pipeline.store.archive import Archive

_PAUSES: Final = (0.1, 0.2, 0.4, 0.8, 1.6)  # seconds between two looks beside a writer

RowsCheck = Callable[["Archive"], Iterable[VerifyProblem]]
"""Compares the rows of a store with its stored pages; see `pipeline.harvest.verify_rows`, which stands above this package."""


def verify_store(root: Path, *, deep: bool = False, rows: RowsCheck | None = None) -> list[VerifyProblem]:
    """Check a whole store. Raises StoreError where there is none.

    deep: also what no hash tells: references, lists, and snapshots
    rows: the check of every single row against the stored pages, made where nothing else is wrong but what is derived from
        them; it parses each page once
    """
    if not root.is_dir() or not (root / "harvests").is_dir():
        raise StoreError(f"{root} holds no store; name the folder that `bma-progress harvest --data` was given")
    check_own_parts(root)
    problems = _settled(root)
    return problems + _tables(root, problems, deep, rows) if deep or rows else problems


def _tables(root: Path, problems: Sequence[VerifyProblem], deep: bool, rows: RowsCheck | None) -> list[VerifyProblem]:
    """What is wrong in the tables of a store. problems: what is wrong with its bytes"""
    from pipeline.store.archive import Archive  # with pyarrow, which bytes are checked without
    from pipeline.store.verify_deep import verify_deep

    found = [] if problems or not deep else [*verify_deep(Archive(root))]
    # a snapshot that was left as it was must not hide the row of a harvest that was altered
    if rows is not None and not any(problem.is_damage and not problem.is_derived for problem in (*problems, *found)):
        found += rows(Archive(root))
    return found


def _settled(root: Path) -> list[VerifyProblem]:
    """What is wrong at every look: beside a writer at work, a look can fall between two of its steps."""
    before, problems = _stamp(root), list(verify_bytes(root))
    for pause in _PAUSES:
        if not problems or (before == (now := _stamp(root)) and not is_locked(root)):
            return problems
        time.sleep(pause)
        again = list(verify_bytes(root))
        before, problems = now, [problem for problem in problems if problem in again]
    return [problem for problem in problems if problem.what_to_do != NEXT_START]  # the writer at work does that


def _stamp(root: Path) -> list[int]:
    """What changes with every step of a writer: when names in the store's folders were last changed."""
    folders = [root, *(root / name for name in FOLDERS)]
    return [folder.stat().st_mtime_ns for folder in folders if folder.is_dir()]
