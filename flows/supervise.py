"""Supervises a service: makes up for missed harvests, begins killed ones again, notifies of late ones."""

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from flows.notifications import notify_changes, notify_killed, notify_late
from flows.prefect_.errors import PrefectFailedError
from flows.prefect_.flow_runs import begin_harvest, drop_overdue
from flows.prefect_.secret_blocks import with_secrets
from flows.systemd import notify_systemd
from pipeline.errors import BmaProgressError, first_line
from pipeline.harvest.due import answered_until
from pipeline.harvest.old_runs import is_too_old
from pipeline.harvest.result import Scope
from pipeline.harvest.run_folder import is_of_scope, killed_run, unfinished_run
from pipeline.plain_text import complain, say
from pipeline.settings import Settings
from pipeline.store.archive import Archive
from pipeline.store.lock import is_locked
from pipeline.store.run_log import mark_killed, times_killed

if TYPE_CHECKING:
    from prefect.server.schemas.schedules import CronSchedule

_CHECK: Final = 5.0  # seconds between two looks at the harvest and the server
_LATE_CHECK: Final = 600.0  # seconds between two checks of whether a harvest is late
_BEGUN_AGAIN: Final = 2  # times that a killed harvest is begun again


class Supervisor:
    """Supervises one store. deployment_id: what harvests it; lost: is set when Prefect's server cannot be restarted"""

    def __init__(
        self, settings: Settings, schedule: "CronSchedule", deployment_id: UUID, lost: threading.Event
    ) -> None:
        self._settings = settings
        self._scope = Scope.of_settings(settings)
        self._store = Archive(settings.data)
        self._schedule = schedule
        self._deployment_id = deployment_id
        self._lost = lost
        self._said = ""

    async def begin(self) -> None:
        """Say how the newest harvest ended and when the next is due; drop runs that were due meanwhile, and make up for them."""
        zone = self._schedule.timezone
        if ids := self._store.harvest_ids():  # its process may have ended it after the service was killed
            newest = self._store.manifest(ids[-1])
            how = "published" if newest["published"] else f"HELD BACK ({newest['held_back']})"
            say(f"the newest harvest of {self._settings.portal} is {ids[-1]}: {how}")
        (upcoming,) = await self._schedule.get_dates(n=1)
        say(f"the next harvest of {self._settings.portal} is due at {upcoming:%Y-%m-%d %H:%M} ({zone})")
        await drop_overdue(self._deployment_id)
        if await self._begin_killed():
            return
        due, answered = await self._last_due(), answered_until(self._store)
        if due is None or (answered and answered >= due) or is_locked(self._store.root):
            return
        if answered or unfinished_run(self._store):
            await begin_harvest(self._deployment_id, "a missed harvest", due)
            say(f"the harvest of {due:%Y-%m-%d %H:%M} ({zone}) was missed: harvesting now")

    async def watch(self) -> None:
        """Look after the harvests until cancelled. Raises PrefectFailedError where Prefect's server is lost."""
        checked = -_LATE_CHECK
        while True:
            if self._lost.is_set():
                raise PrefectFailedError(
                    "Prefect's server has ended and cannot be started again; server.log in its home says why"
                )
            try:
                await self._begin_killed()
                if time.monotonic() - checked >= _LATE_CHECK:
                    checked = time.monotonic()
                    settings, problems = await with_secrets(self._settings)
                    for notify in (notify_late, notify_changes):
                        problems += await asyncio.to_thread(notify, settings)
                    self._say(*problems)
            except Exception as error:  # noqa: BLE001 - a damaged store, a server that restarts: said, and looked at again
                self._say(str(error) if isinstance(error, BmaProgressError) else first_line(error))
            notify_systemd("WATCHDOG=1")
            await asyncio.sleep(_CHECK)

    async def _begin_killed(self) -> bool:
        """Begin a harvest again whose process was killed, and notify; True where one was begun."""
        folder = await asyncio.to_thread(killed_run, self._store)
        if folder is None:
            return False
        due = await self._last_due()
        again = due is not None and times_killed(folder) < _BEGUN_AGAIN and not is_too_old(folder.name, self._settings)
        again = again and is_of_scope(folder, self._scope.fingerprint)  # else somebody's own try, by day
        then = "it goes on from where it was" if again else "it is not begun again before the next one is due"
        reason = f"its process was killed; see whether memory is short: {then}"
        if again and due:
            await begin_harvest(self._deployment_id, "a killed harvest", due)
        mark_killed(folder, reason)
        say(f"harvest {folder.name} of {self._settings.portal}: failed: {reason}")
        settings, problems = await with_secrets(self._settings)
        self._say(*problems, *await asyncio.to_thread(notify_killed, settings, folder.name, reason))
        return again

    async def _last_due(self) -> datetime | None:
        """The last time before now that the schedule names, in the last month."""
        now = datetime.now(UTC)
        for back in (timedelta(hours=2), timedelta(days=2), timedelta(days=32)):
            dates = await self._schedule.get_dates(n=5_000, start=now - back, end=now)
            if dates:
                return dates[-1]
        return None

    def _say(self, *problems: str) -> None:
        for problem in problems:
            if problem != self._said:  # not every five seconds
                complain(problem)
            self._said = problem
