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
url, out, pages = sys.argv[1], sys.argv[2], int(sys.argv[4])
sys.path.insert(0, sys.argv[3] + "/tests")
from synthetic_portal import code_of
bodies, rows = open(out, "wb"), open(out + ".jsonl", "w")
count = 0
class Portal(scrapy.Spider):
    name = "portal"
    custom_settings = {"LOG_ENABLED": False, "CONCURRENT_REQUESTS_PER_DOMAIN": 8, "DOWNLOAD_DELAY": 0, "ROBOTSTXT_OBEY": True}
    start_urls = [f"{url}/mobile/myproject.php?pid={code_of(n)}" for n in range(pages)]
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
    from harvest_scale import night

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pages", type=int, default=2000)
    options.add_argument("--scrapy-python", default=sys.executable)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        said, _ = night(chosen.pages, 1, 0.02, Path(folder) / "store", 0)
        ours = said["cpu"] / sum(said["outcomes"].values())
        server = [sys.executable, str(ROOT / "tests" / "synthetic_portal.py"), str(chosen.pages), "1"]
        with subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as portal:
            assert portal.stdout
            url = portal.stdout.readline().strip()
            try:
                command = [chosen.scrapy_python, "-c", _SCRAPY, url, f"{folder}/bodies", str(ROOT), str(chosen.pages)]
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
