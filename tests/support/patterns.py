"""Every compiled expression of a package, and texts that are built to make it slow."""

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from re import _constants, _parser  # type: ignore[attr-defined]  # the only description of an expression there is
from types import ModuleType
from typing import Any

_SIMPLE = (str, bytes, int, float, bool, type(None))


def patterns_of(package: ModuleType) -> dict[str, re.Pattern[Any]]:
    """Where each expression is kept → the expression; in modules, and in what modules declare, however deep."""
    found: dict[re.Pattern[Any], str] = {}
    seen: set[int] = set()
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        for name, value in vars(importlib.import_module(module.name)).items():
            for pattern in _inside(value, package.__name__, seen):
                found.setdefault(pattern, f"{module.name}.{name}")
    return {f"{name}:{number}": pattern for number, (pattern, name) in enumerate(found.items())}


def _inside(value: object, package: str, seen: set[int]) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
        return
    if isinstance(value, (*_SIMPLE, type, ModuleType)) or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Mapping):
        inner: list[object] = [*value.values(), *value.keys()]
    elif isinstance(value, tuple | list | set | frozenset):
        inner = list(value)
    elif type(value).__module__.startswith(package):
        for name, member in vars(type(value)).items():
            if isinstance(member, cached_property):  # compiled when it is first asked for
                getattr(value, name)
        slots = [slot for base in type(value).__mro__ for slot in getattr(base, "__slots__", ())]
        inner = [*vars(value).values()] if hasattr(value, "__dict__") else []
        inner += [getattr(value, slot, None) for slot in slots]
    elif hasattr(value, "__self__"):
        inner = [value.__self__]
    else:
        return
    for one in inner:
        yield from _inside(one, package, seen)


def tokens_of(pattern: re.Pattern[Any]) -> list[str]:
    """Pieces of what the expression looks for: each alone, and all beginnings of a whole match."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    pieces = list(_pieces(_parser.parse(text, pattern.flags & ~re.UNICODE)))
    beginnings = ["".join(pieces[:end]) for end in range(1, len(pieces) + 1)]
    short = [beginnings[place] for place in range(0, len(beginnings), max(1, len(beginnings) // 12))]
    return sorted({token for token in (*pieces[:40], *short, *beginnings[-1:], " ", "\n", "ก", "9") if token}, key=len)


def _pieces(parsed: Any) -> Iterator[str]:
    for kind, value in parsed:
        if kind in (_constants.LITERAL, _constants.NOT_LITERAL):
            yield chr(value) if kind is _constants.LITERAL else "a"
        elif kind is _constants.IN:
            yield _member(value)
        elif kind is _constants.ANY:
            yield "a"
        elif kind is _constants.BRANCH:
            for branch in value[1]:
                yield from _pieces(branch)
        elif kind in (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT):
            yield from _pieces(value[2])
        elif kind is _constants.SUBPATTERN:
            yield from _pieces(value[3])
        elif kind is _constants.ATOMIC_GROUP:
            yield from _pieces(value)
        elif kind in (_constants.ASSERT, _constants.ASSERT_NOT):
            yield from _pieces(value[1])


def _member(members: list[Any]) -> str:
    kind, value = members[0]
    if kind is _constants.LITERAL:
        return chr(value)
    if kind is _constants.RANGE:
        return chr(value[0])
    if kind is _constants.NEGATE:
        return "ข"
    return {"CATEGORY_DIGIT": "7", "CATEGORY_SPACE": " "}.get(str(value), "a")
