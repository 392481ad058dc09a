"""The reference table of agencies, from `agencies.csv`."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Agency:
    """One agency of the administration; the name is null where no page seen has named it."""

    agency_code: str
    stem: str
    name_th: str | None


@cache
def agencies() -> tuple[Agency, ...]:
    """The departments seen on pages, and the fifty districts.

    The districts are numbered 5001 to 5050 by the portal itself, not as elsewhere, so a district that no page seen has
    named stands here without a name: one taken from another numbering would be wrong.
    """
    with (Path(__file__).parent / "agencies.csv").open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream)
        return tuple(Agency(row["agency_code"], row["agency_code"][:4], row["name_th"] or None) for row in rows)
