"""`/api/v1/overrides`, `/api/v1/swaps` and calendars to subscribe to: who stands in, for tools and the command line."""

import hashlib
import hmac
import re

from aiohttp import web

from escalatord.core.incident import Via
from escalatord.engine.commands import Command
from escalatord.engine.wishes import CancelOverride, Overridden, OverrideReason
from escalatord.web.answers import answer, refuse
from escalatord.web.asking import NUMBER_DIGITS_MAX, json_object, text_of, via_of
from escalatord.web.duty_json import override_json, planned_overrides, schedule_calendar
from escalatord.web.human import Content, Speaker, speaker
from escalatord.web.incidents_json import names_of
from escalatord.web.middleware import principal_of
from escalatord.web.overriding import DONE, STATUS, WHY_NOT, adding, said, swapping
from escalatord.web.parts import PARTS, Route, WebParts
from escalatord.web.reading import world_at

ICS = "text/calendar"
UNSAFE_IN_FILE_NAMES = re.compile(r"[^A-Za-z0-9._-]")


def routes() -> list[Route]:
    """Return the routes."""
    base = "/api/v1"
    return [
        Route("GET", f"{base}/overrides", list_overrides),
        Route("POST", f"{base}/overrides", add_override),
        Route("POST", f"{base}/overrides/{{id}}/cancel", cancel_override),
        Route("POST", f"{base}/swaps", swap),
        Route("GET", f"{base}/calendars/{{schedule}}", one_calendar),
        Route("GET", "/calendars/{schedule}.ics", subscribed),
    ]


async def list_overrides(request: web.Request) -> web.Response:
    """Return the overrides that have not ended, by start; `schedule` filters."""
    engine = request.app[PARTS].engine
    now = engine.clock.now()
    world = await world_at(engine, now)
    found = planned_overrides(world.ruleset, world.overrides, now, request.query.get("schedule", ""))
    return answer({"at": now, "overrides": found})


async def add_override(request: web.Request) -> web.Response:
    """Let somebody stand in: 201."""
    parts = request.app[PARTS]
    content = await json_object(request)
    command = adding(parts.engine.ruleset, content, _speaker(request, content), parts.engine.clock.now())
    return _answered(parts, await done(parts, command), 201)


async def cancel_override(request: web.Request) -> web.Response:
    """Take an override back."""
    parts = request.app[PARTS]
    who = _speaker(request, await json_object(request))
    return _answered(parts, await done(parts, cancelling(request, who)), 200)


async def swap(request: web.Request) -> web.Response:
    """Let two people exchange their next shifts: 201."""
    parts = request.app[PARTS]
    content = await json_object(request)
    command = swapping(parts.engine.ruleset, content, _speaker(request, content))
    return _answered(parts, await done(parts, command), 201)


async def one_calendar(request: web.Request) -> web.Response:
    """Return a schedule's calendar as iCalendar text, and the address to subscribe to it."""
    parts = request.app[PARTS]
    name = request.match_info["schedule"]
    text = await _calendar(parts, name)
    if text is None:
        say, fix = WHY_NOT[OverrideReason.UNKNOWN_SCHEDULE]
        return refuse(404, OverrideReason.UNKNOWN_SCHEDULE, say, fix=fix)
    url = f"{parts.external_url}/calendars/{name}.ics?token={calendar_token(parts.secret, name)}"
    return answer({"schedule": name, "url": url, "ics": text})


async def subscribed(request: web.Request) -> web.Response:
    """Return a schedule's calendar to whoever knows its address: calendar programs send no headers of ours."""
    parts = request.app[PARTS]
    name = request.match_info["schedule"]
    sent = request.query.get("token", "")
    known = hmac.compare_digest(sent.encode(errors="replace"), calendar_token(parts.secret, name).encode())
    text = await _calendar(parts, name) if known else None
    if text is None:
        say = "There is no calendar at this address."
        return refuse(404, "unknown_calendar", say, fix="Make a new one: escalatord calendar SCHEDULE --subscribe.")
    file = UNSAFE_IN_FILE_NAMES.sub("_", name)
    headers = {"Content-Disposition": f'inline; filename="{file}.ics"'}
    return web.Response(text=text, content_type=ICS, charset="utf-8", headers=headers)


def calendar_token(secret: bytes, schedule: str) -> str:
    """Return the token that lets its bearer read one schedule's calendar."""
    return hmac.new(secret, f"calendar\n{schedule}".encode(), hashlib.sha256).hexdigest()


async def done(parts: WebParts, command: Command) -> Overridden:
    """Commit what somebody wants about overrides and return what came of it."""
    result = await parts.engine.submit(command)
    if not isinstance(result, Overridden):
        raise TypeError(type(result))
    return result


def cancelling(request: web.Request, who: Speaker) -> CancelOverride:
    """Return the command that takes back the override in the path; one that is no number cancels none."""
    text = request.match_info["id"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX else 0
    return CancelOverride(id=number, by=who.person, via=who.via)


async def _calendar(parts: WebParts, name: str) -> str | None:
    now = parts.engine.clock.now()
    world = await world_at(parts.engine, now)
    schedule = world.ruleset.schedules.get(name)
    return None if schedule is None else schedule_calendar(schedule, world.ruleset, now, world.overrides)


def _speaker(request: web.Request, content: Content) -> Speaker:
    """Return whose word it is: the principal's, or (an admin may say so) that of `by`."""
    via: Via = via_of(content)
    return speaker(principal_of(request), {"person": text_of(content, "by")}, via)


def _answered(parts: WebParts, result: Overridden, status: int) -> web.Response:
    if result.reason not in DONE:
        say, fix = WHY_NOT[result.reason]
        return refuse(STATUS[result.reason], result.reason, say, fix=fix)
    names = names_of(parts.engine.ruleset)
    return answer(
        {
            "reason": result.reason,
            "at": result.at,
            "say": said(result, parts.engine.ruleset),
            "overrides": [override_json(one, names) for one in result.overrides],
        },
        status,
    )
