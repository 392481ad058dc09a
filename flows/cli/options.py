"""Options that several commands share, each declared once; and options that few people need."""

from pathlib import Path
from typing import Any

import click

EPILOG = "Every setting is also an environment variable BMA_PROGRESS_… and a key of bma-progress.toml."


class _Place(click.Path):
    """A file or folder by a name that can be printed, and is not empty: `--out "$UNSET"` is a mistake."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value):
            self.fail("an empty name is no file and no folder", param, ctx)
        if any("\ud800" <= letter <= "\udfff" for letter in str(value)):
            self.fail("a name must be text", param, ctx)
        return super().convert(value, param, ctx)


OUT_FILE = _Place()


VERBOSITY = "bma-progress.verbosity"
"""Where a command's context keeps how much is said on standard error: 1 with `--verbose`, -1 with `--quiet`."""


def verbosity() -> int:
    """How much the command that runs says on standard error: 1 more, 0 the usual, -1 only errors."""
    context = click.get_current_context(silent=True)
    return 0 if context is None else int(context.meta.get(VERBOSITY, 0))


def _set_verbosity(context: click.Context, option: click.Parameter, value: bool) -> None:
    if value:
        context.meta[VERBOSITY] = 1 if option.name == "verbose" else -1


def verbosity_options(command: Any) -> Any:
    """Give a command `--verbose` and `--quiet`. Results are not log lines: they come on standard output either way."""
    for name, text in (
        ("quiet", "Only errors on standard error: no remarks, no progress."),
        ("verbose", "Say more often how far long work is."),
    ):
        if any(option.name == name for option in getattr(command, "params", ())):
            continue  # the command says itself what it means
        command = click.option(
            f"-{name[0]}", f"--{name}", is_flag=True, expose_value=False, callback=_set_verbosity, help=text
        )(command)
    return command


class SettingOption(click.Option):
    """An option for what a setting of its name says where it is not given: `--help` shows that setting's default."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The option and its help, with the setting's own default."""
        from pipeline.settings import SETTINGS

        self.show_default = f"setting {self.name}: {SETTINGS[str(self.name)].default}"
        return super().get_help_record(ctx)


class AdvancedOption(click.Option):
    """An option that few people need: `--help` lists it after the others, under a heading of its own."""


class AdvancedSettingOption(AdvancedOption, SettingOption):
    """Both."""


class AdvancedCommand(click.Command):
    """A command with advanced options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the usual options, then the advanced ones."""
        for heading, is_advanced in (("Options", False), ("Advanced options", True)):
            options = [option for option in self.get_params(ctx) if isinstance(option, AdvancedOption) is is_advanced]
            records = [record for option in options if (record := option.get_help_record(ctx))]
            with formatter.section(heading):
                formatter.write_dl(records)


class _StorePlace(_Place):
    """A store's folder; of an address in object storage the folder of its mirror."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from pipeline.location import local_folder

        super().convert(value, param, ctx)
        return local_folder(value)


def _prepare(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    """Prepare for a command that reads tables; it is none where only its help is asked for."""
    from flows.startup import import_arrow_without_pandas, keep_freed_memory

    keep_freed_memory()
    import_arrow_without_pandas()
    return value


portal_option = click.option("--portal", cls=SettingOption, help="Address of the portal.")
_PLACE = "Folder of the store, or an address such as s3://bucket/folder."
data_option = click.option("--data", cls=SettingOption, type=_StorePlace(), callback=_prepare, help=_PLACE)
documents_option = click.option("--data", cls=SettingOption, type=_StorePlace(), help=_PLACE)
"""For commands that need only the documents of a store, and no table."""
demo_data_option = click.option(
    "--data", type=_StorePlace(), callback=_prepare, default="data/demo", help="Folder of the demonstration's store."
)
orchestrator_option = click.option(
    "--orchestrator",
    cls=SettingOption,
    type=click.Choice(["prefect", "none"]),
    help="Run as a Prefect flow (prefect), or in this process alone (none).",
)
runner_option = click.option(
    "--runner",
    cls=AdvancedSettingOption,
    type=click.Choice(["local", "dask"]),
    help="Where the work is done: this process (local), or Dask workers.",
)
dask_option = click.option(
    "--dask-address",
    cls=AdvancedOption,
    help="The Dask scheduler, tcp://HOST:PORT; without it, processes of this machine.",
)


def check_runner(runner: str, dask_address: str | None) -> None:
    """Raise UsageError for a scheduler's address without the runner that needs it."""
    if dask_address and runner != "dask":
        raise click.UsageError("--dask-address is for the dask runner; add --runner dask")
