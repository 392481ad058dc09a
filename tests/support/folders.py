"""States written as folders of Parquet files."""

from pathlib import Path

from support.states import State

from pipeline.store.parquet import write_parquet
from pipeline.store.writer import open_archive


def export(store: Path, when: str, out: Path) -> Path:
    open_archive(store).export(when, out)
    return out


def write(state: State, folder: Path) -> Path:
    folder.mkdir()
    for name, table in state.tables().items():
        write_parquet(table, folder / f"{name}.parquet", name)
    return folder
