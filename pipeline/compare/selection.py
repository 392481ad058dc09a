"""Choose some of the changes of a comparison: by meaning, agency or code, or the most severe ones."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.compare.classify import DETAILS, MEANINGS, meaning_order
from pipeline.errors import BmaProgressError, not_a_record_code
from pipeline.schema.codes import KPI_CODE, PROJECT_CODE, full_agency_code


def select(
    changes: pa.Table, *, meanings: Sequence[str] = (), agencies: Sequence[str] = (), codes: Sequence[str] = ()
) -> pa.Table:
    """The changes of any of the meanings or details, of any of the agencies, and of any of the codes, where some are given.

    agencies: 8 digits or the first 4; codes: of projects and indicators. Raises BmaProgressError for what is none of these.
    """
    for text in meanings:
        if text not in MEANINGS and text not in DETAILS:
            raise BmaProgressError(
                f"{text!r} is no meaning; there are {', '.join(MEANINGS)}, and the details {', '.join(DETAILS)}"
            )
    wanted_agencies = []
    for text in agencies:
        if (agency := full_agency_code(text)) is None:
            raise BmaProgressError(f"{text!r} is no agency's code, such as 24000000 or 2400")
        wanted_agencies.append(agency)
    for text in codes:
        if not (PROJECT_CODE.fullmatch(text) or KPI_CODE.fullmatch(text)):
            raise not_a_record_code(text)
    for columns, wanted in (
        (("meaning", "detail"), meanings),
        (("agency_code",), wanted_agencies),
        (("project_code", "kpi_code"), codes),
    ):
        if wanted:
            values = pa.array(wanted, pa.string())
            chosen = pc.is_in(changes[columns[0]], value_set=values)
            for column in columns[1:]:
                chosen = pc.or_(chosen, pc.is_in(changes[column], value_set=values))
            if "project_code" in columns:  # a record with another code is found by its earlier one, too
                earlier = pc.and_(
                    pc.is_in(changes["before"], value_set=values),
                    pc.fill_null(pc.equal(changes["detail"], "recoded"), False),
                )
                chosen = pc.or_(chosen, earlier)
            changes = changes.filter(chosen)
    return changes


def most_severe(changes: pa.Table, limit: int) -> pa.Table:
    """The `limit` most severe changes, in the order that they have; parts of a record that is one of them come last."""
    if len(changes) <= limit:
        return changes
    about = changes.select(["meaning", "detail", "cause", "agency_code", "key"]).to_pylist()
    order = sorted(
        range(len(about)), key=lambda place: (about[place]["detail"] == "part_of_record", meaning_order(about[place]))
    )
    return changes.take(pa.array(sorted(order[:limit]), pa.int64()))
