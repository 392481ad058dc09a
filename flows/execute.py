"""One harvest in this process, without Prefect: begin, fetch, commit, notify; whatever fails, it ends with an outcome."""

import asyncio
import traceback
from contextlib import suppress
from dataclasses import replace

from flows.notifications import notify_finished
from flows.run_control import HarvestOutcome, RunControl
from pipeline.errors import BmaProgressError, first_line, refused_by_machine
from pipeline.harvest.request import HarvestRequest
from pipeline.harvest.run import HarvestRun
from pipeline.settings import Settings
from pipeline.store.writer import create_store, open_writer


def execute_harvest(request: HarvestRequest, control: RunControl) -> HarvestOutcome:
    """Run a harvest to its end; returns how it ended, whatever failed. control: shows its progress and stops it"""
    settings, _ = request.load()
    if settings.runner != "local":
        raise BmaProgressError("the dask runner needs Prefect; leave out --orchestrator none")
    begun: list[HarvestRun] = []
    try:
        outcome = _execute(request, control, begun)
    except Exception as error:  # noqa: BLE001 - a defect of the program is an outcome too, and is notified
        known = error if isinstance(error, BmaProgressError) else refused_by_machine(error, settings.data)
        defect = f"the harvest failed by a defect of the program ({first_line(error)}); report it with its log in runs/"
        outcome = HarvestOutcome("CouldNotRun", str(known or defect))
    problems = _unread_block(settings) + notify_finished(settings, outcome, begun[0].harvest_id if begun else None)
    return replace(outcome, warnings=tuple(problems))


def _execute(request: HarvestRequest, control: RunControl, begun: list[HarvestRun]) -> HarvestOutcome:
    settings, scope = request.load()
    with open_writer(create_store(settings.data, settings.portal).root) as store:
        run = HarvestRun.begin(settings, store, scope, resume=request.resume)
        begun.append(run)
        try:
            with control.stops(run):
                return _fetch_and_commit(run, control)
        except Exception as error:
            with suppress(OSError):  # the log cannot be written to a full disk either
                trace = None if isinstance(error, BmaProgressError) else traceback.format_exc()
                run.log("failed", reason=str(error) or type(error).__name__, traceback=trace)
            raise
        finally:
            run.close()


def _fetch_and_commit(run: HarvestRun, control: RunControl) -> HarvestOutcome:
    asyncio.run(run.fetch_all(lambda: control.on_progress(run)))
    if run.stop_requested:
        left = run.spool.counts()["pending"]
        return HarvestOutcome("Interrupted", f"stopped with {left:,} pages left; the same command goes on from there")
    result = run.finish()
    if result.published:
        return HarvestOutcome("Completed", f"published {result.harvest_id}", result)
    return HarvestOutcome("HeldBack", str(result.held_back), result)


def _unread_block(settings: Settings) -> list[str]:
    if not settings.notify_webhook_block or settings.notify_webhook:
        return []
    return [
        f"the Prefect block {settings.notify_webhook_block!r} is not read without Prefect; set the environment variable "
        "BMA_PROGRESS_NOTIFY_WEBHOOK"
    ]
