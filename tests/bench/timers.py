"""How late a tier's deadline is acted upon while many other incidents are open, read from the journal.

Ceiling: a bare `asyncio.sleep` until the same instants, in a process that does nothing else.
"""

import json
import sqlite3
from pathlib import Path
from statistics import quantiles

from tests.bench import processes
from tests.bench.figures import Figure
from tests.bench.rules import rules

OPEN = (1_000, 10_000)
TIER_SECONDS = 2
TICKING = 150
TICKING_PER_SECOND = 50
PER_WEBHOOK = 100
HUNDREDTHS = 100


def measure(rounds: int, _seconds: float) -> list[Figure]:
    """Return p50 and p99 of the lateness in milliseconds, with 1,000 and 10,000 incidents open."""
    figures = []
    for count in OPEN:
        late_ms = [late for _ in range(rounds) for late in _lateness_ms(count)]
        cuts = quantiles(late_ms, n=HUNDREDTHS)
        for name, value in (("p50", cuts[49]), ("p99", cuts[98])):
            figures.append(
                Figure(name=f"lateness of a tier's deadline, {count:,} open, {name}", value=value, unit="ms")
            )
    return figures


def _lateness_ms(count: int) -> list[float]:
    sink_port = processes.free_port()
    with (
        processes.folder() as path,
        processes.sink(sink_port) as sink,
        processes.escalatord(rules(sink_port, TIER_SECONDS), path) as daemon,
    ):
        processes.load(daemon.port, alerts=PER_WEBHOOK, requests=count // PER_WEBHOOK, seconds=60, label="class=asleep")
        ticking = processes.load(
            daemon.port,
            base=10**12,
            requests=TICKING,
            per_second=TICKING_PER_SECOND,
            seconds=TICKING / TICKING_PER_SECOND,
            label="class=ticking",
        )
        entered = 2 * ticking["alerts"]
        for _ in range(100):
            late = entered_ms(path / "escalatord.db")
            if len(late) >= entered // 2:
                return late
            sink.wait_for(entered, 0.1)
    raise RuntimeError(f"only {len(late)} of {entered // 2} tiers were entered in time")


def entered_ms(database: Path) -> list[float]:
    """Return how late each second tier was entered."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        bodies = connection.execute("SELECT body FROM journal WHERE kind = 'tier_entered'").fetchall()
    connection.close()
    entries = [json.loads(body) for (body,) in bodies]
    return [entry["lateness_seconds"] * 1e3 for entry in entries if entry["to_tier"] == 2]
