"""Flow runs on Prefect's server: names them, and marks those that a kill left behind. Imports Prefect."""

import hashlib
from datetime import UTC, datetime
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.runtime import deployment, flow_run
from prefect.states import Crashed

from flows.events import Begun
from pipeline.store.archive import Archive
from pipeline.store.layout import harvest_start


async def show_begun(begun: Begun) -> None:
    """Name this flow run by portal and harvest, and mark runs of its store that a kill left Running as crashed.

    This harvest holds the store's lock, so none of them lives.
    """
    tag = "store-" + hashlib.sha256(begun.store.encode()).hexdigest()[:12]
    own = UUID(str(flow_run.id))
    async with get_client() as client:
        name = f"{begun.portal.split('//')[-1]} {begun.harvest_id}"
        await client.update_flow_run(own, name=name, tags={*flow_run.tags, tag})
        running = FlowRunFilter.model_validate(
            {"tags": {"all_": [tag]}, "state": {"type": {"any_": ["RUNNING", "PENDING"]}}}
        )
        for run in await client.read_flow_runs(flow_run_filter=running):
            if run.id != own:
                await client.set_flow_run_state(run.id, Crashed(message="its process was killed"), force=True)


def harvest_since_due(store: Archive) -> str | None:
    """The harvest that has begun since this run of a schedule was due, if one has."""
    ids = store.harvest_ids()
    due = flow_run.scheduled_start_time
    if not ids or not deployment.id or due is None:
        return None
    return ids[-1] if due < harvest_start(ids[-1]) <= datetime.now(UTC) else None
