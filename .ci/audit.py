"""The dependencies: do they fit together, is each pinned, and is a weakness of one of them known?

Ends with 1 where not. The list of weaknesses is asked for over the network: where it cannot be had, or knows none of the
packages, that is said and is no failure, since no change of ours could mend it.
"""

import json
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parent.parent / "constraints.txt"
OURS, OF_THE_VENV = "bma-progress", ("pip", "setuptools", "wheel")


def name_of(text: str) -> str:
    """A distribution's name as the standard spells it."""
    return re.sub(r"[-_.]+", "-", text).lower()


def main() -> int:
    """Report on standard output; the exit status."""
    bad = subprocess.run([sys.executable, "-m", "pip", "check"], check=False).returncode != 0
    lines = [line.split("#")[0].strip() for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines()]
    pinned = {name_of(name): version for name, _, version in (line.partition("==") for line in lines if line)}
    for installed in distributions():
        name = name_of(installed.metadata["Name"])
        if name != OURS and name not in OF_THE_VENV and pinned.get(name) != installed.version:
            print(f"{name} {installed.version} is installed, constraints.txt says {pinned.get(name, 'nothing')}")
            bad = True
    command = [sys.executable, "-m", "pip_audit", "-r", str(CONSTRAINTS), "--no-deps", "--disable-pip"]
    command += ["--format", "json", "--progress-spinner", "off", *sys.argv[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(
            "NOT AUDITED: the list of known weaknesses cannot be had:",
            (done.stderr.strip() or "no answer").splitlines()[-1],
        )
        return int(bad)
    known = [one for one in found if "skip_reason" not in one]
    if not known:
        print(f"NOT AUDITED: the list of known weaknesses knows none of the {len(found)} packages")
        return int(bad)
    for one in known:
        for weakness in one["vulns"]:
            mended = ", ".join(weakness["fix_versions"]) or "no version yet"
            print(f"{one['name']} {one['version']}: {weakness['id']}, mended in {mended}")
            bad = True
    print(f"{len(known)} of {len(found)} packages were audited")
    return int(bad)


if __name__ == "__main__":
    raise SystemExit(main())
