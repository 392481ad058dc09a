"""Give one edit as one difference where the tables hold its value several times, or rows that belong to another row."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from pipeline.compare.changes import Difference
from pipeline.compare.classify import Meaning

DERIVED: Final[dict[tuple[str, str], str]] = {
    ("projects", "fiscal_year_ce"): "fiscal_year_be",
    ("projects", "unit_code_second"): "unit_code",
    ("contacts", "contact_name"): "contact",
    ("contacts", "contact_phone"): "contact",
    ("project_strategies", "level"): "strategy_code",
    ("city_indicator_strategies", "level"): "strategy_code",
}
"""Table and column → the column of the same row that it follows from."""

PRINTED_ONCE: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("project_strategies", "plan"): ("project_code",),
    ("city_indicator_strategies", "plan"): ("indicator_no",),
    ("result_list_items", "dimension_no"): ("agency_code", "list_name"),
    ("result_list_items", "dimension_name"): ("agency_code", "list_name"),
}
"""Table and column → the key of the page that prints the value once for several rows."""

PART_OF: Final[dict[str, str]] = {
    "project_kpi_quarters": "project_kpis",
    "result_list_links": "result_list_items",
    "result_list_quarters": "result_list_items",
}
"""Table → the table whose row its rows belong to."""


class SingleRows:
    """Filters the differences of the tables of one comparison, which come in the order of RECORD_TABLES."""

    def __init__(self) -> None:
        self._whole: set[tuple[str, str, tuple[Any, ...]]] = set()

    def of(self, found: Iterable[Difference]) -> Iterator[Difference]:
        """The differences of one table: without those that follow from others, with parts of a whole row marked."""
        found = list(found)
        changed = {(_identity(one), one.column): one for one in found}
        seen: set[tuple[Any, ...]] = set()
        for one in found:
            source = DERIVED.get((one.table, one.column or ""))
            if source and (cause := changed.get((_identity(one), source))) and _follows(one, cause):
                continue
            if page := PRINTED_ONCE.get((one.table, one.column or "")):
                value = (one.column, *(one.key[name] for name in page), one.before, one.after)
                if value in seen:
                    continue
                seen.add(value)
            if one.column is None:
                self._whole.add((one.table, one.change, _identity(one)))
                one = self._as_part(one)
            yield one

    def _as_part(self, one: Difference) -> Difference:
        owner = PART_OF.get(one.table)
        if owner is None or (owner, one.change, _identity(one)[:-1]) not in self._whole:
            return one
        return one._replace(meaning=Meaning("other", "part_of_record"))


def _identity(one: Difference) -> tuple[Any, ...]:
    return tuple(one.key.values())


def _follows(one: Difference, cause: Difference) -> bool:
    """Whether a value changed only because its source did; the halves of the unit pair are printed both."""
    return one.column != "unit_code_second" or (one.before, one.after) == (cause.before, cause.after)
