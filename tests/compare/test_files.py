"""States in files give exactly the differences of the same states in memory, however their rows lie in the files."""

import random
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.states import State

from pipeline.compare import differing
from pipeline.compare.compare import compare
from pipeline.compare.files import compare_files
from pipeline.compare.inputs import FolderSnapshot
from pipeline.schema.columns import RECORD_TABLES, TABLES, arrow_schema, page_columns
from pipeline.store.parquet import to_table

Rows = list[dict[str, Any]]


def edit(rows: Rows, table: str, chance: random.Random) -> Rows:
    """Rows with values changed, rows and whole records removed, and places in lists exchanged."""
    key = TABLES[table].key
    codes = sorted({row[key[0]] for row in rows}, key=str)
    gone = {code for code in codes if chance.random() < 0.1}
    kept = [dict(row) for row in rows if row[key[0]] not in gone and chance.random() > 0.05]
    for row in kept:
        if chance.random() < 0.1:
            column = chance.choice([name for name in page_columns(table) if name not in key])
            row[column] = chance.choice([other[column] for other in rows])
    if len(key) > 1 and chance.random() < 0.5:
        for one, other in pairwise(kept):
            if chance.random() < 0.1 and one[key[0]] == other[key[0]]:
                exchanged = {name: one[name] for name in key}
                one |= {name: other[name] for name in key}
                other |= exchanged
    return kept


def turn(rows: Rows, place: str) -> None:
    """The lists of all projects, numbered from the other end."""
    last = Counter(row["project_code"] for row in rows)
    for row in rows:
        row[place] = 1 + max(last.values()) - row[place]


def write(rows: Rows, file: Path, table: str, chance: random.Random) -> pa.Table:
    """A file of the rows, in groups of any size; some in any order, as other programs write them. Returns its rows."""
    rows = sorted(rows, key=lambda row: tuple(row[column] for column in TABLES[table].key))
    schema = pa.schema([field.with_nullable(True) for field in arrow_schema(table, facts_only=True)])
    whole = to_table([{**dict.fromkeys(schema.names), **row} for row in rows], schema)
    shuffled = whole
    if chance.random() < 0.2:
        order = list(range(len(rows)))
        chance.shuffle(order)
        shuffled = whole.take(pa.array(order, pa.int64()))
    pq.write_table(
        shuffled, file, row_group_size=chance.choice([3, 20, 1000]), compression=chance.choice(["zstd", "snappy"])
    )
    return whole


def in_order(changes: pa.Table) -> Rows:
    """The changes; a removed item of a list and the one that took its number have one key, and no order."""
    rows = changes.to_pylist()
    assert [list(RECORD_TABLES).index(row["table"]) for row in rows] == sorted(
        list(RECORD_TABLES).index(row["table"]) for row in rows
    )
    return sorted(rows, key=lambda row: [str(value) for value in row.values()])


@pytest.mark.parametrize("seed", range(8))
def test_files_are_compared_as_tables_in_memory_are(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(differing, "_PART", chance.choice([1, 5_000, 1 << 20]))
    monkeypatch.setattr(differing, "_MOST_RUNS", chance.choice([0, 3, 500]))
    before, after = State().rows, State().rows
    for table in RECORD_TABLES:
        if chance.random() < 0.5:
            after[table] = edit(after[table], table, chance)
    if chance.random() < 0.3:
        turn(after["progress_reports"], "report_index")
        turn(after["plan_steps"], "step_no")
    else:  # that lists are turned is seen in a block of some lists
        monkeypatch.setattr("pipeline.compare.files._BLOCK", 2)
    states = []
    for name, rows in (("a", before), ("b", after)):
        (tmp_path / name).mkdir()
        states.append(
            {table: write(rows[table], tmp_path / name / f"{table}.parquet", table, chance) for table in RECORD_TABLES}
        )
    files = [FolderSnapshot(tmp_path / name).tables for name in ("a", "b")]
    expected = compare(*states)
    assert in_order(compare_files(*files, None)) == in_order(expected)
    assert compare_files(files[0], FolderSnapshot(tmp_path / "a").tables, None).num_rows == 0
    assert expected.num_rows > 0
