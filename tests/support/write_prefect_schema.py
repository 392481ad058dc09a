"""Writes flows/prefect_/database.sql: `python tests/support/write_prefect_schema.py`, when the oldest Prefect changes."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Have Prefect make a database, and write down its schema."""
    sys.path.insert(0, str(ROOT))
    from flows.prefect_.database import SCHEMA

    with tempfile.TemporaryDirectory() as home:
        upgrade = (sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes")
        subprocess.run(upgrade, env={**os.environ, "PREFECT_HOME": home, "DO_NOT_TRACK": "1"}, check=True)
        with closing(sqlite3.connect(Path(home) / "prefect.db")) as database:
            lines = "\n".join(database.iterdump()).splitlines()
    about = f"-- The schema of the database of Prefect {version('prefect')} (Apache License 2.0)"
    SCHEMA.write_text("".join(f"{line.rstrip()}\n" for line in (about, *lines)), encoding="utf-8")


if __name__ == "__main__":
    main()
