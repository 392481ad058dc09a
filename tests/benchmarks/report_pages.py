"""The report of many changes: `python tests/benchmarks/report_pages.py [CHANGES]`.

Two states of invented projects with 16,000 different edits between them are written as folders; `report` of the two runs in a
process of its own. For each page: its bytes, and in Chromium the seconds until it is loaded, until one meaning is chosen, and
until a word is found.
"""

import random
import re
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.folders import write
from support.states import SEED, State
from support.synthetic_portal import code_of, words

ROOT = Path(__file__).parents[2]
EDITS = 8
"""Edits of one project."""
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_COMMAND = """
import resource, sys
from flows.cli import main
sys.argv[1:] = {arguments!r}
try:
    main()
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(round(used.ru_utime + used.ru_stime, 1), "CPU seconds,", used.ru_maxrss // 1024, "MB at most")
"""


def states(changes: int) -> tuple[State, State]:
    """Two states with so many changes: other notes, percentages, dates, texts, each unlike the others."""
    before, after = State(), State()
    seed = {table: before.of(table, project_code=SEED) for table in ("projects", "progress_reports", "plan_steps")}
    for state in (before, after):
        for table in state.rows:
            state.rows[table] = []
    for number in range(changes // EDITS):
        chance = random.Random(number)
        for table, rows in seed.items():
            for row in rows:
                mine = {**row, "project_code": code_of(number), "agency_code": code_of(number)[:8]}
                before.rows[table].append(mine)
                after.rows[table].append(_edited(table, dict(mine), chance))
    return before, after


def _edited(table: str, row: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    if table == "projects":
        row["name"] = f"{row['name']} {words(chance, 4)}"
        row["rationale"] = f"{words(chance, 20)} {row['rationale']}"
    elif table == "plan_steps" and row["step_no"] in (2, 3):
        row["end_date"] = f"2020-1{chance.randint(0, 2)}-{chance.randint(10, 28)}"
    elif table == "progress_reports" and row["report_index"] in (2, 5, 9):
        row["note"] = f"{row['note']} {words(chance, 12)}"
    elif table == "progress_reports" and row["report_index"] == 7:
        row["progress_percent"] = round(chance.uniform(1, 99), 2)
    return row


def in_browser(pages: list[Path]) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        for file in pages:
            tab = browser.new_page()
            times = [time.perf_counter()]
            tab.goto(file.as_uri())
            tab.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
            times.append(time.perf_counter())
            tab.locator("#filters button").nth(1).click()
            times.append(time.perf_counter())
            tab.locator("#words").fill("โครงการ")
            tab.locator("h3 .count").first.wait_for()
            times.append(time.perf_counter())
            spent = ", ".join(f"{b - a:.2f} s" for a, b in pairwise(times))
            print(f"{file.name}: {file.stat().st_size / 1e6:.2f} MB; loaded, chosen, found: {spent}", flush=True)
            tab.close()
        browser.close()


def main(changes: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for state, side in zip(states(changes), ("a", "b"), strict=True):
            write(state, folder / side)
        arguments = ["report", str(folder / "a"), str(folder / "b"), "--out", str(folder / "report.html")]
        ran = subprocess.run(
            [sys.executable, "-c", _COMMAND.format(arguments=arguments)],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        print(ran.stdout, end="")
        order = {
            file: int(re.findall(r"\d+", file.stem)[0]) if "-" in file.stem else 1 for file in folder.glob("*.html")
        }
        in_browser(sorted(order, key=order.__getitem__))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 16_000)
