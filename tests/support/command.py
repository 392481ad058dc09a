"""The command line in this process."""

import contextlib
import io
import subprocess

from flows.cli import main


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command line in this process: an exception that a person would see as a traceback fails the test."""
    status, out, err = 0, io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as done:
            status = int(done.code or 0)
    out.seek(0)
    return subprocess.CompletedProcess(arguments, status, out.read(), err.getvalue())
