"""How long two states of 10,000 projects take to compare, against DuckDB's full outer join of the same files.

    python tests/benchmarks/diff_speed.py [PROJECTS] [SHARE]

Both read the same two folders of Parquet and must find the same rows: DuckDB joins every table on its key and compares
column by column; ours also pairs lists, gives meanings and builds the table of differences. SHARE of the projects are
edited in between (0.02: a night). Best of five, alternating.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.synthetic_portal import code_of, words

from pipeline.compare.diff import compare_snapshots
from pipeline.compare.inputs import FolderSnapshot
from pipeline.schema.columns import RECORD_TABLES, TABLES, arrow_schema, page_columns
from pipeline.store.parquet import to_table, write_parquet

ROUNDS = 5
COMPARED = tuple(name for name in RECORD_TABLES if not name.startswith("result_list"))
START = datetime(2019, 10, 1)

Rows = dict[str, list[dict[str, Any]]]


def project_rows(number: int, edited: bool) -> Rows:
    """All rows of one project and of its indicator, as large as the sample page's."""
    chance = random.Random(number)
    code, rows = code_of(number), {name: [] for name in COMPARED}
    reports = chance.randint(6, 17)
    for index in range(1, reports + 1):
        day = START + timedelta(days=20 * index)
        note = words(chance, chance.randint(5, 40))
        rows["progress_reports"].append({
            "project_code": code, "report_index": index, "report_no": reports + 1 - index, "note": note,
            "progress_percent": round(100 * index / 17, 2), "reported_on_date": day, "note_date": day,
        })  # fmt: skip
    for step in range(1, chance.randint(4, 9) + 1):
        day = START + timedelta(days=30 * step)
        rows["plan_steps"].append({
            "project_code": code, "step_no": step, "description": words(chance, 8), "weight_percent": 10.0,
            "start_date": day, "end_date": day,
        })  # fmt: skip
    for level in range(1, 5):
        strategy = {"level": level, "level_label": "ด้านที่", "strategy_code": "1.4.1.1"[: 2 * level - 1]}
        rows["project_strategies"].append(
            {"project_code": code, "position": level, "name": words(chance, 4), **strategy}
        )
    kpi = f"{code[:4]}-{number:05d}"
    measures = {"name": words(chance, 9), "unit": "ร้อยละ", "target_value": 100.0, "achieved_value": 80.0}
    rows["project_kpis"].append({"project_code": code, "kpi_code": kpi, **measures})
    rows["kpis"].append({"kpi_code": kpi, **measures, "definition": words(chance, 60)})
    for quarter in range(1, 5):
        values = {"quarter": quarter, "result_value": float(chance.randint(0, 100)), "evaluation_2_1": 50.0}
        rows["project_kpi_quarters"].append({"project_code": code, "kpi_code": kpi, **values})
        rows["kpi_quarters"].append({"kpi_code": kpi, **values, "narrative": words(chance, 20)})
    rows["contacts"].append({"project_code": code, "contact": words(chance, 2), "contact_phone": str(number)})
    project = {
        "project_code": code, "name": words(chance, 8), "agency_code": code[:8], "fiscal_year_be": 2563,
        "fiscal_year_ce": 2020, "progress_percent": rows["progress_reports"][-1]["progress_percent"],
        "rationale": words(chance, chance.randint(80, 400)), "objectives": words(chance, 60), "targets": words(chance, 30),
    }  # fmt: skip
    rows["projects"].append(project)
    if edited:
        _edit(rows, project, chance)
    return rows


def _edit(rows: Rows, project: dict[str, Any], chance: random.Random) -> None:
    """What a night brings, in the shares seen: mostly a new report, some quiet rewrites."""
    kind, reports = chance.random(), rows["progress_reports"]
    if kind < 0.85:
        for report in reports:
            report["report_no"] += 1
        project["progress_percent"] = min(100.0, project["progress_percent"] + 5)
        day = reports[-1]["reported_on_date"] + timedelta(days=20)
        top = {"report_index": len(reports) + 1, "report_no": 1, "progress_percent": project["progress_percent"]}
        reports.append({**reports[-1], **top, "reported_on_date": day, "note": words(chance, 12)})
    elif kind < 0.93:
        reports[1]["note"] += " แก้ไข"
    elif kind < 0.98:
        rows["kpis"][0]["target_value"] = 90.0
    else:
        project["rationale"] += " เพิ่มเติม"


def write_state(folder: Path, projects: int, edited: Callable[[int], bool]) -> None:
    """Write one state as an export would be written."""
    tables: Rows = {name: [] for name in COMPARED}
    for number in range(projects):
        for name, rows in project_rows(number, edited(number)).items():
            tables[name] += rows
    folder.mkdir()
    for name, rows in tables.items():
        schema = arrow_schema(name)
        whole = [{**dict.fromkeys(schema.names), **row} for row in rows]
        whole.sort(key=lambda row: tuple(row[column] for column in TABLES[name].key))
        nullable = pa.schema([field.with_nullable(True) for field in schema], schema.metadata)
        write_parquet(to_table(whole, nullable), folder / f"{name}.parquet", name)


def duckdb_diff(before: Path, after: Path) -> dict[str, int]:
    """Rows that differ in any column, by table: a full outer join on the key, compared column by column."""
    connection = duckdb.connect()
    found = {}
    for name in COMPARED:
        key, columns = TABLES[name].key, page_columns(name)
        joined = " and ".join(f"a.{column} = b.{column}" for column in key)
        differs = [f"a.{column} is distinct from b.{column}" for column in columns]
        shown = ", ".join(f"a.{column}, b.{column}, {rule}" for column, rule in zip(columns, differs, strict=True))
        query = f"""select {shown} from '{before / name}.parquet' a full outer join '{after / name}.parquet' b
                    on {joined} where {" or ".join(differs)}"""
        found[name] = connection.sql(query).to_arrow_table().num_rows
    return found


def our_diff(before: Path, after: Path) -> pa.Table:
    """The same by our own comparison."""
    return compare_snapshots(FolderSnapshot(before), FolderSnapshot(after)).changes


def measure(projects: int, share: float) -> tuple[float, float]:
    """Best times in seconds: ours, DuckDB's."""
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before", Path(folder) / "after"
        write_state(before, projects, lambda number: False)
        write_state(after, projects, lambda number: random.Random(f"edit/{number}").random() < share)
        size = sum(file.stat().st_size for file in after.iterdir())
        ours, theirs = [], []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            changes = our_diff(before, after)
            ours.append(time.perf_counter() - began)
            began = time.perf_counter()
            rows = duckdb_diff(before, after)
            theirs.append(time.perf_counter() - began)
    best, yardstick = min(ours), min(theirs)
    print(f"{projects:,} projects, {share:.0%} edited, {size / 1e6:.0f} MB a state: {len(changes):,} differences")
    print(f"ours {best:.2f} s, DuckDB {yardstick:.2f} s ({sum(rows.values()):,} rows): {best / yardstick:.2f} x")
    return best, yardstick


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, float(sys.argv[2]) if len(sys.argv) > 2 else 0.02)
