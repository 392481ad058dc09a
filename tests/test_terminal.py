"""What people see on a real terminal: colours that fit its width, line editing, and plain text in a pipe."""

import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from fcntl import ioctl
from pathlib import Path

import pytest
from rich.cells import cell_len
from support.command import run

from pipeline.plain_text import printable
from pipeline.terminal import aligned, one_line

PROGRAM = [sys.executable, "-c", "from flows.cli import main; main()"]
WIDTH = 120


class Terminal:
    """A command on a pseudo-terminal of its own."""

    def __init__(self, *arguments: object, state: Path) -> None:
        self._master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, WIDTH, 0, 0))
        environment = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")
        }
        environment |= {"TERM": "xterm-256color", "XDG_STATE_HOME": str(state)}
        self._process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)], stdin=slave, stdout=slave, stderr=slave, env=environment, close_fds=True
        )
        os.close(slave)
        self.output = ""

    def wait_for(self, text: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while text not in self.output:
            assert time.monotonic() < end, f"no {text!r} in {self.output!r}"
            if select.select([self._master], [], [], 0.5)[0]:
                self.output += os.read(self._master, 65_536).decode("utf-8", "replace")

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def end(self, seconds: float = 60) -> int:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if select.select([self._master], [], [], 0.5)[0]:
                    self.output += os.read(self._master, 65_536).decode("utf-8", "replace")
            except OSError:  # the program closed the terminal
                break
        os.close(self._master)
        return self._process.wait(seconds)


def without_escapes(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")


@pytest.mark.parametrize(
    ("arguments", "status"), [(("status", "--late-hours", "1e6"), 0), (("diff", "previous", "latest"), 1)]
)
def test_colours_on_a_terminal_and_plain_text_in_a_pipe(
    three_nights: Path, tmp_path: Path, arguments: tuple[str, ...], status: int
) -> None:
    terminal = Terminal(*arguments, "--data", three_nights, state=tmp_path)
    assert terminal.end() == status
    assert "\x1b[3" in terminal.output, "no colour"
    piped = run(*arguments, "--data", three_nights)
    assert piped.returncode == status
    assert "\x1b" not in piped.stdout
    assert not any(line.endswith(" ") for line in piped.stdout.splitlines())
    words = set(re.findall(r"[a-z_]{5,}|\d{4,}", piped.stdout))
    assert words - set(re.findall(r"[a-z_]{5,}|\d{4,}", without_escapes(terminal.output))) == set(), (
        "the terminal lacks something"
    )


def test_a_table_of_changes_fits_the_terminal(three_nights: Path, tmp_path: Path) -> None:
    terminal = Terminal("diff", "previous", "latest", "--data", three_nights, state=tmp_path)
    terminal.end()
    said, _, output = without_escapes(terminal.output).partition("\n")
    assert said.startswith("bma-progress: compared A, ")
    table = output.partition("differences:")[0].splitlines()
    assert len(table) > 3
    assert max(map(cell_len, table)) <= WIDTH


def test_thai_columns_stand_below_each_other() -> None:
    lines = aligned([["ก่อสร้าง", "a"], ["น้ำ", "b"], ["ab", "c"]]).splitlines()
    assert {cell_len(line) for line in lines} == {cell_len("ก่อสร้าง") + 3}
    assert [line[-1] for line in lines] == ["a", "b", "c"]


def test_no_text_of_a_page_commands_the_terminal() -> None:
    assert printable("ก\u0e49\u200b\x1b[31m\u202e") == "ก\u0e49��[31m�"
    assert printable("a\nb") == "a\nb"
    assert one_line("a\nb\tc", 48) == "a b c"
    assert one_line(None, 48) == "(nothing)"
    assert one_line("ก" * 50, 48) == "ก" * 47 + "…"
    assert one_line("ที่" * 5, 4) == "ที่ที่ที่…", "marks take no column"
    assert one_line("กกเก้า", 4) == "กก…", "no vowel is left without its letter"


def test_the_sql_prompt_edits_lines_and_keeps_a_history(three_nights: Path, tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    first = Terminal("sql", "--data", three_nights, state=tmp_path)
    first.wait_for("sql> ")
    first.type("SELECT 40 + \n")
    first.wait_for("...> ")
    first.type("3 AS answr;\x1b[D\x1b[De\n")  # two steps to the left, to put the missing letter in
    first.wait_for("43")
    assert "answer" in without_escapes(first.output.rpartition("...> ")[2])
    first.type("exit\n")
    assert first.end() == 0
    history = tmp_path / "bma-progress" / "sql_history"
    assert history.read_text().splitlines() == ["SELECT 40 + ", "3 AS answer;", "exit"]
    assert history.stat().st_mode & 0o777 == 0o600
    second = Terminal("sql", "--data", three_nights, state=tmp_path)
    second.wait_for("sql> ")
    second.type("\x1b[A\x1b[A\x1b[A")  # the arrow up three times
    second.wait_for("SELECT 40 + ")
    second.type("2;\n")
    second.wait_for("42")
    second.output = second.output.rpartition("42")[2]
    second.wait_for("sql> ")  # before it, no line is edited, and Ctrl-D is lost
    second.type("\x04")
    assert second.end() == 0


def test_quit_ends_a_piped_session_too(three_nights: Path) -> None:
    pytest.importorskip("duckdb")
    done = subprocess.run(
        [*PROGRAM, "sql", "--format", "csv", "--data", three_nights],
        input="SELECT 1 AS n;\nQUIT;\nSELECT 2 AS n;\n", capture_output=True, encoding="utf-8", timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout == '"n"\n1\n'
