"""Libraries that only some installations have, each installed by an extra of the package."""

from importlib import import_module
from typing import Any

from pipeline.errors import BmaProgressError


def import_extra(module: str, name: str, extra: str) -> Any:
    """The module. name: what people call the library. Raises BmaProgressError with the command that installs it."""
    try:
        return import_module(module)
    except ImportError:
        raise BmaProgressError(f"this needs {name}; get it with: pip install 'bma-progress[{extra}]'") from None


def import_duckdb() -> Any:
    """The module duckdb. Raises BmaProgressError where it is not installed."""
    return import_extra("duckdb", "DuckDB", "sql")
