"""docs/operating.md explains every message of the program, and its commands are run as written."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.harvests import harvest
from support.messages import ROOT, messages

from pipeline.api import open_store
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.settings import SETTINGS

TEXT = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
MESSAGES = TEXT[TEXT.index("## A night was held back") : TEXT.index("## Security")]


def quoted() -> list[str]:
    """The sentences in the first columns of the tables of messages."""
    cells = [line.split(" | ")[0] for line in MESSAGES.splitlines() if line.startswith("| `")]
    return [span for cell in cells for span in re.findall(r"`([^`]+)`", cell.partition(" (`")[0])]


def test_every_message_is_explained_and_none_is_stale() -> None:
    said = {re.sub("…+", "…", text.replace("`", "")): where for text, where in messages().items()}
    assert len(said) > 150
    explained = quoted()
    assert {text: where for text, where in said.items() if text not in explained} == {}
    assert [text for text in explained if text not in said] == []
    assert len(explained) == len(set(explained))


def test_the_settings_it_names_are_settings() -> None:
    named = set(re.findall(r"`([a-z]+_[a-z_]+)`", TEXT)) - {"held_back", "in_future", "open_store"}
    assert len(named) > 10
    assert {name for name in named if name not in SETTINGS} == set()
    variables = {name.removeprefix("BMA_PROGRESS_").lower() for name in re.findall(r"BMA_PROGRESS_[A-Z_]+", TEXT)}
    assert variables - set(SETTINGS) == {"config"}


def commands(heading: str) -> list[str]:
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with a store of two nights."""
    folder = tmp_path_factory.mktemp("operating")
    with DemoPortal() as portal:
        for portal.night in (1, 2):
            assert harvest(portal, folder / "data" / "portal").published
    return folder


def run(lines: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script = f"PATH={Path(sys.executable).parent}:$PATH\nset -eu\n{lines}"
    return subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def test_the_commands_of_one_look(kept: Path) -> None:
    done = run(commands("One look")[0], kept)
    assert done.returncode == 0, done.stderr
    assert re.search(r"Harvest \w+ of http://\S+: published\.", done.stdout)


def test_a_restored_backup_is_whole(kept: Path) -> None:
    backup, restore, keep = commands("Back up, restore")
    assert shutil.which("flock")
    for lines in (backup, restore, keep):
        done = run(lines, kept)
        assert done.returncode == 0, done.stderr
    before, after = open_store(kept / "data" / "portal"), open_store(kept / "restored" / "portal")
    first, *_ = ids = list(after.harvests()["harvest_id"])
    assert ids == list(before.harvests()["harvest_id"])
    assert after.table("projects").equals(before.table("projects"))
    hurt = kept / "restored" / "portal" / "harvests" / first / "projects.parquet"
    hurt.write_bytes(hurt.read_bytes()[:-1] + b"?")
    done = run("bma-progress verify --data restored/portal", kept)
    assert done.returncode == 1
    assert str(hurt.relative_to(kept / "restored" / "portal")) in done.stdout  # and the one file is enough
    shutil.copy(kept / "data" / "portal" / hurt.relative_to(kept / "restored" / "portal"), hurt)
    assert run("bma-progress verify --deep --data restored/portal", kept).returncode == 0


def test_a_backup_waits_for_nobody_and_no_harvest_begins_meanwhile(kept: Path) -> None:
    (backup,) = [line for line in commands("Back up, restore")[0].splitlines() if line.startswith("flock ")]
    busy = backup.replace("tar -C data -cf portal.tar portal", "bma-progress compact --data data/portal")
    done = run(busy, kept)
    assert done.returncode == 2
    assert "is being written by" in done.stderr


def test_an_upgrade_as_written(kept: Path) -> None:
    install, look, publish = commands("Upgrade")
    assert install == "pip install -c constraints.txt --upgrade .\n"  # tests of the container build what it installs
    done = run(look, kept)
    assert done.returncode == 0, done.stderr
    done = run(publish, kept)
    assert done.returncode == 0, done.stderr
    assert (
        "fetched nothing: another version of the parser read the stored pages again"
        in run(commands("One look")[0], kept).stdout
    )
