"""The package that users import: what it has, what it waits for, and what lies beside a notebook."""

import subprocess
import sys
from pathlib import Path

import pytest

import bma_progress


def python(
    code: str, *arguments: str | Path, cwd: Path, script: str = "notebook.py"
) -> subprocess.CompletedProcess[str]:
    """Run a script that lies in a folder, as a notebook's kernel or a user would."""
    (cwd / script).write_text(code, encoding="utf-8")
    command = [sys.executable, script, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("name", bma_progress.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(bma_progress, name)
    assert name in dir(bma_progress)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'open_stores'"):
        bma_progress.open_stores  # type: ignore[attr-defined]  # noqa: B018


def test_importing_loads_neither_prefect_nor_pandas(tmp_path: Path) -> None:
    code = """
import sys, bma_progress
from bma_progress import parse_page
assert parse_page(b"").verdict == "empty"
assert not {"pandas", "pyarrow", "prefect"} & sys.modules.keys()
from bma_progress import most_rewritten, open_store, planned_percent, timeline_text, words_of, write_evidence
assert "prefect" not in sys.modules
"""
    done = python(code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_files_of_our_names_beside_a_notebook_change_nothing(three_nights: Path, tmp_path: Path) -> None:
    for name in ("pipeline", "parsers", "flows"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a file beside the notebook was run')", encoding="utf-8")
    code = """
import sys
from bma_progress import open_store, parse_page, timeline_text
store = open_store(sys.argv[1])
assert store.verify(deep=True) == []
print(len(store.table("projects")), len(store.diff("previous", "latest")) > 0, parse_page(b"").verdict)
print(timeline_text(store, "24000000-3051").splitlines()[0])
"""
    done = python(code, three_nights, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("15 True empty\n24000000-3051 in 3 harvests of http://127.0.0.1:")


def test_another_module_of_our_name_that_is_loaded_already_is_named(tmp_path: Path) -> None:
    (tmp_path / "pipeline.py").write_text("", encoding="utf-8")
    done = python("import pipeline\nfrom bma_progress import open_store\n", cwd=tmp_path)
    assert done.returncode == 1
    assert f"ImportError: {tmp_path / 'pipeline.py'} is loaded under the name 'pipeline'" in done.stderr
    assert "rename that file, or import from bma_progress before it" in done.stderr


def test_users_of_mypy_see_its_types(tmp_path: Path) -> None:
    (tmp_path / "notebook.py").write_text(
        "from bma_progress import open_store, parse_page\n"
        'reveal_type(open_store("data").table("projects"))\n'
        'reveal_type(parse_page(b"").verdict)\n'
        'open_store("data").compact()\n',
        encoding="utf-8",
    )
    # with the project's own options: what mypy kept when it checked the project is used again
    command = [sys.executable, "-m", "mypy", str(tmp_path / "notebook.py")]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False, timeout=300
    )
    assert 'Revealed type is "pandas.core.frame.DataFrame"' in done.stdout, done.stdout + done.stderr
    assert "Literal['ok']" in done.stdout
    assert '"Store" has no attribute "compact"' in done.stdout
