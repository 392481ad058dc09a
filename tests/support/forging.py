"""What somebody can do who may write to a store and knows how it is made: alter tables, and redo every hash."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store.archive import Archive
from pipeline.store.durable import canonical_json, file_sha256
from pipeline.store.harvests import ids_in
from pipeline.store.head import write_head
from pipeline.store.snapshots import build_state, finish_snapshot
from pipeline.store.state import State

Rows = list[dict[str, Any]]


def edit_table(file: Path, edit: Callable[[Rows], object]) -> None:
    """Let `edit` alter the rows of a file in place."""
    table = pq.read_table(file)
    rows = table.to_pylist()
    edit(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), file)


def redo_hashes(root: Path) -> None:
    """Make manifests, their chain, head.json and the snapshots agree with what lies in harvests/ now."""
    previous = None
    for id_ in ids_in(root / "harvests"):
        folder = root / "harvests" / id_
        manifest = json.loads((folder / "manifest.json").read_bytes())
        before = json.dumps(manifest)
        for name, about in manifest["files"].items():
            file = folder / name
            about |= {"bytes": file.stat().st_size, "sha256": file_sha256(file)}
            about["rows"] = pq.read_metadata(file).num_rows
        manifest["previous_manifest_sha256"] = file_sha256(previous) if previous else None
        previous = folder / "manifest.json"
        if json.dumps(manifest) != before:
            manifest["snapshot"] = None  # as older versions wrote none
            previous.write_bytes(canonical_json(manifest))
    archive = Archive(root)
    (root / "head.json").unlink()
    write_head(archive, archive.portal)
    for id_ in ids_in(root / "snapshots"):
        built = root / "tmp" / id_
        built.mkdir()
        finish_snapshot(build_state(State(archive, id_), built), id_, archive.portal)
        shutil.rmtree(root / "snapshots" / id_)
        built.rename(root / "snapshots" / id_)
