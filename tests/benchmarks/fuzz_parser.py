"""Feed the parser broken pages by the hundred thousand: `python tests/benchmarks/fuzz_parser.py --inputs 100000`.

Each input is a saved page, mutated: cut, bits flipped, pieces spliced, tags repeated, bytes inserted. Whatever it is, the
parser must give a document that is valid JSON, with a known verdict, without an exception, within a second a megabyte.
`--linear` repeats each token of the portal's pages a hundred thousand times instead (at most 3 MB), alone and inside of
good pages, and holds the time to the size. Exit status: 0 all well, 1 an input failed; the input is saved beside the message.
"""

import argparse
import hashlib
import itertools
import random
import sys
import time
from collections import Counter
from pathlib import Path

import orjson

from parsers import parse_page

FIXTURES = Path(__file__).parents[2] / "fixtures_html"
VERDICTS = {"ok", "suspect", "blocked", "empty", "not_found"}
SPLINTERS = [
    *(
        b"<table><tr><td>",
        b"<",
        b"</",
        b"<!--",
        b"-->",
        b"<script>",
        b"</script>",
        b"&#0;",
        b"&#x10FFFF;",
        b"\x00",
        b"\xff\xfe",
    ),
    *(
        b"<pre>\n",
        b"<div hidden>",
        b"<select>",
        b"<plaintext>",
        b"<frameset>",
        b"<svg><title>",
        b"\xe0\xb8",
        b"\r\n" * 50,
    ),
    *("␀␤␞".encode(), "ขั้นตอน 1".encode(), "ไตรมาสที่".encode(), "** อุปสรรคของโครงการ :".encode(), b"(1)", b" : " * 9),
]
TOKENS = (
    *(
        "<td>",
        "<table><tr><td>",
        "<div>",
        "<p>",
        "<br>",
        "<b>",
        "<a href=x>",
        "<font>",
        "</div>",
        "<li>",
        "<!--",
        "&nbsp;",
    ),
    *(
        "<span style='display:block'>",
        "<div hidden>",
        "<select><option>",
        "&#3585;",
        "&",
        "<",
        "[",
        "(",
        ")",
        ":",
        "-",
        "*",
    ),
    *(
        "9",
        "๙",
        "9 ",
        "1,",
        "1/",
        "ก",
        "ก ",
        "\u0e4d\u0e32",
        "เ",
        "\u200b",
        "\u00a0",
        "\uf70a",
        "?",
        "\ufffd",
        "Ã ",
        "à¸",
        "/",
    ),
    *("(1) ", "[มิติที่ 1", "ขั้นตอน 1", "ไตรมาสที่", "หน่วยนับ :", "ค่าเป้าหมาย ", "ผลงาน ", "เริ่มต้น :", "สิ้นสุด :", "โทร.7033 "),
    *("** ปัญหาของโครงการ :", "** อุปสรรคของโครงการ :", "รายละเอียดเกี่ยวกับตัวชี้วัด : 5004-0852", "ตัวชี้วัด : ", "ประเภทตัวชี้วัด : "),
    *(
        "(1) ความคืบหน้าโครงการฯ ร้อยละ 80.00 (2021-05-31)",
        "ความคืบหน้าโครงการ ร้อยละ ",
        "รายงานผลฯ ไตรมาสที่ 1",
        "29/9/2563 : ",
    ),
    *(
        "ก : 50040000-2210",
        "ก : 5004-0852",
        "ก : (2563)",
        "24030000/24030000",
        "ด้านที่ ๑ – ",
        "๑.๔.๑ ",
        "มิติที่ ๑.๑ - ",
        " : ",
        "1.",
        "%",
    ),
    *(
        "หลักการและเหตุผล",
        "วัตถุประสงค์ของโครงการ",
        "ผลการดำเนินงาน",
        "แผนการดำเนินงานฯ",
        "สนับสนุนตัวชี้วัดตามแผนฯ",
        "รหัสโครงการ",
        "ปี2566",
    ),
    *(
        "Policy ID22",
        "------------------&amp;&amp;&amp;--------------------",
        "100 / 100",
        "Fatal error: ",
        "mysql_",
        "ไม่พบข้อมูล",
        "404 ",
    ),
)


