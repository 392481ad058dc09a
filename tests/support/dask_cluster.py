"""A Dask cluster as an operator starts it: a scheduler and workers, each a process."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def cluster(folder: Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and workers as an operator starts them: the address, and the workers' processes."""
    file = folder / "scheduler.json"
    environment = {**os.environ, "DASK_LOGGING__DISTRIBUTED": "error"}
    dask = [sys.executable, "-m", "dask"]
    local = ["--host", "127.0.0.1"]
    with ExitStack() as stack, (folder / "dask.log").open("wb") as log:

        def start(*arguments: str) -> subprocess.Popen[bytes]:
            process = subprocess.Popen([*dask, *arguments], stdout=log, stderr=log, env=environment)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        start("scheduler", *local, "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
        one = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(folder))
        running = [start("worker", *local, "--scheduler-file", str(file), *one) for _ in range(workers)]
        deadline = time.monotonic() + 60
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        yield json.loads(file.read_text())["address"], running
