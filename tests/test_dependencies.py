"""The pinned versions: for every Python that the project names, with hashes beside them, without an address."""

import importlib.util
import re
from types import ModuleType

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from support.messages import ROOT

PYTHONS = ["3.11.0", "3.11.2", "3.11.9", "3.12.1", "3.13.0"]


def pins(file: str) -> list[Requirement]:
    lines = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    return [Requirement(line.split("--hash")[0]) for line in lines if line and not line.startswith("#")]


def versions(file: str, python: str) -> dict[str, str]:
    environment = {str(name): str(value) for name, value in default_environment().items()}
    environment |= {"python_full_version": python, "python_version": ".".join(python.split(".")[:2])}
    found = [pin for pin in pins(file) if pin.marker is None or pin.marker.evaluate(environment)]
    assert len({pin.name for pin in found}) == len(found), "one version for each package"
    return {pin.name: str(pin.specifier) for pin in found}


@pytest.mark.parametrize("python", PYTHONS)
def test_both_files_pin_the_same_versions(python: str) -> None:
    pinned, hashed = versions("constraints.txt", python), versions("constraints-hashes.txt", python)
    assert pinned == {name: version for name, version in hashed.items() if name != "pip"}
    assert all(re.fullmatch(r"==[\w.+]+", version) for version in pinned.values())


def test_the_files_name_no_address_and_each_pin_has_hashes() -> None:
    for file in ("constraints.txt", "constraints-hashes.txt"):
        assert "://" not in (ROOT / file).read_text(encoding="utf-8")
    text = (ROOT / "constraints-hashes.txt").read_text(encoding="utf-8").replace("\\\n", "")
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", line) for line in text.splitlines() if "==" in line)


@pytest.fixture
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_an_audit_that_looked_nothing_up_is_no_success(audit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    weaknesses, why = audit.known_weaknesses([])
    assert weaknesses == []
    assert "was not reached" in why
    assert audit.exit_status(weaknesses, why) == 3
    assert audit.exit_status(["a problem"], why) == 1
    assert audit.exit_status([], None) == 0
