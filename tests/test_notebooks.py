"""The notebooks run from the first cell to the last, on three nights and on one, and are committed without outputs."""

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient
from test_harvest import harvest

from pipeline.embedded_portal import EmbeddedPortal

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


@pytest.fixture(scope="module")
def one_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("one") / "store"
    with EmbeddedPortal() as portal:
        assert harvest(portal, data).published
    return data


def run(name: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """All outputs of a notebook on a store; an error in a cell is raised."""
    monkeypatch.setenv("BMA_PROGRESS_DATA", str(data))
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    resources = {"metadata": {"path": str(NOTEBOOKS)}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def text_of(outputs: list[dict[str, Any]]) -> str:
    told = [output.get("text", "") for output in outputs]
    for output in outputs:
        told += [str(output.get("data", {}).get(kind, "")) for kind in ("text/plain", "text/html")]
    return "\n".join(told)


def figures_of(outputs: list[dict[str, Any]]) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs)


def no_one_is_named(text: str, data: Path) -> None:
    contacts = pd.read_parquet(data / "latest" / "contacts.parquet")
    names = contacts.contact_name.dropna()
    assert len(names) > 5
    assert [name for name in names if name in text] == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_first_look(three_nights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = run("first_look", three_nights, monkeypatch)
    text = text_of(outputs)
    assert "15 projects of 14 agencies, 57 progress reports, 14 indicators." in text
    assert "14 projects can be compared; 64% of them are more than 10 points behind." in text
    assert "12 indicators can be rated; 1 have no result, 2 have a unit whose direction differs." in text
    assert figures_of(outputs) == 6
    assert not [output for output in outputs if output.get("name") == "stderr" and "Glyph" in output["text"]]
    no_one_is_named(text, three_nights)
    source = (NOTEBOOKS / "first_look.ipynb").read_text(encoding="utf-8")
    assert "import pandas" in source
    assert not re.search(r"import (?:pipeline|parsers|flows)|from (?:pipeline|parsers|flows)", source)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_audit(three_nights: Path, one_night: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = run("audit", three_nights, monkeypatch)
    text = text_of(outputs)
    assert "Every file is as it was committed." in text
    assert "report_edited: progress_reports 1 progress_percent" in text
    assert "24000000-3051: 2 stored pages" in text
    assert "2 of 2 pages have the hash that the store's history names for them." in text
    assert figures_of(outputs) == 3
    no_one_is_named(text, three_nights)

    outputs = run("audit", one_night, monkeypatch)
    assert "This store holds one published night: there is nothing to compare yet." in text_of(outputs)
    assert "1 of 1 pages have the hash" in text_of(outputs)
    assert figures_of(outputs) == 1


@pytest.mark.parametrize("file", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda file: file.stem)
def test_no_output_is_committed(file: Path) -> None:
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) > 5
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
