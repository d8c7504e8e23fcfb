"""What the board and the incident page say about an incident, as plain sentences; pure functions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from escalatord.core.alert import Severity
from escalatord.core.hours import held_until
from escalatord.core.incident import Incident, State, TimerKind, TrackState
from escalatord.core.telling import muted_by
from escalatord.core.units import format_duration
from escalatord.core.wallclock import Style, format_local
from escalatord.store.rows import OutboxRow
from escalatord.web.incidents_json import CLIMB_TIMERS, delivered, last_delivery, paging

PEOPLE_NAMED_MAX = 6
HOLD_TIMERS = (TimerKind.ACK_EXPIRY, TimerKind.SNOOZE_END, TimerKind.ACK_QUESTION)
MINUTES_FROM_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One incident on the board. `climb_seconds` and `hold_seconds` are None when there is nothing to count down."""

    number: int
    label: str
    severity: Severity
    service: str
    title: str
    who: str
    opened_at: datetime
    open_for: str
    climb_say: str
    climb_seconds: float | None
    hold_seconds: float | None
    last: str
    last_at: datetime


def cards(
    incidents: Iterable[Incident], attempts: Mapping[int, Iterable[OutboxRow]], names: Mapping[str, str], now: datetime
) -> list[Card]:
    """Return one card for each incident, in the given order."""
    return [_card(incident, attempts.get(incident.number, ()), names, now) for incident in incidents]


def _card(incident: Incident, rows: Iterable[OutboxRow], names: Mapping[str, str], now: datetime) -> Card:
    say, seconds = climbing(incident, now)
    last = last_delivery(rows)
    hold = min((timer.at for timer in incident.awake if timer.kind in HOLD_TIMERS), default=None)
    return Card(
        number=incident.number,
        label=incident.label,
        severity=incident.severity,
        service=incident.service,
        title=incident.title,
        who=truth(incident, names, now),
        opened_at=incident.opened_at,
        open_for=span_between(incident.opened_at, incident.resolved_at or now),
        climb_say=say,
        climb_seconds=seconds,
        hold_seconds=None if hold is None else (hold - now).total_seconds(),
        last="" if last is None else delivered(last, names),
        last_at=now if last is None else last.settled_at or last.sent_at or last.due_at,
    )


def climbing(incident: Incident, now: datetime) -> tuple[str, float | None]:
    """Return what comes when nobody acts, and in how many seconds; None when nothing of that kind is to come."""
    if incident.quiet_since is not None and incident.next_due_at is not None:
        return "over in", (incident.next_due_at - now).total_seconds()
    timers = [timer for timer in incident.timers if timer.kind in CLIMB_TIMERS]
    first = min(timers, key=lambda timer: timer.at, default=None)
    if first is None:
        return "", None
    say = {TimerKind.LAST_RESORT: "paged again in", TimerKind.HOURS_START: "held, paged in"}.get(
        first.kind, "next tier in"
    )
    return say, (first.at - now).total_seconds()


def truth(incident: Incident, names: Mapping[str, str], now: datetime) -> str:
    """Return who has it, or who is being asked, in one sentence."""
    if incident.state is State.RESOLVED:
        by = f" by {names.get(incident.resolved_by, incident.resolved_by)}" if incident.resolved_by else ""
        return f"Muted while it still fires: {muted}." if (muted := muted_by(incident)) else f"Over{by}."
    if incident.quiet_since is not None:
        quiet = f"Flapping; quiet for {span_between(incident.quiet_since, now)}, nobody is paged meanwhile."
        has = names.get(incident.acknowledged_by, incident.acknowledged_by)
        return f"{quiet} {has} has it." if has else quiet
    owner = names.get(incident.acknowledged_by, incident.acknowledged_by)
    if incident.state is State.ACKNOWLEDGED:
        since = f" for {span_between(incident.acknowledged_at, now)}" if incident.acknowledged_at else ""
        more = f" {_being_paged(incident, names)}" if paging(incident) else ""
        return f"{owner or 'Somebody'} has it{since}.{more}"
    return _being_paged(incident, names) or _held(incident) or "Nobody is being paged at this moment."


def _held(incident: Incident) -> str:
    until = held_until(incident.main, incident.timers)
    if until is None:
        return ""
    at = format_local(until, "UTC", Style.DAY)
    return f"Held until {at} by the hours of policy {incident.policy}: nobody is paged before, unless it gets worse."


def _being_paged(incident: Incident, names: Mapping[str, str]) -> str:
    people = [names.get(person, person) for person in paging(incident)]
    if not people:
        return ""
    more = f" and {len(people) - PEOPLE_NAMED_MAX} more" if len(people) > PEOPLE_NAMED_MAX else ""
    where = "last resort" if incident.main.state is TrackState.LAST_RESORT else f"tier {incident.main.tier}"
    return f"Paging {', '.join(people[:PEOPLE_NAMED_MAX])}{more} ({where})."


def span_between(start: datetime, end: datetime) -> str:
    """Return the time between, in seconds up to two minutes, then in minutes."""
    seconds = max(0.0, (end - start).total_seconds())
    return format_duration(seconds if seconds < MINUTES_FROM_SECONDS else seconds // 60 * 60)
