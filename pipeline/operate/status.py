"""The status of a store: whether the last harvest was good, and how old the data is."""

import json
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from parsers.thai import BANGKOK
from pipeline.errors import no_harvest_yet
from pipeline.operate.anchored import Anchored, anchor_of
from pipeline.schema.agencies import agency
from pipeline.store.catalog import Catalog
from pipeline.store.durable import read_document
from pipeline.store.layout import SPOOL, harvest_start
from pipeline.store.lock import is_locked
from pipeline.store.run_files import LOG
from pipeline.store.run_log import last_event
from pipeline.store.set_aside import first_in_future
from pipeline.terminal import Fields


@dataclass(frozen=True, slots=True)
class Condition:
    """Whether the last harvest was good.

    state: `good`; `held_back` where the newest harvest was not published; `failed` where a later run could not finish;
        `late` where the last published harvest began too long ago; `in_future` where the newest one is dated after now;
        `damaged` where a file of `latest` is missing or was cut, or it does not show the newest published harvest
    harvest_id: the harvest or run that `state` is about; published_id: the one in `latest`; age_hours: since it began
    """

    state: Literal["good", "held_back", "failed", "late", "in_future", "damaged"]
    reason: str
    harvest_id: str | None
    published_id: str | None
    age_hours: float | None

    @property
    def is_good(self) -> bool:
        """True where there is nothing to do."""
        return self.state == "good"


def condition(store: Catalog, late_hours: float) -> Condition:
    """The store's condition. late_hours: the largest good age of the published harvest. Raises StoreError for an empty store."""
    ids = store.harvest_ids()
    failed_id, failure = _failure(store, ids[-1] if ids else "")
    if not ids and failure is None:
        raise no_harvest_yet(store.root)
    latest = store.published_id() if ids else None
    age = (datetime.now(UTC) - harvest_start(latest)).total_seconds() / 3600 if latest else None
    about = (latest, None if age is None else round(age, 2))
    if ids and (first := first_in_future(ids)):
        reason = (
            f"the newest harvest {ids[-1]} is dated in the future: correct this machine's clock, or, where it was wrong that "
            f"night, run `bma-progress set-aside {first} --data {store.place}`"
        )
        return Condition("in_future", reason, ids[-1], *about)
    if failure is not None:
        return Condition("failed", failure, failed_id, *about)
    if lost := store.lost_files():
        reason = (
            f"in latest/ {', '.join(lost)} missing or cut; the next harvest makes it anew, and `bma-progress verify` names "
            "all that is damaged"
        )
        return Condition("damaged", reason, latest, *about)
    manifest = store.manifest(ids[-1])
    if not manifest["published"]:
        return Condition("held_back", str(manifest["held_back"]), ids[-1], *about)
    if latest != ids[-1] and not is_locked(store.root):  # it was committed, and then the disk was full
        reason = (
            f"latest/ shows the harvest {latest}, not {ids[-1]}, which was published; the next harvest makes it anew"
        )
        return Condition("damaged", reason, ids[-1], *about)
    if age is not None and age > late_hours:
        reason = f"the published harvest began {age:,.1f} hours ago, more than {late_hours:g}"
        return Condition("late", reason, latest, *about)
    return Condition("good", "published", latest, *about)


def _failure(store: Catalog, newest: str) -> tuple[str | None, str | None]:
    """The id of a failed or interrupted run after the newest harvest, and why it failed; None for both where there is none."""
    for folder in sorted((store.root / "runs").glob("*"), reverse=True):
        if folder.name <= newest:
            break
        event = last_event(folder / LOG)
        if event.get("event") in ("failed", "killed"):  # another last event: it continued after an error, or is running
            return folder.name, str(event.get("reason"))
        if (folder / SPOOL).exists() and not is_locked(store.root):
            return folder.name, "it was interrupted; the next start continues it"
    return None, None


def status_document(store: Catalog, found: Condition) -> dict[str, Any]:
    """The condition for programs, with the numbers of the newest harvest."""
    ids = store.harvest_ids()
    manifest = store.manifest(ids[-1]) if ids else {}
    anchored = anchor_of(store, ids[-1]) if ids else None
    return {
        "store": store.place,
        "portal": store.portal,
        **asdict(found),
        "good": found.is_good,
        "newest_id": ids[-1] if ids else None,
        "outcomes": manifest.get("outcomes"),
        "changes": manifest.get("changes"),
        **{
            name: (manifest.get("report") or {}).get(name)
            for name in ("unclaimed", "findings", "unknown", "unknown_pages")
        },
        "anchor": asdict(anchored) if anchored else None,
    }


def status_metrics(store: Catalog, found: Condition) -> str:
    """The condition in the text format of Prometheus, for its node_exporter's folder of text files."""
    document = status_document(store, found)
    began = harvest_start(found.published_id).timestamp() if found.published_id else None
    families: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
        ("good", "1 where the last harvest was good.", "", {"": int(found.is_good)}),
        ("state", "1 for the state of the store.", "state", {name: int(name == found.state) for name in _SENTENCES}),
        ("published_timestamp_seconds", "When the published harvest began.", "", {"": began}),
        ("pages", "Pages of the newest harvest, by outcome.", "outcome", document["outcomes"] or {}),
        ("changes", "Changes of the newest harvest, by meaning.", "meaning", document["changes"] or {}),
    )
    lines = []
    for name, about, label, values in families:
        lines += [f"# HELP bma_progress_{name} {about}", f"# TYPE bma_progress_{name} gauge"]
        for key, value in values.items():
            if value is not None:
                labels = {"store": store.place, **({label: key} if label else {})}
                text = ",".join(f"{one}={json.dumps(what, ensure_ascii=False)}" for one, what in labels.items())
                lines.append(f"bma_progress_{name}{{{text}}} {value}")
    return "\n".join(lines) + "\n"


