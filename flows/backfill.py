"""Several portals, or hosts of one, as one Prefect flow of flows, each into its own store."""

import asyncio
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from prefect import flow
from prefect.client.schemas.objects import State, StateType
from prefect.states import Completed

from flows.harvest import harvest
from pipeline.harvest.request import HarvestRequest


@flow(name="backfill", validate_parameters=True, persist_result=False)
async def backfill(requests: list[HarvestRequest], hosts_at_once: int = 4) -> State[Any]:
    """Harvest several portals. Those of one host go one after another, so that it sees one rate; hosts side by side.

    Ends Completed when all are published, else in a failure of its own name, NotAllPublished. One that fails stops none
    of the others; each is its own flow run.
    """
    slots = asyncio.Semaphore(hosts_at_once)

    async def visit(same_host: list[HarvestRequest]) -> list[State[Any]]:
        async with slots:
            return [await harvest(request, return_state=True) for request in same_host]

    by_host: dict[str, list[HarvestRequest]] = {}
    for request in requests:
        by_host.setdefault(urlsplit(request.load()[0].portal).netloc, []).append(request)
    ended = await asyncio.gather(*map(visit, by_host.values()))
    return _summary(state for states in ended for state in states)


def _summary(states: Iterable[State[Any]]) -> State[Any]:
    names = [state.name for state in states]
    if all(name == "Completed" for name in names):
        return Completed(message=f"{len(names)} published")
    told = ", ".join(f"{names.count(name)} {name}" for name in sorted({str(name) for name in names}))
    return State(type=StateType.FAILED, name="NotAllPublished", message=told)
