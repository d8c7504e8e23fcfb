"""Verbs about incidents: list and show them, and answer as one would by phone."""

from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

import click

from escalatord.cli import output
from escalatord.cli.client import Client, NegativeError, Reply, number_of, with_client
from escalatord.core.units import format_duration

STATES = ("open", "acknowledged", "resolved", "active")
TASKS = ("open_rca", "freeze_changes")
SEVERITIES = ("critical", "error", "warning", "info")
NEXT_SHOWN_MAX = 6
LISTED_MAX = 500

Incident: TypeAlias = Mapping[str, Any]
Command: TypeAlias = Callable[..., None]

# What a reason that changed nothing means to the one who asked.
NOTHING_CHANGED: Mapping[str, str] = {
    "already_acknowledged": "{owner} has it already. Take it with --take-over, or join with --join.",
    "already_yours": "It is yours already.",
    "not_acknowledged": "Nobody has acknowledged it.",
    "snooze_refused": "Its policy does not allow snoozing.",
    "stale_tier": "It has moved on to another tier since.",
    "stale_answer": "That answer is too old for what is true now.",
    "not_due": "Nothing is due that this could answer.",
    "resolve_needs_decision": "A compliance track needs the decision that was made: give --decision TEXT.",
    "already_resolved": "It is over already.",
    "no_such_track": "It has no such track; tracks: {tracks}.",
    "duplicate": "That was said before.",
    "person_removed": "That person is no longer in the rules.",
    "already_mitigated": "That was said before.",
    "same_policy": "It follows the rules in force already.",
}
DONE: Mapping[str, str] = {
    "acknowledged": "acknowledged by {owner}",
    "acknowledged_late": "acknowledged by {owner}, after it had moved on; those paged since are told",
    "ack_extended": "the acknowledgement of {owner} holds longer",
    "joined_response": "joined {owner}",
    "taken_over": "taken over by {owner}",
    "ack_counted": "counted, {acks} of {needed} needed; still paging: {paging}",
    "unacknowledged": "no longer acknowledged; paging starts again",
    "snoozed": "snoozed by {owner}",
    "passed_on": "passed on; paging now: {paging}",
    "manual": "next tier paged: {paging}",
    "noted": "noted",
    "mitigated": "mitigated; those who were paged because it was not are told",
    "rebased": "moved onto the rules in force; its timeline says what changed",
    "resolved": "resolved",
    "opened": "opened; paging now: {paging}",
}


@click.command()
@click.option("--state", type=click.Choice(STATES), multiple=True, help="Only these; may repeat.")
@click.option("--limit", type=click.IntRange(1, LISTED_MAX), default=30, show_default=True, help="How many.")
@with_client
def ls(state: tuple[str, ...], limit: int, client: Client, as_json: bool) -> None:
    """List incidents, newest first."""
    query = {"limit": str(limit)} | ({"state": ",".join(state)} if state else {})
    found = client.get("/api/v1/incidents", query)
    if as_json:
        output.say_json(found)
    else:
        output.say(
            listed(found["incidents"]) or ["no incidents" + (f" that are {' or '.join(state)}" if state else "")]
        )


def listed(incidents: list[Incident]) -> list[str]:
    """Return incidents as a table: which, how bad, state, since when, who, what."""
    rows = []
    for incident in incidents:
        opened = output.clock(incident["opened_at"], day=True)
        what = f"{incident['service']}: {incident['title']}" if incident["service"] else incident["title"]
        rows.append([incident["label"], incident["severity"], incident["state"], opened[5:16], who(incident), what])
    return output.table(rows) if rows else []


def who(incident: Incident) -> str:
    """Return who has it, or who is being paged in which tier."""
    if incident["acknowledged_by"]:
        return str(incident["acknowledged_by"])
    if incident["paging"]:
        return f"tier {incident['tier']} {', '.join(incident['paging'][:3])}"
    return "-"


@click.command()
@click.argument("incident")
@with_client
def show(incident: str, client: Client, as_json: bool) -> None:
    """Show INCIDENT (INC-142 or 142): what is true now, what happened, what comes next."""
    found = client.get(f"/api/v1/incidents/{number_of(incident)}")
    if as_json:
        output.say_json(found)
    else:
        output.say(shown(found))


def shown(incident: Incident) -> Iterator[str]:
    """Yield an incident for reading: head, facts, timeline, ladder."""
    yield headline(incident)
    yield from output.section("what", [f"{incident['service']}: {incident['title']}".removeprefix(": ")])
    yield from output.section("links", [f"{name} {link}" for name, link in incident["links"].items()])
    yield from output.section("now", [state_words(incident)])
    yield from output.section("asked for", [_task(task) for task in incident.get("actions", ())])
    yield from output.section("timeline", [f"{output.clock(e['at'])} {e['say']}" for e in incident["timeline"]])
    yield from output.section("what is next", ladder(incident["next"]))


