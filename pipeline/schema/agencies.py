"""Every agency that may exist, and what is known of it: `agencies.csv`, and `districts.csv` for the national codes.

The names in `agencies.csv` stand on pages of the portal. The districts are numbered 5001 to 5050 by the portal itself, not
as elsewhere: their national codes are found by the Thai name, never by the number.
"""

import csv
import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

_POSSIBLE: Final = (
    *(f"{number:02}000000" for number in range(1, 25)),  # departments
    *(f"04{number:02}0000" for number in range(1, 16)),  # sub-offices of the permanent secretary
    *(f"50{number:02}0000" for number in range(1, 51)),  # districts
)
"""The list of agencies is open: pages keep naming further ones. A list that is not there costs one request a week."""

_FOLDER: Final = Path(__file__).parent
NAMES_SHA256: Final = hashlib.sha256(
    b"".join((_FOLDER / file).read_bytes() for file in ("agencies.csv", "districts.csv"))
).hexdigest()
"""The hash of all names that are known."""

_DISTRICT_OFFICE: Final = re.compile(r"(?:สำนักงาน)?เขต\s*(.+)")
_KINDS: Final = (("department", re.compile(r"[0-9]{2}0{6}")), ("district", re.compile(r"50[0-9]{6}")))


@dataclass(frozen=True, slots=True)
class Agency:
    """One agency of the administration; what no page seen has named is null.

    name_en: of districts made from the national list; district_no: the national code of a district, such as 1001
    """

    agency_code: str
    name_th: str | None
    name_en: str | None
    district_no: str | None

    @property
    def kind(self) -> str:
        """`department`, `district` or `sub_office`, by the code."""
        return next((kind for kind, pattern in _KINDS if pattern.fullmatch(self.agency_code)), "sub_office")

    def row(self, *, seen: bool) -> dict[str, Any]:
        """Its row of the table `agencies`; seen: whether the portal has shown it."""
        return {**asdict(self), "kind": self.kind, "seen": seen}


def agency_rows(seen: Collection[str], printed_names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows of the table `agencies`: all that may exist, and those whose codes the portal has shown, by code.

    printed_names: the names on the portal's pages, by code
    """
    codes = sorted({*seen, *_known(), *_POSSIBLE})
    return [agency(code, printed_names.get(code)).row(seen=code in seen) for code in codes]


@cache
def agencies() -> tuple[Agency, ...]:
    """All agencies that may exist: departments, sub-offices, districts; those that pages named have a name."""
    codes = sorted({*_known(), *_POSSIBLE})
    return tuple(agency(code) for code in codes)


@cache
def agencies_by_code() -> Mapping[str, Agency]:
    """All agencies that may exist, by code."""
    return {agency.agency_code: agency for agency in agencies()}


def agency(code: str, printed_name: str | None = None) -> Agency:
    """What is known of an agency; printed_name: its name on the portal's pages, which wins over the one known here."""
    known_name, name_en = _known().get(code, (None, None))
    name_th = printed_name or known_name
    office = _DISTRICT_OFFICE.fullmatch(name_th or "") if code.startswith("50") else None
    district_no, district = _districts().get(office[1], (None, None)) if office else (None, None)
    return Agency(code, name_th, name_en or (f"{district} District Office" if district else None), district_no)


@cache
def _known() -> dict[str, tuple[str | None, str | None]]:
    return {row["agency_code"]: (row["name_th"] or None, row["name_en"] or None) for row in _rows("agencies.csv")}


@cache
def _districts() -> dict[str, tuple[str, str]]:
    return {row["name_th"]: (row["district_no"], row["name_en"]) for row in _rows("districts.csv")}


def _rows(file: str) -> list[dict[str, str]]:
    with (_FOLDER / file).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
