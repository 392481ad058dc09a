"""What our parser changed, apart from what the portal changed.

An older parser is played by today's with one column it did not know yet.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.harvests import harvest
from support.older_parser import older_parser

import parsers
from flows.cli import main
from pipeline.compare.diff import states_differ
from pipeline.harvest import reading, replay
from pipeline.harvest.demo_portal import DemoPortal
from pipeline.store.verify import verify_store
from pipeline.store.writer import open_archive


@pytest.fixture
def read_by_the_older(tmp_path: Path) -> Iterator[tuple[DemoPortal, Path]]:
    with DemoPortal() as portal:
        with older_parser():
            harvest(portal, tmp_path / "store")
            portal.night = 2
            harvest(portal, tmp_path / "store")
        yield portal, tmp_path / "store"


def test_replay_reports_what_the_parser_changed_and_writes_nothing(
    read_by_the_older: tuple[DemoPortal, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    _, data = read_by_the_older
    files = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    changes, read, unreadable = replay.parser_changes(open_archive(data))
    assert {(row["table"], row["column"], row["before"], row["cause"]) for row in changes.to_pylist()} == {
        ("projects", "evaluation_score", None, "parser")
    }
    assert read > 30
    assert unreadable == []
    every, more, _ = replay.parser_changes(open_archive(data), "2020-01-01")
    assert more > read  # the versions that harvest 2 replaced as well
    assert len(every) >= len(changes)
    with pytest.raises(SystemExit) as ended:
        main(["replay", "--data", str(data)])
    assert ended.value.code == 1
    assert "evaluation_score" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == files


def test_a_published_replay_is_a_harvest_with_the_cause_parser(
    read_by_the_older: tuple[DemoPortal, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    portal, data = read_by_the_older
    store = open_archive(data)
    before = store.latest_id()
    assert before
    checked = store.arrow("projects").to_pandas().set_index("project_code")["checked_at"]
    asked = len(portal.requests)
    with pytest.raises(SystemExit) as ended:
        main(["replay", "--publish", "--data", str(data)])
    assert ended.value.code == 0, capsys.readouterr()
    assert len(portal.requests) == asked  # nothing was fetched
    after = store.latest_id()
    assert after
    assert after > before
    assert store.manifest(after)["cause"] == "parser"
    assert store.arrow("projects").to_pandas()["evaluation_score"].notna().any()
    assert store.arrow("projects", before).to_pandas()["evaluation_score"].isna().all()
    # what the rows say of the portal's answers stays: nobody asked it
    assert store.arrow("projects").to_pandas().set_index("project_code")["checked_at"].equals(checked)
    assert set(store.arrow("projects").to_pandas()["parser_version"]) == {parsers.PARSER_VERSION}
    assert {row["cause"] for row in states_differ(store, before, after).to_pylist()} == {"parser"}
    assert verify_store(data, deep=True) == []
    with pytest.raises(SystemExit) as again:
        main(["replay", "--data", str(data)])
    assert again.value.code == 0


def test_a_new_parser_reads_the_stored_pages_before_the_next_harvest(
    read_by_the_older: tuple[DemoPortal, Path],
) -> None:
    portal, data = read_by_the_older
    portal.night = 3
    result = harvest(portal, data)
    store = open_archive(data)
    first, second, third, fourth = store.harvest_ids()
    assert fourth == result.harvest_id
    assert [store.manifest(id_)["cause"] for id_ in (first, second, third, fourth)] == [
        "portal",
        "portal",
        "parser",
        "portal",
    ]
    # of harvest 3 only what the portal changed, whatever today's parser reads differently
    assert not {"evaluation_score"} & set(states_differ(store, third, fourth)["column"].to_pylist())
    over_both = states_differ(store, second, fourth).to_pylist()
    assert {row["cause"] for row in over_both if row["column"] == "evaluation_score"} == {"parser"}
    assert {row["cause"] for row in over_both if row["column"] == "progress_percent"} <= {"portal"}
    assert "portal" in {row["cause"] for row in over_both}
    assert verify_store(data, deep=True) == []


def test_a_page_todays_parser_cannot_read_holds_the_replay_back(
    read_by_the_older: tuple[DemoPortal, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, data = read_by_the_older
    parse = parsers.parse_page
    monkeypatch.setattr(
        reading,
        "parse_bounded",
        lambda body, **about: parse(b"" if b"24000000-2964" in body[:20_000] else body, **about),
    )
    store = open_archive(data)
    before = store.latest_id()
    with pytest.raises(SystemExit) as ended:
        main(["replay", "--publish", "--data", str(data)])
    assert ended.value.code == 1
    assert store.latest_id() == before
    assert "hold no record" in store.manifest(store.harvest_ids()[-1])["held_back"]
    assert verify_store(data) == []
