"""head.json: the newest harvest and the hash of its manifest, so that the end of the chain is fixed too.

It also lists all harvests and packs, so that nobody has to open every manifest to know them.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from pipeline.store.durable import file_sha256, seal, write_durably
from pipeline.store.harvests import NOT_LISTED, Harvests, listed_harvests, newest_is_damaged, packs_in, read_head
from pipeline.store.layout import HEAD, MANIFEST, README


def write_head(
    harvests: Harvests,
    portal: str,
    new_packs: Mapping[str, str] | None = None,
    newest: tuple[str, str] | None = None,
) -> None:
    """Write head.json unless it is up to date.

    new_packs: the hashes of packs that were just made; newest: the last harvest of all, and its manifest's hash
    """
    root, ids = harvests.root, harvests.harvest_ids()
    if newest is None and ids:
        newest = ids[-1], file_sha256(harvests.harvest_folder(ids[-1]) / MANIFEST)
    listed = listed_harvests(root)
    published = {
        id_: listed.published[id_] if id_ in listed.published else bool(harvests.manifest(id_)["published"])
        for id_ in ids
        if newest and id_ <= newest[0]
    }
    packed = listed.packs
    if listed is NOT_LISTED and isinstance(stated := read_head(root).get("packs"), dict):
        packed = stated
    hashes = {**packed, **(new_packs or {})}
    packs = {pack.name: hashes.get(pack.name) or file_sha256(pack) for pack in packs_in(root / "harvests")}
    _write(root, portal, newest, published, packs)


def add_to_head(harvests: Harvests, portal: str, harvest_id: str, manifest_sha256: str, *, published: bool) -> None:
    """Write head.json after the commit of a harvest. published: whether it is published, as its manifest says"""
    listed = listed_harvests(harvests.root)
    if listed is NOT_LISTED:
        write_head(harvests, portal)
    else:
        newest = harvest_id, manifest_sha256
        _write(harvests.root, portal, newest, {**listed.published, harvest_id: published}, listed.packs)


def _write(
    root: Path,
    portal: str,
    newest: tuple[str, str] | None,
    published: Mapping[str, bool],
    packs: Mapping[str, str],
) -> None:
    head = {
        "harvest_id": newest[0] if newest else None,
        "manifest_sha256": newest[1] if newest else None,
        "harvests": published,
        "packs": packs,
        "readme_sha256": hashlib.sha256(README.encode()).hexdigest(),
        "portal": portal,
    }
    content = seal(head, "head_sha256")
    file = root / HEAD
    if not file.exists() or file.read_bytes() != content:
        write_durably(file, content, root / "tmp")


def check_head(harvests: Harvests) -> None:
    """Raise StoreDamagedError where the harvest that head.json names is not there as it was committed."""
    head = read_head(harvests.root)
    if not {"harvest_id", "manifest_sha256"} <= head.keys():
        return  # lost or damaged: written again from the harvests, whose manifests form a chain of their own
    named, sha256 = head["harvest_id"], head["manifest_sha256"]
    if named is not None and (
        named not in harvests.harvest_ids() or file_sha256(harvests.harvest_folder(named) / MANIFEST) != sha256
    ):
        raise newest_is_damaged(harvests.root, named)
