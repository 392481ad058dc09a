"""What `replay` costs on Dask workers: `python tests/benchmarks/replay_workers.py [--pages 20000]`.

A store of invented pages is written by the store's own writer. Then the command reads all of them again: in one process,
and with a scheduler and one worker, and two, as an operator starts them. For each: seconds, and the CPU seconds of every
process, each without those of the same command on a store of ten pages, which are shown as the start.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from many_nights import harvest_night
from support.dask_cluster import cluster

_COMMAND = (sys.executable, "-c", "from flows.cli import main; main()", "replay", "--quiet", "--data")


def cpu() -> float:
    """CPU seconds of all processes that were started and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def replay(data: Path, arguments: Sequence[str] = ()) -> tuple[float, str]:
    """Seconds of one replay, and what it printed."""
    began = time.monotonic()
    done = subprocess.run([*_COMMAND, str(data), *arguments], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    return time.monotonic() - began, done.stdout


def measure(data: Path, workers: int) -> tuple[float, float, str]:
    """Seconds, CPU seconds of all processes, and what was printed. workers: 0 for this process alone"""
    before = cpu()
    if not workers:
        seconds, text = replay(data)
    else:
        with tempfile.TemporaryDirectory() as folder, cluster(Path(folder), workers) as (address, _):
            seconds, text = replay(data, ("--runner", "dask", "--dask-address", address))
    return seconds, cpu() - before, text


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pages", type=int, default=20_000)
    options.add_argument("--data", type=Path, help="a store to be written, or one of an earlier run")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data, small = chosen.data or Path(folder) / "store", Path(folder) / "small"
        if not data.exists():
            harvest_night(data, 1, chosen.pages)
        harvest_night(small, 1, 10)
        alone: tuple[float, float, str] | None = None
        for workers in (0, 1, 2):
            start, (seconds, used, text) = measure(small, workers), measure(data, workers)
            alone = alone or (seconds - start[0], used - start[1], text)
            if text != alone[2]:
                raise SystemExit(f"{workers} worker(s) printed something else")
            seconds, used = seconds - start[0], used - start[1]
            print(
                f"{f'{workers} worker(s)' if workers else 'one process':12} {seconds:7.1f} s ({seconds / alone[0]:4.2f} x), "
                f"CPU {used:7.1f} s ({used / alone[1]:4.2f} x), {1000 * used / chosen.pages:5.2f} ms a page; "
                f"start {start[0]:4.1f} s, CPU {start[1]:4.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
