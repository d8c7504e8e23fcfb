"""What happened, line by line, and the hash of all of it."""

import sys
from collections import deque
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256

LINES_KEPT = 30


class Trace:
    """Remembers the last lines and hashes every one; `echo` prints them too."""

    def __init__(self, now: Callable[[], datetime], *, echo: bool = False) -> None:
        self.step = 0
        self.lines = 0
        self.last: deque[str] = deque(maxlen=LINES_KEPT)
        self._hash = sha256()
        self._now = now
        self._echo = echo

    def say(self, text: str) -> None:
        """Add a line."""
        line = f"{self.step:7} {self._now().isoformat(timespec='milliseconds')[:23]} {text}"
        self.lines += 1
        self.last.append(line)
        self._hash.update(line.encode() + b"\n")
        if self._echo:
            tell(line)

    @property
    def digest(self) -> str:
        """Return the hash of every line so far."""
        return self._hash.hexdigest()


def tell(text: str) -> None:
    """Print a line now, also into a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
