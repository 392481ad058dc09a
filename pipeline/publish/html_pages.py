"""The templates of pages: everything from the portal is escaped, and cannot reorder what stands around it."""

from functools import cache

import jinja2
from markupsafe import Markup

from pipeline.plain_text import printable


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


def _without_controls(value: object) -> object:
    """A value as a template shows it: plain text, nothing for None."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return "" if value is None else value
