"""The walls of the room: the least that a Python process does for each thing that escalatord does.

- `--store none`: aiohttp takes a body in, parses it with the parser that escalatord uses, answers 200.
- `--store commit`: the same, and one row per alert is durable before the answer: one writer thread, group commit of
  what waits, WAL, synchronous=FULL.
- `--forward PORT`: the same as none, and every alert is posted on to that port after the answer.
"""

import argparse
import asyncio
import queue
import sqlite3
import threading
from pathlib import Path

import aiohttp
from aiohttp import web
from pydantic_core import from_json

from tests.bench.tools.loops import loop_factory

BATCH_MAX = 256
FORWARD_CONNECTIONS = 64


class Writer:
    """One thread that commits what waits, all of it at once."""

    def __init__(self, path: Path) -> None:
        self._queue: queue.SimpleQueue[tuple[list[tuple[str, str, str]], asyncio.Future[None]]] = queue.SimpleQueue()
        self._path = path
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, daemon=True).start()

    def put(self, rows: list[tuple[str, str, str]]) -> "asyncio.Future[None]":
        """Return a future that is done once the rows are on the disk."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._queue.put((rows, done))
        return done

    def _run(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE alert (id INTEGER PRIMARY KEY, fingerprint TEXT, status TEXT, body TEXT)")
        while True:
            waiting = [self._queue.get()]
            while len(waiting) < BATCH_MAX and not self._queue.empty():
                waiting.append(self._queue.get_nowait())
            connection.execute("BEGIN IMMEDIATE")
            rows = [row for some, _done in waiting for row in some]
            connection.executemany("INSERT INTO alert (fingerprint, status, body) VALUES (?, ?, ?)", rows)
            connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_resolve, [done for _rows, done in waiting])


def _resolve(futures: list["asyncio.Future[None]"]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


class Room:
    """The handler and what it needs."""

    def __init__(self, database: Path | None, forward_port: int) -> None:
        self._database = database
        self._url = f"http://127.0.0.1:{forward_port}/" if forward_port else ""
        self._writer: Writer | None = None
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, request: web.Request) -> web.Response:
        """Take one webhook."""
        body = await request.read()
        alerts = from_json(body)["alerts"]
        if self._database is not None:
            if self._writer is None:
                self._writer = Writer(self._database)
            text = body.decode()
            await self._writer.put([(alert["fingerprint"], alert["status"], text[:1000]) for alert in alerts])
        if self._url:
            for alert in alerts:
                task = asyncio.create_task(self._post(alert["annotations"]["summary"]))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        return web.Response(body=b"{}", content_type="application/json")

    async def _post(self, text: str) -> None:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=FORWARD_CONNECTIONS)
            self._session = aiohttp.ClientSession(connector=connector)
        async with self._session.post(self._url, json={"text": text}):
            pass


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", type=Path)
    parser.add_argument("--forward", type=int, default=0)
    given = parser.parse_args()
    room = Room(given.database, given.forward)
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/in/{source}", room.take)
    factory = loop_factory()
    loop = factory() if factory else asyncio.new_event_loop()
    web.run_app(app, host="127.0.0.1", port=given.port, print=None, access_log=None, loop=loop)


if __name__ == "__main__":
    main()
