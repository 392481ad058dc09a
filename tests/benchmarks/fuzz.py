"""Broken pages, answers, stores and packs by the thousand: `python -m tests.benchmarks.fuzz WHAT --n N --seed S`.

WHAT is one of

- pages: saved pages, mutated, and short markup repeated up to the largest size that is parsed in the harvest's own process;
- headers: heads of answers, mutated, sent by a portal on loopback: each is an answer or a failure of its page, in time;
- stores: a store of three nights with mutated documents, tables and folders, hashes made to agree where that reaches deeper:
  every command that reads it ends with a sentence or an answer;
- packs: the same with the harvests in a pack.

Exit status: 0 all well, 1 an input failed; seed and number make it again.
"""

import argparse
import asyncio
import contextlib
import io
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flows.cli import main as command_line
from pipeline.errors import BmaProgressError
from pipeline.harvest.bounded_parser import PARSED_HERE
from pipeline.harvest.client import PortalClient
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.result import Scope
from pipeline.harvest.run import HarvestRun, run_harvest
from pipeline.settings import Settings, load_settings
from pipeline.store.durable import file_sha256
from pipeline.store.packs import write_pack
from pipeline.store.writer import create_store, open_writer
from tests.benchmarks.fuzz_parser import FIXTURES, SPLINTERS, TOKENS, check, mutate
from tests.support.faulty_portal import Exchange, FaultyPortal

SECONDS = 60  # for a page, an answer, or a command: more is a hang
PATH, FINE = "/mobile/mykpi.php?pid=2400-1013", "/mobile/mykpi.php?pid=0700-1021"
CODE = "24000000-3051"
COMMANDS = (
    ("status",),
    ("history", CODE),
    ("diff", "previous", "latest"),
    ("export", "latest", "--out", "{out}/export"),
    ("sql", "SELECT * FROM projects"),
    ("verify", "--deep"),
    ("evidence", CODE, "--out", "{out}/evidence"),
    ("report", "--out", "{out}/report.html"),
)
ODD: tuple[Any, ...] = (
    None,
    [],
    {},
    "",
    "../../x",
    -1,
    1 << 70,
    1.5,
    True,
    [[]],
    {"": None},
    "\x1b[31m",
    "20991231T000000Z",
)


class HangError(Exception):
    """An input took too long."""


def _on_alarm(*_: object) -> None:
    raise HangError("it takes too long")


# --- pages ------------------------------------------------------------------------------------------------------------


