"""Pages from templates: autoescaped, strict about undefined values, never made from anything an alert says.

Alert text only ever arrives as a value. Links become clickable only when they are http or https.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from escalatord.core.units import format_duration
from escalatord.web.auth import DOOR, NONCE_COOKIE, NONCE_LENGTH_MAX, PRINCIPAL, Role
from escalatord.web.parts import PARTS

TEMPLATES = Path(__file__).parent / "templates"
NONCE_BYTES = 24
LINK_SCHEMES = ("http", "https")

RENDER: web.AppKey[Environment] = web.AppKey("render", Environment)


def environment() -> Environment:
    """Return the environment in which every page is rendered."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(clock=clock, day=day, span=format_duration, ago=ago, iso=iso, words=words, link=link)
    return made


def clock(at: datetime) -> str:
    """Return the time of day in UTC; scripts turn it into the reader's zone."""
    return at.astimezone(UTC).strftime("%H:%M:%S UTC")


def day(at: datetime) -> str:
    """Return day and time in UTC."""
    return at.astimezone(UTC).strftime("%a %d %b %H:%M UTC")


def iso(at: datetime) -> str:
    """Return the instant for machines."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def ago(at: datetime, now: datetime) -> str:
    """Return how long ago, in whole seconds up to two minutes, then in whole minutes."""
    seconds = max(0.0, (now - at).total_seconds())
    return format_duration(seconds if seconds < 120 else seconds // 60 * 60)  # noqa: PLR2004 - see above


def words(text: object) -> str:
    """Return an enum's value as words."""
    return str(text).replace("_", " ")


def link(url: str) -> str | None:
    """Return `url` when it may become clickable, None when it must stay text."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in LINK_SCHEMES and parts.hostname else None


def page(
    request: web.Request, template: str, context: Mapping[str, object], *, status: int = 200, door: bool = True
) -> web.Response:
    """Return the rendered template. `door` = with who is logged in and a form token bound to this browser."""
    values: dict[str, object] = {"now": request.app[PARTS].engine.clock.now(), **context}
    response = web.Response(status=status, content_type="text/html", charset="utf-8")
    if door:
        values |= _door(request, response)
    response.text = request.app[RENDER].get_template(template).render(values)
    return response


def _door(request: web.Request, response: web.Response) -> dict[str, object]:
    door = request.app[DOOR]
    principal = request.get(PRINCIPAL)
    nonce = request.cookies.get(door.cookie(request, NONCE_COOKIE), "")
    if not nonce or len(nonce) > NONCE_LENGTH_MAX:
        nonce = secrets.token_urlsafe(NONCE_BYTES)
        door.set_cookie(request, response, NONCE_COOKIE, nonce)
    parts = request.app[PARTS]
    return {
        "csrf": door.form_token(nonce, principal.name if principal else ""),
        "principal": principal,
        "responder": principal is not None and principal.may(Role.RESPONDER),
        "admin": principal is not None and principal.may(Role.ADMIN),
        "has_sim": parts.switchboard is not None,
        "healthy": parts.engine.healthy(),
        "degraded": parts.degraded(),
        "path": request.path,
    }


def error_page(request: web.Request, status: int, say: str, fix: str) -> web.Response:
    """Return an error for people: what happened and what to do."""
    return page(request, "error.html", {"status": status, "say": say, "fix": fix}, status=status, door=False)
