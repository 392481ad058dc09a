"""One harvest without Prefect, as tests make it."""

from pathlib import Path

from support.faulty_portal import FaultyPortal

from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.result import HarvestResult, Scope
from pipeline.harvest.run import HarvestRun, run_harvest
from pipeline.settings import load_settings
from pipeline.store.writer import create_store, open_writer


def harvest(
    portal: DemoPortal | FaultyPortal, data: Path, scope: Scope | None = None, **settings: object
) -> HarvestResult:
    chosen = load_settings(**{"portal": portal.url, "data": data, "rate": 1000, "retries": 0, "backoff": 0, **settings})
    store = create_store(data, portal.url)
    with open_writer(store.root) as store:
        run = HarvestRun.begin(chosen, store, scope or Scope())
        try:
            result = run_harvest(run)
        finally:
            run.close()
    assert result is not None
    return result
