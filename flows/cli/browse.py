"""The command that shows a store in a browser."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click

from flows.cli.options import OUT_FILE, data_option
from flows.cli.output import remark
from flows.cli.stores import named_store
from pipeline.errors import BmaProgressError
from pipeline.plain_text import complain, say

_LOOPBACK: Final = frozenset(("127.0.0.1", "localhost", "::1"))


@click.command(epilog="Exit status: 0 ended by Ctrl-C, 2 trouble.")
@data_option
@click.option("--port", type=click.IntRange(0, 65535), default=8765, help="0 for any free port.")
@click.option("--host", default="127.0.0.1", help="Address to answer on; loopback is this machine only.")
def browse(data: Path | None, port: int, host: str) -> None:
    """Show the history in a browser: search, timelines, changes, red flags, stored pages. Nothing can be changed there."""
    from pipeline.settings import load_settings

    if missing := [name for name in ("starlette", "uvicorn") if find_spec(name) is None]:
        raise BmaProgressError(f"browse needs {' and '.join(missing)}; install bma-progress[browse]")
    from pipeline.browse.server import serve

    contacts = load_settings().publish_contacts
    if host not in _LOOPBACK:
        shown = "stored pages with contact lines too" if contacts else "but for contact lines"
        complain(f"anyone who reaches {host} can read everything here, {shown}; put a server with a password before it")
    remark("the index of the store is made or checked …")
    serve(
        lambda: named_store(data),
        host=host,
        port=port,
        contacts=contacts,
        started=lambda url: say(f"{url} (Ctrl-C ends it)"),
    )


@click.command(epilog="Exit status: 0 done, 2 trouble.")
@data_option
@click.option("--out", type=OUT_FILE, required=True, help="Folder of the site; made where missing.")
@click.option("--url", help="Address where the site will be, for its sitemap and feeds.")
@click.option("--nights", type=click.IntRange(1), default=30, help="Of how many last nights changes are shown.")
@click.option("--contacts", is_flag=True, help="Show contact lines of projects, which are personal data.")
def site(data: Path | None, out: Path, url: str | None, nights: int, contacts: bool) -> None:
    """Write the latest state, red flags and changes of the last nights as static pages for any web server.

    Run it again after each harvest: only what changed is written. Stored pages are not part of it, since they print
    contact lines.
    """
    from pipeline.settings import load_settings

    if contacts and not load_settings().publish_contacts:
        raise BmaProgressError("contact lines are withheld by the setting publish_contacts; leave out --contacts")
    from pipeline.browse.static_site import write_site

    if url and not url.startswith(("https://", "http://")):
        raise click.UsageError(f"{url!r} is no address of a site; write one such as https://example.org/progress/")
    if not url:
        complain(
            "without --url the addresses in sitemap.xml and the feeds are relative, which search engines do not follow"
        )
    done = write_site(named_store(data), out, contacts=contacts, nights=nights, url=url)
    say(
        f"{out}: harvest {done.harvest_id}; {done.written:,} files written, {done.unchanged:,} unchanged, "
        f"{done.removed:,} removed"
    )
