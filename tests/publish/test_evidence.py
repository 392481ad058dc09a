"""The evidence bundle checks itself: from each page to the head line, without the store and without this program."""

import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from support.command import run
from warcio.archiveiterator import ArchiveIterator

from pipeline.publish.evidence import write_evidence
from pipeline.store.archive import Archive
from pipeline.store.durable import file_sha256
from pipeline.store.harvests import ids_in

CODE = "24000000-3051"
WRITTEN_BEFORE = Path(__file__).parents[1] / "store" / "written_before.zip"


@pytest.fixture(scope="module")
def bundle(three_nights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evidence") / "bundle"
    done = run("evidence", CODE, "--data", three_nights, "--out", out)
    assert done.returncode == 0, done.stderr
    return out


def check(bundle: Path, *line: str) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", bundle / "check.sh", *line],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PATH": "/usr/bin:/bin"},
    )
    return done.returncode, done.stdout + done.stderr


def redo_sums(bundle: Path) -> None:
    """What a forger does who knows of the list of hashes."""
    names = [line.partition("  ")[2] for line in (bundle / "SHA256SUMS").read_text().splitlines()]
    sums = [f"{file_sha256(bundle / name)}  {name}\n" for name in names if (bundle / name).is_file()]
    (bundle / "SHA256SUMS").write_text("".join(sums))


def test_a_bundle_leads_from_each_page_to_the_head_line(three_nights: Path, bundle: Path) -> None:
    line = run("head", "--data", three_nights).stdout.strip()
    status, said = check(bundle)
    assert (status, said.splitlines()[-1]) == (0, line), said
    assert len(list((bundle / "pages").iterdir())) == 2
    status, said = check(bundle, line)
    assert (status, "the kept line is in the chain" in said) == (0, True)
    status, said = check(bundle, line[:-1] + ("0" if line[-1] != "0" else "1"))
    assert (status, "the kept line is not in the chain" in said) == (1, True)


def forge_page(bundle: Path) -> None:
    page = min((bundle / "pages").iterdir())
    page.write_bytes(page.read_bytes().replace("ร้อยละ".encode(), "ร้อยละ ".encode(), 1))


def forge_page_and_name(bundle: Path) -> None:
    forge_page(bundle)
    page = min((bundle / "pages").iterdir())
    page.rename(page.with_name(f"{page.name[:17]}{file_sha256(page)[:16]}.html"))


def forge_list(bundle: Path) -> None:
    forge_page_and_name(bundle)
    page = min((bundle / "pages").iterdir())
    file = bundle / "page-hashes" / f"{page.name[:16]}.txt"
    file.write_text(file.read_text() + f"{file_sha256(page)}\n")


def forge_manifest(bundle: Path) -> None:
    file = min((bundle / "page-hashes").iterdir())
    before = file_sha256(file)
    forge_list(bundle)
    manifest = bundle / "manifests" / f"{file.stem}.json"
    manifest.write_text(manifest.read_text().replace(before, file_sha256(file)))


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        (forge_page, "has another hash than its name"),
        (forge_page_and_name, "is not among the pages of harvest"),
        (forge_list, "is not the list that manifests/"),
        (forge_manifest, "does not follow the one before it"),
    ],
)
def test_a_forged_bundle_is_found_by_its_own_check(
    bundle: Path, tmp_path: Path, forge: Callable[[Path], None], words: str
) -> None:
    forged = tmp_path / "bundle"
    shutil.copytree(bundle, forged)
    forge(forged)
    status, said = check(forged)
    assert (status, "files were altered (SHA256SUMS)" in said) == (1, True)
    redo_sums(forged)
    status, said = check(forged)
    assert status == 1
    assert words in said


def test_a_broken_line_in_the_list_of_hashes_is_found(bundle: Path, tmp_path: Path) -> None:
    broken = tmp_path / "bundle"
    shutil.copytree(bundle, broken)
    sums = (broken / "SHA256SUMS").read_bytes()
    (broken / "SHA256SUMS").write_bytes(b"x" + sums[1:])
    (broken / sums.partition(b"\n")[0].partition(b"  ")[2].decode()).write_bytes(b"something else")
    status, said = check(broken)
    assert (status, "files were altered (SHA256SUMS)" in said) == (1, True)


def test_the_warc_says_what_made_it_and_holds_the_pages(bundle: Path) -> None:
    with (bundle / "pages.warc.gz").open("rb") as stream:
        records = [
            (record.rec_type, record.content_stream().read(), record.rec_headers) for record in ArchiveIterator(stream)
        ]
    kind, about, _ = records[0]
    assert kind == "warcinfo"
    made = json.loads((bundle / "bundle.json").read_bytes())
    assert f"software: {made['software']}\r\n".encode() in about
    assert b"format: WARC File Format 1.0\r\n" in about
    assert f"parser version {made['parser_version']}".encode() in about
    assert {body for kind, body, _ in records[1:]} == {page.read_bytes() for page in (bundle / "pages").iterdir()}
    assert {kind for kind, *_ in records[1:]} == {"response"}


def test_people_read_the_story_in_both_languages(three_nights: Path, bundle: Path) -> None:
    looks = pd.read_csv(bundle / "looks.csv")
    assert list(looks["harvest_id"]) == ids_in(three_nights / "harvests")
    thai, english = ((bundle / f"story.{language}.html").read_text(encoding="utf-8") for language in ("th", "en"))
    assert '<html lang="th">' in thai
    assert '<html lang="en">' in english
    changes = Archive(three_nights).arrow("changes").to_pylist() if "changes" in Archive(three_nights).tables else []
    for page in (thai, english):
        for id_ in looks["harvest_id"][looks["outcome"].isin(["new", "changed"])]:
            assert id_ in page
        for row in changes:
            if row["project_code"] == CODE and row["detail"] != "part_of_record" and row["after"]:
                assert row["meaning"]
    assert "The story of 24000000-3051" in english
    assert "<del>" in english
    assert "ความเป็นมาของ 24000000-3051" in thai
    for name in ("README.th.txt", "README.en.txt"):
        text = (bundle / name).read_text(encoding="utf-8")
        assert "sha256sum -c SHA256SUMS" in text
        assert CODE in text


def test_a_bundle_of_harvests_of_an_older_version_names_the_table_to_look_in(tmp_path: Path) -> None:
    root = tmp_path / "store"
    with zipfile.ZipFile(WRITTEN_BEFORE) as files:
        files.extractall(root)
    (root / "tmp").mkdir(exist_ok=True)
    archive = Archive(root)
    code = next(row["project_code"] for row in archive.arrow("pages").to_pylist() if row["project_code"])
    write_evidence(archive, code, tmp_path / "bundle")
    status, said = check(tmp_path / "bundle")
    assert status == 0, said
    assert "must stand in the column page_sha256 of page-hashes/" in said
    assert "whole but for what you are to look at yourself: " in said
    table = min((tmp_path / "bundle" / "page-hashes").glob("*.pages.parquet"))
    hashes = {file_sha256(page) for page in (tmp_path / "bundle" / "pages").iterdir()}
    assert hashes & set(pd.read_parquet(table)["page_sha256"])
