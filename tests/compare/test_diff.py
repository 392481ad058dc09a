"""Compare two snapshots from the command line: harvests of a store, two stores, exported folders; every format."""

import csv
import io
import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from rich.cells import cell_len
from rich.console import Console
from support.command import run
from support.folders import export, write
from support.states import SEED, State

from pipeline.compare.changes import SCHEMA
from pipeline.compare.compare import compare
from pipeline.compare.diff import compare_snapshots, states_differ, withhold_contacts
from pipeline.compare.formats import changes_on_terminal, format_changes
from pipeline.compare.inputs import FolderSnapshot, StoreSnapshot, open_snapshot
from pipeline.errors import StoreDamagedError, StoreError
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.plain_text import printable
from pipeline.schema.columns import RECORD_TABLES
from pipeline.store.parquet import write_parquet
from pipeline.store.state import FAMILIES
from pipeline.store.writer import open_archive


def folders_differ(before: Path, after: Path) -> pa.Table:
    return compare_snapshots(FolderSnapshot(before), FolderSnapshot(after)).changes


def test_three_nights_differ_in_the_known_edits_only(three_nights: Path) -> None:
    store = open_archive(three_nights)
    first, second, third = store.harvest_ids()
    rows = states_differ(store, first, second).to_pylist()
    assert sorted((row["meaning"], row["detail"], row["project_code"], row["column"]) for row in rows) == sorted([
        ("new_report", "backdated", "03000000-0102", None),  # of 2020, and not there the night before
        ("progress_up", None, "03000000-0102", "progress_percent"),
        ("report_edited", "percent_rewritten", "24000000-3051", "progress_percent"),
        ("report_edited", "text_rewritten", "24000000-3051", "note"),
    ])  # fmt: skip
    rows = states_differ(store, second, third).to_pylist()
    assert {row["meaning"] for row in rows if row["project_code"] == "50500000-0745"} == {"project_gone"}
    others = [row for row in rows if row["project_code"] != "50500000-0745"]
    assert [(row["meaning"], row["detail"], row["kpi_code"]) for row in others] == [
        ("target_moved", "target_lowered", "2400-1013")
    ]
    assert states_differ(store, third, third).equals(SCHEMA.empty_table())


def test_another_number_format_is_no_difference(tmp_path: Path, fixtures_html: Path) -> None:
    from support.harvests import harvest

    fixtures, data = tmp_path / "fixtures", tmp_path / "store"
    shutil.copytree(fixtures_html, fixtures)
    with DemoPortal(fixtures) as portal:
        assert harvest(portal, data).published
        changed = 0
        for page in sorted(fixtures.glob("*-????.html")):
            body = page.read_bytes()
            text = body.decode("utf-8", "surrogateescape")
            other = re.sub(r"(ความคืบหน้าโครงการฯ? ร้อยละ )(\d+)(?![\d.])", r"\1\2.00", text)
            other = re.sub(r"(ความคืบหน้าโครงการฯ? ร้อยละ \d+)\.00 ", r"\1 ", other) if "24" in page.name else other
            changed += other != text
            page.write_bytes(other.encode("utf-8", "surrogateescape"))
        assert changed > 5
        second = harvest(portal, data)
    assert second.published
    store = open_archive(data)
    assert len(states_differ(store, "previous", "latest")) == 0
    pages = store.arrow("pages").to_pandas()
    assert set(pages["outcome"]) - {"not_found", "skipped"} == {"unchanged"}


def test_the_same_state_from_store_folder_and_copy_is_no_difference(three_nights: Path, tmp_path: Path) -> None:
    folder = export(three_nights, "latest", tmp_path / "export")
    copy = tmp_path / "copy"
    shutil.copytree(three_nights, copy, symlinks=True)
    store = open_archive(three_nights)
    latest = store.resolve("latest")
    for other in (FolderSnapshot(folder), StoreSnapshot(open_archive(copy), latest), FolderSnapshot(copy / "latest")):
        comparison = compare_snapshots(StoreSnapshot(store, latest), other)
        assert len(comparison.changes) == 0
        assert comparison.uncompared == []
    shutil.rmtree(copy / "snapshots")  # derived: what harvests/ hold is enough
    (copy / "snapshots").mkdir()
    assert len(compare_snapshots(FolderSnapshot(folder), StoreSnapshot(open_archive(copy), latest)).changes) == 0


