"""What a page of `browse` costs on a large store: `python tests/benchmarks/browse_load.py [--projects 10000] [--nights 400]`.

The store is made by its own writer: two nights of invented pages, parsed and committed. The index is made from it by
`browse` itself; the nights between are added to the index alone, with the rows that its writer makes of a night on which 2 %
of the projects changed: committing 400 nights would take an hour, and pages are answered from the index. What is left out:
the network, and pages of nights that only the index has.

Readers ask one page, look at it for half a second to one and a half, and ask another; `--hurry` leaves that out. Server time
is what the server says in `Server-Timing`, and its CPU what it would be on a machine with nothing else to do; waiting is what
a reader sees. `--commit` commits a night to a copy of the store meanwhile, at the priority of the systemd unit, to see what
that costs readers on this machine. (That no answer mixes two nights is a test's.)
"""

import argparse
import http.client
import json
import os
import random
import re
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parents[1]))

from many_nights import START, harvest_night
from support.synthetic_portal import code_of

from pipeline.browse.index import Index, add_changes, open_index
from pipeline.browse.word_index import add_words
from pipeline.store.layout import harvest_id_at
from pipeline.store.writer import open_archive

SHARE = 0.02
WORDS = ("โครงการ", "ประชุม", "ปรับปรุง", "24000000", "สำนักงานเขต", "ไม่มีคำนี้แน่นอน", "ดำเนินการแล้วเสร็จ", "งบ")


def make_store(data: Path, projects: int, nights: int) -> None:
    """The first night and the last one."""
    for night in (1, nights):
        harvest_night(data, night, projects)


