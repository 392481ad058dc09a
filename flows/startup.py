"""What keeps commands and servers quick to start."""

import gc
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.machinery import EXTENSION_SUFFIXES
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_M_TRIM_THRESHOLD: Final = -1  # of malloc.h
_M_MMAP_THRESHOLD: Final = -3


class _Hidden:
    """Finds that one module is not installed, and leaves every other to the usual finders."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
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


def collect_garbage_rarely() -> None:
    """Have Python look for garbage after 50,000 new objects, not after each 700.

    Imports make classes and functions by the thousand, and none of them is garbage: of a start that is a sixth, of a
    harvest with its start a twelfth of the CPU. Memory without cycles is freed at once as ever.
    """
    gc.set_threshold(50_000, 20, 20)


def keep_freed_memory() -> None:
    """Have glibc keep up to 16 MiB of freed memory for the next page, not give it back to the system after each.

    The tree of a page takes some 200 KiB. To fetch them from the system anew for each page was a third of a harvest's time
    in the kernel: 164,000 page faults for 2,500 pages, 58,000 so. The most memory that a harvest takes stays the same.
    """
    import ctypes

    with suppress(AttributeError, OSError, TypeError):  # another C library, which has no such setting
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_TRIM_THRESHOLD, 16 << 20)
        mallopt(_M_MMAP_THRESHOLD, 4 << 20)


def import_arrow_without_pandas() -> None:
    """Import pyarrow without pandas, which it would import for its first array: half a second, and commands make no frame.

    pyarrow asks for pandas once to know frames when it sees them. It still finds pandas when it has to make a frame.
    It takes its memory by jemalloc: a commit then needs a fifth less CPU and a quarter less memory. The numpy that it imports
    starts no threads for matrices, which nothing here multiplies: they are half of what importing it costs.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if EXTENSION_SUFFIXES[0].endswith("-x86_64-linux-gnu.so"):  # elsewhere pyarrow may lack it, and would complain
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
    if "pandas" not in sys.modules:
        # it asks for cloudpickle, where that is installed, to pickle what nobody here pickles
        with hidden("pandas"), hidden("cloudpickle"):
            import pyarrow as pa

            pa.scalar(0)


def import_httpx_without_its_command() -> None:
    """Import httpx without its command `httpx`, for which it would import rich and pygments where they are installed."""
    if "httpx" not in sys.modules:
        with hidden("pygments"):
            import httpx  # noqa: F401
