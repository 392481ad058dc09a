"""A harvest's artifacts in Prefect: coverage, changes, and the report, with a link to the page of changes."""

from collections import Counter
from pathlib import Path
from typing import Any

from prefect.artifacts import acreate_link_artifact, acreate_markdown_artifact, acreate_table_artifact

from pipeline.compare.classify import MEANINGS
from pipeline.compare.diff import compare_snapshots
from pipeline.compare.inputs import StoreSnapshot
from pipeline.harvest.result import HarvestResult
from pipeline.harvest.run import HarvestRun
from pipeline.harvest.run_report import report_text
from pipeline.publish.report import CHANGES_PAGE, report_html
from pipeline.store.archive import Archive

_COVERAGE = ("kind", "agency_code", "expected", "fetched", "ok", "suspect", "blocked", "failed")
_EXAMPLES = 5


async def publish_artifacts(run: HarvestRun, result: HarvestResult) -> None:
    """Make the artifacts of a committed harvest; they hold nothing of a contact line."""
    rows = [
        {name: getattr(group, name) for name in _COVERAGE}
        for group in result.coverage
        if group.expected or group.ok or group.failed
    ]
    await acreate_table_artifact(table=rows, key="coverage", description=f"Coverage of {result.harvest_id}")
    page = None
    before = run.store.published_before(result.harvest_id)
    if before is not None:
        counts, page = _changes(run.store, before, result.harvest_id, run.folder)
        await acreate_table_artifact(
            table=counts, key="changes", description=f"Changes from {before} to {result.harvest_id}"
        )
        await acreate_link_artifact(
            link=page.resolve().as_uri(), link_text=str(page.resolve()), key="changes-page", description="Every change"
        )
    text = f"```\n{report_text(result, run.settings.portal)}```\n"
    if page is not None:
        text = f"Every change, with the words that changed: [{page.resolve()}]({page.resolve().as_uri()})\n\n{text}"
    await acreate_markdown_artifact(markdown=text, key="report", description=f"Report of {result.harvest_id}")


def _changes(store: Archive, before: str, after: str, folder: Path) -> tuple[list[dict[str, Any]], Path]:
    """Counts by meaning with some records as examples, and the page with all of them."""
    comparison = compare_snapshots(StoreSnapshot(store, before), StoreSnapshot(store, after), contacts=False)
    page = folder / CHANGES_PAGE
    page.write_text(report_html(comparison), encoding="utf-8")
    counts: Counter[str] = Counter()
    records: dict[str, dict[str, None]] = {}
    for row in comparison.changes.select(["meaning", "project_code", "kpi_code", "agency_code"]).to_pylist():
        counts[row["meaning"]] += 1
        code = row["project_code"] or row["kpi_code"] or row["agency_code"]
        records.setdefault(row["meaning"], {})[code] = None
    table = [
        {
            "meaning": meaning,
            "differences": counts[meaning],
            "records": len(records[meaning]),
            "such as": ", ".join(sorted(filter(None, records[meaning]))[:_EXAMPLES]),
        }
        for meaning in MEANINGS
        if counts[meaning]
    ]
    return table or [{"meaning": "none", "differences": 0, "records": 0, "such as": ""}], page
