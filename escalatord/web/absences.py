"""Who is away: `/api/v1/away` for tools and the command line, and the form on the on-call page.

Being away matters to targets that say `& available`, and to nobody else; every answer says so.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from aiohttp import web

from escalatord.core.away import Away
from escalatord.core.incident import Via
from escalatord.core.ruleset import Ruleset, World
from escalatord.core.wallclock import Style, format_local, next_clock
from escalatord.engine.commands import Command
from escalatord.engine.wishes import Absence, AbsenceReason, AddAway, CancelAway
from escalatord.errors import BadInputError
from escalatord.web.answers import answer, refuse
from escalatord.web.asking import json_object, text_of, via_of
from escalatord.web.human import Content, Speaker, speaker
from escalatord.web.incidents_json import names_of
from escalatord.web.login import NOT_OURS
from escalatord.web.middleware import principal_of
from escalatord.web.overriding import lasting, line_of, when
from escalatord.web.pages import checked_form
from escalatord.web.parts import PARTS, Route, WebParts
from escalatord.web.reading import world_at
from escalatord.web.render import error_page

CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
DONE = frozenset({AbsenceReason.ADDED, AbsenceReason.CANCELLED})
STATUS: Mapping[AbsenceReason, int] = {
    AbsenceReason.UNKNOWN_PERSON: 404,
    AbsenceReason.NOT_AWAY: 409,
    AbsenceReason.ENDS_FIRST: 400,
    AbsenceReason.PAST: 400,
    AbsenceReason.TOO_LONG: 400,
    AbsenceReason.TOO_MANY: 409,
}
WHY_NOT: Mapping[AbsenceReason, tuple[str, str]] = {
    AbsenceReason.UNKNOWN_PERSON: ("There is no such person in the rules.", "Use an id under `people`."),
    AbsenceReason.NOT_AWAY: (
        "Nothing was noted of them at run time; an absence in the rules is changed there.",
        "GET /api/v1/away lists who is away.",
    ),
    AbsenceReason.ENDS_FIRST: ("It would end before it starts.", "Give a later end."),
    AbsenceReason.PAST: ("It would be over already.", "Give an end in the future."),
    AbsenceReason.TOO_LONG: ("An absence lasts a year at most.", "For longer, change the rules."),
    AbsenceReason.TOO_MANY: ("Too many absences are noted of them.", "Cancel them, or write them into the rules."),
}
SAID: Mapping[AbsenceReason, str] = {
    AbsenceReason.ADDED: "Noted: whoever asks for available people passes them over. Other pages still go to them.",
    AbsenceReason.CANCELLED: "Available again.",
    **{reason: " ".join(words) for reason, words in WHY_NOT.items()},
}


def routes() -> list[Route]:
    """Return the routes."""
    base = "/api/v1/away"
    return [
        Route("GET", base, list_away),
        Route("POST", base, add_away),
        Route("POST", f"{base}/{{person}}/cancel", cancel_away),
        Route("POST", "/oncall/away", go_away),
        Route("POST", "/oncall/away/{person}/cancel", come_back),
    ]


async def list_away(request: web.Request) -> web.Response:
    """Return who is away now or will be, from the rules and from run time; `person` filters."""
    engine = request.app[PARTS].engine
    now = engine.clock.now()
    world = await world_at(engine, now)
    wanted = request.query.get("person", "")
    found = [one for one in absences(world, now) if wanted in ("", one.person)]
    return answer({"at": now, "away": [absence_json(one, names_of(world.ruleset)) for one in found]})


async def add_away(request: web.Request) -> web.Response:
    """Note that somebody is away: 201."""
    parts = request.app[PARTS]
    content = await json_object(request)
    who = speaker(principal_of(request), {"person": text_of(content, "by")}, via_of(content))
    return _answered(parts, await _done(parts, going(parts.engine.ruleset, content, who, _now(parts))), 201)


async def cancel_away(request: web.Request) -> web.Response:
    """Somebody is back."""
    parts = request.app[PARTS]
    content = await json_object(request)
    who = speaker(principal_of(request), {"person": text_of(content, "by")}, via_of(content))
    back = CancelAway(person=request.match_info["person"], by=who.person, via=who.via)
    return _answered(parts, await _done(parts, back), 200)


async def go_away(request: web.Request) -> web.Response:
    """Note an absence as the form says: 303 back to the page."""
    fields = await checked_form(request)
    if fields is None:
        return error_page(request, 403, NOT_OURS, "Load the page again and press the button once more.")
    parts = request.app[PARTS]
    who = speaker(principal_of(request), {}, Via.WEB)
    return await _back(parts, going(parts.engine.ruleset, fields, who, _now(parts)))


async def come_back(request: web.Request) -> web.Response:
    """Take a person's absences back: 303 back to the page."""
    if await checked_form(request) is None:
        return error_page(request, 403, NOT_OURS, "Load the page again and press the button once more.")
    who = speaker(principal_of(request), {}, Via.WEB)
    back = CancelAway(person=request.match_info["person"], by=who.person, via=who.via)
    return await _back(request.app[PARTS], back)


