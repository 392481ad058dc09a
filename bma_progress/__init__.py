"""What users of bma-progress import.

>>> from bma_progress import open_store
>>> store = open_store("data/demo")

Each name is loaded when it is first used, and Prefect never. The packages `pipeline` and `parsers` are loaded from the folder
beside this one, so that a `pipeline.py` beside a notebook does not replace them.
"""

import sys
from importlib import import_module
from importlib.metadata import version
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parsers import ParsedPage, parse_page
    from pipeline.api import AsOf, Store, most_rewritten, not_reported, open_store, timeline_text, write_evidence
    from pipeline.errors import BmaProgressError
    from pipeline.publish.thai_words import words_of
    from pipeline.schema.plan_vs_actual import planned_percent

    __version__: str

__all__ = [
    "AsOf",
    "BmaProgressError",
    "ParsedPage",
    "Store",
    "__version__",
    "most_rewritten",
    "not_reported",
    "open_store",
    "parse_page",
    "planned_percent",
    "timeline_text",
    "words_of",
    "write_evidence",
]

_MODULES = {
    "BmaProgressError": "pipeline.errors",
    "ParsedPage": "parsers",
    "parse_page": "parsers",
    "planned_percent": "pipeline.schema.plan_vs_actual",
    "words_of": "pipeline.publish.thai_words",
}
"""Where a name comes from, if not from `pipeline.api`."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("bma-progress")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for package in ("parsers", "pipeline"):
        _load(package)
    return getattr(import_module(_MODULES.get(name, "pipeline.api")), name)


def __dir__() -> list[str]:
    return __all__


def _load(package: str) -> None:
    """Load one of the packages beside this one. Raises ImportError where another module of its name is loaded already."""
    file = Path(__file__).resolve().parents[1] / package / "__init__.py"
    if (loaded := sys.modules.get(package)) is not None:
        if Path(loaded.__file__ or "").resolve() == file:
            return
        raise ImportError(
            f"{loaded.__file__ or package} is loaded under the name {package!r}, which bma_progress needs for a package of "
            "its own; rename that file, or import from bma_progress before it"
        )
    spec = spec_from_file_location(package, file, submodule_search_locations=[str(file.parent)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} cannot be loaded; install bma-progress again")
    module = sys.modules[package] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[package]
        raise
