"""Fetching, keeping and comparing: plain functions and small classes, usable from a notebook without Prefect."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.api import Store, open_store

__all__ = ["Store", "open_store"]


def __getattr__(name: str) -> Any:
    # the store imports pandas: code that only needs a setting or an error does not wait for it
    if name in __all__:
        from pipeline import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
