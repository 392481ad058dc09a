"""What a harvest costs without Prefect: `python tests/benchmarks/harvest_scale.py [--pages 2000] [--harvests 4]`.

A synthetic portal answers from another process. For each harvest, in a process of its own: CPU seconds a page, peak memory,
bytes it added to harvests/ as a share of the first one's. In the second one the portal is unchanged; from the third on 2 % of
the projects change.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
_HARVEST = """
import json, resource, sys, time
from pathlib import Path
from pipeline.harvest.result import Scope
from pipeline.harvest.run import HarvestRun, run_harvest
from pipeline.settings import load_settings
from pipeline.store.writer import create_store, open_writer
url, data = sys.argv[1], Path(sys.argv[2])
settings = load_settings(portal=url, data=data, rate=1_000_000, concurrency=8, retries=1, max_gone_share=1)
store = create_store(data, url)
with open_writer(store.root) as store:
    start = time.monotonic()
    result = run_harvest(HarvestRun.begin(settings, store, Scope()))
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"published": result.published, "outcomes": result.outcomes, "seconds": time.monotonic() - start,
    "cpu": usage.ru_utime + usage.ru_stime, "rss_mb": usage.ru_maxrss / 1024, "id": result.harvest_id}))
"""


def harvest(pages: int, number: int, share: float, data: Path, port: int) -> tuple[dict, int]:
    """Serve and harvest the portal once; returns what the harvesting process measured of itself, and the port."""
    server = [
        sys.executable,
        str(ROOT / "tests" / "support" / "synthetic_portal.py"),
        str(pages),
        str(number),
        str(share),
        str(port),
    ]
    with subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as portal:
        assert portal.stdout
        url = portal.stdout.readline().strip()
        try:
            done = subprocess.run(
                [sys.executable, "-c", _HARVEST, url, str(data)], capture_output=True, text=True, check=True, cwd=ROOT
            )
        finally:
            portal.kill()
    return json.loads(done.stdout), int(url.rpartition(":")[2])


def main() -> None:
    """Run the harvests and print what they cost."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pages", type=int, default=2000)
    options.add_argument("--harvests", type=int, default=4)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "store"
        port = first_cpu = first_bytes = 0
        for number in range(1, chosen.harvests + 1):
            measured, port = harvest(chosen.pages, 1 if number == 2 else number, 0.02, data, port)
            size = sum(file.stat().st_size for file in (data / "harvests" / measured["id"]).iterdir())
            first_cpu, first_bytes = first_cpu or measured["cpu"], first_bytes or size
            pages = sum(measured["outcomes"].values())
            print(
                f"harvest {number}: {measured['seconds']:6.1f} s, CPU {1000 * measured['cpu'] / pages:5.2f} ms a page "
                f"({measured['cpu'] / first_cpu:4.0%} of the first), peak {measured['rss_mb']:4.0f} MB, "
                f"{size / 1e6:7.3f} MB ({size / first_bytes:6.2%} of the first), {measured['outcomes']}"
            )


if __name__ == "__main__":
    main()
