"""`GET /live`: tells open pages that something changed, by server-sent events. What changed is fetched, not pushed."""

import asyncio

from aiohttp import ClientConnectionResetError, web
from pydantic_core import to_json

from escalatord.engine.commands import Changed
from escalatord.web.answers import unavailable
from escalatord.web.parts import PARTS, Route

LIVE_CONNECTIONS_MAX = 200
PING_SECONDS = 15.0
RETRY_MILLISECONDS = 2000
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'",
    "Server": "escalatord",
}


class Listeners:
    """The open connections, so that they are few and end when the server does."""

    def __init__(self) -> None:
        self.closing = asyncio.Event()
        self.count = 0


LISTENERS: web.AppKey[Listeners] = web.AppKey("listeners", Listeners)


def routes() -> list[Route]:
    """Return the route."""
    return [Route("GET", "/live", live)]


async def hang_up(app: web.Application) -> None:
    """End every connection, so that a stop need not wait for readers."""
    app[LISTENERS].closing.set()


async def live(request: web.Request) -> web.StreamResponse:
    """Stream one event per commit until the reader leaves or the server stops."""
    listeners = request.app[LISTENERS]
    if listeners.count >= LIVE_CONNECTIONS_MAX:
        return unavailable("Too many pages are listening; this one still works by reloading.")
    listeners.count += 1
    try:
        with request.app[PARTS].engine.watch() as queue:
            response = web.StreamResponse(headers=HEADERS)
            await response.prepare(request)
            if request.method != "HEAD":
                await _stream(response, queue, listeners.closing)
    except ClientConnectionResetError:
        pass  # the reader left: nothing to tell anybody
    finally:
        listeners.count -= 1
    return response


async def _stream(response: web.StreamResponse, queue: asyncio.Queue[Changed], closing: asyncio.Event) -> None:
    await response.write(b"retry: %d\n\n" % RETRY_MILLISECONDS)
    stop = asyncio.create_task(closing.wait(), name="live-stop")
    try:
        while not closing.is_set():
            news = asyncio.create_task(queue.get(), name="live-news")
            try:
                done, _ = await asyncio.wait({news, stop}, timeout=PING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            finally:
                news.cancel()
            await response.write(event(news.result()) if news in done else b": still here\n\n")
    finally:
        stop.cancel()


def event(changed: Changed) -> bytes:
    """Return one event; numbers only, so nothing of an alert passes through here."""
    return b"data: " + to_json({"incidents": changed.incidents, "seq": changed.seq}) + b"\n\n"
