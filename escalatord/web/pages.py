"""Pages for people: the board, one incident, and raising by hand. They work without any script."""

from collections.abc import Mapping
from functools import partial

from aiohttp import web

from escalatord.core.alert import Severity
from escalatord.core.forecast import on_call_now
from escalatord.core.incident import Reason, State, Via
from escalatord.core.policy import TrackKind
from escalatord.engine.commands import Answered
from escalatord.engine.engine import View
from escalatord.engine.rebasing import is_outdated
from escalatord.web.api import submit_answer
from escalatord.web.asking import form, number_of
from escalatord.web.auth import CSRF_FIELD, DOOR
from escalatord.web.board import cards, climbing, span_between, truth
from escalatord.web.human import VERBS, raising, speaker
from escalatord.web.incidents_json import detail, names_of
from escalatord.web.login import NOT_OURS
from escalatord.web.middleware import principal_of
from escalatord.web.node_list import node_lines
from escalatord.web.parts import PARTS, Route, WebParts
from escalatord.web.reading import board_of, told, troubles, world_at
from escalatord.web.render import error_page, page
from escalatord.web.silencing import muting, muting_json
from escalatord.web.timeline import sentence

WHAT_WAS_SAID: Mapping[Reason, str] = {
    Reason.OPENED: "Raised: people are being paged.",
    Reason.JOINED: "Joined what was already open: no second page goes out.",
    Reason.ACKNOWLEDGED: "It is in hand. The others are told.",
    Reason.ACKNOWLEDGED_LATE: "It is yours, though it had moved on. The others are told.",
    Reason.ACK_COUNTED: "Your ack counts; more are needed, and the others are still being paged.",
    Reason.ACK_EXTENDED: "It stays yours.",
    Reason.ALREADY_ACKNOWLEDGED: "Somebody had it already; nothing changed.",
    Reason.ALREADY_YOURS: "It was yours already; nothing changed.",
    Reason.JOINED_RESPONSE: "You are in it too.",
    Reason.TAKEN_OVER: "You took it over.",
    Reason.UNACKNOWLEDGED: "Given back: paging starts again.",
    Reason.NOT_ACKNOWLEDGED: "Nobody had it; nothing changed.",
    Reason.SNOOZED: "Snoozed.",
    Reason.SNOOZE_REFUSED: "This one cannot be snoozed.",
    Reason.MANUAL: "The next tier is being paged.",
    Reason.PASSED_ON: "The next tier is being paged.",
    Reason.EXHAUSTED: "There is no further tier: the last resort is being paged.",
    Reason.NOTED: "Written down.",
    Reason.MITIGATED: "Mitigated: those who were paged because it was not are told.",
    Reason.ALREADY_MITIGATED: "That was said before.",
    Reason.REBASED: "Moved onto the rules in force; the timeline says what changed.",
    Reason.SAME_POLICY: "It follows the rules in force already.",
    Reason.RESOLVED: "Closed. Everybody who was paged is told.",
    Reason.RESOLVE_NEEDS_DECISION: "A compliance track needs the decision that was made; write it under More.",
    Reason.ALREADY_RESOLVED: "It was over already.",
    Reason.DUPLICATE: "That was done already.",
}


def routes() -> list[Route]:
    """Return the routes."""
    return [
        Route("GET", "/", board),
        Route("GET", "/incidents/{number}", incident),
        Route("POST", "/incidents/{number}/{verb}", act),
        Route("GET", "/raise", raise_form),
        Route("POST", "/raise", raise_now),
    ]


def said_in(request: web.Request) -> str:
    """Return the sentence a redirect carried by its reason, "" for none; never a text from the address."""
    word = request.query.get("said", "")
    return WHAT_WAS_SAID.get(Reason(word), word.replace("_", " ")) if word in set(Reason) else ""


async def checked_form(request: web.Request) -> dict[str, str] | None:
    """Return the fields of a form that we rendered for this browser and principal, None for any other."""
    fields = await form(request)
    ours = request.app[DOOR].form_is_ours(request, fields.pop(CSRF_FIELD, ""), principal_of(request).name)
    return fields if ours else None


