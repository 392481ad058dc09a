"""Flow runs on Prefect's server: names them, and marks those that a kill left behind. Imports Prefect."""

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas import State
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId, FlowRunFilter
from prefect.runtime import deployment, flow_run
from prefect.states import Crashed, Scheduled

from flows.events import Begun

if TYPE_CHECKING:
    from pipeline.store.archive import Archive


async def drop_overdue(deployment_id: UUID) -> None:
    """Delete the scheduled runs of a deployment that were due before now."""
    async with get_client() as client:
        scheduled = FlowRunFilter.model_validate({"state": {"type": {"any_": ["SCHEDULED"]}}})
        mine = DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id]))
        for run in await client.read_flow_runs(flow_run_filter=scheduled, deployment_filter=mine, limit=200):
            if run.expected_start_time and run.expected_start_time < datetime.now(UTC):
                await client.delete_flow_run(run.id)


async def begin_harvest(deployment_id: UUID, name: str, due: datetime) -> None:
    """Have a deployment harvest now. due: the time of its schedule that this answers"""
    async with get_client() as client:
        state: State[Any] = Scheduled(scheduled_time=due)
        await client.create_flow_run_from_deployment(deployment_id, name=name, state=state)


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


def due_time() -> datetime | None:
    """When this run of a schedule was due; None where no schedule began it."""
    return flow_run.scheduled_start_time if deployment.id else None


def harvest_since_due(store: "Archive") -> str | None:
    """The harvest that answers the time at which this run of a schedule was due, if one does."""
    from pipeline.harvest.due import answered_until

    due = due_time()
    answered = answered_until(store)
    return store.harvest_ids()[-1] if due and answered and answered >= due else None
