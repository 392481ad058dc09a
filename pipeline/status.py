"""What an operator asks a store first: is last night good, and how old is the data."""

from datetime import UTC, datetime

import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import StoreError
from pipeline.packs import parquet_source
from pipeline.store import BANGKOK, Store, harvest_start


def status_text(store: Store) -> str:
    """The last harvest, whether it was published, how stale the data is, and the run's report."""
    ids = store.harvest_ids()
    if not ids:
        raise StoreError(f"{store.root} holds no harvest yet; run `bma-progress harvest` first")
    newest, latest = ids[-1], store.latest_id()
    lines = [f"{store.place}: {len(ids):,} harvest{'s' * (len(ids) != 1)} of {store.portal}."]
    if latest is None:
        lines.append("Nothing is published yet.")
    else:
        age = datetime.now(UTC) - harvest_start(latest)
        local = harvest_start(latest).astimezone(BANGKOK)
        lines.append(
            f"Published: {latest}, begun {local:%Y-%m-%d %H:%M} in Bangkok, {age.total_seconds() / 3600:,.1f} hours ago."
        )
    manifest = store.manifest(newest)
    if not manifest["published"]:
        lines.append(f"The newest harvest, {newest}, is HELD BACK: {manifest['held_back']}")
    lines += _noise(store, newest)
    report = store.root / "runs" / newest / "report.txt"
    lines += ["", report.read_text(encoding="utf-8") if report.is_file() else f"Harvest {newest} left no report."]
    return "\n".join(lines).rstrip() + "\n"


def _noise(store: Store, harvest_id: str) -> list[str]:
    """How many pages came in other bytes although they say what they said before: a token, a clock, a counter."""
    pages = pq.read_table(
        parquet_source(store.harvest_folder(harvest_id) / "pages.parquet"), filters=[("outcome", "=", "unchanged")]
    )
    if not len(pages):
        return []
    noisy = pages.filter(pc.equal(pages["body_harvest_id"], harvest_id))
    share = f"{len(noisy):,} of {len(pages):,} unchanged pages ({len(noisy) / len(pages):.0%})"
    return [f"Noise: {share} came in other bytes than the night before; each such night keeps a patch of them."]
