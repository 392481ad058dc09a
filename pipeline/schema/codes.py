"""The codes of the portal, declared once: projects, indicators, agencies.

As addresses, settings and tables have them, in Arabic digits; what pages print, in Thai digits too, is the parsers' matter.
"""

import re
from typing import Final

PROJECT_CODE: Final = re.compile(r"[0-9]{8}-[0-9]{4}", re.ASCII)
"""An agency's eight digits and a serial: `24000000-2964`."""

KPI_CODE: Final = re.compile(r"[0-9]{4}-[0-9]{3,4}", re.ASCII)
"""The first four digits of an agency's code and a serial: `2400-1013`."""

AGENCY_CODE: Final = re.compile(r"[0-9]{8}", re.ASCII)
"""An agency, such as `50240000`."""

CITY_INDICATOR_NO: Final = re.compile(r"0*[1-9][0-9]{0,3}", re.ASCII)
"""The number of an indicator of the city's development plan: `87`."""

_STEM: Final = re.compile(r"[0-9]{4}", re.ASCII)


def full_agency_code(text: str) -> str | None:
    """The eight digits of an agency given by eight digits or the first four; None for any other text."""
    text = text.strip()
    code = f"{text}0000" if _STEM.fullmatch(text) else text
    return code if AGENCY_CODE.fullmatch(code) else None


def code_of_page(page_key: str) -> str:
    """The code in a page's key: `24000000-2964` of `project/24000000-2964`, an agency's of a result list."""
    return page_key.rpartition("/")[2]


def agency_of_code(code: str) -> str:
    """The eight digits of the agency that a project's, an indicator's or its own code names: `24000000` for `2400-1013`.

    Empty for an indicator of the city's plan, which belongs to no agency.
    """
    if CITY_INDICATOR_NO.fullmatch(code):
        return ""
    return f"{code[:4]}0000" if KPI_CODE.fullmatch(code) else code[:8]


def agency_of_page(page_key: str) -> str:
    """The agency that a page belongs to, by the code in its key; see `agency_of_code`."""
    return agency_of_code(code_of_page(page_key))
