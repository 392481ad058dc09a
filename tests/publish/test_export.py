"""The tables in other programs: exported, asked in SQL, and read with one plain line."""

import csv
import io
import itertools
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.cells import cell_len

from pipeline.compare.csv_files import guarded, write_csv
from pipeline.errors import BmaProgressError
from pipeline.publish.excel import within_cell
from pipeline.publish.export import WRITERS, export_state
from pipeline.publish.sql import Session
from pipeline.schema.columns import TABLES
from pipeline.schema.relations import RELATIONS
from pipeline.store.durable import canonical_json
from pipeline.store.head import write_head
from pipeline.store.snapshots import snapshot_document
from pipeline.store.verify import verify_store
from pipeline.store.writer import open_archive


def run(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from flows.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False, encoding="utf-8")


@pytest.mark.parametrize("name", TABLES)
def test_plain_readers_get_the_right_types(three_nights: Path, name: str) -> None:
    file = str(three_nights / "latest" / f"{name}.parquet")
    frames = pd.read_parquet(file), pl.read_parquet(file)
    described = dict(row[:2] for row in duckdb.sql(f"DESCRIBE SELECT * FROM '{file}'").fetchall())
    assert len(frames[0]) == len(frames[1])
    for column in TABLES[name].columns:
        found = str(frames[0][column.name].dtype), str(frames[1].schema[column.name]), described[column.name]
        expected = {
            "string": ("str", "String", "VARCHAR"),
            "int": ("Int32", "Int32", "INTEGER"),
            "float": ("float64", "Float64", "DOUBLE"),
            "bool": ("bool", "Boolean", "BOOLEAN"),
            "date": ("datetime64[us]", "Datetime(time_unit='us', time_zone=None)", "TIMESTAMP"),
            "instant": (
                "datetime64[us, UTC]",
                "Datetime(time_unit='us', time_zone='UTC')",
                "TIMESTAMP WITH TIME ZONE",
            ),
        }[column.type]
        assert found == expected, column.name


