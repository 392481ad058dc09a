"""The group of commands: what `--help` lists, and where each is defined."""

from importlib import import_module

import click
import pytest

from flows.cli import cli
from flows.cli.app import MODULES


@pytest.mark.parametrize("module", MODULES)
def test_each_module_defines_the_commands_declared_for_it(module: str) -> None:
    defined = {
        value.name for value in vars(import_module(f"flows.cli.{module}")).values() if isinstance(value, click.Command)
    }
    assert defined == set(MODULES[module])


def test_a_command_that_is_not_there_is_none() -> None:
    assert cli.get_command(click.Context(cli), "mend") is None


def test_rare_options_stand_at_the_end_of_the_help() -> None:
    command = cli.get_command(click.Context(cli), "harvest")
    assert command
    usual, _, advanced = command.get_help(click.Context(command, info_name="harvest")).partition("Advanced options:")
    assert "--portal" in usual
    assert "--no-robots" not in usual
    assert "--no-robots" in advanced
    assert "--help" in usual
