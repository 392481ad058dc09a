"""How the anchoring of a harvest ended, as the folder of its run says."""

import json
from dataclasses import dataclass, fields

from pipeline.store.catalog import Catalog
from pipeline.store.document_shapes import is_anchor
from pipeline.store.durable import read_document
from pipeline.store.run_files import ANCHOR_FILE


@dataclass(frozen=True, slots=True)
class Anchored:
    """How the anchoring of a harvest ended, as `anchor.json` has it.

    stamped_at: the instant of the time-stamp, None without one; command: whether the command took the line
    problems: what went wrong, one sentence each
    """

    line: str
    stamped_at: str | None
    authority: str | None
    command: bool
    problems: list[str]


def anchor_of(store: Catalog, harvest_id: str) -> Anchored | None:
    """How the anchoring of a harvest ended; None where none was asked for, or its file cannot be read."""
    try:
        about = json.loads(read_document(store.root / "runs" / harvest_id / ANCHOR_FILE))
    except (OSError, ValueError, RecursionError):
        return None
    return Anchored(**{one.name: about[one.name] for one in fields(Anchored)}) if is_anchor(about) else None
