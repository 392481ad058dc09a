"""The group of commands: what `--help` lists, and where each is defined."""

import json
import os
import platform
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from support.command import run

from flows.cli import cli
from flows.cli.app import MODULES


@pytest.mark.parametrize("module", MODULES)
def test_each_module_defines_the_commands_declared_for_it(module: str) -> None:
    defined = {
        value.name for value in vars(import_module(f"flows.cli.{module}")).values() if isinstance(value, click.Command)
    }
    assert defined == set(MODULES[module])


def test_a_command_that_is_not_there_is_none() -> None:
    assert cli.get_command(click.Context(cli), "mend") is None


def test_rare_options_stand_at_the_end_of_the_help() -> None:
    command = cli.get_command(click.Context(cli), "harvest")
    assert command
    usual, _, advanced = command.get_help(click.Context(command, info_name="harvest")).partition("Advanced options:")
    assert "--portal" in usual
    assert "--no-robots" not in usual
    assert "--no-robots" in advanced
    assert "--help" in usual


def test_without_arguments_the_help_is_printed() -> None:
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: " in done.stdout


@pytest.mark.parametrize("name", [name for names in MODULES.values() for name in names])
def test_every_help_names_the_exit_statuses(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command
    assert "exit status:" in command.get_help(click.Context(command, info_name=name)).lower()


@pytest.mark.parametrize("encoding", ["cp874", "cp1252"])
def test_no_console_ends_in_a_traceback(three_nights: Path, encoding: str) -> None:
    """Data leaves as UTF-8; what people read has other signs for letters that the console lacks."""
    environment = {
        **os.environ,
        "PYTHONIOENCODING": encoding,
        "PYTHONUTF8": "0",
        "BMA_PROGRESS_DATA": str(three_nights),
    }
    said = {}
    for line in ("history 24000000-3051", "history 24000000-3051 --format json", "diff previous latest --format csv"):
        command = [sys.executable, "-c", "from flows.cli import main; main()", *line.split()]
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert b"Traceback" not in done.stderr
        said[line] = done.stdout
    text, data, table = said.values()
    assert text.decode(encoding).startswith("24000000-3051 in 3 harvests")
    assert json.loads(data.decode("utf-8"))
    assert "โครงการ" in table.decode("utf-8")


def test_commands_that_read_import_only_what_they_need(three_nights: Path, tmp_path: Path) -> None:
    code = """
import contextlib, sys
from flows.cli import main
heavy = {"pandas", "httpx", "pydantic", "cryptography", "prefect", "parsers.grammar", "rich.console", "fsspec", "asyncio"}
heavy.add("cloudpickle")
for line in sys.argv[1:]:
    with contextlib.suppress(SystemExit):
        main(line.split())
    if line == "export --help":  # a quarter of its time would be theirs
        print(sorted((heavy | {"pyarrow", "hashlib", "json", "shutil", "shlex"}) & sys.modules.keys()))
    if line == "head":  # so far the store's documents were enough
        print(sorted((heavy | {"pyarrow", "numpy", "duckdb"}) & sys.modules.keys()))
print(sorted(heavy & sys.modules.keys()))
print("pool", sys.modules["pyarrow"].default_memory_pool().backend_name)
"""
    lines = [
        "export --help",
        "status",
        "verify",
        "head",
        "history 24000000-3051",
        "diff previous latest",
        f"export latest --format csv --out {tmp_path / 'tables'}",
        "sql FROM/**/projects",
        f"evidence 24000000-3051 --out {tmp_path / 'bundle'}",
    ]
    data = {**os.environ, "BMA_PROGRESS_DATA": str(three_nights)}
    done = subprocess.run([sys.executable, "-c", code, *lines], env=data, capture_output=True, text=True, check=True)
    assert (tmp_path / "tables" / "projects.csv").exists()
    assert (tmp_path / "bundle" / "SHA256SUMS").exists()
    *_, pool = lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("[")] == ["[]"] * 3
    assert pool == "pool jemalloc" or platform.machine() != "x86_64" or sys.platform != "linux"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the setting")
