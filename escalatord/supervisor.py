"""What the service manager is told: ready, reloading, alive, stopping (the datagram protocol of sd_notify(3)).

Without `NOTIFY_SOCKET` every call does nothing, so that a run in a terminal needs no switch.
"""

import os
import socket
from collections.abc import Mapping

ABSTRACT = "@"
MICROSECONDS = 1_000_000
SIGNS_PER_LIMIT = 3


class Supervisor:
    """The service manager's socket, if there is one."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._watchdog = environ.get("WATCHDOG_USEC", "")

    def often_enough(self, seconds: float) -> float:
        """Return `seconds`, or less when the manager's limit wants it: two signs of life in a row may be missed."""
        watched = self._watchdog.isdecimal() and int(self._watchdog) > 0
        return min(seconds, int(self._watchdog) / MICROSECONDS / SIGNS_PER_LIMIT) if watched else seconds

    def ready(self, status: str) -> None:
        """Say that start-up or a reload is over."""
        self._say(f"READY=1\nSTATUS={status}")

    def reloading(self, monotonic_seconds: float) -> None:
        """Say that a reload begins; `Type=notify-reload` wants the monotonic instant with it."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={int(monotonic_seconds * MICROSECONDS)}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._say("STOPPING=1")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        path = "\0" + self._address[1:] if self._address.startswith(ABSTRACT) else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as wire:
            try:
                wire.connect(path)
                wire.sendall(text.encode())
            except OSError:
                return  # a manager that is gone must not take the pager with it
