"""The nightly schedule as a Prefect deployment: one process with server, runner and a check for late harvests."""

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from uuid import UUID

from flows.notifications import notify_late
from flows.prefect_ import environment as prefect_setup
from flows.prefect_.errors import prefect_failures, require_prefect
from flows.prefect_.server import SECRET_FILE, prefect_server
from pipeline.errors import BmaProgressError, SettingsError
from pipeline.harvest.request import HarvestRequest
from pipeline.plain_text import say
from pipeline.settings import PREFIX, Settings
from pipeline.store.archive import Archive
from pipeline.store.layout import harvest_start
from pipeline.store.lock import service_lock
from pipeline.store.writer import create_store

if TYPE_CHECKING:
    from prefect.server.schemas.schedules import CronSchedule

TIMEZONE: Final = "Asia/Bangkok"
_LATE_CHECK: Final = 600.0  # seconds between two checks of whether a harvest is late


def serve(request: HarvestRequest, cron: str, port: int) -> None:
    """Harvest by a schedule until stopped.

    cron: five fields, Bangkok time; port: of the embedded Prefect server, where PREFECT_API_URL names none
    Raises SettingsError for an invalid schedule, StoreBusyError where another process serves the store,
    BmaProgressError where the server does not start.
    """
    require_prefect()
    with _settings_in_environment(request) as own:
        settings, _ = own.load()
        store = create_store(settings.data, settings.portal)
        home = prefect_setup.prepare(settings.data)
        schedule = _schedule(cron)  # an invalid one is refused before the server starts
        with service_lock(store.root), prefect_server(home, port) as address, prefect_failures():
            asyncio.run(_serve(own, schedule, address))
    say("stopped", err=True)


@contextmanager
def _settings_in_environment(request: HarvestRequest) -> Iterator[HarvestRequest]:
    """The request without its settings, which the runs of this service find in their environment: parameters set none."""
    given = request.model_dump(mode="json")["settings"]
    values = {f"{PREFIX}{name.upper()}": value for name, value in given.items()}
    before = {name: os.environ[name] for name in values if name in os.environ}
    os.environ.update({name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()})
    try:
        yield request.model_copy(update={"settings": {}})
    finally:
        for name in values:
            del os.environ[name]
        os.environ.update(before)


def _schedule(cron: str) -> "CronSchedule":
    from prefect.server.schemas.schedules import CronSchedule

    try:
        schedule = CronSchedule(cron=cron, timezone=TIMEZONE)
        ever_due = len(cron.split()) == 5 and asyncio.run(schedule.get_dates(n=1))  # the 31st of February never does
    except ValueError:
        ever_due = False
    if not ever_due:
        raise SettingsError(f"{cron!r} is not a schedule; write five fields such as '0 2 * * *'")
    return schedule


async def _serve(request: HarvestRequest, schedule: "CronSchedule", address: str) -> None:
    # imported here, when Prefect's environment is set
    from prefect.runner import Runner
    from prefect.schedules import Cron
    from prefect.types.entrypoint import EntrypointType

    from flows.harvest import harvest

    settings, _ = request.load()
    name = urlsplit(settings.portal).netloc
    deployment = await harvest.ato_deployment(
        name=name,
        schedule=Cron(schedule.cron, timezone=TIMEZONE),
        parameters={"request": request.model_dump(mode="json")},
        entrypoint_type=EntrypointType.MODULE_PATH,
        description=f"Harvests {settings.portal} into {settings.data}",
    )
    # one harvest at a time: the runner's limit, and the store's own lock against other writers
    runner = Runner(name=name, pause_on_shutdown=False, limit=1)
    deployment_id = await runner.aadd_deployment(deployment)
    say(
        f"serving harvest/{name}: {schedule.cron} ({TIMEZONE}); Prefect's UI: {address.removesuffix('/api')}, "
        f"its secret: {Path(os.environ['PREFECT_HOME']) / SECRET_FILE}",
        err=True,
    )
    (due,) = await schedule.get_dates(n=1)
    say(f"the next harvest of {settings.portal} is due at {due:%Y-%m-%d %H:%M} ({TIMEZONE})")
    await _catch_up(deployment_id, schedule, settings.data)
    async with asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(_watch(settings))
        await runner.start()
        watch.cancel()


async def _watch(settings: Settings) -> None:
    """Notify when the published harvest is too old, whatever the reason."""
    from flows.prefect_.notifications import with_secrets

    while True:
        try:
            with_webhook, problems = await with_secrets(settings)
            for problem in problems + await asyncio.to_thread(notify_late, with_webhook):
                say(f"bma-progress: {problem}", err=True)
        except BmaProgressError as error:  # a damaged store is reported, and does not end the service
            say(f"bma-progress: {error}", err=True)
        await asyncio.sleep(_LATE_CHECK)


async def _catch_up(deployment_id: UUID, schedule: "CronSchedule", data: Path) -> None:
    """Drop the runs that were due while the service was down, and begin one if the last harvest was missed."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId, FlowRunFilter

    now = datetime.now(UTC)
    async with get_client() as client:
        scheduled = FlowRunFilter.model_validate({"state": {"type": {"any_": ["SCHEDULED"]}}})
        mine = DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id]))
        for run in await client.read_flow_runs(flow_run_filter=scheduled, deployment_filter=mine, limit=200):
            if run.expected_start_time and run.expected_start_time < now:
                await client.delete_flow_run(run.id)
        ids = Archive(data).harvest_ids()
        due = await _last_due(schedule, now)
        if ids and due and harvest_start(ids[-1]) < due:
            await client.create_flow_run_from_deployment(deployment_id, name="a missed harvest")
            say(f"the harvest of {due:%Y-%m-%d %H:%M} was missed: harvesting now", err=True)


async def _last_due(schedule: "CronSchedule", now: datetime) -> datetime | None:
    """The last time before now that the schedule names, in the last month."""
    for back in (timedelta(hours=2), timedelta(days=2), timedelta(days=32)):
        dates = await schedule.get_dates(n=5_000, start=now - back, end=now)
        if dates:
            return dates[-1]
    return None
