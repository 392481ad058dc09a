"""Pages of the portal to records: bytes in, rows and remarks out. No network, no disk, no clock."""

from typing import TYPE_CHECKING, Any

from parsers.version import PARSER_VERSION

if TYPE_CHECKING:
    from parsers.parse import ParsedPage, facts_sha256, parse_page

__all__ = ["PARSER_VERSION", "ParsedPage", "facts_sha256", "parse_page"]


def __getattr__(name: str) -> Any:
    # the parser compiles its declarations: who only asks for its version does not wait for that
    if name in __all__:
        from parsers import parse

        return getattr(parse, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