async def board(request: web.Request) -> web.Response:
    """Return what is open now, the unacknowledged first and biggest."""
    engine = request.app[PARTS].engine
    now = engine.clock.now()
    found = await engine.read(board_of)
    wrong = await engine.read(partial(troubles, now=now))
    world = await world_at(engine, now)
    names = names_of(world.ruleset)
    duty = [
        {
            "schedule": schedule,
            "names": ", ".join(names.get(turn.person, turn.person) for turn in turns),
            "because": turns[0].because if turns else "",
        }
        for schedule, turns in sorted(on_call_now(world, now).items())
    ]
    context = {
        "live": True,
        "now": now,
        "said": said_in(request),
        "waiting": cards(found.unacknowledged, found.attempts, names, now),
        "held": cards(found.acknowledged, found.attempts, names, now),
        "closed": cards(found.closed, found.attempts, names, now),
        "duty": duty,
        "muted": [one for one in muting_json(await muting(engine)) if one["active"]],
        "nodes": node_lines(*request.app[PARTS].nodes(), now),
        "outdated": sum(is_outdated(one, world.ruleset) for one in (*found.unacknowledged, *found.acknowledged)),
        "troubles": [(row.entry.at, sentence(row.entry, names)) for row in wrong],
    }
    return page(request, "board.html", context)


def unknown(request: web.Request) -> web.Response:
    """Return 404 for an incident that does not exist."""
    return error_page(request, 404, "There is no such incident.", "The board shows what is open.")


async def incident(request: web.Request) -> web.Response:
    """Return one incident: what is true now, what happens next, what happened, and why."""
    found = await told(request.app[PARTS].engine, number_of(request))
    if found is None:
        return unknown(request)
    view, story = found
    content = detail(view, story)
    names = names_of(view.world.ruleset)
    say, seconds = climbing(view.incident, view.at)
    context = {
        "live": True,
        "now": view.at,
        "said": said_in(request),
        "it": content,
        "truth": truth(view.incident, names, view.at),
        "open_for": span_between(view.incident.opened_at, view.incident.resolved_at or view.at),
        "climb_say": say,
        "climb_seconds": seconds,
        "links": list(view.incident.links.items()),
        "people": sorted(view.world.ruleset.people.values(), key=lambda person: person.name),
        "next": content["next"],
        "timeline": content["timeline"],
        "messages": content["messages"],
        "alerts": content["alerts_seen"],
        "why": _why(content["explanation"]),
        "tracks": len(view.incident.tracks),
        "needs_decision": _has_compliance(view),
        "outdated": is_outdated(view.incident, view.world.ruleset),
    }
    return page(request, "incident.html", context)


def _why(explanation: object) -> list[str]:
    if not isinstance(explanation, Mapping):
        raise TypeError(type(explanation))
    return [*explanation["why_it_exists"], *explanation["why_this_person"]]


def _has_compliance(view: View) -> bool:
    for track in view.incident.tracks:
        policy = view.world.policies.get(track.policy)
        kinds = {each.name: each.kind for each in policy.tracks} if policy is not None else {}
        if kinds.get(track.name) is TrackKind.COMPLIANCE:
            return True
    return False


async def act(request: web.Request) -> web.Response:
    """Do what a button says and show what it came to: 303 to the page."""
    verb = VERBS.get(request.match_info["verb"])
    if verb is None:
        raise web.HTTPNotFound
    fields = await checked_form(request)
    if fields is None:
        return error_page(request, 403, NOT_OURS, "Load the page again and press the button once more.")
    number = number_of(request)
    who = speaker(principal_of(request), fields, Via.WEB)
    given = {key: value for key, value in fields.items() if key in {"for", "text", "decision", "track"} and value}
    joins = {"join": True} if request.match_info["verb"] == "ack" and await _is_held(request.app[PARTS], number) else {}
    done = await submit_answer(request.app[PARTS], number, verb({**given, **joins}, who))
    if done is None:
        return unknown(request)
    back = "/" if fields.get("back") == "/" else f"/incidents/{number}"
    return web.Response(status=303, headers={"Location": f"{back}?said={done.reason}"})


async def _is_held(parts: WebParts, number: int) -> bool:
    found = (await parts.engine.read(lambda tx: tx.load([number]))).get(number)
    return found is not None and found.state is State.ACKNOWLEDGED


async def raise_form(request: web.Request) -> web.Response:
    """Return the form that opens an incident by hand."""
    ruleset = request.app[PARTS].engine.ruleset
    return page(request, "raise.html", {"severities": list(reversed(Severity)), "services": sorted(ruleset.services)})


async def raise_now(request: web.Request) -> web.Response:
    """Open an incident by hand: 303 to it."""
    fields = await checked_form(request)
    if fields is None:
        return error_page(request, 403, NOT_OURS, "Load the page again; if it is urgent, call people by hand.")
    parts = request.app[PARTS]
    who = speaker(principal_of(request), {}, Via.WEB)
    done = await parts.engine.submit(raising(parts.engine.ruleset, fields, who))
    if not isinstance(done, Answered) or done.incident is None:
        raise TypeError(type(done))
    return web.Response(status=303, headers={"Location": f"/incidents/{done.incident.number}?said={done.reason}"})
