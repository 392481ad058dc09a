"""A harvest's artifacts in Prefect: progress, coverage, changes, and the report. They open in its UI, from anywhere."""

from collections import Counter
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)

from flows.events import Changes
from pipeline.harvest.result import HarvestResult
from pipeline.harvest.run_report import report_text
from pipeline.schema.agencies import agency

_COVERAGE = ("expected", "fetched", "ok", "suspect", "blocked", "failed")
_EXAMPLES = 5


class Progress:
    """The progress artifact of a harvest."""

    def __init__(self) -> None:
        self._id: UUID | None = None

    async def show(self, percent: float) -> None:
        """Show how much of the pages found so far is fetched."""
        if self._id is None:
            self._id = await acreate_progress_artifact(progress=percent, description="pages fetched")
        else:
            await aupdate_progress_artifact(artifact_id=self._id, progress=percent)


async def publish_artifacts(portal: str, result: HarvestResult, changes: Changes | None) -> None:
    """Make the artifacts of a committed harvest; they hold nothing of a contact line."""
    rows: list[dict[str, Any]] = [
        {
            "kind": group.kind,
            "agency_code": group.agency_code,
            "agency": agency(group.agency_code).name_th or "",
            **{name: getattr(group, name) for name in _COVERAGE},
        }
        for group in result.coverage
        if group.expected or group.ok or group.failed
    ]
    await acreate_table_artifact(table=rows, key="coverage", description=f"Coverage of {result.harvest_id}")
    if changes:
        table = changes.by_meaning if result.published else [*lost_rows(result), *changes.by_meaning]
        about = f"Changes from {changes.before} to {result.harvest_id}"
        await acreate_table_artifact(table=table, key="changes", description=about)
        await acreate_markdown_artifact(markdown=changes.markdown, key="changes-page", description=about)
    text = f"```\n{report_text(result, portal)}```\n"
    await acreate_markdown_artifact(markdown=text, key="report", description=f"Report of {result.harvest_id}")


def lost_rows(result: HarvestResult) -> list[dict[str, Any]]:
    """What a held-back harvest lost against the published one: pages that were expected and did not come, by what came."""
    lost: dict[str, Counter[str]] = {}
    for group in result.coverage:
        came = {name: getattr(group, name) for name in ("failed", "blocked", "suspect")}
        gone = group.expected - group.ok - sum(came.values())
        for name, count in {**came, "gone": gone}.items():
            if group.expected and count > 0:
                lost.setdefault(name, Counter())[group.agency_code] += count
    return [
        {
            "meaning": f"lost: {name}",
            "differences": counts.total(),
            "records": counts.total(),
            "such as": ", ".join(agency(code).name_th or code for code, _ in counts.most_common(_EXAMPLES)),
        }
        for name, counts in lost.items()
    ]
