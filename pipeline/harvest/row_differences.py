"""Rows as a file has them beside rows as they should be: each difference as a sentence with key, column and both values."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from pipeline.store.verify_bytes import RESTORE, VerifyProblem

_SHOWN: Final = 20  # of one file
_EXCERPT: Final = 120  # characters of a value


class Found:
    """What was found wrong in the files of one harvest; beyond the first of each file only their number is kept."""

    def __init__(self) -> None:
        self._shown: dict[str, list[str]] = {}
        self._more: Counter[str] = Counter()

    def add(self, name: str, sentences: Iterable[str]) -> None:
        """Add what is wrong with the file of a table."""
        shown = self._shown.setdefault(name, [])
        for sentence in sentences:
            if len(shown) < _SHOWN:
                shown.append(sentence)
            else:
                self._more[name] += 1

    def problems(self, folder: str) -> Iterator[VerifyProblem]:
        """All of it, file by file."""
        for name, sentences in self._shown.items():
            where = f"{folder}/{name}.parquet"
            for what in sentences:
                yield VerifyProblem(where, what, RESTORE)
            if more := self._more[name]:
                yield VerifyProblem(where, f"{more:,} more differences in this file", RESTORE)


def row_differences(
    key: Sequence[str], kept: pa.Table, expected: Iterable[Mapping[str, Any]], source: str
) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Each difference between the rows of a file and those that there should be: the row's key, and a sentence.

    key: the columns by which rows are paired; of several with one key the first goes with the first
    source: what gives the expected rows, such as `the stored page`. Only columns that the file has are compared.
    """
    columns = kept.column_names
    stored, wanted = _by_key(key, kept.to_pylist()), _by_key(key, expected)
    for identity in sorted(stored.keys() | wanted.keys(), key=str):
        name = ", ".join(f"{column}={value}" for column, value in zip(key, identity, strict=False))
        if identity not in wanted:
            yield identity, f"{name}: a row that {source} does not give"
        elif identity not in stored:
            yield identity, f"{name}: the row is missing that {source} gives"
        else:
            row, right = stored[identity], wanted[identity]
            for column in columns:
                if row[column] != right[column]:
                    yield identity, value_differs(name, column, row[column], right[column], source)


def value_differs(name: str, column: str, value: object, right: object, source: str) -> str:
    """The sentence for one value that is not what it should be."""
    value, right = str(value)[:_EXCERPT], str(right)[:_EXCERPT]
    return f"{name}: {column} is {value}, but {source} gives {right}"


def _by_key(key: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    """The rows by key and by how many rows with this key came before."""
    seen: Counter[tuple[Any, ...]] = Counter()
    found = {}
    for row in rows:
        identity = tuple(row[column] for column in key)
        found[*identity, seen[identity]] = row
        seen[identity] += 1
    return found
