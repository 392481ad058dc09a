"""What an operator and an auditor ask a store first: is last night good, and what happened to one record."""

import json
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
    lines = [f"{store.root}: {len(ids):,} harvests of {store.portal}."]
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


def history_text(store: Store, code: str) -> str:
    """The versions of one project or indicator, oldest first, each with what it changed."""
    looks = store.history(code)
    lines = [f"{code}: {len(looks):,} looks in {len(store.harvest_ids()):,} harvests."]
    for look in looks.to_dict("records"):
        day = harvest_start(look["harvest_id"]).astimezone(BANGKOK)
        ended = look["ended_at"] is not None and str(look["ended_at"]) != "NaT"
        lines.append(
            f"{day:%Y-%m-%d %H:%M}  {look['harvest_id']}  {look['kind']:<11} {look['outcome']:<10}"
            f" {'ended' if ended else ''} {str(look['page_sha256'] or '')[:16]}".rstrip()
        )
        column = "project_code" if look["project_code"] else "kpi_code"
        file = parquet_source(store.harvest_folder(look["harvest_id"]) / "changes.parquet")
        for change in pq.read_table(file, filters=[(column, "=", code)]).to_pylist():
            if change["meaning"] in ("project_new", "project_gone", "project_back") and change["table"] not in (
                "projects",
                "kpis",
            ):
                continue
            key = "/".join(str(part) for part in list(json.loads(change["key"]).values())[1:])
            what = f"{change['table']} {key}".rstrip()
            values = f"{change['before']} → {change['after']}" if change["column"] else ""
            lines.append(f"    {change['meaning']:<16} {what} {change['column'] or ''} {values}".rstrip())
    return "\n".join(lines) + "\n"
