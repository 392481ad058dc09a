"""What keeps commands quick to start."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _Hidden(MetaPathFinder):
    """Finds that one module is not installed, and leaves every other to the usual finders."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise ModuleNotFoundError for the module."""
        if fullname == self._name:
            raise ModuleNotFoundError(f"{fullname} is not imported for what does without", name=fullname)
        return None


@contextmanager
def hidden(name: str) -> Iterator[None]:
    """Let a library that uses another one only where it is installed do without, unless that one is loaded already."""
    finder = _Hidden(name)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def import_arrow_without_pandas() -> None:
    """Import pyarrow without pandas, which it would import for its first array: half a second, and commands make no frame.

    pyarrow asks for pandas once to know frames when it sees them. It still finds pandas when it has to make a frame.
    """
    if "pandas" not in sys.modules:
        with hidden("pandas"):
            import pyarrow as pa

            pa.scalar(0)
