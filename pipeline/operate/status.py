"""What an operator asks a store first: is last night good, and how old is the data."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import StoreError
from pipeline.store.archive import Archive
from pipeline.store.layout import BANGKOK, SPOOL, harvest_start
from pipeline.store.lock import check_free
from pipeline.store.packs import parquet_source


@dataclass(frozen=True, slots=True)
class Condition:
    """Whether the last night was good; every word of it can be checked in the store.

    state: `good`; `held_back` when the newest harvest was not published; `failed` when one could not be run after it;
        `late` when the last published one began too long ago
    harvest_id: the harvest it is about; published_id: the one in `latest`; age_hours: since that began
    """

    state: Literal["good", "held_back", "failed", "late"]
    reason: str
    harvest_id: str | None
    published_id: str | None
    age_hours: float | None

    @property
    def is_good(self) -> bool:
        """Whether nobody has to do anything."""
        return self.state == "good"


def condition(store: Archive, late_hours: float) -> Condition:
    """The store's condition. late_hours: how old what is published may be. Raises StoreError for an empty store."""
    ids = store.harvest_ids()
    failed_id, failure = _failure(store, ids[-1] if ids else "")
    if not ids and failure is None:
        raise StoreError(f"{store.root} holds no harvest yet; run `bma-progress harvest` first")
    latest = store.latest_id() if ids else None
    age = (datetime.now(UTC) - harvest_start(latest)).total_seconds() / 3600 if latest else None
    about = (latest, None if age is None else round(age, 2))
    if failure is not None:
        return Condition("failed", failure, failed_id, *about)
    manifest = store.manifest(ids[-1])
    if not manifest["published"]:
        return Condition("held_back", str(manifest["held_back"]), ids[-1], *about)
    if age is not None and age > late_hours:
        reason = f"what is published began {age:,.1f} hours ago, more than {late_hours:g}"
        return Condition("late", reason, latest, *about)
    return Condition("good", "published", latest, *about)


def _failure(store: Archive, newest: str) -> tuple[str | None, str | None]:
    """The last run after the newest harvest that could not go on, or just stopped: id and reason."""
    for folder in sorted((store.root / "runs").glob("*"), reverse=True):
        if folder.name <= newest:
            break
        event = _last_event(folder / "log.jsonl")
        if event.get("event") == "failed":  # else it went on after that, or is under way
            return folder.name, str(event.get("reason"))
        if (folder / SPOOL).exists() and not _is_being_written(store):
            return folder.name, "it did not come to its end; the next start goes on from there"
    return None, None


def _is_being_written(store: Archive) -> bool:
    """Whether a harvest may be under way; who may not look at the lock cannot say that none is."""
    try:
        check_free(store.root)
    except (StoreError, OSError):
        return True
    return False


def _last_event(log: Path) -> dict[str, Any]:
    """The last line of a run's log that is whole."""
    try:
        lines = log.read_bytes().splitlines()
    except OSError:
        return {}
    for line in reversed(lines):
        with suppress(ValueError):  # cut off by a kill
            event: dict[str, Any] = json.loads(line)
            return event
    return {}


def status_document(store: Archive, found: Condition) -> dict[str, Any]:
    """The condition for programs, with the numbers of the newest harvest."""
    ids = store.harvest_ids()
    manifest = store.manifest(ids[-1]) if ids else {}
    return {
        "store": store.place,
        "portal": store.portal,
        **asdict(found),
        "good": found.is_good,
        "newest_id": ids[-1] if ids else None,
        "outcomes": manifest.get("outcomes"),
        "changes": manifest.get("changes"),
    }


def status_text(store: Archive, found: Condition) -> str:
    """The last harvest, whether it was published, how stale the data is, and the run's report."""
    ids = store.harvest_ids()
    lines = [f"{store.place}: {len(ids):,} harvest{'s' * (len(ids) != 1)} of {store.portal}."]
    if found.published_id is None:
        lines.append("Nothing is published yet.")
    else:
        local = harvest_start(found.published_id).astimezone(BANGKOK)
        age = f"{found.age_hours:,.1f} hours ago"
        lines.append(f"Published: {found.published_id}, begun {local:%Y-%m-%d %H:%M} in Bangkok, {age}.")
    if found.state == "late":
        lines.append(f"LATE: {found.reason}.")
    if found.state == "failed":
        lines.append(f"The run {found.harvest_id} after it FAILED: {found.reason}")
    if not ids:
        return "\n".join(lines) + "\n"
    newest = ids[-1]
    manifest = store.manifest(newest)
    if not manifest["published"]:
        lines.append(f"The newest harvest, {newest}, is HELD BACK: {manifest['held_back']}")
    if manifest["cause"] == "parser":
        lines.append(
            f"Harvest {newest} fetched nothing: it read the stored pages again, with another version of the parser."
        )
        return "\n".join(lines) + "\n"
    lines += _noise(store, newest)
    report = store.root / "runs" / newest / "report.txt"
    lines += ["", report.read_text(encoding="utf-8") if report.is_file() else f"Harvest {newest} left no report."]
    return "\n".join(lines).rstrip() + "\n"


def _noise(store: Archive, harvest_id: str) -> list[str]:
    """How many pages came in other bytes although they say what they said before: a token, a clock, a counter."""
    pages = pq.read_table(
        parquet_source(store.harvest_folder(harvest_id) / "pages.parquet"), filters=[("outcome", "=", "unchanged")]
    )
    if not len(pages):
        return []
    noisy = pages.filter(pc.equal(pages["body_harvest_id"], harvest_id))
    share = f"{len(noisy):,} of {len(pages):,} unchanged pages ({len(noisy) / len(pages):.0%})"
    return [f"Noise: {share} came in other bytes than the night before; each such night keeps a patch of them."]
