"""Query the tables of any harvest in SQL, with DuckDB.

A query may come from a stranger, so the session has no network and can read only its own copy of the Parquet files, in a
temporary folder. The store's files stay out of reach because DuckDB can write wherever it can read:
`WITH x AS (COPY … TO …) SELECT` counts as a SELECT. A copy takes milliseconds, and DuckDB reads it lazily: through Arrow
instead, 400,000 rows with texts took three times the memory (693 against 263 MB).
"""

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa

from pipeline.compare.csv_files import write_csv
from pipeline.errors import BmaProgressError, StoreDamagedError, StoreError, damaged_table
from pipeline.plain_text import printable
from pipeline.progress import polled
from pipeline.publish.extras import import_duckdb
from pipeline.schema.columns import TABLES, arrow_schema
from pipeline.store.archive import Archive
from pipeline.store.layout import HARVEST_ID
from pipeline.store.parquet import write_parquet

MEMORY: Final = "1GB"
"""The memory of a query; a larger sort uses the session's temporary folder."""

_HARVEST: Final = re.compile(rf"{HARVEST_ID.pattern}|\b(?:previous|latest)\b", re.ASCII | re.IGNORECASE)


class Session(AbstractContextManager["Session"]):
    """A session over one store: `projects` and the other tables as of `when`.

    `previous.projects` is the table as of the published harvest before `when`, `latest.projects` as published now, and
    `"20261122T190000Z".projects` as of that harvest; each of these schemas is made when a query first names it. Days are
    DATE, instants TIMESTAMPTZ in UTC. `when` is as for `Archive.resolve`, which raises StoreError for an unknown time.

    contacts: false leaves the table of personal data empty; note: gets a sentence about each harvest that was held back
    """

    def __init__(
        self,
        store: Archive,
        when: str = "latest",
        *,
        contacts: bool = True,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._note = note
        self._duckdb = import_duckdb()
        self._store, self._contacts = store, contacts
        self._when = store.resolve(when)
        self._schemas: set[str] = set()
        self._folder = tempfile.TemporaryDirectory(prefix="bma-progress-sql-")
        folder = self._folder.name.replace("'", "''")
        self._connection = self._duckdb.connect()
        for setting in (
            "TimeZone = 'UTC'",
            f"memory_limit = '{MEMORY}'",
            f"temp_directory = '{folder}'",
            f"allowed_directories = ['{folder}']",
            "python_enable_replacements = false",  # else a name in a query could be a variable of this program
            "enable_progress_bar = true",  # it is asked for, and shown by us
            "enable_progress_bar_print = false",
            "autoinstall_known_extensions = false",
            "autoload_known_extensions = false",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            self._connection.execute(f"SET {setting}")
        try:
            self._create_views(self._when, "main")
        except self._duckdb.Error as error:
            self.__exit__()
            raise damaged_table(self._one_line(error)) from None
        except BmaProgressError:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._folder.cleanup()

    def answer(self, query: str, form: str, out: IO[bytes]) -> None:
        """Run a query and write its rows. form: `table` for people (DuckDB shortens long results and says so), or `csv`

        Raises BmaProgressError for wrong SQL, and for statements that would change something.
        """
        try:
            for statement in self._reading_statements(query):
                for name in dict.fromkeys(_HARVEST.findall(statement.query)):
                    self._create_schema(name)
                self._answer(statement.query, form, out)
        except self._duckdb.Error as error:
            more = "; SHOW TABLES lists the tables" if isinstance(error, self._duckdb.CatalogException) else ""
            raise BmaProgressError(f"the query failed: {self._one_line(error)}{more}") from None

    def _answer(self, statement: str, form: str, out: IO[bytes]) -> None:
        progress = polled(self._connection.query_progress, "percent of the query done")
        if form == "csv":
            with nullcontext() if out.isatty() else progress:  # rows and a bar would overwrite each other
                if (rows := self._connection.query(statement)) is not None:  # a CREATE has no rows
                    reader = rows.to_arrow_reader(10_000)
                    blocks = (pa.Table.from_batches([batch]) for batch in reader)
                    write_csv(chain([reader.schema.empty_table()], blocks), out)
        else:
            with progress:
                rows = self._connection.query(statement)
                text = "" if rows is None else f"{_aligned(printable(str(rows).rstrip()))}\n"
            out.write(text.encode())
        out.flush()

    def _one_line(self, error: Exception) -> str:
        """DuckDB's message on one line."""
        return printable(" ".join(str(error).split())).replace(self._folder.name, "…")

    def _reading_statements(self, query: str) -> list[Any]:
        """The statements of a text. Raises BmaProgressError where one would change something."""
        kinds = self._duckdb.StatementType
        # MULTI is what PIVOT becomes; CREATE makes tables in memory only
        allowed = (kinds.SELECT, kinds.EXPLAIN, kinds.MULTI, kinds.CREATE)
        statements: list[Any] = self._connection.extract_statements(query)
        if any(statement.type not in allowed for statement in statements):
            raise BmaProgressError(
                "the tables are read-only; use SELECT, FROM, WITH, PIVOT, DESCRIBE, SUMMARIZE, EXPLAIN, or CREATE for tables"
                " and views of this session"
            )
        return statements

    def _create_schema(self, name: str) -> None:
        schema = name.upper() if name[0].isdigit() else name.lower()
        if schema in self._schemas:
            return
        try:
            id_ = self._store.published_before(self._when) if schema == "previous" else self._store.resolve(schema)
        except StoreDamagedError:
            raise
        except StoreError:
            id_ = None
        if id_:  # else the word names something else, or DuckDB reports the unknown schema
            self._create_views(id_, schema)

    def _create_views(self, harvest_id: str, schema: str) -> None:
        """Create the views of one state, in a schema."""
        tables = Path(self._folder.name) / harvest_id
        if not tables.exists():
            if held_back := self._store.held_back_note(harvest_id):
                self._note(held_back)
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
            view = f"SELECT {columns} FROM read_parquet('{file}')"  # noqa: S608 - names of ours
            self._connection.execute(f'CREATE VIEW "{schema}"."{name}" AS {view}')
        self._schemas.add(schema)


def _aligned(box: str) -> str:
    """DuckDB's table with its borders below each other: it counts the vowel sara am, which takes a column, as a mark."""
    lines = []
    for line in box.split("\n"):
        cells = line.split("│")
        for place, cell in enumerate(cells):
            padding = len(cell) - len(cell.rstrip(" ")) - 1
            cells[place] = cell[: len(cell) - max(0, min(padding, cell.count("ำ")))]
        lines.append("│".join(cells))
    return "\n".join(lines)


def read_statements(read_line: Callable[[str], str]) -> Iterator[str]:
    """The statements of a session, each up to a semicolon at the end of a line. `exit` ends it, `.tables` lists the tables.

    read_line: shows a prompt and returns the next line, or an empty text at the end of input
    """
    pending = ""
    while line := read_line("...> " if pending else "sql> "):
        if not pending and line.strip().removesuffix(";").lower() in ("exit", "quit"):
            return
        if not pending and line.strip().removesuffix(";").lower() == ".tables":
            yield "SHOW TABLES"
            continue
        pending = (pending + line).lstrip()
        if pending.rstrip().endswith(";"):
            yield pending
            pending = ""
    if pending:  # the last statement may lack its semicolon
        yield pending
