"""The page of what is muted: who, why, until when, how much it holds back; add one, expire one."""

from aiohttp import web

from escalatord.core.incident import Via
from escalatord.engine.wishes import AddSilence, ExpireSilence, SilenceReason
from escalatord.web.human import speaker
from escalatord.web.login import NOT_OURS
from escalatord.web.middleware import principal_of
from escalatord.web.pages import checked_form
from escalatord.web.parts import PARTS, Route
from escalatord.web.render import error_page, page
from escalatord.web.silences_api import done, expiring
from escalatord.web.silencing import DONE, WHY_NOT, adding, muting, muting_json

FOR_HOW_LONG = ("30m", "2h", "8h", "24h")
AGAIN = "Load the page again and press the button once more."
SAID = {
    SilenceReason.ADDED: "Quiet. Exceptions and statutory clocks still page.",
    SilenceReason.EXPIRED: "Over. What it held back and still fires is judged again at once.",
    **{reason: " ".join(words) for reason, words in WHY_NOT.items()},
}


def routes() -> list[Route]:
    """Return the routes."""
    return [
        Route("GET", "/silences", muted),
        Route("POST", "/silences", add),
        Route("POST", "/silences/{id}/expire", expire),
    ]


async def muted(request: web.Request) -> web.Response:
    """Return what is muted now and what will be, with the form that adds a silence."""
    found = await muting(request.app[PARTS].engine)
    mutes = muting_json(found)
    word = request.query.get("said", "")
    reason = SilenceReason(word) if word in set(SilenceReason) else None
    context = {
        "live": True,
        "now": found.at,
        "active": [one for one in mutes if one["active"]],
        "later": [one for one in mutes if not one["active"]],
        "alerts": found.alerts,
        "lengths": FOR_HOW_LONG,
        "said": SAID.get(reason, "") if reason else "",
        "refused": reason is not None and reason not in DONE,
    }
    return page(request, "silences.html", context)


async def add(request: web.Request) -> web.Response:
    """Mute what the form says: 303 back to the page."""
    fields = await checked_form(request)
    if fields is None:
        return error_page(request, 403, NOT_OURS, AGAIN)
    now = request.app[PARTS].engine.clock.now()
    return await _back(request, adding(fields, speaker(principal_of(request), {}, Via.WEB), now))


async def expire(request: web.Request) -> web.Response:
    """Let a silence end now: 303 back to the page."""
    if await checked_form(request) is None:
        return error_page(request, 403, NOT_OURS, AGAIN)
    return await _back(request, expiring(request, speaker(principal_of(request), {}, Via.WEB)))


async def _back(request: web.Request, command: AddSilence | ExpireSilence) -> web.Response:
    result = await done(request.app[PARTS], command)
    return web.Response(status=303, headers={"Location": f"/silences?said={result.reason}"})
