"""What keeps commands quick to start."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _NoPandas(MetaPathFinder):
    """Finds that pandas is not installed, and leaves every other module to the usual finders."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise ModuleNotFoundError for pandas."""
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is not imported for pyarrow alone", name=fullname)
        return None


def import_arrow_without_pandas() -> None:
    """Import pyarrow without pandas, which it would import for its first array: half a second, and commands make no frame.

    pyarrow asks for pandas once to know frames when it sees them. It still finds pandas when it has to make a frame.
    """
    if "pandas" in sys.modules or "pyarrow" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        import pyarrow as pa

        pa.scalar(0)
    finally:
        sys.meta_path.remove(finder)