def repeated(pages: list[bytes], times: int) -> int:
    """Parse each token so many times over, in one line and in many, alone and within pages; returns failures."""
    failures = 0
    for token in TOKENS:
        for joint, page in itertools.product(("", "<br>\n"), pages):
            middle = page.find(b"<", len(page) // 2) if page else 0
            repeats = min(times, 3_000_000 // len((token + joint).encode()))
            times_taken = []
            for count in (repeats // 4, repeats):
                body = page[:middle] + (token + joint).encode() * count + page[middle:]
                start = time.process_time()
                parse_page(body)
                times_taken.append(time.process_time() - start)
            if times_taken[1] > max(1.0, 1.5 * len(body) / 1e6) and times_taken[1] > 6 * times_taken[0]:
                failures += 1
                print(f"{token!r} with {joint!r}: {times_taken[0]:.2f} s, four times as many {times_taken[1]:.2f} s")
    return failures


def mutate(page: bytes, other: bytes, chance: random.Random) -> bytes:
    """One to six random injuries."""
    body = bytearray(page)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(body) + 1)
        match chance.randrange(7):
            case 0:
                del body[place:]
            case 1:
                for _ in range(chance.randint(1, 30)):
                    if body:
                        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
            case 2:
                start = chance.randrange(len(other) + 1)
                body[place:place] = other[start : start + chance.randint(1, 3000)]
            case 3:
                del body[place : place + chance.randint(1, 3000)]
            case 4:
                body[place:place] = chance.choice(SPLINTERS) * chance.choice((1, 1, 2, 50))
            case 5:
                body[place:place] = chance.randbytes(chance.randint(1, 200))
            case _:
                body[place:place] = body[place : place + chance.randint(1, 2000)] * chance.randint(1, 4)
    return bytes(body)


def check(body: bytes) -> str:
    """Parse one input and hold it to the law; returns its verdict. Raises AssertionError."""
    start = time.process_time()
    page = parse_page(body)
    seconds = time.process_time() - start
    orjson.dumps(page.document("fuzz"))
    if page.verdict not in VERDICTS:
        raise AssertionError(f"an unknown verdict {page.verdict}")
    if seconds > max(1.0, len(body) / 1e6):
        raise AssertionError(f"{seconds:.1f} s for {len(body):,} bytes")
    return page.verdict


def main() -> int:
    """Run the fuzzer."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--inputs", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--linear", type=int, nargs="?", const=100_000, metavar="TIMES")
    chosen = options.parse_args()
    if chosen.linear:
        names = ("24000000-2964", "0900-2017", "index101-09000000", "yii-50460000-3697")
        if repeated([b"", *((FIXTURES / f"{name}.html").read_bytes() for name in names)], chosen.linear):
            return 1
        print(f"each token {chosen.linear:,} times, alone and in {len(names)} pages: no more time than its size allows")
        return 0
    pages = [file.read_bytes() for file in sorted(FIXTURES.rglob("*.html")) if file.stat().st_size]
    chance = random.Random(chosen.seed)
    verdicts: Counter[str] = Counter()
    start = time.monotonic()
    for number in range(chosen.inputs):
        body = mutate(chance.choice(pages), chance.choice(pages), chance)
        try:
            verdicts[check(body)] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
            saved = Path(f"fuzz-{hashlib.sha256(body).hexdigest()[:12]}.html")
            saved.write_bytes(body)
            print(f"input {number} of seed {chosen.seed}: {error!r}; saved as {saved}", file=sys.stderr)
            return 1
    rate = chosen.inputs / (time.monotonic() - start)
    print(f"{chosen.inputs:,} inputs, {rate:,.0f} a second, no failure: {dict(verdicts.most_common())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