def test_freed_memory_is_kept_for_the_next_page() -> None:
    code = """
import ctypes
from flows.startup import keep_freed_memory

class Usage(ctypes.Structure):  # mallinfo2(3)
    _fields_ = [(f"field_{number}", ctypes.c_size_t) for number in range(9)] + [("kept", ctypes.c_size_t)]

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes, libc.mallinfo2.restype = ctypes.c_void_p, [ctypes.c_void_p], Usage
keep_freed_memory()
libc.free(libc.malloc(3 << 20))
print(libc.mallinfo2().kept)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert int(said) >= 3 << 20


def test_long_work_shows_how_far_it_is_and_quiet_says_nothing(
    three_nights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.cli.waiting._BETWEEN_LINES", 0)
    shown = run("verify", "--deep", "--data", three_nights)
    assert "harvests compared with their pages: 1 of 3" in shown.stderr
    assert "is whole" in shown.stdout
    for arguments in (("-q", "export"), ("export", "--quiet")):
        out = tmp_path / arguments[-1]
        quiet = run(*arguments, "latest", "--out", out, "--format", "csv", "--data", three_nights)
        assert (quiet.returncode, quiet.stderr) == (0, "")
        assert "holds the tables" in quiet.stdout
    wrong = run("-q", "export", "latest", "--out", tmp_path / "x", "--data", tmp_path / "none")
    assert "holds no store" in wrong.stderr


def test_a_bar_is_drawn_on_a_terminal_after_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.cli import waiting

    clock, drawn = iter((0.0, 1.9, 2.1, 2.2)), []
    monkeypatch.setattr(waiting.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(waiting.Waiting, "_draw", lambda _, *told: drawn.append(told))
    bar = waiting.Waiting(lambda: 0)
    bar._terminal = True
    bar("pages", 1, 9)
    bar("pages", 2, 9)
    assert drawn == [("pages", 2, 9)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("history 24000000-30", {"24000000-3051"}),
        ("export pre", {"previous"}),
        ("diff latest 2", set()),
        ("sql project_o", {"FROM project_overview"}),
        ("sql FROM project_o", {"project_overview"}),
        ("export --data {nowhere} l", {"latest"}),
    ],
)
def test_the_shell_completes_nights_codes_and_tables(
    three_nights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, expected: set[str]
) -> None:
    words = ["bma-progress", *line.format(nowhere=tmp_path).split()]
    monkeypatch.setenv("BMA_PROGRESS_DATA", str(three_nights))
    completed = ShellComplete(cli, {}, "bma-progress", "_BMA_PROGRESS_COMPLETE").get_completions(words[1:-1], words[-1])
    ids = {path.name for path in (three_nights / "harvests").iterdir()}
    assert {one.value for one in completed} == (expected or ids)
    if words[1] == "sql":  # the shell puts the text into the line without quotes
        line = " ".join([*words[1:-1], *expected])
        done = run(*line.split(), "--data", three_nights)
        assert done.returncode == 0, done.stderr


def test_a_mistyped_command_is_told_the_nearest_name() -> None:
    done = run("statsu")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no command 'statsu'; did you mean status?" in done.stderr


def test_a_buddhist_year_is_refused_by_replay_too(three_nights: Path) -> None:
    done = run("replay", "--since", "2569-11-20", "--data", three_nights)
    assert done.returncode == 2
    assert "write 2026-11-20" in done.stderr


def test_a_long_query_shows_how_far_it_is(three_nights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.cli.waiting._BETWEEN_LINES", 0)
    monkeypatch.setattr("pipeline.progress._BETWEEN", 0.01)
    query = "SELECT count(*) AS n FROM range(30000000) a(i), range(10) b(j) WHERE i * j % 7 = 3"
    for form in ("table", "csv"):
        shown = run("sql", query, "--format", form, "--data", three_nights)
        assert re.search(r"^percent of the query done: \d+ of 100$", shown.stderr, re.MULTILINE), shown
        assert "of 100" not in shown.stdout


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (["site", "--out", "file"], "file cannot be written (File exists); choose another folder with --out"),
        (["demo", "--data", "file"], "file cannot be used (Not a directory); name another file or folder"),
        (["demo", "--data", "circle"], "circle cannot be made (File exists); name another folder for the store"),
        (["status", "--data", "file"], "file holds no store"),
        (["status", "--data", ""], "an empty name is no file and no folder"),
        (["report", "--out", "."], ". cannot be written (Is a directory); choose another file"),
        (["export", "latest", "--out", b"\xff"], "a name must be text"),
        (["site", "--out", "x" * 300], "cannot be written (File name too long)"),
    ],
)
def test_a_wrong_name_is_one_sentence(
    three_nights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: list[str | bytes], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to("circle")
    monkeypatch.setenv("BMA_PROGRESS_DATA", str(three_nights))
    done = run(*map(os.fsdecode, line))
    assert done.returncode == 2
    assert sentence in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_an_output_that_is_closed_or_full(three_nights: Path) -> None:
    program = f"{sys.executable} -c 'from flows.cli import main; main()'"
    for line, status in (("status --late-hours 1e6", 0), ("sql FROM/**/projects", 0), ("diff previous latest", 1)):
        command = f"{program} {line} --data {three_nights}"
        closed = subprocess.run(f"{command} >&-", shell=True, capture_output=True, text=True, check=False)
        assert (closed.returncode, "Traceback" in closed.stderr) == (status, False), closed.stderr
    full = subprocess.run(
        f"{program} head --data {three_nights} >/dev/full", shell=True, capture_output=True, text=True, check=False
    )
    assert full.returncode == 2
    assert full.stderr.startswith("bma-progress: standard output cannot be used (No space left on device)")


def test_every_command_says_its_exit_statuses_and_defaults() -> None:
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        shown = " ".join(
            command.get_help(click.Context(command, info_name=name, parent=context, show_default=True)).split()
        )
        assert re.search("Exit status: 0 .*2 ", shown), name
        for option, default in (("--data", "data/"), ("--portal", "http://monitor"), ("--rate", "setting rate: 1.0")):
            if f"{option} " in shown:
                about = shown.partition(f" {option} ")[2].partition(" --")[0]
                assert re.search(rf"\[default: \(?[^]]*{re.escape(default)}", about), (name, option, about)
