"""Two states compared, and the differences written for people and programs."""

import csv
import io
import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.changes import MEANINGS, SCHEMA, compare
from pipeline.commit import compare_states
from pipeline.errors import StoreError
from pipeline.fields import RECORD_TABLES
from pipeline.state import State
from pipeline.store import Store

_WIDTH = 48


def states_differ(store: Store, before: str, after: str) -> pa.Table:
    """What differs between two states of a store; a table of `pipeline.changes.SCHEMA`."""
    ids = store.resolve(before), store.resolve(after)
    if ids[0] == ids[1]:
        return SCHEMA.empty_table()
    old, new = State(store, ids[0]), State(store, ids[1])
    return compare_states(old, new, gone_before=old.ended_codes())


def folders_differ(before: Path, after: Path) -> pa.Table:
    """What differs between two folders of exported Parquet files. Raises StoreError where one holds none."""
    return compare(_read_folder(before), _read_folder(after))


def _read_folder(folder: Path) -> dict[str, pa.Table]:
    tables = {
        name: pq.read_table(folder / f"{name}.parquet")
        for name in RECORD_TABLES
        if (folder / f"{name}.parquet").is_file()
    }
    if not tables:
        raise StoreError(f"{folder} holds no exported tables; name a folder made by `bma-progress export`")
    return tables


def render(changes: pa.Table, style: str) -> bytes:
    """The differences as `table` (text), `json`, `csv` or `parquet`."""
    if style == "json":
        rows = [{**row, "key": json.loads(row["key"])} for row in changes.to_pylist()]
        return (json.dumps(rows, ensure_ascii=False, indent=1) + "\n").encode()
    if style == "csv":
        return _csv(changes)
    if style == "parquet":
        sink = pa.BufferOutputStream()
        pq.write_table(changes, sink, compression="zstd")
        return bytes(sink.getvalue())
    return _text(changes).encode()


def _csv(changes: pa.Table) -> bytes:
    """CSV that a spreadsheet opens safely: UTF-8 with its mark, and no cell taken for a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(changes.column_names)
    for row in changes.to_pylist():
        writer.writerow([_safe_cell(value) for value in row.values()])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _safe_cell(value: str | None) -> str:
    text = value or ""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _text(changes: pa.Table) -> str:
    if not len(changes):
        return "No difference.\n"
    rows = changes.to_pylist()
    lines = []
    whole = {"project_new", "project_gone", "project_back"}
    for row in rows:
        if row["meaning"] in whole and row["table"] not in ("projects", "kpis"):
            continue  # the record's own line says it
        key = "/".join(str(part) for part in json.loads(row["key"]).values())
        what = row["column"] or row["change"]
        change = (
            f"{_short(row['before'])} → {_short(row['after'])}"
            if row["column"]
            else _short(row["after"] or row["before"])
        )
        lines.append(f"  {row['meaning']:<16} {row['table']:<20} {key:<28} {what}: {change}")
    meanings = Counter(row["meaning"] for row in rows)
    agencies = Counter(row["agency_code"] for row in rows)
    columns = Counter(f"{row['table']}.{row['column'] or row['change']}" for row in rows)
    lines += ["", f"{len(rows):,} differences:"]
    lines += [f"  {count:>6,} {meaning:<16} {MEANINGS.get(meaning, '')}" for meaning, count in meanings.most_common()]
    lines += ["", "By agency: " + ", ".join(f"{agency} {count:,}" for agency, count in agencies.most_common())]
    lines += ["By column: " + ", ".join(f"{column} {count:,}" for column, count in columns.most_common())]
    return "\n".join(lines) + "\n"


def _short(value: str | None) -> str:
    if value is None:
        return "(nothing)"
    text = " ".join(value.split())
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
