"""How long a page takes, against lexbor alone and against BeautifulSoup: `python tests/benchmarks/parser_speed.py`.

All run in turns in one process on the same bytes, so that ratios hold on a noisy machine. The medians of many rounds are
compared; absolute times mean little. The parser runs once more as it does where `parsers/_speedups.c` is not compiled,
and once on the page without the ends of its paragraphs, which takes a tree. Last come pages that differ from each other
in codes, years and numbers, each parsed once: what the parser remembers of one page must not be what makes the next one
quick.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bs4 import BeautifulSoup
from selectolax.lexbor import LexborHTMLParser

from parsers import parse_page, plain
from parsers.thai import BUDDHIST_OFFSET

SEED = Path(__file__).parents[2] / "fixtures_html" / "24000000-2964.html"


def time_once(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def distinct_pages(body: bytes, count: int) -> list[bytes]:
    """The page with other codes, years and numbers, no two alike, and each as good a page as the first."""

    def page(number: int) -> bytes:
        other = body.replace(b"-2964", b"-%04d" % number).replace(b"60.00", b"60.%02d" % (number % 100))
        for year in (2019, 2020):
            other = other.replace(b"%d" % year, b"%d" % (year - number % 60))
            other = other.replace(b"%d" % (year + BUDDHIST_OFFSET), b"%d" % (year + BUDDHIST_OFFSET - number % 60))
        return other

    pages = [page(number) for number in range(1, count + 1)]
    if any(parse_page(page).findings != parse_page(body).findings for page in pages[:99]):
        raise SystemExit("The other pages are not as good as this one.")
    return pages


def parse_in_python(body: bytes) -> None:
    """Parse a page as where nothing is compiled."""
    compiled = plain._weave_in_c, plain._nests_in_c
    plain._weave_in_c = plain._nests_in_c = None
    parse_page(body)
    plain._weave_in_c, plain._nests_in_c = compiled


def main() -> None:
    """Print the medians and their ratios."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("page", nargs="?", type=Path, default=SEED)
    options.add_argument("--rounds", type=int, default=400)
    chosen = options.parse_args()
    body = chosen.page.read_bytes()
    open_body = body.replace(b"</p>", b"")
    print("parsers/_speedups.c is", "not compiled" if plain._weave_in_c is None else "compiled")

    def lexbor() -> str:
        root = LexborHTMLParser(body).body
        return root.text() if root else ""

    names = ("lexbor", "parse_page", "not compiled", "with a tree", "BeautifulSoup")
    times: dict[str, list[float]] = {name: [] for name in names}
    for round_ in range(chosen.rounds):
        times["lexbor"].append(time_once(lexbor))
        times["parse_page"].append(time_once(lambda: parse_page(body)))
        times["not compiled"].append(time_once(lambda: parse_in_python(body)))
        times["with a tree"].append(time_once(lambda: parse_page(open_body)))
        if round_ % 10 == 0:
            times["BeautifulSoup"].append(time_once(lambda: BeautifulSoup(body, "lxml").get_text()))
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    print(f"{chosen.page.name}: {len(body):,} bytes")
    for name, seconds in medians.items():
        print(f"  {name:<14} {seconds * 1000:8.3f} ms")
    print(f"  parse_page / lexbor parse + body.text()      {medians['parse_page'] / medians['lexbor']:6.2f}")
    print(f"  the same, not compiled                       {medians['not compiled'] / medians['lexbor']:6.2f}")
    print(f"  the same, with a tree                        {medians['with a tree'] / medians['lexbor']:6.2f}")
    print(f"  BeautifulSoup(lxml).get_text() / parse_page  {medians['BeautifulSoup'] / medians['parse_page']:6.2f}")

    times = {"lexbor": [], "parse_page": []}
    for body in distinct_pages(chosen.page.read_bytes(), chosen.rounds):  # lexbor() reads this name too
        lexbor()  # whoever comes first finds the bytes in no cache of the processor
        times["lexbor"].append(time_once(lexbor))
        times["parse_page"].append(time_once(partial(parse_page, body)))
    ratio = statistics.median(times["parse_page"]) / statistics.median(times["lexbor"])
    print(f"  the first ratio, over {chosen.rounds} distinct pages          {ratio:6.2f}")


if __name__ == "__main__":
    main()
