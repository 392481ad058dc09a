"""Which way an indicator's target points, and how far it was reached.

One rule for every table, notebook and document: attainment is result by target in percent. Where less is better, or the
target is no positive number, nothing is computed: in units of "reduced by" nobody can tell the part from what is left.
"""

import re
from typing import Final

import pyarrow as pa

from pipeline.schema.agencies import agency
from pipeline.schema.codes import agency_of_code

_WORDS: Final = (  # in this order: "not less than" contains "less than"
    ("more", re.compile("ไม่น้อยกว่า|ไม่ต่ำกว่า")),
    ("less", re.compile("ไม่มากกว่า|ไม่สูงกว่า|ไม่เกิน")),
    ("more", re.compile("อย่างน้อย|มากกว่า|สูงกว่า|ขึ้นไป|เพิ่ม|[>≥＞]")),
    ("less", re.compile("อย่างมาก|น้อยกว่า|ต่ำกว่า|ลด|[<≤＜]")),
)


def target_direction(unit: str | None) -> str | None:
    """`more` or `less` is better, by the words of the unit (`ลดลงร้อยละ`, `>ร้อยละ`); None where none says so."""
    return next((direction for direction, words in _WORDS if words.search(unit or "")), None)


def attainment_percent(unit: str | None, target: float | None, achieved: float | None) -> float | None:
    """The result as a share of the target, in percent; None where it cannot be computed."""
    if target is None or achieved is None or target <= 0 or target_direction(unit) == "less":
        return None
    return round(100 * achieved / target, 4)


def is_attained(unit: str | None, target: float | None, achieved: float | None) -> bool:
    """Whether the target was reached, as far as that can be computed."""
    share = attainment_percent(unit, target, achieved)
    return share is not None and share >= 100


def computed_columns(kpis: pa.Table) -> dict[str, pa.Array]:
    """The derived columns of the table `kpis`, from its facts."""
    codes = list(map(agency_of_code, kpis["kpi_code"].to_pylist()))
    units, targets, results = (kpis[name].to_pylist() for name in ("unit", "target_value", "achieved_value"))
    shares = [attainment_percent(*row) for row in zip(units, targets, results, strict=True)]
    return {
        "agency_code": pa.array(codes, pa.string()),
        "agency_name": pa.array([agency(code).name_th for code in codes], pa.string()),
        "target_direction": pa.array([target_direction(unit) for unit in units], pa.string()),
        "attainment_percent": pa.array(shares, pa.float64()),
    }
