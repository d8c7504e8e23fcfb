"""Where a process runs, told so exactly that another one on the same machine can be certain that it has ended."""

import os
from pathlib import Path

BOOT = Path("/proc/sys/kernel/random/boot_id")
PROCESSES = Path("/proc/self/ns/pid")
SEPARATOR = " "


def here() -> str:
    """Return this process's place: the boot of its machine, its process namespace, its number; "" when not known."""
    room = _room()
    return f"{room}{SEPARATOR}{os.getpid()}" if room else ""


def is_over(place: str) -> bool:
    """Return whether the process at `place` has ended for certain: it ran where we do, and is not there."""
    room, _, number = place.rpartition(SEPARATOR)
    if not room or room != _room() or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _room() -> str:
    try:
        # a container shares its host's boot but not its processes: numbers mean something only within one of these
        return f"{BOOT.read_text().strip()}{SEPARATOR}{PROCESSES.readlink()}"
    except OSError:
        return ""
