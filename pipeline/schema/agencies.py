"""The reference table of agencies: the names of `agencies.csv`, and every code that an agency may have."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_POSSIBLE: Final = (
    *(f"{number:02}000000" for number in range(1, 25)),  # departments
    *(f"04{number:02}0000" for number in range(1, 16)),  # sub-offices of the permanent secretary
    *(f"50{number:02}0000" for number in range(1, 51)),  # districts
)
"""The list of agencies is open: pages keep naming further ones. A list that is not there costs one request a week."""


@dataclass(frozen=True, slots=True)
class Agency:
    """One agency of the administration; the name is null where no page seen has named it."""

    agency_code: str
    stem: str
    name_th: str | None


@cache
def agencies() -> tuple[Agency, ...]:
    """All agencies that may exist: departments, sub-offices, districts; those that pages named have a name.

    The districts are numbered 5001 to 5050 by the portal itself, not as elsewhere, so a district that no page seen has
    named stands here without a name: one taken from another numbering would be wrong.
    """
    with (Path(__file__).parent / "agencies.csv").open(encoding="utf-8", newline="") as stream:
        names = {row["agency_code"]: row["name_th"] or None for row in csv.DictReader(stream)}
    codes = sorted({*names, *_POSSIBLE})
    return tuple(Agency(code, code[:4], names.get(code)) for code in codes)
