"""Which pages a harvest requests first."""

from collections.abc import Iterator, Mapping
from typing import Final

from pipeline.harvest.checks import agency_of
from pipeline.harvest.page_status import PageRow
from pipeline.harvest.portal import LISTS, PageRef, agency_codes, list_ref, start_ref
from pipeline.harvest.result import Scope
from pipeline.schema.codes import code_of_page
from pipeline.settings import Settings
from pipeline.store.archive import Archive
from pipeline.store.state import State

RECORD_KINDS: Final = ("project", "kpi", "yii_project")
"""The kinds of pages that hold a record, and are requested again in every harvest."""


def known_pages(store: Archive) -> dict[str, PageRow]:
    """The pages of the last published harvest, by key, with all hashes."""
    latest = store.latest_id()
    if latest is None:
        return {}
    return {row["page_key"]: row for row in State(store, latest).table("pages").to_pylist()}


def plan(settings: Settings, scope: Scope, known: Mapping[str, PageRow] | None = None) -> Iterator[tuple[str, PageRef]]:
    """The pages to begin with, each with how it was found: what was asked for, or the lists, known pages, a probe.

    known: pages of the last published harvest; read from the store where not given
    """
    if scope.pages:
        yield from (("asked", ref) for ref in scope.pages)
        return
    if known is None:
        known = known_pages(Archive(settings.data)) if (settings.data / "store.json").exists() else {}
    if not scope.agencies:
        yield "start", start_ref(settings.portal)
    for code in agency_codes(scope.agencies):
        yield from (("list", list_ref(settings.portal, name, code)) for name in LISTS)
    for key, row in known.items():
        if row["kind"] in RECORD_KINDS and (not scope.agencies or agency_of(row) in scope.agencies):
            yield "known", PageRef(key, row["kind"], code_of_page(key), row["url"])
    yield from (("probe", ref) for ref in scope.probe)
