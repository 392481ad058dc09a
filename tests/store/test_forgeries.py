"""Twenty forgeries, each with every hash redone: the stored pages or a kept line find them."""

import json
import shutil
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.command import run
from support.forging import Rows, edit_table, redo_hashes
from support.verifying import verify_deeply

from pipeline.store.archive import Archive
from pipeline.store.durable import canonical_json
from pipeline.store.harvests import ids_in
from pipeline.store.head import write_head
from pipeline.store.run_files import write_later_sums, write_sums
from pipeline.store.verify import verify_store

Edit = Callable[[Rows], object]


def the_first(column: str, value: Callable[[Any], Any], where: Callable[[Mapping[str, Any]], object] = bool) -> Edit:
    """Alter one value: of the first row that has one, and for which `where` holds."""

    def edit(rows: Rows) -> None:
        row = next(row for row in rows if row[column] is not None and where(row))
        row[column] = value(row[column])

    return edit


def removed(rows: Rows) -> None:
    rows.pop(0)


def doubled(rows: Rows) -> None:
    rows.append({**rows[-1], "quarter": 9})


def hidden(rows: Rows) -> None:
    """A version that is said to be no change."""
    row = next(row for row in rows if row["outcome"] == "changed")
    row["outcome"] = "unchanged"


DAY = timedelta(days=1)
# which night (from 0), table, forgery; and what is said of it
AGAINST_THE_PAGES: list[tuple[int, str, Edit, str]] = [
    (
        0,
        "projects",
        the_first("progress_percent", lambda _: 99.0),
        "progress_percent is 99.0, but the stored page gives",
    ),
    (0, "progress_reports", the_first("note", lambda _: "done"), "note is done, but the stored page gives"),
    (0, "plan_steps", the_first("start_date", lambda day: day + DAY), "start_date is"),
    (0, "kpis", the_first("target_value", lambda _: 7.0), "target_value is 7.0, but the stored page gives"),
    (0, "kpi_quarters", doubled, "quarter=9: a row that the stored page does not give"),
    (0, "project_strategies", removed, "the row is missing that the stored page gives"),
    (0, "contacts", the_first("contact_phone", lambda _: "0"), "contact_phone is 0, but the stored page gives"),
    (0, "findings", removed, "the row is missing that the stored page gives"),
    (0, "pages", the_first("facts_sha256", lambda _: "0" * 64), "facts_sha256 is 000"),
    (1, "changes", removed, "the row is missing that the comparison of the two harvests gives"),
    (2, "changes", the_first("meaning", lambda _: "other", lambda row: row["meaning"] != "other"), "meaning is other"),
    (1, "pages", the_first("first_seen_at", lambda at: at - 900 * DAY), "first_seen_at is"),
    (1, "pages", the_first("version_verdict", lambda _: "suspect"), "version_verdict is suspect"),
    (1, "pages", the_first("checked_at", lambda at: at + DAY), "checked_at is"),
    (
        1,
        "pages",
        the_first("misses", lambda _: 1, lambda row: row["misses"] == 0),
        "misses is 1, but the harvest before",
    ),
    (1, "pages", the_first("project_code", lambda _: "24000000-9999"), "project_code is 24000000-9999"),
    (1, "pages", the_first("kpi_code", lambda _: None), "kpi_code is None"),
    (1, "pages", the_first("outcome_since", lambda _: "20200101T190000Z"), "outcome_since is 20200101T190000Z"),
    (2, "pages", the_first("ended_at", lambda at: at - DAY), "ended_at is"),
    (2, "pages", hidden, "outcome is unchanged, but its version is of"),
]
AGAINST_THE_MANIFEST: dict[str, tuple[Any, str]] = {
    "outcomes": ({"unchanged": 99}, "outcomes are not those of its files"),
    "changes": ({}, "changes are not those of its files"),
    "rows": ({"projects": 999}, "rows are not those of its snapshot"),
    "page_hashes_sha256": ("0" * 64, "page_hashes_sha256 is not of the pages it keeps"),
}


@pytest.fixture
def store(three_nights: Path, tmp_path: Path) -> Path:
    root = tmp_path / "store"
    shutil.copytree(three_nights, root, symlinks=True)
    return root


def edit_manifest(root: Path, id_: str, **values: Any) -> None:
    file = root / "harvests" / id_ / "manifest.json"
    file.write_bytes(canonical_json({**json.loads(file.read_bytes()), **values}))


