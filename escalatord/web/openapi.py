"""The description of the API, OpenAPI 3.1, written from one table; a test compares it with the router."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from escalatord import __version__
from escalatord.core.alert import Severity
from escalatord.core.incident import Cause, Reason, State, Via
from escalatord.core.policy import Action
from escalatord.web.auth import ACCESS

Schema: TypeAlias = Mapping[str, object]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
INSTANT: Schema = {"type": "string", "format": "date-time"}
INSTANT_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
SPEAKER: Mapping[str, Schema] = {
    "person": {**TEXT, "description": "Whose word it is; default: the token's name. Only an admin speaks for others."},
    "via": {"enum": ["api", "cli"], "description": "How the human spoke to the tool."},
}
DONE: Schema = {"enum": ["", *Action], "description": "The task of the incident that this says is done."}
TRACK: Mapping[str, Schema] = {"track": {**TEXT, "description": "Which track; default: the one that speaks first."}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation: what it does, what it takes, which answers it gives. `needs` are required body keys."""

    say: str
    query: Mapping[str, Schema] | None = None
    body: Mapping[str, Schema] | None = None
    needs: tuple[str, ...] = ()
    answers: Mapping[int, str]


WHEN: Schema = {**TEXT, "examples": ["2026-12-24 08:00", "2026-12-24T07:00:00Z"]}
BY: Mapping[str, Schema] = {
    "by": {**TEXT, "description": "Whose wish it is; default: the token's name. Only an admin speaks for others."},
    "via": SPEAKER["via"],
}
OVERRIDE_REFUSED = {400: "Error", 403: "Error", 404: "Error", 409: "Error"}
LISTED = {200: "Incidents"}
ONE = {200: "IncidentDetail", 404: "Error"}
SAID = {200: "WhatHappened", 400: "Error", 403: "Error", 404: "Error", 409: "WhatHappened"}

OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("GET", "/api/v1/openapi.json"): Operation(say="Describe this API.", answers={200: "Object"}),
    ("GET", "/api/v1/status"): Operation(
        say="Say how escalatord itself is and how much is open.", answers={200: "Object"}
    ),
    ("GET", "/api/v1/oncall"): Operation(
        say="Say who is on call, and why.",
        query={
            "at": {
                **TEXT,
                "description": "An instant such as 2026-10-24T03:11:00Z or `2026-10-24 03:11 Europe/Madrid`.",
            },
            "days": {**WHOLE, "maximum": 62, "description": "Also the shifts of so many days."},
        },
        answers={200: "Object", 400: "Error"},
    ),
    ("GET", "/api/v1/overrides"): Operation(
        say="List who stands in, from the rules (id null) and from run time; what is over is left out.",
        query={"schedule": TEXT},
        answers={200: "Object"},
    ),
    ("POST", "/api/v1/overrides"): Operation(
        say="Let somebody stand in, at once. Times without a zone are the schedule's; give `to` or `for`.",
        body={
            "schedule": TEXT,
            "person": {**TEXT, "description": "Who stands in."},
            "from": {**WHEN, "description": "Default: now. What lies in the past stays as it was."},
            "to": WHEN,
            "for": {**TEXT, "description": "A duration such as 8h, instead of `to`."},
            "why": TEXT,
            **BY,
        },
        needs=("schedule", "person"),
        answers={201: "Object", **OVERRIDE_REFUSED},
    ),
    ("POST", "/api/v1/overrides/{id}/cancel"): Operation(
        say="Take an override back; one that has begun ends now.", body=BY, answers={200: "Object", **OVERRIDE_REFUSED}
    ),
    ("GET", "/api/v1/away"): Operation(
        say="List who is away now or will be, from the rules (by null) and from run time.",
        query={"person": TEXT},
        answers={200: "Object"},
    ),
    ("POST", "/api/v1/away"): Operation(
        say="Note that somebody is away: targets with `& available` pass them over, others do not.",
        body={
            "person": TEXT,
            "from": {**WHEN, "description": "Default: now. Times without a zone are the person's."},
            "to": {**WHEN, "description": "When they are back; a time of day such as 18:00 is the next one."},
            "for": {**TEXT, "description": "A duration such as 4h, instead of `to`."},
            "why": TEXT,
            **BY,
        },
        needs=("person",),
        answers={201: "Object", **OVERRIDE_REFUSED},
    ),
    ("POST", "/api/v1/away/{person}/cancel"): Operation(
        say="Note that somebody is back; an absence in the rules stays.",
        body=BY,
        answers={200: "Object", **OVERRIDE_REFUSED},
    ),
    ("POST", "/api/v1/swaps"): Operation(
        say="Let two people exchange their next shifts: two overrides, or none.",
        body={
            "schedule": TEXT,
            "person": TEXT,
            "with": TEXT,
            "after": {**WHEN, "description": "Shifts that start at or after it; default: now."},
            "why": TEXT,
            **BY,
        },
        needs=("schedule", "person", "with"),
        answers={201: "Object", **OVERRIDE_REFUSED},
    ),
    ("GET", "/api/v1/calendars/{schedule}"): Operation(
        say="Return a schedule as iCalendar text, with the address to subscribe to it.",
        answers={200: "Object", 404: "Error"},
    ),
    ("GET", "/api/v1/silences"): Operation(
        say="List what mutes, of the rules (id null) and made at run time, and the newest alerts that are muted.",
        answers={200: "Object"},
    ),
    ("POST", "/api/v1/silences"): Operation(
        say="Mute what matches for a while. Exceptions and statutory clocks still page.",
        body={
            "matchers": {**TEXT, "examples": ['service="checkout", env!="prod"']},
            "from": {**WHEN, "description": "Default: now. Times without a zone are UTC."},
            "to": WHEN,
            "for": {**TEXT, "description": "A duration such as 2h, instead of `to`; at most 30d."},
            "why": {**TEXT, "description": "Told to whoever asks why nobody was paged."},
            "apply_to_open": {**FLAG, "description": "Also take what matches out of open incidents."},
            "kind": {"enum": ["silence", "maintenance"], "description": "As what it is announced."},
            **BY,
        },
        needs=("matchers", "why"),
        answers={201: "Object", 400: "Error", 403: "Error", 409: "Error"},
    ),
    ("DELETE", "/api/v1/silences/{id}"): Operation(
        say="Let a silence end now; what it held back and still fires is judged again at once.",
        query={"by": BY["by"], "via": SPEAKER["via"]},
        answers={200: "Object", 403: "Error", 404: "Error"},
    ),
    ("GET", "/api/v1/incidents"): Operation(
        say="List incidents, newest first.",
        query={
            "state": {"enum": ["open", "acknowledged", "resolved", "active"], "description": "May repeat."},
            "limit": {**WHOLE, "maximum": 500, "default": 100},
            "before": {**WHOLE, "description": "Only incidents with a smaller number: the next page."},
        },
        answers={**LISTED, 400: "Error"},
    ),
    ("POST", "/api/v1/incidents"): Operation(
        say="Raise an incident by hand. Open to everybody who is authenticated.",
        body={"title": TEXT, "severity": {"enum": list(Severity)}, "service": TEXT, "policy": TEXT, **SPEAKER},
        needs=("title",),
        answers={201: "WhatHappened", 400: "Error", 403: "Error"},
    ),
    ("GET", "/api/v1/incidents/{number}"): Operation(
        say="Return an incident with its timeline, what is next if nobody acts, and why.", answers=ONE
    ),
    ("POST", "/api/v1/incidents/{number}/ack"): Operation(
        say="Acknowledge: mine.",
        body={**TRACK, "take_over": FLAG, "join": FLAG, "epoch": WHOLE, **SPEAKER},
        answers=SAID,
    ),
    ("POST", "/api/v1/incidents/{number}/unack"): Operation(
        say="Take an acknowledgement back; paging starts again.", body={**TRACK, **SPEAKER}, answers=SAID
    ),
    ("POST", "/api/v1/incidents/{number}/next"): Operation(
        say="Page the next tier now.", body={**TRACK, **SPEAKER}, answers=SAID
    ),
    ("POST", "/api/v1/incidents/{number}/snooze"): Operation(
        say="Acknowledge until then, and be paged again when it ends.",
        body={"for": {**TEXT, "description": "A duration such as 30m."}, **TRACK, **SPEAKER},
        needs=("for",),
        answers=SAID,
    ),
    ("POST", "/api/v1/incidents/{number}/note"): Operation(
        say="Write something into the timeline.",
        body={"text": TEXT, "done": DONE, **SPEAKER},
        needs=("text",),
        answers=SAID,
    ),
    ("POST", "/api/v1/incidents/{number}/mitigated"): Operation(
        say="Say that the harm is stopped, though it is not over; `text` says how.",
        body={"text": TEXT, **SPEAKER},
        answers=SAID,
    ),
    ("POST", "/api/v1/incidents/{number}/rebase"): Operation(
        say="Move it onto the rules in force; no deadline becomes later. 409 when it follows them already.",
        body=SPEAKER,
        answers=SAID,
    ),
    ("POST", "/api/v1/rebase"): Operation(
        say="Move every open incident onto the rules in force; `moved` lists those that followed others.",
        body=SPEAKER,
        answers={200: "Object", 400: "Error", 403: "Error"},
    ),
    ("POST", "/api/v1/incidents/{number}/resolve"): Operation(
        say="Say that it is over. A compliance track needs the decision that was made.",
        body={"decision": TEXT, **SPEAKER},
        answers=SAID,
    ),
    ("GET", "/api/v1/alerts/{source}/{fingerprint}"): Operation(
        say="Say what the rules made of an alert, whether it paged or not.", answers={200: "Object", 404: "Error"}
    ),
    ("GET", "/api/v1/sim/messages"): Operation(
        say="List what a simulated phone was sent.",
        query={"person": {**TEXT, "description": "Whose phone; everybody's when absent."}},
        answers={200: "SimMessages", 404: "Error"},
    ),
    ("POST", "/api/v1/sim/answer"): Operation(
        say="Answer from a simulated phone, through the code that real answers take.",
        body={"person": TEXT, "channel": {"enum": ["sms", "call", "chat"]}, "text": TEXT, "key": TEXT},
        needs=("person", "channel"),
        answers={200: "SimReply", 400: "Error", 404: "Error"},
    ),
}


