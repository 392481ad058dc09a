"""Find the records that kept everything they say and got another code: one change, not a record gone and a new one."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.compare.changes import Difference, changes_table
from pipeline.compare.classify import Meaning
from pipeline.compare.state_pair import RECORD_OWNERS
from pipeline.schema.codes import agency_of_code
from pipeline.store.state import FAMILIES

Facts = Callable[[str, Sequence[str], Sequence[str]], Mapping[str, pa.Table]]
"""A key column of records, names of tables, codes → the facts of these records; tables that the state lacks left out."""

_NAMES: Final = {"project_code": ("name", "fiscal_year_be"), "kpi_code": ("name", "unit")}
"""Key column of records → what two of them must have, and have in common, before all their facts are read."""


def with_recoded(changes: pa.Table, before: Facts, after: Facts) -> pa.Table:
    """The changes between two states, with one row for each project and indicator that has another code, and the same facts.

    Only where, of the records of an agency that are gone, new or have another name, exactly one each has these facts. So
    two records that exchanged their codes are two rows.
    """
    for owner in _NAMES:
        if codes := _recoded(changes, owner, before, after):
            changes = _as_one_row(changes, owner, codes)
    return changes


def _recoded(changes: pa.Table, owner: str, before: Facts, after: Facts) -> dict[str, str]:
    """Earlier code → later code."""
    renamed = _codes(changes, owner, "column", "name")  # in both states: perhaps the name of another record now
    gone, come = ([*_codes(changes, owner, "meaning", one), *renamed] for one in ("project_gone", "project_new"))
    old: dict[Hashable, list[str]] = {}
    new: dict[Hashable, list[str]] = {}
    for read in (_names, _all_facts):  # few have a name in common: only of these all facts are read
        if not gone or not come:
            return {}
        old, new = read(before, owner, gone), read(after, owner, come)
        gone, come = ([code for value in old.keys() & new.keys() for code in found[value]] for found in (old, new))
    pairs = {
        old[facts][0]: new[facts][0] for facts in old.keys() & new.keys() if len(old[facts]) == len(new[facts]) == 1
    }
    return _only_complete(pairs, frozenset(renamed))


def _codes(changes: pa.Table, owner: str, column: str, value: str) -> list[str]:
    """The codes of the records whose own row has a change with this value."""
    chosen = pc.and_(pc.equal(changes[column], value), pc.equal(changes["table"], RECORD_OWNERS[owner]))
    codes: list[str] = changes.filter(chosen)[owner].to_pylist()
    return codes


def _only_complete(pairs: dict[str, str], renamed: frozenset[str]) -> dict[str, str]:
    """The pairs, earlier code → later code, that leave no record out.

    renamed: codes under which both states have a record. Of such a code, a pair must say where its earlier record is, and
    another whose record is there now.
    """
    while True:
        later = frozenset(pairs.values())
        kept = {
            old: new
            for old, new in pairs.items()
            if (old not in renamed or old in later) and (new not in renamed or new in pairs)
        }
        if len(kept) == len(pairs):
            return pairs
        pairs = kept


def _names(facts: Facts, owner: str, codes: Sequence[str]) -> dict[Hashable, list[str]]:
    """Agency and name of the records → their codes."""
    table = RECORD_OWNERS[owner]
    rows = facts(owner, [table], codes)[table].select([owner, *_NAMES[owner]]).to_pylist()
    found: dict[Hashable, list[str]] = {}
    for code, *values in (row.values() for row in rows):
        if None not in values:
            found.setdefault((agency_of_code(code), *values), []).append(code)
    return found


def _all_facts(facts: Facts, owner: str, codes: Sequence[str]) -> dict[Hashable, list[str]]:
    """The rows of the records in all tables, without their codes → their codes."""
    rows: dict[str, set[tuple[Any, ...]]] = {code: set() for code in codes}
    for name, table in facts(owner, FAMILIES[owner], codes).items():
        others = [column for column in table.column_names if column != owner]
        for code, *values in zip(*(table[column].to_pylist() for column in (owner, *others)), strict=True):
            rows[code].add((name, *values))
    found: dict[Hashable, list[str]] = {}
    for code in codes:
        found.setdefault((agency_of_code(code), frozenset(rows[code])), []).append(code)
    return found


def _as_one_row(changes: pa.Table, owner: str, codes: Mapping[str, str]) -> pa.Table:
    """The changes with one row for each record, in the place of the rows of its earlier and later code."""
    earlier = {later: code for code, later in codes.items()}
    belongs = pa.array([name in FAMILIES[owner] for name in changes["table"].to_pylist()])
    affected = pc.and_(belongs, pc.is_in(changes[owner], value_set=pa.array([*codes, *earlier], pa.string())))
    places = pc.indices_nonzero(pc.invert(affected)).to_pylist()
    single: dict[str, tuple[int, pa.Table]] = {}
    for place in pc.indices_nonzero(affected).to_pylist():
        (row,) = changes.slice(place, 1).to_pylist()
        later, meaning = row[owner], Meaning("other", "recoded")
        if row["table"] == RECORD_OWNERS[owner] and later in earlier and later not in single:
            one = Difference(row["table"], {owner: later}, "changed", owner, earlier[later], later, meaning)
            single[later] = (place, changes_table([one], row["cause"]))
    numbers = [(place, place) for place in places]
    numbers += [(place, len(changes) + number) for number, (place, _) in enumerate(single.values())]
    rows = pa.concat_tables([changes, *(row for _, row in single.values())])
    return rows.take(pa.array([number for _, number in sorted(numbers)], pa.int64()))
