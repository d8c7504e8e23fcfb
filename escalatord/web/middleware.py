"""What surrounds every request: who is asking, may they, how long it took, and what is said when it fails.

The one place of this floor where any exception is caught: a defect in one page must not close the door for alerts.
"""

import secrets
from collections.abc import Mapping
from urllib.parse import quote

import structlog
from aiohttp import web

from escalatord.core.incident import Via
from escalatord.errors import BadInputError, StoreUnavailableError
from escalatord.respond import Untaken
from escalatord.web.answers import answer, refuse, unavailable
from escalatord.web.auth import ACCESS, DOOR, PRINCIPAL, Principal
from escalatord.web.human import NotAllowedError
from escalatord.web.ingest_http import keep_what_broke
from escalatord.web.parts import PARTS, Handler, WebParts
from escalatord.web.render import error_page

REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Server": "escalatord",
}
MACHINE_PREFIXES = ("/api/", "/in/", "/callbacks/", "/-/", "/metrics", "/static/", "/live", "/calendars/")
HOT_ROUTE = "/in/{source}"
UNROUTED = "none"
ACK_ROUTES: Mapping[str, Via] = {"/api/v1/incidents/{number}/ack": Via.API, "/incidents/{number}/{verb}": Via.WEB}
HOW_TO_GET_A_TOKEN = (
    "Run escalatord token create NAME --role responder on the server, then send Authorization: Bearer TOKEN."  # noqa: S105 - a sentence
)

log = structlog.get_logger("escalatord.web")


@web.middleware
async def boundary(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Admit, answer, count; turn every error into an answer that says what to do."""
    parts = request.app[PARTS]
    resource = request.match_info.route.resource
    route = UNROUTED if resource is None else resource.canonical
    started = parts.engine.clock.monotonic()
    try:
        response = await _admitted(request, handler, route)
    except web.HTTPException as error:
        response = _http_error(request, error)
    except StoreUnavailableError:
        response = _unavailable(request)
    except BadInputError as error:
        response = _bad_input(request, error)
    except NotAllowedError as error:
        response = _say(request, 403, "forbidden", str(error))
    except Exception:
        log.exception("request failed", route=route, method=request.method, request_id=request.get(REQUEST_ID, ""))
        response = await _defect(request, route)
    if route in ACK_ROUTES and response.status in {401, 403}:
        _count_refused_ack(request, parts, route)
    if route != HOT_ROUTE and not response.prepared:
        _protect(request, response)
    parts.observe(route, request.method, response.status, parts.engine.clock.monotonic() - started)
    return response


async def _admitted(request: web.Request, handler: Handler, route: str) -> web.StreamResponse:
    """Return the handler's answer when the principal may have it. A route that no table lists is closed."""
    if route == UNROUTED:
        return await handler(request)
    method = "GET" if request.method == "HEAD" else request.method
    if (method, route) not in ACCESS:
        return refuse(403, "forbidden", "This route is in no access table, so it is closed.")
    needed = ACCESS[method, route]
    if route == HOT_ROUTE:
        return await handler(request)
    request[REQUEST_ID] = secrets.token_hex(8)
    if needed is None:
        request[PRINCIPAL] = None
        return await handler(request)
    principal = await request.app[DOOR].principal(request)
    if principal is None:
        return _stranger(request)
    if not principal.may(needed):
        say = f"{principal.name} is a {principal.role}; this needs the role {needed}."
        return _say(request, 403, "forbidden", say, fix="Ask an admin for a token with that role.")
    request[PRINCIPAL] = principal
    return await handler(request)


def _count_refused_ack(request: web.Request, parts: WebParts, route: str) -> None:
    """Count an ack of somebody who may not, or whose form is not ours. What the request says of itself is not read."""
    if request.match_info.get("verb", "ack") == "ack":
        parts.engine.on_untaken(ACK_ROUTES[route], Untaken.REFUSED)


def principal_of(request: web.Request) -> Principal:
    """Return who was admitted to a route that needs a role."""
    principal = request[PRINCIPAL]
    if principal is None:
        raise LookupError("this route is open to everybody, so it has no principal")
    return principal


def _stranger(request: web.Request) -> web.StreamResponse:
    if for_machines(request):
        say = "Say who you are."
        headers = {"WWW-Authenticate": "Bearer"}
        return refuse(401, "unauthorized", say, fix=HOW_TO_GET_A_TOKEN, headers=headers)
    if request.method in {"GET", "HEAD"}:
        return web.Response(status=303, headers={"Location": "/login?next=" + quote(request.path, safe="/")})
    return _say(
        request, 401, "unauthorized", "Your session is over, or this form came from another site.", fix="Log in."
    )


def for_machines(request: web.Request) -> bool:
    """Return whether answers on this path are JSON for programs rather than pages for people."""
    return request.path.startswith(MACHINE_PREFIXES)


def _say(request: web.Request, status: int, error: str, say: str, *, fix: str = "") -> web.StreamResponse:
    if for_machines(request):
        return refuse(status, error, say, fix=fix)
    return error_page(request, status, say, fix)


def _http_error(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    if error.status < 400:  # noqa: PLR2004 - redirects are raised too
        return error
    words = {
        404: (
            "not_found",
            "There is nothing here.",
            "The board is at /, the API is described at /api/v1/openapi.json.",
        ),
        405: ("method_not_allowed", f"{request.method} is not possible here.", ""),
        413: ("too_large", "That is too large.", ""),
    }
    code, say, fix = words.get(error.status, ("bad_request", error.text or error.reason, ""))
    response = _say(request, error.status, code, say, fix=fix)
    if allowed := error.headers.get("Allow"):
        response.headers["Allow"] = allowed
    return response


def _bad_input(request: web.Request, error: BadInputError) -> web.StreamResponse:
    if for_machines(request):
        return answer({"error": error.code, "at": error.at, "say": error.say, "fix": ""}, 400)
    return error_page(request, 400, error.say, "Go back and change it.")


def _unavailable(request: web.Request) -> web.StreamResponse:
    if for_machines(request):
        return unavailable()
    say = "The store does not answer; nothing was changed."
    return error_page(request, 503, say, "Reload in a few seconds. If it is urgent, call people by hand.")


async def _defect(request: web.Request, route: str) -> web.StreamResponse:
    if route == HOT_ROUTE:
        try:
            return await keep_what_broke(request)
        except StoreUnavailableError:
            return unavailable("Something broke here; nothing is known to be committed.")
    name = request.get(REQUEST_ID, "")
    return _say(request, 500, "defect", "Something broke here.", fix=f"The log has it under request_id {name}.")


def _protect(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SECURITY_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    if name := request.get(REQUEST_ID):
        response.headers["X-Request-Id"] = name