def pages(number: int, chance: random.Random, _: Path) -> str:
    """One broken page; returns the parser's verdict."""
    saved = sorted(FIXTURES.glob("*.html"))
    if number % 4:
        return check(mutate(chance.choice(saved).read_bytes(), chance.choice(saved).read_bytes(), chance))
    parts = [chance.choice((*SPLINTERS, *(token.encode() for token in TOKENS))) for _ in range(chance.randint(1, 4))]
    part = b"".join(parts)
    return check((part * (PARSED_HERE // len(part)))[:PARSED_HERE])


# --- headers ----------------------------------------------------------------------------------------------------------

LINES = (
    *(
        b"Content-Length: 100",
        b"Content-Length: -1",
        b"Content-Length: 9999999999999999999999",
        b"Content-Length: 5, 6",
    ),
    *(
        b"Transfer-Encoding: chunked",
        b"Content-Encoding: gzip",
        b"Content-Encoding: " + b"gzip," * 500,
        b"Content-Type: \x9b2J",
    ),
    *(
        b"Location: //[",
        b"Location: \x85\xff",
        b"Location: http://u:p@127.0.0.1/",
        b"Location: file:///etc/passwd",
        b"Location:",
    ),
    *(
        b"ETag: =1+1",
        b"Set-Cookie: a=b; Domain=.go.th",
        b"Set-Cookie: " + b"x" * 5000,
        b"Retry-After: 99999999999999999999",
    ),
    *(
        b"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT",
        b": nothing",
        b"X",
        b" folded",
        b"\x00: \x00",
        b"Connection: close",
    ),
)
STATUSES = (
    b"200 OK",
    b"100 Continue",
    b"101 Switching",
    b"204 No",
    b"206 Part",
    b"304 Not",
    b"301 Moved",
    b"302 Found",
    b"404 Not",
)
STATUSES += (b"404 Not", b"429 Slow", b"999 Odd", b"20 Short", b"abc", b"200", b"503 Down")


def headers(_: int, chance: random.Random, folder: Path) -> str:
    """One broken answer; returns what came of it."""
    head = b"HTTP/1.1 " + chance.choice(STATUSES) + b"\r\n"
    head += b"\r\n".join(chance.choice(LINES) for _ in range(chance.randint(0, 5))) + b"\r\n\r\n"
    answer = head + chance.choice((b"", b"<html>x</html>", b"5\r\nhello\r\n0\r\n\r\n", chance.randbytes(200)))
    if chance.random() < 0.4:
        answer = mutate(answer, answer, chance)

    def fault(exchange: Exchange) -> None:
        exchange.socket.sendall(answer)
        exchange.close = True

    async def ask(portal: FaultyPortal) -> tuple[Any, Any]:
        settings = Settings(
            portal=portal.url,
            rate=1000.0,
            retries=1,  # the portal may close a connection just when it is used again
            backoff=0.01,
            read_timeout=0.3,
            page_timeout=1.0,
            max_retry_after=0.1,
            robots=False,
        )
        async with PortalClient(settings, folder / "rate") as client:
            return await client.fetch(portal.url + PATH), await client.fetch(portal.url + FINE)

    with FaultyPortal({FINE: b"<html>fine</html>"}) as portal:
        portal.always(PATH, fault)
        broken, fine = asyncio.run(ask(portal))
    if fine.error or (broken.error and not broken.error.isprintable()):
        raise AssertionError(f"{answer!r}: {broken.error!r}, then {fine.error!r}")
    return broken.error_kind or str(broken.status)


# --- stores and packs -------------------------------------------------------------------------------------------------


def three_nights(folder: Path) -> Path:
    """A store of three nights of the demo portal, made once."""
    data = folder / "base"
    if data.exists():
        return data
    with DemoPortal() as portal:
        for portal.night in (1, 2, 3):
            settings = load_settings(portal=portal.url, data=data, rate=1000, retries=0)
            with open_writer(create_store(data, portal.url).root) as store:
                run = HarvestRun.begin(settings, store, Scope())
                run_harvest(run)
                run.close()
    return data


def stores(_: int, chance: random.Random, folder: Path, *, packed: bool = False) -> str:
    """One broken store; returns the exit statuses of the commands that read it."""
    given, out = folder / "given", folder / "out"
    for left in (given, out):
        shutil.rmtree(left, ignore_errors=True)
    shutil.copytree(three_nights(folder), given, symlinks=True)
    out.mkdir()
    if packed:
        _pack(given, chance)
    for _ in range(chance.randint(0 if packed else 1, 3)):
        files = [file for file in given.rglob("*") if file.is_file() and not file.is_symlink()]
        chance.choice(INJURIES)(chance.choice(sorted(files)), chance)
    if chance.random() < 0.6:
        _agree(given)
    statuses = "".join(_run([part.format(out=out) for part in command], given) for command in COMMANDS)
    return " ".join(sorted(set(statuses)))


def packs(number: int, chance: random.Random, folder: Path) -> str:
    """One broken store whose harvests lie in a pack."""
    return stores(number, chance, folder, packed=True)


def _pack(given: Path, chance: random.Random) -> None:
    folders = sorted((given / "harvests").iterdir())
    pack = given / "harvests" / f"{folders[0].name[:4]}-{folders[0].name[4:6]}.zip"
    write_pack(folders, pack)
    for folder in folders:
        shutil.rmtree(folder)
    if chance.random() < 0.7:
        _bytes(pack, chance)


def _document(file: Path, chance: random.Random) -> None:
    """Another value somewhere in a JSON document; other files get other bytes."""
    try:
        document = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return _bytes(file, chance)
    place = document
    while isinstance(place, dict) and place:
        name = chance.choice(sorted(place))
        if not isinstance(place[name], dict) or chance.random() < 0.4:
            place[name] = chance.choice(ODD)
            break
        place = place[name]
    file.write_text(json.dumps(document))
    return None


def _bytes(file: Path, chance: random.Random) -> None:
    content = file.read_bytes()
    file.write_bytes(mutate(content, content, chance) if content else b"[")


def _another_kind(file: Path, chance: random.Random) -> None:
    file.unlink()
    kinds: tuple[Callable[[Path], object], ...] = (
        os.mkfifo,
        Path.mkdir,
        lambda place: place.symlink_to("/dev/zero"),
        lambda place: place.write_text("[" * 200_000),
    )
    chance.choice(kinds)(file)


def _another_name(file: Path, chance: random.Random) -> None:
    file.rename(file.with_name(chance.choice(("x" * 250, "\x1b[31m.parquet", "pages.parquet", "..parquet"))))


Injury = Callable[[Path, random.Random], None]
INJURIES: tuple[Injury, ...] = (*(_document, _document, _document), _bytes, _another_kind, _another_name)


def _agree(given: Path) -> None:
    """Make the manifests name the bytes that are there, so that they are read."""
    for manifest in (given / "harvests").glob("2*/manifest.json"):
        with contextlib.suppress(
            BmaProgressError, OSError, ValueError, AttributeError, TypeError, KeyError, RecursionError
        ):
            document = json.loads(manifest.read_bytes()) if manifest.is_file() and not manifest.is_symlink() else {}
            for name, about in document["files"].items():
                about["sha256"] = file_sha256(manifest.parent / name)
            manifest.write_text(json.dumps(document))
    with contextlib.suppress(OSError):
        (given / "head.json").unlink()


def _run(command: list[str], given: Path) -> str:
    """One command; its exit status. Raises whatever a person would see as a traceback."""
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            command_line([*command, "--data", str(given)])
        except SystemExit as done:
            return str(done.code or 0)
        except Exception as error:
            raise AssertionError(f"{' '.join(command)}: {error!r}") from error
    return "0"


Input = Callable[[int, random.Random, Path], str]
WHAT: dict[str, Input] = {"pages": pages, "headers": headers, "stores": stores, "packs": packs}


def main() -> int:
    """Run the fuzzer."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=WHAT)
    options.add_argument("--n", type=int, default=1_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--first", type=int, default=0, help="number of the first input")
    chosen = options.parse_args()
    signal.signal(signal.SIGALRM, _on_alarm)
    came: Counter[str] = Counter()
    failures = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(chosen.first, chosen.first + chosen.n):
            signal.alarm(SECONDS if chosen.what in ("pages", "headers") else len(COMMANDS) * SECONDS)
            try:
                came[WHAT[chosen.what](number, random.Random(f"{chosen.seed} {number}"), Path(folder))] += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
                failures += 1
                print(
                    f"{chosen.what} --seed {chosen.seed} --first {number} --n 1: {error!r}", file=sys.stderr, flush=True
                )
            finally:
                signal.alarm(0)
    rate = chosen.n / (time.monotonic() - began)
    print(f"{chosen.n:,} inputs, {rate:,.1f} a second, {failures:,} failures: {dict(came.most_common())}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
