"""`head` prints a line that proves the history so far; `verify --expect` says whether a store still contains it."""

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.command import run
from support.forging import edit_table, redo_hashes

from pipeline.store.durable import canonical_json, file_sha256
from pipeline.store.harvests import ids_in
from pipeline.store.writer import open_writer


@pytest.fixture
def store(three_nights: Path, tmp_path: Path) -> Path:
    root = tmp_path / "store"
    shutil.copytree(three_nights, root, symlinks=True)
    return root


def head(root: Path) -> str:
    done = run("head", "--data", root)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def without_last(root: Path) -> Path:
    """The store as it was before its last harvest."""
    last, before = ids_in(root / "harvests")[-1], ids_in(root / "harvests")[-2]
    for folder in ("harvests", "snapshots", "runs"):
        shutil.rmtree(root / folder / last)
    (root / "latest").unlink()
    (root / "latest").symlink_to(f"snapshots/{before}")
    redo_hashes(root)
    return root


def expect(root: Path, line: object) -> tuple[int, str]:
    done = run("verify", "--expect", line, "--data", root)
    return done.returncode, done.stdout + done.stderr


def test_the_line_names_portal_newest_harvest_and_its_manifest(three_nights: Path, tmp_path: Path) -> None:
    newest = ids_in(three_nights / "harvests")[-1]
    portal = json.loads((three_nights / "store.json").read_bytes())["portal"]
    sha256 = file_sha256(three_nights / "harvests" / newest / "manifest.json")
    line = head(three_nights)
    assert line == f"bma-progress-head 1 {portal} {newest} {sha256}"
    kept = tmp_path / "line.txt"
    assert run("head", "--data", three_nights, "--out", kept).returncode == 0
    assert kept.read_text() == f"{line}\n"
    for given in (line, kept):
        status, said = expect(three_nights, given)
        assert status == 0
        assert f"the store ends with the line's harvest {newest}" in said


def test_a_store_that_went_on_contains_the_line_and_one_cut_short_does_not(store: Path, tmp_path: Path) -> None:
    earlier = tmp_path / "earlier"
    shutil.copytree(store, earlier, symlinks=True)
    older, newer = head(without_last(earlier)), head(store)
    status, said = expect(store, older)
    assert (status, "goes on from the line's harvest" in said) == (0, True)
    status, said = expect(earlier, newer)
    assert status == 1
    assert "truncated: the harvest of the line is missing, the store ends with" in said
    both = tmp_path / "lines.txt"
    both.write_text(f"{older}\n{newer}\n")
    assert expect(store, both)[0] == 0
    assert expect(earlier, both)[0] == 1
    with open_writer(store) as writer:
        assert writer.compact(datetime(2100, 1, 1, tzinfo=UTC))
    assert expect(store, both)[0] == 0


def test_a_rewritten_history_is_found_wherever_it_was_rewritten(store: Path) -> None:
    line, first = head(store), ids_in(store / "harvests")[0]
    edit_table(store / "harvests" / first / "contacts.parquet", lambda rows: rows.pop())
    redo_hashes(store)
    assert run("verify", "--data", store).returncode == 0
    status, said = expect(store, line)
    assert status == 1
    assert "rewritten: the harvest has another manifest than the line names" in said


def test_another_history_behind_the_line_is_a_fork(store: Path) -> None:
    first, second, third = ids_in(store / "harvests")
    portal, sha256 = head(store).split()[2], file_sha256(store / "harvests" / first / "manifest.json")
    line = f"bma-progress-head 1 {portal} {first} {sha256}"
    status, said = expect(store, line.replace(first, "20000101T000000Z"))
    assert status == 1
    assert f"forked: the harvest of the line is missing, and {first} came in its place" in said
    status, said = expect(store, line.replace(portal, "http://other.example"))
    assert status == 1
    assert f"other portal: the line is of http://other.example, this store of {portal}" in said
    file = store / "harvests" / third / "manifest.json"
    file.write_bytes(canonical_json({**json.loads(file.read_bytes()), "previous_manifest_sha256": "0" * 64}))
    status, said = expect(store, line)
    assert status == 1
    assert f"forked: it does not follow {second} as the line's store did" in said


def test_what_is_no_line_is_trouble(three_nights: Path, tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    (tmp_path / "empty").write_bytes(b"")
    for given in (head(three_nights)[:-1], tmp_path / "missing", binary, tmp_path / "empty", tmp_path):
        status, said = expect(three_nights, given)
        assert status == 2, given
        assert said.startswith("bma-progress: "), given


def test_an_empty_store_has_no_line(tmp_path: Path) -> None:
    assert run("head", "--data", tmp_path).returncode == 2


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs OpenSSH")
def test_a_signed_line_says_who_signed_it(three_nights: Path, tmp_path: Path) -> None:
    for name in ("ops", "stranger"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)]
        subprocess.run(make, check=True, timeout=30)
    allowed, kept = tmp_path / "allowed", tmp_path / "line.txt"
    allowed.write_text(f"ops@example.org {(tmp_path / 'ops.pub').read_text()}")

    def expect_signed() -> tuple[int, str]:
        done = run("verify", "--expect", kept, "--allowed-signers", allowed, "--data", three_nights)
        return done.returncode, done.stdout

    signed = run("head", "--sign", tmp_path / "ops", "--data", three_nights).stdout
    kept.write_text(signed)
    assert expect_signed()[1].splitlines()[1] == "ops@example.org has signed the line"
    assert "1 signature(s) were not checked: give --allowed-signers FILE" in expect(three_nights, kept)[1]
    line, _, block = signed.partition("\n")
    other = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-q", "-f", tmp_path / "ops", "-n", "bma-progress-head"],
        input="another line\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout
    forged = {
        "is of a key that is not among the allowed signers": run(
            "head", "--sign", tmp_path / "stranger", "--data", three_nights
        ).stdout,
        "the signature of ops@example.org is of another line, or was altered": f"{line}\n{other}",
        "or is damaged": f"{line}\n{block[:60]}AAAA{block[64:]}",
        "nobody has signed it": f"{line}\n",
    }
    for words, content in forged.items():
        kept.write_text(content)
        status, said = expect_signed()
        assert (status, words in said) == (1, True), (words, said)
    assert run("head", "--sign", tmp_path / "none", "--data", three_nights).returncode == 2
