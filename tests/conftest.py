"""What all tests share: only loopback sockets, and the folder of saved pages."""

import gc
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from pytest_socket import socket_allow_hosts

# a loaded machine is no fault of the code, and the suite tries the same examples every time
settings.register_profile("suite", deadline=None, derandomize=True, database=None)
settings.load_profile("suite")

# the suite starts several hundred commands: without stored bytecode each compiles all modules of the project anew
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# what the machine's user has set decides no test: a test that needs one of these sets it
for name in list(os.environ):
    if name.startswith(("BMA_PROGRESS_", "PREFECT_")) or name.lower().endswith("_proxy"):
        del os.environ[name]


def pytest_runtest_setup() -> None:
    """Refuse every socket that does not stay on this machine."""
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def environment_as_before() -> Iterator[None]:
    """Take back what a test, or code of ours that it ran, has put into the environment of this process."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="module", autouse=True)
def own_garbage() -> Iterator[None]:
    """Collect what a file's tests left in cycles at its end: no test of another file is blamed for it, it is a warning here."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("default", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
def fixtures_html() -> Path:
    """The saved pages of the repository."""
    return Path(__file__).parent.parent / "fixtures_html"


@pytest.fixture(scope="session")
def prefect_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment for commands that run flows: one home of Prefect's, whose database is made once."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "BMA_", "DASK_"))
    }
    return {**environment, "PREFECT_HOME": str(tmp_path_factory.mktemp("prefect"))}


@pytest.fixture(scope="session")
def three_nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with three nights of the demo portal; not to be written to."""
    from support.harvests import harvest

    from pipeline.harvest.demo_portal import DemoPortal

    data = tmp_path_factory.mktemp("three") / "store"
    with DemoPortal() as portal:
        for night in (1, 2, 3):
            portal.night = night
            assert harvest(portal, data).published
    return data
