"""How long pages take, against lexbor alone and BeautifulSoup: `python tests/benchmarks/parser_speed.py`.

Pages of every kind, many that differ from each other, so that no cache of the parser makes the next page quick. The
baseline is lexbor's parse with `body.text()`; BeautifulSoup (lxml) does only `get_text()`. All read each page in turns in
one process, so that each finds the machine and its caches as a harvest leaves them, with other work before every page, and
ratios hold on a noisy machine: printed are the median of the rounds' ratios, least and most. Each round takes a set of
pages that no round before it had. Absolute times mean little.

Exit status: 0 every bound is kept, 1 one is not.
"""

import argparse
import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bs4 import BeautifulSoup
from selectolax.lexbor import LexborHTMLParser

from parsers import parse_page

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

from support.damage import MARKUPS  # noqa: E402 - tests are no package
from support.records import CITY_INDICATOR, by_strategy  # noqa: E402
from support.rendering import (  # noqa: E402
    Line,
    Printed,
    Printing,
    Tables,
    print_city_indicator,
    print_kpi,
    print_project,
    print_result_list,
    print_yii,
)

FIXTURES = TESTS.parent / "fixtures_html"
PAGES_A_ROUND = 30
SLOWEST, PROJECTS, SEED, FASTER = 8.0, 4.0, 3.0, 4.0
"""Bounds: of every kind, of project pages, of the seed page (times lexbor); how much faster than BeautifulSoup."""


def goldens(kind: str) -> list[Tables]:
    """The records of the saved pages of one kind."""
    documents = [json.loads(golden.read_text(encoding="utf-8")) for golden in sorted(FIXTURES.glob("*.json"))]
    return [document["tables"] for document in documents if document.get("kind") == kind and document["tables"]]


def as_long_as_the_seed(records: list[Tables]) -> list[Tables]:
    """The records with texts as long as the seed page's, the one real page: those of the other saved pages are short."""
    seed = json.loads((FIXTURES / "24000000-2964.json").read_text(encoding="utf-8"))["tables"]["projects"][0]
    for tables in records:
        for project in tables["projects"]:
            project |= {column: seed[column] for column in ("rationale", "objectives", "targets")}
    return records


def another(page: Printed, number: int) -> Printed:
    """The page with another number in its title and in all texts that it prints once: hardly a line of it was seen before."""

    def changed(line: Line) -> Line:
        if line.role in ("text", "title") and not re.match("ความคืบหน้า|รายละเอียด|ผลการปฏิบัติ|มิติ|โครงการจัดทำ", line.label):
            return Line(f"{line.label} ที่ {number}", line.joint, line.value, line.role, line.links)
        if line.role == "free" and line.value:
            return Line(line.label, line.joint, f"{line.value} ที่ {number}", line.role, line.links)
        return line

    return [changed(line) if isinstance(line, Line) else line for line in page]


def print_by_strategy(tables: Tables, how: Printing) -> Printed:
    """The same list by levels of the city's plan."""
    return print_result_list(by_strategy(tables), how)


