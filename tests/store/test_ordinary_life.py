"""What ordinary nights do to a store: failures, lost files, settings switched, wrong clocks. None stops it or loses a row."""

import errno
import hashlib
import json
import os
import shlex
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command import run
from support.faulty_portal import Fault, FaultyPortal, hang_up, page, reset, status
from support.harvests import harvest
from support.synthetic_portal import AGENCIES, code_of, list_page, project_page
from support.verifying import verify_deeply

from pipeline.errors import BmaProgressError, StoreDamagedError, StoreError
from pipeline.harvest import run as run_module
from pipeline.harvest import staging
from pipeline.harvest.page_status import next_page_row
from pipeline.harvest.result import HarvestResult, Scope
from pipeline.harvest.run import HarvestRun
from pipeline.settings import load_settings
from pipeline.store.archive import Archive
from pipeline.store.durable import canonical_json, file_sha256
from pipeline.store.head import write_head
from pipeline.store.layout import harvest_id_at
from pipeline.store.parquet import write_parquet
from pipeline.store.readers import Readers
from pipeline.store.snapshots import publish as show
from pipeline.store.snapshots import snapshot_document
from pipeline.store.verify import verify_store
from pipeline.store.writer import open_archive, open_writer

AGENCY = AGENCIES[0]
NUMBERS = [place * len(AGENCIES) for place in range(8)]
"""Projects of one agency, so that a night asks for a handful of pages."""
FIREWALL = b"<html><body><h1>Request Rejected</h1><p>The requested URL was rejected. Support ID: 1</p></body></html>"


def path_of(number: int) -> str:
    return f"/mobile/myproject.php?pid={code_of(number)}"


def pages() -> dict[str, Any]:
    projects = {path_of(number): project_page(number, 1, 0.0) for number in NUMBERS}
    return {f"/mobile/index101.php?selDEP={AGENCY}": list_page(AGENCY, NUMBERS[-1] + 1), **projects}


@pytest.fixture
def portal() -> Iterator[FaultyPortal]:
    with FaultyPortal(pages()) as served:
        yield served


def night(portal: FaultyPortal, data: Path, **settings: object) -> HarvestResult:
    # nine records: an edit of most of them is no fault here
    return harvest(portal, data, Scope(agencies=(AGENCY,)), **{"max_changed_share": 1, **settings})


def edit(portal: FaultyPortal, number: int, percent: str) -> None:
    """Have the portal show another progress of a project from now on."""
    shown = portal.pages[path_of(number)]
    assert isinstance(shown, bytes)
    before, mark, after = shown.partition("ความคืบหน้าโครงการ ร้อยละ ".encode())
    portal.pages[path_of(number)] = before + mark + percent.encode() + after[after.index(b"<") :]  # type: ignore[index]


def progress(data: Path) -> dict[str, Any]:
    return {row["project_code"]: row["progress_percent"] for row in open_archive(data).arrow("projects").to_pylist()}


# --- a page that fails once -------------------------------------------------------------------------------------------


FAULTS: dict[str, Fault] = {
    "error 500": status(500, b"<h1>error</h1>"),
    "not found": status(404),
    "not found and empty": status(404, b""),
    "firewall": page(FIREWALL),
    "empty": page(b""),
    "no answer": hang_up,
    "reset": reset,
}
LENIENT = {"min_answered_share": 0, "max_gone_share": 1, "allowance_pages": 100}
"""Settings under which a night of many failures is published."""


def fail_once(portal: FaultyPortal, faults: dict[int, Fault]) -> None:
    """Have each page fail through all passes of the next night."""
    for number, fault in faults.items():
        portal.always(path_of(number), fault)


