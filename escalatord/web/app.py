"""The application: routes, what surrounds them, and what ends with it."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from escalatord.limits import BODY_BYTES_MAX
from escalatord.web import (
    absences,
    ack_page,
    api,
    callbacks,
    duty_api,
    ingest_http,
    lifecycle,
    live,
    login,
    oncall_pages,
    pages,
    rebasing,
    silence_pages,
    silences_api,
    sim_pages,
    static,
)
from escalatord.web.auth import DOOR, Doorkeeper
from escalatord.web.callbacks import MEMORY, TASKS, CallMemory
from escalatord.web.live import LISTENERS, Listeners
from escalatord.web.middleware import boundary
from escalatord.web.parts import PARTS, Route, WebParts
from escalatord.web.render import RENDER, environment

# For `aiohttp.web.AppRunner`: compressed bodies are refused, so nothing may be inflated before we see it; requests are
# counted by `observe` and not logged one by one, because paths hold tokens.
SHUTDOWN_SECONDS = 3.0  # for requests under way; the commits that they wait for have ended by then
RUNNER_OPTIONS: Mapping[str, Any] = {
    "auto_decompress": False,
    "access_log": None,
    "keepalive_timeout": 75.0,
    "shutdown_timeout": SHUTDOWN_SECONDS,
}


def build_app(parts: WebParts) -> web.Application:
    """Return the application over `parts`; run it with `RUNNER_OPTIONS`."""
    app = web.Application(middlewares=[boundary], client_max_size=BODY_BYTES_MAX)
    app[PARTS] = parts
    app[DOOR] = Doorkeeper(parts.engine, parts.secret, parts.external_url)
    app[RENDER] = environment()
    app[MEMORY] = CallMemory()
    app[LISTENERS] = Listeners()
    app[TASKS] = set()
    for route in all_routes(parts):
        app.router.add_route(route.method, route.path, route.handler)
    app.on_shutdown.append(live.hang_up)
    app.on_cleanup.append(_end_tasks)
    return app


def all_routes(parts: WebParts) -> list[Route]:
    """Return every route, GET ones with their HEAD."""
    found = [
        Route("POST", "/in/{source}", ingest_http.ingest),
        Route("POST", "/in/{source}/beat", ingest_http.beat),
        *lifecycle.routes(reloadable=parts.reload is not None),
        *rebasing.routes(),
        *api.routes(),
        *duty_api.routes(),
        *silences_api.routes(),
        *absences.routes(),
        *ack_page.routes(),
        *callbacks.routes(),
        *live.routes(),
        *login.routes(),
        *pages.routes(),
        *oncall_pages.routes(),
        *silence_pages.routes(),
        *sim_pages.routes(),
        *static.routes(),
    ]
    heads = [Route("HEAD", route.path, route.handler) for route in found if route.method == "GET"]
    return found + heads


async def _end_tasks(app: web.Application) -> None:
    running = app[TASKS]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
