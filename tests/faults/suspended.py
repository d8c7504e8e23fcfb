"""The daemon on a machine that can be suspended: `python -m tests.faults.suspended FILE serve …`.

FILE says for how many seconds it was so far. A suspended machine's wall clock goes on, and so does the one that counts
from its boot; the one by which processes sleep stands still.
"""

import sys
from datetime import datetime, timedelta
from pathlib import Path

from escalatord.__main__ import main
from escalatord.clock import SystemClock


def plant(file: Path) -> None:
    """Let both clocks count what the file says."""
    now, monotonic = SystemClock.now, SystemClock.monotonic

    def _seconds() -> float:
        return float(file.read_text())

    def _now(self: SystemClock) -> datetime:
        return now(self) + timedelta(seconds=_seconds())

    def _monotonic(self: SystemClock) -> float:
        return monotonic(self) + _seconds()

    SystemClock.now, SystemClock.monotonic = _now, _monotonic  # type: ignore[method-assign] # planted


if __name__ == "__main__":
    plant(Path(sys.argv[1]))
    sys.argv = ["escalatord", *sys.argv[2:]]
    sys.exit(main())
