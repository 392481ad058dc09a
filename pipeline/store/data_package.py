"""The tables' description as a Frictionless data package, for tools that read one (https://datapackage.org).

It lies beside the tables as `datapackage.json`: in every snapshot, and so under `latest/`, and in every export.
"""

import json
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.schema.columns import TABLES, Column, ColumnType
from pipeline.schema.relations import RELATIONS
from pipeline.store.durable import FileHashes, file_sha256, sync_and_hash
from pipeline.store.layout import harvest_day
from pipeline.store.parquet_files import numbers_of_rows, read_columns

FILE: Final = "datapackage.json"
INDEX: Final = "index.json"

LICENCE: Final = (
    "The portal states no licence; its texts and figures are the Bangkok Metropolitan Administration's: "
    "name it as the source."
)
LICENCE_TH: Final = "เว็บไซต์ไม่ได้ระบุสัญญาอนุญาต ข้อความและตัวเลขเป็นของกรุงเทพมหานคร โปรดอ้างอิงเป็นแหล่งที่มา"

_TYPES: Final[dict[ColumnType, str]] = {
    "string": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "date": "date",
    "instant": "datetime",
}


def data_package(folder: Path, harvest_id: str, portal: str, *, form: str = "parquet") -> dict[str, Any]:
    """The package of the state whose files lie in a folder: a resource a table, with its keys, relations and hash.

    form: `parquet` or `csv`. Nothing of the present hour is in it: the same files give the same package.
    """
    day, time = harvest_id[:8], harvest_id[9:15]
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": "bma-progress",
        "title": "Progress of the projects of the Bangkok Metropolitan Administration",
        "description": "What the portal said on one night. Columns marked `personal` hold personal data.",
        "version": harvest_id,
        "created": f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}Z",
        "licenses": [{"name": "notspecified", "title": LICENCE}],
        "sources": [{"title": "Project-progress portal, Bangkok Metropolitan Administration", "path": portal}],
        "resources": [
            _resource(folder / f"{name}.{form}", name, form) for name in TABLES if (folder / f"{name}.{form}").is_file()
        ],
    }


def write_data_package(folder: Path, harvest_id: str, portal: str, *, form: str = "parquet") -> Path:
    """Write the package beside the tables that lie in a folder; returns its file."""
    package = data_package(folder, harvest_id, portal, form=form)
    file = folder / FILE
    file.write_text(json.dumps(package, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return file


def index_of(
    folder: Path,
    harvest_id: str,
    portal: str,
    hashes: FileHashes | None = None,
    rows: Mapping[str, int] | None = None,
) -> bytes:
    """What a program needs to fetch the tables of a folder: the portal, the night, each file's rows, bytes and hash.

    hashes, rows: of its files and tables, if they are known; otherwise they are read from the files
    """
    files = [file for name in TABLES if (file := folder / f"{name}.parquet").is_file()]
    hashes = hashes or sync_and_hash(files)
    rows = rows or numbers_of_rows(files)
    tables = {file.stem: {"file": file.name, "rows": rows[file.stem], **hashes[file.name]} for file in files}
    file = folder / "changes.parquet"
    changes = {"changes": _nights_of_changes(file)} if file in files else {}
    night = f"{harvest_day(harvest_id)}"
    content = {"portal": portal, "harvest_id": harvest_id, "night": night, "tables": tables, **changes}
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _nights_of_changes(file: Path) -> list[dict[str, Any]]:
    """The nights that changed something, oldest first, with how many rows of `changes` each has, and the next one."""
    found = read_columns(file, ["harvest_id"])["harvest_id"].value_counts().to_pylist()
    counts = {one["values"]: one["counts"] for one in found}
    ids = sorted(counts)
    return [
        {"harvest_id": id_, "night": f"{harvest_day(id_)}", "rows": counts[id_], "next": following}
        for id_, following in zip_longest(ids, ids[1:])
    ]


def says_of_tables(index: dict[str, Any]) -> dict[str, Any]:
    """What an index states of the tables beside it; a newer version may say more. Raises KeyError, TypeError."""
    return {name: index[name] for name in ("portal", "harvest_id", "night", "tables")}


def says_of_files(package: dict[str, Any]) -> dict[str, Any]:
    """What a package states about the files beside it, without the descriptions, which a newer version may change.

    Raises KeyError, TypeError where another program wrote it.
    """
    return {
        "version": package["version"],
        "sources": package["sources"],
        "files": {
            one["path"]: [(field["name"], field["type"]) for field in one["schema"]["fields"]]
            for one in package["resources"]
        },
    }


def _resource(file: Path, name: str, form: str) -> dict[str, Any]:
    table = TABLES[name]
    schema: dict[str, Any] = {
        "fields": [_field(column, form) for column in table.columns],
        "primaryKey": list(table.key),
    }
    keys = [
        {"fields": list(one.columns), "reference": {"resource": one.parent, "fields": list(one.columns)}}
        for one in RELATIONS
        if one.child == name and file.with_stem(one.parent).is_file()
    ]
    if keys:
        schema["foreignKeys"] = keys
    resource: dict[str, Any] = {
        "name": name,
        "type": "table",
        "path": file.name,
        "format": form,
        "mediatype": "text/csv" if form == "csv" else "application/vnd.apache.parquet",
        "title": table.description,
        "schema": schema,
    }
    if form == "csv":  # of Parquet the standard's own tool counts no bytes, and would say that they are wrong
        resource["bytes"] = file.stat().st_size
        resource["hash"] = f"sha256:{file_sha256(file)}"
        # the byte order mark is what tells Excel that the Thai is UTF-8
        resource["encoding"] = "utf-8-sig"
        resource["description"] = (
            "A text that begins like a formula, or with an apostrophe, has an apostrophe before it."
        )
    return resource


def _field(column: Column, form: str) -> dict[str, Any]:
    # in our Parquet files a day is the midnight that begins it, so that pandas reads it as a date
    kind = "datetime" if column.type == "date" and form == "parquet" else _TYPES[column.type]
    field: dict[str, Any] = {"name": column.name, "type": kind, "description": column.description}
    if kind == "datetime" and form == "csv":
        field["format"] = "any"  # whole seconds or parts of one, always ending in Z
    if column.label_th:
        field["title"] = column.label_th
    if column.unit:
        field["unit"] = column.unit
    if column.personal:
        field["personal"] = True
    if column.required:
        field["constraints"] = {"required": True}
    return field
