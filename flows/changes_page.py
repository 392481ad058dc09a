"""The page of all changes of a harvest, in the folder of its run."""

import html
import re
from collections import Counter
from typing import Any

import pyarrow as pa

from flows.events import Changes
from pipeline.compare.classify import MEANINGS, SEVERITIES, severity_of
from pipeline.errors import shortened
from pipeline.harvest.run import HarvestRun
from pipeline.plain_text import printable
from pipeline.store.run_files import CHANGES_PAGE

_EXAMPLES = 5
_SHOWN = 300


def write_changes_page(run: HarvestRun) -> Changes | None:
    """Write the page of what a committed harvest changed, without contact lines; None where none was published before."""
    before = run.store.published_before(run.harvest_id)
    if before is None:
        return None
    # what writes reports takes a third of a second to import, and a first harvest has none
    from pipeline.compare.diff import compare_snapshots
    from pipeline.compare.inputs import StoreSnapshot
    from pipeline.publish.report import report_html

    after = StoreSnapshot(run.store, run.harvest_id)
    comparison = compare_snapshots(StoreSnapshot(run.store, before), after, contacts=False)
    page = run.folder / CHANGES_PAGE
    page.write_text(report_html(comparison), encoding="utf-8")
    counts: Counter[str] = Counter()
    severities: Counter[str] = Counter()
    records: dict[str, dict[str, None]] = {}
    names = ["meaning", "detail", "cause", "project_code", "kpi_code", "agency_code"]
    for row in comparison.changes.select(names).to_pylist():
        counts[row["meaning"]] += 1
        severities[severity_of(row["meaning"], row["detail"], row["cause"])] += 1
        code = row["project_code"] or row["kpi_code"] or row["agency_code"]
        records.setdefault(row["meaning"], {})[code] = None
    by_meaning: list[dict[str, Any]] = [
        {
            "meaning": meaning,
            "differences": counts[meaning],
            "records": len(records[meaning]),
            "such as": ", ".join(sorted(filter(None, records[meaning]))[:_EXAMPLES]),
        }
        for meaning in MEANINGS
        if counts[meaning]
    ]
    none = {"meaning": "none", "differences": 0, "records": 0, "such as": ""}
    by_severity = {severity: severities[severity] for severity in SEVERITIES if severities[severity]}
    return Changes(before, by_meaning or [none], by_severity, str(page.resolve()), _markdown(comparison.changes))


def _markdown(changes: pa.Table) -> str:
    """The most severe changes as a table in Markdown; what the portal prints stays text."""
    lines = ["| meaning | record | where | before | after |", "|---|---|---|---|---|"]
    for row in changes.slice(0, _SHOWN).to_pylist():
        code = row["project_code"] or row["kpi_code"] or row["agency_code"]
        where = " ".join(filter(None, (row["table"], row["column"])))
        lines.append("| " + " | ".join(map(_cell, (row["meaning"], code, where, row["before"], row["after"]))) + " |")
    left = len(changes) - _SHOWN
    return "\n".join([*lines, *([f"\n… and {left:,} more in {CHANGES_PAGE}"] if left > 0 else [])])


def _cell(value: Any) -> str:
    text = shortened(printable(" ".join(str("" if value is None else value).split())))
    return re.sub(r"([\\`*_{}\[\]()#+!|~-])", r"\\\1", html.escape(text))
