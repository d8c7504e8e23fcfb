"""The journal in sentences: one for every kind of entry, for people who were asleep when it happened."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeAlias

from escalatord.core.units import format_duration
from escalatord.store.rows import JournalEntry

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
    worse = f"; it is now {body['new_severity']}" if body.get("new_severity") else ""
    return f"Alert {body.get('fingerprint')} joined{worse}"


def _tier_entered(body: Body, names: Names) -> str:
    again = f", round {cycle + 1}" if isinstance(cycle := body.get("cycle"), int) and cycle else ""
    late = f", {_after(body, 'lateness_seconds')} late" if body.get("late") else ""
    track = f" of {body['track']}" if body.get("track") else ""
    return f"Tier {body.get('to_tier')}{track}{again} pages {_people(body, names)} ({_words(body.get('reason'))}{late})"


def _delivery(body: Body, names: Names) -> str:
    return f"{_channel(body)} to {_person(body, names)}: {_words(body.get('status'))}{_note(body, 'why')}"


def _acknowledged(body: Body, names: Names) -> str:
    late = ", after it had moved on" if body.get("late") else ""
    return f"{_person(body, names)} has it ({_words(body.get('via'))}), {_after(body)} after it opened{late}"


def _resolved(body: Body, names: Names) -> str:
    by = f" by {_person(body, names, 'by')}" if body.get("by") else ""
    never = ", nobody had acknowledged it" if body.get("outcome") == "resolved_unacked" else ""
    return f"Over{by} after {_after(body)}{never}{_note(body, 'decision')}"


SENTENCES: Mapping[str, Callable[[Body, Names], str]] = {
    "opened": _opened,
    "joined": _joined,
    "severity_raised": lambda body, _: f"Severity rose from {body.get('from')} to {body.get('to')}",
    "severity_fell": lambda body, _: f"Severity fell{_note(body, 'note')}",
    "track_started": lambda body, _: f"Track {body.get('track')} started",
    "tier_entered": _tier_entered,
    "tier_skipped": lambda body, _: f"Tier {body.get('tier')} skipped: {_words(body.get('reason'))}",
    "exhausted": lambda *_: "Every tier was tried and nobody answered",
    "last_resort": lambda body, names: f"Last resort pages {_people(body, names)}",
    "reminded": lambda body, names: f"Reminded {_people(body, names)}",
    "paged_step": lambda body, names: f"{_channel(body)} to {_person(body, names)}: next step of the contact plan",
    "delivery": _delivery,
    "first_paged": lambda body, _: f"First page reached a provider {_after(body)} after it opened",
    "acknowledged": _acknowledged,
    "ack_duplicate": lambda body, names: f"{_person(body, names)} acknowledged it too; nothing changed",
    "ack_joined": lambda body, names: f"{_person(body, names)} joined",
    "taken_over": lambda body, names: f"{_person(body, names)} took it over",
    "tier_repaged": lambda body, names: f"Pages {_people(body, names)} again ({_words(body.get('reason'))})",
    "cleared": lambda body, _: f"Alert {body.get('fingerprint')} still fires and pages nobody now{_note(body, 'why')}",
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
    "noted": lambda body, names: f"{_person(body, names)} noted{_note(body, 'text')}",
    "recovered": lambda *_: "Every alert of it has recovered",
    "resolved": _resolved,
    "statutory": lambda body, _: f"Statutory clock {body.get('regime')}: due {_instant(body, 'due_at')}",
    "would_have_paged": lambda body, _: f"{body.get('rule')} would have paged{_note(body, 'say')}",
    "dead_letter": lambda body, _: f"A body from {body.get('source')} cannot be used{_note(body, 'say')}",
    "template_failed": lambda body, _: f"Template {body.get('template')} failed{_note(body, 'why')}",
    "failure_told": lambda *_: "Something failed here; people were told",
    "audit_failed": lambda body, _: f"The audit found a promise broken{_note(body, 'say')}",
    "channel_failed": lambda body, _: f"The channel {body.get('channel')} failed in a way it must not",
    "command_failed": lambda *_: "Something failed here and was taken back; the log has it",
    "invariant_violated": lambda body, _: f"A promise was broken: {_words(body.get('invariant'))}",
}