def test_a_page_that_failed_once_and_came_back_may_be_edited(portal: FaultyPortal, tmp_path: Path) -> None:
    data = tmp_path / "store"
    night(portal, data)
    fail_once(portal, dict(zip(NUMBERS, FAULTS.values(), strict=False)))
    night(portal, data, **LENIENT)
    portal._always.clear()
    night(portal, data)
    for number in NUMBERS:
        edit(portal, number, "77.5")
    assert night(portal, data).published
    assert night(portal, data).published
    assert set(progress(data).values()) == {77.5}
    assert verify_deeply(data) == []
    for command in ("replay", "verify --deep", f"evidence {code_of(NUMBERS[0])} --out {tmp_path / 'bundle'}"):
        done = run(*command.split(), "--data", data)
        assert done.returncode == 0, done.stderr


def _row_of_older_versions(*arguments: Any) -> dict[str, Any]:
    """The rule of older versions: bytes that came back after a failure are named as kept by the night that saw them."""
    row = next_page_row(*arguments)
    previous, answer, harvest_id, *_ = arguments
    if previous and answer and answer.sha256 and answer.sha256 != previous["page_sha256"]:
        row["body_harvest_id"] = harvest_id
        if row["outcome"] == "unchanged":
            row["record_body_harvest_id"] = harvest_id
    return row


_NEW_VERSIONS_ROWS = staging._NewVersions.rows


def _rows_of_older_versions(self: Any, row: Any, answer: Any, previous: Any) -> Any:
    """And they are kept only where they were not known, by another rule."""
    added = _NEW_VERSIONS_ROWS(self, row, answer, previous)
    if answer is not None and not answer.body:
        added.pop("bodies", None)
    return added


@contextmanager
def older_rules() -> Iterator[None]:
    class Older(staging._NewVersions):
        rows = _rows_of_older_versions

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staging, "next_page_row", _row_of_older_versions)
        patch.setattr(staging, "_NewVersions", Older)
        yield


def test_a_store_with_references_to_bytes_kept_elsewhere_goes_on(portal: FaultyPortal, tmp_path: Path) -> None:
    data = tmp_path / "store"
    night(portal, data)
    fail_once(portal, {NUMBERS[0]: FAULTS["error 500"]})
    night(portal, data)
    portal._always.clear()
    with older_rules():
        wrong = night(portal, data).harvest_id
    edit(portal, NUMBERS[0], "77.5")
    assert night(portal, data).published
    assert night(portal, data).published
    assert progress(data)[code_of(NUMBERS[0])] == 77.5
    first = open_archive(data).harvest_ids()[0]
    done = run("verify", "--deep", "--data", data)
    assert done.returncode == 0, done.stdout
    assert f"harvests/{wrong}: project/{code_of(NUMBERS[0])}" in done.stdout
    assert f"lie in {first}" in done.stdout
    for command in ("replay", f"evidence {code_of(NUMBERS[0])} --out {tmp_path / 'bundle'}"):
        assert run(*command.split(), "--data", data).returncode == 0


# --- files that are gone, or not what they were -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FaultyPortal, Path]]:
    """A portal and a store of three nights, to be copied."""
    data = tmp_path_factory.mktemp("kept") / "store"
    with FaultyPortal(pages()) as served:
        night(served, data)
        for number in NUMBERS[:2]:
            edit(served, number, "33.5")
            night(served, data)
        yield served, data


