"""Several portals, or hosts of one, as one Prefect flow of flows, each into its own store."""

import asyncio
from collections import Counter
from typing import Any, cast

from prefect import flow
from prefect.client.schemas.objects import State, StateType

from flows.harvest import Events, follow, followed, harvest, harvests_in_thread
from flows.run_control import HarvestOutcome
from pipeline.harvest.request import HarvestRequest


@flow(name="backfill", validate_parameters=True, persist_result=False)
async def backfill(requests: list[HarvestRequest], hosts_at_once: int = 4) -> State[list[HarvestOutcome]]:
    """Harvest several portals, each as a flow run of its own; see `flows.execute.execute_harvests` for their order.

    The state is Completed when all are published, else a failure named NotAllPublished. The data of the state is a
    HarvestOutcome for each request, in their order.
    """
    if (events := followed()) is not None:
        data = await asyncio.gather(*map(_show, requests, events))
    else:
        async with harvests_in_thread(requests, hosts_at_once) as events:
            data = await asyncio.gather(*map(_show, requests, events))
    counts = Counter(outcome.state for outcome in data)
    if counts["Completed"] == len(data):
        return State(type=StateType.COMPLETED, message=f"{len(data)} published", data=data)
    message = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return State(type=StateType.FAILED, name="NotAllPublished", message=message, data=data)


async def _show(request: HarvestRequest, events: Events) -> HarvestOutcome:
    with follow([events]):
        state: State[Any] = await harvest(request, return_state=True)
    return cast("HarvestOutcome", await state.aresult(raise_on_failure=False))
