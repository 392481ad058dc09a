"""One harvest without Prefect, as tests make it."""

from pathlib import Path

from pipeline.harvest.demo_portal import DemoPortal
from pipeline.harvest.run import HarvestResult, HarvestRun, Scope, run_harvest
from pipeline.settings import load_settings
from pipeline.store.archive import Store


def harvest(portal: DemoPortal, data: Path, scope: Scope | None = None, **settings: object) -> HarvestResult:
    chosen = load_settings(**{"portal": portal.url, "data": data, "rate": 1000, "retries": 0, "backoff": 0, **settings})
    store = Store.create(data, portal.url)
    with store.writer():
        night = HarvestRun.begin(chosen, store, scope or Scope())
        try:
            result = run_harvest(night)
        finally:
            night.close()
    assert result is not None
    return result
