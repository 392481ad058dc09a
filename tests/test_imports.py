"""The contracts of imports in pyproject.toml: they are kept, and each can be broken."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def contracts(folder: Path) -> str:
    """What import-linter says of the packages in a folder."""
    code = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    return done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("bma_progress", "flows", "parsers", "pipeline"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_is_kept(copy: Path) -> None:
    said = contracts(copy)
    assert " 0 broken." in said, said


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("pipeline/store/layout.py", "import pipeline.store.writer", "no circles"),
        ("pipeline/store/layout.py", "def f() -> None:\n    import pipeline.store.writer", "no circles"),
        (
            "parsers/thai.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import parsers.parse",
            "no circles",
        ),
        ("pipeline/store/verify.py", "import pipeline.compare.diff", "imports run one way inside pipeline"),
        ("pipeline/publish/export.py", "import pipeline.harvest.portal", "imports run one way inside pipeline"),
        ("parsers/thai.py", "import pipeline.errors", "imports run one way: "),
        ("pipeline/store/writer.py", "import fcntl", "file locks"),
        ("pipeline/api.py", "import prefect", "Prefect stays in flows"),
    ],
)
def test_a_contract_is_broken_by_what_it_forbids(copy: Path, file: str, line: str, contract: str) -> None:
    with (copy / file).open("a", encoding="utf-8") as stream:
        stream.write(f"\n\n{line}\n")
    said = contracts(copy)
    assert any(one.startswith(contract) and " BROKEN" in one for one in said.splitlines()), said
