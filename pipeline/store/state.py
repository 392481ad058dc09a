"""The state of all tables as of a harvest, from the harvests' rows: block by block, so that memory stays bounded.

State as of a harvest = for each page of its `pages` with a version and no end, the rows of that version. A snapshot at
hand (the *base*) saves reading old harvests: only codes whose pages differ between the two are read afresh.
"""

import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from pipeline.schema.codes import code_of_page
from pipeline.schema.columns import PAGE_LEVEL_TABLES, RECORD_TABLES, TABLES, arrow_schemas
from pipeline.schema.derived import COMPUTED_COLUMNS, DERIVED, Derived
from pipeline.schema.page_kinds import OWNER_OF_KIND
from pipeline.store.layout import Folder, harvest_day
from pipeline.store.parquet import ROW_GROUP, parquet_writers
from pipeline.store.parquet_files import opened, read_as, read_records
from pipeline.store.stored_pages import StoredPages

FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    owner: tuple(name for name in RECORD_TABLES if TABLES[name].key[0] == owner)
    for owner in dict.fromkeys(OWNER_OF_KIND.values())
}
"""The tables whose rows belong to a project, an indicator, an agency's list, an indicator of the city's plan."""

_BLOCK: Final = 1_000  # codes handled at once: some 25 MB of rows

_LINEAGE_FROM: Final = {
    "source_url": "url",
    "page_sha256": "record_sha256",
    **{name: name for name in ("version_harvest_id", "first_seen_at", "changed_at", "checked_at", "parser_version")},
}
"""The lineage columns of a record, and the columns of its page they come from."""


OF_ONE_HARVEST: Final = ("progress_differs",)
"""Rules that compare two pages: a finding holds for its harvest only, not as long as the page's version."""


_OF_BASE_PAGES: Final = (
    *("page_key", "kind", "version_harvest_id", "ended_at"),
    *("facts_sha256", "body_harvest_id", "page_sha256"),
)
"""The columns of a base's pages that tell what has changed since, and what need not be looked up again."""


class LivePage(NamedTuple):
    """A page whose record is in force: its key, the harvest of its version, its row among the live pages."""

    page_key: str
    version_harvest_id: str
    row: int


Family = Mapping[str, Sequence[LivePage]]
"""The live pages of projects, indicators or lists, by code; of a project's two pages the mobile one comes first."""


