"""A database for a new home of Prefect, made from its schema as it is in the end.

Prefect makes one by all its migrations since 2022, which cost ten seconds of CPU. `database.sql` is what they lead to in
the oldest Prefect that is supported (`tests/support/write_prefect_schema.py` wrote it); a newer one migrates on from there.
"""

import os
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

SCHEMA: Final = Path(__file__).with_name("database.sql")
_OF_ANOTHER_DATABASE: Final = ("PREFECT_SERVER_DATABASE_", "PREFECT_API_DATABASE_")


def make_database(home: Path) -> None:
    """Make Prefect's database in a home without one; Prefect does where that fails, or where the user chose another."""
    file = home / "prefect.db"
    if file.exists() or any(name.startswith(_OF_ANOTHER_DATABASE) for name in os.environ):
        return
    with suppress(OSError, sqlite3.Error), tempfile.TemporaryDirectory(dir=home) as folder:
        new = Path(folder) / file.name
        with closing(sqlite3.connect(new)) as database:
            database.executescript(SCHEMA.read_text(encoding="utf-8"))
        os.link(new, file)  # fails where another process has made one meanwhile
