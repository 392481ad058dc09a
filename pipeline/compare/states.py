"""Compare two states of one store, reading only the codes whose pages differ."""

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from parsers.thai import BANGKOK
from pipeline.compare.changes import SCHEMA, mark_no_proof
from pipeline.compare.compare import compare
from pipeline.compare.printed_order import PrintedOrder
from pipeline.schema.codes import code_of_page
from pipeline.schema.columns import schema_version
from pipeline.store.layout import harvest_day
from pipeline.store.parquet_files import missing_columns
from pipeline.store.state import FAMILIES, Family, LivePage, State, versions

_BLOCK = 1_000  # codes compared at once


def compare_states(
    before: State, after: State, *, gone_before: frozenset[str] = frozenset(), cause: str = "portal"
) -> pa.Table:
    """The changes between two states of one store, as a table of `pipeline.compare.changes.SCHEMA`.

    gone_before: codes that had ended by `before`: in `after` they are back, not new
    cause: the cause of `after` where it is not committed yet
    """
    parts = []
    moved: set[str] = set()
    joined: set[str] = set()
    for owner, names in FAMILIES.items():
        old, new = before.family(owner), after.family(owner)
        codes = [code for code in sorted(old.keys() | new.keys()) if versions(old.get(code)) != versions(new.get(code))]
        both = old.keys() & new.keys()
        moved |= {code for code in both if _leading(old[code]) != _leading(new[code])}
        joined |= {code for code in both if len(old[code]) != len(new[code])}
        causes = {code: _cause(before, after, old.get(code, ()), new.get(code, ()), cause) for code in codes}
        unknown = {code: unknown_columns(before, names, old.get(code, ())) for code in codes}
        groups = {code: (causes[code], *sorted(unknown[code])) for code in codes}
        # of fewer codes nobody can say that the whole portal did something
        order = PrintedOrder(whole=2 * len(codes) > len(new))
        checked_on = _checked_days(before, {code: old[code] for code in codes if code in old})
        codes.sort(key=lambda code: (groups[code], code))
        for _, block in groupby(enumerate(codes), key=lambda item: (groups[item[1]], item[0] // _BLOCK)):
            chosen = [code for _, code in block]
            parts.append(
                compare(
                    before.facts(owner, names, chosen),
                    after.facts(owner, names, chosen),
                    known_earlier=gone_before,
                    cause=causes[chosen[0]],
                    seen_on=harvest_day(before.harvest_id),
                    checked_on=checked_on,
                    order=order,
                    not_compared=unknown[chosen[0]],
                )
            )
    changes = pa.concat_tables(parts) if parts else SCHEMA.empty_table()
    changes = mark_no_proof(changes, moved, "another_page")
    changes = mark_no_proof(changes, joined, "another_page", filled_only=True)
    return mark_no_proof(changes, _suspect_codes(before) | _suspect_codes(after), "suspect_page")


def _leading(pages: Sequence[LivePage]) -> str:
    """The kind of the page that a record is read from: of a project's two pages the mobile one."""
    return pages[0].page_key.partition("/")[0]


def _suspect_codes(state: State) -> frozenset[str]:
    """The codes of records in force whose version came from a suspect page."""
    suspect = state.live.filter(pc.equal(state.live["version_verdict"], "suspect"))
    return frozenset(code_of_page(key) for key in suspect["page_key"].to_pylist())


def _checked_days(state: State, pages: Family) -> dict[str, date]:
    """The day on which each code's page was last read, in Bangkok: until then its version stood."""
    instants = (
        state.live["checked_at"].take(pa.array([found[0].row for found in pages.values()], pa.int64())).to_pylist()
    )
    return {code: instant.astimezone(BANGKOK).date() for code, instant in zip(pages, instants, strict=True) if instant}


def unknown_columns(state: State, names: Sequence[str], pages: Sequence[LivePage]) -> frozenset[tuple[str, str]]:
    """Tables and columns that a version of these pages was written without: the parser of then did not read them."""
    return frozenset(
        place
        for id_ in {page.version_harvest_id for page in pages}
        if state.harvests.manifest(id_).get("schema_version") != schema_version()
        for name in names
        if (file := state.harvests.file(id_, name)) is not None
        for place in missing_columns(file, name)
    )


def _cause(
    before: State, after: State, old: Sequence[LivePage], new: Sequence[LivePage], cause_of_after: str
) -> Literal["parser", "portal"]:
    """`parser` where every new version of a code's pages comes from parsing the same bytes again."""
    known = {page.page_key: page.version_harvest_id for page in old}
    if known.keys() != {page.page_key for page in new}:
        return "portal"
    for page in new:
        version = page.version_harvest_id
        while version != known[page.page_key]:
            committed = after.is_committed or version != after.harvest_id
            if (after.harvests.manifest(version)["cause"] if committed else cause_of_after) != "parser":
                return "portal"
            earlier = after.harvests.published_before(version) if committed else before.harvest_id
            found = after.harvests.version_in(earlier, page.page_key) if earlier else None
            if found is None:
                return "portal"
            version = found
    return "parser"
