"""The tables under their names in DuckDB: any night in SQL, read from the Parquet files and never written to.

A query may come from somebody else, so the session has no network and reaches no file but a copy of its own of the tables'
Parquet files, in a folder that goes with it. DuckDB reads them lazily; read through Arrow instead, 400,000 rows with texts
took three times the memory (693 against 263 MB), and a copy takes milliseconds. The store's own files are not within its
reach because DuckDB writes where it may read: `WITH x AS (COPY … TO …) SELECT` counts as a SELECT.
"""

import re
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any, Final

from pipeline.errors import BmaProgressError, StoreError, damaged_table
from pipeline.schema.columns import TABLES, arrow_schema
from pipeline.store.archive import Archive
from pipeline.store.layout import HARVEST_ID
from pipeline.store.parquet import write_parquet

MEMORY: Final = "1GB"
"""What a query may hold; a larger sort goes to the session's own folder."""

_NIGHT: Final = re.compile(rf"{HARVEST_ID.pattern}|\b(?:previous|latest)\b", re.ASCII | re.IGNORECASE)


def duckdb_or_why_not() -> Any:
    """The module duckdb. Raises BmaProgressError that says how to get it."""
    try:
        import duckdb
    except ImportError:
        raise BmaProgressError("this needs DuckDB; get it with: pip install 'bma-progress[sql]'") from None
    return duckdb


class Session(AbstractContextManager["Session"]):
    """A session over one store: `projects` and its like are the state at `when`.

    `previous.projects` is as of the published harvest before `when`, `latest.projects` as published now, and
    `"20261122T190000Z".projects` as of that harvest: each is made when a query first names it. Days are DATE, instants
    TIMESTAMPTZ in UTC. `when` is as for `Archive.resolve`, which raises StoreError for an unknown time.

    contacts: false leaves the table of personal data empty
    """

    def __init__(self, store: Archive, when: str = "latest", *, contacts: bool = True) -> None:
        self._duckdb = duckdb_or_why_not()
        self._store, self._contacts = store, contacts
        self._when = store.resolve(when)
        self._shown: set[str] = set()
        self._folder = tempfile.TemporaryDirectory(prefix="bma-progress-sql-")
        own = self._folder.name.replace("'", "''")
        self._connection = self._duckdb.connect()
        for setting in (
            "TimeZone = 'UTC'",
            f"memory_limit = '{MEMORY}'",
            f"temp_directory = '{own}'",
            f"allowed_directories = ['{own}']",
            "python_enable_replacements = false",  # a name in a query is a table's, never a variable's of this program
            "autoinstall_known_extensions = false",
            "autoload_known_extensions = false",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            self._connection.execute(f"SET {setting}")
        try:
            self._show(self._when, "main")
        except self._duckdb.Error as error:
            self.__exit__()
            raise damaged_table(self._told(error)) from None

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._folder.cleanup()

    def answer(self, query: str, form: str, out: IO[bytes]) -> None:
        """Run a query and write its rows: `table` for eyes (long results are cut short, and say so), `csv` for programs.

        Raises BmaProgressError for wrong SQL and for statements that do more than ask.
        """
        from pipeline.publish.export import write_csv

        try:
            for statement in self._asking(query):
                for name in dict.fromkeys(_NIGHT.findall(statement.query)):
                    self._show_named(name)
                rows = self._connection.query(statement.query)
                if rows is None:  # something was made
                    continue
                if form == "csv":
                    write_csv(rows.to_arrow_reader(10_000), out)
                else:
                    out.write(_printable(str(rows).rstrip() + "\n").encode())
                out.flush()
        except self._duckdb.Error as error:
            raise BmaProgressError(f"the query failed: {self._told(error)}") from None

    def _told(self, error: Exception) -> str:
        """What DuckDB says, on one line."""
        return _printable(" ".join(str(error).split())).replace(self._folder.name, "…")

    def _asking(self, query: str) -> list[Any]:
        """The statements of a text. Raises BmaProgressError where one is to change something."""
        kinds = self._duckdb.StatementType
        asking = (kinds.SELECT, kinds.EXPLAIN, kinds.MULTI, kinds.CREATE)  # PIVOT is several; what is made is in memory
        statements: list[Any] = self._connection.extract_statements(query)
        if any(statement.type not in asking for statement in statements):
            raise BmaProgressError(
                "the tables are only to be read: SELECT, FROM, WITH, PIVOT, DESCRIBE, SUMMARIZE, EXPLAIN, and CREATE for"
                " tables and views of the session's own"
            )
        return statements

    def _show_named(self, name: str) -> None:
        schema = name.upper() if name[0].isdigit() else name.lower()
        if schema in self._shown:
            return
        try:
            id_ = self._store.published_before(self._when) if schema == "previous" else self._store.resolve(schema)
        except StoreError:
            id_ = None
        if id_:  # else the word is something else's name, or DuckDB says that there is no such schema
            self._show(id_, schema)

    def _show(self, harvest_id: str, schema: str) -> None:
        """Make the views of one state, under a schema's name."""
        tables = Path(self._folder.name) / harvest_id
        if not tables.exists():
            self._store.export(harvest_id, tables)
            if not self._contacts:
                write_parquet(arrow_schema("contacts").empty_table(), tables / "contacts.parquet", "contacts")
        if schema != "main":
            self._connection.execute(f'CREATE SCHEMA "{schema}"')
        for name, table in TABLES.items():
            columns = ", ".join(
                f'"{column.name}"::DATE AS "{column.name}"' if column.type == "date" else f'"{column.name}"'
                for column in table.columns
            )
            file = str(tables / f"{name}.parquet").replace("'", "''")
            view = f"SELECT {columns} FROM read_parquet('{file}')"  # noqa: S608
            self._connection.execute(f'CREATE VIEW "{schema}"."{name}" AS {view}')
        self._shown.add(schema)


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


def _printable(text: str) -> str:
    """Text without control characters, which a page could carry and a terminal would obey."""
    return "".join(c for c in text if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf") or c == "\u200d")