def _object(properties: Mapping[str, object], *needed: str, closed: bool = False) -> dict[str, object]:
    schema: dict[str, object] = {"type": "object", "properties": dict(properties)}
    if needed:
        schema["required"] = list(needed)
    if closed:
        schema["additionalProperties"] = False
    return schema


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _incident() -> dict[str, object]:
    properties: dict[str, object] = {
        "number": WHOLE,
        "label": {**TEXT, "examples": ["INC-142"]},
        "state": {"enum": list(State)},
        "severity": {"enum": list(Severity)},
        "opened_severity": {"enum": list(Severity)},
        "service": TEXT,
        "title": TEXT,
        "policy": TEXT,
        "cause": {"enum": list(Cause)},
        "tier": {**WHOLE, "description": "Of the first track, from 1."},
        "paging": {"type": "array", "items": TEXT, "description": "Ids of those being paged now."},
        "opened_at": INSTANT,
        "acknowledged_at": INSTANT_OR_NULL,
        "acknowledged_by": TEXT_OR_NULL,
        "acknowledged_via": {"enum": [*Via, None]},
        "recovered_at": INSTANT_OR_NULL,
        "mitigated_at": INSTANT_OR_NULL,
        "held_until": {**INSTANT_OR_NULL, "description": "Until when its pages wait for office hours."},
        "resolved_at": INSTANT_OR_NULL,
        "muted_by": {**TEXT_OR_NULL, "description": "Which mute took its last alert away while that still fired."},
        "next_tier_at": INSTANT_OR_NULL,
        "actions": {"type": "array", "items": {"type": "object"}, "description": "What tiers asked for; see on_enter."},
    }
    return _object(properties, *properties)


def _schemas() -> dict[str, object]:
    incident = _reference("Incident")
    entries = {"type": "array", "items": {"type": "object"}}
    return {
        "Object": {"type": "object"},
        "Error": _object({"error": TEXT, "at": TEXT, "say": TEXT, "fix": TEXT}, "error", "say"),
        "Incident": _incident(),
        "Incidents": _object({"incidents": {"type": "array", "items": incident}}, "incidents"),
        "IncidentDetail": {
            "allOf": [
                incident,
                _object({"timeline": entries, "next": entries, "explanation": {"type": "object"}}, "timeline"),
            ]
        },
        "WhatHappened": _object(
            {"reason": {"enum": list(Reason)}, "changed": FLAG, "at": INSTANT, "incident": incident},
            "reason",
            "incident",
        ),
        "SimMessages": _object({"messages": entries}, "messages"),
        "SimReply": _object({"reply": TEXT_OR_NULL}, "reply"),
    }


def document(external_url: str) -> dict[str, object]:
    """Return the OpenAPI 3.1 document."""
    paths: dict[str, dict[str, object]] = {}
    for (method, path), operation in OPERATIONS.items():
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "escalatord",
            "version": __version__,
            "description": "Alerts in, the right human awake, proof of it out.",
        },
        "servers": [{"url": external_url}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(method: str, path: str, operation: Operation) -> dict[str, object]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": TEXT}
        for name in ("number", "source", "fingerprint", "id", "schedule", "person")
        if f"{{{name}}}" in path
    ]
    in_query = [{"name": name, "in": "query", "schema": schema} for name, schema in (operation.query or {}).items()]
    described: dict[str, object] = {
        "summary": operation.say,
        "operationId": f"{method.lower()}_" + path.removeprefix("/api/v1/").translate(str.maketrans("/.", "__", "{}")),
        "x-role": ACCESS[method, path],
        "responses": {str(status): _response(name) for status, name in _answers(operation).items()},
    }
    if in_path or in_query:
        described["parameters"] = in_path + in_query
    if operation.body is not None:
        schema = _object(operation.body, *operation.needs)
        described["requestBody"] = {
            "required": bool(operation.needs),
            "content": {"application/json": {"schema": schema}},
        }
    return described


def _answers(operation: Operation) -> dict[int, str]:
    return {**operation.answers, 401: "Error", 503: "Error"}


def _response(name: str) -> dict[str, object]:
    say = "What went wrong and how to mend it." if name == "Error" else "As asked."
    return {"description": say, "content": {"application/json": {"schema": _reference(name)}}}
