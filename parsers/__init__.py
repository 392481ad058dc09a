"""Pages of the portal to records: bytes in, rows and remarks out. No network, no disk, no clock."""

from parsers.parse import PARSER_VERSION, ParsedPage, facts_sha256, parse_page

__all__ = ["PARSER_VERSION", "ParsedPage", "facts_sha256", "parse_page"]
