"""The command that shows a store in a browser."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click

from flows.cli.options import data_option
from flows.cli.output import complain
from flows.cli.stores import named_store
from pipeline.errors import BmaProgressError

_LOOPBACK: Final = frozenset(("127.0.0.1", "localhost", "::1"))


@click.command(epilog="Exit status: 0 ended by Ctrl-C, 2 trouble.")
@data_option
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 for any free port.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to answer on; loopback is this machine only."
)
def browse(data: Path | None, port: int, host: str) -> None:
    """Show the history in a browser: search, timelines, changes, red flags, stored pages. Nothing can be changed there."""
    from pipeline.settings import load_settings

    if missing := [name for name in ("starlette", "uvicorn") if find_spec(name) is None]:
        raise BmaProgressError(f"browse needs {' and '.join(missing)}; install bma-progress[browse]")
    from pipeline.browse.server import serve

    contacts = load_settings().publish_contacts
    archive = named_store(data)
    if host not in _LOOPBACK:
        shown = "stored pages with contact lines too" if contacts else "but for contact lines"
        complain(f"anyone who reaches {host} can read everything here, {shown}; put a server with a password before it")
    complain("the index of the store is made or checked …")
    serve(archive, host=host, port=port, contacts=contacts, started=lambda url: click.echo(f"{url} (Ctrl-C ends it)"))
