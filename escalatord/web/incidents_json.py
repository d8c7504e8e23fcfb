"""Incidents as tools and pages see them: plain values, made by pure functions, the same for the API and the screens.

Sentences are for people, keys are for programs; both are written from the journal and the snapshot, never guessed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from escalatord.core.bundle import place_of, services_of
from escalatord.core.forecast import ladder
from escalatord.core.hours import held_until
from escalatord.core.incident import (
    Attempt,
    Bundle,
    Incident,
    Page,
    Reason,
    State,
    Task,
    TimerKind,
    Track,
    TrackState,
)
from escalatord.core.quorum import needed
from escalatord.core.rules import AlertRecord
from escalatord.core.ruleset import Ruleset, World
from escalatord.core.schedule import on_call
from escalatord.core.units import format_duration
from escalatord.engine.engine import View
from escalatord.store.rows import JournalRow, OutboxRow
from escalatord.web.timeline import passed_over, sentence

CLIMBING = (TrackState.RUNNING, TrackState.LAST_RESORT)
CLIMB_TIMERS = (TimerKind.TIER_DEADLINE, TimerKind.LAST_RESORT, TimerKind.HOURS_START)
ONCALL_PREFIX = "oncall "

# Reasons of an answer that changed nothing because of the state the incident is in: 409 for tools.
NOTHING_CHANGED = frozenset(
    {
        Reason.ALREADY_ACKNOWLEDGED,
        Reason.ALREADY_YOURS,
        Reason.NOT_ACKNOWLEDGED,
        Reason.SNOOZE_REFUSED,
        Reason.STALE_TIER,
        Reason.STALE_ANSWER,
        Reason.NOT_DUE,
        Reason.RESOLVE_NEEDS_DECISION,
        Reason.ALREADY_RESOLVED,
        Reason.NO_SUCH_TRACK,
        Reason.DUPLICATE,
        Reason.PERSON_REMOVED,
        Reason.ALREADY_MITIGATED,
        Reason.SAME_POLICY,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything stored about one incident, read in one transaction; `budgets` are how much its readers may get."""

    journal: Sequence[JournalRow]
    alerts: Sequence[AlertRecord]
    verdicts: Mapping[str, Mapping[str, object]]
    outbox: Sequence[OutboxRow]
    budgets: Sequence[str] = ()


def names_of(ruleset: Ruleset) -> dict[str, str]:
    """Return display names by person id."""
    return {person.id: person.name for person in ruleset.people.values()}


def summary(incident: Incident, names: Mapping[str, str]) -> dict[str, object]:
    """Return the incident in one object: what, how bad, who, since when, and when it climbs."""
    climb = next_climb(incident)
    return {
        "number": incident.number,
        "label": incident.label,
        "state": incident.state,
        "severity": incident.severity,
        "opened_severity": incident.opened_severity,
        "service": incident.service,
        "title": incident.title,
        "summary": incident.summary,
        "policy": incident.policy,
        "rule": incident.rule,
        "cause": incident.cause,
        "source": incident.source,
        "tier": incident.main.tier if incident.tracks else 0,
        "tracks": [_track(track, names) for track in incident.tracks],
        "paging": paging(incident),
        "opened_at": incident.opened_at,
        "first_paged_at": incident.first_paged_at,
        "acknowledged_at": incident.acknowledged_at,
        "acknowledged_by": incident.acknowledged_by or None,
        "acknowledged_via": incident.acknowledged_via,
        "mitigated_at": incident.mitigated_at,
        "mitigated_by": incident.mitigated_by or None,
        "held_until": held_until(incident.main, incident.timers),
        "recovered_at": incident.recovered_at,
        "resolved_at": incident.resolved_at,
        "resolved_by": incident.resolved_by or None,
        "muted_by": incident.muted_by or None,
        "quiet_since": incident.quiet_since,
        "reopened": incident.reopened,
        "bundle": _bundle(incident),
        "next_tier_at": climb,
        "alerts": incident.alerts,
        "firing": sum(incident.firing),
        "truncated": incident.truncated,
        "links": dict(incident.links),
        "confidential": incident.confidential,
        "actions": [_task(task, names) for task in incident.tasks],
    }


def _task(task: Task, names: Mapping[str, str]) -> dict[str, object]:
    return {
        "action": task.action,
        "asked_at": task.asked_at,
        "track": task.track,
        "tier": task.tier,
        "owner": task.owner or None,
        "done_at": task.done_at,
        "done_by": names.get(task.done_by, task.done_by) or None,
    }


