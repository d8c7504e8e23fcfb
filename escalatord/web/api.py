"""`/api/v1/…`: what tools and the command line ask for and do. Described by `openapi.py`, guarded by `auth.ACCESS`."""

from collections.abc import Sequence
from datetime import datetime

from aiohttp import web

from escalatord import __version__
from escalatord.core.incident import Reason, State
from escalatord.core.wallclock import parse_when
from escalatord.engine.commands import Answer, Answered, HumanEvent
from escalatord.engine.outage import Degraded
from escalatord.errors import BadInputError
from escalatord.respond import count_refusal
from escalatord.web.answers import answer, refuse
from escalatord.web.asking import json_object, number_of, via_of
from escalatord.web.duty_json import SHIFTS_DAYS_MAX, duties
from escalatord.web.human import VERBS, raising, speaker
from escalatord.web.incidents_json import NOTHING_CHANGED, detail, names_of, summary, suppressed_json
from escalatord.web.middleware import principal_of
from escalatord.web.node_list import node_list
from escalatord.web.openapi import document
from escalatord.web.parts import PARTS, Handler, Route, WebParts
from escalatord.web.reading import INCIDENTS_LISTED_MAX, told, world_at
from escalatord.web.sim_api import sim_answer, sim_messages

INCIDENTS_LISTED_DEFAULT = 100
STATE_WORDS: dict[str, tuple[State, ...]] = {
    "open": (State.OPEN,),
    "acknowledged": (State.ACKNOWLEDGED,),
    "resolved": (State.RESOLVED,),
    "active": (State.OPEN, State.ACKNOWLEDGED),
}


def routes() -> list[Route]:
    """Return the routes of the API."""
    base = "/api/v1"
    verbs = [Route("POST", f"{base}/incidents/{{number}}/{verb}", _act(verb)) for verb in VERBS]
    return [
        Route("GET", f"{base}/openapi.json", openapi),
        Route("GET", f"{base}/status", status),
        Route("GET", f"{base}/oncall", oncall),
        Route("GET", f"{base}/incidents", list_incidents),
        Route("POST", f"{base}/incidents", raise_incident),
        Route("GET", f"{base}/incidents/{{number}}", one_incident),
        *verbs,
        Route("GET", f"{base}/alerts/{{source}}/{{fingerprint}}", one_alert),
        Route("GET", f"{base}/sim/messages", sim_messages),
        Route("POST", f"{base}/sim/answer", sim_answer),
    ]


async def openapi(request: web.Request) -> web.Response:
    """Return the description of this API."""
    return answer(document(request.app[PARTS].external_url))


async def list_incidents(request: web.Request) -> web.Response:
    """Return incidents, newest first; `state` filters, `limit` and `before` page."""
    parts = request.app[PARTS]
    limit = _whole(request, "limit", INCIDENTS_LISTED_DEFAULT, INCIDENTS_LISTED_MAX)
    before = _whole(request, "before", 0, 10**15) or None
    words = [word for value in request.query.getall("state", []) for word in value.split(",") if word]
    for word in words:
        if word not in STATE_WORDS:
            raise BadInputError("E101", "/state", f"state must be one of {', '.join(STATE_WORDS)}")
    states = tuple(dict.fromkeys(state for word in words for state in STATE_WORDS[word])) or None
    found = await parts.engine.read(lambda tx: tx.list_incidents(states=states, limit=limit, before=before))
    names = names_of(parts.engine.ruleset)
    return answer({"incidents": [summary(incident, names) for incident in found]})


async def one_incident(request: web.Request) -> web.Response:
    """Return one incident with its timeline, what is next, and why."""
    found = await told(request.app[PARTS].engine, number_of(request))
    return no_incident(request) if found is None else answer(detail(*found))


def no_incident(request: web.Request) -> web.Response:
    """Return 404 for an incident that does not exist."""
    say = f"There is no incident {request.match_info['number'][:24]}."
    return refuse(404, "unknown_incident", say, fix="GET /api/v1/incidents lists them (escalatord ls).")


def _act(verb: str) -> Handler:
    async def act(request: web.Request) -> web.Response:
        parts = request.app[PARTS]
        content = await json_object(request)
        who = speaker(principal_of(request), content, via_of(content))
        done = await submit_answer(parts, number_of(request), VERBS[verb](content, who))
        return no_incident(request) if done is None else what_happened(parts, done)

    return act