def going(ruleset: Ruleset, content: Content, who: Speaker, now: datetime) -> AddAway:
    """Return the command that notes `person` as away from `from` (default: now) `to` a time, or `for` so long.

    Times without a zone are the person's; `to` may be a time of day, the next one: 18:00. Raise BadInputError for what
    is no time.
    """
    person = text_of(content, "person", needed=True)
    known = ruleset.people.get(person)
    zone = known.timezone if known else "UTC"
    start = when(content, "from", zone) or now
    wanted = text_of(content, "for")
    clock = CLOCK.fullmatch(text_of(content, "to"))
    if wanted:
        end = start + lasting(content, "for")
    elif clock is not None:
        end = next_clock(start, zone, int(clock.group(1)), int(clock.group(2)))
    else:
        found = when(content, "to", zone, later=True)
        if found is None:
            raise BadInputError("E102", "/to", 'give "to", or "for" (how long)')
        end = found
    return AddAway(person=person, start=start, end=end, why=line_of(content, "why"), by=who.person, via=who.via)


def absences(world: World, now: datetime) -> list[Away]:
    """Return who is away now or will be, by start."""
    filed: Iterable[Away] = (one for person in world.ruleset.people.values() for one in person.away)
    return sorted((one for one in (*filed, *world.away) if one.end > now), key=lambda one: (one.start, one.person))


def absence_json(one: Away, names: Mapping[str, str]) -> dict[str, object]:
    """Return one absence; `by` null = it stands in the rules."""
    return {
        "person": one.person,
        "name": names.get(one.person, one.person),
        "start": one.start,
        "end": one.end,
        "why": one.why,
        "by": one.by or None,
    }


def said(done: Absence, ruleset: Ruleset) -> str:
    """Return in one line what came of it."""
    if done.reason not in DONE:
        return " ".join(WHY_NOT[done.reason])
    lines = []
    for one in done.spans:
        person = ruleset.people.get(one.person)
        zone = person.timezone if person else "UTC"
        start, end = (format_local(at, zone, Style.FULL) for at in (one.start, one.end))
        lines.append(f"{person.name if person else one.person} from {start} to {end}")
    verb = "No longer away" if done.reason is AbsenceReason.CANCELLED else "Away"
    return f"{verb}: {'; '.join(lines)}."


async def _done(parts: WebParts, command: Command) -> Absence:
    result = await parts.engine.submit(command)
    if not isinstance(result, Absence):
        raise TypeError(type(result))
    return result


async def _back(parts: WebParts, command: Command) -> web.Response:
    result = await _done(parts, command)
    return web.Response(status=303, headers={"Location": f"/oncall?away={result.reason}"})


def _answered(parts: WebParts, result: Absence, status: int) -> web.Response:
    if result.reason not in DONE:
        say, fix = WHY_NOT[result.reason]
        return refuse(STATUS[result.reason], result.reason, say, fix=fix)
    names = names_of(parts.engine.ruleset)
    told = [absence_json(one, names) for one in result.spans]
    say = said(result, parts.engine.ruleset)
    return answer({"reason": result.reason, "at": result.at, "say": say, "away": told}, status)


def _now(parts: WebParts) -> datetime:
    return parts.engine.clock.now()
