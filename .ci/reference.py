"""Pages of the site that are written from the code, and links that leave docs/: a hook of `mkdocs build` (mkdocs.yml)."""

import inspect
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.utils import get_relative_url

ROOT = Path(__file__).parents[1]
_SHIM = re.compile(r"https://[^\s\"]+/iframe-worker/shim")


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages."""
    pages = {
        "reference/commands.md": commands(),
        "reference/python.md": python(),
        "reference/settings.md": settings(),
        "reference/meanings.md": meanings(),
        "reference/flags.md": flags(),
        "contributing.md": (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links of the repository that are no pages become the names of the files; those to pages lead to them."""
    markdown = markdown.replace("](docs/", "](").replace("](../CONTRIBUTING.md", "](contributing.md")
    markdown = re.sub(r"\[([^\]]+)\]\((?:\.\./)+[\w./-]+\)", r"`\1`", markdown)  # files that are no pages
    return re.sub(r" · \[[^\]]+\]\(data-dictionary\.html\)", "", markdown)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """What lets search work in pages opened from a folder comes with the site, not from another host."""
    return _SHIM.sub(get_relative_url("assets/iframe-worker.js", page.url), output)


def on_post_template(output_content: str, **_: Any) -> str:
    """The same for the page of wrong addresses."""
    return _SHIM.sub("assets/iframe-worker.js", output_content)


def commands() -> str:
    """Every command with its help."""
    import click

    from flows.cli import cli

    context = click.Context(cli, info_name="bma-progress", max_content_width=100)
    text = "# Commands\n\nAs `bma-progress COMMAND --help` prints them.\n"
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None  # noqa: S101 - each listed one is there
        inner = click.Context(command, info_name=name, parent=context, max_content_width=100, show_default=True)
        text += f"\n## {name}\n\n```text\n{command.get_help(inner)}\n```\n"
    return text


def python() -> str:
    """The names that users import, with their docstrings."""
    import bma_progress

    text = "# Python\n\n`from bma_progress import open_store`\n"
    for name in bma_progress.__all__:
        value = getattr(bma_progress, name)
        if name.startswith("__"):
            continue
        text += _described(f"## {name}", value)
        for member, what in vars(value).items() if inspect.isclass(value) else ():
            if not member.startswith("_") and (inspect.isfunction(what) or isinstance(what, property)):
                text += _described(f"### {name}.{member}", what.fget if isinstance(what, property) else what)
    return text


def _described(heading: str, value: Any) -> str:
    try:
        signature = str(inspect.signature(value)).replace("'", "")
    except (TypeError, ValueError):
        signature = ""
    name = heading.split()[-1]
    return f"\n{heading}\n\n```text\n{name}{signature}\n\n{inspect.getdoc(value) or ''}\n```\n"


def settings() -> str:
    """Every setting with its default and reason."""
    from pipeline.settings import PREFIX, SETTINGS

    rows = [
        f"| `{name}`{{ #{name} }} | `{field.default!s}` | {_cell(field.description or '')} |"
        if str(field.default)
        else f"| `{name}` | | {_cell(field.description or '')} |"
        for name, field in SETTINGS.items()
    ]
    return (
        "# Settings\n\nEach is a key of `bma-progress.toml` and an environment variable "
        f"`{PREFIX}…`. Arguments come before the environment, the environment before the file.\n\n"
        "| setting | default | what it is for |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    ).replace("{ #", "{: #")


def meanings() -> str:
    """What the words in the columns `meaning` and `detail` say."""
    from pipeline.compare.classify import DETAILS, MEANINGS

    text = "# Meanings of changes\n\nThe words in the column `meaning`, and what `detail` adds.\n"
    for title, words in (("meaning", MEANINGS), ("detail", DETAILS)):
        text += f"\n## {title}\n\n| {title} | what it says |\n|---|---|\n"
        text += "".join(f"| `{word}` | {_cell(str(what))} |\n" for word, what in words.items())
    return text


def flags() -> str:
    """The rules of red flags with their reasons."""
    from pipeline.schema.red_flags import RULES

    text = "# Red flags\n\nA red flag is a pattern that deserves a question. It proves nothing by itself.\n"
    for name, rule in RULES.items():
        text += f"\n## {name}\n\n{rule.title} ({rule.title_th}). Severity: {rule.severity}.\n\n{rule.reason}\n"
    return text


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