@pytest.fixture(scope="module")
def exports(three_nights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports")
    for form in WRITERS:
        done = run("export", "latest", "--out", folder / form, "--format", form, "--data", three_nights)
        assert done.returncode == 0, done.stderr
    return folder


def plain(value: Any) -> Any:
    """A value as every format can give it: instants and days as ISO text without a zone."""
    if value is None or value == "":
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat().replace("T", " ")[:19].removesuffix(" 00:00:00")
    return value


@pytest.mark.parametrize("name", TABLES)
def test_every_format_holds_every_value(three_nights: Path, exports: Path, name: str) -> None:
    expected = [tuple(map(plain, row.values())) for row in open_archive(three_nights).arrow(name).to_pylist()]
    assert expected
    columns = TABLES[name].columns

    with closing(sqlite3.connect(next((exports / "sqlite").iterdir()))) as lite:
        rows = lite.execute(f'SELECT * FROM "{name}"').fetchall()
    times = {i for i, column in enumerate(columns) if column.type in ("date", "instant")}
    assert [
        tuple(v[:19].removesuffix(" 00:00:00") if i in times and v else v for i, v in enumerate(row)) for row in rows
    ] == expected

    with duckdb.connect(str(next((exports / "duckdb").iterdir())), read_only=True) as duck:
        duck.execute("SET TimeZone = 'UTC'")
        found = duck.sql(f'SELECT * FROM "{name}"').to_arrow_table().to_pylist()
    assert [tuple(map(plain, row.values())) for row in found] == expected

    book = openpyxl.load_workbook(next((exports / "xlsx").iterdir()), read_only=True)
    heading, _, *found_rows = book[name].iter_rows(values_only=True)
    book.close()
    assert list(heading) == [column.name for column in columns]
    padded = [row + (None,) * (len(columns) - len(row)) for row in found_rows]
    instants = {i for i, column in enumerate(columns) if column.type == "instant"}
    whole = [
        tuple(float(v) if isinstance(v, int) and columns[i].type == "float" else plain(v) for i, v in enumerate(row))
        for row in padded
    ]
    without = [[tuple(v for i, v in enumerate(row) if i not in instants) for row in some] for some in (whole, expected)]
    assert without[0] == without[1]
    for row, real in zip(padded, open_archive(three_nights).arrow(name).to_pylist(), strict=True):
        for i, value in enumerate(real.values()):
            if i in instants:  # Excel keeps milliseconds
                assert (row[i] is None) == (value is None)
                assert value is None or abs(row[i] - value.replace(tzinfo=None)) < timedelta(milliseconds=1)

    with (exports / "csv" / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        heading_, *lines = csv.reader(file)
    assert heading_ == [column.name for column in columns]
    for line, row in zip(lines, expected, strict=True):
        for column, cell, value in zip(columns, line, row, strict=True):
            if column.type == "string":
                assert cell.removeprefix("'") == (value or "").removeprefix("'")
            elif column.type == "float":
                assert (float(cell) if cell else None) == value


HOSTILE = ['=HYPERLINK("http://x")', "+1", "-1+2", "@SUM(A1)", " =1", "\t=1", "\r=1", "＝1", "'quoted", "ปกติ", None]


def test_no_text_is_a_formula_and_each_can_be_restored() -> None:
    table = guarded(pa.table({"note": pa.array(HOSTILE, pa.string())}))
    marked = table["note"].to_pylist()
    assert marked == [f"'{text}" for text in HOSTILE[:-2]] + ["ปกติ", None]
    assert [text and text.removeprefix("'") for text in marked] == HOSTILE
    out = io.BytesIO()
    write_csv([pa.table({"=note": pa.array(HOSTILE, pa.string())})], out)
    heading, *rows = csv.reader(io.StringIO(out.getvalue().decode(), newline=""))
    assert heading == ["'=note"]
    assert [row[0] if row else "" for row in rows] == [(text or "").replace("'\r", "�") for text in marked]


@pytest.fixture(scope="module")
def hostile_store(three_nights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose latest snapshot holds what a page could say to do harm."""
    data = tmp_path_factory.mktemp("hostile") / "it's a [store]"
    shutil.copytree(three_nights, data, symlinks=True)
    file = (data / "latest" / "projects.parquet").resolve()
    table = pq.read_table(file)
    for name, texts in {
        "rationale": ["=1+1", "x" * 40_000, "_x0041_", "\x1b[2Jcleared"],
        "objectives": ["http://x.example/", "internal:projects!A1", "<b>&amp;</b>", "mailto:a@b.example"],
        "start_date": [datetime(1, 1, 1), datetime(9999, 12, 31), None, datetime(1899, 12, 31)],
    }.items():
        place = table.schema.get_field_index(name)
        values = [*texts, *[None] * (len(table) - 4)]
        table = table.set_column(place, table.schema.field(place), pa.array(values, table.schema.field(place).type))
    pq.write_table(table, file)
    snapshot, store = file.parent, open_archive(data)
    tables = sorted(file for file in snapshot.iterdir() if file.name != "snapshot.json")
    (snapshot / "snapshot.json").write_bytes(snapshot_document(tables, snapshot.name))
    # as an older version wrote it: no manifest names the bytes of its snapshot
    manifest = {**store.manifest(snapshot.name), "snapshot": None}
    (data / "harvests" / snapshot.name / "manifest.json").write_bytes(canonical_json(manifest))
    (data / "head.json").unlink()
    write_head(store, store.portal)
    return data


def test_a_text_in_excel_is_a_text(hostile_store: Path, tmp_path: Path) -> None:
    done = run("export", "latest", "--out", tmp_path / "x", "--format", "xlsx", "--data", hostile_store)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("longer than an Excel cell") == len(done.stderr.splitlines()) == 1
    book = openpyxl.load_workbook(next((tmp_path / "x").iterdir()))
    sheet = book["projects"]
    names = [cell.value for cell in sheet[1]]
    rows = {name: [sheet.cell(row, names.index(name) + 1) for row in range(3, 7)] for name in names}
    assert [cell.data_type for cell in rows["rationale"]] == ["s"] * 4
    assert [cell.value for cell in rows["rationale"][:3]] == [
        "=1+1", "x" * 32_767, "_x005F_x0041_"]  # fmt: skip  # as the format writes an underscore; Excel shows _x0041_
    assert [cell.data_type for cell in rows["objectives"]] == ["s"] * 4
    assert not any(cell.hyperlink for cell in rows["objectives"])
    assert [str(cell.value) for cell in rows["start_date"]] == [
        "0001-01-01", "9999-12-31 00:00:00", "None", "1899-12-31"]  # fmt: skip


def test_an_excel_file_can_be_handed_on(three_nights: Path, exports: Path) -> None:
    book = openpyxl.load_workbook(next((exports / "xlsx").iterdir()))
    assert book.sheetnames == ["about", *TABLES]
    about = "\n".join(str(cell.value) for row in book["about"].iter_rows() for cell in row if cell.value is not None)
    store = open_archive(three_nights)
    assert store.portal in about
    assert "3: " in about
    assert "name it as the source" in about
    assert "ร้อยละที่ทำได้" in about or "percent" in about
    for name, table in TABLES.items():
        sheet = book[name]
        assert sheet.freeze_panes == f"{chr(ord('A') + len(table.key))}3"
        assert sheet.auto_filter.ref.startswith("A2:")
    projects = book["projects"]
    heading = {cell.value: (projects.cell(2, cell.column).value, projects.cell(3, cell.column)) for cell in projects[1]}
    assert heading["progress_percent"][0].endswith("(ร้อยละ)")
    assert heading["progress_percent"][1].data_type == "n"
    assert heading["agency_code"][1].data_type == "s"
    assert heading["checked_at"][1].is_date
    widths = [projects.column_dimensions[letter].width for letter in "ABC"]
    assert len(set(widths)) > 1
    assert max(widths) <= 61


def test_excel_counts_letters_in_utf_16() -> None:
    assert within_cell("ก" * 32_767) == "ก" * 32_767
    assert within_cell("😀" * 16_384) == "😀" * 16_383
    assert within_cell("ก" + "😀" * 16_383) == "ก" + "😀" * 16_383


def test_every_format_takes_hostile_values_and_a_harvest_without_snapshot(hostile_store: Path, tmp_path: Path) -> None:
    store = open_archive(hostile_store)
    first = store.harvest_ids()[0]
    shutil.rmtree(hostile_store / "snapshots" / first)
    for when, form in itertools.product(("latest", first), WRITERS):
        out = tmp_path / f"{when}-{form}"
        assert export_state(store, when, out, form)[0] == store.resolve(when)
        assert any(out.iterdir())
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name]
    shown = run("sql", "SELECT rationale FROM projects WHERE rationale LIKE '%cleared'", "--data", hostile_store)
    assert "cleared" in shown.stdout
    assert "\x1b" not in shown.stdout


def test_withheld_contacts_are_in_no_export(
    three_nights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BMA_PROGRESS_PUBLISH_CONTACTS", "false")
    for form in ("parquet", "csv"):
        done = run("export", "latest", "--out", tmp_path / form, "--format", form, "--data", three_nights)
        assert done.returncode == 0, done.stderr
    assert len(pd.read_parquet(tmp_path / "parquet" / "contacts.parquet")) == 0
    assert len((tmp_path / "csv" / "contacts.csv").read_bytes().splitlines()) == 1
    done = run("sql", "SELECT count(*) AS n FROM contacts", "--format", "csv", "--data", three_nights)
    assert done.stdout == '"n"\n0\n'


@pytest.mark.parametrize("form", ["parquet", "csv", "duckdb"])
def test_a_damaged_store_or_a_full_folder_is_one_sentence_and_writes_nothing(
    three_nights: Path, tmp_path: Path, form: str
) -> None:
    data = tmp_path / "store"
    shutil.copytree(three_nights, data, symlinks=True)
    file = (data / "latest" / "kpis.parquet").resolve()
    file.write_bytes(file.read_bytes()[:300])
    out = tmp_path / "out"
    if form != "parquet":  # Parquet is copied as it is; `verify` is what finds the damage
        done = run("export", "latest", "--out", out, "--format", form, "--data", data)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert "verify" in done.stderr
        assert not out.exists()
        done = run("sql", "FROM kpis", "--data", data)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    (tmp_path / "file").write_text("here already")
    for place in (tmp_path / "file", tmp_path, tmp_path / "file" / "below"):
        done = run("export", "latest", "--out", place, "--format", form, "--data", three_nights)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"store", "file"}


def test_relations_hold_and_the_package_names_them(three_nights: Path, exports: Path) -> None:
    store = open_archive(three_nights)
    for one in RELATIONS:
        parents = {tuple(row.values()) for row in store.arrow(one.parent).select(one.columns).to_pylist()}
        children = {tuple(row.values()) for row in store.arrow(one.child).select(one.columns).to_pylist()}
        assert children, one
        assert children <= parents, one
    for form in ("parquet", "csv"):
        written = json.loads((exports / form / "datapackage.json").read_text(encoding="utf-8"))
        assert {resource["path"] for resource in written["resources"]} == {
            file.name for file in (exports / form).iterdir() if file.name not in ("datapackage.json", "index.json")
        }
        for resource in written["resources"]:
            table = TABLES[resource["name"]]
            assert [field["name"] for field in resource["schema"]["fields"]] == [
                column.name for column in table.columns
            ]
            assert resource["schema"]["primaryKey"] == list(table.key)
    named = sum(len(resource["schema"].get("foreignKeys", ())) for resource in written["resources"])
    assert named == len(RELATIONS)


@pytest.mark.parametrize("form", ["csv", "parquet", "latest"])
def test_the_package_is_valid_by_the_standards_own_tool(three_nights: Path, exports: Path, form: str) -> None:
    """Structure, types, keys, relations; of CSV every cell, and bytes and hash."""
    folder = three_nights / "latest" if form == "latest" else exports / form
    command = [sys.executable, "-m", "frictionless", "validate", "datapackage.json", "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=100, check=False, encoding="utf-8")
    answer = json.loads(done.stdout)
    assert answer["valid"], answer
    assert {task["name"] for task in answer["tasks"]} == set(TABLES)
    store = open_archive(three_nights)
    rows = {task["name"]: task["stats"]["rows"] for task in answer["tasks"]}
    assert rows == {name: len(store.arrow(name)) for name in TABLES}


def test_verify_knows_the_package(three_nights: Path, tmp_path: Path) -> None:
    data = tmp_path / "store"
    shutil.copytree(three_nights, data, symlinks=True)
    snapshot = (data / "latest").resolve()
    file = snapshot / "datapackage.json"
    assert verify_store(data, deep=True) == []
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"percent", b"baht"))
    assert [problem.where for problem in verify_store(data)] == [f"snapshots/{snapshot.name}/datapackage.json"]
    file.write_bytes(whole.replace(b'"path": "kpis.parquet"', b'"path": "../kpis.parquet"'))
    index, about = snapshot / "index.json", snapshot / "snapshot.json"
    index.write_bytes(index.read_bytes().replace(b'"rows": ', b'"rows": 1', 1))
    about.write_bytes(snapshot_document([*snapshot.glob("*.parquet"), file, index], snapshot.name))
    assert verify_store(data) == []
    assert [problem.what for problem in verify_store(data, deep=True)] == [
        "not the package of the tables beside it",
        "not the index of the tables beside it",
    ]
    file.unlink()
    index.unlink()
    assert [problem.what for problem in verify_store(data)] == ["missing", "missing"]
    about.write_bytes(snapshot_document(snapshot.glob("*.parquet"), snapshot.name))  # as an older version left it
    assert verify_store(data, deep=True) == []


def test_sql_reads_earlier_and_current_states(three_nights: Path) -> None:
    store = open_archive(three_nights)
    first, *_, last = store.harvest_ids()
    for when in (first, last):
        done = run("sql", "SELECT count(*) AS n FROM progress_reports", "--when", when, "--format", "csv",
                   "--data", three_nights)  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout == f'"n"\n{len(store.arrow("progress_reports", when).to_pandas())}\n'
    both = "SELECT count(*) FROM previous.projects;\nSELECT typeof(start_date) FROM plan_steps LIMIT 1"
    done = run("sql", "--data", three_nights, stdin=both)
    assert done.returncode == 0, done.stderr
    assert "DATE" in done.stdout
    assert str(len(store.arrow("projects", "previous").to_pandas())) in done.stdout
    query = (
        f"""SELECT (SELECT count(*) FROM "{first}".projects) AS one, (SELECT count(*) FROM latest.projects) AS other"""
    )
    done = run("sql", query, "--format", "csv", "--data", three_nights)
    counts = [len(store.arrow("projects", when).to_pandas()) for when in (first, last)]
    assert done.stdout.splitlines()[1] == ",".join(map(str, counts))
    pivoted = run("sql", "PIVOT progress_reports ON report_index USING count(*) GROUP BY project_code",
                  "--data", three_nights)  # fmt: skip
    assert pivoted.returncode == 0, pivoted.stderr


def test_borders_of_a_table_stand_below_each_other(three_nights: Path) -> None:
    shown = run("sql", "SELECT project_code, name FROM projects", "--data", three_nights).stdout
    assert "ำ" in shown
    assert len({cell_len(line) for line in shown.splitlines() if line.startswith(("│", "┌"))}) == 1


def test_a_session_continues_after_an_error_and_keeps_its_tables(three_nights: Path) -> None:
    lines = "SELEC 1;\nCREATE TABLE mine AS SELECT 7 AS n;\nINSERT INTO mine VALUES (1);\nFROM mine;\n"
    done = run("sql", "--format", "csv", "--data", three_nights, stdin=lines)
    assert done.stdout.endswith('"n"\n7\n')
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize(
    "query",
    [
        "COPY projects TO '{there}'",
        "WITH x AS (COPY (SELECT 1 AS project_code) TO '{there}') SELECT 1",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{there}'",
        "WITH x AS (COPY (SELECT 1) TO '{new}') SELECT 1",
        "EXPORT DATABASE '{new}'",
        "ATTACH '{new}'",
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM read_parquet('{there}')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
        "INSTALL httpfs",
        "LOAD httpfs",
        "CREATE SECRET (TYPE s3)",
        "SET enable_external_access = true",
        "SELECT * FROM store",
        "DELETE FROM projects",
        "DROP VIEW projects",
    ],
)
def test_a_query_can_read_only_the_tables(three_nights: Path, tmp_path: Path, query: str) -> None:
    there, new, secret = three_nights / "latest" / "projects.parquet", tmp_path / "new", tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    before = there.read_bytes()
    with Session(open_archive(three_nights)) as session, pytest.raises(BmaProgressError) as refused:
        session.answer(query.format(there=there.resolve(), new=new, secret=secret), "csv", io.BytesIO())
    assert "\n" not in str(refused.value)
    assert there.read_bytes() == before
    assert not new.exists()


@pytest.mark.parametrize("query", ["SELEC 1", "SELECT nothing FROM projects", "SELECT * FROM nowhere", ""])
def test_wrong_sql_is_one_sentence(three_nights: Path, query: str) -> None:
    done = run("sql", query, "--data", three_nights)
    assert "Traceback" not in done.stderr
    assert done.returncode == (2 if query else 0)
    assert len(done.stderr.splitlines()) == (1 if query else 0)


@pytest.mark.parametrize(
    ("module", "arguments", "extra"),
    [
        ("duckdb", ["sql", "SELECT 1"], "bma-progress[sql]"),
        ("duckdb", ["export", "latest", "--out", "new", "--format", "duckdb"], "bma-progress[sql]"),
        ("xlsxwriter", ["export", "latest", "--out", "new", "--format", "xlsx"], "bma-progress[excel]"),
    ],
)
def test_a_missing_library_is_named(
    three_nights: Path, tmp_path: Path, module: str, arguments: list[str], extra: str
) -> None:
    arguments = [str(tmp_path / "new") if word == "new" else word for word in arguments]
    code = f"import sys; sys.modules[{module!r}] = None\nfrom flows.cli import main; main()"
    command = [sys.executable, "-c", code, *arguments, "--data", str(three_nights)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, encoding="utf-8")
    assert done.returncode == 2
    assert extra in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "new").exists()


def test_an_empty_store_has_nothing_to_export(tmp_path: Path) -> None:
    done = run("sql", "SELECT 1", "--data", tmp_path / "none")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
