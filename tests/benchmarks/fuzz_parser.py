"""Feed the parser broken pages by the hundred thousand: `python tests/benchmarks/fuzz_parser.py --inputs 100000`.

Each input is a saved page, mutated: cut, bits flipped, pieces spliced, tags repeated, bytes inserted. Whatever it is, the
parser must give a document that is valid JSON, with a known verdict, without an exception, within a second a megabyte.
Exit status: 0 all well, 1 an input failed; the input is saved beside the message.
"""

import argparse
import hashlib
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
    chosen = options.parse_args()
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
