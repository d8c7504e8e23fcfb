"""`/-/healthy`, `/-/ready`, `/-/reload` and `/metrics`, as the Prometheus world knows them."""

from aiohttp import web

from escalatord.web.answers import refuse, unavailable
from escalatord.web.parts import PARTS, Route

STILL_SEEDING = "The figures are still being read from the journal."


def routes(*, reloadable: bool) -> list[Route]:
    """Return the routes; reload is there only when it was enabled."""
    found = [Route("GET", "/-/healthy", healthy), Route("GET", "/-/ready", ready), Route("GET", "/metrics", metrics)]
    if reloadable:
        found += [Route("POST", "/-/reload", reload), Route("PUT", "/-/reload", reload)]
    return found


async def healthy(request: web.Request) -> web.Response:
    """Return 200 while deadlines are being worked; 503 is a difference from Prometheus, on purpose."""
    engine = request.app[PARTS].engine
    if engine.healthy():
        return web.Response(text="escalatord is healthy.\n")
    return web.Response(status=503, text="escalatord is not healthy: deadlines are not being worked.\n")


async def ready(request: web.Request) -> web.Response:
    """Return 200 when overdue work is caught up and alerts can be committed."""
    degraded = request.app[PARTS].degraded()
    if request.app[PARTS].engine.ready and degraded is not None:
        since = f"{degraded.since:%Y-%m-%d %H:%M:%SZ}"
        say = f"the database is away since {since}; {degraded.incidents} open incidents are paged for from memory"
        return web.Response(text=f"escalatord is ready, but {say}, and senders get 503.\n")
    if request.app[PARTS].engine.ready:
        return web.Response(text="escalatord is ready.\n")
    return web.Response(status=503, text="escalatord is not ready: overdue deadlines are being caught up.\n")


async def reload(request: web.Request) -> web.Response:
    """Read the rules again: 200 when they are in force, 500 with every finding when the old ones stay."""
    parts = request.app[PARTS]
    if parts.reload is None:
        return refuse(404, "not_found", "There is nothing here.")
    findings = await parts.reload()
    if not findings:
        return web.Response(text=f"Rules {parts.engine.ruleset.hash} are in force.\n")
    lines = "\n".join(str(finding) for finding in findings)
    return web.Response(status=500, text=f"The old rules stay in force.\n{lines}\n")


async def metrics(request: web.Request) -> web.Response:
    """Return the figures in the format that was asked for; 503 until they are seeded from the journal."""
    exposed = request.app[PARTS].metrics(request.headers.get("Accept", ""))
    if exposed is None:
        return unavailable(STILL_SEEDING)
    body, content_type = exposed
    return web.Response(body=body, headers={"Content-Type": content_type})
