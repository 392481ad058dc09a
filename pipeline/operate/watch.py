"""Notify of the changes that the setting `watch` names, once for each published harvest."""

from collections import Counter
from pathlib import Path
from typing import Final

import pyarrow as pa

from pipeline.operate.notify import Event, read_log, ways_of, write_log
from pipeline.schema.agencies import agency
from pipeline.setting_values import Watch
from pipeline.settings import Settings
from pipeline.store.archive import Archive
from pipeline.store.parquet_files import read_as

_NOUNS: Final = {
    "report_removed": "reports deleted",
    "report_edited": "reports edited",
    "result_restated": "results restated",
    "progress_down": "falls of progress",
    "target_moved": "targets moved",
    "plan_moved": "plans moved",
    "project_gone": "records gone",
    "project_back": "records back",
    "text_edited": "texts edited",
    "contact_changed": "contacts changed",
    "project_new": "records new",
    "progress_up": "rises of progress",
    "new_report": "reports new",
}
_COLUMNS: Final = pa.schema(
    [(name, pa.string()) for name in ("meaning", "cause", "project_code", "kpi_code", "agency_code")]
)


def notify_watched(store: Archive, settings: Settings, log: Path, newest: str | None = None) -> list[str]:
    """Send what changed that is watched, each way that did not get it yet; returns what went wrong, as sentences.

    newest: a harvest that was published just now, from which on a way is sent that got nothing before
    What could not be sent, or was missed by a kill, is sent by the next call. log: see `sent_log`
    """
    if not settings.watch:
        return []
    published = store.harvest_ids(published_only=True)
    sent = read_log(log)
    problems: list[str] = []
    for way, send in ways_of(settings).items():
        name = f"{way} watched"
        last = sent.get(name)
        if last is None and newest is None:
            continue
        for id_ in published:
            if id_ <= last if last else id_ < str(newest):
                continue
            if reason := watched_changes(store, id_, settings.watch):
                failed = send(Event("watched", store.place, store.portal, id_, reason))
                if failed:
                    problems += failed
                    break
            sent[name] = id_
            problems += write_log(log, sent)
    return problems


def watched_changes(store: Archive, harvest_id: str, watch: Watch) -> str:
    """The watched changes of a harvest in a sentence, such as `3 reports deleted in 50240000 …`; empty where there are none."""
    found: Counter[tuple[str, str]] = Counter()
    for row in read_as(store.file(harvest_id, "changes"), _COLUMNS).to_pylist():
        codes = {row["project_code"], row["kpi_code"]}
        if (
            row["cause"] != "parser"
            and (not watch.meanings or row["meaning"] in watch.meanings)
            and (not watch.agencies or row["agency_code"] in watch.agencies)
            and (not watch.codes or codes & set(watch.codes))
        ):
            found[row["meaning"], row["agency_code"] or ""] += 1
    return "; ".join(f"{_counted(number, meaning)}{_place(code)}" for (meaning, code), number in found.most_common())


def _counted(number: int, meaning: str) -> str:
    nouns = _NOUNS.get(meaning, f"changes of kind {meaning}")
    return f"{number:,} {nouns.replace('s ', ' ', 1) if number == 1 else nouns}"


def _place(agency_code: str) -> str:
    return f" in {agency_code} {agency(agency_code).name_th or ''}".rstrip() if agency_code else ""
