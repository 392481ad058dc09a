"""Which portals are harvested together: a TOML file with one [[harvest]] table each."""

import tomllib
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from pipeline.errors import SettingsError
from pipeline.harvest.request import HarvestRequest

_LISTS: Final = ("pages", "agencies", "probe")


def read_backfill(file: Path) -> list[HarvestRequest]:
    """The requests a file names; each table has settings, and what else `harvest` can be asked for.

    Raises SettingsError that names the table, for a wrong value and for two tables with one store.
    """
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8-sig")).get("harvest")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or error
        raise SettingsError(f"{file} cannot be read ({why}); write one [[harvest]] table for each portal") from None
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise SettingsError(f"{file} names no portal; write one [[harvest]] table for each, with portal and data")
    requests: list[HarvestRequest] = []
    stores: dict[Path, int] = {}
    for number, table in enumerate(tables, 1):
        where = f"the {_ordinal(number)} [[harvest]] of {file}"
        for needed in ("portal", "data"):
            if needed not in table:
                raise SettingsError(f"{where} has no {needed!r}; each portal needs its own address and store")
        try:
            request = _request(table)
            settings, _ = request.load()
        except (SettingsError, ValueError) as error:
            raise SettingsError(f"{where}: {_sentence(error)}") from None
        store = settings.data.resolve()
        if store in stores:
            raise SettingsError(f"{where} has the store of the {_ordinal(stores[store])}; one store holds one portal")
        stores[store] = number
        requests.append(request)
    return requests


def _request(table: dict[str, Any]) -> HarvestRequest:
    own = {name: table[name] for name in HarvestRequest.__dataclass_fields__ if name in table and name != "settings"}
    for name in _LISTS:
        if isinstance(own.get(name), str):
            own[name] = [part.strip() for part in own[name].split(",") if part.strip()]
    settings = {name: value for name, value in table.items() if name not in own}
    return TypeAdapter(HarvestRequest).validate_python({"settings": settings, **own})


def _sentence(error: Exception) -> str:
    """Pydantic's account of a wrong value as one line, or the error's own."""
    errors = getattr(error, "errors", None)
    if errors is None:
        return str(error)
    sentences = (
        ": ".join(filter(None, (".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, "))))
        for one in errors()
    )
    return "; ".join(sentences)


def _ordinal(number: int) -> str:
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
