"""Where Prefect is not installed, everything that only reads works, and what harvests says what is missing."""

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.messages import ROOT

from pipeline.harvest.demo_portal import DemoPortal
from pipeline.store.verify import verify_store

HIDDEN = "import sys; sys.modules['prefect'] = None\nfrom flows.cli import main\n"


def without_prefect(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"{HIDDEN}main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=folder)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["parse", "{pages}/24000000-2964.html"], 0),
        (["diff", "previous", "latest"], 1),
        (["report", "--out", "report.html"], 0),
        (["history", "24000000-3051"], 0),
        (["export", "latest", "--out", "exported"], 0),
        (["status"], 0),
        (["sql", "SELECT count(*) FROM projects"], 0),
        (["dictionary", "--out", "dictionary"], 0),
        (["verify"], 0),
        (["evidence", "24000000-3051", "--out", "bundle"], 0),
        (["replay"], 0),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_only_reads_works(
    arguments: list[str], status: int, three_nights: Path, fixtures_html: Path, tmp_path: Path
) -> None:
    arguments = [argument.format(pages=fixtures_html) for argument in arguments]
    if arguments[0] != "parse":
        arguments += ["--data", str(three_nights)]
    done = without_prefect(tmp_path, *arguments)
    assert (done.returncode, done.stderr.count("Traceback")) == (status, 0), done.stderr
    assert done.stdout


def test_a_harvest_works_without_an_orchestrator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BMA_PROGRESS_ANCHOR_COMMAND", "false")
    monkeypatch.setenv("BMA_PROGRESS_TIMESTAMP_URL", "http://127.0.0.1:9/")
    with DemoPortal() as portal:
        arguments = ["--portal", portal.url, "--data", "store", "--rate", 1000, "--agencies", "2400"]
        done = without_prefect(tmp_path, "harvest", "--orchestrator", "none", *arguments)
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    assert ": published." in done.stdout
    (*_, line) = done.stdout.splitlines()  # a journal needs no other
    assert re.fullmatch(r"harvest \w+ of http://\S+: published; \d+ pages, 0 failed, \d+ s; changes: none", line)
    feed = ElementTree.parse(tmp_path / "store" / "latest" / "changes.atom").getroot()
    assert feed.tag == "{http://www.w3.org/2005/Atom}feed"
    assert verify_store(tmp_path / "store") == []
    # what takes the night's line elsewhere may fail: it is said, and the night stands
    assert "the command false ended with status 1" in done.stderr
    assert (
        "the time-stamp authority 127.0.0.1 gave no answer (ConnectError), so the line was not stamped" in done.stderr
    )
    (run,) = (tmp_path / "store" / "runs").iterdir()
    assert (run / "head.txt").read_text().startswith("bma-progress-head 1 ")
    assert [line.partition("  ")[2] for line in (run / "SHA256SUMS.later").read_text().splitlines()] == [
        "head.txt",
        "anchor.json",
    ]


def test_the_package_for_notebooks_works(three_nights: Path, tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['prefect'] = None\nfrom bma_progress import open_store, parse_page\n"
        "print(len(open_store(sys.argv[1]).table('projects')) > 0, parse_page(b'').verdict)"
    )
    command = [sys.executable, "-c", program, str(three_nights)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path)
    assert done.stdout == "True empty\n", done.stderr


@pytest.mark.parametrize("command", ["harvest", "backfill", "serve", "demo"])
def test_what_harvests_says_what_is_missing_and_writes_nothing(command: str, tmp_path: Path) -> None:
    (tmp_path / "portals.toml").write_text('[[harvest]]\nportal = "http://127.0.0.1:9"\ndata = "store"\n')
    arguments = {
        "backfill": ["portals.toml"],
        "demo": ["--data", "store"],
    }.get(command, ["--portal", "http://127.0.0.1:9", "--data", "store"])
    done = without_prefect(tmp_path, command, *arguments)
    assert done.returncode == 2
    assert re.fullmatch(
        r"(?:bma-progress: no contact.*\n)?bma-progress: this command needs Prefect, which is not installed; .*\n",
        done.stderr,
    )
    assert [path.name for path in tmp_path.iterdir()] == ["portals.toml"]
    (wanted,) = re.findall(r"pip install '(prefect[^']*)'", done.stderr)
    assert f'"{wanted}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_help_loads_no_library_of_a_command(tmp_path: Path) -> None:
    program = (
        "import sys, json\nfrom flows.cli import main\ntry:\n main(['--help'])\nexcept SystemExit: pass\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert not loaded & {"prefect", "pandas", "pyarrow", "httpx", "pydantic", "rich", "selectolax", "duckdb"}
    assert len(loaded) < 350
