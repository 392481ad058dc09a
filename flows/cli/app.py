"""The group of all commands, with their exit statuses and error messages."""

import errno
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from flows.cli.memory import limit_memory
from flows.cli.options import EPILOG, VERBOSITY, verbosity_options
from flows.startup import collect_garbage_rarely
from pipeline.errors import BmaProgressError, damaged_table, first_line, refused_by_machine
from pipeline.plain_text import complain, say

MODULES: Final = {
    "harvest": ("harvest", "backfill", "serve", "demo"),
    "probe": ("probe",),
    "read": ("parse", "status", "export", "sql", "dictionary"),
    "compare": ("diff", "report", "history"),
    "browse": ("browse", "site"),
    "prove": ("verify", "head", "evidence", "replay", "compact", "migrate", "set-aside"),
}
"""Each module of `flows.cli` with its commands; one is imported when a command of it is asked for."""


_WITH_THEIR_OWN_PROGRESS: Final = frozenset((*MODULES["harvest"], *MODULES["probe"]))


_READING: Final = frozenset(name for module in ("read", "compare", "browse", "prove") for name in MODULES[module])
_MISNAMED: Final = frozenset((errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP))
"""What is wrong where a user names a file for a folder, a folder for a file, or what no file system takes for a name."""
_WIDEST_HELP: Final = 110  # columns


class _LazyCommands(click.Group):
    """The commands, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(name for names in MODULES.values() for name in names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for module, names in MODULES.items():
            if cmd_name in names:
                command: click.Command = getattr(import_module(f"flows.cli.{module}"), cmd_name.replace("-", "_"))
                command.epilog = command.epilog or "Exit status: 0 done, 2 trouble."
                if not any(option.name == "quiet" for option in command.params):
                    verbosity_options(command)
                return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            from difflib import get_close_matches

            close = get_close_matches(args[0], self.list_commands(ctx), n=1)
            raise click.UsageError(
                f"there is no command {args[0]!r}{f'; did you mean {close[0]}?' if close else ''}", ctx
            )
        name, command, rest = super().resolve_command(ctx, args)
        if name in _READING:
            limit_memory()
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader of our output has closed the pipe; click would make it a failure
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(0) from None


@click.group(
    cls=_LazyCommands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": _WIDEST_HELP, "show_default": True},
    epilog=EPILOG,
)
@click.version_option(package_name="bma-progress", prog_name="bma-progress")
@verbosity_options
@click.pass_context
def cli(context: click.Context) -> None:
    """Harvest the project-progress portal of the Bangkok Metropolitan Administration into Parquet tables."""
    if context.invoked_subcommand is None:
        say(context.get_help())
    elif context.invoked_subcommand not in _WITH_THEIR_OWN_PROGRESS:
        from flows.cli.waiting import Waiting
        from pipeline.progress import shown_by

        waiting = Waiting(lambda: context.meta.get(VERBOSITY, 0))
        context.call_on_close(waiting.close)
        context.with_resource(shown_by(waiting))


def main(arguments: Sequence[str] | None = None) -> Any:
    """Run the command line; a user's mistake ends in one sentence on standard error and exit status 2."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, as by `>&-`: the next file opened would get its number
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for as long as we run
    # a console without Thai letters shows another sign for them, and no traceback
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    collect_garbage_rarely()
    os.umask(os.umask(0o022) | 0o002)  # others may never write what is made here, such as folders of caches
    try:
        return cli.main(args=arguments, standalone_mode=False, terminal_width=_help_width())
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except (KeyboardInterrupt, click.Abort):
        complain("interrupted")
        sys.exit(130)
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        complain(sentence)
        sys.exit(2)


def _help_width() -> int:
    """Columns of a help text, as click counts them; it would import shutil and all its libraries of compression for that."""
    try:
        columns = int(os.environ.get("COLUMNS", 0)) or os.get_terminal_size(sys.__stdout__.fileno()).columns  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):  # none, closed, or no terminal
        columns = 80
    return max(min(columns or 80, _WIDEST_HELP) - 2, 50)


def _sentence(error: Exception) -> str | None:
    """The sentence for an error; None for a defect of the program, which needs its traceback."""
    from json import JSONDecodeError

    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "bma-progress"
        return f"{error.format_message().rstrip('.')}; see `{command} --help`"
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, BmaProgressError):
        return str(error)
    if isinstance(error, MemoryError):
        return (
            "this machine's memory is not enough for that; a file from elsewhere may unfold to more than it should: look at it "
            "with `bma-progress verify --deep`"
        )
    if refused := refused_by_machine(error, Path.cwd()):
        return str(refused)
    if isinstance(error, OSError) and error.filename and error.errno in _MISNAMED:
        return f"{error.filename} cannot be used ({error.strerror}); name another file or folder"
    arrow = sys.modules.get("pyarrow")  # only if it was imported can one of its errors arrive here
    if arrow is not None and isinstance(error, arrow.ArrowException):
        return str(damaged_table(first_line(error)))
    if isinstance(error, JSONDecodeError) or (isinstance(error, OSError) and error.errno is None):
        return str(damaged_table(first_line(error)))  # JSON in a table; what pyarrow says of bytes that are no Parquet
    return None
