"""The on-call page: the week of every schedule, and who stands in, in two taps."""

from aiohttp import web

from escalatord.core.away import Away
from escalatord.core.incident import Via
from escalatord.core.ruleset import World
from escalatord.core.schedule import Override
from escalatord.core.wallclock import Style, format_local
from escalatord.engine.commands import Command
from escalatord.engine.wishes import AbsenceReason, OverrideReason
from escalatord.web import absences
from escalatord.web.duty_api import cancelling, done
from escalatord.web.human import speaker
from escalatord.web.login import NOT_OURS
from escalatord.web.middleware import principal_of
from escalatord.web.overriding import DONE, WHY_NOT, adding
from escalatord.web.pages import checked_form
from escalatord.web.parts import PARTS, Route
from escalatord.web.reading import world_at
from escalatord.web.render import error_page, page
from escalatord.web.week import week

FOR_HOW_LONG = ("1h", "4h", "8h", "24h")
SAID = {
    OverrideReason.ADDED: "In force at once: pages go to whoever stands in now.",
    OverrideReason.CANCELLED: "Taken back.",
    **{reason: " ".join(words) for reason, words in WHY_NOT.items()},
}


def routes() -> list[Route]:
    """Return the routes."""
    return [
        Route("GET", "/oncall", oncall),
        Route("POST", "/oncall/overrides", stand_in),
        Route("POST", "/oncall/overrides/{id}/cancel", cancel),
    ]


async def oncall(request: web.Request) -> web.Response:
    """Return the next seven days of every schedule, gaps hatched, with the form that lets somebody stand in."""
    engine = request.app[PARTS].engine
    now = engine.clock.now()
    world = await world_at(engine, now)
    names = {person.id: person.name for person in world.ruleset.people.values()}
    schedules = []
    for name, schedule in sorted(world.ruleset.schedules.items()):
        made = [one for one in world.overrides if one.schedule == name]
        live = [_shown(one, names, schedule.timezone) for one in (*schedule.overrides, *made) if one.end > now]
        schedules.append({**week(schedule, world, now), "overrides": live})
    word = request.query.get("said", "")
    reason = OverrideReason(word) if word in set(OverrideReason) else None
    gone = request.query.get("away", "")
    absence = AbsenceReason(gone) if gone in set(AbsenceReason) else None
    about_absence = absences.SAID[absence] if absence else ""
    context = {
        "now": now,
        "schedules": schedules,
        "people": sorted(names.items(), key=lambda item: item[1]),
        "me": principal_of(request).name,
        "lengths": FOR_HOW_LONG,
        "away": [_gone(one, world, names) for one in absences.absences(world, now)],
        "said": SAID.get(reason, "") if reason else about_absence,
        "refused": (reason is not None and reason not in DONE)
        or (absence is not None and absence not in absences.DONE),
    }
    return page(request, "oncall.html", context)


async def stand_in(request: web.Request) -> web.Response:
    """Let somebody stand in as the form says: 303 back to the page."""
    fields = await checked_form(request)
    if fields is None:
        return error_page(request, 403, NOT_OURS, "Load the page again and press the button once more.")
    engine = request.app[PARTS].engine
    who = speaker(principal_of(request), {}, Via.WEB)
    return await _back(request, adding(engine.ruleset, fields, who, engine.clock.now()))


async def cancel(request: web.Request) -> web.Response:
    """Take an override back: 303 back to the page."""
    if await checked_form(request) is None:
        return error_page(request, 403, NOT_OURS, "Load the page again and press the button once more.")
    return await _back(request, cancelling(request, speaker(principal_of(request), {}, Via.WEB)))


async def _back(request: web.Request, command: Command) -> web.Response:
    result = await done(request.app[PARTS], command)
    return web.Response(status=303, headers={"Location": f"/oncall?said={result.reason}"})


def _gone(one: Away, world: World, names: dict[str, str]) -> dict[str, object]:
    person = world.ruleset.people.get(one.person)
    zone = person.timezone if person else "UTC"
    return {
        "person": one.person,
        "name": names.get(one.person, one.person),
        "start": format_local(one.start, zone, Style.FULL),
        "end": format_local(one.end, zone, Style.FULL),
        "why": one.why,
        "by": names.get(one.by, one.by),
    }


def _shown(override: Override, names: dict[str, str], zone: str) -> dict[str, object]:
    return {
        "id": override.id,
        "name": names.get(override.person, override.person),
        "start": format_local(override.start, zone, Style.FULL),
        "end": format_local(override.end, zone, Style.FULL),
        "why": override.why,
        "by": names.get(override.by, override.by),
    }
