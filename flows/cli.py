"""The command line. Each command imports what it needs when it runs: `--help` and `parse` never wait for Prefect."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from pipeline.errors import BmaProgressError

EPILOG = "Every setting is also an environment variable BMA_PROGRESS_… and a key of bma-progress.toml."
MAX_PAGE_BYTES = 16_000_000
"""No page of the portal comes near this size (the largest seen has some 100 kB)."""

HARVEST_STATUS = "Exit status: 0 published, 1 held back (what was published before stands), 2 could not run."
PARSE_STATUS = "Exit status: 0 all pages are ok, 1 some are not, 2 a file could not be read."


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=EPILOG)
@click.version_option(package_name="bma-progress", prog_name="bma-progress")
def cli() -> None:
    """Harvest the project-progress portal of the Bangkok Metropolitan Administration into Parquet tables."""


@cli.command(epilog=PARSE_STATUS)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--url", help="Where the page came from; a page that shows another record is then suspect.")
def parse(files: Sequence[Path], url: str | None) -> None:
    """Parse saved pages: one JSON document a line for each FILE (`-` is standard input).

    No network, no store. A document holds the page's kind, verdict, tables, findings and the lines no rule read.
    """
    import orjson

    from parsers import parse_page

    status = 0
    for file in files:
        try:
            body = _read_page_file(file)
        except BmaProgressError as error:
            _complain(str(error))
            status = 2
            continue
        page = parse_page(body, url=url)
        click.echo(orjson.dumps(page.document(str(file))).decode())
        if page.verdict != "ok":
            reasons = [finding for finding in page.findings if finding["severity"] == "error"]
            reason = f" ({reasons[0]['message']} {reasons[0]['printed'] or ''})".replace(" )", ")") if reasons else ""
            _complain(f"{file}: the page is {page.verdict.replace('_', ' ')}{reason}")
            status = max(status, 1)
    sys.exit(status)


def _read_page_file(file: Path) -> bytes:
    if str(file) == "-":
        body = sys.stdin.buffer.read(MAX_PAGE_BYTES + 1)
    else:
        try:
            with file.open("rb") as stream:
                body = stream.read(MAX_PAGE_BYTES + 1)
        except IsADirectoryError:
            raise BmaProgressError(f"{file} is a directory; name the saved pages in it, for example {file}/*.html") from None
        except FileNotFoundError:
            raise BmaProgressError(f"{file} does not exist; check the name") from None
        except OSError as error:
            raise BmaProgressError(f"{file} cannot be read ({error.strerror}); check its permissions") from None
    if len(body) > MAX_PAGE_BYTES:
        raise BmaProgressError(f"{file} is larger than {MAX_PAGE_BYTES // 1_000_000} MB, so it is no page of the portal; give one saved page a file")
    return body


def _complain(sentence: str) -> None:
    click.echo(f"bma-progress: {sentence}", err=True)


def main(arguments: Sequence[str] | None = None) -> Any:
    """Run the command line; a user's mistake ends in one sentence on standard error and exit status 2."""
    try:
        return cli.main(args=arguments, standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "bma-progress"
        _complain(f"{error.format_message().rstrip('.')}; see `{command} --help`")
    except click.ClickException as error:
        _complain(error.format_message())
    except BmaProgressError as error:
        _complain(str(error))
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted")
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output has had enough
        sys.stderr.close()
        sys.exit(0)
    sys.exit(2)
