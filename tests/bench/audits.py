"""How long an audit takes while 100,000 incidents are open, in a database written row by row.

Ceiling: none; the promise is 50 ms, so that the watchdog is never switched off for its cost.
"""

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from statistics import quantiles

from escalatord.engine.auditor import audit_once
from escalatord.sim.world import World
from escalatord.store.codec import to_micros
from tests.bench import processes
from tests.bench.figures import Figure
from tests.fakes.company import company

OPEN = 100_000
AUDITS = 40
HUNDREDTHS = 100
DUE_IN = timedelta(hours=1)


def measure(rounds: int, _seconds: float) -> list[Figure]:
    """Return p50 and p99 of an audit in milliseconds."""
    took = asyncio.run(_took_ms(rounds * AUDITS))
    cuts = quantiles(took, n=HUNDREDTHS)
    return [
        Figure(name=f"an audit with {OPEN:,} incidents open, {name}", value=value, unit="ms")
        for name, value in (("p50", cuts[49]), ("p99", cuts[98]))
    ]


async def _took_ms(audits: int) -> list[float]:
    with processes.folder() as folder:
        world = World(company(folder), folder)
        await world.start()
        await world.fire("DiskFull")
        await world.stop()
        _multiply(folder / "world.db", to_micros(world.clock.now() + DUE_IN))
        world.store.open()
        took = []
        for _ in range(audits):
            began = time.perf_counter()
            audit = await _audit(world)
            took.append((time.perf_counter() - began) * 1000)
            if sum(count for *_what, count, _since in audit.open_counts) < OPEN or not audit.passed:
                raise RuntimeError(f"the audit found {audit}")
        world.store.close()
    return took


async def _audit(world: World):
    world.engine.read = lambda work: asyncio.to_thread(world.store.read, work)  # its own threads have ended
    world.engine.pulse = type(world.engine.pulse)(world.clock)
    return await audit_once(world.engine, world.clock.now())


def _multiply(path, due_at: int | None) -> None:
    """Copy the one incident until there are `OPEN` of them, each under its own number and key."""
    with closing(sqlite3.connect(path)) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(incidents)")]
        first = dict(zip(columns, database.execute("SELECT * FROM incidents").fetchone(), strict=True))
        body = json.loads(first["body"])
        rows = (
            {**first, "number": n, "key": f"k{n}", "next_due_at": due_at, "body": json.dumps({**body, "number": n})}
            for n in range(2, OPEN + 1)
        )
        names = ", ".join(columns)
        marks = ", ".join(f":{name}" for name in columns)
        database.executemany(f"INSERT INTO incidents ({names}) VALUES ({marks})", rows)  # noqa: S608 - our own names
        database.execute("UPDATE incidents SET next_due_at = ? WHERE number = 1", (due_at,))
        database.commit()
