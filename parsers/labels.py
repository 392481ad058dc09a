"""The printed titles, headings and codes by which pages are told apart, taken from the declarations of their kinds."""

import re
from typing import Final

from parsers.grammar import DIGIT
from parsers.pages import kpi, project
from parsers.pages.shared import KPI_CODE, PROJECT_CODE, TARGET

__all__ = ["DIGIT", "KPI_CODE", "PROJECT_CODE"]

PROJECT_HEADINGS: Final[dict[str, str]] = {section.key: section.heading for section in project.SECTIONS}
KPI_HEADINGS: Final[dict[str, str]] = {section.key: section.heading for section in kpi.SECTIONS}

PROJECT_PAGE_TITLE: Final = project.PAGE_TITLES[0]
KPI_PAGE_TITLE: Final = kpi.PAGE_TITLES[0]
PROGRESS_LABEL: Final = "ความคืบหน้าโครงการ ร้อยละ"
TARGET_LABEL: Final = TARGET
ACHIEVED_LABEL: Final = "ผลงานที่ทำได้"
RESULT_LIST_TITLE: Final = "ผลการปฏิบัติราชการประจำปี"
RESULT_LIST_WAITS: Final = re.compile(rf"{RESULT_LIST_TITLE}\s*:?\s*(?:ของหน่วยงาน)?\s*:")  # for an agency's code
YII_CODE_LABEL: Final = "รหัสโครงการ"
YII_CODE_LINE: Final = re.compile(rf"{YII_CODE_LABEL}[\s:]*{PROJECT_CODE}")
