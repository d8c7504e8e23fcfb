"""`/api/v1/silences`: what is muted by whom until when, for tools and the command line."""

from aiohttp import web

from escalatord.core.incident import Via
from escalatord.engine.wishes import AddSilence, ExpireSilence, Silenced
from escalatord.web.answers import answer, refuse
from escalatord.web.asking import NUMBER_DIGITS_MAX, VIAS, json_object, text_of, via_of
from escalatord.web.human import Speaker, speaker
from escalatord.web.middleware import principal_of
from escalatord.web.parts import PARTS, Route, WebParts
from escalatord.web.silencing import DONE, STATUS, WHY_NOT, adding, mute_json, muting, muting_json, said


def routes() -> list[Route]:
    """Return the routes."""
    base = "/api/v1/silences"
    return [
        Route("GET", base, list_silences),
        Route("POST", base, add_silence),
        Route("DELETE", f"{base}/{{id}}", expire_silence),
    ]


async def list_silences(request: web.Request) -> web.Response:
    """Return everything that mutes, of the rules and made at run time, and the newest alerts that are muted."""
    found = await muting(request.app[PARTS].engine)
    return answer({"at": found.at, "silences": muting_json(found), "alerts": list(found.alerts)})


async def add_silence(request: web.Request) -> web.Response:
    """Mute what matches: 201."""
    parts = request.app[PARTS]
    content = await json_object(request)
    who = speaker(principal_of(request), {"person": text_of(content, "by")}, via_of(content))
    return _answered(await done(parts, adding(content, who, parts.engine.clock.now())), 201)


async def expire_silence(request: web.Request) -> web.Response:
    """Let a silence end now."""
    parts = request.app[PARTS]
    via = VIAS.get(request.query.get("via", "api"), Via.API)
    who = speaker(principal_of(request), {"person": request.query.get("by", "")}, via)
    return _answered(await done(parts, expiring(request, who)), 200)


async def done(parts: WebParts, command: AddSilence | ExpireSilence) -> Silenced:
    """Commit what somebody wants about silences and return what came of it."""
    result = await parts.engine.submit(command)
    if not isinstance(result, Silenced):
        raise TypeError(type(result))
    return result


def expiring(request: web.Request, who: Speaker) -> ExpireSilence:
    """Return the command that ends the silence in the path; one that is no number ends none."""
    text = request.match_info["id"]
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX else 0
    return ExpireSilence(id=number, by=who.person, via=who.via)


def _answered(result: Silenced, status: int) -> web.Response:
    if result.reason not in DONE or result.silence is None:
        say, fix = WHY_NOT[result.reason]
        return refuse(STATUS.get(result.reason, 400), result.reason, say, fix=fix)
    return answer(
        {
            "reason": result.reason,
            "at": result.at,
            "say": said(result),
            "silence": mute_json(result.silence, 0, result.at),
            "firing": result.firing,
            "paging": result.paging,
        },
        status,
    )
