"""The environment of the templates: what it compiles is kept beside them, and is never older than they are."""

import sys
from importlib import invalidate_caches
from pathlib import Path

import pytest

from pipeline.publish.html_pages import html_environment


def test_a_compiled_template_is_kept_until_its_source_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    templates = tmp_path / "shop" / "templates"
    templates.mkdir(parents=True)
    (templates.parent / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    invalidate_caches()

    def shown(source: str, *, keep: bool) -> tuple[str, list[bytes]]:
        (templates / "a.jinja").write_text(source, encoding="utf-8")
        monkeypatch.setattr(sys, "dont_write_bytecode", not keep)
        html_environment.cache_clear()
        text = html_environment("shop").get_template("a.jinja").render(price="<1>")
        return text, [file.read_bytes() for file in templates.glob("__pycache__/*")]

    assert shown("{{ price }}", keep=False) == ("&lt;1&gt;", [])
    text, kept = shown("{{ price }}", keep=True)
    assert text == "&lt;1&gt;"
    assert len(kept) == 1
    monkeypatch.setattr("jinja2.Environment._generate", None)  # a second start compiles nothing
    assert shown("{{ price }}", keep=True) == (text, kept)
    monkeypatch.undo()
    monkeypatch.syspath_prepend(tmp_path)
    assert shown("{{ price }}!", keep=True)[0] == "&lt;1&gt;!"
    next(templates.glob("__pycache__/*")).write_bytes(b"cut off")
    assert shown("{{ price }}!", keep=True)[0] == "&lt;1&gt;!"
    html_environment.cache_clear()
