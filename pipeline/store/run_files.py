"""The files that a harvest leaves in `runs/<id>/`, and the two lists of their hashes that manifests name.

SHA256SUMS          log, report: written before the commit, so the harvest's own manifest names its hash
SHA256SUMS.later    what comes after the commit (the page of changes, the stamped line): the next manifest names its hash
"""

import hashlib
from pathlib import Path
from typing import Final

from pipeline.store.durable import file_sha256, sha256_lines, write_durably

LOG: Final = "log.jsonl"
REPORT: Final = (LOG, "report.json", "report.txt")
CHANGES_PAGE: Final = "changes.html"
HEAD_FILE: Final = "head.txt"
"""The harvest's head line, with the time-stamp where one was asked for."""
ANCHOR_FILE: Final = "anchor.json"
"""How the nightly anchoring ended: see `pipeline.operate.anchor`."""
LATER: Final = (CHANGES_PAGE, HEAD_FILE, ANCHOR_FILE)

SUMS: Final = "SHA256SUMS"
LATER_SUMS: Final = "SHA256SUMS.later"
PRUNED: Final = (LOG, CHANGES_PAGE)
"""What is deleted of older harvests, as the setting keep_logs says."""
REPORTS: Final = ("report.json", "report.txt")
"""What is deleted of much older ones, as the setting keep_reports says."""
REPORTS_KEPT: Final = 30
"""Harvests whose reports are always kept, the newest ones."""


def write_sums(folder: Path) -> str:
    """Write the hashes of the log and the reports of a run; returns the hash of the list."""
    return _write(folder / SUMS, REPORT)


def write_later_sums(folder: Path) -> str | None:
    """Write the hashes of what came after the commit, unless that was done; returns the list's hash, None where nothing came."""
    if (folder / LATER_SUMS).exists():
        return file_sha256(folder / LATER_SUMS)
    names = [name for name in LATER if (folder / name).is_file()]
    return _write(folder / LATER_SUMS, names) if names else None


def staging_of(folder: Path) -> Path:
    """Where what is written into a run's folder lies until it is whole: a kill leaves nothing beside the run's files."""
    return folder.parent.parent / "tmp"


def _write(file: Path, names: tuple[str, ...] | list[str]) -> str:
    folder, staging = file.parent, staging_of(file.parent)
    sums = sha256_lines([folder / name for name in names], folder).encode()
    write_durably(file, sums, staging)
    return hashlib.sha256(sums).hexdigest()
