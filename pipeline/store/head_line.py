"""The line that proves a store's history so far: kept elsewhere, it shows later whether the store still contains it.

    bma-progress-head 1 <portal> <id of the newest harvest> <SHA-256 of its manifest>

A manifest names the hash of the manifest before it, so one line fixes every harvest up to its own.
"""

import re
from typing import Final, NamedTuple

from pipeline.errors import BmaProgressError, StoreDamagedError, no_harvest_yet
from pipeline.store.catalog import Catalog
from pipeline.store.layout import HARVEST_ID, MANIFEST
from pipeline.store.verify_bytes import RESTORE, VerifyProblem, sha256_or_none

PREFIX: Final = "bma-progress-head"
_LINE: Final = re.compile(rf"{PREFIX} 1 (\S+) ({HARVEST_ID.pattern}) ([0-9a-f]{{64}})", re.ASCII)
_LOOK: Final = "compare with the copy of the store that the line was taken of"


class HeadLine(NamedTuple):
    """What one line says: the portal, the newest harvest of then, the SHA-256 of its manifest."""

    portal: str
    harvest_id: str
    manifest_sha256: str

    @property
    def content(self) -> bytes:
        """The bytes that are stamped and signed: the line with its line end."""
        return f"{self}\n".encode()

    def __str__(self) -> str:
        return f"{PREFIX} 1 {self.portal} {self.harvest_id} {self.manifest_sha256}"


def head_line(catalog: Catalog) -> HeadLine:
    """The line of a store as it is now. Raises StoreError where it holds no harvest, or the last one is damaged."""
    ids = catalog.harvest_ids()
    if not ids:
        raise no_harvest_yet(catalog.root)
    file = catalog.harvest_folder(ids[-1]) / MANIFEST
    if (sha256 := sha256_or_none(file)) is None:
        raise StoreDamagedError(f"{file} cannot be read; run `bma-progress verify`")
    return HeadLine(catalog.portal, ids[-1], sha256)


def parsed_line(text: str) -> HeadLine | None:
    """The line that a text is; None where it is none."""
    match = _LINE.fullmatch(text)
    return HeadLine(*match.groups()) if match else None


def missing_history(catalog: Catalog, line: HeadLine) -> VerifyProblem | None:
    """What shows that a store does not contain the history of a line; None where it does.

    Every manifest from the newest harvest back to the line's must name the one before it.
    """
    ids, named = catalog.harvest_ids(), line.harvest_id
    where = f"harvests/{named}"
    if catalog.portal != line.portal:
        return VerifyProblem(
            "store.json", f"other portal: the line is of {line.portal}, this store of {catalog.portal}", _LOOK
        )
    if named not in ids:
        later = [id_ for id_ in ids if id_ > named]
        if later:
            return VerifyProblem(
                where, f"forked: the harvest of the line is missing, and {later[0]} came in its place", RESTORE
            )
        newest = ids[-1] if ids else "nothing"
        return VerifyProblem(
            where, f"truncated: the harvest of the line is missing, the store ends with {newest}", RESTORE
        )
    if sha256_or_none(catalog.harvest_folder(named) / MANIFEST) != line.manifest_sha256:
        return VerifyProblem(where, "rewritten: the harvest has another manifest than the line names", RESTORE)
    for earlier, later_id in zip(ids[ids.index(named) :], ids[ids.index(named) + 1 :], strict=False):
        if not _follows(catalog, later_id, earlier):
            return VerifyProblem(
                f"harvests/{later_id}", f"forked: it does not follow {earlier} as the line's store did", RESTORE
            )
    return None


def _follows(catalog: Catalog, later: str, earlier: str) -> bool:
    try:
        manifest = catalog.manifest(later)
        chain = manifest["previous"], manifest["previous_manifest_sha256"]
    except (BmaProgressError, KeyError, TypeError):
        return False
    return chain == (earlier, sha256_or_none(catalog.harvest_folder(earlier) / MANIFEST))


def later_harvests(catalog: Catalog, line: HeadLine) -> int:
    """How many harvests came after that of a line."""
    return sum(id_ > line.harvest_id for id_ in catalog.harvest_ids())
