"""The notebooks run from the first cell to the last, on stores rich and poor, and are committed without outputs."""

import json
import os
import re
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient
from support.harvests import harvest
from support.synthetic_portal import Handler

from pipeline.compare.trends import most_rewritten
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.portal import project_ref
from pipeline.harvest.result import Scope
from pipeline.harvest.run import HarvestRun, run_harvest
from pipeline.settings import load_settings
from pipeline.store.writer import create_store, open_archive, open_writer

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


SILENT = "18000000-0519"


@pytest.fixture(scope="module")
def one_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one night of one project, which never reported."""
    data = tmp_path_factory.mktemp("one") / "store"
    with DemoPortal() as portal:
        page = project_ref(portal.url, SILENT)
        assert harvest(portal, data, Scope(pages=(page,))).published
    return data


@pytest.fixture(scope="module")
def another_portal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two nights of a portal whose every agency has projects, and that has no indicators."""
    data = tmp_path_factory.mktemp("another") / "store"

    class Portal(Handler):
        projects, share = 130, 0.2

    server = ThreadingHTTPServer(("127.0.0.1", 0), Portal)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    store = create_store(data, address)
    for Portal.night in (1, 3):
        with open_writer(store.root) as store:
            night = HarvestRun.begin(
                load_settings(portal=address, data=data, rate=1_000_000, retries=0), store, Scope()
            )
            result = run_harvest(night)
            night.close()
        assert result is not None
        assert result.published
    server.shutdown()
    server.server_close()
    return data


def run(name: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """All outputs of a notebook on a store; an error in a cell is raised."""
    monkeypatch.setenv("BMA_PROGRESS_DATA", str(data))
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    resources = {"metadata": {"path": str(NOTEBOOKS)}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def text_of(outputs: list[dict[str, Any]]) -> str:
    texts = [output.get("text", "") for output in outputs]
    for output in outputs:
        texts += [str(output.get("data", {}).get(kind, "")) for kind in ("text/plain", "text/html")]
    return "\n".join(texts)


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
    assert "13 indicators can be rated; 1 have no result, 1 have a unit whose direction differs." in text
    assert figures_of(outputs) == 6
    assert not [output for output in outputs if output.get("name") == "stderr" and "Glyph" in output["text"]]
    no_one_is_named(text, three_nights)
    source = (NOTEBOOKS / "first_look.ipynb").read_text(encoding="utf-8")
    assert "import pandas" in source
    assert not re.search(r"import (?:pipeline|parsers|flows)|from (?:pipeline|parsers|flows)", source)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_audit(three_nights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = run("audit", three_nights, monkeypatch)
    text = text_of(outputs)
    assert "Every file is as it was committed." in text
    assert "report_edited: progress_reports 1 progress_percent" in text
    assert "24000000-3051: 2 stored pages" in text
    assert "2 of 2 pages have the hash that the store's history names for them." in text
    assert figures_of(outputs) == 3
    no_one_is_named(text, three_nights)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_from_a_red_flag_to_the_evidence(three_nights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = run("newsroom", three_nights, monkeypatch)
    text = text_of(outputs)
    assert "24000000-3051" in text
    whole = re.search(r"24000000-3051: หลักฐาน 2 หน้า ไฟล์ที่ค่าแฮชตรง (\d+) จาก (\d+) ไฟล์", text)
    assert whole
    assert whole[1] == whole[2] != "0"
    assert figures_of(outputs) == 2
    assert not [output for output in outputs if output.get("name") == "stderr" and "Glyph" in output["text"]]
    no_one_is_named(text, three_nights)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_first_look_at_another_portal(another_portal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = run("first_look", another_portal, monkeypatch)
    text = text_of(outputs)
    assert "130 projects of" in text
    assert "130 projects can be compared" in text
    assert "the 15 furthest behind are shown" in text
    assert "0 indicators can be rated" in text
    assert figures_of(outputs) == 5
    no_one_is_named(text, another_portal)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_audit_of_another_portal(another_portal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = run("audit", another_portal, monkeypatch)
    rewritten = most_rewritten(open_archive(another_portal))
    assert len(rewritten) > 5
    assert f"{rewritten.code[0]}: 2 stored pages" in text_of(outputs)
    assert "2 of 2 pages have the hash" in text_of(outputs)
    assert figures_of(outputs) == 3
    no_one_is_named(text_of(outputs), another_portal)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_one_night_of_a_project_that_never_reported(one_night: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = text_of(run("first_look", one_night, monkeypatch))
    assert "No project has both a plan and a report yet." in text
    assert "1 projects never reported." in text

    outputs = run("audit", one_night, monkeypatch)
    text = text_of(outputs)
    assert "This store holds one published night: there is nothing to compare yet." in text
    assert f"{SILENT} shows no progress report, so there is no curve." in text
    assert "1 of 1 pages have the hash" in text
    assert figures_of(outputs) == 0


@pytest.mark.parametrize("name", ["first_look", "audit"])
def test_a_store_without_a_night_is_one_sentence(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_store(tmp_path, "http://portal.example")
    monkeypatch.setenv("BMA_PROGRESS_DATA", str(tmp_path))
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    beginning = "\n".join([cell.source for cell in cells if cell.cell_type == "code"][:2])
    with pytest.raises(SystemExit, match=rf"^{tmp_path} holds no published night; "):
        exec(beginning, {})


@pytest.mark.parametrize("name", ["first_look", "audit"])
def test_a_folder_is_seen_from_the_repository_too(
    name: str, three_nights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "demo").symlink_to(three_nights)
    monkeypatch.chdir(tmp_path / "notebooks")
    for named in (None, "data/demo", "../data/demo", str(three_nights)):
        monkeypatch.delenv("BMA_PROGRESS_DATA", raising=False)
        if named:
            monkeypatch.setenv("BMA_PROGRESS_DATA", named)
        cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
        source = next(cell.source for cell in cells if "BMA_PROGRESS_DATA" in cell.source and cell.cell_type == "code")
        lines = source[source.index("DATA = ") : source.index("\n\n# Matplotlib")]
        seen = {"os": os, "Path": Path}
        exec(lines, seen)
        assert Path(seen["DATA"]).resolve() == three_nights.resolve()  # type: ignore[arg-type]


@pytest.mark.parametrize("file", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda file: file.stem)
def test_no_output_is_committed(file: Path) -> None:
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) > 5
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
