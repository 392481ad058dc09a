"""Which pages a harvest requests first."""

import zlib
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from typing import Final

from pipeline.harvest.page_status import PageRow
from pipeline.harvest.portal import LISTS, PageRef, agency_codes, list_ref, start_refs
from pipeline.harvest.result import Scope
from pipeline.harvest.sample import some_lists
from pipeline.schema.codes import KPI_CODE, PROJECT_CODE, agency_of_code, agency_of_page, code_of_page
from pipeline.schema.page_kinds import RECORD_KINDS
from pipeline.settings import Settings
from pipeline.store.archive import Archive
from pipeline.store.layout import harvest_day

_DAYS: Final = 7
"""In so many days a page that the portal never had is requested once, or by the first harvest after them."""


def known_pages(store: Archive) -> dict[str, PageRow]:
    """The pages of the last published harvest, by key, with all hashes."""
    latest = store.latest_id()
    if latest is None:
        return {}
    return {row["page_key"]: row for row in store.state(latest).table("pages").to_pylist()}


def plan(settings: Settings, scope: Scope, known: Mapping[str, PageRow], today: date) -> list[tuple[str, PageRef]]:
    """The pages to begin with, each with its source: `asked`, `start`, `list`, `known` or `probe`.

    known: pages of the last published harvest
    today: the harvest's day in Bangkok; it decides which of the pages that the portal never had are requested
    """
    if scope.pages:
        return [("asked", ref) for ref in scope.pages]
    pages = [] if scope.agencies else [("start", ref) for ref in start_refs(settings.portal)]
    later = not_due(known, today)
    lists = [list_ref(settings.portal, name, code) for code in _agencies(scope, known) for name in LISTS]
    lists = [ref for ref in lists if ref.page_key not in later]
    pages += [("list", ref) for ref in (lists if scope.sample is None else some_lists(lists, scope.sample))]
    indicators = _indicators_named(Archive(settings.data), scope.agencies) if scope.agencies and known else set()
    for key, row in known.items():
        is_further_list = row["kind"] == "result_list" and "?" in key
        if key in later or not (is_further_list or row["kind"] in RECORD_KINDS):
            continue
        if not scope.agencies or agency_of_page(key) in scope.agencies or key in indicators:
            pages.append(("known", PageRef(key, row["kind"], code_of_page(key), row["url"])))
    return [*pages, *(("probe", ref) for ref in scope.probe)]


def _indicators_named(store: Archive, agencies: Collection[str]) -> set[str]:
    """Keys of the indicators that the pages of these agencies' projects name, of whatever agency they are."""
    latest = store.latest_id()
    rows = store.state(latest).table("project_kpis").to_pylist() if latest else []
    return {f"kpi/{row['kpi_code']}" for row in rows if agency_of_code(row["project_code"]) in agencies}


def _agencies(scope: Scope, known: Mapping[str, PageRow]) -> list[str]:
    """The agencies whose lists are requested: the chosen ones; or all that may exist, and those of every code known."""
    if scope.agencies:
        return agency_codes(scope.agencies)
    codes = (code_of_page(key) for key in known)
    named = {agency_of_code(code) for code in codes if PROJECT_CODE.fullmatch(code) or KPI_CODE.fullmatch(code)}
    return sorted({*agency_codes(), *named})


def not_due(known: Mapping[str, PageRow], today: date) -> set[str]:
    """Keys of the pages that are not requested today, since the portal never had them; today: the harvest's day."""
    return {key for key, row in known.items() if _is_not_due(row, today)}


def _is_not_due(row: PageRow, today: date) -> bool:
    """True where a page is not requested today: the portal never had it, and its day of the week has not come since.

    It may have come on a day without a harvest: of a weekly schedule every harvest is on the same day of the week.
    """
    if row["version_harvest_id"] is not None or not row["misses"]:
        return False
    # the harvest that requested it last, or the first one since then that did not; older versions wrote no `outcome_since`
    since = row["harvest_id"] if row["fetched_at"] else row["outcome_since"] or row["harvest_id"]
    days_ago = (today.toordinal() - zlib.crc32(row["page_key"].encode())) % _DAYS
    return today - timedelta(days=days_ago) <= harvest_day(since)