def test_what_the_stored_pages_contradict_is_found_without_any_anchor(store: Path) -> None:
    ids = ids_in(store / "harvests")
    for night, table, edit, _ in AGAINST_THE_PAGES:
        edit_table(store / "harvests" / ids[night] / f"{table}.parquet", edit)
    edit_manifest(store, ids[1], **{name: value for name, (value, _) in AGAINST_THE_MANIFEST.items()})
    redo_hashes(store)
    assert verify_store(store) == []
    page_hashes = AGAINST_THE_MANIFEST["page_hashes_sha256"][1]
    # rows are compared where nothing else is wrong
    assert [problem.what for problem in verify_deeply(store)] == [page_hashes]
    whole = json.loads((store / "harvests" / ids[0] / "manifest.json").read_bytes())
    edit_manifest(store, ids[1], page_hashes_sha256=None)
    assert whole["page_hashes_sha256"]
    redo_hashes(store)
    last = json.loads((store / "harvests" / ids[2] / "manifest.json").read_bytes())
    edit_manifest(store, ids[2], files={name: {**about, "rows": 999} for name, about in last["files"].items()})
    (store / "head.json").unlink()
    write_head(Archive(store), last["portal"])
    problems = verify_deeply(store)
    for night, table, _, words in AGAINST_THE_PAGES:
        where = f"harvests/{ids[night]}/{table}.parquet"
        assert [one for one in problems if one.where == where and words in one.what], (where, words)
    for words in ("outcomes are not", "changes are not", "rows are not those of its snapshot"):
        assert [one for one in problems if words in one.what and ids[1] in one.where]
    assert [one for one in problems if one.what == "rows are not those of its files" and ids[2] in one.where]


def cut_off(root: Path) -> None:
    last, before = ids_in(root / "harvests")[-1], ids_in(root / "harvests")[-2]
    for folder in ("harvests", "snapshots", "runs"):
        shutil.rmtree(root / folder / last)
    (root / "latest").unlink()
    (root / "latest").symlink_to(f"snapshots/{before}")


def held_back(root: Path) -> None:
    last, before = ids_in(root / "harvests")[-1], ids_in(root / "harvests")[-2]
    edit_manifest(root, last, published=False, held_back="bounds")
    (root / "latest").unlink()
    (root / "latest").symlink_to(f"snapshots/{before}")


def committed_earlier(root: Path) -> None:
    edit_manifest(root, ids_in(root / "harvests")[0], committed_at="2020-01-01T00:00:00+00:00")


def fetched_from_elsewhere(root: Path) -> None:
    file = root / "harvests" / ids_in(root / "harvests")[0] / "bodies.parquet"
    edit_table(file, the_first("headers", lambda _: '{"server": "another"}'))


def report_rewritten(root: Path) -> None:
    last = ids_in(root / "harvests")[-1]
    (root / "runs" / last / "report.txt").write_text("all is well\n")
    edit_manifest(root, last, run_sha256=write_sums(root / "runs" / last))


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        (cut_off, "truncated"),
        (held_back, "rewritten"),
        (committed_earlier, "rewritten"),
        (fetched_from_elsewhere, "rewritten"),
        (report_rewritten, "rewritten"),
    ],
)
def test_what_nothing_in_a_store_contradicts_is_found_by_a_kept_line(
    store: Path, forge: Callable[[Path], None], words: str
) -> None:
    line = run("head", "--data", store).stdout.strip()
    forge(store)
    redo_hashes(store)
    assert run("verify", "--data", store).returncode == 0  # so the documents say
    done = run("verify", "--expect", line, "--data", store)
    assert (done.returncode, f": {words}: " in done.stdout) == (1, True), done.stdout


def test_what_a_night_leaves_for_people_is_fixed_by_the_next_one(store: Path) -> None:
    first, second, _ = ids_in(store / "harvests")
    page = store / "runs" / first / "changes.html"
    page.write_text("as it was written")
    edit_manifest(store, second, previous_run_later_sha256=write_later_sums(page.parent))
    redo_hashes(store)
    assert verify_store(store) == []
    page.write_text("otherwise")
    assert [problem.where for problem in verify_store(store)] == [f"runs/{first}/changes.html"]
    (page.parent / "SHA256SUMS.later").unlink()
    write_later_sums(page.parent)
    assert [problem.where for problem in verify_store(store)] == [f"runs/{first}/SHA256SUMS.later"]
    page.unlink()  # as the setting keep_logs says, but the list of it stays
    assert [problem.where for problem in verify_store(store)] == [f"runs/{first}/SHA256SUMS.later"]
    assert Archive(store).manifest(second)["previous_run_later_sha256"]
