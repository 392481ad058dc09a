"""Notify systemd that the service is ready, and that it lives (`Type=notify`, `WatchdogSec=`)."""

import os
import socket
from contextlib import suppress


def notify_systemd(state: str) -> None:
    """Send a state such as `READY=1` or `WATCHDOG=1`; nothing where systemd did not start this process."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)
