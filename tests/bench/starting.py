"""Starts, memory and the command line: what an operator waits for and pays for.

Ceilings: a bare aiohttp server until it answers, and its memory; a Python that does nothing, for the command line.
"""

import subprocess
import sys
import time
from pathlib import Path

from tests.bench import processes
from tests.bench.figures import Figure, Samples
from tests.bench.rules import rules

OPEN = 10_000
PER_WEBHOOK = 100
DOWN_SECONDS = 3.0
TIER_SECONDS = 1
PAGE_SECONDS_MAX = 30.0
MEBIBYTE = 1024 * 1024


def measure(rounds: int, _seconds: float) -> list[Figure]:
    """Return the figures; every round starts everything anew."""
    samples = Samples()
    for _ in range(rounds):
        _cold(samples)
        _command_line(samples)
    _restart(samples)
    return [
        samples.figure("cold start to ready, empty database", "s", "bare start"),
        samples.figure("restart with 10,000 open incidents to ready", "s", "bare start"),
        samples.figure("restart with 10,000 open incidents to the first overdue page", "s", "bare start"),
        samples.figure("resident memory, idle", "MiB", "bare memory"),
        samples.figure("resident memory after 10,000 incidents", "MiB", "bare memory"),
        samples.figure("escalatord check, shipped rules", "s", "bare python"),
    ]


def _cold(samples: Samples) -> None:
    started = time.perf_counter()
    with processes.bare() as process:
        samples.add("bare start", time.perf_counter() - started)
        samples.add("bare memory", process.resident_bytes / MEBIBYTE)
    with processes.folder() as path:
        started = time.perf_counter()
        with processes.escalatord(rules(processes.free_port()), path) as process:
            samples.add("cold start to ready, empty database", time.perf_counter() - started)
            samples.add("resident memory, idle", process.resident_bytes / MEBIBYTE)


def _restart(samples: Samples) -> None:
    """Fill a database, kill the daemon, let a deadline pass, and start it again."""
    sink_port = processes.free_port()
    text = rules(sink_port, TIER_SECONDS)
    with processes.folder() as path, processes.sink(sink_port) as sink:
        with processes.escalatord(text, path) as process:
            processes.load(
                process.port, alerts=PER_WEBHOOK, requests=OPEN // PER_WEBHOOK, seconds=60, label="class=asleep"
            )
            samples.add("resident memory after 10,000 incidents", process.resident_bytes / MEBIBYTE)
            processes.load(process.port, base=10**12, requests=1, label="class=ticking")
            process.kill()
        time.sleep(DOWN_SECONDS)
        sink.reset()
        asked = time.time()
        with processes.escalatord(text, path):
            samples.add("restart with 10,000 open incidents to ready", time.time() - asked)
            stats = sink.wait_for(1, PAGE_SECONDS_MAX)
        first = "restart with 10,000 open incidents to the first overdue page"
        samples.add(first, stats["first_at"] - asked if stats["posts"] else PAGE_SECONDS_MAX)


def _command_line(samples: Samples) -> None:
    samples.add("bare python", _seconds("-c", "pass"))
    rules_of_ours = str(processes.ROOT / "rules")
    samples.add(
        "escalatord check, shipped rules", _seconds("-m", "escalatord", "check", "--without-secrets", rules_of_ours)
    )


def _seconds(*arguments: str) -> float:
    command = [*processes.pinned(processes.CPU_UNDER_TEST), sys.executable, *arguments]
    started = time.perf_counter()
    subprocess.run(command, cwd=Path(processes.ROOT), capture_output=True, check=True, timeout=PAGE_SECONDS_MAX)
    return time.perf_counter() - started
