"""The dependencies: do they fit together, is each pinned, and is a weakness of one of them known?

Exit status:
  0  all is well
  1  versions do not fit together, one is not the pinned one, or a weakness is known: something to change here
  3  versions are as pinned, but no weakness could be looked up: the list of them was not reached, or knows none of the
     packages. Nothing to change here, and nothing is proven either.
"""

import json
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement

CONSTRAINTS = Path(__file__).resolve().parent.parent / "constraints.txt"
NOT_PINNED = ("bma-progress", "pip", "setuptools", "wheel")  # the project itself, and what a new environment brings
NOT_AUDITED = 3


def name_of(text: str) -> str:
    """A distribution's name as the standard spells it."""
    return re.sub(r"[-_.]+", "-", text).lower()


def pinned_versions() -> dict[str, str]:
    """The version of each package that constraints.txt names for this Python and this system."""
    lines = (line.split("#")[0].strip() for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines())
    pins = [Requirement(line) for line in lines if line]
    return {
        name_of(pin.name): str(pin.specifier).removeprefix("==")
        for pin in pins
        if pin.marker is None or pin.marker.evaluate()
    }


def unpinned() -> list[str]:
    """A sentence for each installed package whose version is not the pinned one."""
    pins = pinned_versions()
    installed = {name_of(found.metadata["Name"]): found.version for found in distributions()}
    return [
        f"{name} {version} is installed, constraints.txt says {pins.get(name, 'nothing')}"
        for name, version in sorted(installed.items())
        if name not in NOT_PINNED and pins.get(name) != version
    ]


def known_weaknesses(arguments: list[str]) -> tuple[list[str], str | None]:
    """A sentence for each known weakness of a pinned version; and why nothing could be looked up, None where it could."""
    command = [sys.executable, "-m", "pip_audit", "-r", str(CONSTRAINTS), "--no-deps", "--disable-pip"]
    command += ["--format", "json", "--progress-spinner", "off", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        why = (done.stderr.strip() or "no answer").splitlines()[-1]
        return [], f"the list of known weaknesses was not reached: {why}"
    known = [package for package in packages if "skip_reason" not in package]
    if not known:
        return [], f"the list of known weaknesses knows none of the {len(packages)} packages"
    print(f"{len(known)} of {len(packages)} packages were looked up")
    return [
        f"{package['name']} {package['version']}: {weakness['id']}, "
        f"corrected in {', '.join(weakness['fix_versions']) or 'no version yet'}"
        for package in known
        for weakness in package["vulns"]
    ], None


def main() -> int:
    """Report on standard output; the exit status."""
    fits = subprocess.run([sys.executable, "-m", "pip", "check"], check=False).returncode == 0
    weaknesses, not_audited = known_weaknesses(sys.argv[1:])
    problems = [*unpinned(), *weaknesses]
    for problem in problems:
        print(problem)
    if not_audited:
        print(f"NOT AUDITED: {not_audited}")
    return exit_status(problems or not fits, not_audited)


def exit_status(has_problems: object, not_audited: object) -> int:
    """As the module's docstring says; a problem counts more than a list that was not reached."""
    if has_problems:
        return 1
    return NOT_AUDITED if not_audited else 0


if __name__ == "__main__":
    raise SystemExit(main())
