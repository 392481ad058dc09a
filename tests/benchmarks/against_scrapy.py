"""CPU a page of the harvest as users run it, against Scrapy's: `python tests/benchmarks/against_scrapy.py`.

One quiet portal on loopback, in a process of its own. `bma-progress harvest --orchestrator none` harvests it, and once
more, unchanged; then Scrapy fetches the same pages; and so several times in turns, as the CPU of one run differs by a quarter
on a shared machine. Printed are the medians, and the least and the most of the ratios. Both keep the bytes of every page and
extract the same fields with the same parser; ours also commits, compares and publishes. The CPU is that of the whole command
with all its processes, imports included. With `--prefect` the command also runs with Prefect, each time into a new store: with
a new home of Prefect, and again in it. Its modules are compiled before, as an installer does, and as Scrapy's are.

Left out: TLS, and what happens in the kernel for the portal. Scrapy is not among the project's dependencies: name a Python that
has it, with this project's own, by --scrapy-python.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from compileall import compile_dir
from contextlib import contextmanager
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
_COMMAND = (sys.executable, "-c", "import sys; from flows.cli import main; sys.exit(main())", "harvest")
_QUICK = {
    "PYTHONDONTWRITEBYTECODE": "",
    "BMA_PROGRESS_RATE": "1000000",
    "BMA_PROGRESS_CONCURRENCY": "8",
    "BMA_PROGRESS_CONTACT": "bench@example.org",
}
_SCRAPY = """
import json, sys
sys.path.insert(0, sys.argv[3])
from scrapy import Spider
from scrapy.crawler import CrawlerProcess
from parsers import parse_page
out, urls = sys.argv[2], open(sys.argv[1]).read().split()
bodies, rows = open(out, "wb"), open(out + ".jsonl", "w")
class Portal(Spider):
    name = "portal"
    handle_httpstatus_list = [404]
    custom_settings = {"LOG_ENABLED": False, "CONCURRENT_REQUESTS_PER_DOMAIN": 8, "DOWNLOAD_DELAY": 0, "ROBOTSTXT_OBEY": True}
    start_urls = urls
    def parse(self, response):
        bodies.write(response.body)
        rows.write(json.dumps(parse_page(response.body).tables, ensure_ascii=False) + "\\n")
process = CrawlerProcess()
process.crawl(Portal)
process.start()
"""


def cpu_of(command: tuple[str, ...], **environment: str) -> float:
    """Run a command; returns the CPU seconds of it and all processes that it waited for."""
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr
        errors = process.stderr.read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command[:4])} ended with {process.returncode}: {errors[-2000:]}")
    return usage.ru_utime + usage.ru_stime


@contextmanager
def served(pages: int) -> Iterator[str]:
    """The address of the portal, while it answers."""
    program = ROOT / "tests" / "support" / "synthetic_portal.py"
    command = [sys.executable, str(program), str(pages), "1", "0.02", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as portal:
        assert portal.stdout
        try:
            yield portal.stdout.readline().strip()
        finally:
            portal.kill()


def addresses(data: Path) -> tuple[list[str], int]:
    """The addresses of all pages that the last harvest knows, and how many of them it asked for."""
    from pipeline.store.writer import open_archive

    pages = open_archive(data).arrow("pages")
    return pages["url"].to_pylist(), sum(outcome != "skipped" for outcome in pages["outcome"].to_pylist())


def spread(ones: list[float], others: list[float]) -> str:
    """The median of the ratios of the rounds, the least and the most."""
    ratios = [one / other for one, other in zip(ones, others, strict=True)]
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} rounds)"


def main() -> None:
    """Harvest the same pages with both and print what each cost."""
    sys.path.insert(0, str(ROOT))
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pages", type=int, default=2000, help="projects of the portal")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--scrapy-python", default=sys.executable)
    options.add_argument("--prefect", action="store_true", help="also measure what Prefect adds")
    chosen = options.parse_args()
    for package in ("flows", "parsers", "pipeline"):
        compile_dir(ROOT / package, quiet=1)
    with tempfile.TemporaryDirectory() as name, served(chosen.pages) as url:
        folder = Path(name)

        def harvest(store: str, orchestrator: str, more: Mapping[str, str]) -> float:
            where = ("--portal", url, "--data", str(folder / store), "--orchestrator", orchestrator)
            return cpu_of((*_COMMAND, *where), **_QUICK, **more)

        firsts, seconds, scrapys = list[float](), list[float](), list[float]()
        for number in range(chosen.rounds):
            firsts.append(harvest(f"store-{number}", "none", {}))
            urls, asked = addresses(folder / f"store-{number}")
            seconds.append(harvest(f"store-{number}", "none", {}))
            _, asked_again = addresses(folder / f"store-{number}")
            (folder / "urls").write_text("\n".join(urls))
            places = (str(folder / "urls"), str(folder / "bodies"), str(ROOT))
            scrapys.append(cpu_of((chosen.scrapy_python, "-c", _SCRAPY, *places)))
        for who, cpus, pages, what in (
            ("ours", firsts, asked, "fetched, parsed, committed, published"),
            ("again", seconds, asked_again, "nothing changed"),
            ("Scrapy", scrapys, len(urls), "fetched, parsed, written"),
        ):
            print(f"{who:<8}{1000 * median(cpus) / pages:5.2f} ms of CPU a page, {pages:,} pages: {what}")
        print(f"ours / Scrapy: {spread(firsts, scrapys)}")
        print(f"second night / first: {spread(seconds, firsts)}; a page {asked / asked_again:.2f} times that")
        more: dict[str, list[float]] = {"new": [], "warm": []}
        for number in range(chosen.rounds) if chosen.prefect else ():
            for home, cpus in more.items():
                place = {"PREFECT_HOME": str(folder / f"prefect-{number}")}
                cpus.append(
                    harvest(f"{home}-{number}", "prefect", place) - harvest(f"{home}-{number}-none", "none", {})
                )
        for home, cpus in more.items() if chosen.prefect else ():
            print(f"with Prefect, {home} home: {median(cpus):+.1f} s of CPU ({min(cpus):+.1f} to {max(cpus):+.1f})")


if __name__ == "__main__":
    main()
