"""Evidence for one project or indicator: a folder that proves itself, to be handed to others.

README.th.txt, README.en.txt  what it is, how to check it, what that proves
story.th.html, story.en.html  what changed on which night, both texts
pages/<harvest>-<hash>.html   every page as it was served, once per content
pages.warc.gz                 the same as a WARC (ISO 28500), with URL, time, status and headers
looks.csv                     every look at the record that was not skipped, with outcome and hash
rows.jsonl                    the rows of every version, one JSON object a line
page-hashes/<harvest>.txt     the hashes of all pages that a harvest keeps; its manifest names the hash of this list
manifests/<harvest>.json      the manifests, each of which names the hash of the one before
head.txt                      the line of the newest one, as `bma-progress head` prints it
bundle.json                   what made it: program, parser, store
check.sh                      checks all of it with `sha256sum` and `grep`
SHA256SUMS                    `sha256sum -c SHA256SUMS`: the files are as they were written
"""

import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from parsers import PARSER_VERSION
from pipeline.compare.csv_files import BYTE_ORDER_MARK, write_csv
from pipeline.compare.timeline import timeline
from pipeline.publish.story import LANGUAGES, story_html
from pipeline.schema.columns import RECORD_TABLES, arrow_schemas
from pipeline.schema.row_text import row_of_text
from pipeline.store.archive import Archive
from pipeline.store.durable import canonical_json, new_folder, sha256_lines
from pipeline.store.head_line import head_line
from pipeline.store.layout import MANIFEST
from pipeline.store.looks import looks_at
from pipeline.store.parquet import version_schemas
from pipeline.store.parquet_files import read_rows_of_pages
from pipeline.store.stored_pages import page_hashes

_TEMPLATES: Final = Path(__file__).parent / "templates"
_WARC: Final = "WARC/1.0"
_CONFORMS: Final = "http://bibnum.bnf.fr/WARC/WARC_ISO_28500_version1_latestdraft.pdf"


