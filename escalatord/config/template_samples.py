"""What templates are tried out on: recorded alerts, told at their longest and with everything left out that may be.

At its longest means the longest names of the roster, the longest durations and codes, and a link as long as links
usually are; so a text that fits here fits at night.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from escalatord.core.alert import SEVERITIES, Alert, AlertStatus, Severity
from escalatord.core.incident import (
    Cause,
    Incident,
    NoticeKind,
    Page,
    Reason,
    State,
    Timer,
    TimerKind,
    Track,
    TrackState,
    Via,
)
from escalatord.core.policy import Policy, Tier, TrackPolicy
from escalatord.core.rules import AlertRecord
from escalatord.core.ruleset import Ruleset
from escalatord.core.telling import Handles, Telling, short_name
from escalatord.core.template import WORDED_NOTICES, Template
from escalatord.core.template_values import NAMES_MAX, Material, measured

ALERTS_MAX = 20
"""Past it: the first ones by name of their payload."""
OPEN_FOR = timedelta(days=9, hours=23, minutes=59)
LONG_CODE = "K77"
LONG_LINK = "https://escalatord.example.com/a/7QF3M9TX2B4KP"
NUMBER = 42
ZONE = "America/Los_Angeles"
ENDED = (NoticeKind.STAND_DOWN,)
HELD = (NoticeKind.ACKED, NoticeKind.ACK_QUESTION, NoticeKind.UPDATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A tier that names a template, and where it stands; for a template that no tier names, one of its own."""

    policy: Policy
    track: TrackPolicy
    number: int

    @property
    def tier(self) -> Tier:
        """Return the tier itself."""
        return self.track.tiers[self.number - 1]


def rungs_of(template: str, ruleset: Ruleset) -> tuple[Rung, ...]:
    """Return the tiers that name a template, in order."""
    return tuple(
        Rung(policy=policy, track=track, number=number)
        for policy in ruleset.policies.values()
        for track in policy.tracks
        for number, tier in enumerate(track.tiers, start=1)
        if tier.template == template
    )


def materials(
    template: Template, ruleset: Ruleset, alerts: Mapping[str, Alert], now: datetime
) -> Iterator[tuple[str, Material]]:
    """Yield what a template has to be able to tell, with a few words that say what it is."""
    found = rungs_of(template.name, ruleset)
    rungs = found[:1] + found[-1:] if len(found) > 1 else found or (_any_rung(ruleset),)
    shown = list(alerts.items())[:ALERTS_MAX] or [("no recorded alert", _no_alert(now))]
    notices = [notice for notice in WORDED_NOTICES if notice in template.notices]
    for rung in rungs:
        for place, (name, alert) in enumerate(shown):
            for notice in notices:
                yield f"{notice} of {name}", _material(rung, ruleset, alert, notice, now, bare=False)
                if place == 0:
                    yield f"{notice} of {name}, cut short", _material(rung, ruleset, alert, notice, now, bare=True)


def _any_rung(ruleset: Ruleset) -> Rung:
    policy = next(iter(ruleset.policies.values()))
    return Rung(policy=policy, track=policy.tracks[0], number=1)


def _no_alert(now: datetime) -> Alert:
    return Alert(
        source="alertmanager", fingerprint="0" * 16, status=AlertStatus.FIRING, starts_at=now, title="Something broke"
    )


def _material(rung: Rung, ruleset: Ruleset, alert: Alert, notice: NoticeKind, now: datetime, *, bare: bool) -> Material:
    record = AlertRecord(alert=alert, opened_at=now, last_seen_at=now, starts=(now,), severity=_worst(alert))
    people = _longest(ruleset)
    first = people[0] if people else ""
    told = Telling(
        incident=_incident(rung, alert, notice, () if bare else people, now),
        kind=notice,
        now=now,
        track=rung.track.name,
        tier=rung.number,
        tiers=len(rung.track.tiers),
        person=first,
        names={} if bare else {person: ruleset.people[person].name for person in people},
        zone=ZONE,
        reason=Reason.OPENED if bare else Reason.TIMEOUT,
        actor="" if bare else first,
        late=not bare,
        handles=Handles(code=LONG_CODE, link=LONG_LINK, number=NUMBER),
        next_at=None if bare else now + timedelta(seconds=rung.tier.within_seconds),
        next_people=() if bare else tuple(people),
        hold_seconds=rung.policy.ack_hold(_worst(alert)),
    )
    return Material(telling=told, alert=record, facts=measured(record, ruleset, now))


def _incident(rung: Rung, alert: Alert, notice: NoticeKind, people: Sequence[str], now: datetime) -> Incident:
    opened = now - OPEN_FOR if people else now
    over = notice in ENDED
    held = notice in HELD
    first = people[0] if people else ""
    pages = tuple(Page(person=person, tier=rung.number, target=f"person {person}", at=now) for person in people)
    track = Track(
        name=rung.track.name,
        policy=rung.policy.hash,
        state=TrackState.ENDED if over else TrackState.ACKNOWLEDGED if held else TrackState.RUNNING,
        tier=rung.number,
        top=rung.number,
        epoch=1,
        entered_at=now,
        pages=() if over else pages,
        told=tuple((person, "sms") for person in people),
        owner=first if held else "",
        acked_at=now if held else None,
        acked_via=Via.CLI if held else None,
    )
    # never a round duration: those are the short ones
    deadline = Timer(
        kind=TimerKind.TIER_DEADLINE, at=now + timedelta(seconds=rung.tier.within_seconds - 15), track=track.name
    )
    severity = _worst(alert)
    return Incident(
        number=10_000,
        key="sample",
        version=1,
        state=State.RESOLVED if over else State.ACKNOWLEDGED if held else State.OPEN,
        severity=severity,
        opened_severity=severity,
        cause=Cause.THRESHOLD,
        policy=rung.policy.name,
        service=alert.labels.get("service", "") if people else "",
        source=alert.source,
        rule="",
        title=alert.title,
        summary=alert.summary if people else "",
        links=alert.links if people else {},
        opened_at=opened,
        firing=(0, 0, 0, 0) if over else (0, 0, 0, 1),
        alerts=1,
        tracks=(track,),
        timers=() if over or held else (deadline,),
        resolved_at=now if over else None,
        resolved_by=first if over else "",
    )


def _worst(alert: Alert) -> Severity:
    """Return the sender's severity, the worst where there is none: it is also the longest word."""
    return alert.severity or SEVERITIES[-1]


def _longest(ruleset: Ruleset) -> tuple[str, ...]:
    """Return the people whose first names are longest, one more than are ever listed."""
    names = {person.id: person.name for person in ruleset.people.values()}
    return tuple(sorted(names, key=lambda person: (-len(short_name(names, person)), person))[: NAMES_MAX + 1])