def _bundle(incident: Incident) -> dict[str, object] | None:
    """Return what a storm's alerts have in common, None for an incident that is no storm."""
    bundle = incident.bundle
    if bundle is None:
        return None
    return {
        "group": bundle.group,
        "by": dict(bundle.by),
        "why_bundled": _why_bundled(bundle),
        "services": dict(services_of(bundle)),
        "likely_cause": bundle.cause or None,
        "likely_because": bundle.why or None,
    }


def _why_bundled(bundle: Bundle) -> str:
    within = format_duration(bundle.window_seconds)
    return f"group {bundle.group}: more than {bundle.over} new incidents with {place_of(bundle)} in {within}"


def _track(track: Track, names: Mapping[str, str]) -> dict[str, object]:
    return {
        "name": track.name,
        "state": track.state,
        "tier": track.tier,
        "cycle": track.cycle,
        "owner": track.owner or None,
        "owner_name": names.get(track.owner, track.owner) or None,
        "acknowledged_at": track.acked_at,
        "acknowledged_via": track.acked_via,
        "acks": list(track.acks),
        "acks_needed": needed(track),
        "paging": [
            {
                "person": page.person,
                "name": names.get(page.person, page.person),
                "target": page.target,
                "since": page.at,
            }
            for page in track.pages
            if page.person not in track.acks
        ],
    }


def paging(incident: Incident) -> list[str]:
    """Return the ids of those being paged at this moment, in order, each once."""
    if incident.state is State.RESOLVED:
        return []
    people = [
        page.person
        for track in incident.tracks
        if track.state in CLIMBING
        for page in track.pages
        if page.person not in track.acks
    ]
    return list(dict.fromkeys(people))


def next_climb(incident: Incident) -> datetime | None:
    """Return when the next tier is paged (or the last resort paged again) if nobody acts."""
    return min((timer.at for timer in incident.awake if timer.kind in CLIMB_TIMERS), default=None)


def detail(view: View, story: Story) -> dict[str, object]:
    """Return the incident with its timeline, what is next, its alerts and its messages, and why all this."""
    names = names_of(view.world.ruleset)
    return {
        **summary(view.incident, names),
        "at": view.at,
        "timeline": timeline(story.journal, names),
        "next": upcoming(view, names),
        "alerts_seen": [_alert(record) for record in story.alerts],
        "messages": [_message(row, names) for row in story.outbox],
        "explanation": explanation(view, story, names),
    }


def timeline(rows: Iterable[JournalRow], names: Mapping[str, str]) -> list[dict[str, object]]:
    """Return the journal of an incident in order, each entry with a sentence."""
    return [
        {
            "seq": row.seq,
            "at": row.entry.at,
            "kind": row.entry.kind,
            "actor": row.entry.actor,
            "via": row.entry.via,
            "say": sentence(row.entry, names),
            "body": dict(row.entry.body),
        }
        for row in rows
    ]


def upcoming(view: View, names: Mapping[str, str]) -> list[dict[str, object]]:
    """Return the ladder of what happens if nobody acts, with exact instants and names."""
    if view.incident.state is State.RESOLVED:
        return []
    return [
        {
            "at": rung.at,
            "in_seconds": (rung.at - view.at).total_seconds(),
            "track": rung.track,
            "tier": rung.tier,
            "what": rung.what,
            "kind": rung.kind,
            "people": list(rung.people),
            "names": [names.get(person, person) for person in rung.people],
        }
        for rung in ladder(view.incident, view.world, view.at)
    ]


def _alert(record: AlertRecord) -> dict[str, object]:
    return {
        "source": record.alert.source,
        "fingerprint": record.alert.fingerprint,
        "status": record.alert.status,
        "title": record.alert.title,
        "severity": record.severity,
        "starts_at": record.alert.starts_at,
        "ends_at": record.alert.ends_at,
        "received_at": record.opened_at,
        "last_seen_at": record.last_seen_at,
        "suppressed": suppressed_json(record),
        "labels": dict(record.alert.labels),
        "annotations": dict(record.alert.annotations),
    }


def suppressed_json(record: AlertRecord) -> dict[str, object] | None:
    """Return what mutes an alert now, None when nothing does."""
    by = record.suppressed
    if by is None or by.ended_at is not None or not record.firing:
        return None
    return {
        "kind": by.kind,
        "by": by.by,
        "why": by.why,
        "what": by.what,
        "since": by.since,
        "until": by.until,
        "incident": by.incident or None,
        "say": by.say,
    }