class State:
    """All tables as of one harvest.

    staged: folder of the harvest itself while it is not committed yet
    base: harvest of a proven snapshot to start from; see `Archive.base_for`
    before: the `pages` of an earlier state, whose hashes need not be looked up again in the harvests that saw them first
    """

    def __init__(
        self,
        harvests: StoredPages,
        harvest_id: str,
        *,
        base: str | None = None,
        staged: Path | None = None,
        before: pa.Table | None = None,
    ) -> None:
        self.harvests = harvests
        self.harvest_id = harvest_id
        self.is_committed = staged is None
        self._staged = staged
        self._base = harvests.root / "snapshots" / base if base else None
        self._base_lacks = harvests.withheld(base) if base else frozenset()
        self.withheld = frozenset() if staged else harvests.withheld(harvest_id)
        schema = arrow_schemas()["pages"]
        needed = pa.schema([schema.field(column) for column in _OF_BASE_PAGES])
        self._base_pages = read_as(self._base / "pages.parquet", needed) if self._base else needed.empty_table()
        known = self._base_pages if before is None else before
        self.pages = self._fill(read_as(self._file(harvest_id, "pages"), schema), known)
        self.live = live_pages(self.pages)
        self._dirty_codes: dict[str, frozenset[str]] = {}

    def ended_codes(self) -> frozenset[str]:
        """Codes of records that had ended by this harvest: a record that appears again later is back, not new."""
        ended = self.pages.filter(pc.is_valid(self.pages["ended_at"]))
        return frozenset(code_of_page(key) for key in ended["page_key"].to_pylist())

    def _file(self, harvest_id: str, name: str) -> Folder | None:
        """A checked file of a harvest, the one being staged included; None where an older version wrote none."""
        if self._staged and harvest_id == self.harvest_id:
            return self._staged / f"{name}.parquet"
        return self.harvests.file(harvest_id, name)

    def _fill(self, pages: pa.Table, known: pa.Table) -> pa.Table:
        """Complete the values that a harvest's own file leaves out because another harvest has them.

        The facts' hash is in the version's harvest, the page's hash in the one that first saw its bytes; `known` pages have both.
        Where the record's bytes are not named, they are the page's.
        """
        for name, owner in (("facts_sha256", "version_harvest_id"), ("page_sha256", "body_harvest_id")):
            filled = pc.coalesce(pages[name], _of_same(pages, known, owner, name))
            kept_in = pc.if_else(pc.is_null(filled), pages[owner], None)
            hashes = self._hashes(name, sorted(set(pc.unique(kept_in).to_pylist()) - {None, self.harvest_id}))
            places = pc.index_in(_joined(kept_in, pages["page_key"]), value_set=hashes["place"], skip_nulls=True)
            filled = pc.coalesce(filled, hashes["sha256"].take(places))
            pages = _with_column(pages, name, filled.combine_chunks())
        has_record = pc.is_valid(pages["version_harvest_id"])
        implied = pc.and_(has_record, pc.is_null(pages["record_sha256"]))
        for name, same in (("record_sha256", "page_sha256"), ("record_body_harvest_id", "body_harvest_id")):
            pages = _with_column(pages, name, pc.if_else(implied, pages[same], pages[name]))
        return pages

    def _hashes(self, name: str, harvest_ids: Sequence[str]) -> pa.Table:
        """What some harvests were the first to see: the hashes, each with its place, harvest and page in one text."""
        parts = [pa.table({"place": pa.array([], pa.string()), "sha256": pa.array([], pa.string())})]
        for id_ in harvest_ids:
            keys, hashes = self.harvests.page_hashes(id_, name)
            parts.append(pa.table({"place": _joined(pa.scalar(id_), keys), "sha256": hashes}))
        return pa.concat_tables(parts).combine_chunks()

    def table(self, name: str) -> pa.Table:
        """One table, whole; one that was withheld when the harvest was published is empty."""
        if name in self.withheld:
            return arrow_schemas()[name].empty_table()
        if name == "pages":
            return self.pages.select(arrow_schemas()["pages"].names).cast(arrow_schemas()["pages"])
        if name == "findings":
            return self._findings()
        if name == "changes":
            blocks = list(self._changes())
            return pa.concat_tables(blocks) if blocks else arrow_schemas()[name].empty_table()
        if name in DERIVED:
            return self._derived(name)
        owner = TABLES[name].key[0]
        blocks = [tables[name] for _, tables in self.blocks(owner, (name,))]
        return pa.concat_tables(blocks) if blocks else arrow_schemas()[name].empty_table()

    def write(self, out: Path, *, leave_out: frozenset[str] | None = None) -> dict[str, int]:
        """Write every table as one Parquet file into `out`; returns their rows.

        leave_out: tables written empty; those withheld when the harvest was published if not given
        """
        leave_out = self.withheld if leave_out is None else leave_out
        rows = self._copy_from_base(out, leave_out)
        facts = [name for name in (*RECORD_TABLES, "pages", "findings", "changes") if name not in rows]
        schemas = {name: arrow_schemas()[name] for name in (*facts, *DERIVED)}
        rows = {**dict.fromkeys((*RECORD_TABLES, "changes"), 0), **rows}
        with ExitStack() as files:
            writers = parquet_writers(files, out, schemas)
            for owner, names in FAMILIES.items():
                built = [name for name in names if name in schemas and name not in leave_out]
                self._write_blocks(owner, built, writers, rows)
            for name in ("pages", "findings"):
                table = self.table(name)
                writers[name].write_table(table, row_group_size=ROW_GROUP)
                rows[name] = len(table)
            for block in _in_groups(self._changes()):
                writers["changes"].write_table(block)
                rows["changes"] += len(block)
            for name in facts:
                writers[name].close()  # derived tables are computed from the files
            day, derived = harvest_day(self.harvest_id), dict[str, pa.Table]()
            for name, spec in DERIVED.items():  # one after the other: together their facts would be most of the state
                sources = {other: derived.get(other, out / f"{other}.parquet") for other in spec.needed}
                derived[name] = table = spec.compute(_needed(spec, sources), day)
                writers[name].write_table(table, row_group_size=ROW_GROUP)
                rows[name] = len(table)
        return rows

    def _derived(self, name: str) -> pa.Table:
        spec = DERIVED[name]
        tables = {other: self.table(other) for other in spec.needed}
        return spec.compute(_needed(spec, tables), harvest_day(self.harvest_id))

    def _changes(self) -> Iterator[pa.Table]:
        """The changes of every published harvest so far and of this one, a block each; without what contact lines say."""
        schema, base = arrow_schemas()["changes"], self._base.name if self._base else ""
        if self._base is not None:
            with opened(self._base / "changes.parquet") as file:
                for group in range(file.num_row_groups):
                    yield file.read_row_group(group).cast(schema)
        published = self.harvests.harvest_ids(published_only=True)
        for id_ in sorted({*published, self.harvest_id}):
            if base < id_ <= self.harvest_id:
                rows = changes_of_harvest(self._file(id_, "changes"), id_)
                if len(rows):
                    yield rows

    def _write_blocks(
        self, owner: str, names: Sequence[str], writers: Mapping[str, pq.ParquetWriter], rows: dict[str, int]
    ) -> None:
        """Write some tables of a family block by block."""
        for _, tables in self.blocks(owner, names) if names else ():
            for name in names:
                if len(tables[name]):
                    writers[name].write_table(tables[name])
                    rows[name] += len(tables[name])
            del tables
            pa.default_memory_pool().release_unused()  # else a block's memory stays until the harvest ends

    def _copy_from_base(self, out: Path, leave_out: frozenset[str]) -> dict[str, int]:
        """Copy the files of the tables of which no row can differ from the base; returns their rows, by table."""
        rows: dict[str, int] = {}
        if self._base is None:
            return rows
        for name in RECORD_TABLES:
            if name in PAGE_LEVEL_TABLES or name in leave_out | self._base_lacks or self._dirty(TABLES[name].key[0]):
                continue
            file = self._base / f"{name}.parquet"
            with opened(file) as stored:
                if not stored.schema_arrow.equals(arrow_schemas()[name], check_metadata=True):
                    continue
                rows[name] = stored.metadata.num_rows
            shutil.copyfile(file, out / file.name)
        return rows

    # --- blocks ---------------------------------------------------------------------------------------------------

    def blocks(self, owner: str, names: Sequence[str]) -> Iterator[tuple[list[str], dict[str, pa.Table]]]:
        """The tables of a family block by block of codes, in order of code."""
        pages = self.family(owner)
        codes = sorted(pages)
        for start in range(0, len(codes), _BLOCK):
            block = codes[start : start + _BLOCK]
            tables = self.facts(owner, names, block)
            yield block, {name: self._with_lineage(name, tables[name], pages) for name in names}

    def facts(self, owner: str, names: Sequence[str], codes: Sequence[str]) -> dict[str, pa.Table]:
        """The facts of some codes, in order of code: from the base where it has them, else from the harvests."""
        pages, dirty = self.family(owner), self._dirty(owner)
        fresh = [code for code in codes if code in pages and (dirty is None or code in dirty)]
        known = [code for code in codes if code in pages and dirty is not None and code not in dirty]
        in_base = [name for name in names if known and name not in self._base_lacks]
        lacking = [name for name in names if name not in in_base]
        tables = self.rows(owner, lacking, {code: pages[code] for code in (*fresh, *known)})
        if in_base:
            tables |= self.rows(owner, in_base, {code: pages[code] for code in fresh})
        for name in in_base:
            tables[name] = _sorted(pa.concat_tables([self._from_base(owner, name, known), tables[name]]), name)
        return tables

    def rows(self, owner: str, names: Sequence[str], pages: Family) -> dict[str, pa.Table]:
        """The facts of some pages, by code, read from the harvests that hold their versions; a project's two pages merged."""
        wanted: dict[str, set[str]] = {}
        for rows in pages.values() if names else ():
            for page in rows:
                wanted.setdefault(page.version_harvest_id, set()).add(page.page_key)
        parts = [
            read_records({name: self._file(id_, name) for name in names}, keys) for id_, keys in sorted(wanted.items())
        ]
        facts = arrow_schemas(facts_only=True)
        return {
            name: _merge_pages(name, pa.concat_tables([part[name] for part in parts]))
            if parts
            else facts[name].empty_table()
            for name in names
        }

    def _from_base(self, owner: str, name: str, codes: Sequence[str]) -> pa.Table:
        """The facts of some codes, in order of code, from the base snapshot."""
        assert self._base is not None  # noqa: S101 - asked only with a base
        inside = (ds.field(owner) >= codes[0]) & (ds.field(owner) <= codes[-1])
        chosen = inside & ds.field(owner).isin(pa.array(codes, pa.string()))
        return read_as(self._base / f"{name}.parquet", arrow_schemas(facts_only=True)[name], chosen)

    def _dirty(self, owner: str) -> frozenset[str] | None:
        """Codes whose pages differ between the base and this harvest; None without a base: all do."""
        if self._base is None:
            return None
        if owner not in self._dirty_codes:
            before, now = self._base_families[owner], self.family(owner)
            self._dirty_codes[owner] = frozenset(
                code for code in before.keys() | now.keys() if versions(before.get(code)) != versions(now.get(code))
            )
        return self._dirty_codes[owner]

    def family(self, owner: str) -> Family:
        """The live pages of a family by code."""
        return self._families[owner]

    @cached_property
    def _families(self) -> Mapping[str, Family]:
        return _families(self.live)

    @cached_property
    def _base_families(self) -> Mapping[str, Family]:
        return _families(live_pages(self._base_pages))

    def _with_lineage(self, name: str, table: pa.Table, pages: Family) -> pa.Table:
        schema = arrow_schemas()[name]
        if name not in PAGE_LEVEL_TABLES:
            return table.select(schema.names).cast(schema)
        owners = pa.array([pages[code][0].row for code in table[TABLES[name].key[0]].to_pylist()], pa.int64())
        about = self.live.select([*_LINEAGE_FROM.values(), "final_url"]).take(owners)
        read_from = pc.coalesce(about["final_url"], about["url"])
        about = about.set_column(about.schema.get_field_index("url"), "url", read_from)
        computed = COMPUTED_COLUMNS[name](table) if name in COMPUTED_COLUMNS else {}
        arrays = [
            computed[field.name]
            if field.name in computed
            else (
                about[_LINEAGE_FROM[field.name]] if field.name in _LINEAGE_FROM else table[field.name]
            ).combine_chunks()
            for field in schema
        ]
        return pa.Table.from_arrays(arrays, schema=schema)

    def _findings(self) -> pa.Table:
        """The findings of the versions in force, and those that this harvest made."""
        schema = arrow_schemas()["findings"]
        places = _places(self.live)
        of_base = pc.and_(
            pc.is_in(places, value_set=_places(live_pages(self._base_pages))),
            pc.not_equal(self.live["version_harvest_id"], self.harvest_id),
        )
        wanted = _keys_by_version(self.live.filter(pc.invert(of_base)))
        wanted[self.harvest_id] = frozenset(self.pages["page_key"].to_pylist())
        parts = [
            _of_pages(read_as(self._file(id_, "findings"), schema), keys, lasting_only=id_ != self.harvest_id)
            for id_, keys in sorted(wanted.items())
        ]
        if self._base is not None:
            found = _lasting(read_as(self._base / "findings.parquet", schema))
            place = _joined(found["harvest_id"], found["page_key"])
            parts.append(found.filter(pc.is_in(place, value_set=places.filter(of_base))))
        return _sorted(pa.concat_tables(parts).cast(schema), "findings")


