"""The version of the parser, known without loading it."""

from typing import Final

PARSER_VERSION: Final = "10"
"""Changes whenever the same bytes can give other rows."""
