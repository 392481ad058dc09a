"""The status for other programs."""

import re
import shutil
from pathlib import Path

from support.command import run

from pipeline.store.writer import open_archive


def test_prometheus_reads_the_condition(three_nights: Path) -> None:
    done = run("status", "--format", "prometheus", "--data", three_nights, "--late-hours", "1e9")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert all(re.fullmatch(r'bma_progress_[a-z_]+\{store="[^"]+"(,[a-z]+="[a-z_]+")?\}', name) for name in samples)
    store = f'store="{three_nights}"'
    assert samples[f"bma_progress_good{{{store}}}"] == "1"
    assert samples[f'bma_progress_state{{{store},state="held_back"}}'] == "0"
    outcomes = open_archive(three_nights).manifest(open_archive(three_nights).harvest_ids()[-1])["outcomes"]
    assert samples[f'bma_progress_pages{{{store},outcome="unchanged"}}'] == str(outcomes["unchanged"])
    late = run("status", "--format", "prometheus", "--data", three_nights, "--late-hours", "1e-9")
    assert late.returncode == 1
    assert f'bma_progress_state{{{store},state="late"}} 1' in late.stdout


def test_a_file_that_latest_lacks_is_no_good_status(three_nights: Path, tmp_path: Path) -> None:
    store = shutil.copytree(three_nights, tmp_path / "store", symlinks=True)
    late = ("status", "--data", store, "--late-hours", "1e9")
    assert run(*late).returncode == 0
    projects = store / "latest" / "projects.parquet"
    projects.write_bytes(projects.read_bytes()[:-1])
    (store / "latest" / "kpis.parquet").unlink()
    done = run(*late)
    assert done.returncode == 1
    assert re.search(
        r"DAMAGED: in latest/ kpis.parquet, projects.parquet missing or cut; the next harvest", done.stdout
    )
    shutil.rmtree(store / "snapshots")
    assert (lost := run(*late)).returncode == 1
    assert "snapshot.json missing" in lost.stdout


def test_latest_that_shows_an_older_harvest_is_no_good_status(three_nights: Path, tmp_path: Path) -> None:
    store = shutil.copytree(three_nights, tmp_path / "store", symlinks=True)
    older, newest = open_archive(store).harvest_ids()[-2:]
    (store / "latest").unlink()
    (store / "latest").symlink_to(Path("snapshots", older))
    done = run("status", "--data", store, "--late-hours", "1e9")
    assert done.returncode == 1
    assert f"DAMAGED: latest/ shows the harvest {older}, not {newest}, which was published" in done.stdout
