"""How the anchoring of a harvest ended, as the folder of its run says."""

import json
from dataclasses import dataclass

from pipeline.store.archive import Archive
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


def anchor_of(store: Archive, harvest_id: str) -> Anchored | None:
    """How the anchoring of a harvest ended; None where none was asked for, or its file cannot be read."""
    try:
        return Anchored(**json.loads((store.root / "runs" / harvest_id / ANCHOR_FILE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