@pytest.fixture(scope="module")
def whole(kept: tuple[FaultyPortal, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What each command says of the store while it is whole."""
    return answers(kept[1], tmp_path_factory.mktemp("whole"))


@pytest.fixture
def copy(kept: tuple[FaultyPortal, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept[1], tmp_path / "store", symlinks=True))


def gone(file: Path) -> None:
    shutil.rmtree(file) if file.is_dir() and not file.is_symlink() else file.unlink()


def flipped(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:-20] + bytes([content[-20] ^ 1]) + content[-19:])


def emptied(file: Path) -> None:
    """Another table of the same columns without a row: nothing but the hash tells."""
    pq.write_table(pq.read_schema(file).empty_table(), file)


def answers(data: Path, out: Path) -> dict[str, object]:
    """What each command says of a store, or the sentence with which it refuses to."""
    first = sorted(path.name for path in (data / "harvests").iterdir())[0]
    commands = {
        "export": f"export latest --out {out / 'latest'}",
        "export first": f"export {first} --out {out / 'first'}",
        "diff": f"diff {first} latest --format csv",
        "history": f"history {code_of(NUMBERS[0])}",
        "sql": "sql --format csv 'SELECT project_code, progress_percent FROM projects'",
        "replay": "replay",
        "evidence": f"evidence {code_of(NUMBERS[0])} --out {out / 'evidence'}",
    }
    said: dict[str, object] = {}
    for name, command in commands.items():
        done = run(*shlex.split(command), "--data", data)
        assert "Traceback" not in done.stderr
        if done.returncode == 2:
            assert done.stderr.startswith("bma-progress: "), done.stderr
            assert done.stderr.count("\n") == 1, done.stderr
            said[name] = "refused"
        else:
            said[name] = (done.returncode, done.stdout.replace(str(out), "OUT").replace(str(data), "DATA"))
    for folder in ("latest", "first", "evidence"):
        files = sorted(
            path for path in (out / folder).rglob("*") if path.suffix in (".parquet", ".csv", ".jsonl", ".html")
        )
        said[f"files of {folder}"] = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    return said


def same_or_refused(now: dict[str, object], before: dict[str, object]) -> list[str]:
    """Answers that are neither what they were nor a refusal."""
    return [name for name, said in now.items() if said not in (before[name], "refused", {})]


SNAPSHOT_FILES = ("projects.parquet", "pages.parquet", "contacts.parquet", "snapshot.json", "")


@pytest.mark.parametrize("damage", [gone, flipped, emptied])
def test_a_damaged_snapshot_is_made_anew(
    kept: tuple[FaultyPortal, Path],
    whole: dict[str, object],
    copy: Path,
    tmp_path: Path,
    damage: Callable[[Path], None],
) -> None:
    shown = progress(kept[1])
    for name in SNAPSHOT_FILES if damage is gone else SNAPSHOT_FILES[:3]:
        damage((copy / "latest").resolve() / name)
        assert verify_store(copy), name
        assert same_or_refused(answers(copy, tmp_path / f"now-{name}"), whole) == []
        with open_writer(copy):
            pass
        assert verify_store(copy) == []
        assert (
            pd.read_parquet(copy / "latest" / "projects.parquet")
            .set_index("project_code")["progress_percent"]
            .to_dict()
            == shown
        )
    damage((copy / "latest").resolve() / "projects.parquet")
    result = night(kept[0], copy)
    assert result.published
    assert progress(copy) == shown
    assert any("made anew" in remark for remark in result.remarks)
    assert verify_deeply(copy) == []


@pytest.mark.parametrize("damage", [gone, flipped, emptied])
def test_a_damaged_harvest_is_never_answered_from(
    kept: tuple[FaultyPortal, Path], whole: dict[str, object], tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    portal, data = kept
    shown = progress(data)
    ids = open_archive(data).harvest_ids()
    files = list(product((ids[0], ids[-1]), ("projects", "pages", "bodies", "findings")))
    for number, (id_, name) in enumerate({gone: files, flipped: files[:4], emptied: files[4:]}[damage]):
        copy = Path(shutil.copytree(data, tmp_path / f"store-{number}", symlinks=True))
        file = copy / "harvests" / id_ / f"{name}.parquet"
        damage(file)
        for snapshot in sorted((copy / "snapshots").iterdir())[:2]:
            shutil.rmtree(snapshot)
        assert same_or_refused(answers(copy, tmp_path / f"now-{number}"), whole) == [], file
        edit(portal, NUMBERS[2], f"{number + 10}.5")
        outcome: set[str] | str
        try:
            night(portal, copy)
            outcome = progress(copy).keys()
        except StoreDamagedError as error:
            outcome = str(error)
        assert outcome == shown.keys() or str(file) in outcome, outcome


def test_a_harvest_that_is_gone_is_never_passed_over(
    kept: tuple[FaultyPortal, Path], whole: dict[str, object], copy: Path, tmp_path: Path
) -> None:
    ids = open_archive(copy).harvest_ids()
    for id_ in reversed(ids[:1] + ids[-1:]):
        folder = (copy / "harvests" / id_).rename(tmp_path / id_)
        assert same_or_refused(answers(copy, tmp_path / f"now-{id_}"), whole) == []
        with pytest.raises(BmaProgressError, match=id_):
            night(kept[0], copy)
        folder.rename(copy / "harvests" / id_)
    assert verify_deeply(copy) == []


# --- a snapshot that somebody altered ----------------------------------------------------------------------------------


def forge(snapshot: Path) -> None:
    """Set all percentages to 99 in a snapshot, and do its own list of hashes again."""
    table = pq.read_table(snapshot / "projects.parquet")
    place = table.schema.get_field_index("progress_percent")
    forged = pa.array([99.0] * len(table), pa.float64())
    write_parquet(table.set_column(place, table.schema.field(place), forged), snapshot / "projects.parquet", "projects")
    files = sorted(file for file in snapshot.iterdir() if file.name != "snapshot.json")
    (snapshot / "snapshot.json").write_bytes(snapshot_document(files, snapshot.name))


def test_an_altered_snapshot_is_found_and_never_built_on(
    kept: tuple[FaultyPortal, Path], copy: Path, tmp_path: Path
) -> None:
    shown = progress(kept[1])
    forge((copy / "latest").resolve())
    done = run("verify", "--data", copy)
    assert done.returncode == 1
    assert "not the tables that harvests/" in done.stdout
    done = run("export", "latest", "--data", copy, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "missing or altered; the next harvest makes the published snapshot anew" in done.stderr
    night(kept[0], copy)
    assert progress(copy).keys() == shown.keys()
    assert 99.0 not in progress(copy).values()
    assert verify_deeply(copy) == []
    assert "the bytes that its manifest names" in run("verify", "--data", copy).stdout


def test_the_snapshots_of_older_versions_are_not_built_on(kept: tuple[FaultyPortal, Path], copy: Path) -> None:
    """Their manifests name no bytes, so a forged one cannot be told: the next night derives everything anew."""
    previous = None
    for id_ in open_archive(copy).harvest_ids():
        file = copy / "harvests" / id_ / "manifest.json"
        manifest = {name: value for name, value in json.loads(file.read_bytes()).items() if name not in NEW_IN_MANIFEST}
        file.write_bytes(canonical_json({**manifest, "previous_manifest_sha256": previous}))
        previous = file_sha256(file)
    (copy / "head.json").unlink()
    forge((copy / "latest").resolve())
    with open_writer(copy):
        pass
    assert set(progress(copy).values()) == {99.0}
    assert "no manifest names its bytes" in run("verify", "--data", copy).stdout
    assert run("verify", "--deep", "--data", copy).returncode == 1
    night(kept[0], copy)
    assert 99.0 not in progress(copy).values()
    assert len(open_archive(copy).arrow("contacts")) == len(NUMBERS)


NEW_IN_MANIFEST = ("snapshot", "withheld")


# --- contacts withheld for a while -------------------------------------------------------------------------------------


def test_contacts_withheld_for_a_while_are_all_there_again(portal: FaultyPortal, tmp_path: Path) -> None:
    data, contacts = tmp_path / "store", {}
    for number, publish in enumerate((True, False, False, True, True, False)):
        edit(portal, NUMBERS[number], "55.5")
        result = night(portal, data, publish_contacts=publish, allowance_rows=0, min_rows_share=1)
        assert result.published, result.held_back
        contacts[result.harvest_id] = len(NUMBERS) if publish else 0
        assert len(pq.read_table(data / "latest" / "contacts.parquet")) == contacts[result.harvest_id]
    for place in ("kept", "derived"):
        for id_, rows in contacts.items():
            out = tmp_path / place / id_
            assert run("export", id_, "--data", data, "--out", out).returncode == 0
            assert len(pq.read_table(out / "contacts.parquet")) == rows, id_
            published = data / "snapshots" / id_ / "contacts.parquet"
            assert not published.exists() or published.read_bytes() == (out / "contacts.parquet").read_bytes()
        assert verify_deeply(data) == []
        for snapshot in (data / "snapshots").iterdir():
            shutil.rmtree(snapshot)
        with open_writer(data):  # a snapshot made anew withholds what was withheld then
            assert len(pq.read_table(data / "latest" / "contacts.parquet")) == 0
    assert all(open_archive(data).file(id_, "contacts") for id_ in contacts)


# --- clocks -------------------------------------------------------------------------------------------------------------


def test_a_harvest_in_the_future_is_told_and_refused(
    kept: tuple[FaultyPortal, Path], copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as wrong_clock:
        wrong_clock.setattr(run_module, "new_harvest_id", lambda store: "22360101T000000Z")
        night(kept[0], copy)
    with pytest.raises(StoreError, match=r"22360101T000000Z lies .* in the future"):
        night(kept[0], copy)
    done = run("status", "--data", copy)
    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    assert f"run `bma-progress set-aside 22360101T000000Z --data {copy}`" in said
    assert "hours in the future" in said
    assert run("replay", "--publish", "--data", copy).returncode == 2
    before = open_archive(copy).harvest_ids()[-2]
    assert run("set-aside", before, "--data", copy).returncode == 2  # it is not in the future
    done = run("set-aside", "22360101T000000Z", "--data", copy)
    assert done.returncode == 0, done.stderr
    aside = copy.parent / f".{copy.name}-set-aside" / "22360101T000000Z"
    assert (aside / "harvest" / "manifest.json").is_file()
    assert (aside / "run" / "report.txt").is_file()
    assert open_archive(copy).latest_id() == before
    assert verify_deeply(copy) == []
    assert before < night(kept[0], copy).harvest_id < "2236"
    assert run("status", "--data", copy).returncode == 0
    assert verify_deeply(copy) == []


def test_a_clock_that_is_a_little_behind_stops_nobody(
    kept: tuple[FaultyPortal, Path], copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = harvest_id_at(datetime.now(UTC) + timedelta(minutes=20))
    with monkeypatch.context() as wrong_clock:
        wrong_clock.setattr(run_module, "new_harvest_id", lambda store: ahead)
        night(kept[0], copy)
    assert run("status", "--data", copy).returncode == 0
    assert night(kept[0], copy).harvest_id > ahead


def test_an_interrupted_harvest_goes_on_after_another_was_committed(
    kept: tuple[FaultyPortal, Path], copy: Path
) -> None:
    """A replay that was published meanwhile has a later id."""
    settings = load_settings(portal=kept[0].url, data=copy, rate=1000, retries=0, backoff=0)
    scope = Scope(agencies=(AGENCY,))
    with open_writer(copy) as store:
        HarvestRun.begin(settings, store, scope).close()
    time.sleep(1.1)
    assert run("replay", "--publish", "--data", copy).returncode == 0
    asked = len(kept[0].asked())
    result = night(kept[0], copy)
    assert result.published
    assert result.resumed
    assert len(kept[0].asked()) > asked
    assert verify_deeply(copy) == []


# --- what is said of a harvest that was held back, and of a store at work -----------------------------------------------


def test_whoever_asks_for_a_harvest_that_was_held_back_is_reported(
    kept: tuple[FaultyPortal, Path], copy: Path, tmp_path: Path
) -> None:
    fail_once(kept[0], dict.fromkeys(NUMBERS, FAULTS["firewall"]))
    result = night(kept[0], copy)
    kept[0]._always.clear()
    assert not result.published
    for command in (
        f"export {result.harvest_id} --out {tmp_path / 'out'}",
        f"sql --when {result.harvest_id} 'SELECT 1'",
        f"""sql 'SELECT count(*) FROM "{result.harvest_id}".projects'""",
        f"diff previous {result.harvest_id}",
    ):
        done = run(*shlex.split(command), "--data", copy)
        assert "was held back and never published" in done.stderr, command
        assert "was held back" not in done.stdout


def test_verify_beside_a_writer_at_work_gives_no_false_alarm(kept: tuple[FaultyPortal, Path], copy: Path) -> None:
    over, looks, failures = threading.Event(), 0, []

    def work() -> None:
        try:
            for number in range(6):
                edit(kept[0], NUMBERS[3], f"{number + 20}.5")
                night(kept[0], copy, keep_snapshots=1)
        except Exception as error:  # noqa: BLE001 - told by the test
            failures.append(error)
        over.set()

    writer = threading.Thread(target=work)
    writer.start()
    while not over.is_set():
        assert verify_store(copy) == []
        looks += 1
    writer.join()
    assert failures == []
    assert looks > 10
    assert verify_deeply(copy) == []


@pytest.mark.parametrize("column", ["version_harvest_id", "body_harvest_id", "record_body_harvest_id"])
@pytest.mark.parametrize("value", ["20200101T000000Z", "first", "nonsense"])
def test_references_that_lead_nowhere_are_named(
    kept: tuple[FaultyPortal, Path], copy: Path, column: str, value: str
) -> None:
    """Whoever altered them did all hashes again; no traceback, and each is a line."""
    ids = open_archive(copy).harvest_ids()
    rewrite(copy, ids[-1], "pages", column, ids[0] if value == "first" else value)
    done = run("verify", "--deep", "--data", copy)
    assert "Traceback" not in done.stderr
    if (column, value) != ("version_harvest_id", "first"):  # most of these are the first night's indeed
        assert done.returncode == 1, done.stdout
    if value == "nonsense":
        assert f"harvests/{ids[-1]}: project/{code_of(NUMBERS[0])}: {column} names nonsense" in done.stdout


def test_patches_without_their_base_are_named(kept: tuple[FaultyPortal, Path], copy: Path) -> None:
    ids = open_archive(copy).harvest_ids()
    rewrite(copy, ids[-1], "bodies", "base_harvest_id", ids[-1])
    done = run("verify", "--deep", "--data", copy)
    assert done.returncode == 1
    assert f"base_harvest_id names {ids[-1]}, which does not hold it" in done.stdout


@pytest.mark.parametrize("name", ["pages", "bodies", "projects", "findings", "manifest"])
def test_nothing_in_a_store_makes_verify_fail(kept: tuple[FaultyPortal, Path], copy: Path, name: str) -> None:
    id_ = open_archive(copy).harvest_ids()[1]
    file = copy / "harvests" / id_ / f"{name}.parquet"
    if name == "manifest":
        file = file.with_suffix(".json")
        file.write_bytes(
            canonical_json({"harvest_id": id_, "files": [], "previous": 1, "previous_manifest_sha256": {}})
        )
    else:
        pq.write_table(pa.table({"nothing": [1]}), file)
        redo_hashes(copy)
    for arguments in (("verify",), ("verify", "--deep")):
        done = run(*arguments, "--data", copy)
        assert "Traceback" not in done.stderr
        assert done.returncode == (1 if name == "manifest" or arguments[1:] else 0), done.stdout


def rewrite(data: Path, id_: str, name: str, column: str, value: str) -> None:
    """Set a column of a harvest's file to one value where it has any, and do all hashes again."""
    file = data / "harvests" / id_ / f"{name}.parquet"
    table = pq.read_table(file)
    place = table.schema.get_field_index(column)
    values = [None if old is None else value for old in table[column].to_pylist()]
    if not any(values):
        values = [value] * len(table)
    pq.write_table(table.set_column(place, table.schema.field(place), pa.array(values, pa.string())), file)
    redo_hashes(data)


def redo_hashes(data: Path) -> None:
    previous = None
    for folder in sorted((data / "harvests").iterdir()):
        manifest = json.loads((folder / "manifest.json").read_bytes())
        for name, about in manifest["files"].items():
            about |= {"bytes": (folder / name).stat().st_size, "sha256": file_sha256(folder / name)}
        manifest["previous_manifest_sha256"] = previous
        (folder / "manifest.json").write_bytes(canonical_json(manifest))
        previous = file_sha256(folder / "manifest.json")
    (data / "head.json").unlink()
    write_head(Archive(data), Archive(data).portal)


# --- reading while a night is published --------------------------------------------------------------------------------


def test_a_new_night_is_shown_between_two_reads_and_not_within_one(tmp_path: Path) -> None:
    """A program that opens a file twice for one read, as pyarrow does, some time apart."""
    file, over, reads = tmp_path / "projects.parquet", threading.Event(), []
    file.touch()

    def read() -> None:
        while not over.is_set():
            first = time.monotonic()
            file.read_bytes()
            time.sleep(0.005)
            file.read_bytes()
            reads.append((first, time.monotonic()))
            time.sleep(0.06)

    reader = threading.Thread(target=read)
    reader.start()
    shown: list[float] = []
    for _ in range(2):
        with Readers(tmp_path) as readers:
            readers.between(lambda: shown.append(time.monotonic()))
    over.set()
    reader.join()
    within = [at for at in shown for first, second in reads if first + 0.001 < at < second]
    assert len(within) <= 1, within  # a busy machine can make a read of 5 ms as long as the pause after it


def test_plain_reads_of_latest_go_on_while_nights_are_published(kept: tuple[FaultyPortal, Path], copy: Path) -> None:
    """A read every few hundredths of a second, as no analyst asks; the snapshots shown before go at once."""
    over, failures, reads = threading.Event(), [], 0
    ids = open_archive(copy).harvest_ids()

    def work() -> None:
        with open_writer(copy) as writer:
            for number in range(10):
                show(writer, ids[number % 3])
                writer.prune_snapshots(1)
        over.set()

    writer = threading.Thread(target=work)
    writer.start()
    while not over.is_set():
        try:
            assert len(pd.read_parquet(copy / "latest" / "projects.parquet")) == len(NUMBERS)
        except Exception as error:  # noqa: BLE001 - all are counted
            failures.append(repr(error))
        reads += 1
        time.sleep(0.05)
    writer.join()
    assert len(failures) <= 1, failures  # on a busy machine one may begin at the very moment
    assert reads > 20


def test_a_file_system_without_links_has_a_folder_latest(
    portal: FaultyPortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: object, **more: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    data = tmp_path / "store"
    with monkeypatch.context() as vfat:
        vfat.setattr(os, "symlink", refused)
        vfat.setattr(os, "link", refused)
        for percent in ("33.5", "44.5"):
            edit(portal, NUMBERS[0], percent)
            result = night(portal, data)
            assert not (data / "latest").is_symlink()
            read = pd.read_parquet(data / "latest" / "projects.parquet").set_index("project_code")
            assert read.loc[code_of(NUMBERS[0]), "progress_percent"] == float(percent)
            assert run("status", "--data", data).returncode == 0
            assert verify_deeply(data) == []
        gone(data / "latest" / "projects.parquet")
        assert verify_store(data)
        assert progress(data)[code_of(NUMBERS[0])] == 44.5
        assert night(portal, data).harvest_id > result.harvest_id
        assert verify_store(data) == []
    night(portal, data)
    assert (data / "latest").is_symlink()
    assert verify_store(data) == []


def test_a_link_about_to_be_put_in_place_is_no_damage(copy: Path) -> None:
    (copy / "tmp" / "latest").symlink_to(copy / "latest")
    assert verify_store(copy) == []


def test_a_file_that_this_user_may_not_read_is_not_called_altered(
    three_nights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = min((three_nights / "harvests").iterdir())
    # the tests run as root too, who may read all
    monkeypatch.setattr(os, "access", lambda path, mode: path.name != "projects.parquet")
    (problem,) = (one for one in verify_store(three_nights) if one.where.startswith(f"harvests/{first.name}"))
    assert (problem.what, problem.what_to_do) == ("cannot be read (Permission denied)", "correct its permissions")
