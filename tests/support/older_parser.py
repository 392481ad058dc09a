"""A parser of an earlier version."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import parsers
from pipeline.harvest import commit, reading, replay, run


@contextmanager
def older_parser() -> Iterator[None]:
    """A parser that read no evaluation scores."""

    def parse_page(body: bytes, **about: Any) -> parsers.ParsedPage:
        page = parsers.parse_page(body, **about)
        for row in page.tables.get("projects", ()):
            row["evaluation_score"] = None
        return page

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "parse_bounded", parse_page)
        for module in (reading, run, replay, commit):
            patch.setattr(module, "PARSER_VERSION", "0")
        yield
