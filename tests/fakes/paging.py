"""Values of one night: people, a policy, an incident in each state; for tests of words and answers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

from escalatord.core.alert import Severity
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
from escalatord.core.policy import (
    Compliance,
    ContactPlan,
    LastResort,
    PlanStep,
    Policy,
    Target,
    TargetKind,
    Tier,
    TrackKind,
    TrackPolicy,
)
from escalatord.core.roster import ChannelKind, ChannelSpec, Person
from escalatord.core.ruleset import Ruleset, Unmatched, World
from escalatord.core.telling import Handles, Telling

OPENED = datetime(2026, 10, 24, 1, 11, 14, tzinfo=UTC)  # 03:11:14 in Madrid
LINK = "https://esc.example.com/a/7QF3M9TX2B4KP"
NAMES = {"ana": "Ana Ruiz", "bo": "Bo Li", "cy": "Cy Dee", "cto": "Cleo Tan"}
PLAN = ContactPlan(name="usual", steps=(PlanStep(by="sms"), PlanStep(by="call", after_seconds=180)))


def later(seconds: float) -> datetime:
    """Return an instant so many seconds after the incident opened."""
    return OPENED + timedelta(seconds=seconds)


def a_person(person: str, number: str = "") -> Person:
    """Return somebody in Madrid with a phone and a chat account."""
    phone = number or f"+3460000000{list(NAMES).index(person) + 1}"
    return Person(
        id=person,
        name=NAMES[person],
        addresses={"sms": phone, "call": phone, "slack": f"U{person.upper()}", "email": f"{person}@example.com"},
        timezone="Europe/Madrid",
    )


def a_policy(*, compliance: bool = False) -> Policy:
    """Return three tiers of five minutes: ana, bo, cy; then the cto."""
    tiers = tuple(
        Tier(name=who, page=(Target(TargetKind.PERSON, who),), within_seconds=300, plan=PLAN)
        for who in ("ana", "bo", "cy")
    )
    kind = TrackKind.COMPLIANCE if compliance else TrackKind.TECHNICAL
    return Policy(
        name="legal" if compliance else "payments",
        hash="feed" if compliance else "cafe",
        tracks=(TrackPolicy(name=kind.value, kind=kind, tiers=tiers),),
        last_resort=LastResort(page=(Target(TargetKind.PERSON, "cto"),), plan=PLAN),
        ack_hold_seconds=dict.fromkeys(Severity, 3600.0),
        compliance=Compliance(regime="gdpr", clock_from="awareness", due_seconds=72 * 3600.0) if compliance else None,
        confidential=compliance,
    )


def channels() -> dict[str, ChannelSpec]:
    """Return one simulated channel of each kind."""
    keys = {ChannelKind.SMS: "sms", ChannelKind.CALL: "call", ChannelKind.CHAT: "slack", ChannelKind.MAIL: "email"}
    return {
        kind.value: ChannelSpec(name=kind.value, kind=kind, provider="sim", address_key=key, receipts=True)
        for kind, key in keys.items()
    }


@cache
def the_ruleset() -> Ruleset:
    """Return the rules of the night, always the same value."""
    return a_ruleset()


def a_ruleset(people: Mapping[str, Person] | None = None) -> Ruleset:
    """Return the rules of the night, with other people if some are given."""
    policies = {policy.name: policy for policy in (a_policy(), a_policy(compliance=True))}
    return Ruleset(
        hash="0" * 16,
        unmatched=Unmatched(severity=Severity.WARNING, policy="payments"),
        policies=policies,
        people=people or {who: a_person(who) for who in NAMES},
        channels=channels(),
        contact_plans={"usual": PLAN},
    )


def a_world() -> World:
    """Return the world of the night, its policies pinned."""
    ruleset = a_ruleset()
    return World(ruleset=ruleset, policies={policy.hash: policy for policy in ruleset.policies.values()})


def a_track(tier: int = 1, *, name: str = "technical", policy: str = "cafe") -> Track:
    """Return a track climbing at `tier`: entered every five minutes, everybody before was told by SMS."""
    people = ("ana", "bo", "cy")
    entered = later(300 * (tier - 1))
    page = Page(person=people[tier - 1], tier=tier, target=f"person {people[tier - 1]}", at=entered)
    return Track(
        name=name,
        policy=policy,
        state=TrackState.RUNNING,
        tier=tier,
        top=tier,
        epoch=tier,
        entered_at=entered,
        pages=(page,),
        told=tuple((who, "sms") for who in people[:tier]),
    )


def an_incident(track: Track | None = None, **changes: object) -> Incident:
    """Return INC-142, open and climbing, with the deadline of its tier."""
    track = track or a_track()
    deadline = Timer(
        kind=TimerKind.TIER_DEADLINE, at=(track.entered_at or OPENED) + timedelta(minutes=5), track=track.name
    )
    incident = Incident(
        number=142,
        key="am|payments|checkout|g",
        version=1,
        severity=Severity.CRITICAL,
        opened_severity=Severity.CRITICAL,
        cause=Cause.THRESHOLD,
        policy="payments",
        service="checkout",
        source="am",
        rule="checkout-failing",
        title="5xx rate 8.2% over 5% for 5m (eu-west)",
        opened_at=OPENED,
        firing=(0, 0, 0, 1),
        alerts=1,
        tracks=(track,),
        timers=(deadline,),
    )
    return replace(incident, **changes)  # type: ignore[arg-type]  # a test names the fields it wants different


def acked(by: str = "bo", at: float = 44, via: Via = Via.CALL, track: Track | None = None) -> Incident:
    """Return the incident held by somebody for an hour."""
    held = replace(
        track or a_track(),
        state=TrackState.ACKNOWLEDGED,
        owner=by,
        acked_at=later(at),
        acked_via=via,
        acked_tier=(track or a_track()).tier,
    )
    question = Timer(kind=TimerKind.ACK_QUESTION, at=later(at + 3600), track=held.name)
    return an_incident(
        held,
        timers=(question,),
        state=State.ACKNOWLEDGED,
        acknowledged_at=later(at),
        acknowledged_by=by,
        acknowledged_via=via,
        first_acked_at=later(at),
    )


def resolved(by: str = "", at: float = 480, told: Sequence[str] = ("ana",)) -> Incident:
    """Return the incident when it is over."""
    track = replace(a_track(), state=TrackState.ENDED, pages=(), told=tuple((who, "sms") for who in told))
    return an_incident(
        track, timers=(), state=State.RESOLVED, resolved_at=later(at), resolved_by=by, firing=(0, 0, 0, 0)
    )


def at_last_resort(at: float = 1200) -> Incident:
    """Return the incident when every tier has failed."""
    page = Page(person="cto", tier=3, target="person cto", at=later(at))
    track = replace(a_track(3), state=TrackState.LAST_RESORT, epoch=4, entered_at=later(at), pages=(page,))
    again = Timer(kind=TimerKind.LAST_RESORT, at=later(at + 1800), track=track.name)
    return an_incident(track, timers=(again,))


def telling(incident: Incident | None = None, kind: NoticeKind = NoticeKind.PAGE, **changes: object) -> Telling:
    """Return what Ana is told one second after the incident opened, in Madrid, with code K7 and the link."""
    incident = incident or an_incident()
    track = incident.main
    told = Telling(
        incident=incident,
        kind=kind,
        now=later(0.4),
        track=track.name,
        tier=track.tier,
        tiers=3,
        person="ana",
        names=NAMES,
        zone="Europe/Madrid",
        reason=Reason.OPENED,
        confidential=incident.confidential,
        handles=Handles(code="K7", link=LINK),
        next_at=later(300),
        next_people=("bo",),
        hold_seconds=3600.0,
    )
    return replace(told, **changes)  # type: ignore[arg-type]  # a test names the fields it wants different
