"""The log of a run, `runs/<id>/log.jsonl`: a line of JSON for each page, and for what happened to the run."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.store.run_files import LOG


def mark_killed(folder: Path, reason: str) -> None:
    """Write into a run's log that its process was killed. reason: a sentence for `status`"""
    line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": "killed", "reason": reason}
    with (folder / LOG).open("ab+") as log:
        log.seek(max(log.tell() - 1, 0))
        half_a_line = log.read() not in (b"", b"\n")
        log.write(b"\n" * half_a_line + json.dumps(line).encode() + b"\n")


def times_killed(folder: Path) -> int:
    """How often a run's process was killed, by what `mark_killed` wrote."""
    return sum(b'"event": "killed"' in line for line in _lines(folder / LOG))


def last_event(log: Path) -> dict[str, Any]:
    """The last complete line of a run's log; empty where there is none."""
    for line in reversed(_lines(log)):
        with suppress(ValueError, RecursionError):  # a killed process leaves half a line
            event = json.loads(line)
            if isinstance(event, dict):
                return event
    return {}


def _lines(log: Path) -> list[bytes]:
    try:
        return log.read_bytes().splitlines()
    except OSError:
        return []
