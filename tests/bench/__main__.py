"""`make bench`: how fast escalatord is beside the bare things it is made of, in one run of some eight minutes.

Writes `build/bench.json` and prints a table. Only figures of one run may be compared: machines change their speed by
the minute.
"""

import argparse
import os
import platform
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.bench import audits, crowd, evaluation, figures, ingest, latency, nodes, starting, timers
from tests.bench.processes import ROOT
from tests.bench.tools.loops import loop_factory

Family = Callable[[int, float], list[figures.Figure]]
FAMILIES: Mapping[str, tuple[Family, float]] = {
    "evaluation": (evaluation.measure, 0.0),
    "starting": (starting.measure, 0.0),
    "ingest": (ingest.measure, 1.5),
    "latency": (latency.measure, 3.0),
    "timers": (timers.measure, 0.0),
    "crowd": (crowd.measure, 0.0),
    "nodes": (nodes.measure, 3.0),
    "audits": (audits.measure, 0.0),
}
"""What is measured, and for how many seconds each load runs."""
ROUNDS = 3
PAGE = ROOT / "docs" / "performance.md"
MARK_START, MARK_END = "<!-- bench -->", "<!-- /bench -->"


def main() -> None:
    """Measure what was asked for and write it down."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *FAMILIES], help="all of them when none is named")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--publish", action="store_true", help="write the table into docs/performance.md as well")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench.json")
    given = parser.parse_args()
    found: list[figures.Figure] = []
    for name in given.names or FAMILIES:
        measure, seconds = FAMILIES[name]
        started = time.perf_counter()
        found += measure(given.rounds, seconds)
        sys.stderr.write(f"{name}: {time.perf_counter() - started:.0f} s\n")
        figures.write(found, given.out)
    sys.stdout.write(figures.as_table(found))
    if given.publish:
        publish(PAGE, figures.as_table(found))


def publish(page: Path, table: str) -> None:
    """Put the table, and what it was measured on, between the marks of a page; ValueError when it has none."""
    text = page.read_text()
    start, end = text.index(MARK_START) + len(MARK_START), text.index(MARK_END)
    page.write_text(f"{text[:start]}\n{machine()}\n\n{table}{text[end:]}")


def machine() -> str:
    """Return the machine in a sentence: cores, memory, Python, SQLite, and how busy it was."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    busy = os.getloadavg()[2]
    loop = "uvloop" if loop_factory() else "asyncio's own loop"
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB of memory, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, {loop}; load average over 15 minutes, the benchmark included: {busy:.1f}."
    )


if __name__ == "__main__":
    main()
