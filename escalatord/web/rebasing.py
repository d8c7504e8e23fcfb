"""Moving incidents onto the rules in force: by the API, the command line, and a button for admins."""

from aiohttp import web

from escalatord.core.incident import Via
from escalatord.engine.commands import Answered, Move, MoveAll, Moved
from escalatord.web.answers import answer
from escalatord.web.api import no_incident, what_happened
from escalatord.web.asking import json_object, number_of, via_of
from escalatord.web.human import Speaker, speaker
from escalatord.web.login import NOT_OURS
from escalatord.web.middleware import principal_of
from escalatord.web.pages import checked_form, unknown
from escalatord.web.parts import PARTS, Route, WebParts
from escalatord.web.render import error_page


def routes() -> list[Route]:
    """Return the routes; they stand before those of the other verbs, which would take them for one."""
    return [
        Route("POST", "/api/v1/incidents/{number}/rebase", move),
        Route("POST", "/api/v1/rebase", move_all),
        Route("POST", "/incidents/{number}/rebase", press),
    ]


async def move(request: web.Request) -> web.Response:
    """Move one incident onto the rules in force; 409 when it follows them already."""
    content = await json_object(request)
    done = await _submit(request, speaker(principal_of(request), content, via_of(content)))
    return no_incident(request) if done.incident is None else what_happened(request.app[PARTS], done)


async def move_all(request: web.Request) -> web.Response:
    """Move every open incident onto the rules in force; those that follow them already are left out."""
    parts: WebParts = request.app[PARTS]
    content = await json_object(request)
    who = speaker(principal_of(request), content, via_of(content))
    done = await parts.engine.submit(MoveAll(person=who.person, via=who.via))
    if not isinstance(done, Moved):
        raise TypeError(type(done))
    labels = [f"INC-{number}" for number in done.incidents]
    return answer({"at": done.at, "rules": parts.engine.ruleset.hash, "moved": labels})


async def press(request: web.Request) -> web.Response:
    """Do what the button says and show what it came to: 303 to the page."""
    fields = await checked_form(request)
    if fields is None:
        return error_page(request, 403, NOT_OURS, "Load the page again and press the button once more.")
    done = await _submit(request, speaker(principal_of(request), fields, Via.WEB))
    if done.incident is None:
        return unknown(request)
    return web.Response(status=303, headers={"Location": f"/incidents/{done.incident.number}?said={done.reason}"})


async def _submit(request: web.Request, who: Speaker) -> Answered:
    command = Move(incident=number_of(request), person=who.person, via=who.via)
    done = await request.app[PARTS].engine.submit(command)
    if not isinstance(done, Answered):
        raise TypeError(type(done))
    return done