def test_folders_give_what_the_store_gives(three_nights: Path, tmp_path: Path) -> None:
    store = open_archive(three_nights)
    ids = store.harvest_ids()
    folders = [export(three_nights, id_, tmp_path / id_) for id_ in ids]
    for before, after in ((0, 1), (1, 2), (0, 2)):
        from_store = states_differ(store, ids[before], ids[after]).sort_by(
            [("table", "ascending"), ("key", "ascending")]
        )
        from_folders = folders_differ(folders[before], folders[after]).sort_by(
            [("table", "ascending"), ("key", "ascending")]
        )
        assert from_store.to_pylist() == from_folders.to_pylist()


def test_two_hosts_of_the_portal(three_nights: Path, tmp_path: Path) -> None:
    from support.harvests import harvest

    other = tmp_path / "other"
    with DemoPortal() as portal:  # another host, by its port
        portal.night = 2
        assert harvest(portal, other).published
    store = open_archive(three_nights)
    second = store.harvest_ids()[1]
    assert open_archive(other).portal != store.portal
    result = run("diff", f"{three_nights}@{second}", other, "--format", "json")
    rows = json.loads(result.stdout)
    # the project that shows its template only was never seen on the second host; the first still holds its last version
    assert {row["project_code"] for row in rows} == {"50500000-0745"}
    assert {row["meaning"] for row in rows} == {"project_gone"}
    assert result.returncode == 1


def test_a_record_that_one_host_could_not_show_is_not_gone(tmp_path: Path) -> None:
    from support.harvests import harvest

    with DemoPortal() as portal:
        portal.night = 2  # one project shows its template only
        assert harvest(portal, tmp_path / "whole").published
    fixtures = tmp_path / "fixtures"
    shutil.copytree(Path(__file__).parents[2] / "fixtures_html", fixtures)
    blocked = (fixtures / "verdicts" / "blocked" / "f5-request-rejected.html").read_bytes()
    (fixtures / "50040000-2210.html").write_bytes(blocked)
    with DemoPortal(fixtures) as portal:
        harvest(portal, tmp_path / "part")
    whole, part = open_archive(tmp_path / "whole"), open_archive(tmp_path / "part")
    snapshots = StoreSnapshot(whole, whole.harvest_ids()[-1]), StoreSnapshot(part, part.harvest_ids()[-1])
    for before, after, name in ((*snapshots, "B"), (*snapshots[::-1], "A")):
        comparison = compare_snapshots(before, after)
        assert "50040000-2210" not in comparison.changes["project_code"].to_pylist()
        assert "24000000-3051" in comparison.changes["project_code"].to_pylist()
        notes = [note for note in comparison.uncompared if note.what == "records"]
        unread = [note for note in notes if "could not read" in note.why]
        assert [(note.snapshot, note.examples) for note in unread] == [(name, ("50040000-2210",))]
        unlinked = [note for note in notes if "had no link" in note.why]
        assert [(note.snapshot, note.examples) for note in unlinked] == [(name, ("5004-0852", "5004-903"))]
    folder = export(tmp_path / "whole", "latest", tmp_path / "export")
    pages = pq.read_table(folder / "pages.parquet")
    write_parquet(pages.filter(pc.not_equal(pages["project_code"], "50040000-2210")), folder / "pages.parquet", "pages")
    for table in RECORD_TABLES:
        rows = pq.read_table(folder / f"{table}.parquet")
        if rows.schema.names[0] == "project_code":
            rows = rows.filter(pc.not_equal(rows["project_code"], "50040000-2210"))
        write_parquet(rows, folder / f"{table}.parquet", table)
    comparison = compare_snapshots(snapshots[0], FolderSnapshot(folder))
    assert set(comparison.changes["meaning"].to_pylist()) == {"project_gone"}
    assert [note.examples for note in comparison.uncompared if note.what == "records"] == [("50040000-2210",)]


