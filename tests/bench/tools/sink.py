"""Takes notifications in and knows how late they are: every `sent_ns=<19 digits>` counts once, in microseconds.

GET-like paths: `/stats` gives the figures as JSON, `/reset` forgets them. Anything else is a notification, answered
with 200 after a delay.
"""

import argparse
import asyncio
import json
import re
import time
from functools import partial

from tests.bench.tools.histogram import Histogram
from tests.bench.tools.loops import run
from tests.bench.tools.wire import Server

SENT = re.compile(rb"sent_ns=(\d{19})")
SECONDS_MAX = 3600.0


class Sink:
    """What came in so far; only the first message of each alert counts."""

    def __init__(self, delay_seconds: float) -> None:
        self._delay_seconds = delay_seconds
        self._forget()

    def _forget(self) -> None:
        self._late_us = Histogram()
        self._seen: set[bytes] = set()
        self._posts = 0
        self._first_at = 0.0

    def respond(self, path: str, body: bytes) -> tuple[int, bytes, float]:
        """Answer one request."""
        if path == "/stats":
            return 200, json.dumps(self._stats()).encode(), 0.0
        if path == "/reset":
            self._forget()
            return 200, b"", 0.0
        now_ns = time.time_ns()
        self._posts += 1
        self._first_at = self._first_at or now_ns / 1e9
        found = SENT.search(body)
        if found and found[1] not in self._seen:
            self._seen.add(found[1])
            self._late_us.add((now_ns - int(found[1])) / 1e3)
        return 200, b"{}", self._delay_seconds

    def _stats(self) -> dict[str, object]:
        return {
            "posts": self._posts,
            "distinct": len(self._seen),
            "first_at": self._first_at,
            "late_us": self._late_us.as_json(),
        }


async def serve(port: int, delay_seconds: float) -> None:
    """Serve until the time is up or the process is ended."""
    sink = Sink(delay_seconds)
    server = await asyncio.get_running_loop().create_server(
        partial(Server, sink.respond), "127.0.0.1", port, backlog=1024
    )
    async with server:
        await asyncio.sleep(SECONDS_MAX)


def main() -> None:
    """Run a sink."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay-seconds", type=float, default=0.0)
    given = parser.parse_args()
    run(serve(given.port, given.delay_seconds))


if __name__ == "__main__":
    main()
