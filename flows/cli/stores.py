"""The store a command works on: the one that `--data` names, else the one of the settings."""

from pathlib import Path
from typing import TYPE_CHECKING

from flows.cli.memory import limit_memory

if TYPE_CHECKING:
    from pipeline.store.archive import Archive
    from pipeline.store.catalog import Catalog


def store_place(data: Path | None) -> str | Path:
    """The folder of the store, or the address of which that folder is the mirror."""
    from pipeline.location import mirrored_url
    from pipeline.settings import load_settings

    folder = data or load_settings().data
    return mirrored_url(folder) or folder


def named_store(data: Path | None) -> "Archive":
    """The store, opened. Raises StoreError."""
    from pipeline.store.writer import open_archive

    store = open_archive(store_place(data))
    limit_memory(store.root)
    return store


def named_catalog(data: Path | None) -> "Catalog":
    """The store, opened for its documents alone, which is quicker. Raises StoreError."""
    from pipeline.store.catalog import Catalog

    place = store_place(data)
    return Catalog(place) if isinstance(place, Path) else named_store(data)  # a mirror is brought up to date first
