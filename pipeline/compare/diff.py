"""Compare two snapshots: their changes, and what could not be compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.compare.changes import SCHEMA
from pipeline.compare.files import compare_files
from pipeline.compare.inputs import Snapshot, StoreSnapshot
from pipeline.compare.recoded import with_recoded
from pipeline.compare.states import compare_states
from pipeline.compare.table_file import ChosenRows, TableFile
from pipeline.compare.uncompared import Uncompared, not_confirmed, other_parsers, without_unread
from pipeline.schema.columns import RECORD_TABLES, page_columns
from pipeline.store.archive import Archive


@dataclass
class Comparison:
    """Two snapshots, A and B, and the result; `changes` is a table of `pipeline.compare.changes.SCHEMA`."""

    before: Snapshot
    after: Snapshot
    changes: pa.Table
    uncompared: list[Uncompared] = field(default_factory=list)

    @property
    def snapshots(self) -> dict[str, Snapshot]:
        """The snapshots by their names in messages and reports: `A` is the earlier one, `B` the later one."""
        return {"A": self.before, "B": self.after}


def compare_snapshots(before: Snapshot, after: Snapshot, *, contacts: bool = True) -> Comparison:
    """Compare two snapshots. contacts: false withholds contact lines: that one changed is reported, not its text"""
    comparison = Comparison(before, after, SCHEMA.empty_table())
    if isinstance(before, StoreSnapshot) and isinstance(after, StoreSnapshot) and _same_store(before, after):
        if before.harvest_id != after.harvest_id:
            gone = before.state.ended_codes()
            changes = compare_states(before.state, after.state, gone_before=gone)
            comparison.changes = with_recoded(changes, before.state.facts, after.state.facts)
    else:
        old, new = _comparable(comparison)
        compared = compare_files(old, new, before.day)
        changes, unread = without_unread(compared, comparison.snapshots)
        comparison.changes = with_recoded(changes, *(partial(_facts_in_files, tables) for tables in (old, new)))
        comparison.uncompared += [*other_parsers(comparison.snapshots), *unread]
    for name, snapshot in comparison.snapshots.items():
        comparison.uncompared += not_confirmed(name, snapshot)
    if not contacts:
        comparison.changes = withhold_contacts(comparison.changes)
    return comparison


def states_differ(store: Archive, before: str, after: str) -> pa.Table:
    """The changes between two harvests of a store; a table of `pipeline.compare.changes.SCHEMA`."""
    snapshots = (StoreSnapshot(store, store.resolve(when)) for when in (before, after))
    return compare_snapshots(*snapshots).changes


def _same_store(before: StoreSnapshot, after: StoreSnapshot) -> bool:
    return before.store.root.resolve() == after.store.root.resolve()


def _comparable(comparison: Comparison) -> tuple[dict[str, TableFile], dict[str, TableFile]]:
    """The tables and columns that both snapshots have. What only one has is noted, and is no change."""
    old, new = dict(comparison.before.tables), dict(comparison.after.tables)
    note = comparison.uncompared.append
    for table in RECORD_TABLES:
        for name, here, there in (("A", old, new), ("B", new, old)):
            if table not in here and table in there:
                note(
                    Uncompared(
                        name,
                        table,
                        f"{name} has no file of this table",
                        there[table].number,
                        why_th=f"{name} ไม่มีไฟล์ของตารางนี้",
                    )
                )
                del there[table]
    # reading the tables above found the missing columns
    for name, snapshot in comparison.snapshots.items():
        for table, missing in snapshot.missing_columns.items():
            if table in old and table in new:
                for column in missing:
                    why = f"{name} was written without this column"
                    note(Uncompared(name, f"{table}.{column}", why, new[table].number, why_th=f"{name} ไม่มีคอลัมน์นี้"))
                old[table].leave_out(missing)
                new[table].leave_out(missing)
    if "contacts" in old and "contacts" in new:
        withheld = [_contacts_withheld(tables) for tables in (old, new)]
        if withheld[0] != withheld[1]:
            name, there = ("A", new) if withheld[0] else ("B", old)
            why = f"{name} was published without contact lines"
            thai = f"{name} เผยแพร่โดยไม่มีข้อมูลผู้ติดต่อ"
            note(Uncompared(name, "contacts", why, there["contacts"].number, why_th=thai))
            del old["contacts"], new["contacts"]
    return old, new


def _facts_in_files(
    files: Mapping[str, TableFile], owner: str, names: Sequence[str], codes: Sequence[str]
) -> dict[str, pa.Table]:
    """The facts of some records in those of the tables that there are."""
    owners = pa.array(codes, pa.string())
    return {
        name: ChosenRows(files[name], owner, owners).select(list(page_columns(name))) for name in names if name in files
    }


def _contacts_withheld(tables: Mapping[str, TableFile]) -> bool:
    return not tables["contacts"].number and "projects" in tables and tables["projects"].number > 0


def withhold_contacts(changes: pa.Table) -> pa.Table:
    """The same changes, with the text of contact lines replaced by `(withheld)`."""
    personal = pc.equal(changes["table"], "contacts")
    for name in ("before", "after"):
        hidden = pc.and_(personal, pc.is_valid(changes[name]))
        place = changes.schema.get_field_index(name)
        changes = changes.set_column(place, name, pc.if_else(hidden, "(withheld)", changes[name]))
    return changes
