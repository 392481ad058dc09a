"""The templates of pages: everything from the portal is escaped, and cannot reorder what stands around it."""

import re
from functools import cache
from typing import Final

import jinja2
from markupsafe import Markup

_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


@cache
def html_environment(package: str) -> jinja2.Environment:
    """The environment of the templates in a package's folder `templates`."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_without_controls,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def plain_text(text: str) -> str:
    """The text with `�` for direction and control characters: one from the portal could reorder what stands around it."""
    return _CONTROL.sub("\ufffd", text)


def _without_controls(value: object) -> object:
    """A value as a template shows it: plain text, nothing for None."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return plain_text(value)
    return "" if value is None else value
