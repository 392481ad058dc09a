"""Several portals, or hosts of one, as one Prefect flow of flows, each into its own store."""

import asyncio
from collections import Counter
from urllib.parse import urlsplit

from prefect import flow
from prefect.client.schemas.objects import State, StateType

from flows.harvest import harvest_outcome
from flows.run_control import HarvestOutcome, active_control
from pipeline.harvest.request import HarvestRequest


@flow(name="backfill", validate_parameters=True, persist_result=False)
async def backfill(requests: list[HarvestRequest], hosts_at_once: int = 4) -> State[list[HarvestOutcome]]:
    """Harvest several portals. Those of one host go one after another, so that it sees one rate; hosts side by side.

    The state is Completed when all are published, else a failure named NotAllPublished. One that fails stops none of the
    others; each is its own flow run. The data of the state is a HarvestOutcome for each request, in their order.
    """
    control = active_control()
    slots = asyncio.Semaphore(hosts_at_once)
    outcomes: dict[int, HarvestOutcome] = {}

    async def harvest_host(numbers: list[int]) -> None:
        async with slots:
            for number in numbers:
                if control.stop_requested:
                    outcomes[number] = HarvestOutcome("Interrupted", "not begun, because a stop was requested")
                else:
                    outcomes[number] = await harvest_outcome(requests[number])

    by_host: dict[str, list[int]] = {}
    for number, request in enumerate(requests):
        by_host.setdefault(urlsplit(request.load()[0].portal).netloc, []).append(number)
    with control.active():
        await asyncio.gather(*map(harvest_host, by_host.values()))
    data = [outcomes[number] for number in range(len(requests))]
    counts = Counter(outcome.state for outcome in data)
    if counts["Completed"] == len(data):
        return State(type=StateType.COMPLETED, message=f"{len(data)} published", data=data)
    message = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return State(type=StateType.FAILED, name="NotAllPublished", message=message, data=data)
