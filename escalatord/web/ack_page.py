"""`/a/{token}`: the page behind the link in a message. No login, no script, no cookie; under 14 KB.

GET and HEAD look and change nothing; POST acts, with the nonce of the page it came from. Links that do not exist and
links that are too old are answered in the same size, so that guessing tells nothing.
"""

from collections.abc import Mapping

from aiohttp import web

from escalatord.errors import StoreUnavailableError
from escalatord.respond.link import LinkAction, LinkState, LinkView
from escalatord.web.asking import form
from escalatord.web.parts import PARTS, RETRY_AFTER_SECONDS, Route
from escalatord.web.render import page

STATUSES: Mapping[LinkState, int] = {LinkState.UNKNOWN: 404, LinkState.OLD: 410}
TOO_MANY_TRIES = 429
NOTHING_SAID_BYTES = 4096
LABELS: Mapping[LinkAction, str] = {
    LinkAction.ACK: "I HAVE IT",
    LinkAction.PASS_ON: "Pass on now",
    LinkAction.SNOOZE: "Snooze 1 h",
    LinkAction.UNDO: "Undo",
    LinkAction.JOIN: "Join",
    LinkAction.TAKE_OVER: "Take over",
    LinkAction.NOTE: "Add note",
}
HEADLINES: Mapping[LinkState, str] = {
    LinkState.UNKNOWN: "This link does not exist",
    LinkState.OLD: "This link is too old",
    LinkState.NOT_ACKED: "Nobody has it yet",
    LinkState.YOURS: "It is yours",
    LinkState.SOMEONE_ELSE: "You can go back to sleep",
    LinkState.COUNTED: "Your ack counts, and more are needed",
    LinkState.MOVED_ON: "It has moved on",
    LinkState.OVER: "It is over",
    LinkState.CONFIDENTIAL: "Confidential case",
    LinkState.BURNED: "This link is closed",
}


def routes() -> list[Route]:
    """Return the routes."""
    return [Route("GET", "/a/{token}", look), Route("POST", "/a/{token}", act)]


async def look(request: web.Request) -> web.Response:
    """Show what is true now; nothing changes."""
    try:
        view = await request.app[PARTS].links.look(request.match_info["token"])
    except StoreUnavailableError:
        return store_down(request)
    return shown(request, view)


async def act(request: web.Request) -> web.Response:
    """Do what the button says and show what it came to."""
    fields = await form(request)
    number = fields.get("number", "")
    try:
        view = await request.app[PARTS].links.act(
            request.match_info["token"],
            fields.get("action", ""),
            fields.get("nonce", ""),
            int(number) if number.isascii() and number.isdigit() and len(number) <= len("99") else 0,
            fields.get("detail", ""),
        )
    except StoreUnavailableError:
        return store_down(request)
    return shown(request, view)


def shown(request: web.Request, view: LinkView) -> web.Response:
    """Return the page of a view."""
    status = TOO_MANY_TRIES if view.limited else STATUSES.get(view.state, 200)
    context = {"view": view, "headline": HEADLINES[view.state], "labels": LABELS}
    response = page(request, "ack.html", context, status=status, door=False)
    if view.state in STATUSES:
        text = response.text or ""
        response.text = text + " " * (NOTHING_SAID_BYTES - len(text.encode()))
    return response


def store_down(request: web.Request) -> web.Response:
    """Return 503: what else the reader can do while nothing can be committed."""
    response = page(request, "ack_down.html", {}, status=503, door=False)
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response
