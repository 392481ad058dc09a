"""CPU seconds a page, ours against Scrapy's, on one quiet loopback portal: `python tests/benchmarks/against_scrapy.py`.

Both keep the bytes of every page and extract the same fields with the same parser; ours also commits and publishes. Scrapy
is not among the project's dependencies: name a Python that has it, with this project's own, by --scrapy-python.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
_SCRAPY = """
import json, resource, sys
sys.path.insert(0, sys.argv[3])
import scrapy
from scrapy.crawler import CrawlerProcess
from parsers import parse_page
out, urls = sys.argv[2], open(sys.argv[1]).read().split()
bodies, rows = open(out, "wb"), open(out + ".jsonl", "w")
count = 0
class Portal(scrapy.Spider):
    name = "portal"
    handle_httpstatus_list = [404]
    custom_settings = {"LOG_ENABLED": False, "CONCURRENT_REQUESTS_PER_DOMAIN": 8, "DOWNLOAD_DELAY": 0, "ROBOTSTXT_OBEY": True}
    start_urls = urls
    def parse(self, response):
        global count
        count += 1
        bodies.write(response.body)
        rows.write(json.dumps(parse_page(response.body).tables, ensure_ascii=False) + "\\n")
process = CrawlerProcess()
process.crawl(Portal)
process.start()
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"pages": count, "cpu": usage.ru_utime + usage.ru_stime}))
"""


def main() -> None:
    """Harvest the same pages twice and print both costs."""
    from harvest_scale import harvest

    from pipeline.store.writer import open_archive

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pages", type=int, default=2000)
    options.add_argument("--scrapy-python", default=sys.executable)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "store"
        measured, port = harvest(chosen.pages, 1, 0.02, data, 0)
        asked = open_archive(data).arrow("pages")["url"].to_pylist()
        (Path(folder) / "urls").write_text("\n".join(asked))
        ours = measured["cpu"] / len(asked)
        server = [
            sys.executable,
            str(ROOT / "tests" / "support" / "synthetic_portal.py"),
            str(chosen.pages),
            "1",
            "0.02",
            str(port),
        ]
        with subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as portal:
            assert portal.stdout
            portal.stdout.readline()  # it answers from here on
            try:
                command = [chosen.scrapy_python, "-c", _SCRAPY, f"{folder}/urls", f"{folder}/bodies", str(ROOT)]
                answer = subprocess.run(command, capture_output=True, text=True, check=True)
            finally:
                portal.kill()
        scrapy = json.loads(answer.stdout)
        theirs = scrapy["cpu"] / scrapy["pages"]
    print(f"ours   {1000 * ours:6.2f} ms of CPU a page (fetched, parsed, committed, published)")
    print(f"Scrapy {1000 * theirs:6.2f} ms of CPU a page (fetched, parsed, written) over {scrapy['pages']:,} pages")
    print(f"ours / Scrapy: {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
