"""Peak memory of a comparison: `python tests/benchmarks/diff_memory.py [PROJECTS] [SHARE]`.

Two exported states of 100,000 invented projects are written block by block, 2 % of the projects edited in between; then
`diff --format json` and `report` of the two folders run in processes of their own, as a user starts them. Linux only.
"""

import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent))

from diff_speed import COMPARED, START, project_rows
from support.synthetic_portal import AGENCIES, code_of

from pipeline.schema.columns import arrow_schema
from pipeline.store.parquet import parquet_writers, to_table

BLOCK, BLOCKS = 1_000, 5
CODES = frozenset(("project_code", "kpi_code", "page_key"))
HARVESTS = ("20261101T190000Z", "20261102T190000Z")
ROOT = Path(__file__).parents[2]
_COMMAND = """
import re, sys
from flows.cli import main
sys.argv[1:] = {arguments!r}
try:
    main()
finally:
    # not getrusage: its peak begins with that of the process that started this one
    print(re.search(r"VmHWM:\\s+([0-9]+)", open("/proc/self/status").read())[1])
"""


def write_states(folders: tuple[Path, Path], projects: int, share: float) -> None:
    """Write both states as `export` would: sorted by code, one block of codes after the other.

    The texts of a few blocks are used again and again, under other codes.
    """
    blocks = [block_of(number, share) for number in range(BLOCKS)]
    numbers = sorted(range(projects), key=code_of)
    with ExitStack() as files:
        writers = []
        for folder in folders:
            folder.mkdir()
            writers.append(parquet_writers(files, folder, SCHEMAS))
        for place, start in enumerate(range(0, projects, BLOCK)):
            codes = [code_of(number) for number in numbers[start : start + BLOCK]]
            kpis = [f"{code[:4]}-{number:06d}" for code, number in zip(codes, numbers[start:], strict=False)]
            for state, files_of_state in zip(blocks[place % BLOCKS], writers, strict=True):
                for name, table in state.items():
                    files_of_state[name].write_table(with_codes(table, codes, kpis))


def block_of(number: int, share: float) -> list[dict[str, pa.Table]]:
    """A block in both states, its codes being the numbers 0 to 999."""
    states = []
    for harvest_id in HARVESTS:
        tables: dict[str, list[dict[str, object]]] = {name: [] for name in SCHEMAS}
        for place in range(BLOCK):
            edited = harvest_id == HARVESTS[1] and random.Random(f"edit/{number}/{place}").random() < share
            rows = project_rows(number * BLOCK + place, edited)
            rows["pages"] = [page(place, harvest_id)]
            for name, found in rows.items():
                tables[name] += [{**row, **dict.fromkeys(CODES & row.keys(), f"{place:03d}")} for row in found]
        states.append(
            {
                name: to_table([{**dict.fromkeys(SCHEMAS[name].names), **row} for row in rows], SCHEMAS[name])
                for name, rows in tables.items()
            }
        )
    return states


def with_codes(table: pa.Table, codes: list[str], kpis: list[str]) -> pa.Table:
    """The rows of as many projects as there are codes, under these."""
    if not len(table):
        return table
    own = "project_code" if "project_code" in table.column_names else "kpi_code"
    table = table.filter(pc.less(table[own].cast(pa.int32()), len(codes)))
    for column, values in (
        ("project_code", codes),
        ("kpi_code", kpis),
        ("page_key", [f"project/{code}" for code in codes]),
    ):
        if column in table.column_names and table[column].null_count < len(table):
            place = table.column_names.index(column)
            coded = pa.array(values).take(table[column].cast(pa.int32()))
            table = table.set_column(place, table.schema.field(place), coded)
    return table


def nullable(name: str) -> pa.Schema:
    schema = arrow_schema(name)
    return pa.schema([field.with_nullable(True) for field in schema], schema.metadata)


SCHEMAS = {name: nullable(name) for name in (*COMPARED, "pages")}


def page(number: int, harvest_id: str) -> dict[str, object]:
    code = code_of(number)
    return {
        "page_key": f"project/{code}", "harvest_id": harvest_id, "kind": "project", "project_code": code, "http_status": 200,
        "url": f"http://portal/mobile/myproject.php?pid={code}", "outcome": "unchanged", "page_sha256": f"{number:064x}",
        "facts_sha256": f"{number:064d}", "version_harvest_id": HARVESTS[0], "body_harvest_id": HARVESTS[0], "bytes": 80_000,
        "version_verdict": "ok", "misses": 0, "fetched_at": START, "first_seen_at": START, "checked_at": START,
        "parser_version": "4", "record_sha256": f"{number:064x}", "record_body_harvest_id": HARVESTS[0],
    }  # fmt: skip


def main() -> None:
    projects = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    share = float(sys.argv[2]) if len(sys.argv) > 2 else 0.02
    assert len(AGENCIES) * 9999 > projects
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before", Path(folder) / "after"
        write_states((before, after), projects, share)
        size = sum(file.stat().st_size for file in after.iterdir())
        print(f"{projects:,} projects, {share:.0%} edited, {size / 1e6:,.0f} MB a state", flush=True)
        for command in (["diff", "--format", "json"], ["report"]):
            out = Path(folder) / command[0]
            began = time.perf_counter()
            arguments = [*command, str(before), str(after), "--out", str(out)]
            program = _COMMAND.format(arguments=arguments)
            done = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
            )
            seconds = time.perf_counter() - began
            if done.returncode not in (0, 1):
                raise SystemExit(done.stderr)
            peak = int(done.stdout.split()[-1]) / 1024
            print(
                f"{command[0]:7} {seconds:6.1f} s, peak {peak:6.0f} MB, {out.stat().st_size / 1e6:.1f} MB written",
                flush=True,
            )


if __name__ == "__main__":
    main()
