"""What is on disk is not ours because we find it: links, pipes and odd names in a store that somebody handed over."""

import hashlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from support.command import run
from support.forging import edit_table, redo_hashes

from flows.prefect_.environment import prepare
from pipeline.errors import BmaProgressError, StoreDamagedError
from pipeline.location import mirrored_url
from pipeline.store.archive import Archive
from pipeline.store.layout import beside


def link_to_papers(name: str) -> Callable[[Path, Path], None]:
    def craft(given: Path, papers: Path) -> None:
        place = given / name
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        place.symlink_to(papers)

    return craft


def linked_harvest(given: Path, papers: Path) -> None:
    (given / "harvests" / "20200101T000000Z").symlink_to(papers)


def named_pipe(given: Path, papers: Path) -> None:
    file = next((given / "harvests").glob("2*/pages.parquet"))
    file.unlink()
    os.mkfifo(file)


def brackets(given: Path, papers: Path) -> None:
    (given / "store.json").write_text("[" * 200_000)


def list_for_a_manifest(given: Path, papers: Path) -> None:
    next((given / "harvests").glob("2*/manifest.json")).write_text("[]")


def pipe_in_a_snapshot(given: Path, papers: Path) -> None:
    file = (given / "latest").resolve() / "projects.parquet"
    file.unlink()
    os.mkfifo(file)


def pipe_for_a_manifest(given: Path, papers: Path) -> None:
    file = next((given / "harvests").glob("2*/manifest.json"))
    file.unlink()
    os.mkfifo(file)


def harvest_of_no_instant(given: Path, papers: Path) -> None:
    (given / "harvests" / "20260230T006100Z").mkdir()


def device_for_a_log(given: Path, papers: Path) -> None:
    file = next((given / "runs").glob("2*/log.jsonl"))
    file.unlink()
    file.symlink_to("/dev/zero")


def pack_that_unfolds(given: Path, papers: Path) -> None:
    with zipfile.ZipFile(given / "harvests" / "2020-01.zip", "w", zipfile.ZIP_DEFLATED) as pack:
        pack.writestr("20200101T000000Z/manifest.json", " " * 1_000_000)


def document(name: str, content: str) -> Callable[[Path, Path], None]:
    def craft(given: Path, papers: Path) -> None:
        max(given.glob(name)).write_text(content)

    craft.__name__ = f"{name}: {content[:20]}"
    return craft


def manifest_with(**fields: object) -> Callable[[Path, Path], None]:
    def craft(given: Path, papers: Path) -> None:
        file = max((given / "harvests").glob("2*/manifest.json"))
        file.write_text(json.dumps(json.loads(file.read_bytes()) | fields))

    craft.__name__ = f"manifest with {fields}"
    return craft


def pack_that_leads_out(given: Path, papers: Path) -> None:
    with zipfile.ZipFile(given / "harvests" / "2020-01.zip", "w") as pack:
        pack.writestr("../../papers/one.txt", "overwritten")


CRAFTED = (
    *(link_to_papers(name) for name in ("tmp", "harvests", "snapshots", "runs", "store.json")),
    *(linked_harvest, named_pipe, brackets, list_for_a_manifest, pack_that_leads_out),
    *(pipe_in_a_snapshot, pipe_for_a_manifest, harvest_of_no_instant, device_for_a_log, pack_that_unfolds),
    *(document("snapshots/2*/snapshot.json", content) for content in ("[" * 200_000, '{"files": []}')),
    *(document("head.json", content) for content in ("[" * 200_000, "NaN")),
    *(document("runs/2*/log.jsonl", content) for content in ("[]", '{"event": "failed", "reason": []}')),
    document("runs/2*/report.json", '{"coverage": [[]]}'),
    *(manifest_with(files=files) for files in ([], {"../../x.parquet": {"sha256": "0"}}, {"pages.parquet": [1]})),
    *(
        manifest_with(**{name: value})
        for name, value in {
            "previous": "../..",
            "report": [],
            "snapshot": {"files": 1},
            "outcomes": {"new": "x"},
            "held_back": {},
        }.items()
    ),
)


@pytest.mark.parametrize("craft", CRAFTED, ids=lambda craft: getattr(craft, "__name__", ""))
def test_a_crafted_store_harms_nobody(three_nights: Path, tmp_path: Path, craft: Callable[[Path, Path], None]) -> None:
    given, papers = tmp_path / "given", tmp_path / "papers"
    shutil.copytree(three_nights, given, symlinks=True)
    papers.mkdir()
    (papers / "one.txt").write_text("kept")
    craft(given, papers)
    export = ["export", "latest", "--out", tmp_path / "out"]
    for command in (
        ["status"],
        ["history", "24000000-3051"],
        ["verify"],
        ["compact"],
        export,
        ["diff", "previous", "latest"],
    ):
        result = run(*command, "--data", given)
        assert "Traceback" not in result.stderr
        assert result.returncode in ((1, 2) if command == ["verify"] else (0, 1, 2)), command
    assert [(file.name, file.read_text()) for file in papers.iterdir()] == [("one.txt", "kept")]