async def submit_answer(parts: WebParts, number: int, event: HumanEvent) -> Answered | None:
    """Commit what somebody said; return None when there is no such incident."""
    done = await parts.engine.submit(Answer(incident=number, event=event))
    if not isinstance(done, Answered):
        raise TypeError(type(done))
    count_refusal(parts.engine, event, done.reason)
    return None if done.incident is None or done.reason is Reason.NO_INCIDENT else done


def what_happened(parts: WebParts, done: Answered, status: int = 200) -> web.Response:
    """Return the reason and the incident as it is now; 409 when its state let nothing change."""
    if done.incident is None:
        raise LookupError(done.reason)
    return answer(
        {
            "reason": done.reason,
            "changed": done.reason not in NOTHING_CHANGED,
            "at": done.at,
            "incident": summary(done.incident, names_of(parts.engine.ruleset)),
        },
        409 if done.reason in NOTHING_CHANGED else status,
    )


async def raise_incident(request: web.Request) -> web.Response:
    """Open an incident by hand: 201."""
    parts = request.app[PARTS]
    content = await json_object(request)
    who = speaker(principal_of(request), content, via_of(content))
    done = await parts.engine.submit(raising(parts.engine.ruleset, content, who))
    if not isinstance(done, Answered):
        raise TypeError(type(done))
    return what_happened(parts, done, 201)


async def one_alert(request: web.Request) -> web.Response:
    """Return what the rules made of an alert, whether it paged or not."""
    source, fingerprint = request.match_info["source"], request.match_info["fingerprint"]
    found, verdict = await request.app[PARTS].engine.read(
        lambda tx: (tx.alerts(source, [fingerprint]).get(fingerprint), tx.verdict_of(source, fingerprint))
    )
    if found is None:
        say = "No alert with that source and fingerprint was ever taken."
        return refuse(404, "unknown_alert", say, fix="Dead letters may hold it: escalatord status.")
    return answer(
        {
            "source": source,
            "fingerprint": fingerprint,
            "status": found.alert.status,
            "title": found.alert.title,
            "labels": dict(found.alert.labels),
            "starts_at": found.alert.starts_at,
            "last_seen_at": found.last_seen_at,
            "severity": found.severity,
            "incident": found.incident or None,
            "looks_again_at": found.due_at,
            "suppressed": suppressed_json(found),
            "verdict": verdict,
        }
    )


async def oncall(request: web.Request) -> web.Response:
    """Return who is on call per schedule at `at` (default: now), and why; with `days` the shifts from then on."""
    engine = request.app[PARTS].engine
    at = _instant(request, "at", engine.clock.now())
    days = _whole(request, "days", 0, SHIFTS_DAYS_MAX)
    world = await world_at(engine, at)
    return answer({"at": at, "schedules": duties(world.ruleset, at, world.overrides, days)})


async def status(request: web.Request) -> web.Response:
    """Return how escalatord itself is, and how much is open."""
    parts = request.app[PARTS]
    now = parts.engine.clock.now()
    counts, next_due, seq = await parts.engine.read(lambda tx: (tx.count_open(), tx.next_due(), tx.last_seq()))
    return answer(
        {
            "version": __version__,
            "at": now,
            "healthy": parts.engine.healthy(),
            "ready": parts.engine.ready,
            "degraded": _degraded(parts.degraded()),
            "rules": parts.engine.ruleset.hash,
            "open": [_count(row) for row in counts],
            "unacknowledged": sum(row[3] for row in counts if row[2] == State.OPEN),
            "acknowledged": sum(row[3] for row in counts if row[2] == State.ACKNOWLEDGED),
            "next_due_at": next_due,
            "overdue_seconds": max(0.0, (now - next_due).total_seconds()) if next_due is not None else 0.0,
            "journal_seq": seq,
            "channels": dict(parts.channels_up()),
            "nodes": node_list(*parts.nodes(), now),
        }
    )


def _degraded(found: Degraded | None) -> dict[str, object] | None:
    return None if found is None else {"since": found.since, "incidents": found.incidents}


def _count(row: Sequence[object]) -> dict[str, object]:
    policy, severity, state, count, oldest = row
    return {"policy": policy, "severity": severity, "state": state, "count": count, "oldest_unacknowledged_at": oldest}


def _whole(request: web.Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 15):  # noqa: PLR2004 - digits that always fit an integer
        raise BadInputError("E101", f"/{name}", f"{name} must be a whole number")
    return min(int(text), most)


def _instant(request: web.Request, name: str, default: datetime) -> datetime:
    text = request.query.get(name)
    if text is None:
        return default
    try:
        return parse_when(text[:64], "UTC")
    except ValueError as error:
        raise BadInputError("E101", f"/{name}", str(error)) from None
