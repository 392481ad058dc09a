"""head.json: the newest harvest and the hash of its manifest, so that the end of the chain is fixed too.

It also lists all harvests and packs, so that nobody has to open every manifest to know them.
"""

import hashlib
from collections.abc import Mapping

from pipeline.store.durable import file_sha256, seal, write_durably
from pipeline.store.harvests import Harvests, newest_is_damaged
from pipeline.store.index import listed_harvests, read_head
from pipeline.store.layout import HEAD, MANIFEST, README
from pipeline.store.packs import packs


def write_head(
    harvests: Harvests,
    portal: str,
    new_packs: Mapping[str, str] | None = None,
    newest: tuple[str, str] | None = None,
) -> None:
    """Write head.json unless it is up to date.

    new_packs: the hashes of packs that were just made; newest: the harvest that was just committed, its manifest's hash
    """
    root, ids, listed = harvests.root, harvests.harvest_ids(), listed_harvests(harvests.root).published
    if newest is None and ids:
        newest = ids[-1], file_sha256(harvests.harvest_folder(ids[-1]) / MANIFEST)
    stated = read_head(root).get("packs")
    known = {**(stated if isinstance(stated, dict) else {}), **(new_packs or {})}
    head = {
        "harvest_id": newest[0] if newest else None,
        "manifest_sha256": newest[1] if newest else None,
        "harvests": {
            id_: listed[id_] if id_ in listed else bool(harvests.manifest(id_)["published"])
            for id_ in ids
            if newest and id_ <= newest[0]
        },
        "packs": {pack.name: known.get(pack.name) or file_sha256(pack) for pack in packs(root / "harvests")},
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
