"""Prefect's database in a new home is made from a schema that its own migrations lead to."""

import re
import sqlite3
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from flows.prefect_.database import make_database


def test_the_schema_is_that_of_the_installed_prefect(tmp_path: Path) -> None:
    """If not: python tests/support/write_prefect_schema.py"""
    spec = find_spec("prefect")
    assert spec
    assert spec.origin
    migrations = Path(spec.origin).parent / "server" / "database" / "_migrations" / "versions" / "sqlite"
    texts = [file.read_text(encoding="utf-8") for file in migrations.glob("*.py")]
    known, replaced = (
        {found[1] for text in texts if (found := re.search(rf'^{name} = "(\w+)"', text, re.MULTILINE))}
        for name in ("revision", "down_revision")
    )
    make_database(tmp_path)
    with closing(sqlite3.connect(tmp_path / "prefect.db")) as database:
        versions = {version for (version,) in database.execute("SELECT version_num FROM alembic_version")}
    assert versions == known - replaced
    assert list(tmp_path.iterdir()) == [tmp_path / "prefect.db"]


def test_a_database_that_is_there_or_chosen_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prefect.db").write_bytes(b"mine")
    make_database(tmp_path)
    assert (tmp_path / "prefect.db").read_bytes() == b"mine"
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", "postgresql+asyncpg://elsewhere/prefect")
    (tmp_path / "other").mkdir()
    make_database(tmp_path / "other")
    assert not list((tmp_path / "other").iterdir())
