"""The journal in sentences: one for every kind of entry, for people who were asleep when it happened."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from escalatord.core.incident import Track
from escalatord.core.units import format_duration
from escalatord.store.rows import JournalEntry, JournalRow

Body: TypeAlias = Mapping[str, object]
Names: TypeAlias = Mapping[str, str]
PEOPLE_NAMED_MAX = 8


def sentence(entry: JournalEntry, names: Names) -> str:
    """Return what an entry says; an unknown kind is named as it is rather than hidden."""
    words = SENTENCES.get(entry.kind)
    if words is None:
        return entry.kind.replace("_", " ")
    return words(entry.body, names)


def _person(body: Body, names: Names, key: str = "person") -> str:
    who = str(body.get(key) or "somebody")
    return names.get(who, who)


def _people(body: Body, names: Names) -> str:
    found = body.get("people")
    people = [names.get(str(who), str(who)) for who in found] if isinstance(found, list | tuple) else []
    more = len(people) - PEOPLE_NAMED_MAX
    return ", ".join(people[:PEOPLE_NAMED_MAX]) + (f" and {more} more" if more > 0 else "") or "nobody"


def _words(value: object) -> str:
    return str(value or "").replace("_", " ")


def _after(body: Body, key: str = "seconds") -> str:
    seconds = body.get(key)
    return format_duration(float(seconds)) if isinstance(seconds, int | float) else "?"


def _channel(body: Body) -> str:
    return str(body.get("channel") or "a message")


def _instant(body: Body, key: str) -> str:
    try:
        return f"{datetime.fromisoformat(str(body.get(key))).astimezone(UTC):%d %b %H:%M UTC}"
    except ValueError:
        return "?"


def _note(body: Body, key: str) -> str:
    text = str(body.get(key) or "")
    return f": {text}" if text else ""


def _opened(body: Body, names: Names) -> str:
    del names
    by = f" by {body['rule']}" if body.get("rule") else ""
    return f"Opened{by} ({_words(body.get('cause'))}), {body.get('severity')}, policy {body.get('policy')}"


def _joined(body: Body, names: Names) -> str:
    del names
    if body.get("again"):
        return f"Alert {body.get('fingerprint')} fires again"
    worse = f"; it is now {body['new_severity']}" if body.get("new_severity") else ""
    return f"Alert {body.get('fingerprint')} joined{worse}"


def _tier_entered(body: Body, names: Names) -> str:
    again = f", round {cycle + 1}" if isinstance(cycle := body.get("cycle"), int) and cycle else ""
    late = f", {_after(body, 'lateness_seconds')} late" if body.get("late") else ""
    late += f", held {_after(body, 'held_seconds')}" if body.get("reason") == "hours_opened" else ""
    track = f" of {body['track']}" if body.get("track") else ""
    why = f"{_words(body.get('reason'))}{late}{_preferred(body, names)}"
    rejected = _rejected(body, names)
    return f"Tier {body.get('to_tier')}{track}{again} pages {_people(body, names)} ({why}){rejected}"


def passed_over(track: Track, journal: Sequence[JournalRow], names: Names) -> list[str]:
    """Return who was looked at and not paged when a track got where it is, and by which figures it chose; with why."""
    kinds = ("tier_entered", "tier_repaged", "tier_skipped")
    bodies = [
        row.entry.body for row in journal if row.entry.kind in kinds and row.entry.body.get("track") == track.name
    ]
    lines: dict[str, None] = {}
    for body in reversed(bodies):
        tier = body.get("to_tier") or body.get("tier")
        lines |= {f"{names.get(who, who)} is not: {why} (tier {tier})": None for who, why in _pairs(body, "rejected")}
        if counts := _preferred(body, names):
            lines[f"tier {tier} chose by{counts[1:]}"] = None
        if body.get("to_tier"):
            break  # what was looked at before has had its say
    return list(lines)


def _pairs(body: Body, key: str) -> list[tuple[str, object]]:
    found = body.get(key)
    pairs = found if isinstance(found, list | tuple) else []
    return [(str(pair[0]), pair[1]) for pair in pairs if isinstance(pair, list | tuple) and len(pair) > 1]


def _rejected(body: Body, names: Names) -> str:
    """Return who was looked at and not paged, with why: `; not Cy Novak: has no skill postgres`."""
    whys = [f"{names.get(who, who)}: {why}" for who, why in _pairs(body, "rejected")]
    more = len(whys) - PEOPLE_NAMED_MAX
    shown = ", ".join(whys[:PEOPLE_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
    return f"; not {shown}" if shown else ""


def _preferred(body: Body, names: Names) -> str:
    """Return how often each of those to choose from was paged in the past day, in the order of preference."""
    counts = [f"{names.get(who, who)} {count}" for who, count in _pairs(body, "preferred")[:PEOPLE_NAMED_MAX]]
    return f", pages in 24 h: {', '.join(counts)}" if counts else ""


def _asked_for(body: Body, names: Names) -> str:
    del names
    actions = body.get("actions")
    what = ", ".join(_words(action) for action in actions) if isinstance(actions, list | tuple) else ""
    owner = f" of {body.get('owner')}" if body.get("owner") else ""
    return f"Asks{owner}: {what}"


def _away(body: Body, names: Names) -> str:
    return (
        f"{_person(body, names)} is away from {_instant(body, 'start')} to {_instant(body, 'end')}{_note(body, 'why')}"
    )


def _noted(body: Body, names: Names) -> str:
    done = body.get("done")
    what = f" ({', '.join(_words(action) for action in done)} is done)" if isinstance(done, list | tuple) else ""
    return f"{_person(body, names)} noted{what}{_note(body, 'text')}"


STATUSES = {"failed_permanent": "failed", "failed_temporary": "failed for now"}


def _delivery(body: Body, names: Names) -> str:
    status = str(body.get("status") or "")
    why = f" ({_words(body.get('why'))})" if body.get("why") else ""
    return f"{_channel(body)} to {_person(body, names)}: {STATUSES.get(status, _words(status))}{why}"


def _acknowledged(body: Body, names: Names) -> str:
    late = ", after it had moved on" if body.get("late") else ""
    of = f"; {body.get('acks')} of {body.get('needed')} needed" if body.get("needed") else ""
    return f"{_person(body, names)} has it ({_words(body.get('via'))}), {_after(body)} after it opened{late}{of}"


def _resolved(body: Body, names: Names) -> str:
    by = f" by {_person(body, names, 'by')}" if body.get("by") else ""
    never = ", nobody had acknowledged it" if body.get("outcome") == "resolved_unacked" else ""
    if body.get("outcome") == "suppressed":
        return f"Muted after {_after(body)}{_note(body, 'muted_by')}"
    return f"Over{by} after {_after(body)}{never}{_note(body, 'decision')}"


def _silenced(body: Body, names: Names) -> str:
    span = f"from {_instant(body, 'start')} until {_instant(body, 'end')}"
    opened = ", also what is open" if body.get("apply_to_open") else ""
    return (
        f"{_person(body, names, 'by')} muted {body.get('matchers')} {span}{opened}"
        f" ({_words(body.get('mute'))} {body.get('id')}){_note(body, 'why')}"
    )


def _told_together(body: Body, names: Names) -> str:
    others = body.get("with")
    many = f"{others} other{'' if others == 1 else 's'}"
    said = "told" if body.get("notice") in ("acked", "stand_down", "update") else "paged"
    return f"{_person(body, names)} is {said} in one {_channel(body)} with {many} ({body.get('message')})"


MISSED = {
    "mitigate_by": "Not mitigated in its time",
    "update_every": "No update in its time",
    "resolve_by": "Not resolved in its time",
}


def _missed(body: Body, names: Names) -> str:
    owner = f": {_person(body, names, 'owner')} has it" if body.get("owner") else ": nobody has it"
    return f"{MISSED.get(str(body.get('milestone')), 'A milestone was missed')}{owner}"


def _held(body: Body, names: Names) -> str:
    del names
    hours = f"the hours of policy {body.get('hours_of')} (calendar {body.get('calendar')})"
    return f"Held until {_instant(body, 'until')} by {hours}"


def _rebased(body: Body, names: Names) -> str:
    changes, kept, started = body.get("changes"), body.get("kept"), body.get("started")
    told = "; ".join(map(str, changes)) if isinstance(changes, list | tuple) and changes else "contact plans only"
    more = f". New: {', '.join(map(str, started))}" if isinstance(started, list | tuple) and started else ""
    stays = [f"{track} ({why})" for track, why in kept.items()] if isinstance(kept, Mapping) else []
    return f"{_person(body, names)} moved it onto the rules in force: {told}{more}" + (
        f". As they were: {', '.join(stays)}" if stays else ""
    )


SENTENCES: Mapping[str, Callable[[Body, Names], str]] = {
    "opened": _opened,
    "joined": _joined,
    "severity_raised": lambda body, _: f"Severity rose from {body.get('from')} to {body.get('to')}",
    "severity_fell": lambda body, _: f"Severity fell{_note(body, 'note')}",
    "track_started": lambda body, _: f"Track {body.get('track')} started",
    "tier_entered": _tier_entered,
    "tier_skipped": lambda body, names: (
        f"Tier {body.get('tier')} skipped: {_words(body.get('reason'))}{_rejected(body, names)}"
    ),
    "exhausted": lambda *_: "Every tier was tried and nobody answered",
    "last_resort": lambda body, names: f"Last resort pages {_people(body, names)}",
    "reminded": lambda body, names: f"Reminded {_people(body, names)}",
    "paged_step": lambda body, names: f"{_channel(body)} to {_person(body, names)}: next step of the contact plan",
    "delivery": _delivery,
    "first_paged": lambda body, _: f"First page reached a provider {_after(body)} after it opened",
    "acknowledged": _acknowledged,
    "quorum_met": lambda body, names: f"Nobody else is missing: {_people(body, names)} acked",
    "paged_more": lambda body, names: f"Pages {_people(body, names)} too ({_words(body.get('reason'))})",
    "on_enter": _asked_for,
    "away_added": _away,
    "away_cancelled": lambda body, names: f"{_person(body, names)} is available again",
    "ack_duplicate": lambda body, names: f"{_person(body, names)} acknowledged it too; nothing changed",
    "ack_joined": lambda body, names: f"{_person(body, names)} joined",
    "taken_over": lambda body, names: f"{_person(body, names)} took it over",
    "tier_repaged": lambda body, names: f"Pages {_people(body, names)} again ({_words(body.get('reason'))})",
    "cleared": lambda body, _: f"Alert {body.get('fingerprint')} still fires and pages nobody now{_note(body, 'why')}",
    "suppressed": lambda body, _: f"Alert {body.get('fingerprint')} still fires and is muted{_note(body, 'why')}",
    "settled": lambda body, _: f"Alert {body.get('fingerprint')} no longer fires",
    "no_receipt": lambda body, names: (
        f"{_channel(body)} to {_person(body, names)}: no receipt in time, so the next method"
    ),
    "not_reached": lambda *_: "Nobody of the tier could be reached",
    "person_gone": lambda body, names: f"{_person(body, names)} can no longer be reached",
    "people_gone": lambda body, names: f"{_people(body, names)} left the rules",
    "ack_asked": lambda *_: "The hold of the ack ends: asked whether it is still being worked on",
    "ack_extended": lambda *_: "Still being worked on: the ack holds longer",
    "ack_expired": lambda *_: "No answer: the ack ended, paging starts again",
    "unacknowledged": lambda body, names: f"{_person(body, names)} gave it back",
    "snoozed": lambda body, names: f"{_person(body, names)} snoozed it until {_instant(body, 'until')}",
    "snooze_ended": lambda *_: "The snooze ended",
    "passed_on": lambda body, names: f"{_person(body, names)} passed it on",
    "noted": _noted,
    "quiet": lambda body, _: f"Quiet for now; over when it stays quiet for {_after(body, 'stay_open_seconds')}",
    "reopened": lambda body, _: (
        f"Fires again {_after(body, 'after_seconds')} after its end (time {body.get('times')}): goes on where it stood"
    ),
    "recovered": lambda body, _: (
        f"Every alert of it has recovered or is muted{_note(body, 'muted_by')}"
        if body.get("muted_by")
        else "Every alert of it has recovered"
    ),
    "mitigated": lambda body, names: f"{_person(body, names)} says that it is mitigated{_note(body, 'text')}",
    "milestone_missed": _missed,
    "made_up": lambda body, _: f"{body.get('track')}: made up for, whoever was paged for it is off the hook",
    "held": _held,
    "shift_ended": lambda body, names: (
        f"The shift of {_person(body, names)} in {body.get('schedule')} is over, and it is still theirs: "
        f"{_people(body, names)} told"
    ),
    "rebased": _rebased,
    "resolved": _resolved,
    "told_together": _told_together,
    "limited": lambda body, names: (
        f"{_channel(body)} to {_person(body, names)} left out: over their limit, and they know already"
    ),
    "moved_to_free": lambda body, names: (
        f"{body.get('from')} to {_person(body, names)} goes by {_channel(body)}: the cap of the day is reached"
    ),
    "spend_capped": lambda body, _: f"The cap of {body.get('per_day')} a day for messages is reached",
    "statutory": lambda body, _: f"Statutory clock {body.get('regime')}: due {_instant(body, 'due_at')}",
    "silence_added": _silenced,
    "silence_expired": lambda body, names: (
        f"{_words(body.get('mute')).capitalize()} {body.get('id')} of {_person(body, names, 'by')} was ended early"
        f"{_note(body, 'matchers')}"
    ),
    "would_have_paged": lambda body, _: f"{body.get('rule')} would have paged{_note(body, 'say')}",
    "dead_letter": lambda body, _: f"A body from {body.get('source')} cannot be used{_note(body, 'say')}",
    "template_failed": lambda body, _: f"Template {body.get('template')} failed{_note(body, 'why')}",
    "failure_told": lambda *_: "Something failed here; people were told",
    "audit_failed": lambda body, _: f"The audit found a promise broken{_note(body, 'say')}",
    "channel_failed": lambda body, _: f"The channel {body.get('channel')} failed in a way it must not",
    "command_failed": lambda *_: "Something failed here and was taken back; the log has it",
    "invariant_violated": lambda body, _: f"A promise was broken: {_words(body.get('invariant'))}",
}