def _needed(spec: Derived, sources: Mapping[str, pa.Table | Path]) -> list[pa.Table]:
    """What a derived table is computed from. sources: the tables it needs, or their files"""
    return [
        ds.dataset(sources[name]).to_table(columns=list(columns), filter=spec.chosen.get(name))
        for name, columns in spec.needed.items()
    ]


def changes_of_harvest(file: Folder | None, harvest_id: str) -> pa.Table:
    """The rows of `changes` that one harvest brought. file: its own file of changes, None where it has none"""
    schema = arrow_schemas()["changes"]
    own = ("harvest_id", "change_no", "harvest_date")
    stored = pa.schema([field.remove_metadata() for field in schema if field.name not in own])
    day, rows = harvest_day(harvest_id), read_as(file, stored)
    personal = pc.equal(rows["table"], "contacts")
    for name in ("before", "after"):
        hidden = pc.and_(personal, pc.is_valid(rows[name]))
        rows = _with_column(rows, name, pc.if_else(hidden, "(withheld)", rows[name]))
    about = {
        "harvest_id": pa.repeat(harvest_id, len(rows)),
        "change_no": pa.array(range(1, len(rows) + 1), pa.int32()),
        "harvest_date": pa.repeat(pa.scalar(day, pa.date32()), len(rows)),
    }
    columns = [about[field.name].cast(field.type) if field.name in own else rows[field.name] for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _in_groups(blocks: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in groups of one size: a group for each night would cost more with every night."""
    waiting: list[pa.Table] = []
    for block in blocks:
        waiting.append(block)
        while sum(map(len, waiting)) >= ROW_GROUP:
            rows = pa.concat_tables(waiting).combine_chunks()
            yield rows.slice(0, ROW_GROUP)
            waiting = [rows.slice(ROW_GROUP)]
    if any(map(len, waiting)):
        yield pa.concat_tables(waiting).combine_chunks()


def _keys_by_version(pages: pa.Table) -> dict[str, frozenset[str]]:
    """The keys of pages by the harvest that holds their version."""
    keys: dict[str, set[str]] = {}
    for key, id_ in zip(pages["page_key"].to_pylist(), pages["version_harvest_id"].to_pylist(), strict=True):
        keys.setdefault(id_, set()).add(key)
    return {id_: frozenset(found) for id_, found in keys.items()}


def _of_pages(findings: pa.Table, keys: Collection[str], *, lasting_only: bool) -> pa.Table:
    """The findings of some pages. lasting_only: without those that hold for one harvest only"""
    findings = _lasting(findings) if lasting_only else findings
    return findings.filter(pc.is_in(findings["page_key"], value_set=pa.array(sorted(keys), pa.string())))


def _lasting(findings: pa.Table) -> pa.Table:
    return findings.filter(pc.invert(pc.is_in(findings["rule"], value_set=pa.array(OF_ONE_HARVEST))))


def live_pages(pages: pa.Table) -> pa.Table:
    """The pages whose record is in force: some version of it was read, and it has not ended."""
    return pages.filter(pc.and_(pc.is_valid(pages["version_harvest_id"]), pc.is_null(pages["ended_at"])))


def _of_same(pages: pa.Table, base: pa.Table, owner: str, name: str) -> pa.ChunkedArray:
    """For each page the base's value of a column; null where the base names another harvest as its owner, or no such page."""
    places = pc.index_in(pages["page_key"], value_set=base["page_key"])
    same = pc.equal(pages[owner], base[owner].take(places))
    return pc.if_else(pc.fill_null(same, False), base[name].take(places), None)


def _joined(harvest_ids: pa.ChunkedArray | pa.Scalar, page_keys: pa.ChunkedArray) -> pa.ChunkedArray:
    """Harvest and page as one text; null where there is no harvest."""
    return pc.binary_join_element_wise(harvest_ids, page_keys, "/")


def _places(pages: pa.Table) -> pa.ChunkedArray:
    """The harvest of each page's version, and the page, as one text."""
    return _joined(pages["version_harvest_id"], pages["page_key"])


def _with_column(table: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(place), values)


def _families(pages: pa.Table) -> dict[str, dict[str, list[LivePage]]]:
    """The live pages of each family, by its tables' owner and by code."""
    found: dict[str, dict[str, list[LivePage]]] = {owner: {} for owner in FAMILIES}
    kinds, keys, versions = (pages[name].to_pylist() for name in ("kind", "page_key", "version_harvest_id"))
    codes = list(map(code_of_page, keys))
    for row, (kind, key, code, version) in enumerate(zip(kinds, keys, codes, versions, strict=True)):
        if owner := OWNER_OF_KIND.get(kind):
            found[owner].setdefault(code, []).append(LivePage(key, version, row))
    return found


def versions(pages: Sequence[LivePage] | None) -> list[tuple[str, str]]:
    """The pages of one code with their versions: two states of the code differ where these differ."""
    return [(page.page_key, page.version_harvest_id) for page in pages or ()]


def _sorted(table: pa.Table, name: str) -> pa.Table:
    return table.sort_by([(column, "ascending") for column in TABLES[name].key])


def _merge_pages(name: str, table: pa.Table) -> pa.Table:
    """Rows of one key from a project's two pages become one: the mobile page's values, its nulls filled by the other's."""
    key = list(TABLES[name].key)
    facts = arrow_schemas(facts_only=True)[name]
    table = table.sort_by([*((column, "ascending") for column in key), ("page_key", "ascending")])
    if not pc.any(pc.starts_with(table["page_key"], "yii_project/")).as_py():
        return table.select(facts.names).cast(facts)
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in table.to_pylist():
        identity = tuple(row[column] for column in key)
        known = rows.setdefault(identity, row)
        if known is not row:
            for column, value in row.items():
                if known[column] is None:
                    known[column] = value
    columns = zip(facts.names, facts.types, strict=True)
    arrays = [pa.array([row[name] for row in rows.values()], kind) for name, kind in columns]
    return pa.Table.from_arrays(arrays, schema=facts)
