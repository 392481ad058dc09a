"""What all tests share: only loopback sockets, and the folder of saved pages."""

from pathlib import Path

import pytest
from pytest_socket import socket_allow_hosts


def pytest_runtest_setup() -> None:
    """Refuse every socket that does not stay on this machine."""
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture(scope="session")
def fixtures_html() -> Path:
    """The saved pages of the repository."""
    return Path(__file__).parent.parent / "fixtures_html"
