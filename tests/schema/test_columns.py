"""The parser, the dictionary of columns and the files have the same columns."""

import json
from pathlib import Path
from typing import get_type_hints

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from support.states import page_url

from parsers import parse_page
from pipeline.errors import StoreError
from pipeline.schema.columns import RECORD_TABLES, TABLES, Column, arrow_schema, page_columns
from pipeline.store.parquet import check_rows, to_table, version_rows, version_schemas, write_parquet


def parsed_rows(fixtures_html: Path) -> dict[str, list[dict]]:
    rows: dict[str, list[dict]] = {}
    for page in sorted(fixtures_html.glob("*.html")):
        for table, found in parse_page(page.read_bytes(), url=page_url(page)).tables.items():
            rows.setdefault(table, []).extend(
                {**row, "page_key": page.stem, "version_harvest_id": "x"} for row in found
            )
    return rows


def test_parsers_feed_every_declared_table_and_no_other(fixtures_html: Path) -> None:
    assert set(parsed_rows(fixtures_html)) == set(RECORD_TABLES)


def test_rows_and_dictionary_name_the_same_columns(fixtures_html: Path) -> None:
    for table, rows in parsed_rows(fixtures_html).items():
        for row in rows:
            assert row.keys() - {"page_key", "version_harvest_id"} == set(page_columns(table)), table


def test_every_declared_column_is_filled_on_some_page(fixtures_html: Path) -> None:
    for table, rows in parsed_rows(fixtures_html).items():
        for column in page_columns(table):
            assert any(row[column] is not None for row in rows), f"no fixture fills {table}.{column}"


def test_files_carry_what_the_dictionary_says(fixtures_html: Path, tmp_path: Path) -> None:
    for table, rows in parsed_rows(fixtures_html).items():
        file = tmp_path / f"{table}.parquet"
        write_parquet(version_rows(table, rows), file, table)
        schema = pq.read_schema(file)
        assert schema.names == [*page_columns(table), "page_key", "version_harvest_id"]
        for column in TABLES[table].columns:
            if column.origin != "page":
                continue
            metadata = schema.field(column.name).metadata or {}
            assert metadata[b"description"].decode() == column.description
            assert metadata.get(b"label_th", b"").decode() == column.label_th
            assert metadata.get(b"unit", b"").decode() == column.unit


def test_plain_readers_get_the_right_types(fixtures_html: Path, tmp_path: Path) -> None:
    expected = {
        "string": "str",
        "int": "Int32",
        "float": "float64",
        "bool": "bool",
        "date": "datetime64[us]",
        "instant": "datetime64[us, UTC]",
    }
    for table, rows in parsed_rows(fixtures_html).items():
        file = tmp_path / f"{table}.parquet"
        lineage = dict.fromkeys(column.name for column in TABLES[table].columns)
        write_parquet(to_table([{**lineage, **row} for row in rows], arrow_schema(table)), file, table)
        frame = pd.read_parquet(file)
        for column in TABLES[table].columns:
            if column.origin == "page":
                assert str(frame[column.name].dtype) == expected[column.type], f"{table}.{column.name}"
        assert frame.attrs["key"] == list(TABLES[table].key)
        assert len(pl.read_parquet(file)) == len(frame) == duckdb.sql(f"select count(*) from '{file}'").fetchall()[0][0]


def test_a_date_compares_with_a_string_in_pandas(fixtures_html: Path, tmp_path: Path) -> None:
    file = tmp_path / "progress_reports.parquet"
    write_parquet(
        version_rows("progress_reports", parsed_rows(fixtures_html)["progress_reports"]), file, "progress_reports"
    )
    frame = pd.read_parquet(file)
    assert 0 < (frame["reported_on_date"] >= "2020-06-01").sum() < len(frame)


def test_equal_content_gives_equal_bytes(fixtures_html: Path, tmp_path: Path) -> None:
    rows = parsed_rows(fixtures_html)["progress_reports"]
    for name, order in (("one", rows), ("other", rows[::-1])):
        write_parquet(version_rows("progress_reports", order), tmp_path / name, "progress_reports")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_descriptions_and_keys_are_complete() -> None:
    assert set(get_type_hints(Column)) >= {"name", "type", "description", "label_th", "unit"}
    for table in TABLES.values():
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names)
        assert tuple(names[: len(table.key)]) == table.key or table.name in ("pages", "findings")
        assert all(column.description.endswith((".", "%", ")")) for column in table.columns), table.name
        assert {column.name for column in table.columns if column.required} >= set(table.key)
        attributes = json.loads(arrow_schema(table.name).metadata[b"PANDAS_ATTRS"])
        assert set(attributes["columns"]) == set(names)


def test_only_one_table_has_personal_data() -> None:
    assert {table.name for table in TABLES.values() if any(column.personal for column in table.columns)} == {"contacts"}


def test_a_row_with_an_undeclared_column_is_an_error() -> None:
    row = dict.fromkeys((*page_columns("contacts"), "page_key", "version_harvest_id"), "x")
    check_rows({"contacts": [row]})
    with pytest.raises(StoreError, match="disagree about fax"):
        check_rows({"contacts": [{**row, "fax": "1"}]})
    with pytest.raises(StoreError, match="have the key"):
        check_rows({"contacts": [row, row]})


def test_version_schema_ends_with_its_origin() -> None:
    for table in RECORD_TABLES:
        assert version_schemas()[table].names[-2:] == ["page_key", "version_harvest_id"]
