"""The tables' description as a Frictionless data package, for tools that read one (https://datapackage.org)."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from pipeline.fields import TABLES, Column, ColumnType
from pipeline.relations import RELATIONS

FILE: Final = "datapackage.json"

_TYPES: Final[dict[ColumnType, str]] = {
    "string": "string",
    "int": "integer",
    "float": "number",
    "date": "date",
    "instant": "datetime",
}


def data_package(
    harvest_id: str, portal: str, *, form: str = "parquet", there: Collection[str] = tuple(TABLES)
) -> dict[str, Any]:
    """The package of one state: a resource a table, its keys and relations.

    form: `parquet` or `csv`, the form of the files beside it
    there: the tables whose files lie beside it
    """
    return {
        "profile": "tabular-data-package",
        "name": "bma-progress",
        "title": "Progress of the projects of the Bangkok Metropolitan Administration",
        "version": harvest_id,
        "sources": [{"title": "Project-progress portal, Bangkok Metropolitan Administration", "path": portal}],
        "resources": [_resource(name, form, there) for name in TABLES if name in there],
    }


def write_data_package(folder: Path, harvest_id: str, portal: str, *, form: str = "parquet") -> None:
    """Write the package's description beside the tables that lie in a folder."""
    there = [name for name in TABLES if (folder / f"{name}.{form}").is_file()]
    package = data_package(harvest_id, portal, form=form, there=there)
    (folder / FILE).write_text(json.dumps(package, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _resource(name: str, form: str, there: Collection[str]) -> dict[str, Any]:
    table = TABLES[name]
    schema: dict[str, Any] = {
        "fields": [_field(column, form) for column in table.columns],
        "primaryKey": list(table.key),
    }
    keys = [
        {"fields": list(one.columns), "reference": {"resource": one.parent, "fields": list(one.columns)}}
        for one in RELATIONS
        if one.child == name and one.parent in there
    ]
    if keys:
        schema["foreignKeys"] = keys
    resource = {
        "name": name,
        "path": f"{name}.{form}",
        "format": form,
        "title": table.description,
        "schema": schema,
    }
    if form == "csv":  # the byte order mark is what tells Excel that the Thai is UTF-8
        resource |= {"encoding": "utf-8-sig", "mediatype": "text/csv"}
    return resource


def _field(column: Column, form: str) -> dict[str, Any]:
    # Parquet has no nameless days here: a day is the midnight that begins it, so that pandas reads it as a date
    kind = "datetime" if column.type == "date" and form == "parquet" else _TYPES[column.type]
    field: dict[str, Any] = {"name": column.name, "type": kind, "description": column.description}
    if kind == "datetime":
        field["format"] = "any" if form == "csv" else "default"
    if column.label_th:
        field["title"] = column.label_th
    if column.unit:
        field["unit"] = column.unit
    if column.personal:
        field["personal"] = True
    if column.required:
        field["constraints"] = {"required": True}
    return field
