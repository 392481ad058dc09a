"""What tab completion knows of a store: its nights, its codes, its tables."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from pipeline.store.archive import Archive

_MOST: Final = 50
"""More are no help."""


def nights(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """The names of states that begin so: latest, previous, and the ids of the newest harvests."""
    ids = [id_ for store in _store(context) for id_ in reversed(store.harvest_ids())]
    return [name for name in ("latest", "previous", *ids) if name.startswith(begun)][:_MOST]


def codes(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """The codes of projects and indicators that begin so."""
    tables = (("projects", "project_code"), ("kpis", "kpi_code"))
    found = (
        code
        for store in _store(context)
        for table, column in tables
        for code in store.arrow(table, columns=[column])[column].to_pylist()
    )
    return [code for code in found if code.startswith(begun)][:_MOST]


def queries(context: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """Queries for all rows of a table, such as `FROM projects`, by the table's name or the whole text; after a word names."""
    from pipeline.schema.columns import TABLES

    if context.params.get("query"):
        return [name for name in TABLES if name.startswith(begun)]
    return [f"FROM {name}" for name in TABLES if name.startswith(begun) or f"FROM {name}".startswith(begun)]


def _store(context: click.Context) -> Iterator["Archive"]:
    """The store that the line names, or the settings; none where there is none, for completion never fails."""
    from flows.cli.stores import named_store
    from flows.startup import import_arrow_without_pandas

    with suppress(Exception):
        import_arrow_without_pandas()
        data: Path | None = context.params.get("data")
        yield named_store(data)
