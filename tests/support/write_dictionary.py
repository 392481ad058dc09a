"""Writes docs/data-dictionary.*: `python tests/support/write_dictionary.py`, after a change of columns or words.

The examples are those of the demo's store, the seed project's first. What differs at each harvest is made alike: its
times, the portal's port, and the versions of pages with it.
"""

import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
_ALIKE = (
    (re.compile(r"\d{8}T\d{6}Z"), "20261122T190000Z"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"), "2026-11-22 19:00:00Z"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "http://monitor.bangkok.go.th"),
)
_OF_THAT_DAY = {("changes", "harvest_date"): "2026-11-22", ("project_overview", "days_since_report"): "2244"}


def documented_examples(store: Path) -> dict[tuple[str, str], str]:
    """The examples of the documentation, from a store with three nights of the demo's portal."""
    from pipeline.publish.dictionary import examples_of
    from pipeline.store.writer import open_archive

    found = examples_of(open_archive(store), "24000000-2964")
    found |= _OF_THAT_DAY
    for pattern, same in _ALIKE:
        found = {place: pattern.sub(same, text) for place, text in found.items()}
    return found


def main() -> None:
    """Harvest three nights, and write the pages."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    from support.harvests import harvest

    from pipeline.harvest.demo_portal import DemoPortal
    from pipeline.publish.dictionary import write_dictionary

    with tempfile.TemporaryDirectory() as folder, DemoPortal() as portal:
        for portal.night in (1, 2, 3):
            harvest(portal, Path(folder) / "store")
        for file in write_dictionary(ROOT / "docs", documented_examples(Path(folder) / "store")):
            print(file.relative_to(ROOT))


if __name__ == "__main__":
    main()