def wide_column(harvest: Path) -> None:
    table = pq.read_table(harvest / "projects.parquet")
    names = ["ก" * 50_000_000, *table["name"].to_pylist()[1:]]
    table = table.set_column(table.schema.get_field_index("name"), table.schema.field("name"), pa.array(names))
    pq.write_table(table, harvest / "projects.parquet", compression="zstd", use_dictionary=False)


def rows_for_nothing(harvest: Path) -> None:
    table = pq.read_table(harvest / "kpi_quarters.parquet").take([0] * 400_000)
    pq.write_table(table, harvest / "kpi_quarters.parquet", compression="zstd")


def rows_of_one_page(harvest: Path) -> None:
    table = pq.read_table(harvest / "projects.parquet").take([0] * 20_000)
    pq.write_table(table, harvest / "projects.parquet", compression="zstd")


@pytest.mark.parametrize(
    ("craft", "sentence"),
    [
        (wide_column, "the column name unfolds from 14628 bytes to 150002134"),
        (rows_for_nothing, "400,000 rows in"),
        (rows_of_one_page, "20,000 rows of pages that can have"),
    ],
)
def test_what_would_fill_the_memory_is_named_and_not_read(
    three_nights: Path, tmp_path: Path, craft: Callable[[Path], None], sentence: str
) -> None:
    given = tmp_path / "given"
    shutil.copytree(three_nights, given, symlinks=True)
    first = min((given / "harvests").iterdir())
    craft(first)
    with suppress(StoreDamagedError):  # manifests and head are done; the snapshots cannot be made of this
        redo_hashes(given)
    for command in (["verify", "--deep"], ["export", first.name, "--out", tmp_path / "out"]):
        result = run(*command, "--data", given)
        shutil.rmtree(given / "snapshots", ignore_errors=True)  # they are as they were made
        assert result.returncode == (1 if command[0] == "verify" else 2)
        assert sentence in result.stdout + result.stderr