def add_nights(index: Index, projects: int, nights: int) -> None:
    """The nights between, in the index alone."""
    with closing(sqlite3.connect(index.file)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        bodies = connection.execute(
            "SELECT page_sha256, harvest_id FROM bodies ORDER BY random() LIMIT 5000"
        ).fetchall()
        for night in range(2, nights):
            start = START + timedelta(days=night - 1)
            id_ = harvest_id_at(start)
            held_back = "invented" if night % 37 == 0 else None
            outcomes = json.dumps({"changed": int(projects * SHARE), "unchanged": projects - int(projects * SHARE)})
            row = (id_, "invented", f"{start + timedelta(hours=7):%Y-%m-%d}", start.isoformat())
            connection.execute(
                "INSERT OR IGNORE INTO nights VALUES (?,?,?,?,?,?,?,?)",
                (*row, int(not held_back), held_back, "portal", outcomes),
            )
            changed = random.Random(night).sample(range(projects), int(projects * SHARE))
            connection.executemany(
                "INSERT OR IGNORE INTO looks VALUES (?,?,?,?,?,?,?,?,?,?)",
                [
                    (
                        *(f"project/{code_of(number)}", id_, code_of(number), "project", "changed"),
                        *(*random.choice(bodies), start.isoformat(), "http://portal.test/", 0),
                    )
                    for number in changed
                ],
            )
            if not held_back:
                add_changes(connection, list(_changes(id_, start, changed)))
        connection.execute("DELETE FROM severities")
        connection.execute(
            "INSERT INTO severities SELECT harvest_id, severity, count(*) FROM changes WHERE own GROUP BY 1, 2"
        )
        connection.execute(
            "UPDATE records SET changes = (SELECT count(*) FROM changes WHERE project_code = code AND own)"
        )
        connection.executescript("DROP TABLE change_words_terms; DROP TABLE change_texts; DROP TABLE change_words")
        add_words(connection)
        connection.execute("ANALYZE")
        connection.commit()


def _changes(id_: str, start: datetime, changed: list[int]) -> Iterator[dict[str, Any]]:
    """Three changes of each project: its percentage, a new report, and in every fifth an edited one."""
    for place, number in enumerate(changed):
        code, percent = code_of(number), place % 100
        about = {
            **{
                "harvest_id": id_,
                "harvest_date": start,
                "project_code": code,
                "kpi_code": None,
                "agency_code": code[:8],
            },
            **{"cause": "portal", "detail": None},
        }
        key = json.dumps({"project_code": code})
        report = json.dumps({"project_code": code, "report_index": place % 9})
        note = f"ดำเนินการแล้วเสร็จตามแผนงวดที่ {place} ประชุมคณะกรรมการและตรวจรับงานครั้งที่ {percent} ของโครงการ"
        yield {
            **about, "change_no": 3 * place + 1, "table": "projects", "key": key, "change": "changed",
            "column": "progress_percent", "before": str(percent), "after": str(percent + 1), "meaning": "progress_up",
        }  # fmt: skip
        new = json.dumps({"report_no": 1, "progress_percent": percent, "note": note}, ensure_ascii=False)
        yield {
            **about, "change_no": 3 * place + 2, "table": "progress_reports", "key": report, "change": "added",
            "column": None, "before": None, "after": new, "meaning": "new_report",
        }  # fmt: skip
        if place % 5 == 0:
            yield {
                **about, "change_no": 3 * place + 3, "table": "progress_reports", "key": report, "change": "changed",
                "column": "note", "before": note, "after": f"{note} และส่งมอบแล้ว", "meaning": "report_edited",
                "detail": "text_rewritten",
            }  # fmt: skip


def questions(index: Index, projects: int) -> dict[str, Callable[[random.Random], str]]:
    """Every kind of page, each as a reader asks for it."""
    nights = [row["harvest_id"] for row in index.rows("SELECT DISTINCT harvest_id FROM changes ORDER BY 1")]
    hashes = [row["page_sha256"] for row in index.rows("SELECT page_sha256 FROM bodies LIMIT 500")]
    agencies = [row["agency_code"] for row in index.rows("SELECT DISTINCT agency_code FROM records")]
    return {
        "nights": lambda chance: f"/?page={chance.randint(1, 4)}",
        "project": lambda chance: f"/projects/{code_of(chance.randrange(projects))}",
        "agencies": lambda chance: "/agencies",
        "agency": lambda chance: f"/agencies/{chance.choice(agencies)}",
        "changes": lambda chance: f"/changes?page={chance.randint(1, 50)}",
        "changes of a night": lambda chance: f"/changes?night={chance.choice(nights)}",
        "changes filtered": lambda chance: f"/changes?meaning=report_edited&agency={chance.choice(agencies)}",
        "changes with words": lambda chance: f"/changes?q={quote(chance.choice(WORDS))}",
        "change": lambda chance: f"/changes/{chance.choice(nights[1:-1])}/1",
        "flags": lambda chance: f"/flags?page={chance.randint(1, 5)}",
        "stored page": lambda chance: f"/pages/{chance.choice(hashes)}",
        "feed": lambda chance: "/changes.atom",
        "search": lambda chance: f"/search?q={quote(chance.choice(WORDS))}",
        "search by facets": lambda chance: f"/search?agency={chance.choice(agencies)}&rewritten=1&sort=rewritten",
        "search for all": lambda chance: f"/search?sort=flags&page={chance.randint(1, 50)}",
    }


def read(
    port: int, asked: dict[str, Callable[[random.Random], str]], until: float, hurry: bool, found: list[Any]
) -> None:
    """One reader, until the time is over."""
    chance = random.Random(threading.get_ident())
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while time.monotonic() < until:
        if not hurry:
            time.sleep(chance.uniform(0.5, 1.5))
        kind = chance.choice(list(asked))
        path, began = asked[kind](chance), time.perf_counter()
        connection.request("GET", path, headers={"accept-language": chance.choice(("th", "en"))})
        answer = connection.getresponse()
        answer.read()
        waited = (time.perf_counter() - began) * 1000
        took, worked = (
            float(number) for number in re.findall(r"dur=([\d.]+)", answer.getheader("server-timing") or "")
        )
        found.append((kind, answer.status, (took, worked, waited)))


def resident(pid: int) -> tuple[float, float]:
    """Resident memory of a process in MB, now and at its highest."""
    text = Path(f"/proc/{pid}/status").read_text()
    now, highest = (int(re.search(rf"{name}:\s+(\d+)", text)[1]) / 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[index]
    return now, highest


def start_server(data: Path) -> tuple[subprocess.Popen[str], int, float, float]:
    """`bma-progress browse`, its port, the seconds until it answered, and its CPU seconds until then."""
    command = [sys.executable, "-c", "from flows.cli import main; main()", "browse", "--data", str(data), "--port", "0"]
    began = time.perf_counter()
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    port = int(server.stdout.readline().split(":")[2].split("/")[0])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/agencies")
    connection.getresponse().read()
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    worked = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return server, port, time.perf_counter() - began, worked


def commit_beside(data: Path, copy: Path, night: int, projects: int, until: float) -> None:
    """Commit nights to a copy of the store until the time is over, each in a process of its own."""
    shutil.copytree(data, copy, symlinks=True)
    nights, began = 0, time.monotonic()
    while time.monotonic() < until:
        task = f"harvest_night(Path({str(copy)!r}), {night + nights}, {projects})"
        code = f"from pathlib import Path; from many_nights import harvest_night; {task}"
        # at the priority that the systemd unit gives a harvest
        subprocess.run(["nice", "-n", "10", sys.executable, "-c", code], check=True, cwd=Path(__file__).parent)
        nights += 1
    print(f"{nights} nights were committed beside in {time.monotonic() - began:.0f} s")
    shutil.rmtree(copy)


def print_times(found: list[Any]) -> None:
    by_kind: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for kind, status, times in found:
        assert status == 200, (kind, status)
        by_kind[kind].append(times)
    by_kind["all"] = [times for _, _, times in found]
    print(
        f"{'ms':20} {'asked':>6} {'server time: median':>20} {'p95':>7} {'its CPU: median':>16} {'p95':>7} {'waited: p95':>12}"
    )
    for kind, rows in by_kind.items():
        took, worked, waited = zip(*rows, strict=True)
        middle = [statistics.median(side) for side in (took, worked)]
        late = [statistics.quantiles(side, n=20)[-1] if len(side) > 1 else side[0] for side in (took, worked, waited)]
        print(
            f"{kind:20} {len(rows):6} {middle[0]:20.1f} {late[0]:7.1f} {middle[1]:16.1f} {late[1]:7.1f} {late[2]:12.1f}"
        )


def write_site_once(data: Path, out: Path) -> None:
    """`bma-progress site`, its seconds and its CPU; the first time it makes its index, which leaves contacts out."""
    command = [
        sys.executable,
        "-c",
        "from flows.cli import main; main()",
        "site",
        "--data",
        str(data),
        "--out",
        str(out),
    ]
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"site: {time.perf_counter() - began:.0f} s, {worked:.0f} s of it CPU")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--projects", type=int, default=10_000)
    options.add_argument("--nights", type=int, default=400)
    options.add_argument("--readers", type=int, default=20)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--hurry", action="store_true", help="readers do not look at what they asked for")
    options.add_argument("--commit", action="store_true", help="commit nights to a copy of the store meanwhile")
    options.add_argument("--site", action="store_true", help="write the static site too, twice")
    options.add_argument("--store", type=Path, help="an earlier run's folder, with its store and its index")
    asked = options.parse_args()
    folder = asked.store or Path(tempfile.mkdtemp(prefix="browse-load-"))
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    data = folder / "store"
    if not data.exists():
        make_store(data, asked.projects, asked.nights)
    archive, began = open_archive(data), time.perf_counter()
    index = open_index(archive, contacts=True)
    print(f"index of the store's own nights: {time.perf_counter() - began:.1f} s")
    if index.rows("SELECT count(*) AS n FROM nights")[0]["n"] < asked.nights:
        add_nights(index, asked.projects, asked.nights)
        index = open_index(archive, contacts=True)
    counts = {
        name: index.rows(f"SELECT count(*) AS n FROM {name}")[0]["n"]
        for name in ("nights", "records", "looks", "changes")
    }
    print(
        f"index: {index.file.stat().st_size / 1e6:.0f} MB, {', '.join(f'{number:,} {name}' for name, number in counts.items())}"
    )
    server, port, started, worked = start_server(data)
    try:
        print(f"start until the first answer: {started:.1f} s, {worked:.1f} s of it CPU")
        found: list[Any] = []
        until = time.monotonic() + asked.seconds
        pages = questions(index, asked.projects)
        readers = [
            threading.Thread(target=read, args=(port, pages, until, asked.hurry, found)) for _ in range(asked.readers)
        ]
        for reader in readers:
            reader.start()
        if asked.commit:
            commit_beside(data, folder / "copy", asked.nights + 1, asked.projects, until)
        for reader in readers:
            reader.join()
        print_times(found)
        now, highest = resident(server.pid)
        print(f"{len(found) / asked.seconds:.0f} pages a second; memory {now:.0f} MB, at its highest {highest:.0f} MB")
    finally:
        server.terminate()
        server.wait(30)
        if asked.site:
            for _ in range(2):
                write_site_once(data, folder / "site")
        if not asked.store:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