def write_evidence(store: Archive, code: str, out: Path) -> int:
    """Write the bundle for one code into the new or empty folder `out`; returns how many pages it holds.

    Raises StoreError for an unknown code or a folder that is not empty.
    """
    looks = looks_at(store, code)
    with new_folder(out) as staged:
        for folder in ("pages", "manifests", "page-hashes"):
            (staged / folder).mkdir()
        made = _made_by(store, code)
        (staged / "bundle.json").write_bytes(canonical_json(made))
        (staged / "head.txt").write_bytes(head_line(store).content)
        with (staged / "looks.csv").open("wb") as stream:
            stream.write(BYTE_ORDER_MARK)
            write_csv([pa.Table.from_pylist(looks, arrow_schemas()["pages"].remove_metadata())], stream)
        pages = list(_bodies(store, looks))
        _write_pages(pages, staged, made)
        with (staged / "rows.jsonl").open("wb") as stream:
            for row in _rows(store, looks):
                stream.write(json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n")
        _write_chain(
            store, min(look["harvest_id"] for look in looks), {record["harvest_id"] for record, _ in pages}, staged
        )
        _write_texts(store, code, staged, made)
        files = sorted(path for path in staged.rglob("*") if path.is_file())
        (staged / "SHA256SUMS").write_text(sha256_lines(files, staged), encoding="utf-8")
    return len(pages)


def _made_by(store: Archive, code: str) -> dict[str, Any]:
    """What made the bundle, and of what."""
    return {
        "software": f"bma-progress {version('bma-progress')}",
        "parser_version": PARSER_VERSION,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "portal": store.portal,
        "code": code,
        "head": str(head_line(store)),
    }


def _write_pages(pages: list[tuple[dict[str, Any], bytes]], out: Path, made: dict[str, Any]) -> None:
    """Write the pages, as files and as a WARC that says what made it."""
    with (out / "pages.warc.gz").open("wb") as stream:
        writer = WARCWriter(stream, gzip=True, warc_version=_WARC)
        about = {
            "software": made["software"],
            "format": f"WARC File Format {_WARC.partition('/')[2]}",
            "conformsTo": _CONFORMS,
            "description": f"pages of {made['code']} as {made['portal']} served them, content encodings undone; "
            f"read by parser version {made['parser_version']}",
        }
        writer.write_record(writer.create_warcinfo_record("pages.warc.gz", about))
        for record, body in pages:
            name = f"{record['harvest_id']}-{record['page_sha256'][:16]}.html"
            (out / "pages" / name).write_bytes(body)
            _write_record(writer, record, body)


def _write_chain(store: Archive, first: str, kept_in: set[str], out: Path) -> None:
    """Write what ties a page's hash to the head: the list of its harvest's pages, and the manifests from there on.

    first: the harvest of the first look; kept_in: the harvests that keep the pages
    """
    for id_ in store.harvest_ids():
        if id_ >= min({first, *kept_in}):
            manifest = store.harvest_folder(id_) / MANIFEST
            (out / "manifests" / f"{id_}.json").write_bytes(manifest.read_bytes())
    for id_ in sorted(kept_in):
        hashes = page_hashes(store.stored_pages(id_))
        stated = store.manifest(id_).get("page_hashes_sha256")
        if stated == hashlib.sha256(hashes).hexdigest():
            (out / "page-hashes" / f"{id_}.txt").write_bytes(hashes)
        elif (pages := store.file(id_, "pages")) is not None:  # an older version wrote it: its manifest names this file
            with pages.open("rb") as source, (out / "page-hashes" / f"{id_}.pages.parquet").open("wb") as copy:
                shutil.copyfileobj(source, copy)


def _write_texts(store: Archive, code: str, out: Path, made: dict[str, Any]) -> None:
    """Write what people read: instructions and the story of the record, in Thai and English; and the check."""
    entries = timeline(store, code)
    shutil.copyfile(_TEMPLATES / "evidence_check.sh", out / "check.sh")
    for language in LANGUAGES:
        text = (_TEMPLATES / f"evidence_readme.{language}.txt").read_text(encoding="utf-8")
        (out / f"README.{language}.txt").write_text(text.format(**made), encoding="utf-8")
        (out / f"story.{language}.html").write_text(story_html(entries, made, language), encoding="utf-8")


def _bodies(store: Archive, looks: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Each page content once, with the stored record of its first fetch."""
    seen: set[str] = set()
    for look in looks:
        sha256, harvest_id = look["page_sha256"], look["body_harvest_id"]
        if not isinstance(sha256, str) or not isinstance(harvest_id, str) or sha256 in seen:
            continue
        seen.add(sha256)
        keeper = store.keeper_of(harvest_id, sha256)
        yield {**store.body_record(keeper, sha256), "harvest_id": keeper}, store.body(keeper, sha256)


def _write_record(writer: WARCWriter, record: dict[str, Any], body: bytes) -> None:
    headers = {name: str(value) for name, value in row_of_text(record["headers"]).items() if name != "content-encoding"}
    headers["content-length"] = str(len(body))  # of the entity as kept: content encodings are undone
    http = StatusAndHeaders(f"{record['http_status']} ", list(headers.items()), protocol="HTTP/1.1")
    at = record["fetched_at"].strftime("%Y-%m-%dT%H:%M:%SZ")
    warc = writer.create_warc_record(
        record["url"],
        "response",
        payload=io.BytesIO(body),
        http_headers=http,
        warc_headers_dict={"WARC-Date": at},
    )
    writer.write_record(warc)
    warc.raw_stream.close()  # warcio leaves its temporary file open


def _rows(store: Archive, looks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for look in looks:
        if look["version_harvest_id"] != look["harvest_id"]:
            continue
        for table in RECORD_TABLES:
            file, schema = store.file(look["harvest_id"], table), version_schemas()[table]
            for row in read_rows_of_pages(file, table, schema, [look["page_key"]]).to_pylist():
                yield {"table": table, **row}
