"""Posts webhooks: in a closed loop (as fast as answers come) or at a fixed rate, without coordinated omission.

At a rate, latency counts from the instant at which a request was due, whether or not it could be sent then. Loopback
only, bounded in time and number. Prints one JSON object.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.bench.tools import wire
from tests.bench.tools.histogram import Histogram
from tests.bench.tools.loops import run
from tests.bench.tools.payloads import Template

HOST = "127.0.0.1"
CONNECTIONS = 32
ANSWER_SECONDS_MAX = 30.0
REQUESTS_MAX = 10_000_000


@dataclass(slots=True)
class Load:
    """What is posted where, and what came of it. `cycle` > 0 repeats that many bodies for ever."""

    port: int
    path: str
    template: Template
    base: int
    cycle: int
    requests_max: int
    latency_us: Histogram = field(default_factory=Histogram)
    statuses: Counter[int] = field(default_factory=Counter)
    errors: int = 0
    begun: int = 0

    def message(self) -> bytes:
        """Return the next request."""
        place = self.begun % self.cycle if self.cycle else self.begun
        self.begun += 1
        first = self.base + place * self.template.alerts
        # what is repeated must be the same to the last octet
        sent_ns = 10**18 if self.cycle else time.time_ns()
        body = self.template.fill(range(first, first + self.template.alerts), sent_ns)
        return wire.head(self.path, f"{HOST}:{self.port}", len(body)) + body

    async def post(self, client: wire.Client | None, due_at: float | None = None) -> wire.Client | None:
        """Post the next request and return the connection for the next one, None when it broke."""
        try:
            if client is None or not client.is_open:
                client = await wire.connect(HOST, self.port)
            message = self.message()
            started = time.perf_counter() if due_at is None else due_at
            status, _body = await asyncio.wait_for(client.request(message), ANSWER_SECONDS_MAX)
        except (OSError, TimeoutError):
            self.errors += 1
            return None
        self.latency_us.add((time.perf_counter() - started) * 1e6)
        self.statuses[status] += 1
        return client


async def closed(load: Load, seconds: float) -> None:
    """Post from many connections, each as fast as it is answered."""
    end = time.perf_counter() + seconds

    async def one() -> None:
        client: wire.Client | None = None
        while time.perf_counter() < end and load.begun < load.requests_max:
            client = await load.post(client)
        if client is not None:
            client.close()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))


async def at_rate(load: Load, seconds: float, per_second: float) -> None:
    """Post at fixed instants, over however many connections that takes."""
    started = time.perf_counter()
    free: list[wire.Client | None] = []
    under_way: set[asyncio.Task[None]] = set()

    async def one(due_at: float) -> None:
        free.append(await load.post(free.pop() if free else None, due_at))

    for place in range(min(load.requests_max, round(seconds * per_second))):
        due_at = started + place / per_second
        pause = due_at - time.perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        task = asyncio.create_task(one(due_at))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        await asyncio.sleep(0)
    if under_way:
        await asyncio.wait(under_way, timeout=ANSWER_SECONDS_MAX)


def main() -> None:
    """Run one load and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/in/alertmanager")
    parser.add_argument("--alerts", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--per-second", type=float, default=0.0, help="0 = closed loop")
    parser.add_argument("--requests", type=int, default=REQUESTS_MAX)
    parser.add_argument("--base", type=int, default=0)
    parser.add_argument("--cycle", type=int, default=0)
    parser.add_argument("--posted", action="store_true", help="bodies for Alertmanager's own API")
    parser.add_argument("--label", action="append", default=[], help="name=value for every alert")
    given = parser.parse_args()
    extra = dict(label.split("=", 1) for label in given.label)
    load = Load(
        given.port,
        given.path,
        Template(given.alerts, posted=given.posted, **extra),
        given.base,
        given.cycle,
        given.requests,
    )
    started = time.perf_counter()
    run(at_rate(load, given.seconds, given.per_second) if given.per_second else closed(load, given.seconds))
    seconds = time.perf_counter() - started
    done = load.statuses.total()
    result = {
        "requests": done,
        "per_second": done / seconds,
        "alerts": done * given.alerts,
        "statuses": {str(status): times for status, times in load.statuses.items()},
        "errors": load.errors,
        "latency_us": load.latency_us.as_json(),
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