def _message(row: OutboxRow, names: Mapping[str, str]) -> dict[str, object]:
    return {
        "at": row.settled_at or row.sent_at or row.due_at,
        "due_at": row.due_at,
        "sent_at": row.sent_at,
        "person": row.person,
        "name": names.get(row.person, row.person),
        "channel": row.channel,
        "kind": row.kind,
        "track": row.track,
        "tier": row.tier,
        "state": row.state,
        "result": row.result,
        "say": delivered(row, names),
    }


def delivered(row: OutboxRow, names: Mapping[str, str]) -> str:
    """Return one attempt as a phrase: `sms to Ana Ruiz: delivered`."""
    states = {
        Attempt.PENDING: "waiting",
        Attempt.SENDING: "being sent",
        Attempt.BUNDLED: "being sent",
        Attempt.ACCEPTED: "taken by the provider, no receipt yet",
        Attempt.DELIVERED: "delivered",
        Attempt.FAILED_TEMPORARY: "failed, will be tried again",
        Attempt.FAILED_PERMANENT: "failed",
        Attempt.WITHDRAWN: "taken back before it was sent",
    }
    to = names.get(row.person, row.person) or "the room"
    said = row.result.replace("_", " ")
    if row.state is Attempt.PENDING and row.result == "limited":
        said = f"over a limit: goes out with others at {row.due_at:%H:%M:%S} UTC"
    why = f" ({said})" if said and row.state is not Attempt.DELIVERED else ""
    return f"{row.channel} to {to}: {states[row.state]}{why}"


def last_delivery(rows: Iterable[OutboxRow]) -> OutboxRow | None:
    """Return the attempt that something was heard of last, None when nothing was sent."""
    sent = [row for row in rows if row.sent_at is not None]
    return max(sent, key=lambda row: row.settled_at or row.sent_at or row.due_at, default=None)


# ------------------------------------------------------------------------------------------------------- why?


def explanation(view: View, story: Story, names: Mapping[str, str]) -> dict[str, object]:
    """Return why it exists, why these people, and what the rules saw, from what was stored when it was decided."""
    incident = view.incident
    return {
        "why_it_exists": _existence(incident, story),
        "why_this_person": [
            *(_chosen(page, track, view.world, names) for track in incident.tracks for page in track.pages),
            *(line for track in incident.tracks for line in passed_over(track, story.journal, names)),
        ],
        "budgets": list(story.budgets),
        "verdicts": [dict(verdict) for verdict in story.verdicts.values()],
    }


def _existence(incident: Incident, story: Story) -> list[str]:
    by = f"{incident.cause} rule {incident.rule}" if incident.rule else f"{incident.cause}"
    lines = [f"{by} made it {incident.opened_severity}; policy {incident.policy}"]
    if incident.bundle is not None:
        likely = f"likely cause {incident.bundle.cause}: {incident.bundle.why}" if incident.bundle.cause else ""
        lines += [f"bundled by {_why_bundled(incident.bundle)}", *([likely] if likely else [])]
    lines += [
        f"source {record.alert.source}, fingerprint {record.alert.fingerprint}: {record.alert.status}"
        for record in story.alerts
    ]
    for verdict in story.verdicts.values():
        lines.extend(reasons(verdict))
    if incident.truncated:
        lines.append(f"the sender left out {incident.truncated} alerts (Alertmanager: set max_alerts to 0)")
    return list(dict.fromkeys(lines))


def reasons(verdict: Mapping[str, object]) -> list[str]:
    """Return what each rule made of an alert, one sentence per rule."""
    found = verdict.get("reasons")
    if not isinstance(found, Sequence) or isinstance(found, str):
        return []
    lines = []
    for item in found:
        if isinstance(item, Mapping):
            looked = item.get("predicates")
            seen = "; ".join(_predicate(each) for each in looked) if isinstance(looked, Sequence) else ""
            lines.append(f"{item.get('rule')}: {item.get('say')}" + (f" [{seen}]" if seen else ""))
    return lines


def _predicate(predicate: Sequence[object]) -> str:
    text, observed, outcome = predicate
    return f"{text}: {observed}, {'yes' if outcome else 'no'}"


def _chosen(page: Page, track: Track, world: World, names: Mapping[str, str]) -> str:
    name = names.get(page.person, page.person)
    own = ", by their own contact plan too" if page.plan else ""
    line = f"{name} is {page.target}, tier {page.tier} of {track.name}{own}"
    schedule = world.ruleset.schedules.get(page.target.removeprefix(ONCALL_PREFIX).partition(" & ")[0])
    if not page.target.startswith(ONCALL_PREFIX) or schedule is None:
        return line
    turns = [turn.because for turn in on_call(schedule, page.at, world.overrides) if turn.person == page.person]
    return f"{line}: {turns[0]}" if turns else line
