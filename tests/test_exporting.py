"""The tables in other programs: exported, asked in SQL, and read with one plain line."""

import csv
import io
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from pipeline.data_package import data_package
from pipeline.exporting import FORMATS, guarded, write_csv
from pipeline.fields import TABLES
from pipeline.relations import RELATIONS
from pipeline.store import open_store


def run(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from flows.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False, encoding="utf-8")


@pytest.mark.parametrize("name", TABLES)
def test_one_plain_line_reads_a_table_with_right_types(three_nights: Path, name: str) -> None:
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
    for form in FORMATS:
        done = run("export", "latest", "--out", folder / form, "--format", form, "--data", three_nights)
        assert done.returncode == 0, done.stderr
    return folder


def plain(value: Any) -> Any:
    """A value as every format can give it: instants and days as ISO text without a zone."""
    if value is None or value == "":
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat(" ")[:19].removesuffix(" 00:00:00")
    return value


@pytest.mark.parametrize("name", TABLES)
def test_every_format_holds_every_value(three_nights: Path, exports: Path, name: str) -> None:
    expected = [tuple(map(plain, row.values())) for row in open_store(three_nights).arrow(name).to_pylist()]
    assert expected
    columns = TABLES[name].columns

    with sqlite3.connect(next((exports / "sqlite").iterdir())) as lite:
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
    heading, *found_rows = book[name].iter_rows(values_only=True)
    book.close()
    assert list(heading) == [column.name for column in columns]
    padded = [row + (None,) * (len(columns) - len(row)) for row in found_rows]
    whole = [
        tuple(float(v) if isinstance(v, int) and columns[i].type == "float" else plain(v) for i, v in enumerate(row))
        for row in padded
    ]
    assert whole == expected

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


def test_no_text_is_taken_for_a_formula_and_each_comes_back() -> None:
    table = guarded(pa.table({"note": pa.array(HOSTILE, pa.string())}))
    marked = table["note"].to_pylist()
    assert marked == [f"'{text}" for text in HOSTILE[:-2]] + ["ปกติ", None]
    assert [text and text.removeprefix("'") for text in marked] == HOSTILE
    out = io.BytesIO()
    write_csv(pa.table({"note": pa.array(HOSTILE, pa.string())}), out)
    assert out.getvalue().startswith(b"\xef\xbb\xbf")


def test_a_text_in_excel_is_a_text(three_nights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.exporting import export_state

    store = open_store(three_nights)
    real = store.arrow

    def hostile(name: str, when: str = "latest") -> pa.Table:
        table = real(name, when)
        if name == "projects":
            place = table.schema.get_field_index("rationale")
            text = pa.array(["=1+1"] + ["x" * 40_000] * (len(table) - 1), pa.string())
            table = table.set_column(place, table.schema.field(place), text)
        return table

    monkeypatch.setattr(store, "arrow", hostile)
    _, notes = export_state(store, "latest", tmp_path / "x", "xlsx")
    book = openpyxl.load_workbook(next((tmp_path / "x").iterdir()))
    sheet = book["projects"]
    column = [cell.value for cell in sheet[1]].index("rationale") + 1
    assert (sheet.cell(2, column).value, sheet.cell(2, column).data_type) == ("=1+1", "s")
    assert [note.split(":")[0] for note in notes] == ["projects"]


def test_relations_hold_and_the_package_names_them(three_nights: Path, exports: Path) -> None:
    store = open_store(three_nights)
    for one in RELATIONS:
        parents = {tuple(row.values()) for row in store.arrow(one.parent).select(one.columns).to_pylist()}
        children = {tuple(row.values()) for row in store.arrow(one.child).select(one.columns).to_pylist()}
        assert children, one
        assert children <= parents, one
    for form in ("parquet", "csv"):
        written = json.loads((exports / form / "datapackage.json").read_text(encoding="utf-8"))
        assert written == data_package(store.resolve("latest"), store.portal, form=form)
        assert {resource["path"] for resource in written["resources"]} == {
            file.name for file in (exports / form).iterdir() if file.name != "datapackage.json"
        }
        for resource in written["resources"]:
            names = [field["name"] for field in resource["schema"]["fields"]]
            assert names == [column.name for column in TABLES[resource["name"]].columns]


def test_sql_answers_about_then_and_now(three_nights: Path) -> None:
    store = open_store(three_nights)
    first, *_, last = store.harvest_ids()
    for when in (first, last):
        done = run("sql", "SELECT count(*) AS n FROM progress_reports", "--when", when, "--format", "csv",
                   "--data", three_nights)  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout == f'\ufeff"n"\n{len(store.table("progress_reports", when))}\n'
    both = "SELECT count(*) FROM previous.projects; SELECT typeof(start_date) FROM plan_steps LIMIT 1"
    done = run("sql", "--data", three_nights, stdin=both.replace("; ", ";\n"))
    assert done.returncode == 0, done.stderr
    assert "DATE" in done.stdout
    assert str(len(store.table("projects", "previous"))) in done.stdout
    done = run("sql", f'SELECT count(*) AS n FROM "{first}".projects', "--format", "csv", "--data", three_nights)
    assert done.stdout.splitlines()[1] == str(len(store.table("projects", first)))


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
def test_what_is_not_installed_is_named(
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