def printed_pages(kind: str, printer: Callable[[Tables, Printing], Printed]) -> Callable[[int], list[bytes]]:
    """How to make the pages of a round: each of its records in each of the five markups."""
    records = [CITY_INDICATOR] if kind == "city_indicator" else goldens(kind)
    if kind == "project":
        records = as_long_as_the_seed(records)

    def pages(round_: int) -> list[bytes]:
        made = []
        for number in range(max(PAGES_A_ROUND, 5 * len(records))):
            how = Printing(decimals=(None, 2, 4)[number % 3], milliseconds=number % 2 > 0, turn=(round_ + number) % 30)
            page = another(printer(records[number % len(records)], how), round_ * 1000 + number)
            made.append(list(MARKUPS.values())[number // len(records) % 5].write(page))
        return made

    return pages


def menus(round_: int) -> list[bytes]:
    """Pages of links: fifty agencies with four lists each, as a menu would have them."""

    def menu(number: int) -> bytes:
        links = "".join(
            f'<li><a href="index10{n % 4 + 1}.php?selDEP=50{n // 4 + 1:02}0000">สำนักงานเขตที่ {n} ชุดที่ {number}</a></li>'
            for n in range(200)
        )
        return f"<html><head><meta charset=utf-8></head><body><h1>เมนูหลัก</h1><ul>{links}</ul></body></html>".encode()

    return [menu(round_ * 1000 + number) for number in range(PAGES_A_ROUND)]


def tiny(round_: int) -> list[bytes]:
    """Pages of a few lines: no record, a server's message, a page to come."""
    texts = ("ไม่พบข้อมูล", "404 Not Found", "ขณะนี้ระบบปิดปรับปรุงชั่วคราว", "Back Home", "กรุณาเข้าสู่ระบบ", "<hr>")
    page = "<html><head><title>x</title></head><body><h1>{}</h1><p>ครั้งที่ {}</p></body></html>"
    return [page.format(texts[n % len(texts)], round_ * 1000 + n).encode() for n in range(10 * PAGES_A_ROUND)]


def seeds(round_: int) -> list[bytes]:
    """The seed page with another code and other texts: its reports' notes."""
    body = (FIXTURES / "24000000-2964.html").read_bytes()
    word = "ชุมชน".encode()
    numbers = range(round_ * 9, round_ * 9 + 9)
    return [body.replace(b"-2964", b"-%04d" % number).replace(word, word + b"%d" % number) for number in numbers]


KINDS: dict[str, Callable[[int], list[bytes]]] = {
    "project": printed_pages("project", print_project),
    "seed": seeds,
    "kpi": printed_pages("kpi", print_kpi),
    "result list": printed_pages("result_list", print_result_list),
    "result list by strategy": printed_pages("result_list", print_by_strategy),
    "yii project": printed_pages("yii_project", print_yii),
    "city indicator": printed_pages("city_indicator", print_city_indicator),
    "menu of 200 links": menus,
    "tiny pages": tiny,
}


def lexbor(body: bytes) -> None:
    """The floor: parse, and take the text."""
    root = LexborHTMLParser(body).body
    if root:
        root.text()


def soup(body: bytes) -> None:
    """What most people use."""
    BeautifulSoup(body, "lxml").get_text()


def seconds_of(work: Callable[[bytes], object], body: bytes) -> float:
    """Seconds of CPU time for one page."""
    start = time.process_time()
    work(body)
    return time.process_time() - start


def measure(make: Callable[[int], list[bytes]], rounds: int) -> Iterator[tuple[float, float]]:
    """For each round: parse_page / lexbor, and BeautifulSoup / parse_page."""
    for round_ in range(rounds):
        pages = make(round_)
        times = [(seconds_of(lexbor, body), seconds_of(parse_page, body)) for body in pages]
        floor, ours = map(sum, zip(*times, strict=True))
        few = pages[:: max(1, len(pages) // 6)]
        again = [(seconds_of(soup, body), seconds_of(parse_page, body)) for body in few]
        slow, quick = map(sum, zip(*again, strict=True))
        yield ours / floor, slow / quick


def main() -> int:
    """Print a line for each kind; returns the exit status."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--kinds", nargs="*", choices=sorted(KINDS), default=list(KINDS))
    chosen = options.parse_args()
    print(f"{'kind':<26}{'pages':>6}{'bytes':>8}   parse_page / lexbor        BeautifulSoup / parse_page")
    broken = 0
    for kind in chosen.kinds:
        pages = KINDS[kind](999)
        for body in pages:
            parse_page(body)
        ratios = list(measure(KINDS[kind], chosen.rounds))
        slower, faster = ([ratio[n] for ratio in ratios] for n in (0, 1))
        bound = {"project": PROJECTS, "seed": SEED}.get(kind, SLOWEST)
        is_kept = statistics.median(slower) <= bound and statistics.median(faster) >= FASTER
        broken += not is_kept
        print(
            f"{kind:<26}{len(pages):>6}{sum(map(len, pages)) // len(pages):>8}   {_spread(slower)}  (<= {bound})  "
            f"{_spread(faster)}  (>= {FASTER}){'' if is_kept else '  BROKEN'}"
        )
    return 1 if broken else 0


def _spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):5.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


if __name__ == "__main__":
    sys.exit(main())
