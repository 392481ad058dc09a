"""The templates of pages: everything from the portal is escaped, and cannot reorder what stands around it."""

import sys
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket
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
        bytecode_cache=_CompiledTemplates(str(Path(str(files(package))) / "templates" / "__pycache__")),
    )


class _CompiledTemplates(jinja2.FileSystemBytecodeCache):
    """Compiled templates, kept beside them as Python keeps compiled modules: to compile those of a report takes 0.2 s."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        if not sys.dont_write_bytecode:
            with suppress(OSError):  # only the folder's owner may write there
                Path(self.directory).mkdir(exist_ok=True)
                super().dump_bytecode(bucket)


def _without_controls(value: object) -> object:
    """A value as a template shows it: plain text, nothing for None."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return "" if value is None else value
