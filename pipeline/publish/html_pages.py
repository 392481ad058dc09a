"""The templates of pages: everything from the portal is escaped, and cannot reorder what stands around it."""

import os
import sys
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from importlib.util import cache_from_source
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
        bytecode_cache=_CompiledTemplates(),
    )


class _CompiledTemplates(jinja2.BytecodeCache):
    """Compiled templates, kept beside them as Python keeps compiled modules: to compile those of a report takes 0.2 s."""

    def get_bucket(self, environment: jinja2.Environment, name: str, filename: str | None, source: str) -> Bucket:
        options = environment.autoescape, environment.trim_blocks, environment.lstrip_blocks
        return super().get_bucket(environment, name, filename, f"{version('jinja2')} {options} {source}")

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        return filename or name

    def load_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError, EOFError, ValueError), _compiled(bucket).open("rb") as stream:
            bucket.load_bytecode(stream)

    def dump_bytecode(self, bucket: Bucket) -> None:
        if sys.dont_write_bytecode:
            return
        file = _compiled(bucket)
        new = file.with_name(f"{file.name}.{os.getpid()}")  # another process may read or write the file
        with suppress(OSError):  # only the folder's owner may write there
            file.parent.mkdir(exist_ok=True)
            new.write_bytes(bucket.bytecode_to_string())
            new.replace(file)


def _compiled(bucket: Bucket) -> Path:
    return Path(cache_from_source(bucket.key))


def _without_controls(value: object) -> object:
    """A value as a template shows it: plain text, nothing for None."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return "" if value is None else value
