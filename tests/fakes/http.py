"""A server on loopback that can hurt: scripted statuses, hangs, resets, drips, redirects, nonsense.

The fakes of providers stand on it: what `script` holds comes first, one entry for each request; then `behave`.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from aiohttp import web

DRIP_SECONDS = 0.02


class Trouble(StrEnum):
    """What goes wrong with a request."""

    HANG = "hang"
    RESET = "reset"
    DRIP = "drip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One scripted answer. `taken` = the server acts on the request before it answers so: a lost answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    trouble: Trouble | None = None
    taken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request as it came."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes


class LocalServer:
    """Listens on a free port of loopback between `async with` and its end."""

    def __init__(self) -> None:
        self.script: deque[Answer | None] = deque()
        self.requests: list[Seen] = []
        self.connections: set[object] = set()
        self.arrived = asyncio.Event()
        self.url = ""
        self._over = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/{rest:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def behave(self, seen: Seen) -> web.StreamResponse:
        """Answer a request that nothing was scripted for; a plain server says 200."""
        del seen
        return web.Response()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(
            method=request.method,
            path=request.path,
            query=tuple(request.query.items()),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
        )
        self.requests.append(seen)
        self.connections.add(request.transport)
        self.arrived.set()
        answer = self.script.popleft() if self.script else None
        if answer is None:
            return await self.behave(seen)
        if answer.taken:
            await self.behave(seen)
        return await self._hurt(request, answer)

    async def _hurt(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        match answer.trouble:
            case Trouble.HANG:
                await self._over.wait()
            case Trouble.RESET:
                if request.transport is not None:
                    request.transport.abort()
            case Trouble.DRIP:
                return await self._drip(request, answer)
            case None:
                pass
        return web.Response(status=answer.status, body=answer.body, headers=dict(answer.headers))

    async def _drip(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers={"Content-Type": "application/json"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            async for _ in self._ticks():
                await response.write(b" ")
        return response

    async def _ticks(self) -> AsyncIterator[None]:
        """Yield every `DRIP_SECONDS` until the server stops; a drip is the one trouble that needs real time."""
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), DRIP_SECONDS)
            yield
