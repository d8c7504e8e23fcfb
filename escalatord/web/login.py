"""`/login` and `/logout`: a token becomes a session."""

from collections import OrderedDict

from aiohttp import web

from escalatord.web.asking import form
from escalatord.web.auth import BEARER_LENGTH_MAX, CSRF_FIELD, DOOR, SESSION_COOKIE
from escalatord.web.middleware import principal_of
from escalatord.web.parts import PARTS, Route
from escalatord.web.render import error_page, page

TRIES_PER_MINUTE_MAX = 10
PEERS_REMEMBERED_MAX = 10_000
NOT_OURS = "This form is too old or came from another site."


def routes() -> list[Route]:
    """Return the routes, which share the count of tries per peer."""
    tries = Tries()

    async def submit(request: web.Request) -> web.Response:
        """Make a session of a token: 303 to where the reader wanted to go."""
        fields = await form(request)
        door = request.app[DOOR]
        wanted = inside(fields.get("next", ""))
        if not door.form_is_ours(request, fields.get(CSRF_FIELD, ""), ""):
            return error_page(request, 403, NOT_OURS, "Load the page again.")
        if not tries.may(request.remote or "", request.app[PARTS].engine.clock.monotonic()):
            return page(request, "login.html", {"next": wanted, "say": "Too many tries; wait a minute."}, status=429)
        row = await door.row_of(fields.get("token", "").strip()[:BEARER_LENGTH_MAX])
        if row is None:
            return page(request, "login.html", {"next": wanted, "say": "No such token."}, status=401)
        response = web.Response(status=303, headers={"Location": wanted})
        door.set_cookie(request, response, SESSION_COOKIE, door.session(row))
        return response

    return [
        Route("GET", "/login", login),
        Route("POST", "/login", submit),
        Route("POST", "/logout", logout),
    ]


async def login(request: web.Request) -> web.Response:
    """Return the form."""
    return page(request, "login.html", {"next": inside(request.query.get("next", "")), "say": ""})


async def logout(request: web.Request) -> web.Response:
    """Forget the session."""
    fields = await form(request)
    door = request.app[DOOR]
    if not door.form_is_ours(request, fields.get(CSRF_FIELD, ""), principal_of(request).name):
        return error_page(request, 403, NOT_OURS, "Load the page again.")
    response = web.Response(status=303, headers={"Location": "/login"})
    response.del_cookie(door.cookie(request, SESSION_COOKIE), path="/", secure=door.secure(request), httponly=True)
    return response


def inside(path: str) -> str:
    """Return `path` when it stays on this site, else the board."""
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and path.isascii()
    return path if safe else "/"


class Tries:
    """How often each peer tried in the present minute."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def may(self, peer: str, monotonic: float) -> bool:
        """Count one try; return whether it is within the limit."""
        minute = int(monotonic // 60)
        then, count = self._counts.pop(peer, (minute, 0))
        count = count + 1 if then == minute else 1
        self._counts[peer] = (minute, count)
        if len(self._counts) > PEERS_REMEMBERED_MAX:
            self._counts.popitem(last=False)
        return count <= TRIES_PER_MINUTE_MAX
