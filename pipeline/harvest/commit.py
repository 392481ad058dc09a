"""Committing a staged harvest: hash every file, and make it part of the store with one rename."""

import hashlib
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from parsers import PARSER_VERSION
from pipeline.compare.classify import COMPARISON_VERSION
from pipeline.errors import StoreError
from pipeline.harvest.staging import Staged
from pipeline.schema.columns import schema_version
from pipeline.store.durable import canonical_json, file_sha256, sha256s, sync_and_hash, sync_file, sync_folder
from pipeline.store.head import add_to_head
from pipeline.store.layout import FORMAT, MANIFEST
from pipeline.store.run_files import write_later_sums, write_sums
from pipeline.store.snapshots import BuiltState, publish
from pipeline.store.stored_pages import page_hashes


def commit(
    staged: Staged,
    *,
    held_back: str | None,
    report: Mapping[str, Any],
    cause: str = "portal",
    due: datetime | None = None,
) -> None:
    """Commit a staged harvest with one rename, and publish it unless it is held back.

    held_back: why it must not replace the last one, or None; due: the time of a schedule that it answers
    """
    store, harvest_id, folder = staged.store, staged.harvest_id, staged.folder
    target = store.root / "harvests" / harvest_id
    ids = store.harvest_ids()
    if ids and harvest_id <= ids[-1]:
        raise StoreError(f"a harvest {harvest_id} cannot follow {ids[-1]}; check this machine's clock")
    schema, pages = schema_version(), page_hashes(staged.stored)
    run = store.root / "runs" / harvest_id  # a replay of stored pages has none
    run_sha256 = write_sums(run) if run.is_dir() else None
    files = sync_and_hash(sorted(folder.iterdir()))
    for name, about in files.items():
        about["rows"] = staged.rows_added[Path(name).stem]
    snapshot = staged.snapshot if held_back is None else None
    tables = sync_and_hash(sorted(snapshot.glob("*.parquet"))) if snapshot else {}
    manifest = {
        "format": FORMAT,
        "harvest_id": harvest_id,
        "previous": ids[-1] if ids else None,
        "previous_manifest_sha256": file_sha256(store.harvest_folder(ids[-1]) / MANIFEST) if ids else None,
        "portal": store.portal,
        "published": held_back is None,
        "held_back": held_back,
        "cause": cause,
        "parser_version": PARSER_VERSION,
        "comparison_version": COMPARISON_VERSION,
        "schema_version": schema,
        "due_at": due.astimezone(UTC).isoformat() if due else None,
        "committed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "outcomes": dict(sorted(staged.outcomes.items())),
        "rows": staged.rows,
        "withheld": sorted(staged.withheld),
        # what ties the published snapshot to the chain of manifests
        "snapshot": {
            "schema_version": schema,
            "pyarrow": pa.__version__,
            "files": sha256s(tables),
        }
        if tables
        else None,
        "changes": dict(sorted(staged.changes.items())),
        "report": report,
        "run_sha256": run_sha256,
        "previous_run_later_sha256": write_later_sums(store.root / "runs" / ids[-1]) if ids else None,
        "page_hashes_sha256": hashlib.sha256(pages).hexdigest(),
        "files": files,
    }
    content = canonical_json(manifest)
    (folder / MANIFEST).write_bytes(content)
    sync_file(folder / MANIFEST)
    sync_folder(folder)
    folder.rename(target)  # the commit
    sync_folder(store.root / "harvests")
    sha256 = hashlib.sha256(content).hexdigest()
    add_to_head(store, store.portal, harvest_id, sha256, published=held_back is None)
    if held_back is None:
        publish(store, harvest_id, BuiltState(snapshot, tables, staged.rows) if snapshot else None)
    elif staged.snapshot is not None:
        shutil.rmtree(staged.snapshot)
