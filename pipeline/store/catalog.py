"""A store opened for its documents: its portal, its harvests, what `latest` and the snapshots say. No table is read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import StoreError, refused_by_machine
from pipeline.location import place_of
from pipeline.store.document_shapes import is_snapshot
from pipeline.store.durable import read_document, unreadable, unseal
from pipeline.store.harvests import Harvests
from pipeline.store.layout import FORMAT, HARVEST_ID, SNAPSHOT
from pipeline.store.own_parts import check_own_parts


class Catalog(Harvests):
    """The documents of one store; opened without pyarrow, in a tenth of the time that `Archive` takes.

    portal: the address of the portal whose pages it holds

    Raises StoreError where the folder is no store or was written by a newer version.
    """

    def __init__(self, root: str | Path) -> None:
        super().__init__(root)
        file = self.root / "store.json"
        check_own_parts(self.root)
        try:
            about = json.loads(read_document(file))
        except (FileNotFoundError, NotADirectoryError):
            raise StoreError(
                f"{self.place} holds no store; run `bma-progress harvest --data {self.place}` first, or name another folder"
            ) from None
        except (OSError, ValueError, RecursionError) as error:
            raise refused_by_machine(error, file) or unreadable(file) from None
        if not isinstance(about, dict) or not isinstance(about.get("portal"), str):
            raise unreadable(file)
        if about.get("format") != FORMAT:
            raise StoreError(
                f"{root} was written by a newer bma-progress (format {about.get('format')}); upgrade to read it"
            )
        self.portal: str = about["portal"]

    @property
    def place(self) -> str:
        """Where the store is, as a person named it: its folder, or its address in object storage."""
        return place_of(self.root)

    def latest_id(self) -> str | None:
        """The harvest that `latest` shows, or None."""
        latest = self.root / "latest"
        if latest.is_symlink():
            target = latest.readlink()
            return target.name if target.parent == Path("snapshots") and HARVEST_ID.fullmatch(target.name) else None
        about = read_snapshot(latest) if latest.is_dir() else None  # a folder where the file system has no links
        return str(about["harvest_id"]) if about else None

    def published_id(self) -> str | None:
        """The same, also in a copy that lost the link `latest`, as on a system without such links."""
        return self.latest_id() or next(iter(self.harvest_ids(published_only=True)[-1:]), None)

    def lost_files(self) -> list[str]:
        """The files of what `latest` shows that are missing, or of another size than was written; nothing is read of them."""
        latest, shown = self.root / "latest", self.published_id()
        if shown is None:
            return []
        folder = latest if latest.is_dir() else self._snapshot(shown)
        about = read_snapshot(folder)
        if about is None:
            return [SNAPSHOT]
        return [name for name, file in about["files"].items() if not _has_size(folder / name, file.get("bytes"))]

    def is_proven(self, harvest_id: str) -> bool:
        """Whether a snapshot is said to have the bytes that the manifest of its harvest names."""
        named = (self.manifest(harvest_id).get("snapshot") or {}).get("files", {})
        return bool(named) and named.items() <= self._snapshot_hashes(harvest_id).items()

    def _snapshot(self, harvest_id: str) -> Path:
        return self.root / "snapshots" / harvest_id

    def _snapshot_hashes(self, harvest_id: str) -> dict[str, str]:
        """The hashes of a snapshot's files, by name; empty where there are none that can be true."""
        about = read_snapshot(self._snapshot(harvest_id))
        if about is None or about["harvest_id"] != harvest_id:
            return {}
        hashes = {name: str(file["sha256"]) for name, file in about["files"].items()}
        return {} if contradicts(self.manifest(harvest_id), about) else hashes


def read_snapshot(folder: Path) -> dict[str, Any] | None:
    """What the `snapshot.json` of a folder says; None where it is missing, or is not what was written."""
    try:
        about, whole = unseal(read_document(folder / SNAPSHOT), "snapshot_sha256")
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return about if whole and is_snapshot(about) else None


def _has_size(file: Path, size: int | None) -> bool:
    try:
        return file.stat().st_size == size or size is None
    except OSError:
        return False


def contradicts(manifest: Mapping[str, Any], about: Mapping[str, Any]) -> bool:
    """Whether a manifest and the `snapshot.json` of its harvest name other bytes for the same tables.

    They may where the snapshot was written anew by another version of the columns or of pyarrow.
    """
    proof = manifest.get("snapshot")
    if not proof or len({one.get("schema_version") for one in (manifest, proof, about)}) > 1:
        return False
    if all(about["files"].get(name, {}).get("sha256") == sha256 for name, sha256 in proof["files"].items()):
        return False
    import pyarrow as pa  # which a store without such a difference does without

    return bool(proof["pyarrow"] == pa.__version__)
