"""CPU a page of the harvest as users run it, against Scrapy's: `python tests/benchmarks/against_scrapy.py`.

One quiet portal on loopback, in a process of its own. First `bma-progress harvest --orchestrator none` harvests it, and once
more, unchanged; then Scrapy fetches the same pages. Both keep the bytes of every page and extract the same fields with the same
parser; ours also commits, compares and publishes. The CPU is that of the whole command with all its processes, imports
included. With `--prefect` the command also runs with Prefect, each time into a new store: with a new home of Prefect, and again.
Its modules are compiled before, as an installer does, and as Scrapy's are.

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


def main() -> None:
    """Harvest the same pages with both and print what each cost."""
    sys.path.insert(0, str(ROOT))
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pages", type=int, default=2000, help="projects of the portal")
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

        first = harvest("store", "none", {})
        urls, asked = addresses(folder / "store")
        second = harvest("store", "none", {})
        _, asked_again = addresses(folder / "store")
        (folder / "urls").write_text("\n".join(urls))
        scrapy = cpu_of((chosen.scrapy_python, "-c", _SCRAPY, str(folder / "urls"), str(folder / "bodies"), str(ROOT)))
        ours, again, theirs = (
            1000 * cpu / pages for cpu, pages in ((first, asked), (second, asked_again), (scrapy, len(urls)))
        )
        print(f"ours    {ours:6.2f} ms of CPU a page, {asked:,} pages: fetched, parsed, committed, published")
        print(f"again   {again:6.2f} ms of CPU a page, {asked_again:,} pages, nothing changed")
        print(f"Scrapy  {theirs:6.2f} ms of CPU a page, {len(urls):,} pages: fetched, parsed, written")
        print(
            f"ours / Scrapy: {ours / theirs:.2f}; second night / first: {again / ours:.2f} a page, {second / first:.2f} in all"
        )
        for home in ("new", "warm") if chosen.prefect else ():
            cpu = harvest(f"prefect-{home}", "prefect", {"PREFECT_HOME": str(folder / "prefect")})
            print(f"with Prefect, {home} home: {cpu - first:+.1f} s of CPU")


if __name__ == "__main__":
    main()
