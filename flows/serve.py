"""The nightly schedule as a Prefect deployment: one process with server, runner and a check for late harvests."""

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pydantic_core import to_jsonable_python

from flows.prefect_ import environment as prefect_setup
from flows.prefect_.errors import prefect_failures, require_prefect
from flows.prefect_.server import SECRET_FILE, prefect_server
from flows.systemd import notify_systemd
from pipeline.errors import SettingsError
from pipeline.harvest.request import HarvestRequest
from pipeline.operate.notify import unencrypted
from pipeline.plain_text import complain, say
from pipeline.settings import PREFIX
from pipeline.store.lock import service_lock
from pipeline.store.writer import create_store

if TYPE_CHECKING:
    from prefect.server.schemas.schedules import CronSchedule

TIMEZONE: Final = "Asia/Bangkok"


def serve(request: HarvestRequest, cron: str, port: int) -> None:
    """Harvest by a schedule until stopped.

    cron: five fields, Bangkok time; port: of the embedded Prefect server, where PREFECT_API_URL names none
    Raises SettingsError for an invalid schedule, StoreBusyError where another process serves the store,
    BmaProgressError where the server does not start.
    """
    require_prefect()
    with _settings_in_environment(request) as own:
        settings, _ = own.load()
        for sentence in unencrypted(settings):
            complain(sentence)
        store = create_store(settings.data, settings.portal)
        home = prefect_setup.prepare(settings.data)
        schedule = _schedule(cron)  # an invalid one is refused before the server starts
        hours = settings.resume_hours or _shortest_interval(schedule) / 2
        lost = threading.Event()
        with (
            _settings_in_environment(HarvestRequest(settings={"resume_hours": hours})),
            service_lock(store.root),
            prefect_server(home, port, lost) as address,
            prefect_failures(),
        ):
            asyncio.run(_serve(own, schedule, address, lost))
    say("stopped", err=True)


@contextmanager
def _settings_in_environment(request: HarvestRequest) -> Iterator[HarvestRequest]:
    """The request without its settings, which the runs of this service find in their environment: parameters set none."""
    given = to_jsonable_python(request.settings)
    values = {f"{PREFIX}{name.upper()}": value for name, value in given.items()}
    before = {name: os.environ[name] for name in values if name in os.environ}
    os.environ.update({name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()})
    try:
        yield replace(request, settings={})
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


async def _serve(request: HarvestRequest, schedule: "CronSchedule", address: str, lost: threading.Event) -> None:
    # imported here, when Prefect's environment is set
    from prefect.runner import Runner
    from prefect.schedules import Cron
    from prefect.types.entrypoint import EntrypointType

    from flows.harvest import harvest
    from flows.supervise import Supervisor

    settings, _ = request.load()
    name = urlsplit(settings.portal).netloc
    deployment = await harvest.ato_deployment(
        name=name,
        schedule=Cron(schedule.cron, timezone=TIMEZONE),
        parameters={"request": to_jsonable_python(request)},
        entrypoint_type=EntrypointType.MODULE_PATH,
        description=f"Harvests {settings.portal} into {settings.data}",
    )
    # one harvest at a time: the runner's limit, and the store's own lock against other writers
    runner = Runner(name=name, pause_on_shutdown=False, limit=1)
    supervisor = Supervisor(settings, schedule, await runner.aadd_deployment(deployment), lost)
    say(
        f"serving harvest/{name}: {schedule.cron} ({TIMEZONE}); Prefect's UI: {address.removesuffix('/api')}, "
        f"its secret: {Path(os.environ['PREFECT_HOME']) / SECRET_FILE}",
        err=True,
    )
    await supervisor.begin()
    notify_systemd("READY=1")
    tasks = [asyncio.create_task(runner.start()), asyncio.create_task(supervisor.watch())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            if not task.done():
                task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for why in ended:
        if isinstance(why, Exception):
            raise why


def _shortest_interval(schedule: "CronSchedule") -> float:
    """The hours between two of the next harvests, where they are fewest."""
    dates = asyncio.run(schedule.get_dates(n=9))
    return min(((later - earlier).total_seconds() / 3600 for earlier, later in pairwise(dates)), default=24.0)
