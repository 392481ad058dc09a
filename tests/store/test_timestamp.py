"""`head --timestamp` has the line stamped by a real authority; `verify --expect` says of each forgery what it is."""

import base64
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import run
from support.forging import edit_table, redo_hashes
from support.timestamp_authority import TimestampAuthority

from pipeline.operate.anchor import anchor_harvest
from pipeline.operate.anchored import anchor_of
from pipeline.operate.status import condition, status_document, status_view
from pipeline.settings import load_settings
from pipeline.store.archive import Archive
from pipeline.store.harvests import ids_in
from pipeline.store.kept_lines import read_lines, stamp_block
from pipeline.store.timestamp import TimestampError, check_timestamp, timestamp_request, trusted_roots
from pipeline.store.verify import verify_store

# PKIStatusInfo: rejection, with a text
_REFUSAL = bytes([0x30, 15, 0x30, 13, 2, 1, 2, 0x30, 8, 0x0C, 6]) + b"refuse"

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs OpenSSL's ts")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimestampAuthority]:
    with TimestampAuthority(tmp_path_factory.mktemp("authority") / "tsa") as tsa:
        yield tsa


@pytest.fixture(scope="module")
def kept(three_nights: Path, authority: TimestampAuthority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a stamped line."""
    file = tmp_path_factory.mktemp("kept") / "line.txt"
    done = run(
        "head", "--data", three_nights, "--timestamp", authority.url, "--timestamp-ca", authority.ca, "--out", file
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("stamped by CN=Test stamps at ")
    return file


def expect(root: Path, file: Path, ca: Path | None) -> tuple[int, str]:
    trusted = ("--timestamp-ca", ca) if ca else ()
    done = run("verify", "--expect", file, *trusted, "--data", root)
    return done.returncode, done.stdout + done.stderr


def test_a_stamped_line_is_verified_offline_and_says_what_it_proves(
    three_nights: Path, kept: Path, authority: TimestampAuthority, tmp_path: Path
) -> None:
    asked = authority.requests
    status, said = expect(three_nights, kept, authority.ca)
    assert (status, authority.requests) == (0, asked)
    newest = ids_in(three_nights / "harvests")[-1]
    assert "CN=Test stamps has stamped the line at 20" in said
    assert f"harvest {newest} and all before it have not been altered since" in said
    assert "does not prove that the portal served those pages" in said
    # and without this program
    line, _, block = kept.read_text().partition("\n")
    (tmp_path / "line.txt").write_text(f"{line}\n")
    (tmp_path / "line.tsr").write_bytes(base64.b64decode("".join(block.splitlines()[1:-1])))
    chain = ("-CAfile", str(authority.ca), "-untrusted", str(authority.folder / "middle.pem"))
    at = "$(date -d \"$(openssl ts -reply -in line.tsr -text | sed -n 's/^Time stamp: //p')\" +%s)"
    by_hand = f"openssl ts -verify -in line.tsr -data line.txt {shlex.join(chain)} -attime {at}"
    done = subprocess.run(by_hand, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30)
    assert "Verification: OK" in done.stdout + done.stderr


def test_each_forged_stamp_is_told_in_words(
    three_nights: Path, kept: Path, authority: TimestampAuthority, tmp_path: Path
) -> None:
    (good,) = read_lines(str(kept))
    (stamp,) = good.stamps
    of_another = authority.stamp(timestamp_request(b"another line\n").as_bytes())
    strange = TimestampAuthority(tmp_path / "strange", "Test stamps").stamp(
        timestamp_request(good.line.content).as_bytes()
    )

    def flipped(place: int) -> bytes:
        return bytes([*stamp[:place], stamp[place] ^ 1, *stamp[place + 1 :]])

    forged = {
        "the time-stamp is of another line": of_another,
        "the time-stamp was altered: its signature does not fit": flipped(len(stamp) - 3),
        "the time-stamp is signed by an unknown authority (CN=Test stamps)": strange,
        "the time-stamp cannot be read": stamp[:-1],
        "the authority gave no time-stamp (refuse)": _REFUSAL,
    }
    for words, answer in forged.items():
        file = tmp_path / "forged.txt"
        file.write_text(f"{good.line}\n{stamp_block(answer)}")
        status, said = expect(three_nights, file, authority.ca)
        assert (status, words in said) == (1, True), (words, said)
    status, said = expect(three_nights, kept, None)  # the system does not know this authority
    assert (status, "unknown authority (CN=Test stamps)" in said) == (1, True)
    roots, true = trusted_roots(authority.ca), check_timestamp(stamp, good.line.content, trusted_roots(authority.ca))
    for place in range(0, len(stamp), 5):
        try:  # not each byte of the certificates is signed by somebody, but what the stamp says is
            assert check_timestamp(flipped(place), good.line.content, roots) == true, place
        except TimestampError:
            continue


def test_what_an_authority_answers_is_checked_before_it_is_kept(
    three_nights: Path, authority: TimestampAuthority, kept: Path, tmp_path: Path
) -> None:
    (old,) = read_lines(str(kept))[0].stamps
    answers = {
        b"<html>": "the time-stamp cannot be read",
        old: "the time-stamp answers another request",
        _REFUSAL: "the authority gave no time-stamp (refuse)",
    }
    out = tmp_path / "line.txt"
    for answer, words in answers.items():
        authority.answer = answer
        try:
            done = run("head", "--data", three_nights, "--timestamp", authority.url, "--out", out)
        finally:
            authority.answer = None
        assert (done.returncode, words in done.stderr, out.exists()) == (2, True, False), done.stderr
    done = run("head", "--data", three_nights, "--timestamp", authority.url)  # an authority that nobody here knows
    assert done.returncode == 0
    assert "unknown authority (CN=Test stamps); give its root certificate with --timestamp-ca" in done.stderr
    assert "-----BEGIN RFC 3161 TIME-STAMP-----" in done.stdout
    for given in ("", "ftp://x", "timestamp.example.org"):
        assert run("head", "--data", three_nights, "--timestamp", given).returncode == 2


def test_a_history_that_was_rewritten_or_cut_does_not_fit_a_stamped_line(
    three_nights: Path, kept: Path, authority: TimestampAuthority, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(three_nights, store, symlinks=True)
    first = ids_in(store / "harvests")[0]
    edit_table(store / "harvests" / first / "contacts.parquet", lambda rows: rows.pop())
    redo_hashes(store)
    status, said = expect(store, kept, authority.ca)
    assert status == 1
    assert "rewritten: the harvest has another manifest than the line names" in said
    assert "has stamped" not in said


def test_a_night_is_anchored_and_never_fails_by_it(
    three_nights: Path, authority: TimestampAuthority, tmp_path: Path
) -> None:
    root = tmp_path / "store"
    shutil.copytree(three_nights, root, symlinks=True)
    store, newest = Archive(root), ids_in(root / "harvests")[-1]
    taken = tmp_path / "taken"
    given = {"data": root, "portal": store.portal, "timestamp_url": authority.url, "timestamp_ca": authority.ca}
    keep = f"{sys.executable} -c \"import os,sys;open('{taken}','w').write(sys.stdin.read()+' '.join(os.environ))\""
    assert anchor_harvest(store, newest, load_settings(**given, anchor_command=keep)) == []
    line, variables = taken.read_text().rsplit("\n", 1)
    assert f"{line}\n" == (root / "runs" / newest / "head.txt").read_text()
    assert not [name for name in variables.split() if name.startswith(("BMA_", "PYTEST_"))]
    assert expect(root, root / "runs" / newest / "head.txt", authority.ca)[0] == 0
    shown = str(status_view(store, condition(store, 1e9)))
    assert "by CN=Test stamps; given to anchor_command" in " ".join(shown.split())
    assert verify_store(root) == []
    (root / "runs" / newest / "head.txt").write_text("another")
    assert [problem.where for problem in verify_store(root)] == [f"runs/{newest}/head.txt"]
    for name in ("head.txt", "anchor.json", "SHA256SUMS.later"):
        (root / "runs" / newest / name).unlink()
    authority.answer = b"nothing"
    try:
        problems = anchor_harvest(store, newest, load_settings(**given, anchor_command="false"))
    finally:
        authority.answer = None
    assert problems == [
        "the time-stamp cannot be read: it is damaged, or none of RFC 3161",
        "the command false ended with status 1",
    ]
    found = anchor_of(store, newest)
    assert found
    assert found.problems == problems
    assert status_document(store, condition(store, 1e9))["anchor"]["problems"] == problems
    assert "WARNING: the command false ended with status 1" in str(status_view(store, condition(store, 1e9)))
    assert verify_store(root) == []
    shutil.rmtree(root / "runs" / newest)
    assert len(anchor_harvest(store, newest, load_settings(**given))) == 1
