"""The codes of the portal, declared once: projects, indicators, agencies."""

import re
from typing import Final

PROJECT_CODE: Final = re.compile(r"[0-9]{8}-[0-9]{4}", re.ASCII)
"""An agency's eight digits and a serial: `24000000-2964`."""

KPI_CODE: Final = re.compile(r"[0-9]{4}-[0-9]{3,4}", re.ASCII)
"""The first four digits of an agency's code and a serial: `2400-1013`."""

AGENCY_CODE: Final = re.compile(r"[0-9]{8}", re.ASCII)
"""An agency, such as `50240000`."""

_STEM: Final = re.compile(r"[0-9]{4}", re.ASCII)


def full_agency_code(text: str) -> str | None:
    """The eight digits of an agency given by eight digits or the first four; None for any other text."""
    text = text.strip()
    code = f"{text}0000" if _STEM.fullmatch(text) else text
    return code if AGENCY_CODE.fullmatch(code) else None
