"""A harvest's artifacts in Prefect: progress, coverage, changes, and the report, with a link to the page of changes."""

from pathlib import Path
from uuid import UUID

from prefect.artifacts import (
    acreate_link_artifact,
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)

from flows.events import Changes
from pipeline.harvest.result import HarvestResult
from pipeline.harvest.run_report import report_text

_COVERAGE = ("kind", "agency_code", "expected", "fetched", "ok", "suspect", "blocked", "failed")


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
    rows = [
        {name: getattr(group, name) for name in _COVERAGE}
        for group in result.coverage
        if group.expected or group.ok or group.failed
    ]
    await acreate_table_artifact(table=rows, key="coverage", description=f"Coverage of {result.harvest_id}")
    text = f"```\n{report_text(result, portal)}```\n"
    if changes:
        await acreate_table_artifact(
            table=changes.by_meaning,
            key="changes",
            description=f"Changes from {changes.before} to {result.harvest_id}",
        )
        address = Path(changes.page).as_uri()
        await acreate_link_artifact(
            link=address, link_text=changes.page, key="changes-page", description="Every change"
        )
        text = f"Every change, with the words that changed: [{changes.page}]({address})\n\n{text}"
    await acreate_markdown_artifact(markdown=text, key="report", description=f"Report of {result.harvest_id}")