def _task(task: Mapping[str, Any]) -> str:
    """Return one task of an incident: `open_rca, of person vera since 03:11:14, open`."""
    done = f"done by {task['done_by']} at {output.clock(task['done_at'])}" if task["done_at"] else "open"
    owner = f", of {task['owner']}" if task["owner"] else ""
    return f"{task['action']}{owner} since {output.clock(task['asked_at'])}, {done}"


def headline(incident: Incident) -> str:
    """Return the first line: `INC-142  critical  open  policy payments  opened 2026-10-24 03:11:14 CEST`."""
    parts = [incident["label"], incident["severity"], incident["state"], f"policy {incident['policy']}"]
    return output.clean("  ".join([*parts, "opened"])) + " " + output.clock(incident["opened_at"], day=True)


def state_words(incident: Incident) -> str:
    """Return in a sentence what is true now."""
    if incident["resolved_at"]:
        by = f" by {incident['resolved_by']}" if incident["resolved_by"] else ""
        since = output.clock(incident["resolved_at"])
        if incident.get("muted_by"):
            return f"muted since {since} while it still fires: {incident['muted_by']}"
        return f"over since {since}{by}, {_lasted(incident, 'resolved_at')} after it opened"
    if incident["acknowledged_by"]:
        via = f" ({incident['acknowledged_via']})" if incident["acknowledged_via"] else ""
        return (
            f"{incident['acknowledged_by']} has it since {output.clock(incident['acknowledged_at'])}{via}, "
            f"{_lasted(incident, 'acknowledged_at')} after it opened"
        )
    if incident.get("held_until"):
        until = output.clock(incident["held_until"], day=True)
        return (
            f"held until {until} by hours of policy {incident['policy']}; nobody is paged before, unless it gets worse"
        )
    track = _climbing_with_acks(incident)
    acked = "nobody has acknowledged it"
    if track is not None:
        acked = f"{', '.join(track['acks'])} acknowledged it, {len(track['acks'])} of {track['acks_needed']} needed"
    return f"{acked}; tier {incident['tier']} is paged: {', '.join(incident['paging']) or 'nobody'}"


def _lasted(incident: Incident, end: str) -> str:
    seconds = output.seconds_between(incident["opened_at"], incident[end])
    return "?" if seconds is None else format_duration(seconds)


def ladder(rungs: list[Mapping[str, Any]]) -> list[str]:
    """Return what happens if nobody acts, one line per rung."""
    lines = [
        f"{output.clock(rung['at'])} in {format_duration(rung['in_seconds'])}  {rung['what']}"
        + (f": {', '.join(rung['names'])}" if rung["names"] else "")
        + (f"  ({rung['track']})" if rung["track"] else "")
        for rung in rungs[:NEXT_SHOWN_MAX]
    ]
    more = len(rungs) - NEXT_SHOWN_MAX
    return [*lines, f"… and {more} more"] if more > 0 else lines


# ------------------------------------------------------------------------------------------------- answering


def speaking(command: Command) -> Command:
    """Give a verb --as and the options of a client."""
    return click.option("--as", "person", metavar="PERSON", help="Speak for somebody; only an admin may.")(
        with_client(command)
    )


def of_track(command: Command) -> Command:
    """Give a verb --track."""
    return click.option("--track", default="", help="Which track.  [default: the one that speaks first]")(command)


@click.command()
@click.argument("incident")
@click.option("--take-over", is_flag=True, help="Also when somebody else has it.")
@click.option("--join", is_flag=True, help="Help the one who has it.")
@of_track
@speaking
def ack(
    *, incident: str, take_over: bool, join: bool, track: str, person: str | None, client: Client, as_json: bool
) -> None:
    """Acknowledge INCIDENT: mine. Paging stops, and starts again when the hold of the policy ends."""
    content = {"take_over": take_over, "join": join, "track": track}
    answer(client, incident, "ack", content, person=person, as_json=as_json)


@click.command()
@click.argument("incident")
@of_track
@speaking
def unack(incident: str, track: str, person: str | None, client: Client, as_json: bool) -> None:
    """Take the acknowledgement of INCIDENT back; paging starts again."""
    answer(client, incident, "unack", {"track": track}, person=person, as_json=as_json)


@click.command("next")
@click.argument("incident")
@of_track
@speaking
def next_(incident: str, track: str, person: str | None, client: Client, as_json: bool) -> None:
    """Page the next tier of INCIDENT now."""
    answer(client, incident, "next", {"track": track}, person=person, as_json=as_json)


@click.command()
@click.argument("incident")
@click.argument("duration")
@of_track
@speaking
def snooze(incident: str, duration: str, track: str, person: str | None, client: Client, as_json: bool) -> None:
    """Acknowledge INCIDENT for DURATION (such as 30m), and be paged again when that ends."""
    answer(client, incident, "snooze", {"for": duration, "track": track}, person=person, as_json=as_json)