def test_a_patch_of_itself_and_a_page_without_an_end_are_damage(three_nights: Path, tmp_path: Path) -> None:
    given = tmp_path / "given"
    shutil.copytree(three_nights, given, symlinks=True)
    file = min((given / "harvests").glob("2*/bodies.parquet"))
    endless = zstandard.ZstdCompressor().compress(bytes(100 << 20))

    def of_itself(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row |= {"encoding": "zstd-patch", "base_sha256": row["page_sha256"], "base_harvest_id": file.parent.name}
        rows[0]["encoding"] = "full"
        rows[1] |= {"base_sha256": rows[0]["page_sha256"], "body": endless}

    edit_table(file, of_itself)
    redo_hashes(given)
    stored = Archive(given)
    for sha256 in list(stored.stored_pages(file.parent.name))[1:3]:
        with pytest.raises(StoreDamagedError, match="is damaged"):
            stored.body(file.parent.name, sha256)
    result = run("replay", "--data", given)
    assert result.returncode == 2
    assert "is damaged; run `bma-progress verify`" in result.stderr


def test_tables_are_opened_by_the_one_function_that_looks_at_what_they_cost() -> None:
    root = Path(__file__).parents[2]
    files = [file for package in ("flows", "pipeline") for file in (root / package).rglob("*.py")]
    direct = re.compile(r"\bpq\.(?:read_table|read_metadata|read_schema|ParquetFile\()")
    found = {file.relative_to(root).as_posix() for file in files if direct.search(file.read_text(encoding="utf-8"))}
    assert found == {"pipeline/store/parquet_files.py"}


def test_a_copy_without_its_empty_folders_is_written_into(three_nights: Path, tmp_path: Path) -> None:
    given = tmp_path / "given"
    shutil.copytree(three_nights, given, symlinks=True)
    for name in ("tmp", "snapshots"):
        shutil.rmtree(given / name)
    assert run("compact", "--data", given).returncode == 0
    assert run("verify", "--data", given).returncode == 0


@pytest.mark.parametrize("column", ["page_key", "facts_sha256"])
def test_a_table_without_a_column_or_with_other_values_is_a_sentence(
    three_nights: Path, tmp_path: Path, column: str
) -> None:
    given = tmp_path / "given"
    shutil.copytree(three_nights, given, symlinks=True)
    file = min((given / "harvests").glob("2*/pages.parquet"))
    pq.write_table(pq.read_table(file).drop_columns([column]), file)
    with suppress(StoreDamagedError):
        redo_hashes(given)
    shutil.rmtree(given / "snapshots")
    result = run("export", "latest", "--out", tmp_path / "out", "--data", given)
    assert "Traceback" not in result.stderr
    assert result.returncode == 2
    assert "pages.parquet" in result.stderr


def test_a_note_beside_a_folder_from_elsewhere_leads_nowhere(three_nights: Path, tmp_path: Path) -> None:
    given = tmp_path / "given"
    shutil.copytree(three_nights, given, symlinks=True)
    (tmp_path / "given.url").write_text("s3://foreign/bucket")
    assert mirrored_url(given) is None
    assert "s3://foreign" not in run("status", "--data", given).stdout


def test_what_names_people_is_for_its_maker_only(three_nights: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        run("export", "latest", "--data", three_nights, "--out", tmp_path / "new" / "out")
        run("evidence", "24000000-3051", "--data", three_nights, "--out", tmp_path / "evidence")
        run("report", "--data", three_nights, "--out", tmp_path / "report.html")
    finally:
        os.umask(before)
    made = [path for name in ("new/out", "evidence") for path in (tmp_path / name, *(tmp_path / name).rglob("*"))]
    assert len(made) > 30
    assert [path for path in (*made, tmp_path / "report.html") if path.stat().st_mode & 0o077] == []
    assert (tmp_path / "new").stat().st_mode & 0o002 == 0


def test_settings_that_name_commands_come_from_a_file_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bma-progress.toml").write_text('notify_command = ["touch", "here"]\n')
    Path("bma-progress.toml").chmod(0o666)
    result = run("status")
    assert result.returncode == 2
    assert "everybody can write to it" in result.stderr


@pytest.mark.parametrize("planted", ["link", "open to all"])
def test_a_planted_home_of_prefect_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: str) -> None:
    monkeypatch.setattr(os, "environ", {name: value for name, value in os.environ.items() if "PREFECT" not in name})
    home = beside(tmp_path / "store", "prefect")
    if planted == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        home.symlink_to(tmp_path / "elsewhere")
    else:
        home.mkdir()
        home.chmod(0o777)
    with pytest.raises(BmaProgressError, match="name a folder of yours in PREFECT_HOME"):
        prepare(tmp_path / "store")


@pytest.mark.parametrize("name", ["prefect.toml", ".env"])
def test_a_file_of_the_working_folder_never_configures_prefect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(os, "environ", {key: value for key, value in os.environ.items() if "PREFECT" not in key})
    monkeypatch.chdir(tmp_path)
    Path(name).write_text("PREFECT_API_URL=http://203.0.113.1/api\n")
    with pytest.raises(BmaProgressError, match="would configure Prefect"):
        prepare(tmp_path / "store")


def test_names_that_another_user_planted_are_not_written_into(three_nights: Path, tmp_path: Path) -> None:
    planted = tmp_path / f".out-{os.getpid()}.partial"
    planted.mkdir(mode=0o777)
    (tmp_path / ".out-1x.partial").mkdir()
    result = run("export", "latest", "--data", three_nights, "--out", tmp_path / "out")
    assert result.returncode == 2
    assert "is in the way" in result.stderr
    assert list(planted.iterdir()) == []


@pytest.mark.skipif(os.name == "nt" or os.getuid() != 0, reason="only root can make another user's file")
@pytest.mark.parametrize("planted", ["link", "pipe"])
def test_nothing_is_written_through_what_another_user_planted(three_nights: Path, tmp_path: Path, planted: str) -> None:
    shared, victim = tmp_path / "shared", tmp_path / "victim"
    shared.mkdir()
    shared.chmod(0o1777)
    victim.write_text("kept")
    out = shared / "changes.csv"
    out.symlink_to(victim) if planted == "link" else os.mkfifo(out)
    os.chown(out, 65534, 65534, follow_symlinks=False)
    result = run("diff", "previous", "latest", "--format", "csv", "--out", out, "--data", three_nights)
    assert result.returncode == 2
    assert "another user put it there" in result.stderr
    assert victim.read_text() == "kept"


def test_a_settings_file_that_is_a_pipe_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "bma-progress.toml")
    monkeypatch.chdir(tmp_path)
    result = run("status")
    assert result.returncode == 2
    assert "cannot be read" in result.stderr


def test_bytes_that_are_no_parquet_are_a_sentence(three_nights: Path, tmp_path: Path) -> None:
    given = tmp_path / "given"
    shutil.copytree(three_nights, given, symlinks=True)
    for manifest in (given / "harvests").glob("2*/manifest.json"):
        document = json.loads(manifest.read_bytes())
        content = b"PAR1" + b"\xff" * 100 + b"\x40\x00\x00\x00PAR1"
        (manifest.parent / "kpis.parquet").write_bytes(content)
        document["files"]["kpis.parquet"]["sha256"] = hashlib.sha256(content).hexdigest()
        manifest.write_text(json.dumps(document))
    (given / "head.json").unlink()
    result = run("evidence", "2400-1013", "--data", given, "--out", tmp_path / "out")
    assert result.returncode == 2
    assert "a file of tables cannot be read" in result.stderr
