"""What a very large number of open incidents costs: a start, memory, and the punctuality of the others.

The crowd is made by copying one incident and its alert in the database, as fast as the disk takes rows; the copies are
asleep (their next page is hours away) and have no journal. The figures are those of the daemon that meets them.
"""

import sqlite3
import time
from pathlib import Path
from statistics import median, quantiles

from tests.bench import processes
from tests.bench.figures import Figure
from tests.bench.rules import rules
from tests.bench.timers import entered_ms

MILLION = 1_000_000
MANY = 100_000
TIER_SECONDS = 2
TICKING = 100
TICKING_PER_SECOND = 50
SETTLED_SECONDS = 10.0
PAGE_SECONDS_MAX = 60.0
MEBIBYTE = 1024 * 1024
HUNDREDTHS = 100

COPY_INCIDENTS = """
WITH RECURSIVE copies(place) AS (VALUES(1) UNION ALL SELECT place + 1 FROM copies WHERE place < :count)
INSERT INTO incidents SELECT number + place, version, key || '-' || place, state, severity, opened_severity, policy,
  service, opened_at, next_due_at,
  replace(replace(body, '"number":' || number || ',', '"number":' || (number + place) || ','),
          '"key":"' || key || '"', '"key":"' || key || '-' || place || '"')
FROM incidents, copies WHERE number = :number
"""
COPY_ALERTS = """
WITH RECURSIVE copies(place) AS (VALUES(1) UNION ALL SELECT place + 1 FROM copies WHERE place < :count)
INSERT INTO alerts SELECT source, fingerprint || '-' || place, incident + place, firing, opened_at, last_seen_at,
  due_at,
  replace(replace(body, '"incident":' || incident || ',', '"incident":' || (incident + place) || ','),
          '"fingerprint":"' || fingerprint || '"', '"fingerprint":"' || fingerprint || '-' || place || '"'),
  verdict
FROM alerts, copies WHERE incident = :number
"""


def measure(rounds: int, _seconds: float) -> list[Figure]:
    """Return what a million open incidents cost at a start, and how late deadlines are among 100,000."""
    starts, ready, memory = [], [], []
    with processes.folder() as path:
        sink_port = processes.free_port()
        _crowd(path, rules(sink_port, TIER_SECONDS), MILLION)
        for _ in range(rounds):
            one = _start(path, sink_port)
            ready.append(one[0])
            starts.append(one[1])
            memory.append(one[2])
    with processes.folder() as path:
        late_ms = _lateness_ms(path)
    cuts = quantiles(late_ms, n=HUNDREDTHS)
    return [
        Figure(name="restart with 1,000,000 open incidents to ready", value=median(ready), unit="s"),
        Figure(name="restart with 1,000,000 open incidents to the first overdue page", value=median(starts), unit="s"),
        Figure(name="resident memory with 1,000,000 open incidents", value=median(memory), unit="MiB"),
        Figure(name="lateness of a tier's deadline, 100,000 open, p50", value=cuts[49], unit="ms"),
        Figure(name="lateness of a tier's deadline, 100,000 open, p99", value=cuts[98], unit="ms"),
    ]


def multiply(database: Path, count: int) -> None:
    """Copy the last incident of a database that nobody has open `count` times, with its alert."""
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        ((number,),) = connection.execute("SELECT max(number) FROM incidents").fetchall()
        for statement in (COPY_INCIDENTS, COPY_ALERTS):
            connection.execute(statement, {"count": count, "number": number})
            ((copied,),) = connection.execute("SELECT changes()").fetchall()
            if copied != count:
                raise RuntimeError(f"{copied} of {count} rows were copied")
        connection.execute("UPDATE counters SET value = value + ? WHERE name = 'incident'", (count,))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _crowd(path: Path, text: str, count: int) -> None:
    """Make a database with so many incidents that sleep."""
    with processes.escalatord(text, path) as daemon:
        processes.load(daemon.port, requests=1, label="class=asleep")
    multiply(path / "escalatord.db", count - 1)


def _start(path: Path, sink_port: int) -> tuple[float, float, float]:
    """Let a deadline pass while nobody looks; return seconds to ready and to its page, and resident MiB."""
    text = rules(sink_port, TIER_SECONDS)
    with processes.sink(sink_port) as sink:
        with processes.escalatord(text, path) as daemon:
            processes.load(daemon.port, base=time.time_ns() // 10**6, requests=1, label="class=ticking")
            daemon.kill()
        time.sleep(TIER_SECONDS + 1)
        sink.reset()
        asked = time.time()
        with processes.escalatord(text, path) as daemon:
            ready = time.time() - asked
            stats = sink.wait_for(1, PAGE_SECONDS_MAX)
            time.sleep(SETTLED_SECONDS)  # an audit and the housekeeping have looked at all of them by then
            memory = daemon.resident_bytes / MEBIBYTE
    return ready, stats["first_at"] - asked if stats["posts"] else PAGE_SECONDS_MAX, memory


def _lateness_ms(path: Path) -> list[float]:
    sink_port = processes.free_port()
    text = rules(sink_port, TIER_SECONDS)
    _crowd(path, text, MANY)
    with processes.sink(sink_port) as sink, processes.escalatord(text, path) as daemon:
        processes.load(
            daemon.port,
            base=10**12,
            requests=TICKING,
            per_second=TICKING_PER_SECOND,
            seconds=TICKING / TICKING_PER_SECOND,
            label="class=ticking",
        )
        for _ in range(100):
            late = entered_ms(path / "escalatord.db")
            if len(late) >= TICKING:
                return late
            sink.wait_for(2 * TICKING, 0.1)
    raise RuntimeError(f"only {len(late)} of {TICKING} tiers were entered in time")
