"""The sweep: addresses with serials are asked for one after the other, over many nights, where nothing links to pages.

How far it is stands in the manifest of each published harvest, so no serial is asked for twice in a round. A serial
that has no page leaves no row in `pages`.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from pipeline.errors import SettingsError
from pipeline.harvest.checks import Coverage
from pipeline.harvest.portal import PageRef, city_indicator_ref, project_ref
from pipeline.harvest.result import Scope
from pipeline.schema.codes import full_agency_code
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.store.archive import Archive

Progress = dict[str, dict[str, Any]]
"""Range → `next`, the serial to go on with, and `began`, the day on which its round began."""

_RANGE: Final = re.compile(r"(city|[0-9]{8}|[0-9]{4}):([0-9]{1,4})-([0-9]{1,4})", re.ASCII)
_DAY: Final = 86_400  # seconds
_ROUND: Final = timedelta(
    days=90
)  # from the start of a round to the next: projects of a new year are entered over months


@dataclass(frozen=True, slots=True)
class Range:
    """The serials of an agency's projects, or the numbers of the city's indicators (agency_code None)."""

    agency_code: str | None
    first: int
    last: int

    @property
    def name(self) -> str:
        """The usual way to write it."""
        return f"{self.agency_code or 'city'}:{self.first}-{self.last}"

    def ref(self, portal: str, serial: int) -> PageRef:
        """The page of one serial."""
        if self.agency_code is None:
            return city_indicator_ref(portal, str(serial))
        return project_ref(portal, f"{self.agency_code}-{serial:04d}")


def read_range(text: str) -> Range:
    """A range such as `50010000:1-7200` or `city:1-300`. Raises SettingsError."""
    found = _RANGE.fullmatch(text.strip())
    if found and 1 <= int(found[2]) <= int(found[3]):
        agency = None if found[1] == "city" else full_agency_code(found[1])
        return Range(agency, int(found[2]), int(found[3]))
    raise SettingsError(
        f"{text!r} is no sweep; write an agency's code and two serials such as 50010000:1-7200, or city:1-300 for the city's "
        "indicators"
    )


def sweep_progress(store: "Archive") -> Progress:
    """How far the sweep is, by the last published harvest that had one."""
    for id_ in reversed(store.harvest_ids(published_only=True)):
        if progress := store.manifest(id_)["report"].get("sweep"):
            return dict(progress)
    return {}


def planned_sweep(
    settings: Settings, scope: Scope, store: "Archive | None", known: Iterable[str], today: date
) -> tuple[list[PageRef], Progress]:
    """The sweep's pages of a harvest, and how far the sweep then is; none where certain pages are asked for.

    store: None where there is none yet; known: keys of pages that are asked for anyway; today: the harvest's day in Bangkok
    """
    if not settings.sweep or scope.pages or scope.sample:
        return [], {}
    return sweep_of_night(settings, sweep_progress(store) if store else {}, known, today)


def sweep_of_night(
    settings: Settings, progress: Progress, known: Iterable[str], today: date
) -> tuple[list[PageRef], Progress]:
    """The pages that the sweep asks for tonight, and how far it then is.

    They take `sweep_share` of the requests that a day has at the set rate. known: keys of pages that are asked for anyway
    """
    left = int(settings.sweep_share * settings.rate * _DAY)
    known = set(known)
    refs: list[PageRef] = []
    after: Progress = {}
    for one in map(read_range, settings.sweep):
        state = progress.get(one.name, {"next": one.first, "began": today.isoformat()})
        serial, began = int(state["next"]), date.fromisoformat(state["began"])
        if serial > one.last and today - began >= _ROUND:
            serial, began = one.first, today
        while serial <= one.last and left > 0:
            ref = one.ref(settings.portal, serial)
            if ref.page_key not in known:
                refs.append(ref)
                left -= 1
            serial += 1
        after[one.name] = {"next": serial, "began": began.isoformat()}
    return refs, {**progress, **after}


def sweep_remarks(settings: Settings, progress: Progress, groups: Iterable[Coverage]) -> list[str]:
    """How far the sweep is; where there is none and lists lead to few projects, the offer of one.

    progress: after this harvest; groups: its coverage
    """
    remarks = []
    for one in map(read_range, settings.sweep):
        serial = progress.get(one.name, {}).get("next", one.first)
        message = (
            f"The sweep of {one.name} is done."
            if serial > one.last
            else f"The sweep of {one.name} goes on at {serial:,}."
        )
        remarks.append(message)
    seen: Counter[str] = Counter()
    for group in groups:
        not_read = (
            0 if group.kind == "result_list" else group.blocked + group.failed + group.skipped
        )  # there all the same
        seen[group.kind] += group.ok + group.suspect + not_read
    projects = seen["project"] + seen["yii_project"]
    if projects < seen["result_list"] and not settings.sweep:
        message = (
            f"{seen['result_list']:,} lists lead to {projects:,} projects only. A sweep asks for serials over many nights, such "
            "as --sweep 50010000:1-7200 (setting sweep)."
        )
        remarks.append(message)
    return remarks