def status_view(store: Catalog, found: Condition, *, verbose: bool = True) -> Fields:
    """The condition, the published harvest and its age, then the report of the newest run.

    verbose: all of the report; else only what is wrong
    """
    ids = store.harvest_ids()
    state = _SENTENCES[found.state].format(id=found.harvest_id, reason=found.reason)
    fields = [
        ("Store", f"{store.place}: {len(ids):,} harvest{'s' * (len(ids) != 1)} of {store.portal}", ""),
        ("State", state, _COLOURS[found.state]),
        ("Published", _published(store, found), ""),
    ]
    if ids and (anchored := anchor_of(store, ids[-1])):
        fields.append(("Anchor", _anchor_text(anchored), "yellow" if anchored.problems else ""))
    if not ids:
        return Fields(fields, "")
    newest = ids[-1]
    if store.manifest(newest)["cause"] == "parser":
        fetched = f"{newest} fetched nothing: another version of the parser read the stored pages again"
        return Fields([*fields, ("Newest", fetched, "")], "")
    if verbose and (noise := _noise(store, newest)):
        fields.append(("Noise", noise, ""))
    file = store.root / "runs" / newest / "report.txt"
    report = f"Harvest {newest} left no report.\n"
    with suppress(OSError):
        report = read_document(file).decode("utf-8", "replace")
    if not verbose:
        report = report.partition("\nCoverage\n")[0] + _wrong_agencies(store, newest)
    return Fields(fields, f"\n{report}")


def _wrong_agencies(store: Catalog, harvest_id: str) -> str:
    """The agencies of which pages failed, were suspect or blocked, or did not come, by name."""
    try:
        groups = json.loads(read_document(store.root / "runs" / harvest_id / "report.json"))["coverage"]
        wrong = _wrong_groups(groups)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):  # no report of ours
        return ""
    lines = [
        f"  {code} {agency(code).name_th or ''}: {', '.join(f'{count:,} {name}' for name, count in bad.items() if count)}"
        for code, bad in wrong.items()
    ]
    return "\n".join(
        ["", *(["Agencies with something wrong", *lines] if lines else []), "", "All of it: --verbose", ""]
    )


def _wrong_groups(groups: list[dict[str, Any]]) -> dict[str, Counter[str]]:
    wrong: dict[str, Counter[str]] = {}
    for group in groups:
        bad = Counter({name: group[name] for name in ("failed", "suspect", "blocked") if group[name]})
        if missing := group["expected"] - group["ok"] - bad.total():
            bad["missing"] = max(missing, 0)
        if bad.total():
            wrong.setdefault(group["agency_code"], Counter()).update(bad)
    return wrong


_SENTENCES: Final = {
    "good": "good",
    "held_back": "HELD BACK: the newest harvest, {id}, was not published: {reason}",
    "failed": "FAILED: the run {id} after the last harvest: {reason}",
    "late": "LATE: {reason}",
    "in_future": "WRONG CLOCK: {reason}",
    "damaged": "DAMAGED: {reason}",
}
_COLOURS: Final = {
    "good": "green",
    "held_back": "yellow",
    "failed": "red",
    "late": "yellow",
    "in_future": "red",
    "damaged": "red",
}


def _published(store: Catalog, found: Condition) -> str:
    if found.published_id is None or found.age_hours is None:
        return "nothing yet"
    began = harvest_start(found.published_id).astimezone(BANGKOK)
    when = f"{abs(found.age_hours):,.1f} hours {'ago' if found.age_hours >= 0 else 'in the future'}"
    is_part = (store.manifest(found.published_id).get("report") or {}).get("is_part")
    part = "; it was asked for a part of the portal only" if is_part else ""
    return f"{found.published_id}, began {began:%Y-%m-%d %H:%M} in Bangkok, {when}{part}"


def _anchor_text(anchored: Anchored) -> str:
    """Whether the newest harvest's line was stamped and taken away, and what went wrong."""
    done = [f"stamped at {anchored.stamped_at} by {anchored.authority}"] if anchored.stamped_at else []
    done += ["given to anchor_command"] if anchored.command else []
    return "; ".join([*done, *(f"WARNING: {problem}" for problem in anchored.problems)])


def _noise(store: Catalog, harvest_id: str) -> str:
    """How many pages had other bytes but equal facts, because of a token, a clock or a counter; empty where none had."""
    import pyarrow as pa  # which one look does without
    import pyarrow.compute as pc

    from pipeline.store.parquet_files import read_as

    seen = pa.schema([pa.field("outcome", pa.string()), pa.field("body_harvest_id", pa.string())])
    pages = read_as(store.file(harvest_id, "pages"), seen, pc.field("outcome") == "unchanged")
    noisy = pages.filter(pc.equal(pages["body_harvest_id"], harvest_id))
    if not len(noisy):
        return ""
    share = f"{len(noisy):,} of {len(pages):,} unchanged pages ({len(noisy) / len(pages):.0%})"
    return f"{share} came with other bytes than in the last harvest; the store keeps a patch for each"
