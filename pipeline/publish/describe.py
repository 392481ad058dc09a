"""Describe a store to somebody who opens it for the first time: its tables, its columns, how fresh they are."""

import html
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from parsers.thai import BANGKOK
from pipeline.errors import BmaProgressError
from pipeline.publish.dictionary import example_text
from pipeline.schema.columns import TABLES
from pipeline.schema.thai_texts import TYPES
from pipeline.store.archive import Archive
from pipeline.store.layout import harvest_start


def describe_tables(store: Archive, when: str = "latest") -> pd.DataFrame:
    """One row for each table: its number of rows at `when`, what a row is, its key, whether it has personal data."""
    id_ = store.resolve(when)
    return pd.DataFrame(
        {
            "rows": [store.number_of_rows(name, id_) for name in TABLES],
            "description": [table.description for table in TABLES.values()],
            "key": [", ".join(table.key) for table in TABLES.values()],
            "personal": [any(column.personal for column in table.columns) for table in TABLES.values()],
        },
        index=pd.Index(list(TABLES), name="table"),
    )


def describe_columns(store: Archive, name: str, when: str = "latest") -> pd.DataFrame:
    """One row for each column of a table: its meaning, its unit, and a summary of its values.

    missing_percent: share of rows without a value; distinct, lowest, highest, example: of the rows with one. Columns with
    personal data have no summary. Raises StoreError for an unknown table or time.
    """
    rows = store.arrow(name, when)
    described = [
        {
            "column": column.name,
            "type": TYPES[column.type][0],
            "unit": column.unit,
            "description": column.description,
            "label_th": column.label_th,
            "missing_percent": round(100 * rows[column.name].null_count / rows.num_rows, 1) if rows.num_rows else None,
            **({} if column.personal else _values(rows[column.name], column.type != "string", column)),
        }
        for column in TABLES[name].columns
    ]
    columns = ["type", "unit", "description", "label_th", "missing_percent", "distinct", "lowest", "highest", "example"]
    frame = pd.DataFrame(described).set_index("column").reindex(columns=columns)
    return frame.astype({"distinct": "Int64"} | dict.fromkeys(("lowest", "highest", "example"), "str"))


def _values(values: pa.ChunkedArray, has_order: bool, column: Any) -> dict[str, Any]:
    known = values.drop_null()
    if not len(known):
        return {"distinct": 0}
    summary: dict[str, Any] = {
        "distinct": pc.count_distinct(known).as_py(),
        "example": example_text(column, known[0].as_py()),
    }
    if has_order:
        ends = pc.min_max(known)
        summary |= {
            "lowest": example_text(column, ends["min"].as_py()),
            "highest": example_text(column, ends["max"].as_py()),
        }
    return summary


def store_html(store: Archive) -> str:
    """A store in a notebook: its portal, how fresh it is, and its tables."""
    head = f"<p><b>{html.escape(store.place)}</b>: {html.escape(store_summary(store))}</p>"
    if store.published_id() is None:
        return head
    try:
        return head + describe_tables(store).to_html(border=0, notebook=True)
    except BmaProgressError as error:  # a damaged table must not break the notebook
        return f"{head}<p>{html.escape(str(error))}</p>"


def store_summary(store: Archive) -> str:
    """The number of harvests, the portal, and the published harvest, in one line."""
    ids = store.harvest_ids()
    harvests = f"{len(ids):,} harvest{'s' * (len(ids) != 1)} of {store.portal}"
    latest = store.published_id()
    if latest is None:
        return f"{harvests}, none published"
    return f"{harvests}, the published one began {harvest_start(latest).astimezone(BANGKOK):%Y-%m-%d %H:%M} in Bangkok"
