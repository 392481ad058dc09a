"""The kinds of pages that feed tables, declared once: which key column their records have."""

from typing import Final

OWNER_OF_KIND: Final = {
    "project": "project_code",
    "yii_project": "project_code",
    "kpi": "kpi_code",
    "result_list": "agency_code",
    "city_indicator": "indicator_no",
}
"""Kind of page → the first key column of the tables that it feeds. Of two kinds of one owner the first one's values count."""

RECORD_KINDS: Final = tuple(kind for kind in OWNER_OF_KIND if kind != "result_list")
"""The kinds of pages that show one record, and are requested in every harvest; lists are requested by agency."""
