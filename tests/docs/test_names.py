"""Files and modules that the documents name exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATH = re.compile(r"`((?:bma_progress|docs|fixtures_html|flows|parsers|pipeline|tests|\.ci)/[\w./-]*)`")
LINK = re.compile(r"\]\((?!https?:|#|reference/)([^)#]+)")
MODULE = re.compile(r"`((?:harvest|store|compare|publish|operate|schema)/\w+)`")


@pytest.mark.parametrize(
    "name",
    ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md", "docs/operating.md", "docs/first-hour.md"],
)
def test_paths_and_links_exist(name: str) -> None:
    document = ROOT / name
    text = document.read_text(encoding="utf-8")
    paths = [ROOT / path for path in PATH.findall(text)]
    paths += [document.parent / link for link in LINK.findall(text)]
    paths += [ROOT / "pipeline" / f"{module}.py" for module in MODULE.findall(text)]
    assert paths
    assert [str(path) for path in paths if not path.exists()] == []


def test_the_picture_names_every_package_and_module() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    picture = text.split("```")[1]
    files = [*(ROOT / "pipeline").iterdir(), *(ROOT / "flows").iterdir()]
    names = {file.stem for file in files if file.suffix == ".py" or (file.is_dir() and (file / "__init__.py").exists())}
    named = set(re.findall(r"\w+", picture))
    assert names - {"__init__"} - named == set()
    store = {file.stem for file in (ROOT / "pipeline" / "store").glob("*.py")} - {"__init__"}
    assert store - set(re.findall(r"`(\w+)`", text.partition("Within `store`")[2].partition("\n## ")[0])) == set()
