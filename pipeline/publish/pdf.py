"""A page as a PDF, printed by the Chromium or Chrome of this machine."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from pipeline.errors import BmaProgressError

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_SECONDS: Final = 300
_OPTIONS: Final = (
    *("--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-extensions", "--disable-dev-shm-usage", "--no-pdf-header-footer"),
    "--generate-pdf-document-outline",
)


def pdf_of(html: str) -> bytes:
    """The page printed as its style says (A4). Raises BmaProgressError where there is no browser or it fails."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise BmaProgressError(
            "a PDF is printed by Chromium or Chrome, and neither is here; install one, or write .html and print that"
        )
    # a browser refuses to run its sandbox for root; the page runs no script but its own
    as_root = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
    with tempfile.TemporaryDirectory(prefix="bma-progress-pdf-") as name:
        folder = Path(name)
        page, printed = folder / "report.html", folder / "report.pdf"
        page.write_text(html, encoding="utf-8")
        command = [browser, *_OPTIONS, *as_root, f"--user-data-dir={folder / 'browser'}", f"--print-to-pdf={printed}"]
        try:
            subprocess.run([*command, page.as_uri()], check=True, capture_output=True, timeout=_SECONDS)  # noqa: S603 - a program of ours
        except (OSError, subprocess.SubprocessError):
            raise BmaProgressError(f"{browser} could not print the report; write .html and print that") from None
        if not printed.is_file():
            raise BmaProgressError(f"{browser} could not print the report; write .html and print that")
        return printed.read_bytes()
