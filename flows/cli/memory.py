"""How much memory a command that reads may use: what unfolds without an end ends in a sentence, not in the machine's end."""

import os
from pathlib import Path
from typing import Final

_LEAST: Final = 4 << 30  # bytes of addresses; libraries reserve more than they use
_OF_A_BYTE: Final = 64  # `report` of 400,000 projects takes 3 bytes of memory for each byte of the store


def limit_memory(store: Path | None = None) -> None:
    """Let this process use no more memory than the machine has, or than a store of its size on disk can need."""
    try:
        import resource

        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if store is not None:
            there = min(there, _OF_A_BYTE * _bytes_below(store, there // _OF_A_BYTE) + _LEAST)
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard == resource.RLIM_INFINITY:
            resource.setrlimit(resource.RLIMIT_DATA, (max(there, _LEAST), hard))
    except (ImportError, ValueError, OSError):  # Windows, and systems that know no such limit
        return


def _bytes_below(folder: Path, enough: int) -> int:
    """The size of a folder's files; of a large one only until it is enough: each year of nights has thousands of files."""
    size = 0
    for place, _, names in os.walk(folder):
        size += sum((Path(place) / name).lstat().st_size for name in names)
        if size >= enough:
            break
    return size