@click.command()
@click.argument("incident")
@click.argument("text")
@click.option("--done", type=click.Choice(TASKS), help="The task of the incident that this says is done.")
@speaking
def note(*, incident: str, text: str, done: str | None, person: str | None, client: Client, as_json: bool) -> None:
    """Write TEXT into the timeline of INCIDENT."""
    content = {"text": text} | ({"done": done} if done else {})
    answer(client, incident, "note", content, person=person, as_json=as_json)


@click.command()
@click.argument("incident")
@click.argument("text", default="")
@speaking
def mitigated(incident: str, text: str, person: str | None, client: Client, as_json: bool) -> None:
    """Say that the harm of INCIDENT is stopped, though it is not over; TEXT says how."""
    answer(client, incident, "mitigated", {"text": text}, person=person, as_json=as_json)


@click.command()
@click.argument("incident", required=False)
@click.option("--all", "everything", is_flag=True, help="Every open incident that follows other rules.")
@speaking
def rebase(incident: str | None, everything: bool, person: str | None, client: Client, as_json: bool) -> None:
    """Move INCIDENT onto the policies of the rules in force. No deadline becomes later, and no track is lost."""
    if (incident is None) == (not everything):
        raise click.UsageError("Say which: INC-142, or --all.")
    if incident is not None:
        answer(client, incident, "rebase", {}, person=person, as_json=as_json)
        return
    content = client.post("/api/v1/rebase", _spoken({}, person)).content
    if as_json:
        output.say_json(content)
    else:
        moved = ", ".join(content["moved"]) or "no incident: all of them follow the rules in force"
        output.say(output.clean(f"moved onto rules {str(content['rules'])[:6]}: {moved}"))


@click.command()
@click.argument("incident")
@click.option("--decision", default="", help="What was decided; a compliance track needs it.")
@speaking
def resolve(incident: str, decision: str, person: str | None, client: Client, as_json: bool) -> None:
    """Say that INCIDENT is over."""
    answer(client, incident, "resolve", {"decision": decision}, person=person, as_json=as_json)


@click.command("raise")
@click.argument("title")
@click.option("--severity", type=click.Choice(SEVERITIES), default="critical", show_default=True, help="How bad.")
@click.option("--service", default="", help="What is broken.")
@click.option("--policy", default="", help="Whom it pages.  [default: the service's, else the catch-all]")
@speaking
def raise_(
    *, title: str, severity: str, service: str, policy: str, person: str | None, client: Client, as_json: bool
) -> None:
    """Open an incident called TITLE by hand: the cord that everybody may pull."""
    content = {"title": title, "severity": severity, "service": service, "policy": policy}
    _end(client.post("/api/v1/incidents", _spoken(content, person)), as_json=as_json)


def answer(
    client: Client, incident: str, verb: str, content: Mapping[str, object], *, person: str | None, as_json: bool
) -> None:
    """Post a verb, say what it came to; exit 1 when it changed nothing."""
    _end(client.post(f"/api/v1/incidents/{number_of(incident)}/{verb}", _spoken(content, person)), as_json=as_json)


def _spoken(content: Mapping[str, object], person: str | None) -> dict[str, object]:
    said = {key: value for key, value in content.items() if value not in ("", False)}
    return said | {"via": "cli"} | ({"person": person} if person else {})


def _end(reply: Reply, *, as_json: bool) -> None:
    if as_json:
        output.say_json(reply.content)
    else:
        output.say(outcome(reply))
    if reply.status == HTTPStatus.CONFLICT:
        raise SystemExit(NegativeError.exit_code)


def _counted(incident: Incident) -> dict[str, object]:
    """Return how far the acks of a climbing track have got, of the first that has any."""
    track = _climbing_with_acks(incident)
    return {"acks": len(track["acks"]), "needed": track["acks_needed"]} if track else {"acks": 0, "needed": 1}


def _climbing_with_acks(incident: Incident) -> Mapping[str, Any] | None:
    """Return the first track that somebody has acked and that still wants more; None when there is none."""
    climbing = ("running", "last_resort")
    return next((one for one in incident["tracks"] if one.get("acks") and one["state"] in climbing), None)


def outcome(reply: Reply) -> str:
    """Return in a sentence what an answer came to."""
    incident, reason = reply.content["incident"], str(reply.content["reason"])
    words = {
        "owner": incident["acknowledged_by"] or "somebody",
        "paging": ", ".join(incident["paging"]) or "nobody",
        "tracks": ", ".join(track["name"] for track in incident["tracks"]),
        **_counted(incident),
    }
    sentences = NOTHING_CHANGED if reply.status == HTTPStatus.CONFLICT else DONE
    sentence = sentences[reason].format(**words) if reason in sentences else reason.replace("_", " ")
    head = "  ".join([incident["label"], incident["severity"], incident["state"]])
    return "\n".join([output.clean(f"{head}  {incident['title']}", output.COLUMNS_MAX), output.clean(sentence)])
