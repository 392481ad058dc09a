"""Evidence for one project or indicator: a folder that proves itself, to be handed to others.

pages/<harvest>-<hash>.html   every page as it was served, once per content
pages.warc.gz                 the same as a WARC (ISO 28500), with URL, time, status and headers
looks.csv                     every look at the record that was not skipped, with outcome and hash
rows.jsonl                    the rows of every version, one JSON object a line
manifests/<harvest>.json      the manifests that chain the harvests' hashes
SHA256SUMS                    `sha256sum -c SHA256SUMS` checks all of it
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.dataset as ds
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from pipeline.schema.columns import RECORD_TABLES
from pipeline.store.archive import Archive
from pipeline.store.durable import new_folder, sha256_lines
from pipeline.store.layout import MANIFEST
from pipeline.store.parquet import read_as, version_schemas

_ABOUT = """\
Evidence about {code}, from a store of {portal}.

Check it: sha256sum -c SHA256SUMS
pages/ holds every page as it was served, pages.warc.gz the same with URL, time and headers; a page's SHA-256 stands in
looks.csv (page_sha256) and in the rows. manifests/ holds the manifest of each harvest that saw the record: each names the
SHA-256 of its files and of the manifest before it.
"""


def write_evidence(store: Archive, code: str, out: Path) -> int:
    """Write the bundle for one code into the new or empty folder `out`; returns how many pages it holds.

    Raises StoreError for an unknown code or a folder that is not empty.
    """
    looks = store.history(code)
    with new_folder(out) as staged:
        for folder in ("pages", "manifests"):
            (staged / folder).mkdir()
        (staged / "README.txt").write_text(_ABOUT.format(code=code, portal=store.portal), encoding="utf-8")
        looks.to_csv(staged / "looks.csv", index=False)
        pages = _write_bundle(store, looks, staged)
        files = sorted(path for path in staged.rglob("*") if path.is_file())
        (staged / "SHA256SUMS").write_text(sha256_lines(files, staged), encoding="utf-8")
    return pages


def _write_bundle(store: Archive, looks: pd.DataFrame, out: Path) -> int:
    """Write the pages, rows and manifests of some looks; returns how many pages."""
    records: list[dict[str, Any]] = [dict(look) for look in looks.to_dict("records")]  # type: ignore[arg-type]
    pages = list(_bodies(store, records))
    with (out / "pages.warc.gz").open("wb") as stream:
        writer = WARCWriter(stream, gzip=True)
        for record, body in pages:
            name = f"{record['harvest_id']}-{record['page_sha256'][:16]}.html"
            (out / "pages" / name).write_bytes(body)
            _write_record(writer, record, body)
    with (out / "rows.jsonl").open("wb") as stream:
        for row in _rows(store, records):
            stream.write(json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n")
    for harvest_id in sorted(set(looks["harvest_id"])):
        manifest = store.harvest_folder(harvest_id) / MANIFEST
        (out / "manifests" / f"{harvest_id}.json").write_bytes(manifest.read_bytes())
    return len(pages)


def _bodies(store: Archive, looks: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Each page content once, with the stored record of its first fetch."""
    seen: set[str] = set()
    for look in looks:
        sha256, harvest_id = look["page_sha256"], look["body_harvest_id"]
        if not isinstance(sha256, str) or not isinstance(harvest_id, str) or sha256 in seen:
            continue
        seen.add(sha256)
        yield {**store.body_record(harvest_id, sha256), "harvest_id": harvest_id}, store.body(harvest_id, sha256)


def _write_record(writer: WARCWriter, record: dict[str, Any], body: bytes) -> None:
    headers = {name: value for name, value in json.loads(record["headers"]).items() if name != "content-encoding"}
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
            chosen = ds.field("page_key") == look["page_key"]
            for row in read_as(store.file(look["harvest_id"], table), version_schemas()[table], chosen).to_pylist():
                yield {"table": table, **row}
