"""The command line, one module for each group of commands. Importing it loads no command and no library but click."""

from flows.cli.app import cli, main

__all__ = ["cli", "main"]
