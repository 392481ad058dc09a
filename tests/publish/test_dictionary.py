"""The data dictionary says what the tables are, in both languages, and the documentation has today's."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support.write_dictionary import ROOT, documented_examples

from pipeline.publish.dictionary import diagram, examples_of, html, markdown, write_dictionary
from pipeline.schema.columns import TABLES
from pipeline.schema.relations import MENTIONS, RELATIONS
from pipeline.schema.thai_texts import COLUMNS_TH, ODDITIES, TABLES_TH, TYPES, UNITS_TH
from pipeline.store.writer import open_archive

THAI = re.compile("[ก-๙]")
COLUMNS = [(table, column) for table in TABLES.values() for column in table.columns]


def test_the_documentation_has_todays_dictionary(three_nights: Path, tmp_path: Path) -> None:
    for file in write_dictionary(tmp_path, documented_examples(three_nights)):
        kept = ROOT / "docs" / file.name
        assert kept.read_text(encoding="utf-8") == file.read_text(encoding="utf-8"), (
            "run tests/support/write_dictionary.py, look at what it wrote, and commit it"
        )


def test_every_description_has_its_thai_and_none_is_left_over() -> None:
    assert set(TABLES_TH) == set(TABLES)
    assert set(COLUMNS_TH) == {column.description for _, column in COLUMNS}
    assert set(UNITS_TH) == {column.unit for _, column in COLUMNS} - {""}
    assert set(TYPES) == {column.type for _, column in COLUMNS}
    assert all(THAI.search(text) for text in (*TABLES_TH.values(), *COLUMNS_TH.values(), *UNITS_TH.values()))
    for oddity in ODDITIES:
        table, _, column = oddity.where.partition(".")
        assert table == "*" or table in TABLES, oddity.where
        assert not column or column in {one.name for one in TABLES[table].columns}, oddity.where
        assert THAI.search(oddity.thai)


def test_examples_are_real_and_personal_data_has_none(three_nights: Path) -> None:
    found = examples_of(open_archive(three_nights), "24000000-2964")
    assert found["projects", "name"].startswith("โครงการพัฒนาศักยภาพกรรมการชุมชน")
    assert found["progress_reports", "reported_on_date"] == "2019-10-29"
    assert found["projects", "budget_received_baht"] == "1250000.5"
    for table, column in COLUMNS:
        values = pq.read_table(three_nights / "latest" / f"{table.name}.parquet", columns=[column.name])[0]
        has_values = values.null_count < len(values)
        assert ((table.name, column.name) in found) == (has_values and not column.personal), (table.name, column.name)
    contacts = pq.read_table(three_nights / "latest" / "contacts.parquet").to_pylist()
    for text in (markdown("en", found), markdown("th", found), html(found)):
        for row in contacts:
            assert row["contact"] is None or row["contact"] not in text


@pytest.mark.parametrize("language", ["en", "th"])
def test_every_column_is_a_row_of_the_markdown(language: str) -> None:
    text = markdown(language)  # type: ignore[arg-type]
    rows = [line for line in text.splitlines() if line.startswith("| `") and not line.startswith("| `*")]
    assert len(rows) == len(COLUMNS) + len(ODDITIES) - 1
    widths = {line.replace("\\|", "").count("|") for line in rows[: len(COLUMNS)]}
    assert widths == {7}


class _Reader(HTMLParser):
    """The tags that are open, the addresses named, and the ids."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link"):
            self.open.append(tag)
        values = dict(attrs)
        self.ids.add(values.get("id") or "")
        self.links += [value for name, value in attrs if name in ("href", "src") and value]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_html_is_whole_and_asks_for_nothing() -> None:
    hostile = {("projects", "name"): "<script>alert(1)</script>|`x`"}
    text = html(hostile)
    reader = _Reader()
    reader.feed(text)
    assert reader.open == []
    assert "<script" not in text
    assert all(link == "data:," or link.removeprefix("#") in reader.ids for link in reader.links)
    assert set(TABLES) <= reader.ids
    assert "\\|" in markdown("en", hostile)
    assert "<script" not in markdown("en", hostile)


def test_the_diagram_has_every_table_once_and_every_relation() -> None:
    drawn = diagram()
    assert sorted(box.name for box in drawn.boxes) == sorted(TABLES)
    assert len({(box.x, box.y) for box in drawn.boxes}) == len(TABLES)
    assert len(drawn.lines) == len(RELATIONS) + len(MENTIONS)
    assert all(box.x + box.width <= drawn.width and box.y + box.height <= drawn.height for box in drawn.boxes)


def test_the_command_writes_the_pages_with_and_without_a_store(three_nights: Path, tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("bma-progress"), "dictionary", "--out"]
    done = subprocess.run(
        [*command, tmp_path / "a", "--data", three_nights], capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == 3
    assert "โครงการ" in (tmp_path / "a" / "data-dictionary.md").read_text(encoding="utf-8")
    done = subprocess.run(
        [*command, tmp_path / "b", "--data", tmp_path / "none"], capture_output=True, text=True, check=True
    )
    assert "the pages have no examples" in done.stderr
    assert (tmp_path / "b" / "data-dictionary.html").read_text(encoding="utf-8") == html()
    (tmp_path / "file").write_text("")
    done = subprocess.run([*command, tmp_path / "file"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot be written" in done.stderr.splitlines()[-1]
