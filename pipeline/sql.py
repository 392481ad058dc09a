"""The tables under their names in DuckDB: the state asked for, and every snapshot in a schema of its own.

DuckDB is an optional part: `pip install 'bma-progress[sql]'`.
"""

from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from pipeline.errors import BmaProgressError
from pipeline.fields import TABLES

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from pipeline.store import Store


def duckdb_or_why_not() -> Any:
    """The module duckdb. Raises BmaProgressError that says how to get it."""
    try:
        import duckdb
    except ImportError:
        raise BmaProgressError("this needs DuckDB; get it with: pip install 'bma-progress[sql]'") from None
    return duckdb


def connect(store: "Store", when: str = "latest") -> "DuckDBPyConnection":
    """An in-memory session: `projects` and its like are the state at `when`, `"<harvest id>".projects` a snapshot's.

    Where there is an earlier published harvest, `previous.projects` is as it stood then. Days are DATE, instants
    TIMESTAMPTZ. Nothing in the store can be changed through the views. Raises StoreError for an unknown time.
    """
    duckdb = duckdb_or_why_not()
    id_ = store.resolve(when)
    session: DuckDBPyConnection = duckdb.connect()
    session.execute("SET TimeZone = 'UTC'")
    session.execute("SET autoinstall_known_extensions = false")  # a query fetches nothing from the network
    _show(session, store, id_, "main")
    before = store.published_before(id_)
    if before:
        _show(session, store, before, "previous")
    for other in _snapshots(store):
        _show(session, store, other, other)
    return session


def answer(session: "DuckDBPyConnection", query: str, form: str, out: IO[bytes]) -> None:
    """Run one query and write its rows: `table` for eyes, `csv` for programs. Raises BmaProgressError for wrong SQL."""
    from pipeline.exporting import write_csv

    duckdb = duckdb_or_why_not()
    try:
        relation = session.sql(query)
        if relation is None:  # a statement without rows
            return
        if form == "csv":
            write_csv(relation.to_arrow_table(), out)
        else:
            out.write((str(relation).rstrip() + "\n").encode())
        out.flush()
    except duckdb.Error as error:
        raise BmaProgressError(f"the query failed: {' '.join(str(error).split())}") from None


def statements(lines: IO[str], *, prompt: bool) -> Iterator[str]:
    """The statements of a session, each up to a semicolon at a line's end; the last one may lack it."""
    pending = ""
    while True:
        if prompt:
            print("...> " if pending else "sql> ", end="", flush=True)
        line = lines.readline()
        pending += line
        if pending.strip() and (not line or pending.rstrip().endswith(";")):
            yield pending
            pending = ""
        if not line:
            return


def _snapshots(store: "Store") -> list[str]:
    known = set(store.harvest_ids())
    return sorted(path.name for path in (store.root / "snapshots").iterdir() if path.name in known)


def _show(session: "DuckDBPyConnection", store: "Store", id_: str, schema: str) -> None:
    """Make the views of one state, under a schema's name."""
    if schema != "main":
        session.execute(f'CREATE SCHEMA "{schema}"')
    for name, table in TABLES.items():
        source = f"{schema}_{name}_rows"
        session.register(source, store.arrow(name, id_))
        columns = ", ".join(
            f'"{column.name}"::DATE AS "{column.name}"' if column.type == "date" else f'"{column.name}"'
            for column in table.columns
        )
        session.execute(f'CREATE VIEW "{schema}"."{name}" AS SELECT {columns} FROM main."{source}"')  # noqa: S608