def test_what_one_snapshot_lacks_is_noted_and_is_no_change(tmp_path: Path) -> None:
    whole, part = write(State(), tmp_path / "whole"), write(State(), tmp_path / "part")
    (part / "kpis.parquet").unlink()
    reports = pq.read_table(part / "progress_reports.parquet")
    write_parquet(reports.drop_columns(["obstacles"]), part / "progress_reports.parquet", "progress_reports")
    empty = pq.read_table(part / "contacts.parquet").slice(0, 0)
    write_parquet(empty, part / "contacts.parquet", "contacts")
    for before, after, name in ((whole, part, "B"), (part, whole, "A")):
        comparison = compare_snapshots(FolderSnapshot(before), FolderSnapshot(after))
        assert len(comparison.changes) == 0
        noted = {(note.snapshot, note.what) for note in comparison.uncompared if note.what != "pages"}
        assert noted == {(name, "kpis"), (name, "progress_reports.obstacles"), (name, "contacts")}


def test_a_damaged_folder_is_one_sentence(tmp_path: Path) -> None:
    folder = write(State(), tmp_path / "folder")
    (folder / "kpis.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(StoreDamagedError, match="cannot be read as the table kpis"):
        folders_differ(folder, folder)
    kpis = (
        State()
        .tables()["kpis"]
        .append_column("kpi", pa.nulls(len(State().tables()["kpis"])))
        .drop_columns(["kpi_code"])
    )
    pq.write_table(kpis, folder / "kpis.parquet")
    with pytest.raises(StoreError, match="lacks the key column kpi_code"):
        folders_differ(folder, folder)
    other = write(State(), tmp_path / "other")
    twice = pa.concat_tables([pq.read_table(other / "kpis.parquet")] * 2)
    write_parquet(twice, other / "kpis.parquet", "kpis")
    with pytest.raises(StoreError, match="two rows with one key"):
        folders_differ(write(State(), tmp_path / "third"), other)
    result = run("diff", folder, other)
    assert result.returncode == 2
    assert result.stderr.startswith("bma-progress: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_harvest_that_did_not_confirm_a_record_is_noted(three_nights: Path) -> None:
    store = open_archive(three_nights)
    first, second = store.harvest_ids()[:2]
    comparison = compare_snapshots(StoreSnapshot(store, first), StoreSnapshot(store, second))
    missed = [note for note in comparison.uncompared if "50500000-0745" in note.examples]
    assert [(note.snapshot, note.what) for note in missed] == [("B", "project")]
    assert "without a record" in missed[0].why


def hostile() -> pa.Table:
    before, after = State(), State()
    evil = '=HYPERLINK("http://127.0.0.1/x","คลิก")'
    for state, name in ((before, "+1"), (after, evil)):
        state.one("projects", project_code=SEED)["name"] = name
    after.one("projects", project_code=SEED)["objectives"] = "\x1b[31mแดง\u202eกลับ"
    after.one("kpis", kpi_code="2400-1013")["target_value"] = -5.0
    return compare(before.tables(), after.tables())


def test_csv_has_no_cell_that_is_a_formula() -> None:
    content = format_changes(hostile(), "csv")
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    cells = [cell for row in rows for cell in row.values()]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in cells)
    assert "'-5" in cells


def test_text_for_a_terminal_has_no_control_character() -> None:
    text = format_changes(hostile(), "table").decode()
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert printable("ก\u0e49\u200b") == "ก\u0e49�"


def test_all_formats_have_the_same_changes(tmp_path: Path) -> None:
    before, after = State(), State()
    after.one("progress_reports", project_code=SEED, report_index=2)["note"] = "เสนอขออนุมัติโครงการเรียบร้อยแล้ว"
    after.one("kpis", kpi_code="2400-1013")["target_value"] = 90.0
    changes = compare(before.tables(), after.tables())
    from_json = json.loads(format_changes(changes, "json"))
    from_csv = pd.read_csv(io.BytesIO(format_changes(changes, "csv")), dtype=str)
    from_parquet = pq.read_table(io.BytesIO(format_changes(changes, "parquet"))).to_pylist()
    assert [row["meaning"] for row in from_json] == ["report_edited", "target_moved"]
    assert (
        from_csv["meaning"].tolist()
        == [row["meaning"] for row in from_parquet]
        == [row["meaning"] for row in from_json]
    )
    words = from_json[0]["words"]
    assert (
        "".join(text for operation, text in words if operation != "removed")
        == after.one("progress_reports", project_code=SEED, report_index=2)["note"]
    )
    assert from_parquet[0]["words"] == from_csv["words"][0]
    assert "{+" in from_parquet[0]["words"]
    assert from_json[1]["words"] is None
    text = format_changes(changes, "table").decode()
    assert text.index("report_edited") < text.index("target_moved"), "most severe first"
    assert format_changes(SCHEMA.empty_table(), "table") == b"No difference.\n"


def test_withheld_contacts_are_not_shown(three_nights: Path) -> None:
    before, after = State(), State()
    after.one("contacts", project_code=SEED)["contact"] = "นางสาวสมมติ ตัวอย่าง"
    (row,) = withhold_contacts(compare(before.tables(), after.tables())).to_pylist()
    assert (row["meaning"], row["before"], row["after"]) == ("contact_changed", "(withheld)", "(withheld)")


def test_command_line(three_nights: Path, tmp_path: Path) -> None:
    store = open_archive(three_nights)
    ids = store.harvest_ids()
    same = run("diff", "latest", "latest", "--data", three_nights)
    assert (same.returncode, same.stdout) == (0, "No difference.\n")
    differs = run("diff", "previous", "latest", "--data", three_nights)
    assert differs.returncode == 1
    assert "target_lowered" in differs.stdout
    exported = export(three_nights, ids[0], tmp_path / "first")
    from_folder = run("diff", exported, ids[2], "--data", three_nights, "--format", "json")
    from_store = run("diff", ids[0], ids[2], "--data", three_nights, "--format", "json")
    sort = lambda text: sorted(json.loads(text), key=str)  # noqa: E731
    assert sort(from_folder.stdout) == sort(from_store.stdout)
    out = tmp_path / "changes.parquet"
    assert (
        run("diff", "previous", "latest", "--data", three_nights, "--format", "parquet", "--out", out).returncode == 1
    )
    assert pq.read_table(out)["meaning"].to_pylist().count("target_moved") == 1
    for arguments, said in (
        (("nonsense", "latest", "--data", three_nights), "no harvest's id"),
        (("2001-01-01", "latest", "--data", three_nights), "no harvest was published on or before"),
        (("2026-13-45", "latest", "--data", three_nights), "no day such as"),
        (("latest", "latest", "--data", tmp_path / "none"), "holds no store"),
        (("latest", tmp_path, "--data", three_nights), "holds no exported tables"),
        ((f"{three_nights}@1999-01-01", "latest", "--data", three_nights), "no harvest was published"),
        (("previous", "latest", "--data", three_nights, "--format", "parquet"), "--out"),
        (("previous", "latest", "--data", three_nights, "--format", "csv", "--out", tmp_path), "cannot be written"),
    ):
        wrong = run("diff", *arguments)
        assert wrong.returncode == 2, arguments
        assert wrong.stderr.startswith("bma-progress: ")
        assert said in wrong.stderr
        assert len(wrong.stderr.splitlines()) == 1


def test_a_folder_may_have_the_name_of_a_state(
    three_nights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(three_nights)
    store = open_archive(three_nights)
    assert isinstance(open_snapshot("latest", lambda: store), StoreSnapshot)
    assert isinstance(open_snapshot("./latest", lambda: store), FolderSnapshot)
    assert open_snapshot("./latest", lambda: store).harvest_id == store.latest_id()
    assert open_snapshot(".@previous", lambda: store).harvest_id == store.harvest_ids()[-2]
    assert set(open_snapshot("./latest", lambda: store).tables) == set(RECORD_TABLES)


def test_filters_summary_and_limit(three_nights: Path) -> None:
    store = open_archive(three_nights)
    first, _, third = store.harvest_ids()
    everything = [first, third, "--data", three_nights, "--format", "json"]

    def rows(*arguments: str) -> tuple[int, list[dict[str, str]], str]:
        done = run("diff", *everything, *arguments)
        return done.returncode, json.loads(done.stdout), done.stderr

    status, found, said = rows()
    assert (status, said.splitlines()[0]) == (
        1,
        f"bma-progress: compared A, {three_nights}, harvest {first}, with B, {three_nights}, harvest {third}",
    )
    status, chosen, _ = rows("--meaning", "target_moved", "--meaning", "backdated")
    assert {row["meaning"] for row in chosen} == {"target_moved", "new_report"}
    status, chosen, _ = rows("--agency", "2400", "--code", "24000000-3051")
    assert status == 1
    assert chosen == [row for row in found if row["project_code"] == "24000000-3051"]
    status, chosen, said = rows("--limit", "2")
    assert [row["meaning"] for row in chosen] == ["report_edited", "report_edited"]
    assert f"the 2 most severe of {len(found)} differences" in said
    assert rows("--code", "24000000-9999")[:2] == (0, [])
    counts = json.loads(run("diff", *everything, "--summary").stdout)
    assert counts["differences"] == sum(counts["by_meaning"].values()) == len(found)
    for wrong, says in (
        (("--meaning", "nonsense"), "is no meaning"),
        (("--agency", "x"), "is no agency's code"),
        (("--code", "x"), "is no project's or indicator's code"),
        (("--summary", "--format", "csv"), "leave out --summary or --format"),
    ):
        done = run("diff", *everything, *wrong)
        assert (done.returncode, done.stdout) == (2, "")
        assert says in done.stderr
    same = run("diff", "latest", third, "--data", three_nights)
    assert (same.returncode, same.stderr) == (
        0,
        f"bma-progress: both sides are {three_nights}, harvest {third}: nothing can differ\n",
    )


def test_buddhist_days_and_days_to_come_are_refused(three_nights: Path, tmp_path: Path) -> None:
    for command in (
        ("diff", "2569-11-22", "latest"),
        ("export", "2569-11-22", "--out", str(tmp_path / "out")),
        ("sql", "SELECT 1", "--when", "2569-11-22"),
    ):
        done = run(*command, "--data", three_nights)
        assert done.returncode == 2, done.stderr
        assert done.stderr == "bma-progress: 2569-11-22 is a day of the Buddhist era; write 2026-11-22\n"
    later = run("export", "2399-01-01", "--out", tmp_path / "out", "--data", three_nights)
    assert "is still to come" in later.stderr


def test_the_table_shows_the_words_that_changed_and_fits_the_terminal() -> None:
    note = "คณะกรรมการกำหนดคุณลักษณะเฉพาะได้ประชุมร่วมกับผู้ควบคุมงานและผู้รับจ้างเพื่อติดตามงานก่อสร้างเขื่อนริมคลองช่วงที่สอง"
    edited = note.replace("ติดตาม", "เร่งรัด")
    row = dict.fromkeys(SCHEMA.names, "x") | {
        "table": "progress_reports", "key": '{"project_code": "24000000-2964", "report_index": 12}', "column": "note",
        "before": note, "after": edited, "meaning": "report_edited", "detail": "text_rewritten", "cause": "portal",
    }  # fmt: skip
    changes = pa.Table.from_pylist([row], SCHEMA)
    for width in (50, 80, 120, 200):
        out = io.StringIO()
        Console(file=out, width=width, color_system=None).print(changes_on_terminal(changes, width))
        lines = out.getvalue().split("\n1 difference")[0].splitlines()
        assert len(lines) == 2, width
        assert all(cell_len(line.rstrip()) <= width for line in lines)
        assert "[-ติดตาม-]{+เร่งรัด+}" in out.getvalue()
    assert "[-ติดตาม-]{+เร่งรัด+}" in format_changes(changes, "table").decode()


@pytest.mark.parametrize("edit", ["none", "edited", "doubled", "other_agency"])
def test_a_record_with_another_code_is_told_once_where_that_is_certain(tmp_path: Path, edit: str) -> None:
    later, state = ("50240000-9999" if edit == "other_agency" else "24000000-9999"), State()
    kpi = str(state.rows["kpis"][-1]["kpi_code"])
    for rows in state.rows.values():
        for row in rows:
            if row.get("project_code") == SEED:
                row["project_code"] = later
            if row.get("kpi_code") == kpi and "project_code" not in row:
                row["kpi_code"] = f"{kpi[:5]}9998"
    if edit == "edited":
        state.of("progress_reports", project_code=later)[2]["note"] = "ข้อความอื่น"
    if edit == "doubled":
        for name in FAMILIES["project_code"]:
            rows = state.of(name, project_code=later)
            state.rows[name] += [{**row, "project_code": "24000000-9998"} for row in rows]
    before, after = write(State(), tmp_path / "before"), write(state, tmp_path / "after")
    rows = json.loads(run("diff", before, after, "--format", "json", "--code", SEED, "--code", later).stdout)
    whole = [(row["meaning"], row["detail"], row["before"], row["after"]) for row in rows if row["table"] == "projects"]
    if edit == "none":
        assert [row["detail"] for row in rows] == ["recoded"], "and no row of another table"
        assert whole == [("other", "recoded", SEED, later)]
        assert json.loads(run("diff", before, after, "--format", "json", "--code", SEED).stdout) == rows
        recoded = json.loads(run("diff", before, after, "--format", "json", "--meaning", "recoded").stdout)
        assert {(row["table"], row["before"]) for row in recoded} == {("projects", SEED), ("kpis", kpi)}
    else:
        assert {meaning for meaning, *_ in whole} == {"project_gone", "project_new"}


@pytest.mark.parametrize("edit", ["none", "edited", "moved_on"])
def test_records_that_exchange_their_codes_are_two_changes_where_that_is_all(tmp_path: Path, edit: str) -> None:
    first, *others = (row for row in State().rows["projects"] if row["agency_code"] == "24000000")
    second = others[0]
    codes, state = (
        {first["project_code"]: second["project_code"], second["project_code"]: first["project_code"]},
        State(),
    )
    if edit == "moved_on":  # what the second code said is nowhere any more
        codes = {first["project_code"]: second["project_code"]}
        for name in FAMILIES["project_code"]:
            state.rows[name] = [row for row in state.rows[name] if row["project_code"] != second["project_code"]]
    for name in FAMILIES["project_code"]:
        for row in state.rows[name]:
            row["project_code"] = codes.get(row["project_code"], row["project_code"])
    if edit == "edited":
        state.one("projects", project_code=second["project_code"])["targets"] = "ข้อความอื่น"
    before, after = write(State(), tmp_path / "before"), write(state, tmp_path / "after")
    rows = json.loads(run("diff", before, after, "--format", "json").stdout)
    recoded = {(row["before"], row["after"]) for row in rows if row["detail"] == "recoded"}
    if edit == "none":
        assert len(rows) == 2
        assert recoded == set(codes.items())
    else:
        assert not recoded, "a record whose facts stand under no other code has all its changes listed"
        assert len(rows) > 10
