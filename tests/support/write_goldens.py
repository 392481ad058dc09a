"""Writes fixtures_html/*.json from today's parser: `python tests/support/write_goldens.py`, then read the difference.

A golden is what a person reviewed. Whoever runs this reads `git diff fixtures_html` line by line before keeping it.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def pages() -> list[Path]:
    """The saved pages that have a golden beside them."""
    return sorted((ROOT / "fixtures_html").glob("*.html"))


def golden_text(page: Path) -> str:
    """The content of a page's golden, as today's parser reads the page."""
    from parsers import parse_page

    document = parse_page(page.read_bytes()).document(page.name)
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    """Write the goldens that differ, and name them."""
    sys.path.insert(0, str(ROOT))
    for page in pages():
        golden, text = page.with_suffix(".json"), golden_text(page)
        if not golden.exists() or golden.read_text(encoding="utf-8") != text:
            golden.write_text(text, encoding="utf-8")
            print(golden.relative_to(ROOT))


if __name__ == "__main__":
    main()
