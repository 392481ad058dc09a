"""Every command that writes, killed at its steps: `latest` stays readable, and the next start goes on as if nothing was."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.command import run

from pipeline.store.harvests import ids_in
from pipeline.store.snapshots import snapshot_document

_PROGRAM = Path(__file__).parents[1] / "support" / "killed_commands.py"


def outdated(data: Path) -> None:
    """Have the snapshots look as if a version with other columns had written them."""
    for snapshot in (data / "snapshots" / id_ for id_ in ids_in(data / "snapshots")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pipeline.store.snapshots.schema_version", lambda: "older")
            files = sorted(file for file in snapshot.iterdir() if file.name != "snapshot.json")
            (snapshot / "snapshot.json").write_bytes(snapshot_document(files, snapshot.name))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "stride"),
    [
        ("migrate --data {data}", 19),
        ("replay --publish --data {data}", 23),
        ("export latest --data {data} --out {out}", 7),
        ("compact", 8),
        ("prune", 2),
    ],
)
def test_a_kill_at_any_step_costs_nothing(three_nights: Path, tmp_path: Path, command: str, stride: int) -> None:
    data = tmp_path / "data"
    shutil.copytree(three_nights, data, symlinks=True)
    if command.startswith("migrate"):
        outdated(data)
    if command == "prune":
        assert run("replay", "--publish", "--data", data).returncode == 0  # so that one of four has to go
    arguments = [sys.executable, str(_PROGRAM), str(data), str(tmp_path / "work"), str(stride), *command.split()]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=400, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["wrong"] == [], done.stderr
    assert said["steps"] > 1
